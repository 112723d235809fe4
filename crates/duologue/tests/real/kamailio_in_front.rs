//! Our participating functions as the application servers of two Kamailio cores, SIPp as both clients.

use interop::{Core, Loopback, Transport};

use crate::ground::{self, Place, call_ids, serve};

const SUBSCRIBERS: &[(&str, &str)] = &[("alice", "alices-word"), ("bob", "bobs-word")];

fn play(place: Place, transport: Transport, close_by: &str) -> [interop::Traffic; 2] {
    let lease = Loopback::lease();
    let [a, b, pf_a, pf_b] = lease.ports();
    let config = [ground::pf_behind(a, "pf-a", pf_a, place), ground::pf_behind(b, "pf-b", pf_b, place)];
    let _pfs = serve(&config.join("\n"), &[pf_a, pf_b]);
    let core = |domain, listen, peer, pf| {
        Core { domain, listen, peer, pf: Some(pf), is_named: true, transport, subscribers: SUBSCRIBERS }.start()
    };
    let mut core_a = core("home1.test", a, ("home2.test", b), pf_a);
    let mut core_b = core("home2.test", b, ("home1.test", a), pf_b);
    let traffic = ground::session(&lease, a, b, transport, close_by);
    for core in [&mut core_a, &mut core_b] {
        let log = core.log().join("\n");
        assert!(!log.contains("going on without it"), "the participating function was left out:\n{log}");
    }
    traffic
}

#[test]
fn figure_9_and_figure_10_through_two_kamailio_cores() {
    for (place, transport, close_by) in [
        (Place::Off, Transport::Udp, "a"),
        (Place::Off, Transport::Tcp, "b"),
        (Place::On, Transport::Udp, "b"),
        (Place::On, Transport::Tcp, "a"),
    ] {
        let [alice, bob] = play(place, transport, close_by);
        let one_dialog = call_ids(&alice, "BYE sip:") == call_ids(&bob, "BYE sip:");
        assert_eq!(one_dialog, place == Place::Off, "{place:?} {transport:?} {close_by}");
        // A loop of triggering would show as a second INVITE at Bob's.
        assert_eq!(call_ids(&bob, "INVITE sip:").len(), 1);
    }
}
