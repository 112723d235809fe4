//! CPIM messages (RFC 3862), disposition notifications (IMDN, RFC 5438) and typing notifications (isComposing, RFC 3994).
//!
//! A received message is its bytes, kept by whoever received it, and an [`Envelope`] that says where things stand in them.
//! Reading is tolerant of what real clients send; relaying is [`Envelope::as_bytes`], so every octet stays as it came. New
//! messages are printed by a [`Builder`], with CRLF and the escapes of RFC 3862 §2.3.1.
//!
//! The documents inside are [`Imdn`] and [`IsComposing`]. What is remembered between messages, each within a bound, is in
//! [`DuplicateFilter`] (received), [`Awaited`] (sent, receipts outstanding), [`Composer`] and [`TypingIndicator`].

mod address;
mod awaited;
mod build;
mod composing;
mod content;
mod date_time;
mod disposition;
mod duplicates;
mod encoding;
mod envelope;
mod error;
mod escape;
mod header;
mod imdn;
mod lines;
mod message_id;
mod recent;
mod typing;
mod xml;

pub use address::{ANONYMOUS, Address};
pub use awaited::{Awaited, Receipt};
pub use build::Builder;
pub use composing::{ComposingState, IsComposing};
pub use content::{Content, MimeField};
pub use date_time::DateTime;
pub use disposition::{Disposition, Dispositions};
pub use duplicates::DuplicateFilter;
pub use encoding::TransferEncoding;
pub use envelope::Envelope;
pub use error::ParseError;
pub use header::{Header, Namespace};
pub use imdn::{Delivery, Display, Imdn, Notification, OtherNotification, Processing};
pub use lines::{MAX_HEAD, MAX_HEADERS, MAX_LINE};
pub use message_id::MessageId;
pub use typing::{Composer, TypingIndicator};
pub use xml::MAX_DOCUMENT;

/// The media type of a CPIM message (RFC 3862 §2.1).
pub const MEDIA_TYPE: &str = "message/cpim";
