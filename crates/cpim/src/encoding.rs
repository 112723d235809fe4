use std::borrow::Cow;

use data_encoding::BASE64_MIME_PERMISSIVE;

use crate::ParseError;

/// How the octets of a content are written (RFC 2045 §6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferEncoding {
    /// `7bit`, `8bit`, `binary`, or nothing said: as they are.
    Identity,
    /// `base64`: common for text in China.
    Base64,
    /// `quoted-printable`.
    QuotedPrintable,
    /// One that is not known: the octets cannot be read.
    Unknown,
}

impl TransferEncoding {
    pub(crate) fn of(value: &str) -> TransferEncoding {
        let is = |name: &str| value.trim_ascii().eq_ignore_ascii_case(name);
        if ["", "7bit", "8bit", "binary"].into_iter().any(is) {
            TransferEncoding::Identity
        } else if is("base64") {
            TransferEncoding::Base64
        } else if is("quoted-printable") {
            TransferEncoding::QuotedPrintable
        } else {
            TransferEncoding::Unknown
        }
    }

    pub(crate) fn decode(self, octets: &[u8]) -> Result<Cow<'_, [u8]>, ParseError> {
        match self {
            TransferEncoding::Identity => Ok(Cow::Borrowed(octets)),
            TransferEncoding::Base64 => base64(octets).map(Cow::Owned),
            TransferEncoding::QuotedPrintable => quoted_printable(octets).map(Cow::Owned),
            TransferEncoding::Unknown => Err(ParseError::new(0, "a content transfer encoding that is known")),
        }
    }
}

/// Line ends and other white space do not count; the padding may be missing.
fn base64(octets: &[u8]) -> Result<Vec<u8>, ParseError> {
    let mut symbols: Vec<u8> = octets.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let padding = symbols.iter().rev().take_while(|&&b| b == b'=').count().min(2);
    symbols.truncate(symbols.len() - padding);
    symbols.resize(symbols.len().next_multiple_of(4), b'=');
    // The position is that among the symbols, so near enough where lines are broken.
    BASE64_MIME_PERMISSIVE.decode(&symbols).map_err(|e| ParseError::new(e.position.min(octets.len()), "base64"))
}

fn quoted_printable(octets: &[u8]) -> Result<Vec<u8>, ParseError> {
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(&b) = octets.get(at) {
        let rest = &octets[at + 1..];
        match (b, rest) {
            (b'=', [b'\r', b'\n', ..]) => at += 3,
            (b'=', [b'\n', ..]) => at += 2,
            (b'=', [high, low, ..]) => {
                let (Some(high), Some(low)) = ((*high as char).to_digit(16), (*low as char).to_digit(16)) else {
                    return Err(ParseError::new(at, "two hexadecimal digits"));
                };
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            (b'=', _) => return Err(ParseError::new(at, "two hexadecimal digits")),
            (_, _) => {
                out.push(b);
                at += 1;
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn base64_as_clients_write_it() {
        for text in ["aGVsbG8=", "aGVsbG8", "aGVsbG8===", "aGVs\r\nbG8=\r\n", " aGVs bG8 = "] {
            assert_eq!(base64(text.as_bytes()).unwrap(), b"hello", "{text}");
        }
        for text in ["aGVsbG8*", "a", "====", "aGVs=bG8"] {
            assert!(base64(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn quoted_printable_with_soft_line_ends() {
        assert_eq!(quoted_printable(b"caf=C3=A9 =\r\nau=\nlait").unwrap(), "café aulait".as_bytes());
        assert!(
            quoted_printable(b"=G1").is_err() && quoted_printable(b"=").is_err() && quoted_printable(b"=4").is_err()
        );
    }

    proptest! {
        #[test]
        fn any_octets_survive_base64(octets in any::<Vec<u8>>()) {
            prop_assert_eq!(base64(data_encoding::BASE64_MIME.encode(&octets).as_bytes()), Ok(octets));
        }

        #[test]
        fn any_octets_are_decoded_or_refused(octets in any::<Vec<u8>>()) {
            prop_assert!(base64(&octets).map_or(true, |d| d.len() <= octets.len()));
            prop_assert!(quoted_printable(&octets).map_or(true, |d| d.len() <= octets.len()));
        }
    }
}
