use std::borrow::Cow;

/// What a quoted string means: its text without the backslashes that escape (RFC 3261 §25.1 quoted-pair).
pub fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(b) = bytes.next() {
        out.push(if *b == b'\\' { *bytes.next().unwrap_or(b) } else { *b });
    }
    Cow::Owned(out)
}

/// Text made fit to stand between quotes: `"` and `\` escaped, control characters (which may not occur) made spaces.
pub fn escape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| matches!(b, b'"' | b'\\' | 0x7f) || *b < b' ') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    for b in text {
        match b {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *b]),
            0..b' ' | 0x7f => out.push(b' '),
            _ => out.push(*b),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_and_back() {
        for (plain, quoted) in
            [("alice", "alice"), ("a\"b", "a\\\"b"), ("dom\\user", "dom\\\\user"), ("", ""), ("é", "é")]
        {
            assert_eq!(&*escape(plain.as_bytes()), quoted.as_bytes(), "{plain}");
            assert_eq!(&*unescape(quoted.as_bytes()), plain.as_bytes(), "{quoted}");
        }
        assert_eq!(&*escape(b"a\r\nVia: x"), b"a  Via: x");
        assert_eq!(&*unescape(b"x\\"), b"x\\");
    }
}
