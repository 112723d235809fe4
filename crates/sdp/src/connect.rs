use crate::{Host, MsrpMedia, Protocol};

/// The port of an MSRP URI that names none (RFC 4975 §15.4).
const MSRP_PORT: u16 = 2855;

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
    use crate::samples;

    #[test]
    fn cema_goes_to_the_connection_line_and_plain_msrp_to_the_path() {
        let peer = samples::msrp(samples::ANCHORED);
        assert!(!peer.path_agrees_with_connection());
        let to = |cema| connect_to(&peer, cema).unwrap();
        assert_eq!((to(true).host, to(true).port), (Host::Ip("203.0.113.80".parse().unwrap()), 4000));
        assert_eq!((to(false).host, to(false).port), (Host::Ip("192.0.2.10".parse().unwrap()), 40002));
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
