//! What a participating function on the media path puts in place of a peer's MSRP addresses.

use bytes::Bytes;
use msrp::Listener;
use sdp::{MsrpUri, OriginId, Rewrite, SessionDescription, Setup};
use wire::Entropy;

/// The MSRP endpoint of one leg.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LegMedia {
    /// Whose address and certificate the peer sees.
    pub(crate) listener: Listener,
    /// 128 random bits (RFC 4975 §14.1: nobody may guess it).
    session_id: String,
    origin: OriginId,
}

impl LegMedia {
    pub(crate) fn new(listener: Listener, entropy: &mut Entropy) -> LegMedia {
        let session_id = format!("{}{}", entropy.tag(), entropy.tag());
        // RFC 8866 §5.2 wants a number; handsets reject one that a signed 63-bit integer does not hold.
        let origin = OriginId { session_id: entropy.u64() >> 2, version: 1 };
        LegMedia { listener, session_id, origin }
    }

    /// Where the peer of this leg finds us.
    pub(crate) fn uri(&self) -> MsrpUri {
        let Listener { addr, .. } = self.listener;
        MsrpUri::new(self.listener.is_tls(), addr.ip(), addr.port(), &self.session_id)
    }

    /// The offer of one leg as this leg makes it: we can be dialled and can dial.
    pub(crate) fn offer(&self, peer: &[u8]) -> Option<Bytes> {
        self.rewrite(peer, Setup::ActPass)
    }

    /// The answer of one leg as this leg gives it to `offer`: we let the offerer dial if it can. `None` when one of the two
    /// has no MSRP.
    pub(crate) fn answer(&self, peer: &[u8], offer: &[u8]) -> Option<Bytes> {
        let offered = SessionDescription::parse(offer).ok()?.msrp()?.setup;
        self.rewrite(peer, Setup::answer(offered, Setup::Passive).unwrap_or(Setup::Passive))
    }

    fn rewrite(&self, peer: &[u8], setup: Setup) -> Option<Bytes> {
        let description = SessionDescription::parse(peer).ok().filter(|d| d.msrp().is_some())?;
        let (address, port) = (self.listener.addr.ip(), self.listener.addr.port());
        let change = Rewrite {
            address,
            port,
            path: vec![self.uri()],
            setup: Some(setup),
            fingerprint: self.listener.fingerprint.clone(),
            tls: self.listener.is_tls(),
            origin: Some(self.origin),
        };
        Some(Bytes::from(sdp::rewrite(&description, &change)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &[u8] =
        b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=message 5000 TCP/MSRP *\r\n\
        a=accept-types:message/cpim\r\na=path:msrp://10.0.0.1:5000/abc;tcp\r\na=setup:active\r\na=x-vendor:1\r\n";

    fn listener(fingerprint: Option<sdp::Fingerprint>) -> Listener {
        Listener { addr: "127.0.0.1:2855".parse().unwrap(), fingerprint }
    }

    #[test]
    fn a_leg_over_tls_shows_our_certificate_whatever_the_other_leg_speaks() {
        let ours = sdp::Fingerprint::with_fingerprint(sdp::HashFunc::Sha256, [0xab, 0x01]);
        let leg = LegMedia::new(listener(Some(ours)), &mut Entropy::from_seed(1));
        let offer = String::from_utf8(leg.offer(OFFER).unwrap().to_vec()).unwrap();
        assert!(offer.contains("m=message 2855 TCP/TLS/MSRP *\r\n"), "{offer}");
        assert!(offer.contains("a=path:msrps://127.0.0.1:2855/"), "{offer}");
        assert!(offer.to_ascii_lowercase().contains("a=fingerprint:sha-256 ab:01\r\n"), "{offer}");

        let plain = LegMedia::new(listener(None), &mut Entropy::from_seed(1));
        let back = String::from_utf8(plain.offer(offer.as_bytes()).unwrap().to_vec()).unwrap();
        assert!(back.contains("m=message 2855 TCP/MSRP *\r\n") && !back.contains("fingerprint"), "{back}");
    }

    #[test]
    fn the_peer_sees_our_address_and_nothing_else_changes() {
        let leg = LegMedia::new(listener(None), &mut Entropy::from_seed(1));
        let offer = String::from_utf8(leg.offer(OFFER).unwrap().to_vec()).unwrap();
        assert!(offer.contains("c=IN IP4 127.0.0.1\r\n") && offer.contains("m=message 2855 TCP/MSRP *\r\n"), "{offer}");
        assert!(offer.contains("a=setup:actpass\r\n") && offer.contains("a=x-vendor:1\r\n"), "{offer}");
        assert!(!offer.contains("10.0.0.1"), "{offer}");
        let answer = String::from_utf8(leg.answer(OFFER, OFFER).unwrap().to_vec()).unwrap();
        assert!(answer.contains("a=setup:passive\r\n"), "{answer}");
    }
}
