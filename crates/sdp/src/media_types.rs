use std::fmt;

/// The value of `a=accept-types` or `a=accept-wrapped-types`: media types, each perhaps a wildcard (RFC 4975 §8.6).
///
/// Entries are kept as they were written, also those that name no known type: a client in the field offers
/// `application/im-iscomposing+xm`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct MediaTypes(Vec<String>);

impl MediaTypes {
    /// Reads types with spaces between them. There is nothing to refuse: an odd entry simply accepts nothing.
    pub fn parse(text: &str) -> MediaTypes {
        MediaTypes(text.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// The entries, in order of preference.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
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
        f.write_str(&self.0.join(" "))
    }
}

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
