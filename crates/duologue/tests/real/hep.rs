//! Copies for Homer, as a receiver of another make reads them.

use std::collections::BTreeSet;

use interop::{Kamailio, Loopback, Transport, homer, homer_of_all};

use crate::chat;
use crate::ground::{self, Place, SOON, serve};

#[test]
fn every_message_is_copied_with_its_place_and_without_its_secrets() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let lease = Loopback::lease();
        let [core_a, core_b, a, b, hep] = lease.ports();
        let mut receiver = homer(hep);
        let config = [
            format!("[hep]\naddress = \"{hep}\"\npassword = \"homers-word\"\n"),
            ground::core("core-a", core_a, a, core_b, transport),
            ground::pf("pf-a", a, Place::On),
            ground::core("core-b", core_b, b, core_a, transport),
            ground::pf("pf-b", b, Place::Off),
        ];
        let _nodes = serve(&config.join("\n"), &[core_a, core_b, a, b]);
        let [alice, bob] = ground::session(&lease, core_a, core_b, transport, "a");
        let [first, last] = [&alice, &bob].map(|end| ground::call_ids(end, "BYE sip:").remove(0));
        assert_ne!(first, last, "there is a B2BUA between them");
        // Whoever sends a message and whoever gets it copies it, so the last one is there when all others are.
        for (text, call_id) in [("INVITE", &first), ("BYE", &first), ("INVITE", &last), ("BYE", &last)] {
            receiver.wait_log(&format!("copy: {text} {call_id}"), SOON);
        }
        for call_id in [&first, &last] {
            receiver.wait_log(&format!("copy: 200 BYE {call_id}"), SOON);
        }
        // Over TCP the port is the kernel's choice.
        let source = if transport == Transport::Udp { core_b.to_string() } else { core_b.ip().to_string() };
        let bye = receiver.wait_log(&format!("copy: BYE {last} from {source}"), SOON);
        assert!(bye.contains("body=0"), "{bye}");
        let registers: Vec<&String> = receiver.log().iter().filter(|line| line.contains("copy: REGISTER")).collect();
        let secrets = registers.iter().filter(|line| line.contains("auth='(left out)'")).count();
        assert!(secrets > 0 && registers.iter().all(|line| !line.contains("Digest")), "{registers:#?}");
        let offers = receiver.log().iter().filter(|line| line.contains("copy: INVITE")).collect::<Vec<_>>();
        assert!(offers.iter().all(|line| !line.contains("body=0")), "SDP is copied: {offers:#?}");
    }
}

/// The Call-IDs in lines `copy: TYPE CALL-ID FIRST-LINE` of which the first line has a text in it.
pub(crate) fn copied(receiver: &mut Kamailio, kind: &str, text: &str) -> BTreeSet<String> {
    let lines = receiver.log().iter().filter_map(|line| line.split_once(&format!("copy: {kind} ")));
    let copies = lines.filter_map(|(_, copy)| copy.split_once(' ')).filter(|(_, first_line)| first_line.contains(text));
    copies.map(|(call_id, _)| call_id.to_owned()).collect()
}

#[test]
fn messages_are_copied_with_the_call_of_their_leg_and_without_what_people_write() {
    for contents in [false, true] {
        let lease = Loopback::lease();
        let [core_a, core_b, a, b, hep] = lease.ports();
        let mut receiver = homer_of_all(hep);
        let config = [
            format!("[hep]\naddress = \"{hep}\"\ncontents = {contents}\n"),
            ground::core("core-a", core_a, a, core_b, Transport::Udp),
            ground::pf("pf-a", a, Place::On),
            ground::core("core-b", core_b, b, core_a, Transport::Udp),
            ground::pf("pf-b", b, Place::On),
        ];
        let _nodes = serve(&config.join("\n"), &[core_a, core_b, a, b]);
        let bob = "/wait message\nhello alice\n/wait displayed\n/wait closed\n";
        let bob = chat::client("bob", "home2.test", core_b, Transport::Udp, bob);
        let alice = "/wait registered\n/invite sip:bob@home2.test\n/wait established\nhello bob\n/wait displayed\n\
                     /wait message\n/close\n/wait closed\n";
        chat::until_answered(|| chat::client("alice", "home1.test", core_a, Transport::Udp, alice));
        chat::events(bob);
        // Alice's leg, Bob's, and the one between the functions: each is another call, and has requests and answers.
        let legs = interop::until(SOON, || {
            let legs = copied(&mut receiver, "1", "BYE sip:");
            (legs.len() == 3).then_some(legs)
        });
        let legs = legs.unwrap();
        for (text, way) in [(" SEND", "requests"), (" 200 ", "answers")] {
            let found = interop::until(SOON, || (copied(&mut receiver, "100", text) == legs).then_some(()));
            assert!(found.is_some(), "{way}: {:?} and not {legs:?}", copied(&mut receiver, "100", text));
        }
        let written = receiver.log().iter().filter(|line| line.contains("hello")).count();
        assert_eq!(written > 0, contents, "{:#?}", receiver.log());
        let ends = receiver.log().iter().filter(|line| line.starts_with("-------")).count();
        let frames = receiver.log().iter().filter(|line| line.contains("copy: 100 ")).count();
        assert!(frames > 0 && ends == frames, "{ends} of {frames} have end-lines");
    }
}
