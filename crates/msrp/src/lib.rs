//! MSRP (RFC 4975) without sockets and clocks.
//!
//! [`Decoder`] cuts a byte stream into [`Frame`]s without gathering a body.

mod byte_range;
mod decode;
mod error;
mod frame;
mod grammar;
mod head;
mod parse;
mod path;
mod print;
mod status;

pub use byte_range::ByteRange;
pub use decode::Decoder;
pub use error::{HeadLimits, ParseError};
pub use frame::{Flag, Frame};
pub use head::{FailureReport, Head, Method, Name, Start};
pub use print::{TransactionId, end_line, field, request_line, response};
pub use status::Status;
