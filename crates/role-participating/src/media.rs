//! What a participating function on the media path puts in place of a peer's MSRP addresses.

use msrp::Listener;
use sdp::{MsrpMedia, MsrpUri, OriginId, Rewrite, SessionDescription, Setup};
use sip_ua::Body;
use wire::Entropy;

/// A description that we have written.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) body: Body,
    /// How its MSRP reads: to read it again would cost as much as to forward a message.
    pub(crate) media: MsrpMedia,
}

/// The MSRP endpoint of one leg.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LegMedia {
    /// Whose address and certificate the peer sees.
    listener: Listener,
    /// Where the peer of this leg finds us. Nobody may guess its session-id.
    uri: MsrpUri,
    origin: OriginId,
    /// Whether offers say that CEMA is supported (RFC 6714); answers say so if the offer did.
    offers_cema: bool,
    /// Octets of the largest message that passes, if bounded.
    max_size: Option<u64>,
}

impl LegMedia {
    pub(crate) fn new(listener: Listener, max_size: Option<u64>, entropy: &mut Entropy) -> LegMedia {
        // RFC 8866 §5.2 wants a number; handsets reject one that a signed 63-bit integer does not hold.
        let origin = OriginId { session_id: entropy.u64() >> 2, version: 1 };
        let uri = uri(&listener, &draw_session_id(entropy));
        LegMedia { listener, uri, origin, offers_cema: true, max_size }
    }

    /// The same endpoint under a new session-id, for a description that says something new (RFC 3264 §8).
    pub(crate) fn renewed(&self, entropy: &mut Entropy) -> LegMedia {
        let origin = OriginId { version: self.origin.version + 1, ..self.origin };
        LegMedia { uri: uri(&self.listener, &draw_session_id(entropy)), origin, ..self.clone() }
    }

    /// The same endpoint without CEMA, for the offer that RFC 6714 §4.2 asks for where CEMA does not work.
    pub(crate) fn again_without_cema(&self) -> LegMedia {
        let origin = OriginId { version: self.origin.version + 1, ..self.origin };
        LegMedia { offers_cema: false, origin, ..self.clone() }
    }

    /// Where the peer of this leg finds us.
    pub(crate) const fn uri(&self) -> &MsrpUri {
        &self.uri
    }

    /// The same endpoint at another listener.
    pub(crate) fn listen_on(&mut self, listener: Listener) {
        self.uri = uri(&listener, self.uri.session_id().unwrap_or_default());
        self.listener = listener;
    }

    /// The offer of one leg as this leg makes it: we can be dialled and can dial.
    pub(crate) fn offer(&self, peer: &SessionDescription) -> Option<Ours> {
        self.rewrite(peer, Setup::ActPass, self.offers_cema)
    }

    /// The answer of one leg as this leg gives it to `offer`: we let the offerer dial if it can. `None` when one of the two
    /// has no MSRP, or the offer has it over another protocol than this leg.
    pub(crate) fn answer(&self, peer: &SessionDescription, offer: &MsrpMedia) -> Option<Ours> {
        if offer.protocol != self.listener.protocol() {
            return None;
        }
        self.rewrite(peer, Setup::answer(offer.setup, Setup::Passive).unwrap_or(Setup::Passive), offer.cema)
    }

    fn rewrite(&self, peer: &SessionDescription, setup: Setup, cema: bool) -> Option<Ours> {
        let media = peer.msrp()?;
        let (address, port) = (self.listener.addr.ip(), self.listener.addr.port());
        let change = Rewrite {
            address,
            port,
            path: vec![self.uri.clone()],
            setup: Some(setup),
            fingerprint: self.listener.fingerprint.clone(),
            tls: self.listener.is_tls(),
            origin: Some(self.origin),
            cema: Some(cema),
            max_size: self.max_size,
        };
        Some(Ours { body: Body::sdp(sdp::rewrite(peer, &change)), media: change.reading(media) })
    }
}

fn uri(listener: &Listener, session_id: &str) -> MsrpUri {
    MsrpUri::new(listener.is_tls(), listener.addr.ip(), listener.addr.port(), session_id)
}

/// 128 random bits (RFC 4975 §14.1).
fn draw_session_id(entropy: &mut Entropy) -> String {
    entropy.tag() + &entropy.tag()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &[u8] =
        b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=message 5000 TCP/MSRP *\r\n\
        a=accept-types:message/cpim\r\na=path:msrp://10.0.0.1:5000/abc;tcp\r\na=setup:active\r\na=x-vendor:1\r\n";

    fn read(description: &[u8]) -> SessionDescription {
        SessionDescription::parse(description).unwrap()
    }

    fn text(ours: Option<Ours>) -> String {
        String::from_utf8(ours.unwrap().body.bytes.to_vec()).unwrap()
    }

    fn listener(fingerprint: Option<sdp::Fingerprint>) -> Listener {
        Listener { addr: "127.0.0.1:2855".parse().unwrap(), fingerprint }
    }

    #[test]
    fn a_leg_over_tls_shows_our_certificate_whatever_the_other_leg_speaks() {
        let ours = sdp::Fingerprint::with_fingerprint(sdp::HashFunc::Sha256, [0xab, 0x01]);
        let leg = LegMedia::new(listener(Some(ours)), None, &mut Entropy::from_seed(1));
        let offer = text(leg.offer(&read(OFFER)));
        assert!(offer.contains("m=message 2855 TCP/TLS/MSRP *\r\n"), "{offer}");
        assert!(offer.contains("a=path:msrps://127.0.0.1:2855/"), "{offer}");
        assert!(offer.to_ascii_lowercase().contains("a=fingerprint:sha-256 ab:01\r\n"), "{offer}");

        let plain = LegMedia::new(listener(None), None, &mut Entropy::from_seed(1));
        let back = text(plain.offer(&read(offer.as_bytes())));
        assert!(back.contains("m=message 2855 TCP/MSRP *\r\n") && !back.contains("fingerprint"), "{back}");
    }

    #[test]
    fn the_peer_sees_our_address_and_nothing_else_changes() {
        let mut dice = Entropy::from_seed(1);
        let leg = LegMedia::new(listener(None), None, &mut dice);
        let offer = text(leg.offer(&read(OFFER)));
        assert!(offer.contains("c=IN IP4 127.0.0.1\r\n") && offer.contains("m=message 2855 TCP/MSRP *\r\n"), "{offer}");
        assert!(offer.contains("a=setup:actpass\r\n") && offer.contains("a=x-vendor:1\r\n"), "{offer}");
        assert!(!offer.contains("10.0.0.1"), "{offer}");
        let answer = text(leg.answer(&read(OFFER), read(OFFER).msrp().unwrap()));
        assert!(answer.contains("a=setup:passive\r\n") && !answer.contains("a=msrp-cema"), "{answer}");
        assert!(offer.contains("a=msrp-cema\r\n"), "{offer}");
        let again = leg.renewed(&mut dice).again_without_cema();
        let offer = text(again.offer(&read(OFFER)));
        assert!(!offer.contains("a=msrp-cema") && !offer.contains(leg.uri.session_id().unwrap()), "{offer}");
    }
}
