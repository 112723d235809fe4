//! What a BYE may be answered, and what is done then. The scripted peer gives the answers.

use std::time::Duration;

use sim::{Net, NodeId};
use sip::Name;
use sip_ua::digest::Account;
use sip_ua::{Cause, State};

use crate::phone::{Phone, SECOND, phones, run_out};
use crate::scripted::Wire;

const TO: &str = "sip:w@10.0.0.9";
const CHALLENGE: (Name, &str) = (Name::ProxyAuthenticate, "Digest realm=\"w\", nonce=\"n1\"");

/// A session of Alice with the scripted peer, and her BYE on its way.
fn closing(seed: u64) -> (Net, NodeId<Phone>, Wire) {
    let (mut net, alice, _bob) = phones(seed);
    let wire = Wire::add(&mut net);
    net[alice].ua.set_account(Some(Account::new("alice", "open")));
    net.node_mut(alice, |phone, now| phone.call(TO, now));
    net.run_for(SECOND / 10);
    wire.reply(&mut net, "INVITE", 200, &[]);
    assert_eq!(net[alice].state(), Some(State::Established));
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.run_for(SECOND / 10);
    net[alice].log.clear();
    (net, alice, wire)
}

fn cseq(net: &Net, wire: Wire) -> u32 {
    wire.last(net, "BYE").cseq().number
}

fn assert_closed(net: &mut Net, alice: NodeId<Phone>, outcome: &str) {
    assert_eq!(net[alice].log, [format!("bye done {outcome}"), "ended LocalBye".to_owned()]);
    assert_eq!(net[alice].ended(), Some(Cause::LocalBye));
    run_out(net, &[alice]);
}

#[test]
fn most_answers_are_the_end_of_it() {
    for status in [200, 202, 302, 400, 403, 404, 405, 408, 480, 481, 486, 501, 504, 600, 603] {
        let (mut net, alice, wire) = closing(1);
        let contact = [(Name::Contact, "<sip:elsewhere@10.0.0.2>")];
        wire.reply(&mut net, "BYE", status, if status == 302 { &contact } else { &[] });
        assert_eq!(wire.count(&net, "BYE"), 1, "{status}");
        assert_closed(&mut net, alice, &format!("Answered({status})"));
        assert_eq!(net.arrows().iter().filter(|arrow| arrow.label == "BYE").count(), 1, "{status}\n{}", net.ladder());
    }
}

#[test]
fn a_challenge_is_answered_once() {
    for status in [401, 407] {
        let (mut net, alice, wire) = closing(2);
        let challenge = if status == 401 { (Name::WwwAuthenticate, CHALLENGE.1) } else { CHALLENGE };
        wire.reply(&mut net, "BYE", status, &[challenge]);
        assert_eq!((wire.count(&net, "BYE"), cseq(&net, wire)), (2, 3));
        let name = if status == 401 { Name::Authorization } else { Name::ProxyAuthorization };
        assert!(wire.last(&net, "BYE").has(name));
        wire.reply(&mut net, "BYE", status, &[(challenge.0, "Digest realm=\"w\", nonce=\"n2\", stale=true")]);
        assert_eq!(wire.count(&net, "BYE"), 2, "no second time");
        assert_closed(&mut net, alice, &format!("Answered({status})"));
    }
}

#[test]
fn who_has_no_credentials_is_done_when_challenged() {
    let (mut net, alice, wire) = closing(3);
    net[alice].ua.set_account(None);
    wire.reply(&mut net, "BYE", 407, &[CHALLENGE]);
    assert_closed(&mut net, alice, "Answered(407)");
    assert_eq!(wire.count(&net, "BYE"), 1);
}

#[test]
fn a_491_is_waited_out_once() {
    let (mut net, alice, wire) = closing(4);
    wire.reply(&mut net, "BYE", 491, &[]);
    assert_eq!(net[alice].state(), Some(State::Closing));
    net.run_for(2 * SECOND);
    assert_eq!(cseq(&net, wire), 3);
    wire.reply(&mut net, "BYE", 491, &[]);
    assert_closed(&mut net, alice, "Answered(491)");
}

#[test]
fn a_temporary_failure_is_waited_out_once_and_not_for_long() {
    for (status, after, wait) in [(503, None, 4), (503, Some("2"), 2), (500, Some("1"), 1), (503, Some("3600"), 4)] {
        let (mut net, alice, wire) = closing(5);
        let says: Vec<_> = after.iter().map(|after| (Name::RetryAfter, *after)).collect();
        wire.reply(&mut net, "BYE", status, &says);
        net.run_for(wait * SECOND - SECOND / 5);
        assert_eq!(wire.count(&net, "BYE"), 1, "{status} {after:?}");
        net.run_for(SECOND / 5);
        assert_eq!((wire.count(&net, "BYE"), cseq(&net, wire)), (2, 3), "{status} {after:?}");
        wire.reply(&mut net, "BYE", 200, &[]);
        assert_closed(&mut net, alice, "Answered(200)");
    }
}

#[test]
fn a_500_for_a_number_that_was_too_low_is_answered_by_higher_ones() {
    let (mut net, alice, wire) = closing(6);
    let mut numbers = vec![cseq(&net, wire)];
    for _ in 0..3 {
        wire.reply(&mut net, "BYE", 500, &[]);
        net.run_for(4 * SECOND);
        numbers.push(cseq(&net, wire));
    }
    assert_eq!(numbers, [2, 3, 103, 10_103]);
    wire.reply(&mut net, "BYE", 500, &[]);
    net.run_for(5 * SECOND);
    assert_eq!(cseq(&net, wire), 10_103, "and no more");
    assert_closed(&mut net, alice, "Answered(500)");
}

#[test]
fn a_peer_that_closes_while_our_bye_waits_needs_not_hear_it_again() {
    let (mut net, alice, wire) = closing(7);
    let ours = wire.last(&net, "BYE");
    wire.reply(&mut net, "BYE", 503, &[]);
    let text = |name| String::from_utf8_lossy(ours.header(name).unwrap()).into_owned();
    let fields = [
        (Name::From, text(Name::To)),
        (Name::To, text(Name::From)),
        (Name::CallId, text(Name::CallId)),
        (Name::CSeq, "1 BYE".to_owned()),
    ];
    wire.send_to(&mut net, crate::phone::ALICE, "BYE", &fields);
    net.run_for(5 * SECOND);
    assert_eq!(wire.count(&net, "BYE"), 1, "{}", net.ladder());
    assert_eq!(net[alice].log, ["bye crossed", "bye done Answered(503)", "ended LocalBye"]);
    run_out(&mut net, &[alice]);
}

#[test]
fn silence_ends_it_after_64_t1_and_a_late_answer_changes_nothing() {
    let (mut net, alice, wire) = closing(8);
    net.run_for(Duration::from_millis(31_850));
    assert_eq!(net[alice].state(), Some(State::Closing));
    net.run_for(SECOND / 10);
    assert_eq!(net[alice].log, ["bye done Failed(Timeout)", "ended LocalBye"]);
    wire.reply(&mut net, "BYE", 200, &[]);
    assert_closed(&mut net, alice, "Failed(Timeout)");
}
