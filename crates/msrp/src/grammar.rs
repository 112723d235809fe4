//! The character classes and small productions of RFC 4975 §9.

/// Longest transaction or message identifier: `ident = ALPHANUM 3*31ident-char`.
pub(crate) const MAX_IDENT: usize = 32;

/// Whether `text` is an `ident`, as transaction and message identifiers are.
pub(crate) fn is_ident(text: &[u8]) -> bool {
    (4..=MAX_IDENT).contains(&text.len())
        && text.first().is_some_and(u8::is_ascii_alphanumeric)
        && text.iter().copied().all(is_ident_char)
}

const fn is_ident_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'%' | b'=')
}

/// A character of a header field name.
pub(crate) const fn is_token_char(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Every octet of every name is looked up here.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = is_token(byte as u8);
        byte += 1;
    }
    table
};

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        )
}

/// Three digits.
pub(crate) fn status_code(text: &[u8]) -> Option<u16> {
    (text.len() == 3 && text.iter().all(u8::is_ascii_digit))
        .then(|| text.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

/// A decimal number without sign that fits.
pub(crate) fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse().ok() }
}
