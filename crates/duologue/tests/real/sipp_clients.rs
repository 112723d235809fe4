//! SIPp as Client A and as Client B, against our cores and participating functions.

use interop::{Loopback, Transport};

use crate::ground::{self, Place, call_ids, serve};

fn play(pf_a: Place, pf_b: Place, transport: Transport, close_by: &str) -> [interop::Traffic; 2] {
    let lease = Loopback::lease();
    let [core_a, core_b, a, b] = lease.ports();
    let config = [
        ground::core("core-a", core_a, a, core_b, transport),
        ground::pf("pf-a", a, pf_a),
        ground::core("core-b", core_b, b, core_a, transport),
        ground::pf("pf-b", b, pf_b),
    ];
    let _nodes = serve(&config.join("\n"), &[core_a, core_b, a, b]);
    ground::session(&lease, core_a, core_b, transport, close_by)
}

#[test]
fn both_figures_over_udp_and_tcp_closed_from_either_side() {
    for (pf_a, pf_b) in [(Place::Off, Place::Off), (Place::On, Place::On)] {
        for transport in [Transport::Udp, Transport::Tcp] {
            for close_by in ["a", "b"] {
                let [alice, bob] = play(pf_a, pf_b, transport, close_by);
                // One dialog from end to end off the media path, one per leg on it.
                let one_dialog = call_ids(&alice, "BYE sip:") == call_ids(&bob, "BYE sip:");
                assert_eq!(one_dialog, pf_a == Place::Off, "{pf_a:?} {transport:?} {close_by}");
                assert_eq!((call_ids(&alice, "BYE sip:").len(), call_ids(&bob, "BYE sip:").len()), (1, 1));
            }
        }
    }
}

#[test]
fn sigterm_closes_the_session_on_both_legs_and_ends_with_status_0() {
    let lease = Loopback::lease();
    let [core_a, core_b, a, b] = lease.ports();
    let config = [
        ground::core("core-a", core_a, a, core_b, Transport::Udp),
        ground::pf("pf-a", a, Place::On),
        ground::core("core-b", core_b, b, core_a, Transport::Udp),
        ground::pf("pf-b", b, Place::Off),
    ];
    let mut nodes = serve(&config.join("\n"), &[core_a, core_b, a, b]);
    // Each of them waits for the other one to close.
    let [alice, bob] = ground::callers(&lease, core_a, core_b, Transport::Udp, ["b", "a"]);
    let (bob, alice) = (bob.start(), alice.start());
    nodes.wait_line("session on the media path is up", ground::SOON);
    let killed = std::process::Command::new("kill").args(["-TERM", &nodes.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(nodes.wait_exit(ground::SOON).code(), Some(0));
    for traffic in [alice.finish(), bob.finish()] {
        assert_eq!(call_ids(&traffic, "BYE sip:").len(), 1);
        assert!(traffic.messages.contains("Reason: SIP;cause=503;text=\"Server shutdown\""), "{}", traffic.messages);
    }
}

#[test]
fn the_mixed_cases() {
    for (pf_a, pf_b, transport, close_by) in
        [(Place::On, Place::Off, Transport::Udp, "a"), (Place::Off, Place::On, Transport::Tcp, "b")]
    {
        let [alice, bob] = play(pf_a, pf_b, transport, close_by);
        assert_ne!(call_ids(&alice, "BYE sip:"), call_ids(&bob, "BYE sip:"));
    }
}

#[test]
fn what_the_client_wrote_reaches_the_other_one_and_what_it_forged_does_not() {
    let [_, bob] = play(Place::Off, Place::Off, Transport::Udp, "a");
    let invite = bob.messages.split("INVITE sip:").nth(1).unwrap().split("\r\n\r\n").next().unwrap();
    // Unknown header fields keep every octet, quotes and escapes included.
    assert!(invite.contains("X-Unheard-Of: one, \"two, with a comma and a \\\" in it\", <sip:three@"), "{invite}");
    assert!(invite.contains("\r\ns: dinner?\r\n"), "{invite}");
    assert!(invite.contains("P-Asserted-Identity: <sip:alice@home1.test>"), "{invite}");
    assert!(!invite.contains("somebody-else") && !invite.contains("P-Preferred-Identity"), "{invite}");
    assert!(invite.contains("P-Called-Party-ID: <sip:bob@home2.test>"), "{invite}");
    assert!(!invite.contains("P-Served-User"), "{invite}");
}
