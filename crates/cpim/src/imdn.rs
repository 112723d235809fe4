use std::fmt::Write;

use crate::xml::{self, Element, leaf};
use crate::{DateTime, Disposition, Envelope, MessageId, ParseError};

/// A disposition notification (RFC 5438 §11): what became of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imdn {
    message_id: String,
    /// When the message that it is about was sent, as that message's DateTime said. One that cannot be read counts as none.
    pub date_time: Option<DateTime>,
    /// Who reports.
    pub recipient_uri: Option<String>,
    /// Whom the message was for at first, if that differs.
    pub original_recipient_uri: Option<String>,
    /// The Subject of the message.
    pub subject: Option<String>,
    /// What happened to it.
    pub notification: Notification,
}

/// What happened to a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notification {
    /// `<delivery-notification>`.
    Delivery(Delivery),
    /// `<display-notification>`.
    Display(Display),
    /// `<processing-notification>`.
    Processing(Processing),
    /// Another pair of notification and status, such as those for messages that left for SMS. To be relayed, not to be
    /// interpreted.
    Other(OtherNotification),
}

/// The status of a delivery notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// It reached the recipient.
    Delivered,
    /// It did not.
    Failed,
    /// The recipient does not want to tell.
    Forbidden,
    /// An error, not further described.
    Error,
}

/// The status of a display notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Display {
    /// It was shown.
    Displayed,
    /// The recipient does not want to tell.
    Forbidden,
    /// An error, not further described.
    Error,
}

/// The status of a processing notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Processing {
    /// An intermediary handled it.
    Processed,
    /// An intermediary keeps it for later delivery.
    Stored,
    /// The intermediary does not want to tell.
    Forbidden,
    /// An error, not further described.
    Error,
}

/// A notification that RFC 5438 does not define.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherNotification {
    element: String,
    status: String,
}

impl OtherNotification {
    /// The name of the notification's element, such as `interworking-notification`.
    pub fn element(&self) -> &str {
        &self.element
    }

    /// The name of the status element.
    pub fn status(&self) -> &str {
        &self.status
    }
}

impl Notification {
    /// The receipt that was asked for, if it is one of RFC 5438.
    pub const fn disposition(&self) -> Option<Disposition> {
        match self {
            Notification::Delivery(Delivery::Delivered) => Some(Disposition::PositiveDelivery),
            Notification::Delivery(_) => Some(Disposition::NegativeDelivery),
            Notification::Display(_) => Some(Disposition::Display),
            Notification::Processing(_) => Some(Disposition::Processing),
            Notification::Other(_) => None,
        }
    }

    /// The names of the two elements.
    fn names(&self) -> (&str, &str) {
        match self {
            Notification::Delivery(status) => ("delivery-notification", status.as_str()),
            Notification::Display(status) => ("display-notification", status.as_str()),
            Notification::Processing(status) => ("processing-notification", status.as_str()),
            Notification::Other(other) => (&other.element, &other.status),
        }
    }

    fn of(element: &str, status: &str) -> Notification {
        let known = match element {
            "delivery-notification" => pick(Delivery::ALL, Delivery::as_str, status).map(Notification::Delivery),
            "display-notification" => pick(Display::ALL, Display::as_str, status).map(Notification::Display),
            "processing-notification" => {
                pick(Processing::ALL, Processing::as_str, status).map(Notification::Processing)
            }
            _ => None,
        };
        let other = || OtherNotification { element: element.into(), status: status.into() };
        known.unwrap_or_else(|| Notification::Other(other()))
    }
}

fn pick<T: Copy, const N: usize>(all: [T; N], name: fn(T) -> &'static str, wanted: &str) -> Option<T> {
    all.into_iter().find(|status| name(*status) == wanted)
}

impl Delivery {
    const ALL: [Delivery; 4] = [Delivery::Delivered, Delivery::Failed, Delivery::Forbidden, Delivery::Error];

    /// The name of the status element.
    pub const fn as_str(self) -> &'static str {
        match self {
            Delivery::Delivered => "delivered",
            Delivery::Failed => "failed",
            Delivery::Forbidden => "forbidden",
            Delivery::Error => "error",
        }
    }
}

impl Display {
    const ALL: [Display; 3] = [Display::Displayed, Display::Forbidden, Display::Error];

    /// The name of the status element.
    pub const fn as_str(self) -> &'static str {
        match self {
            Display::Displayed => "displayed",
            Display::Forbidden => "forbidden",
            Display::Error => "error",
        }
    }
}

