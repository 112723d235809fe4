use crate::{Address, ParseError, Uri};

/// On which side of the session the served user is (RFC 5502 §6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionCase {
    /// `orig`: the served user calls.
    Originating,
    /// `term`: the served user is called.
    Terminating,
}

/// Whether the served user is registered (RFC 5502 §6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegistrationState {
    /// `reg`.
    Registered,
    /// `unreg`.
    Unregistered,
}

/// P-Served-User (RFC 5502 §6, RFC 8498): for whom, and in which case, the core calls an application server.
///
/// A core that triggers twice puts the new one above the old one: only the first line of the name counts.
#[derive(Clone, Copy, Debug)]
pub struct PServedUser<'a> {
    /// Who is served.
    pub uri: Uri<'a>,
    /// `sescase`.
    pub case: Option<SessionCase>,
    /// `regstate`.
    pub registration: Option<RegistrationState>,
    /// `orig-cdiv`: an originating case that a diversion of the served user's made (RFC 8498 §4).
    pub diverted: bool,
}

impl<'a> PServedUser<'a> {
    /// Reads a P-Served-User value.
    pub fn parse(value: &'a [u8]) -> Result<PServedUser<'a>, ParseError> {
        let address = Address::parse(value)?;
        let params = address.params();
        let is = |value: &[u8], text: &str| value.eq_ignore_ascii_case(text.as_bytes());
        let case = match params.get("sescase") {
            None => None,
            Some(v) if is(v, "orig") => Some(SessionCase::Originating),
            Some(v) if is(v, "term") => Some(SessionCase::Terminating),
            Some(_) => return Err(ParseError::new(0, "orig or term as sescase")),
        };
        let registration = match params.get("regstate") {
            None => None,
            Some(v) if is(v, "reg") => Some(RegistrationState::Registered),
            Some(v) if is(v, "unreg") => Some(RegistrationState::Unregistered),
            Some(_) => return Err(ParseError::new(0, "reg or unreg as regstate")),
        };
        Ok(PServedUser { uri: address.uri(), case, registration, diverted: params.has("orig-cdiv") })
    }

    /// Prints the value.
    pub fn print(&self) -> Vec<u8> {
        let mut out = b"<".to_vec();
        out.extend_from_slice(self.uri.as_bytes());
        out.push(b'>');
        match self.case {
            None => {}
            Some(SessionCase::Originating) => out.extend_from_slice(b";sescase=orig"),
            Some(SessionCase::Terminating) => out.extend_from_slice(b";sescase=term"),
        }
        match self.registration {
            None => {}
            Some(RegistrationState::Registered) => out.extend_from_slice(b";regstate=reg"),
            Some(RegistrationState::Unregistered) => out.extend_from_slice(b";regstate=unreg"),
        }
        if self.diverted {
            out.extend_from_slice(b";orig-cdiv");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn served_users_are_read_and_printed() {
        use RegistrationState::{Registered, Unregistered};
        use SessionCase::{Originating, Terminating};
        let cases = [
            ("<sip:user@example.com>;sescase=orig;regstate=reg", Some(Originating), Some(Registered), false),
            ("<tel:+15550001>;sescase=term;regstate=unreg", Some(Terminating), Some(Unregistered), false),
            ("<sip:u@h>;sescase=orig;regstate=reg;orig-cdiv", Some(Originating), Some(Registered), true),
            ("<sip:u@h>", None, None, false),
        ];
        for (text, case, registration, diverted) in cases {
            let user = PServedUser::parse(text.as_bytes()).unwrap();
            assert_eq!((user.case, user.registration, user.diverted), (case, registration, diverted), "{text}");
            assert_eq!(user.print(), text.as_bytes());
        }
        let loose = PServedUser::parse(b"\"U\" <sip:u@h> ; SesCase = TERM").unwrap();
        assert_eq!(loose.case, Some(Terminating));
        for text in ["", "sip", "<sip:u@h>;sescase=both", "<sip:u@h>;regstate", "<sip:u@h>, <sip:v@h>"] {
            assert!(PServedUser::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
