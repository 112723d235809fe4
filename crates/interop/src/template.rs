//! Text with named places, `{{like_this}}`.

/// Fills every place of a template. Panics when a place has no value or a value has no place.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in values {
        let place = format!("{{{{{name}}}}}");
        assert!(template.contains(&place), "the template has no place {place}");
        text = text.replace(&place, value);
    }
    if let Some(at) = text.find("{{") {
        let rest: String = text[at..].chars().take(40).collect();
        panic!("a place of the template was not filled: {rest}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled_wherever_it_stands() {
        assert_eq!(fill("{{a}}-{{b}}-{{a}} {x{y}}", &[("a", "1"), ("b", "2")]), "1-2-1 {x{y}}");
    }

    #[test]
    #[should_panic(expected = "was not filled: {{b}}")]
    fn a_place_without_a_value_is_an_error() {
        fill("{{a}} {{b}}", &[("a", "1")]);
    }

    #[test]
    #[should_panic(expected = "has no place {{c}}")]
    fn a_value_without_a_place_is_an_error() {
        fill("{{a}}", &[("a", "1"), ("c", "2")]);
    }
}
