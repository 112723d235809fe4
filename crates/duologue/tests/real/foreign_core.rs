//! `duologue client` with a registrar that is not ours, and behind an MSRP relay that is not ours.

use std::net::SocketAddr;

use interop::{Core, Kamailio, Loopback, MsrpRelay, Transport};

use crate::chat::{client, client_with, contents, count, events, until_answered};
use crate::ground::SOON;

const DOMAIN: &str = "home1.test";
const SUBSCRIBERS: &[(&str, &str)] = &[("alice", "alices-word"), ("bob", "bobs-word")];

/// One Kamailio with no application server: registrar and proxy, nothing else.
fn plain_core(lease: &Loopback, transport: Transport) -> (Kamailio, SocketAddr) {
    let [listen, nobody] = lease.ports();
    let core = Core {
        domain: DOMAIN,
        listen,
        peer: ("home2.test", nobody),
        pf: None,
        is_named: false,
        transport,
        subscribers: SUBSCRIBERS,
    };
    (core.start(), listen)
}

const BOB: &str = "/wait message\nhello alice\n/wait displayed\n/wait closed\n";
const ALICE: &str = "/wait registered\n/invite sip:bob@home1.test\n/wait established\nhello bob\n/wait displayed\n\
                     /wait message\n/close\n/wait closed\n";

#[test]
fn two_people_register_with_kamailio_and_chat() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let lease = Loopback::lease();
        let (_core, core) = plain_core(&lease, transport);
        let bob = client("bob", DOMAIN, core, transport, BOB);
        let alice = until_answered(|| client("alice", DOMAIN, core, transport, ALICE));
        let bob = events(bob);
        assert_eq!((contents(&alice), contents(&bob)), (vec!["hello alice"], vec!["hello bob"]), "{transport:?}");
        assert_eq!((count(&alice, "closed"), count(&bob, "closed")), (1, 1));
    }
}

fn relay(listen: SocketAddr, expires: u32) -> Kamailio {
    MsrpRelay { listen, realm: DOMAIN, user: ("alice", "alices-word"), expires }.start()
}

fn uri(relay: SocketAddr) -> String {
    format!("msrp://{relay};tcp")
}

#[test]
fn a_client_behind_an_msrp_relay_chats_whoever_calls() {
    let transport = Transport::Udp;
    let lease = Loopback::lease();
    let (_core, core) = plain_core(&lease, transport);
    let at = lease.port();
    let mut relay = relay(at, 600);
    let uri = uri(at);
    let behind = ["--msrp-relay", uri.as_str()];

    let bob = client("bob", DOMAIN, core, transport, BOB);
    let alice = until_answered(|| client_with("alice", DOMAIN, core, transport, ALICE, &behind));
    let bob = events(bob);
    assert_eq!((contents(&alice), contents(&bob)), (vec!["hello alice"], vec!["hello bob"]));
    assert_eq!((count(&alice, "relay-up"), count(&alice, "closed"), count(&bob, "closed")), (1, 1, 1));

    // The other way round, and larger than one chunk.
    let long = "0123456789".repeat(2_000);
    let called = format!("/wait message\n{long}\n/wait displayed\n/wait closed\n");
    let caller = ALICE.replace("sip:bob", "sip:alice").replace("hello bob", &long);
    let alice = client_with("alice", DOMAIN, core, transport, &called, &behind);
    let bob = until_answered(|| client("bob", DOMAIN, core, transport, &caller));
    assert_eq!((contents(&events(alice)), contents(&bob)), (vec![&*long], vec![&*long]));

    for way in ["from a client: SEND", "for a client: SEND"] {
        relay.wait_log(way, SOON);
    }
}

#[test]
fn a_wrong_password_at_the_relay_is_said_and_nobody_registers() {
    let transport = Transport::Udp;
    let lease = Loopback::lease();
    let (_core, core) = plain_core(&lease, transport);
    let at = lease.port();
    let _relay = relay(at, 600);
    let uri = uri(at);
    let bob = client_with("bob", DOMAIN, core, transport, "/wait registered\n", &["--msrp-relay", &uri]);
    let output = bob.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && said.contains(r#"{"event":"relay-failed","status":401}"#), "{said}");
    assert!(!said.contains(r#""registered""#), "who cannot be reached is not to be called: {said}");
}

#[test]
fn a_path_that_is_renewed_during_a_session_carries_on_with_it() {
    let transport = Transport::Udp;
    let lease = Loopback::lease();
    let (_core, core) = plain_core(&lease, transport);
    let at = lease.port();
    // Kamailio grants another path each time: the client offers it by re-INVITE.
    let _relay = relay(at, 5);
    let uri = uri(at);
    let bob = client("bob", DOMAIN, core, transport, "/wait message\n/wait message\n/wait closed\n");
    let alice = "/wait registered\n/invite sip:bob@home1.test\n/wait established\none\n/wait displayed\n/wait relay-up\n\
                 /wait relay-up\ntwo\n/wait displayed\n/close\n/wait closed\n";
    let alice = until_answered(|| client_with("alice", DOMAIN, core, transport, alice, &["--msrp-relay", &uri]));
    assert_eq!((contents(&events(bob)), count(&alice, "closed")), (vec!["one", "two"], 1));
    assert!(count(&alice, "relay-up") >= 2);
}
