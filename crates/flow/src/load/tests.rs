use super::*;

const HEAD: &str = r#"
    id = "x"
    title = "X"
    clause = "C"
    kind = "closing"
    pf_a = "off"
    pf_b = "on"
    close_by = "a"
    nodes = ["a", "b"]
"#;

fn load(arrows: &str) -> Result<Flow, LoadError> {
    Flow::load("x.toml", &format!("{HEAD}\narrow = [{arrows}]"))
}

fn refused(arrows: &str) -> String {
    load(arrows).unwrap_err().to_string()
}

#[test]
fn an_arrow_follows_the_one_before_it_unless_it_says_otherwise() {
    let flow = load(
        r#"{ step = 1, from = "a", to = "b", message = "BYE", dialog = "D" },
           { step = 2, from = "b", to = "a", message = ["200 BYE", "481 BYE"], dialog = "D" },
           { step = 3, from = "b", to = "a", message = "BYE", dialog = "E", after = [] },"#,
    )
    .unwrap();
    let after: Vec<&[u16]> = flow.arrows.iter().map(|arrow| arrow.after.as_slice()).collect();
    assert_eq!(after, [&[][..], &[1], &[]]);
    assert_eq!(flow.arrows[1].messages, [Message::response(200, "BYE"), Message::response(481, "BYE")]);
    assert_eq!(flow.dialogs(), ["D", "E"]);
}

#[test]
fn double_bracket_tables_are_the_same_thing() {
    let text = format!("{HEAD}\n[[arrow]]\nstep = 1\nfrom = \"a\"\nto = \"b\"\nmessage = \"BYE\"\ndialog = \"D\"\n");
    assert_eq!(Flow::load("x.toml", &text).unwrap().arrows.len(), 1);
}

#[test]
fn a_bad_arrow_is_refused_with_file_arrow_and_cure() {
    let good = r#"{ step = 1, from = "a", to = "b", message = "BYE", dialog = "D" },"#;
    for (arrow, problem, cure) in [
        (r#"{ step = 1, from = "a", to = "b", message = "BYE", dialog = "D" }"#, "its step is 1", "write step = 2"),
        (r#"{ step = 3, from = "a", to = "b", message = "BYE", dialog = "D" }"#, "its step is 3", "write step = 2"),
        (r#"{ step = 2, from = "a", to = "c", message = "BYE", dialog = "D" }"#, "node `c`", "one of a, b"),
        (r#"{ step = 2, from = "a", to = "a", message = "BYE", dialog = "D" }"#, "from `a` to `a`", "name two nodes"),
        (r#"{ step = 2, from = "a", to = "b", message = "bye", dialog = "D" }"#, "bye", "\"200 BYE\""),
        (r#"{ step = 2, from = "a", to = "b", message = [], dialog = "D" }"#, "empty", "at least one"),
        (r#"{ step = 2, from = "a", to = "b", message = "BYE", dialog = "D", after = [2] }"#, "step 2", "from 1 to 1"),
        (r#"{ step = 2, from = "a", to = "b", message = "BYE", dialog = "D", after = [0] }"#, "step 0", "after = []"),
    ] {
        let error = refused(&format!("{good}\n{arrow}"));
        assert!(error.starts_with("x.toml, arrow 2: "), "{error}");
        assert!(error.contains(problem) && error.contains(cure), "{arrow}: {error}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let error = refused(r#"{ step = 1, from = "a", to = "b", message = "BYE", dialogue = "D" }"#);
    assert!(error.starts_with("x.toml: ") && error.contains("dialogue") && error.contains("line"), "{error}");
}

#[test]
fn a_flow_that_is_not_whole_is_refused() {
    assert!(refused("").contains("no arrows"));
    let arrow = r#"arrow = [{ step = 1, from = "a", to = "b", message = "BYE", dialog = "D" }]"#;
    for (from, to, problem) in [
        ("pf_a = \"off\"", "", "place of a PF"),
        ("close_by = \"a\"", "", "nobody closes"),
        ("close_by = \"a\"", "close_by = \"both\"\ncrosses = \"E\"", "names no dialog"),
        ("[\"a\", \"b\"]", "[\"a\", \"b\", \"a\"]", "declared twice"),
    ] {
        let text = format!("{}\n{arrow}", HEAD.replace(from, to));
        let error = Flow::load("x.toml", &text).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
