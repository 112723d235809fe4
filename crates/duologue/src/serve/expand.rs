//! `${NAME}` and `${NAME:-default}` in the strings of a configuration.
//!
//! Only in strings, and after the file was taken apart: what a variable holds can be no key, no quote and no comment.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::ConfigError;

/// Where variables come from.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Expands every string of a document.
pub(super) fn table(table: &mut DeTable<'_>, key: &str, variables: Variables<'_>) -> Result<(), ConfigError> {
    for (name, entry) in table.iter_mut() {
        let name = name.get_ref();
        let key = if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
        value(entry, &key, variables)?;
    }
    Ok(())
}

fn array(array: &mut DeArray<'_>, key: &str, variables: Variables<'_>) -> Result<(), ConfigError> {
    array.iter_mut().enumerate().try_for_each(|(index, entry)| value(entry, &format!("{key}[{index}]"), variables))
}

fn value(entry: &mut Spanned<DeValue<'_>>, key: &str, variables: Variables<'_>) -> Result<(), ConfigError> {
    match entry.get_mut() {
        DeValue::String(text) => {
            if text.contains('$') {
                *text = string(text, key, variables)?.into();
            }
            Ok(())
        }
        DeValue::Array(entries) => array(entries, key, variables),
        DeValue::Table(entries) => table(entries, key, variables),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => Ok(()),
    }
}

/// Expands one string. `$${` stands for `${`; a `$` before anything else stands for itself.
fn string(text: &str, key: &str, variables: Variables<'_>) -> Result<String, ConfigError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(kept) = before.strip_suffix('$') {
            out += kept;
            out += "${";
            rest = after;
            continue;
        }
        out += before;
        let end = after.find('}').ok_or_else(|| {
            ConfigError::new(key, "has `${` without `}`", "close it, or write `$${` for the characters themselves")
        })?;
        out += &variable(&after[..end], key, variables)?;
        rest = &after[end + 1..];
    }
    Ok(out + rest)
}

fn variable(inside: &str, key: &str, variables: Variables<'_>) -> Result<String, ConfigError> {
    let (name, default) = inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(is_name) {
        let cure = "write `${NAME}` or `${NAME:-default}`, or `$${` for the characters themselves";
        return Err(ConfigError::new(key, &format!("names the variable `{name}`, which is no name"), cure));
    }
    // As in a shell, `:-` also stands in for an empty variable.
    let value = variables(name).filter(|value| default.is_none() || !value.is_empty());
    value.or_else(|| default.map(str::to_owned)).ok_or_else(|| {
        let cure = format!("set it, or write a default: `${{{name}:-…}}`");
        ConfigError::new(key, &format!("needs the environment variable {name}, which is not set"), &cure)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        let variables = |name: &str| match name {
            "HOST" => Some("10.0.0.1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        string(text, "core[0].domain", &variables).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_and_defaults_are_put_in() {
        assert_eq!(expand("udp:${HOST}:${PORT:-5060}").as_deref(), Ok("udp:10.0.0.1:5060"));
        assert_eq!(expand("[${EMPTY}][${EMPTY:-x}][${UNSET:-}]").as_deref(), Ok("[][x][]"));
        assert_eq!(expand("a$b $${HOST} $").as_deref(), Ok("a$b ${HOST} $"));
    }

    #[test]
    fn what_cannot_be_expanded_names_key_and_cure() {
        let unset = expand("${SECRET}").unwrap_err();
        assert_eq!(
            unset,
            "core[0].domain needs the environment variable SECRET, which is not set; \
             set it, or write a default: `${SECRET:-…}`"
        );
        assert!(expand("${HOST").unwrap_err().contains("without `}`"));
        assert!(expand("${a b}").unwrap_err().contains("`a b`, which is no name"));
    }
}
