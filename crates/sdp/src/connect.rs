use crate::{Connector, Host, MsrpMedia, Protocol, connector};

/// The port of an MSRP URI that names none (RFC 4975 §15.4).
pub const MSRP_PORT: u16 = 2855;

/// Where to open a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectTo {
    /// An address, or a name to be looked up.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
}

/// Where the connecting side finds `peer`; `None` if its description names no place one could connect to.
///
/// `cema` says that both sides wrote `a=msrp-cema`. Then the connection goes to `c=` and the port of the m-line, which middle
/// boxes may have changed, while the path stays the name of the session (RFC 6714). Without it, the connection goes to
/// the first URI of the path (RFC 4975 §8.2). Where the right place is unusable (`0.0.0.0`, no `c=`), the other one is taken:
/// it can only be better than nothing.
pub fn connect_to(peer: &MsrpMedia, cema: bool) -> Option<ConnectTo> {
    let (media, path) = (by_media(peer), by_path(peer));
    if cema { media.or(path) } else { path.or(media) }
}

/// Whether an answer shows that CEMA does not work although something between the peers counts on it: we offered it, the
/// answerer does not know it, and `c=` leads elsewhere than the path.
///
/// RFC 6714 §4.2: then a new offer is due, without `a=msrp-cema`. What stands between sees that it must take part in MSRP
/// and puts itself into the path. It matters only to the side that connects.
pub fn needs_fallback(offer: &MsrpMedia, answer: &MsrpMedia) -> bool {
    let we_connect = connector(offer.setup, answer.setup) == Some(Connector::Offerer);
    offer.cema && !answer.cema && we_connect && by_media(answer).is_some() && !answer.path_agrees_with_connection()
}

fn by_media(peer: &MsrpMedia) -> Option<ConnectTo> {
    let host = peer.address.clone()?;
    usable(ConnectTo { host, port: peer.port, tls: peer.protocol == Protocol::Tls })
}

fn by_path(peer: &MsrpMedia) -> Option<ConnectTo> {
    let hop = peer.path.first()?;
    usable(ConnectTo { host: hop.host().clone(), port: hop.port().unwrap_or(MSRP_PORT), tls: hop.is_tls() })
}

fn usable(place: ConnectTo) -> Option<ConnectTo> {
    (!place.host.is_unspecified() && place.port != 0).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Setup, samples};

    #[test]
    fn cema_goes_to_the_connection_line_and_plain_msrp_to_the_path() {
        let peer = samples::msrp(samples::ANCHORED);
        assert!(!peer.path_agrees_with_connection());
        let to = |cema| connect_to(&peer, cema).unwrap();
        assert_eq!((to(true).host, to(true).port), (Host::Ip("203.0.113.80".parse().unwrap()), 4000));
        assert_eq!((to(false).host, to(false).port), (Host::Ip("192.0.2.10".parse().unwrap()), 40002));
    }

    #[test]
    fn an_answer_without_cema_from_elsewhere_asks_for_a_new_offer() {
        let mut offer = samples::msrp(samples::ANCHORED);
        let mut answer = offer.clone();
        (offer.cema, offer.setup, answer.setup) = (true, Some(Setup::ActPass), Some(Setup::Passive));
        answer.cema = false;
        assert!(needs_fallback(&offer, &answer));

        for change in [
            |_: &mut MsrpMedia, answer: &mut MsrpMedia| answer.cema = true,
            |offer: &mut MsrpMedia, _: &mut MsrpMedia| offer.cema = false,
            // The answerer connects, wherever its own `c=` leads.
            |_: &mut MsrpMedia, answer: &mut MsrpMedia| answer.setup = Some(Setup::Active),
            |_: &mut MsrpMedia, answer: &mut MsrpMedia| answer.address = None,
            |_: &mut MsrpMedia, answer: &mut MsrpMedia| {
                answer.address = Some(answer.path[0].host().clone());
                answer.port = answer.path[0].port().unwrap();
            },
        ] {
            let (mut offer, mut answer) = (offer.clone(), answer.clone());
            change(&mut offer, &mut answer);
            assert!(!needs_fallback(&offer, &answer), "{offer:?} {answer:?}");
        }
    }

    #[test]
    fn an_unusable_place_is_replaced_by_the_other_one() {
        let mut peer = samples::msrp(samples::ANCHORED);
        peer.address = None;
        assert_eq!(connect_to(&peer, true).unwrap().port, 40002);

        let mut peer = samples::msrp(samples::ANCHORED);
        peer.path = crate::MsrpUri::parse_path("msrp://0.0.0.0:1/x;tcp").unwrap();
        assert_eq!(connect_to(&peer, false).unwrap().port, 4000);

        peer.address = Some(Host::Ip("::".parse().unwrap()));
        assert_eq!(connect_to(&peer, true), None);
    }

    #[test]
    fn a_path_without_a_port_means_the_registered_one() {
        let mut peer = samples::msrp(samples::ANCHORED);
        peer.path = crate::MsrpUri::parse_path("msrps://relay.example.org/x;tcp").unwrap();
        let place = ConnectTo { host: Host::Name("relay.example.org".into()), port: 2855, tls: true };
        assert_eq!(connect_to(&peer, false), Some(place));
    }
}
