//! Challenges to INVITE and to requests in a session.

use sip::Name;
use sip_ua::State;
use sip_ua::digest::{Account, Authenticator};
use wire::Entropy;

use crate::phone::{BOB_URI, SECOND, phones, run_out};
use crate::registrar::password;
use crate::scripted::Wire;

#[test]
fn a_challenged_invite_is_sent_again_with_credentials() {
    let (mut net, alice, bob) = phones(1);
    net[bob].authenticator = Some((Authenticator::new("bob", &mut Entropy::from_seed(9)), password()));
    net[alice].ua.set_account(Some(Account::new("alice", "open")));
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.ladder_view().without(&["100 Trying"]).untimed().assert(
        "
        alice -> bob    INVITE
        bob   -> alice  407 Proxy Authentication Required
        alice -> bob    ACK
        alice -> bob    INVITE
        bob   -> alice  200 OK
        alice -> bob    ACK
    ",
    );
    assert_eq!(net[alice].log, ["answered"]);
    let ack = net.arrows().last().unwrap().text();
    assert!(ack.contains("Proxy-Authorization: Digest") && ack.contains("CSeq: 2 ACK"), "{ack}");
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_wrong_password_is_a_refusal_like_any_other() {
    for account in [None, Some(Account::new("alice", "guess"))] {
        let (mut net, alice, bob) = phones(2);
        net[bob].authenticator = Some((Authenticator::new("bob", &mut Entropy::from_seed(9)), password()));
        net[alice].ua.set_account(account.clone());
        net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
        net.settle();
        assert_eq!(net[alice].log, ["rejected 407", "ended Rejected(407)"]);
        let tries = net[bob].log.iter().filter(|line| *line == "challenged").count();
        assert_eq!(tries, if account.is_some() { 2 } else { 1 });
        run_out(&mut net, &[alice, bob]);
    }
}

#[test]
fn a_challenged_bye_is_sent_once_more_and_then_given_up() {
    let (mut net, alice, _bob) = phones(3);
    net[alice].ua.set_account(Some(Account::new("alice", "open")));
    let wire = Wire::add(&mut net);
    net.node_mut(alice, |phone, now| phone.call("sip:w@10.0.0.9", now));
    net.run_for(SECOND / 10);
    wire.answer(&mut net, 200, "one");
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.run_for(SECOND / 10);
    for nonce in ["1", "2"] {
        assert_eq!(net[alice].state(), Some(State::Closing));
        net.node_mut(wire.0, |script, _| {
            let bye = script.request("BYE");
            assert_eq!(bye.has(Name::Authorization), nonce == "2");
            let challenge = format!("Digest realm=\"w\", nonce=\"{nonce}\", qop=\"auth\"");
            let answer = bye.respond(401, "").header(Name::WwwAuthenticate, challenge).finish();
            script.send_to(crate::phone::ALICE, answer);
        });
        net.run_for(SECOND / 10);
    }
    assert_eq!(net[alice].log, ["answered", "bye done Answered(401)", "ended LocalBye"]);
    run_out(&mut net, &[alice]);
}