impl Processing {
    const ALL: [Processing; 4] = [Processing::Processed, Processing::Stored, Processing::Forbidden, Processing::Error];

    /// The name of the status element.
    pub const fn as_str(self) -> &'static str {
        match self {
            Processing::Processed => "processed",
            Processing::Stored => "stored",
            Processing::Forbidden => "forbidden",
            Processing::Error => "error",
        }
    }
}

impl Imdn {
    /// The media type of the document (RFC 5438 §11).
    pub const MEDIA_TYPE: &'static str = "message/imdn+xml";

    /// A notification about the message of that identifier, with nothing else said.
    pub fn new(message_id: MessageId<'_>, notification: Notification) -> Imdn {
        Imdn {
            message_id: message_id.as_str().into(),
            date_time: None,
            recipient_uri: None,
            original_recipient_uri: None,
            subject: None,
            notification,
        }
    }

    /// A notification about a message that was received. `None` if the message must not be reported on, because it is a
    /// receipt or a typing notification or has no identifier, or if its sender did not ask for that kind.
    ///
    /// Addresses are left out: in CPM the SIP request that carries the notification says who sent it.
    pub fn about(message: &Envelope<'_>, notification: Notification) -> Option<Imdn> {
        let wanted = match notification.disposition() {
            Some(Disposition::PositiveDelivery) => message.wants_delivery_receipt(),
            Some(Disposition::NegativeDelivery) => message.wants_failure_receipt(),
            Some(Disposition::Display) => message.wants_display_receipt(),
            Some(Disposition::Processing) => message.wants_processing_receipt(),
            Some(Disposition::Interworking) | None => message.wants_interworking_receipt(),
        };
        // RFC 5438 §11: the time is that of the message, not that of the notification.
        let date_time = message.date_time().and_then(Result::ok);
        message.message_id().filter(|_| wanted).map(|id| Imdn { date_time, ..Imdn::new(id, notification) })
    }

    /// Which message it is about.
    pub fn message_id(&self) -> MessageId<'_> {
        MessageId::trusted(&self.message_id)
    }

    /// Reads a document. Elements of other namespaces are passed over.
    pub fn parse(document: &[u8]) -> Result<Imdn, ParseError> {
        let root = xml::parse(document, "imdn")?;
        let text = |name| root.text_of(name).map(|text| text.map(String::from));
        let message_id = text("message-id")?.ok_or(ParseError::new(0, "a message-id"))?;
        MessageId::parse(&message_id)?;
        Ok(Imdn {
            date_time: root.text_of("datetime")?.and_then(|t| DateTime::parse(t).ok()),
            recipient_uri: text("recipient-uri")?,
            original_recipient_uri: text("original-recipient-uri")?,
            subject: text("subject")?,
            notification: notification(&root)?,
            message_id,
        })
    }

    /// Prints the document.
    pub fn print(&self) -> String {
        let mut out = String::with_capacity(512);
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\">\r\n");
        leaf("message-id", &self.message_id, &mut out);
        if let Some(date_time) = self.date_time {
            leaf("datetime", &date_time.to_string(), &mut out);
        }
        let optional = [
            ("recipient-uri", &self.recipient_uri),
            ("original-recipient-uri", &self.original_recipient_uri),
            ("subject", &self.subject),
        ];
        for (name, text) in optional {
            text.iter().for_each(|text| leaf(name, text, &mut out));
        }
        let (element, status) = self.notification.names();
        // Writing to a string cannot fail.
        let _ = write!(out, "<{element}><status><{status}/></status></{element}>\r\n</imdn>\r\n");
        out
    }
}

/// The one notification of a document. An extension may bring one in a namespace of its own.
fn notification(root: &Element) -> Result<Notification, ParseError> {
    let mut found = root.children.iter().filter(|c| c.name.ends_with("-notification"));
    let (Some(element), None) = (found.next(), found.next()) else {
        return Err(ParseError::new(0, "one notification"));
    };
    let mut statuses = element.children.iter().filter(|c| c.name == "status");
    let (Some(status), None) = (statuses.next(), statuses.next()) else {
        return Err(ParseError::new(0, "one status"));
    };
    match status.children.as_slice() {
        [status] => Ok(Notification::of(&element.name, &status.name)),
        [] | [_, _, ..] => Err(ParseError::new(0, "one element in the status")),
    }
}

#[cfg(test)]
mod tests;
