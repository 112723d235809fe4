use std::time::Duration;

use crate::xml::{self, leaf};
use crate::{DateTime, ParseError};

/// Whether somebody is writing (RFC 3994 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ComposingState {
    /// Yes.
    Active,
    /// No, or not for a while.
    Idle,
}

/// A typing notification (RFC 3994). Never stored, never deferred, never counted as a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IsComposing {
    /// Whether the sender is writing.
    pub state: ComposingState,
    /// When the sender last did.
    pub last_active: Option<DateTime>,
    /// What is being written, such as `text/plain`.
    pub content_type: Option<String>,
    /// For how long `active` holds without another notification; whole seconds.
    pub refresh: Option<Duration>,
}

impl IsComposing {
    /// The media type of the document (RFC 3994).
    pub const MEDIA_TYPE: &'static str = "application/im-iscomposing+xml";

    /// A notification that says nothing but the state.
    pub const fn new(state: ComposingState) -> IsComposing {
        IsComposing { state, last_active: None, content_type: None, refresh: None }
    }

    /// Reads a document. A state other than `active` is idle (RFC 3994 §3.3); times that cannot be read count as not said.
    pub fn parse(document: &[u8]) -> Result<IsComposing, ParseError> {
        let root = xml::parse(document, "isComposing")?;
        let state = match root.text_of("state")?.ok_or(ParseError::new(0, "a state"))? {
            "active" => ComposingState::Active,
            _ => ComposingState::Idle,
        };
        let seconds = root.text_of("refresh")?.and_then(|t| t.parse::<u32>().ok()).filter(|s| *s > 0);
        Ok(IsComposing {
            state,
            last_active: root.text_of("lastactive")?.and_then(|t| DateTime::parse(t).ok()),
            content_type: root.text_of("contenttype")?.filter(|t| !t.is_empty()).map(String::from),
            refresh: seconds.map(|s| Duration::from_secs(s.into())),
        })
    }

    /// Prints the document.
    pub fn print(&self) -> String {
        let mut out = String::with_capacity(384);
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n");
        out.push_str("<isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\">\r\n");
        let state = if self.state == ComposingState::Active { "active" } else { "idle" };
        leaf("state", state, &mut out);
        if let Some(at) = self.last_active {
            leaf("lastactive", &at.to_string(), &mut out);
        }
        if let Some(content_type) = &self.content_type {
            leaf("contenttype", content_type, &mut out);
        }
        if let Some(refresh) = self.refresh {
            leaf("refresh", &refresh.as_secs().to_string(), &mut out);
        }
        out.push_str("</isComposing>\r\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_document_of_a_peer() {
        let document = br#"<?xml version="1.0"?><c:isComposing xmlns:c="urn:ietf:params:xml:ns:im-iscomposing"
            xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x y.xsd">
            <c:state> active </c:state><c:contenttype>text/plain</c:contenttype><c:refresh>90</c:refresh></c:isComposing>"#;
        let read = IsComposing::parse(document).unwrap();
        assert_eq!((read.state, read.refresh), (ComposingState::Active, Some(Duration::from_secs(90))));
        assert_eq!(read.content_type.as_deref(), Some("text/plain"));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(active: bool, kind in "[a-z]{1,9}/[a-z<&>\"']{1,9}", seconds in 1..u32::MAX) {
            let printed = IsComposing {
                state: if active { ComposingState::Active } else { ComposingState::Idle },
                last_active: DateTime::parse("2026-11-23T06:14:56.5+01:00").ok(),
                content_type: Some(kind),
                refresh: Some(Duration::from_secs(seconds.into())),
            };
            prop_assert_eq!(IsComposing::parse(printed.print().as_bytes()), Ok(printed));
        }
    }
}
