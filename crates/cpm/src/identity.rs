use serde::{Deserialize, Serialize};
use sip::{Address, Message, Name, Uri};

/// Whom a participating function serves in a request: on what the user originates, or on what terminates at the user.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionCase {
    /// The served user sent it.
    Originating,
    /// The served user receives it.
    Terminating,
}

impl SessionCase {
    /// The value of the `sescase` parameter (RFC 5502 §4.4).
    pub const fn as_str(self) -> &'static str {
        match self {
            SessionCase::Originating => "orig",
            SessionCase::Terminating => "term",
        }
    }

    /// Reads `sescase`, or the user part of the URI that a core triggers us by.
    pub fn from_bytes(text: &[u8]) -> Option<SessionCase> {
        [SessionCase::Originating, SessionCase::Terminating]
            .into_iter()
            .find(|c| c.as_str().as_bytes().eq_ignore_ascii_case(text))
    }
}

/// The user on whose behalf a participating function acts, and in which session case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedUser {
    /// The address-of-record, see [`aor`].
    pub aor: String,
    /// The session case.
    pub case: SessionCase,
}

/// Why nobody is served in a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unserved {
    /// Nothing says whether the user sends or receives.
    NoCase,
    /// The core says of nobody that it is the sender.
    NoIdentity,
}

impl ServedUser {
    /// Finds the served user of a request that a core triggered us with: P-Served-User (RFC 5502), else, since some cores
    /// send none or a stale one of the other case, the asserted originator, or the target. From proves nothing.
    /// `by_uri` is the case that the URI on which we were triggered stands for.
    pub fn of(request: &Message, request_uri: &Uri<'_>, by_uri: Option<SessionCase>) -> Result<ServedUser, Unserved> {
        let header = request.header(Name::PServedUser).and_then(|v| Address::parse(v).ok());
        let said = header.as_ref().and_then(|a| SessionCase::from_bytes(a.params().get("sescase")?));
        let case = by_uri.or(said).ok_or(Unserved::NoCase)?;
        let uri = match (header.filter(|_| said.is_none_or(|said| said == case)), case) {
            (Some(address), _) => aor(&address.uri()),
            (None, SessionCase::Terminating) => aor(request_uri),
            (None, SessionCase::Originating) => {
                let asserted = request.addresses(Name::PAssertedIdentity).find_map(Result::ok);
                aor(&asserted.ok_or(Unserved::NoIdentity)?.uri())
            }
        };
        Ok(ServedUser { aor: uri, case })
    }
}

/// The address-of-record of a URI: scheme, user and host without port, parameters and escapes, host in lower case
/// (RFC 3261 §10.3 step 5). `tel:` numbers lose their visual separators.
pub fn aor(uri: &Uri<'_>) -> String {
    let mut out = String::with_capacity(uri.as_bytes().len());
    if uri.is_sip() {
        out.push_str("sip:");
        if let Some(user) = uri.user() {
            push_unescaped(&mut out, user);
            out.push('@');
        }
        let host = out.len();
        out.push_str(&String::from_utf8_lossy(uri.host()));
        out[host..].make_ascii_lowercase();
        return out;
    }
    match uri.user() {
        Some(number) => format!("tel:{}", String::from_utf8_lossy(number).replace(['-', '.', '(', ')'], "")),
        None => String::from_utf8_lossy(uri.as_bytes()).into_owned(),
    }
}

fn push_unescaped(text: &mut String, user: &[u8]) {
    if !user.contains(&b'%') {
        return text.push_str(&String::from_utf8_lossy(user));
    }
    let mut out = Vec::with_capacity(user.len());
    let mut rest = user;
    while let [b, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *b == b'%').and_then(|h| std::str::from_utf8(h).ok());
        match escaped.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None => {
                out.push(*b);
                rest = tail;
            }
        }
    }
    text.push_str(&String::from_utf8_lossy(&out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_record_are_canonical() {
        let aor_of = |text: &str| aor(&Uri::parse(text.as_bytes()).unwrap());
        assert_eq!(aor_of("sip:%61lice:pw@Home1.TEST:5070;user=phone"), "sip:alice@home1.test");
        assert_eq!(aor_of("tel:+1-555.0001;phone-context=x"), "tel:+15550001");
        assert_eq!(aor_of("sips:home1.test"), "sip:home1.test");
    }

    #[test]
    fn the_served_user_is_named_or_inferred() {
        let request = |headers: &str| {
            let text = format!(
                "INVITE sip:bob@home2.test SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:alice@home1.test>;tag=1\r\n\
                 To: <sip:bob@home2.test>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{headers}Content-Length: 0\r\n\r\n"
            );
            Message::parse_request(text.into()).unwrap()
        };
        let served = |headers: &str, by_uri| {
            let request = request(headers);
            ServedUser::of(&request, &request.uri(), by_uri).map(|s| (s.aor, s.case))
        };
        let named = "P-Served-User: <sip:carol@home1.test>;sescase=orig;regstate=reg\r\n";
        let (orig, term) = (SessionCase::Originating, SessionCase::Terminating);
        assert_eq!(served(named, None), Ok(("sip:carol@home1.test".to_owned(), orig)));
        // The header of the first pass is still there when the second one triggers the terminating case.
        assert_eq!(served(named, Some(term)), Ok(("sip:bob@home2.test".to_owned(), term)));
        assert_eq!(served("", Some(orig)), Err(Unserved::NoIdentity), "From proves nothing");
        assert_eq!(
            served("P-Asserted-Identity: <sip:al@home1.test>\r\n", Some(orig)),
            Ok(("sip:al@home1.test".to_owned(), orig))
        );
        assert_eq!(served("", None), Err(Unserved::NoCase));
    }
}
