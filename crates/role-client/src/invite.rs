//! What a CPM client puts into an INVITE and into its answers.

use bytes::Bytes;
use cpm::Service;
use msrp::Listener;
use sdp::{Direction, LocalMedia, MsrpUri, OriginId, SessionDescription, Setup};
use sip::Name;
use sip_ua::Headers;
use wire::Entropy;

/// Media types in a session.
pub(crate) const ACCEPT_TYPES: &str = "message/cpim application/im-iscomposing+xml";
/// Media types inside its CPIM envelopes.
const ACCEPT_WRAPPED_TYPES: &str = "text/plain message/imdn+xml application/im-iscomposing+xml";

/// Header fields of the INVITE of a one-to-one session, besides those that every INVITE has.
pub(crate) fn headers(aor: &str, conversation_id: &str, entropy: &mut Entropy) -> Headers {
    let service = Service::Session;
    Headers::new()
        .with(Name::PPreferredIdentity, format!("<{aor}>"))
        .with(Name::PPreferredService, service.icsi())
        .with(Name::AcceptContact, format!("*;{};require;explicit", service.feature_tag()))
        .with(Name::ConversationId, conversation_id)
        .with(Name::ContributionId, entropy.uuid())
}

/// Header fields of a MESSAGE with a receipt: it belongs to the conversation of the message that it is about, and is a
/// contribution of its own.
pub(crate) fn receipt_headers(aor: &str, conversation_id: &str, entropy: &mut Entropy) -> Headers {
    let service = Service::PagerMessage;
    Headers::new()
        .with(Name::PPreferredIdentity, format!("<{aor}>"))
        .with(Name::PPreferredService, service.icsi())
        .with(Name::AcceptContact, format!("*;{}", service.feature_tag()))
        .with(Name::ConversationId, conversation_id)
        .with(Name::ContributionId, entropy.uuid())
}

/// The MSRP endpoint of one session at the client.
#[derive(Clone, Debug)]
pub(crate) struct SessionMedia {
    media: LocalMedia,
    origin: OriginId,
}

impl SessionMedia {
    pub(crate) fn new(listener: &Listener, max_message: usize, entropy: &mut Entropy) -> SessionMedia {
        let media = LocalMedia {
            address: listener.addr.ip(),
            port: listener.addr.port(),
            session_id: draw_session_id(entropy),
            tls: listener.is_tls(),
            setup: Setup::ActPass,
            accept_types: sdp::MediaTypes::parse(ACCEPT_TYPES),
            accept_wrapped_types: sdp::MediaTypes::parse(ACCEPT_WRAPPED_TYPES),
            cema: true,
            fingerprint: listener.fingerprint.clone(),
            direction: Direction::SendRecv,
            max_size: Some(max_message as u64),
            relays: Vec::new(),
        };
        SessionMedia { media, origin: OriginId { session_id: entropy.u64() >> 2, version: 1 } }
    }

    /// The same endpoint behind relays (RFC 4976 §5.1). The peer connects to the first of them, so we are passive. The path
    /// says where that is, so CEMA has no place here.
    pub(crate) fn behind(mut self, relays: &[MsrpUri]) -> SessionMedia {
        if !relays.is_empty() {
            self.media = LocalMedia { relays: relays.to_vec(), cema: false, setup: Setup::Passive, ..self.media };
        }
        self
    }

    /// The same endpoint under a new session-id, for a description that says something new (RFC 3264 §8).
    pub(crate) fn renewed(&self, entropy: &mut Entropy) -> SessionMedia {
        let media = LocalMedia { session_id: draw_session_id(entropy), ..self.media.clone() };
        SessionMedia { media, origin: self.next_origin() }
    }

    /// The same endpoint without CEMA, for the offer that RFC 6714 §4.2 asks for where CEMA does not work.
    pub(crate) fn again_without_cema(&self) -> SessionMedia {
        SessionMedia { media: LocalMedia { cema: false, ..self.media.clone() }, origin: self.next_origin() }
    }

    const fn next_origin(&self) -> OriginId {
        OriginId { session_id: self.origin.session_id, version: self.origin.version + 1 }
    }

    /// Our URI, the whole of our path.
    pub(crate) fn uri(&self) -> MsrpUri {
        self.media.uri()
    }

    pub(crate) fn offer(&self) -> Bytes {
        sdp::offer(&self.media, self.origin).into()
    }

    /// The answer to an offer; `None` when it has no MSRP for us: 488.
    pub(crate) fn answer(&self, offer: &[u8]) -> Option<Bytes> {
        let offer = SessionDescription::parse(offer).ok()?;
        sdp::answer(&offer, &self.media, self.origin).ok().map(Bytes::from)
    }
}

/// 128 random bits (RFC 4975 §14.1).
fn draw_session_id(entropy: &mut Entropy) -> String {
    format!("{}{}", entropy.tag(), entropy.tag())
}
