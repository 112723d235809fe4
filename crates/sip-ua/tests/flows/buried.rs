//! Stragglers of sessions that are over. Every phone buries its sessions as soon as they are.

use sim::{Net, NodeId};
use sip::{Name, Request};
use sip_ua::digest::Account;

use crate::phone::{ALICE, Phone, SECOND, phones, run_out};
use crate::scripted::Wire;

const TO: &str = "sip:group@10.0.0.9";

/// Alice has called, `one` has answered, and she has closed.
fn over(seed: u64) -> (Net, NodeId<Phone>, Wire) {
    let (mut net, alice, _bob) = phones(seed);
    let wire = Wire::add(&mut net);
    net.node_mut(alice, |phone, now| phone.call(TO, now));
    net.run_for(SECOND / 10);
    wire.answer(&mut net, 200, "one");
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.run_for(SECOND / 10);
    wire.answer_byes(&mut net);
    assert!(net[alice].ua.sessions().next().is_none(), "it is buried");
    assert_eq!(net[alice].log.last().unwrap(), "ended LocalBye");
    (net, alice, wire)
}

fn shown(request: &Request, name: Name) -> String {
    String::from_utf8_lossy(request.header(name).unwrap_or_default()).into_owned()
}

#[test]
fn a_repeated_2xx_is_acknowledged_with_the_same_ack() {
    let (mut net, alice, wire) = over(1);
    for count in 1..4 {
        assert_eq!(wire.count(&net, "ACK"), count);
        wire.answer(&mut net, 200, "one");
    }
    let acks: Vec<_> = net[wire.0].received.iter().filter(|data| data.starts_with(b"ACK")).collect();
    assert!(acks.iter().all(|ack| ack == &acks[0]), "{acks:?}");
    assert_eq!(wire.count(&net, "BYE"), 1);
    run_out(&mut net, &[alice]);
}

#[test]
fn an_answer_of_another_phone_is_acknowledged_and_closed() {
    let (mut net, alice, wire) = over(2);
    wire.answer(&mut net, 200, "two");
    let (invite, ack, bye) = (wire.last(&net, "INVITE"), wire.last(&net, "ACK"), wire.last(&net, "BYE"));
    for request in [&ack, &bye] {
        assert_eq!(shown(request, Name::From), shown(&invite, Name::From));
        assert_eq!(shown(request, Name::To), format!("<{TO}>;tag=two"));
        assert_eq!((request.call_id(), request.uri().as_bytes()), (invite.call_id(), &b"sip:two@10.0.0.9:5060"[..]));
    }
    assert_eq!((ack.cseq().number, bye.cseq().number), (1, 2));
    wire.answer_byes(&mut net);
    assert_eq!((wire.count(&net, "ACK"), wire.count(&net, "BYE")), (2, 2));
    run_out(&mut net, &[alice]);
}

#[test]
fn such_an_ack_has_the_credentials_of_its_invite() {
    let (mut net, alice, _bob) = phones(3);
    let wire = Wire::add(&mut net);
    net[alice].ua.set_account(Some(Account::new("alice", "sesame")));
    net.node_mut(alice, |phone, now| phone.call(TO, now));
    net.run_for(SECOND / 10);
    let challenge = "Digest realm=\"x\", nonce=\"n\", qop=\"auth\", algorithm=MD5";
    wire.reply(&mut net, "INVITE", 407, &[(Name::ProxyAuthenticate, challenge)]);
    wire.answer(&mut net, 200, "one");
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.run_for(SECOND / 10);
    wire.answer_byes(&mut net);
    assert!(net[alice].ua.sessions().next().is_none(), "it is buried");
    wire.answer(&mut net, 200, "two");
    let (invite, ack) = (wire.last(&net, "INVITE"), wire.last(&net, "ACK"));
    assert_eq!(shown(&ack, Name::To), format!("<{TO}>;tag=two"));
    assert!(shown(&ack, Name::ProxyAuthorization).starts_with("Digest "));
    assert_eq!(shown(&ack, Name::ProxyAuthorization), shown(&invite, Name::ProxyAuthorization));
}

#[test]
fn a_bye_that_crossed_ours_is_answered_200_once() {
    let (mut net, alice, wire) = over(4);
    let ours = wire.last(&net, "BYE");
    net.clear_ladder();
    for cseq in ["7 BYE", "8 BYE"] {
        let (from, to) = (shown(&ours, Name::To), shown(&ours, Name::From));
        let call_id = String::from_utf8_lossy(ours.call_id()).into_owned();
        let fields = [(Name::From, from), (Name::To, to), (Name::CallId, call_id), (Name::CSeq, cseq.to_owned())];
        wire.send_to(&mut net, ALICE, "BYE", &fields);
        net.run_for(SECOND / 10);
    }
    net.assert_ladder_untimed(
        "
        wire  -> alice  BYE
        alice -> wire   200 OK
        wire  -> alice  BYE
        alice -> wire   481 Call/Transaction Does Not Exist
    ",
    );
    run_out(&mut net, &[alice]);
}

#[test]
fn the_invite_of_a_session_that_is_over_is_no_new_one() {
    let (mut net, _alice, bob) = phones(5);
    let wire = Wire::add(&mut net);
    let dialog = wire.invite(&mut net);
    wire.send(&mut net, "BYE", &dialog.request("BYE", 11));
    net.run_for(SECOND);
    assert!(net[bob].ua.sessions().next().is_none(), "it is buried");
    wire.send(&mut net, "INVITE", &Wire::invite_fields());
    net.run_for(SECOND);
    assert_eq!(net[bob].log.last().unwrap(), "refused 482");
    run_out(&mut net, &[bob]);
}
