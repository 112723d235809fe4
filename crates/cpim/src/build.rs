use bytes::Bytes;

use crate::escape::escape;
use crate::header::{NS_CPM, NS_IMDN};
use crate::{ANONYMOUS, Address, DateTime, Dispositions, Imdn, IsComposing, MessageId};

/// Prints a new message: CRLF, escapes of RFC 3862 §2.3.1, NS before what needs it.
#[derive(Debug)]
pub struct Builder {
    head: String,
    has_imdn: bool,
    asks: Dispositions,
}

impl Builder {
    /// A message between two addresses.
    pub fn new(from: Address<'_>, to: Address<'_>) -> Builder {
        let builder = Builder { head: String::with_capacity(512), has_imdn: false, asks: Dispositions::NONE };
        builder.line("From", &from.to_string()).line("To", &to.to_string())
    }

    /// A message of a CPM one-to-one session: both addresses say nothing, since SIP has them.
    pub fn anonymous() -> Builder {
        Builder::new(ANONYMOUS, ANONYMOUS)
    }

    /// One more recipient.
    pub fn to(self, address: Address<'_>) -> Builder {
        self.line("To", &address.to_string())
    }

    /// One more who gets it.
    pub fn cc(self, address: Address<'_>) -> Builder {
        self.line("cc", &address.to_string())
    }

    /// When it is sent.
    pub fn date_time(self, at: DateTime) -> Builder {
        self.line("DateTime", &at.to_string())
    }

    /// What it is about.
    pub fn subject(self, text: &str) -> Builder {
        let mut value = String::with_capacity(text.len());
        escape(text, &mut value);
        self.line("Subject", &value)
    }

    /// Its identifier: the same again when it is sent again.
    pub fn message_id(self, id: MessageId<'_>) -> Builder {
        self.imdn("Message-ID", id.as_str())
    }

    /// Which receipts are wanted. Nothing is asked for in a receipt or a typing notification, whatever is given here.
    pub fn ask(self, receipts: Dispositions) -> Builder {
        Builder { asks: self.asks.union(receipts), ..self }
    }

    /// imdn.Original-To (RFC 5438 §6).
    pub fn original_to(self, address: Address<'_>) -> Builder {
        self.imdn("Original-To", &address.to_string())
    }

    /// imdn.IMDN-Record-Route (RFC 5438 §6).
    pub fn record_route(self, address: Address<'_>) -> Builder {
        self.imdn("IMDN-Record-Route", &address.to_string())
    }

    /// imdn.IMDN-Route (RFC 5438 §6).
    pub fn route(self, address: Address<'_>) -> Builder {
        self.imdn("IMDN-Route", &address.to_string())
    }

    /// cpm.Payload-Type: the type of the content.
    pub fn payload_type(self, media_type: &str) -> Builder {
        self.line("NS", &format!("cpm <{NS_CPM}>")).line("cpm.Payload-Type", media_type)
    }

    /// Ends the message with its content.
    pub fn content(self, content_type: &str, octets: &[u8]) -> Bytes {
        let mut out = self.head(content_type, octets.len()).into_bytes();
        out.extend_from_slice(octets);
        Bytes::from(out)
    }

    /// Ends the message with text.
    pub fn text(self, text: &str) -> Bytes {
        self.content("text/plain;charset=UTF-8", text.as_bytes())
    }

    /// Ends the message as a receipt.
    pub fn receipt(self, receipt: &Imdn) -> Bytes {
        self.content(Imdn::MEDIA_TYPE, receipt.print().as_bytes())
    }

    /// Ends the message as a typing notification.
    pub fn composing(self, notification: &IsComposing) -> Bytes {
        self.content(IsComposing::MEDIA_TYPE, notification.print().as_bytes())
    }

    /// Everything before a content of `length` octets that is sent behind it, piece by piece.
    pub fn head(self, content_type: &str, length: usize) -> String {
        let is =
            |known: &str| content_type.split(';').next().is_some_and(|t| t.trim_ascii().eq_ignore_ascii_case(known));
        let (is_receipt, asks) = (is(Imdn::MEDIA_TYPE), self.asks);
        let silent = is_receipt || is(IsComposing::MEDIA_TYPE) || asks.is_empty();
        let this = if silent { self } else { self.imdn("Disposition-Notification", &asks.to_string()) };
        let mut this = Builder { head: this.head + "\r\n", ..this }.line("Content-Type", content_type);
        if is_receipt {
            // RFC 5438 §7.2: how a receipt is told from a message.
            this = this.line("Content-Disposition", "notification");
        }
        this.line("Content-Length", &length.to_string()).head + "\r\n"
    }

    fn imdn(self, name: &str, value: &str) -> Builder {
        let declared = if self.has_imdn { self } else { self.line("NS", &format!("imdn <{NS_IMDN}>")) };
        Builder { has_imdn: true, ..declared }.line(&format!("imdn.{name}"), value)
    }

    /// A header in one line, whatever the value: a control character becomes a space.
    fn line(mut self, name: &str, value: &str) -> Builder {
        self.head.extend([name, ": "]);
        self.head.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }));
        self.head.push_str("\r\n");
        self
    }
}

#[cfg(test)]
mod tests;
