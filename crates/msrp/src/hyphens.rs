//! Seven hyphens: every end-line begins with them (RFC 4975 §7.1), and every octet of every body is searched for them.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// One search for all identifiers: to prepare one costs as much as to search a kibibyte.
static SEVEN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"-------"));

/// Where seven hyphens or more stand in a row: the whole rows, in order.
pub(crate) fn rows(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + SEVEN.find(&text[from..])?;
        from = start + text[start..].iter().take_while(|byte| **byte == b'-').count();
        Some(start..from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_as_a_whole_and_short_ones_are_not() {
        let text = b"-------a------b---------c---\r\n--------------";
        assert_eq!(rows(text).collect::<Vec<_>>(), [0..7, 15..24, 30..44]);
        assert_eq!(rows(b"------").count() + rows(b"").count(), 0);
    }
}
