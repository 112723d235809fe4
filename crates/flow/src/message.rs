//! What travels along an arrow: a request's method, or a response's status code and the method it answers.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A SIP message as a ladder names it.
///
/// A flow file writes `"BYE"` and `"200 BYE"` (the status code and the method of the CSeq); a reader sees `BYE` and
/// `200 OK`, which is also how it is serialized.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Message {
    /// A request, by its method.
    Request {
        /// The method, such as `BYE`.
        method: String,
    },
    /// A response, by its status code and the method in its CSeq.
    Response {
        /// The status code, such as 200.
        status: u16,
        /// The method of the request that it answers.
        method: String,
    },
}

impl Message {
    /// A request with this method.
    pub fn request(method: impl Into<String>) -> Self {
        Self::Request { method: method.into() }
    }

    /// A response with this status code to a request with this method.
    pub fn response(status: u16, method: impl Into<String>) -> Self {
        Self::Response { status, method: method.into() }
    }

    /// The method: of the request itself, or of the request that the response answers.
    pub fn method(&self) -> &str {
        match self {
            Self::Request { method } | Self::Response { method, .. } => method,
        }
    }

    /// The status code of a response.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Request { .. } => None,
            Self::Response { status, .. } => Some(*status),
        }
    }

    /// True for a request.
    pub fn is_request(&self) -> bool {
        self.status().is_none()
    }

    /// True for a response that ends a transaction (RFC 3261 §7.2: 200 and above).
    pub fn is_final(&self) -> bool {
        self.status().is_some_and(|status| status >= 200)
    }

    /// The shortest name that is still clear: the method, or the bare status code.
    pub(crate) fn short(&self) -> String {
        match self {
            Self::Request { method } => method.clone(),
            Self::Response { status, .. } => status.to_string(),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { method } => f.write_str(method),
            Self::Response { status, .. } => match reason(*status) {
                "" => write!(f, "{status}"),
                reason => write!(f, "{status} {reason}"),
            },
        }
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Message {
    type Err = ParseMessageError;

    /// Reads the form of the flow files: `BYE`, `200 BYE`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseMessageError(text.to_owned());
        let is_method = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase());
        match text.split_once(' ') {
            None if is_method(text) => Ok(Self::request(text)),
            Some((status, method)) if is_method(method) => match status.parse() {
                Ok(status @ 100..=699) => Ok(Self::response(status, method)),
                Ok(_) | Err(_) => Err(bad()),
            },
            None | Some(_) => Err(bad()),
        }
    }
}

/// A message name that is neither `METHOD` nor `STATUS METHOD`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a message: write a method in capitals such as `BYE`, or a status code and the method it answers such as `200 BYE`"
)]
pub struct ParseMessageError(String);

/// The usual reason phrase of a status code (RFC 3261 §21), or nothing.
fn reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        422 => "Session Interval Too Small",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        603 => "Decline",
        606 => "Not Acceptable",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_written_with_its_method_and_read_with_its_reason() {
        let ok: Message = "200 BYE".parse().unwrap();
        assert_eq!(ok, Message::response(200, "BYE"));
        assert_eq!(ok.to_string(), "200 OK");
        assert_eq!("BYE".parse::<Message>().unwrap().to_string(), "BYE");
        assert_eq!(Message::response(299, "BYE").to_string(), "299");
        assert_eq!(serde_json::to_string(&ok).unwrap(), "\"200 OK\"");
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_cure() {
        for text in ["", "bye", "200", "200 OK!", "99 BYE", "700 BYE", "x BYE", "200 BYE "] {
            let error = text.parse::<Message>().unwrap_err().to_string();
            assert!(error.contains("200 BYE"), "{text}: {error}");
        }
    }
}
