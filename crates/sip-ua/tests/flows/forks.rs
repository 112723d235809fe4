//! One INVITE, several answers. The scripted peer plays the phones behind a forking proxy.

use sip_ua::{Cause, State};

use crate::phone::{SECOND, phones, run_out};
use crate::scripted::Wire;

const TO: &str = "sip:group@10.0.0.9";

#[test]
fn the_first_answer_wins_and_the_others_are_acknowledged_and_closed() {
    let (mut net, alice, _bob) = phones(1);
    let wire = Wire::add(&mut net);
    net.node_mut(alice, |phone, now| phone.call(TO, now));
    net.run_for(SECOND / 10);
    for (status, tag) in [(180, "one"), (180, "two"), (200, "two"), (200, "one"), (200, "three")] {
        wire.answer(&mut net, status, tag);
    }
    wire.answer_byes(&mut net);
    assert_eq!(net[alice].log, ["progress 180", "progress 180", "answered", "forked", "forked"]);
    assert_eq!(net[alice].state(), Some(State::Established));
    assert_eq!(net[alice].remote_sdp().unwrap(), "two");
    net.ladder_view().only(|arrow| &*arrow.from == "alice").untimed().assert(
        "
        alice -> wire  INVITE
        alice -> wire  ACK
        alice -> wire  ACK
        alice -> wire  BYE
        alice -> wire  ACK
        alice -> wire  BYE
    ",
    );
    let texts: Vec<String> = net.arrows().iter().filter(|a| &*a.from == "alice").map(|a| a.text()).collect();
    for (text, tag) in texts[1..].iter().zip(["two", "one", "one", "three", "three"]) {
        assert!(text.contains(&format!(" sip:{tag}@10.0.0.9:5060 SIP/2.0\r\n")), "{text}");
        assert!(text.contains(&format!(";tag={tag}\r\n")), "{text}");
    }
}

#[test]
fn a_repeated_answer_of_a_loser_is_acknowledged_again_and_not_closed_again() {
    let (mut net, alice, _bob) = phones(2);
    let wire = Wire::add(&mut net);
    net.node_mut(alice, |phone, now| phone.call(TO, now));
    net.run_for(SECOND / 10);
    for tag in ["one", "two", "two", "one"] {
        wire.answer(&mut net, 200, tag);
    }
    wire.answer_byes(&mut net);
    let count = |label: &str| net.arrows().iter().filter(|a| &*a.from == "alice" && a.label == label).count();
    assert_eq!((count("ACK"), count("BYE")), (4, 1));
}

#[test]
fn answers_after_a_cancel_are_all_closed() {
    let (mut net, alice, _bob) = phones(3);
    let wire = Wire::add(&mut net);
    net.node_mut(alice, |phone, now| phone.call(TO, now));
    net.run_for(SECOND / 10);
    wire.answer(&mut net, 180, "one");
    net.node_mut(alice, |phone, now| phone.cancel(now).unwrap());
    for tag in ["one", "two"] {
        wire.answer(&mut net, 200, tag);
    }
    wire.answer_byes(&mut net);
    assert_eq!(net[alice].log, ["progress 180", "bye done Answered(200)", "ended LocalCancel"]);
    let count = |label: &str| net.arrows().iter().filter(|a| &*a.from == "alice" && a.label == label).count();
    assert_eq!((count("ACK"), count("BYE")), (2, 2));
    assert_eq!(net[alice].ended(), Some(Cause::LocalCancel));
    run_out(&mut net, &[alice]);
}

#[test]
fn forks_without_end_are_bounded() {
    let (mut net, alice, _bob) = phones(4);
    let wire = Wire::add(&mut net);
    net.node_mut(alice, |phone, now| phone.call(TO, now));
    net.run_for(SECOND / 10);
    for n in 0..40 {
        wire.answer(&mut net, 180, &format!("fork{n}"));
    }
    wire.answer(&mut net, 200, "fork3");
    assert_eq!(net[alice].state(), Some(State::Established));
    assert_eq!(net[alice].log.len(), 41);
}
