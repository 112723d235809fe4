//! Other requests in a session, and those that are of none.

use sip::{Method, Name};
use sip_ua::{Body, Headers, State};

use crate::phone::{BOB_URI, Phone, Policy, in_session, phones};
use crate::scripted::Wire;

fn send(net: &mut sim::Net, phone: sim::NodeId<Phone>, method: Method) {
    net.node_mut(phone, |phone, now| {
        let (key, body) = (phone.session.unwrap(), Body { content_type: "text/plain".into(), bytes: "hi".into() });
        phone.ua.request(&mut phone.stack, key, method, &Headers::new(), Some(body), now).unwrap();
    });
    net.settle();
}

#[test]
fn a_message_in_the_session_is_the_role_s_to_answer() {
    let (mut net, alice, bob) = in_session(1);
    send(&mut net, alice, Method::Message);
    assert_eq!((net[bob].log.clone(), net[alice].log.clone()), (vec!["request".into()], vec!["response 200".into()]));
}

#[test]
fn options_is_answered_and_unwanted_methods_are_405() {
    let (mut net, alice, _bob) = in_session(2);
    for method in [Method::Options, Method::Info, Method::Refer] {
        send(&mut net, alice, method);
    }
    assert_eq!(net[alice].log, ["response 200", "response 405", "response 405"]);
    for answer in net.arrows().iter().filter(|arrow| &*arrow.from == "bob") {
        let text = String::from_utf8_lossy(&answer.data).into_owned();
        assert!(text.contains("Allow: INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, MESSAGE\r\n"), "{text}");
    }
}

#[test]
fn a_request_of_an_unknown_dialog_is_481() {
    let (mut net, _alice, bob) = phones(3);
    let wire = Wire::add(&mut net);
    wire.send(
        &mut net,
        "BYE",
        &[(Name::From, "<sip:w@x>;tag=1"), (Name::To, "<sip:bob@x>;tag=2"), (Name::CSeq, "1 BYE")],
    );
    net.settle();
    net.assert_ladder_untimed("wire -> bob BYE\nbob -> wire 481 Call/Transaction Does Not Exist");
    assert!(net[bob].log.is_empty());
}

#[test]
fn a_sequence_number_that_goes_back_is_500() {
    let (mut net, _alice, bob) = phones(4);
    let wire = Wire::add(&mut net);
    let dialog = wire.invite(&mut net);
    assert_eq!(net[bob].state(), Some(State::Established));
    net.clear_ladder();
    wire.send(&mut net, "BYE", &dialog.request("BYE", 5));
    wire.send(&mut net, "BYE", &dialog.request("BYE", 12));
    net.run_for(crate::phone::SECOND);
    net.assert_ladder_untimed(
        "
        wire -> bob   BYE
        wire -> bob   BYE
        bob  -> wire  500 Server Internal Error
        bob  -> wire  200 OK
    ",
    );
    // The session is over; a BYE that is new, not repeated, finds nothing.
    net.clear_ladder();
    wire.send(&mut net, "BYE", &dialog.request("BYE", 13));
    net.run_for(crate::phone::SECOND);
    net.assert_ladder_untimed("wire -> bob BYE\nbob -> wire 481 Call/Transaction Does Not Exist");
}

#[test]
fn an_invite_that_comes_a_second_way_is_482() {
    let (mut net, _alice, bob) = phones(5);
    net[bob].on_invite = Policy::Wait;
    let wire = Wire::add(&mut net);
    for _way in 0..2 {
        wire.send(&mut net, "INVITE", &Wire::invite_fields());
    }
    net.settle();
    assert_eq!(net[bob].log, ["invited", "refused 482"]);
}

#[test]
fn an_invite_with_the_tag_of_no_dialog_is_481_and_one_without_contact_400() {
    let (mut net, _alice, bob) = phones(6);
    let wire = Wire::add(&mut net);
    let mut fields = Wire::invite_fields();
    fields.retain(|(name, _)| *name != Name::Contact);
    wire.send(&mut net, "INVITE", &fields);
    net.settle();
    assert_eq!(net[bob].log, ["refused 400"]);
    net.clear_ladder();
    let mut fields = Wire::invite_fields();
    fields.retain(|(name, _)| !matches!(name, Name::To | Name::CallId));
    fields.extend([(Name::To, "<sip:bob@x>;tag=none".to_owned()), (Name::CallId, "other".to_owned())]);
    wire.send(&mut net, "INVITE", &fields);
    net.run_for(crate::phone::SECOND / 10);
    net.ladder_view()
        .without(&["100 Trying"])
        .untimed()
        .assert("wire -> bob INVITE\nbob -> wire 481 Call/Transaction Does Not Exist");
}

#[test]
fn requests_to_a_busy_phone_stay_bounded() {
    let (mut net, _alice, bob) = phones(7);
    net[bob].on_request = Policy::Wait;
    let wire = Wire::add(&mut net);
    let dialog = wire.invite(&mut net);
    for n in 0..20 {
        wire.send(&mut net, "MESSAGE", &dialog.request("MESSAGE", 20 + n));
    }
    net.run_for(crate::phone::SECOND);
    assert_eq!(net[bob].waiting.len(), 16);
    assert_eq!(net.arrows().iter().filter(|arrow| arrow.label.starts_with("500")).count(), 4);
    assert_eq!(BOB_URI, "sip:bob@10.0.0.2:5060");
}
