//! What the peer of a leg takes, enforced before it is sent there (RFC 4975 §8.6).

use bytes::BytesMut;
use cpim::{Envelope, Imdn, IsComposing};
use msrp::{Event, Outline};
use sdp::{MediaTypes, MsrpMedia};

/// How much of a message is held to find out what is inside its envelope. Longer envelopes pass: their receiver decides.
const ENVELOPE: usize = 8 * 1024;

/// The media types that the peer of a leg takes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Taste {
    bare: MediaTypes,
    wrapped: MediaTypes,
}

impl Taste {
    /// What a description says.
    pub(crate) fn of(media: &MsrpMedia) -> Taste {
        Taste { bare: media.accept_types.clone(), wrapped: media.accept_wrapped_types.clone() }
    }

    /// What it takes as a message of its own: anything, if it does not say.
    pub(crate) fn outer(&self) -> MediaTypes {
        if self.bare.is_empty() { MediaTypes::parse("*") } else { self.bare.clone() }
    }

    /// Whether a message must be looked into.
    pub(crate) fn asks(&self, outline: &Outline) -> bool {
        let is_wildcard = |entry: &str| matches!(entry, "*" | "*/*");
        let is_choosy = !self.wrapped.is_empty() && !self.wrapped.iter().chain(self.bare.iter()).any(is_wildcard);
        let is_cpim = |kind: &str| kind.split(';').next().is_some_and(|kind| is(kind, "message/cpim"));
        is_choosy && outline.content_type().is_some_and(is_cpim)
    }

    /// Whether content of this type is taken inside an envelope. Receipts and typing notifications are: CPM asks that of
    /// every client, and there are some that misspell their types.
    fn takes(&self, kind: &str) -> bool {
        let bare = kind.split(';').next().unwrap_or_default();
        let is_of_cpm = is(bare, Imdn::MEDIA_TYPE) || is(bare, IsComposing::MEDIA_TYPE);
        is_of_cpm || self.wrapped.accepts(kind) || self.bare.accepts(kind)
    }
}

fn is(kind: &str, other: &str) -> bool {
    kind.trim().eq_ignore_ascii_case(other)
}

/// A message of which it is not known yet what is inside.
#[derive(Debug)]
pub(crate) struct Screen {
    taste: Taste,
    /// What the bridge is to see if the message passes.
    held: Vec<Event>,
    /// Its octets so far, if they came in more than one piece.
    octets: BytesMut,
}

/// What an event brings.
pub(crate) enum Screened {
    /// Nothing: more of the envelope is needed.
    NotYet(Screen),
    /// The message passes, and these events with it.
    Passes(Vec<Event>),
    /// Its receiver does not take what is inside: 415.
    Refused,
    /// It ended before it was known.
    Gone,
}

impl Screen {
    /// The message that begins with this event.
    pub(crate) fn new(started: Event, taste: Taste) -> Screen {
        Screen { taste, held: vec![started], octets: BytesMut::new() }
    }

    /// Takes a further event of the message.
    pub(crate) fn take(mut self, event: Event) -> Screened {
        if matches!(event, Event::Incomplete { .. }) {
            return Screened::Gone;
        }
        let Event::Piece { data, .. } = &event else {
            // It is whole and no envelope: its receiver says what is wrong with it.
            self.held.push(event);
            return Screened::Passes(self.held);
        };
        let is_first = self.held.len() == 1;
        if !is_first {
            self.octets.extend_from_slice(data);
        }
        let start = if is_first { &data[..] } else { &self.octets[..] };
        let verdict = match Envelope::parse_start(start) {
            Ok(envelope) => Some(self.taste.takes(&envelope.content().content_type())),
            Err(_) if start.len() > ENVELOPE => Some(true),
            Err(_) => None,
        };
        if is_first && verdict.is_none() {
            self.octets.extend_from_slice(data);
        }
        if verdict == Some(false) {
            return Screened::Refused;
        }
        self.held.push(event);
        if verdict.is_none() { Screened::NotYet(self) } else { Screened::Passes(self.held) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEDIA: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=message 5000 TCP/MSRP *\r\n\
        a=accept-types:message/cpim image/png\r\na=accept-wrapped-types:text/plain\r\n\
        a=path:msrp://10.0.0.1:5000/abc;tcp\r\n";

    fn taste(description: &str) -> Taste {
        Taste::of(sdp::SessionDescription::parse(description.as_bytes()).unwrap().msrp().unwrap())
    }

    #[test]
    fn content_is_taken_if_either_list_names_it_or_cpm_needs_it() {
        let taste = taste(MEDIA);
        for (kind, taken) in [
            ("text/plain;charset=utf-8", true),
            ("image/png", true),
            ("message/imdn+xml", true),
            ("application/im-iscomposing+xml; charset=utf-8", true),
            ("text/html", false),
        ] {
            assert_eq!(taste.takes(kind), taken, "{kind}");
        }
    }

    #[test]
    fn only_envelopes_are_opened_and_only_for_who_is_choosy() {
        let cpim = Outline::new("Message/CPIM;charset=utf-8");
        assert!(taste(MEDIA).asks(&cpim));
        assert!(!taste(MEDIA).asks(&Outline::new("image/png")));
        assert!(!taste(&MEDIA.replace("text/plain", "*")).asks(&cpim));
        assert!(!taste(&MEDIA.replace("a=accept-wrapped-types:text/plain\r\n", "")).asks(&cpim));
    }
}
