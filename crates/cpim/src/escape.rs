use std::borrow::Cow;

/// Undoes the escapes of RFC 3862 §2.3.1. An escape that the RFC does not know stays as it is; a `\u` that is no character
/// (half a surrogate pair) becomes U+FFFD.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (c, after) = one(&rest[at + 1..]);
        out.push(c);
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that the text after a backslash stands for, and what follows it.
fn one(text: &str) -> (char, &str) {
    let plain = match text.as_bytes().first() {
        Some(b'b') => '\u{8}',
        Some(b't') => '\t',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b'"') => '"',
        Some(b'\'') => '\'',
        Some(b'\\') => '\\',
        Some(b'u') => return unicode(&text[1..]).unwrap_or(('\\', text)),
        Some(_) | None => return ('\\', text),
    };
    (plain, &text[1..])
}

/// Four hexadecimal digits, or eight in two escapes for a character outside the basic plane, as JSON writers do it.
fn unicode(text: &str) -> Option<(char, &str)> {
    let (high, rest) = hex4(text)?;
    let pair = || {
        let (low, after) = hex4(rest.strip_prefix("\\u")?)?;
        let both = char::decode_utf16([high, low]).next()?.ok()?;
        (0xd800..0xdc00).contains(&high).then_some((both, after))
    };
    Some(pair().unwrap_or_else(|| (char::from_u32(u32::from(high)).unwrap_or(char::REPLACEMENT_CHARACTER), rest)))
}

fn hex4(text: &str) -> Option<(u16, &str)> {
    let digits = text.get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u16::from_str_radix(digits, 16).ok()?, &text[4..]))
}

/// Appends `text` with what a header value may not hold escaped (RFC 3862 §2.3.1).
pub(crate) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_of_the_rfc_and_of_others() {
        let table = [
            (r"plain", "plain"),
            (r"\b\t\n\r\'\\", "\u{8}\t\n\r'\\"),
            (r#"say \"hi\""#, "say \"hi\""),
            (r"\u00e9\u4f60", "é你"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\u12", r"\u12"),
            (r"\u12é4", r"\u12é4"),
            (r"\x\", r"\x\"),
        ];
        for (wire, text) in table {
            assert_eq!(unescape(wire), text, "{wire}");
        }
    }

    proptest! {
        #[test]
        fn what_was_escaped_comes_back(text in any::<String>()) {
            let mut wire = String::new();
            escape(&text, &mut wire);
            prop_assert!(!wire.chars().any(char::is_control));
            prop_assert_eq!(unescape(&wire), text);
        }
    }
}
