//! Two `duologue client` processes chat through `duologue serve`, each in a script of its own.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use interop::{Loopback, Transport};
use serde_json::Value;

use crate::ground::{self, Place, serve};

/// A client that plays a script; its events are in what it prints.
pub(crate) fn client(user: &str, domain: &str, core: SocketAddr, transport: Transport, script: &str) -> Child {
    client_with(user, domain, core, transport, script, &[])
}

/// The same with more options.
pub(crate) fn client_with(
    user: &str,
    domain: &str,
    core: SocketAddr,
    transport: Transport,
    script: &str,
    more: &[&str],
) -> Child {
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&file, script).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_duologue"))
        .args(["client", &format!("sip:{user}@{domain}"), "--json", "--auto-accept", "--script"])
        .arg(file.keep().unwrap())
        .args(["--core", &format!("{}:{core}", transport.name())])
        .args(more)
        .env("DUOLOGUE_PASSWORD", format!("{user}s-word"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    child.unwrap()
}

/// The events of a client that must have done all that its script says.
pub(crate) fn events(child: Child) -> Vec<Value> {
    let output = child.wait_with_output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{wrong}");
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn contents(events: &[Value]) -> Vec<&str> {
    events.iter().filter(|e| e["event"] == "message").map(|e| e["content"].as_str().unwrap()).collect()
}

#[test]
fn two_people_chat_off_and_on_the_media_path() {
    for (place, transport) in [(Place::Off, Transport::Udp), (Place::On, Transport::Tcp)] {
        let lease = Loopback::lease();
        let [core_a, core_b, a, b] = lease.ports();
        let config = [
            ground::core("core-a", core_a, a, core_b, transport),
            ground::pf("pf-a", a, place),
            ground::core("core-b", core_b, b, core_a, transport),
            ground::pf("pf-b", b, place),
        ];
        let _nodes = serve(&config.join("\n"), &[core_a, core_b, a, b]);
        let bob = "/wait message\nhello alice\n/wait displayed\n/wait closed\n";
        let bob = client("bob", "home2.test", core_b, transport, bob);
        // Bob may register later than Alice calls: then she calls again.
        let alice = "/wait registered\n/invite sip:bob@home2.test\n/wait established\nhello bob\n/wait displayed\n\
                     /wait message\n/close\n/wait closed\n";
        let alice = until_answered(|| client("alice", "home1.test", core_a, transport, alice));
        let bob = events(bob);
        assert_eq!((contents(&alice), contents(&bob)), (vec!["hello alice"], vec!["hello bob"]), "{place:?}");
        let closed = |events: &[Value]| events.iter().filter(|e| e["event"] == "closed").count();
        assert_eq!((closed(&alice), closed(&bob)), (1, 1));
    }
}

#[test]
fn a_script_does_not_wait_for_a_session_that_was_refused() {
    let lease = Loopback::lease();
    let [core, peer, pf] = lease.ports();
    let config = [ground::core("core-a", core, pf, peer, Transport::Udp), ground::pf("pf", pf, Place::Off)];
    let _nodes = serve(&config.join("\n"), &[core, pf]);
    // Were it waiting, the test would take ten minutes.
    let script = "/wait registered\n/invite sip:nobody@home1.test\n/wait established 600\n";
    let output = client("alice", "home1.test", core, Transport::Udp, script).wait_with_output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && said.contains("\"failed\"") && wrong.contains("/wait"), "{said}\n{wrong}");
}

/// Runs Alice until nobody answers 480 for Bob any more.
pub(crate) fn until_answered(start: impl Fn() -> Child) -> Vec<Value> {
    let mut last = String::new();
    for _ in 0..50 {
        let output = start().wait_with_output().unwrap();
        last = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return last.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        assert!(last.contains("480"), "{last}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    panic!("nobody answers: {last}");
}

/// The events of this kind.
pub(crate) fn count(events: &[Value], name: &str) -> usize {
    events.iter().filter(|event| event["event"] == name).count()
}

#[test]
fn a_close_in_the_middle_of_ten_megabytes_leaves_no_half_and_the_sender_knows() {
    let text = "0123456789".repeat(1_000_000);
    for (place, bob_closes) in [(Place::Off, false), (Place::On, false), (Place::Off, true), (Place::On, true)] {
        let transport = Transport::Tcp;
        let lease = Loopback::lease();
        let [core_a, core_b, a, b] = lease.ports();
        let config = [
            ground::core("core-a", core_a, a, core_b, transport),
            ground::pf("pf-a", a, place),
            ground::core("core-b", core_b, b, core_a, transport),
            ground::pf("pf-b", b, place),
        ];
        let _nodes = serve(&config.join("\n"), &[core_a, core_b, a, b]);
        // The typing notification passes between two chunks of the message: it tells Bob that the message is under way.
        let [then_alice, then_bob] =
            if bob_closes { ["/typing\n", "/wait composing\n/close\n"] } else { ["/close\n", ""] };
        let bob = client("bob", "home2.test", core_b, transport, &format!("{then_bob}/wait closed\n"));
        let alice = format!(
            "/wait registered\n/invite sip:bob@home2.test\n/wait established\n{text}\n{then_alice}/wait closed\n"
        );
        let alice = until_answered(|| client("alice", "home1.test", core_a, transport, &alice));
        let bob = events(bob);
        let came = contents(&bob);
        assert!(
            came.len() <= 1 && came.iter().all(|content| *content == text),
            "{place:?} {bob_closes}: half, or double"
        );
        let taken = count(&alice, "sending");
        let (sent, unsent) = (count(&alice, "sent"), count(&alice, "not-sent"));
        assert_eq!(sent + unsent, taken, "{place:?} {bob_closes}: the sender is told of each message once");
        assert!(sent <= came.len(), "{place:?} {bob_closes}: taken and not come");
    }
}

#[test]
fn one_client_has_several_sessions_and_says_which_is_which() {
    let transport = Transport::Udp;
    let lease = Loopback::lease();
    let [core_a, core_b, a, b] = lease.ports();
    let config = [
        ground::core("core-a", core_a, a, core_b, transport),
        ground::pf("pf-a", a, Place::Off),
        ground::core("core-b", core_b, b, core_a, transport),
        ground::pf("pf-b", b, Place::On),
    ];
    let _nodes = serve(&config.join("\n"), &[core_a, core_b, a, b]);
    let bob = "/wait message\n/typing\n/wait message\n/wait closed\n/wait closed\n";
    let bob = client("bob", "home2.test", core_b, transport, bob);
    let alice = "/wait registered\n/invite sip:bob@home2.test\n/wait established\none\n/wait displayed\n\
                 /invite sip:bob@home2.test\n/wait established\n/sessions\ntwo\n/wait displayed\n/switch 1\n/close\n\
                 /wait closed\n/close\n/wait closed\n";
    let alice = until_answered(|| client("alice", "home1.test", core_a, transport, alice));
    assert_eq!(contents(&events(bob)), ["one", "two"]);
    let listed = alice.iter().find(|event| event["event"] == "sessions").unwrap();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 2);
    let closed: Vec<_> =
        alice.iter().filter(|event| event["event"] == "closed").map(|e| e["session"].as_u64()).collect();
    assert_eq!(closed, [Some(1), Some(2)]);
}
