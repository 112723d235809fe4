//! MSRP (RFC 4975) without sockets and clocks.
//!
//! [`Decoder`] cuts a byte stream into [`Frame`]s without gathering a body; [`request_line`], [`field`], [`end_line`] and
//! [`response`] print; a [`Cutter`] is for who only watches a stream. On top of them, an [`Endpoint`] holds the sessions of a node and the connections that carry them:
//! chunks, answers, reports, timers. Messages pass through it piece by piece, so that a B2BUA can relay what it could not
//! hold. A [`Relay`] gives the sessions of an endpoint a path through a relay (RFC 4976).

mod bridge;
mod byte_range;
mod connection;
mod cutter;
mod decode;
mod endpoint;
mod error;
mod event;
mod frame;
mod grammar;
mod head;
mod history;
mod hyphens;
mod id;
mod incoming;
mod link;
mod listeners;
mod options;
mod outgoing;
mod parse;
mod path;
mod peer;
mod print;
mod reconnect;
mod relay;
mod session;
mod status;
mod strangers;
mod traffic;

pub use bridge::{Acknowledge, Bridge};
pub use byte_range::ByteRange;
pub use cutter::{Cut, Cutter};
pub use decode::Decoder;
pub use endpoint::Endpoint;
pub use error::{HeadLimits, ParseError};
pub use event::{Event, Failure, Incomplete, Outline, SendError};
pub use frame::{Flag, Frame};
pub use head::{FailureReport, Head, Method, Name, Start};
pub use id::{IncomingId, MessageId, OutgoingId, SessionId};
pub use link::{Link, Remedy};
pub use listeners::{Listener, Listeners};
pub use options::{Confirm, Options, SessionOptions};
pub use peer::{fingerprint, wanted};
pub use print::{TransactionId, end_line, field, request_line, response};
pub use relay::{Relay, RelayEvent};
pub use session::Stats;
pub use status::Status;
pub use strangers::Refusals;
pub use traffic::{Outcomes, Traffic};
