//! Licence expressions (SPDX 2.3 annex D), as far as crates use them.

use anyhow::{Result, bail};

/// Whether the expression can be satisfied with licences of which `allowed` approves.
///
/// Crates of old wrote `MIT/Apache-2.0` for a choice. An exception (`WITH …`) is a licence of its own here: it is allowed
/// only under its full name.
pub(crate) fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut parser = Parser { words: spaced.split_whitespace().peekable(), allowed };
    let value = parser.any_of()?;
    match parser.words.next() {
        None => Ok(value),
        Some(word) => bail!("unexpected `{word}` in licence expression `{expression}`"),
    }
}

struct Parser<'a> {
    words: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
    allowed: &'a dyn Fn(&str) -> bool,
}

impl Parser<'_> {
    fn any_of(&mut self) -> Result<bool> {
        let mut value = self.all_of()?;
        while self.words.next_if_eq(&"OR").is_some() {
            value |= self.all_of()?;
        }
        Ok(value)
    }

    fn all_of(&mut self) -> Result<bool> {
        let mut value = self.one()?;
        while self.words.next_if_eq(&"AND").is_some() {
            value &= self.one()?;
        }
        Ok(value)
    }

    fn one(&mut self) -> Result<bool> {
        match self.words.next() {
            None | Some("AND" | "OR" | "WITH" | ")") => bail!("a licence is missing in the expression"),
            Some("(") => {
                let value = self.any_of()?;
                if self.words.next() != Some(")") {
                    bail!("`)` is missing in the licence expression");
                }
                Ok(value)
            }
            Some(licence) => {
                if self.words.next_if_eq(&"WITH").is_none() {
                    return Ok((self.allowed)(licence));
                }
                let Some(exception) = self.words.next() else { bail!("`WITH` names no exception") };
                Ok((self.allowed)(&format!("{licence} WITH {exception}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(expression: &str) -> bool {
        satisfied(expression, &|l| ["MIT", "Zlib"].contains(&l)).unwrap()
    }

    #[test]
    fn one_allowed_side_of_a_choice_is_enough_and_both_sides_of_a_conjunction_are_needed() {
        for good in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "MIT AND Zlib", "(MIT OR GPL-3.0) AND Zlib"] {
            assert!(ok(good), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "MIT WITH LLVM-exception", "GPL-3.0 OR Apache-2.0 AND MIT", "mit"] {
            assert!(!ok(bad), "{bad}");
        }
    }

    #[test]
    fn a_broken_expression_is_an_error_and_not_a_refusal() {
        for broken in ["", "MIT OR", "(MIT", "MIT Zlib", "MIT WITH"] {
            assert!(satisfied(broken, &|_| true).is_err(), "{broken}");
        }
    }
}
