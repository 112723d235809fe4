//! Two `duologue client` processes chat through `duologue serve`, each in a script of its own.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use interop::{Loopback, Transport};
use serde_json::Value;

use crate::ground::{self, Place, serve};

/// A client that plays a script; its events are in what it prints.
fn client(user: &str, domain: &str, core: SocketAddr, transport: Transport, script: &str) -> std::process::Child {
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&file, script).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_duologue"))
        .args(["client", &format!("sip:{user}@{domain}"), "--json", "--auto-accept", "--script"])
        .arg(file.keep().unwrap())
        .args(["--core", &format!("{}:{core}", transport.name())])
        .env("DUOLOGUE_PASSWORD", format!("{user}s-word"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    child.unwrap()
}

/// The events of a client that must have done all that its script says.
fn events(child: std::process::Child) -> Vec<Value> {
    let output = child.wait_with_output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{wrong}");
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn contents(events: &[Value]) -> Vec<&str> {
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

/// Runs Alice until nobody answers 480 for Bob any more.
fn until_answered(start: impl Fn() -> std::process::Child) -> Vec<Value> {
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
