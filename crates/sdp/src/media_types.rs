use std::fmt;
use std::sync::Arc;

/// The value of `a=accept-types` or `a=accept-wrapped-types`: media types, each perhaps a wildcard (RFC 4975 §8.6).
///
/// Entries are kept as they were written, also those that name no known type: a client in the field offers
/// `application/im-iscomposing+xm`. All that is made of one description shares its list.
#[derive(Clone, Default, Debug)]
pub struct MediaTypes(Arc<str>);

impl MediaTypes {
    /// Reads types with spaces between them. There is nothing to refuse: an odd entry simply accepts nothing.
    pub fn parse(text: &str) -> MediaTypes {
        MediaTypes(text.trim_ascii().into())
    }

    /// The entries, in order of preference.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split_ascii_whitespace()
    }

    /// Whether the attribute was missing or empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a body of this type may be sent to who wrote the list. Parameters do not count.
    pub fn accepts(&self, media_type: &str) -> bool {
        self.iter().any(|entry| overlap(entry, media_type))
    }

    /// Whether at least one type is in both lists.
    pub fn overlaps(&self, other: &MediaTypes) -> bool {
        self.iter().any(|entry| other.accepts(entry))
    }
}

impl fmt::Display for MediaTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, entry) in self.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { " " })?;
            f.write_str(entry)?;
        }
        Ok(())
    }
}

impl PartialEq for MediaTypes {
    fn eq(&self, other: &MediaTypes) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for MediaTypes {}

/// Whether two entries have a type in common.
fn overlap(ours: &str, theirs: &str) -> bool {
    // Mostly both are written the same way.
    if ours.eq_ignore_ascii_case(theirs) {
        return true;
    }
    let (ours, theirs) = (split(ours), split(theirs));
    same(ours.0, theirs.0) && same(ours.1, theirs.1)
}

/// Type and subtype; `*` alone stands for both.
fn split(entry: &str) -> (&str, &str) {
    let bare = entry.split(';').next().unwrap_or_default().trim();
    if bare == "*" { ("*", "*") } else { bare.split_once('/').unwrap_or((bare, "")) }
}

fn same(ours: &str, theirs: &str) -> bool {
    ours == "*" || theirs == "*" || ours.eq_ignore_ascii_case(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_accepted_by_name_or_by_wildcard() {
        for (list, media_type, accepted) in [
            ("message/cpim text/plain", "Text/Plain", true),
            ("message/cpim text/plain", "text/plain;charset=utf-8", true),
            ("text/plain;charset=utf-8", "text/plain", true),
            ("message/cpim", "text/plain", false),
            ("text/*", "text/html", true),
            ("text/*", "image/png", false),
            ("*", "image/png", true),
            ("*/*", "image/png", true),
            ("", "text/plain", false),
            ("text", "text/plain", false),
        ] {
            assert_eq!(MediaTypes::parse(list).accepts(media_type), accepted, "{list:?} {media_type:?}");
        }
    }

    #[test]
    fn a_list_is_its_entries_whatever_stands_between_them() {
        let odd = MediaTypes::parse("  text/plain \t  *  ");
        assert_eq!((odd.to_string(), odd.is_empty()), ("text/plain *".to_owned(), false));
        assert_eq!(odd, MediaTypes::parse("text/plain *"));
        assert_ne!(odd, MediaTypes::parse("* text/plain"));
        assert!(MediaTypes::parse(" \t ").is_empty());
    }

    #[test]
    fn lists_overlap_when_one_entry_meets_another() {
        let ours = MediaTypes::parse("message/cpim application/im-iscomposing+xml");
        for (theirs, overlaps) in [
            ("message/cpim application/im-iscomposing+xm", true),
            ("message/*", true),
            ("*", true),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(ours.overlaps(&MediaTypes::parse(theirs)), overlaps, "{theirs:?}");
        }
    }
}
