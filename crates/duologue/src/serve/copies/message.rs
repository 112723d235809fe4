//! What was cut out of what the nodes saw, as it is handed on.

use bytes::Bytes;
use msrp::Cut;
use wire::Timestamp;

use super::redact;

/// A message that passed.
pub(super) enum Message {
    /// SIP, or what should be.
    Sip { at: Timestamp, bytes: Bytes, read: Option<Box<sip::Message>> },
    /// A request or response of MSRP, with the Call-ID of the leg that it belongs to.
    Msrp { cut: Box<Cut<Timestamp>>, call_id: Bytes },
}

/// What HEP calls it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protocol {
    Sip,
    Msrp,
}

impl Message {
    pub(super) const fn at(&self) -> Timestamp {
        match self {
            Message::Sip { at, .. } => *at,
            Message::Msrp { cut, .. } => cut.at,
        }
    }

    pub(super) const fn protocol(&self) -> Protocol {
        match self {
            Message::Sip { .. } => Protocol::Sip,
            Message::Msrp { .. } => Protocol::Msrp,
        }
    }

    /// The Call-ID, if it is known.
    pub(super) fn call_id(&self) -> &[u8] {
        match self {
            Message::Sip { read, .. } => {
                read.as_ref().and_then(|message| message.header(sip::Name::CallId)).unwrap_or_default()
            }
            Message::Msrp { call_id, .. } => call_id,
        }
    }

    /// The message without what is nobody's business and, unless `contents` are wanted, without what people have written.
    pub(super) fn shown(&self, contents: bool) -> Bytes {
        match self {
            Message::Sip { read: Some(message), .. } => redact::sip(message, contents),
            Message::Sip { bytes, read: None, .. } => redact::first_line(bytes),
            Message::Msrp { cut, .. } => redact::msrp(cut, contents),
        }
    }
}
