use std::fmt;

use crate::ParseError;
use crate::grammar::status_code;

/// A status code of a response or a report (RFC 4975 §10, RFC 4976 §11.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Status(pub u16);

impl Status {
    /// The transaction succeeded.
    pub const OK: Status = Status(200);
    /// The request could not be understood.
    pub const BAD_REQUEST: Status = Status(400);
    /// Credentials are wanted (RFC 4976).
    pub const UNAUTHORIZED: Status = Status(401);
    /// The action is not allowed.
    pub const FORBIDDEN: Status = Status(403);
    /// A hop further on did not answer in time.
    pub const TIMEOUT: Status = Status(408);
    /// The receiver wants the sender to stop sending this message.
    pub const STOP_SENDING: Status = Status(413);
    /// The media type is not understood.
    pub const UNSUPPORTED_MEDIA_TYPE: Status = Status(415);
    /// No such session here.
    pub const NO_SUCH_SESSION: Status = Status(481);
    /// The method is not understood.
    pub const UNKNOWN_METHOD: Status = Status(501);
    /// The session is bound to another connection.
    pub const SESSION_IN_USE: Status = Status(506);

    /// Whether the class is 2xx.
    pub const fn is_success(self) -> bool {
        self.0 / 100 == 2
    }

    /// The comment that we print behind the code.
    pub const fn comment(self) -> &'static str {
        match self.0 {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            408 => "Request Timeout",
            413 => "Stop Sending Message",
            415 => "Unsupported Media Type",
            423 => "Interval Out of Bounds",
            481 => "Session Does Not Exist",
            501 => "Unknown Method",
            506 => "Session Already In Use",
            _ => "",
        }
    }

    /// Reads the value of the `Status` header field of a REPORT: namespace `000`, the code, and perhaps a comment.
    pub fn parse_header(text: &str) -> Result<Status, ParseError> {
        let mut words = text.split(' ');
        if words.next() != Some("000") {
            return Err(ParseError::new(0, "the namespace 000"));
        }
        let code = words.next().and_then(|code| status_code(code.as_bytes()));
        code.map(Status).ok_or(ParseError::new(4, "a status code"))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)?;
        if self.comment().is_empty() { Ok(()) } else { write!(f, " {}", self.comment()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_header_needs_the_namespace_and_three_digits() {
        assert_eq!(Status::parse_header("000 200 OK"), Ok(Status::OK));
        assert_eq!(Status::parse_header("000 413"), Ok(Status::STOP_SENDING));
        for text in ["", "200 OK", "001 200 OK", "000", "000 20", "000 2000", "000  200", "000 2x0"] {
            assert!(Status::parse_header(text).is_err(), "{text}");
        }
        assert_eq!((Status::OK.to_string(), Status(499).to_string()), ("200 OK".to_owned(), "499".to_owned()));
    }
}
