use super::{
    AcceptContact, ContentType, MinSe, PServedUser, Privacy, RAck, RSeq, Reason, RetryAfter, SessionExpires,
    SubscriptionState, Warning,
};
use crate::{Message, Name, ParseError};

/// A header field type that belongs to one name and whose value is the whole line.
pub trait Typed<'a>: Sized {
    /// The name.
    const NAME: Name;

    /// Reads the value.
    fn parse(value: &'a [u8]) -> Result<Self, ParseError>;
}

/// A header field type that belongs to one name and whose values are the comma-separated entries of its lines.
pub trait TypedList<'a>: Sized {
    /// The name.
    const NAME: Name;

    /// Reads one entry.
    fn parse(value: &'a [u8]) -> Result<Self, ParseError>;
}

macro_rules! typed {
    ($trait:ident; $($name:ident: $type:ty;)*) => {$(
        impl<'a> $trait<'a> for $type {
            const NAME: Name = Name::$name;
            fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
                <$type>::parse(value)
            }
        }
    )*};
}

typed! {
    Typed;
    ContentType: ContentType<'a>;
    MinSe: MinSe;
    PServedUser: PServedUser<'a>;
    Privacy: Privacy<'a>;
    RAck: RAck<'a>;
    RSeq: RSeq;
    RetryAfter: RetryAfter<'a>;
    SessionExpires: SessionExpires;
    SubscriptionState: SubscriptionState<'a>;
}

typed! {
    TypedList;
    AcceptContact: AcceptContact<'a>;
    Reason: Reason<'a>;
    Warning: Warning<'a>;
}

impl Message {
    /// The first header field of a type, if the message has one: `message.typed::<SessionExpires>()?`.
    pub fn typed<'a, T: Typed<'a>>(&'a self) -> Result<Option<T>, ParseError> {
        let Some(value) = self.header(T::NAME) else { return Ok(None) };
        T::parse(value).map(Some).map_err(|e| e.shifted(self.offset_of(value)))
    }

    /// The entries of a list header field type. One that cannot be read is an error in its place.
    pub fn typed_list<'a, T: TypedList<'a>>(&'a self) -> impl Iterator<Item = Result<T, ParseError>> {
        self.values(T::NAME).map(|value| T::parse(value).map_err(|e| e.shifted(self.offset_of(value))))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn typed_header_fields_are_found_in_messages() {
        let text = "SIP/2.0 503 X\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>;tag=2\r\ni: 1\r\n\
                    CSeq: 1 INVITE\r\nRetry-After: 5 (busy, sorry)\r\nReason: SIP;cause=503, Q.850;cause=16\r\n\
                    Reason: broken\"\r\nx: soon\r\n\r\n";
        let message = Message::parse_response(Bytes::from(text)).unwrap();
        assert_eq!(message.typed::<RetryAfter<'_>>().unwrap().unwrap().comment, Some(&b"busy, sorry"[..]));
        let causes: Vec<_> = message.typed_list::<Reason<'_>>().map(|r| r.ok().and_then(|r| r.cause)).collect();
        assert_eq!(causes, [Some(503), Some(16), None]);
        assert_eq!(message.typed::<MinSe>(), Ok(None));
        assert_eq!(message.typed::<SessionExpires>().unwrap_err().at, text.find("soon").unwrap());
    }
}
