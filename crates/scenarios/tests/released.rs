//! A participating function on the media path ends a session by itself (digest of C.2.3.1: what it leaves unsaid): each
//! cause with its Reason, its ladder and its record.

use std::time::Duration;

use cpm::{Closing, Profile, Release, SessionRecord};
use flow::{CloseBy, MediaPath};
use role_client::{Client, ClosedBy, Event, SessionId};
use role_participating::{CloseError, SessionView};
use scenarios::{ALICE, Setup, Site, System, Topology, observed};
use sip::{Message, Name};
use wire::{Instant, Transport};

/// PF A on the media path, PF B off it: two legs, and one function that may end the session.
const ONE_ON: Topology = Topology { pf_a: MediaPath::On, pf_b: MediaPath::Off, transport: Transport::Udp };

struct Call {
    system: System,
    sessions: (SessionId, SessionId),
    /// When PF A knows that it is.
    up: Instant,
}

fn call(setup: Setup) -> Call {
    let mut system = setup.build();
    system.register();
    system.settle();
    let sessions = system.establish();
    // The caller's ACK reaches PF A 10 ms after the core has sent it.
    let ack = system.net.arrows().iter().find(|arrow| arrow.label == "ACK" && &*arrow.to == "pf-a");
    let up = ack.map_or(system.net.now(), |ack| ack.sent_at + Duration::from_millis(10));
    Call { system, sessions, up }
}

fn plain() -> Call {
    call(Setup::new(71, ONE_ON))
}

impl Call {
    /// The Reasons of the BYEs that one node has sent, by whom they are for; empty where there is none.
    fn reasons(&self, from: &str) -> Vec<(String, String)> {
        let byes = self.system.net.arrows().iter().filter(|arrow| &*arrow.from == from && arrow.label == "BYE");
        let reason = |data: &[u8]| {
            let bye = Message::parse_request(bytes::Bytes::copy_from_slice(data)).expect("a BYE");
            (bye.to().uri().to_string(), scenarios::header(&bye, Name::Reason))
        };
        byes.map(|arrow| reason(&arrow.data)).collect()
    }

    /// When the first BYE left a node, since the session was up.
    fn bye_after(&self, from: &str) -> Option<Duration> {
        let byes = self.system.net.arrows().iter().filter(|arrow| &*arrow.from == from && arrow.label == "BYE");
        byes.map(|arrow| arrow.sent_at - self.up).next()
    }

    /// The record of PF A, once everything is over: nothing is left, and there is one.
    fn record(&mut self) -> SessionRecord {
        self.system.run_for(Duration::from_secs(70));
        assert_eq!(self.system.open(), [], "{}", self.system.net.ladder());
        let records: Vec<_> = self.system.records.iter().filter(|(site, _)| *site == Site::PfA).collect();
        let [(_, record)] = records.as_slice() else { panic!("one record: {records:?}") };
        record.clone()
    }

    fn both_are_told(&self) {
        for name in ["client-a", "client-b"] {
            let closed = |event: &&Event| matches!(event, Event::Closed { by: ClosedBy::Peer, .. });
            assert_eq!(self.system.told_by(name).filter(closed).count(), 1, "{name}: {:?}", self.system.told);
        }
    }

    /// Both legs got their BYE with that Reason, and the record says the same.
    fn assert_released(&mut self, why: Release) {
        let reason = why.reason().unwrap_or_default().to_owned();
        let expected = [(ALICE.to_owned(), reason.clone()), ("sip:bob@home2.test".to_owned(), reason)];
        assert_eq!(self.reasons("pf-a"), expected, "{}", self.system.net.ladder());
        self.both_are_told();
        assert_eq!(self.record().closing, Closing::Released(why));
    }

    fn say(&mut self, text: &str) {
        let (client, session) = (self.system.client_a, self.sessions.0);
        let id = self.system.net.node_mut(client, |c: &mut Client, now| c.send(session, text, now));
        assert!(id.is_some());
    }

    fn view(&mut self) -> SessionView {
        let sessions = self.system.net[self.system.pf_a].get().sessions(None).collect::<Vec<_>>();
        let [view] = sessions.as_slice() else { panic!("one session: {sessions:?}") };
        view.clone()
    }
}

#[test]
fn a_session_without_messages_is_closed_on_both_legs_after_300_s_and_the_bye_says_nothing() {
    let mut call = plain();
    call.system.run_for(Duration::from_secs(310));
    let closing = call.up + Duration::from_millis(299_900);
    call.system.sip_ladder_since(closing).untimed().without(&["REGISTER", "401 Unauthorized"]).assert(
        "
        pf-a     -> core-a    BYE
        pf-a     -> core-a    BYE
        core-a   -> client-a  BYE
        core-a   -> core-b    BYE
        client-a -> core-a    200 OK
        core-b   -> pf-b      BYE
        core-a   -> pf-a      200 OK
        pf-b     -> core-b    BYE
        core-b   -> client-b  BYE
        client-b -> core-b    200 OK
        core-b   -> pf-b      200 OK
        pf-b     -> core-b    200 OK
        core-b   -> core-a    200 OK
        core-a   -> pf-a      200 OK
        ",
    );
    assert_eq!(call.bye_after("pf-a"), Some(Duration::from_secs(300)));
    call.assert_released(Release::Inactive);
}

#[test]
fn a_message_puts_the_close_off_and_typing_does_not() {
    let mut setup = Setup::new(76, ONE_ON);
    setup.pf_a.default_profile.idle_session = Some(Duration::from_secs(100));
    let mut call = call(setup);
    call.system.run_for(Duration::from_secs(60));
    call.say("still here");
    let said = call.system.net.now() - call.up;
    call.system.run_for(Duration::from_secs(50));
    let (client, session) = (call.system.client_a, call.sessions.0);
    for _ in 0..10 {
        call.system.net.node_mut(client, |c: &mut Client, now| c.typing(session, now));
        call.system.run_for(Duration::from_secs(6));
    }
    let composing = |event: &&Event| matches!(event, Event::Composing { active: true, .. });
    assert!(call.system.told_by("client-b").filter(composing).count() > 0, "typing went through");
    let after = call.bye_after("pf-a").expect("a BYE") - said;
    assert!((100..101).contains(&after.as_secs()), "{after:?}");
    call.assert_released(Release::Inactive);
}

#[test]
fn an_idle_session_of_a_user_without_a_bound_stays() {
    let mut setup = Setup::new(72, ONE_ON);
    setup.pf_a.default_profile.idle_session = None;
    let mut call = call(setup);
    call.system.run_for(Duration::from_secs(2000));
    assert_eq!(call.reasons("pf-a"), []);
    let sessions = call.sessions;
    call.system.close(CloseBy::A, sessions);
    assert_eq!(call.record().closing, Closing::ServedUser);
}

#[test]
fn when_a_service_is_withdrawn_the_sessions_on_the_path_end_and_those_off_it_go_on() {
    let barred = Profile { services: vec![], ..Profile::default() };
    let mut call = plain();
    let (pf_a, pf_b) = (call.system.pf_a, call.system.pf_b);
    call.system.net.node_mut(pf_b, |pf, now| pf.inner().set_profile("sip:bob@home2.test", barred.clone(), now));
    call.system.settle();
    assert_eq!(call.reasons("pf-b"), [], "PF B is a proxy here");
    call.system.net.node_mut(pf_a, |pf, now| pf.inner().set_profile("sip:carol@home1.test", barred.clone(), now));
    call.system.settle();
    assert_eq!(call.reasons("pf-a"), [], "another user");
    call.system.net.node_mut(pf_a, |pf, now| pf.inner().set_profile(ALICE, barred, now));
    call.system.settle();
    call.assert_released(Release::NotAuthorised);
}

#[test]
fn an_operator_closes_a_session_on_the_path() {
    let mut call = plain();
    let (pf, view) = (call.system.pf_a, call.view());
    assert_eq!((view.served_user.as_str(), view.peer.as_str()), (ALICE, "sip:bob@home2.test"));
    assert_eq!(call.system.net.node_mut(pf, |pf, now| pf.inner().close_session(view.id, now)), Ok(()));
    let again = call.system.net.node_mut(pf, |pf, now| pf.inner().close_session(view.id, now));
    assert_eq!(again, Err(CloseError::Unknown), "it is ending");
    call.system.settle();
    call.assert_released(Release::Operator);
}

#[test]
fn an_operator_is_told_why_a_session_off_the_path_cannot_be_closed() {
    let mut call = call(Setup::new(73, Topology { pf_a: MediaPath::Off, ..ONE_ON }));
    let (pf, view) = (call.system.pf_a, call.view());
    let refused = call.system.net.node_mut(pf, |pf, now| pf.inner().close_session(view.id, now));
    assert_eq!(refused, Err(CloseError::OffMediaPath));
    let text = CloseError::OffMediaPath.to_string();
    assert!(text.contains("proxy") && text.contains("media_path = \"on\""), "{text}");
    call.system.settle();
    assert_eq!(call.system.up("client-a"), [call.sessions.0], "the session lives");
    let sessions = call.sessions;
    call.system.close(CloseBy::B, sessions);
    assert_eq!(call.record().closing, Closing::Peer);
}

#[test]
fn at_shutdown_sessions_are_closed_and_new_ones_refused_with_503() {
    let mut call = plain();
    let pf = call.system.pf_a;
    call.system.net.node_mut(pf, |pf, now| pf.inner().shut_down(now));
    assert!(!call.system.net[pf].get().is_drained());
    call.system.call();
    call.system.settle();
    assert!(call.system.net[pf].get().is_drained());
    // RFC 3261 §16.7 step 6: a proxy does not pass a 503 on, for it says nothing about itself.
    let failed = |event: &&Event| matches!(event, Event::Failed { status: 500, .. });
    assert_eq!(call.system.told_by("client-a").filter(failed).count(), 1, "{:?}", call.system.told);
    let refusal = call.system.net.arrows().iter().find(|arrow| arrow.label.starts_with("503"));
    let refusal = Message::parse_response(refusal.expect("a refusal").data.clone()).expect("a response");
    assert!((1..=10).contains(&scenarios::header(&refusal, Name::RetryAfter).parse::<u32>().expect("seconds")));
    call.assert_released(Release::Shutdown);
}

#[test]
fn a_session_that_is_being_set_up_ends_at_shutdown_with_a_cancel_and_a_refusal() {
    let mut setup = Setup::new(74, ONE_ON);
    setup.client_b.auto_accept = false;
    let mut system = setup.build();
    system.register();
    system.settle();
    system.call();
    system.run_for(Duration::from_secs(1));
    let since = system.net.now();
    let pf = system.pf_a;
    system.net.node_mut(pf, |pf, now| pf.inner().shut_down(now));
    system.settle();
    system.sip_ladder_since(since).untimed().without(&["ACK"]).assert(
        "
        pf-a     -> core-a    480 Temporarily Unavailable
        pf-a     -> core-a    CANCEL
        core-a   -> client-a  480 Temporarily Unavailable
        core-a   -> pf-a      200 OK
        core-a   -> core-b    CANCEL
        core-b   -> core-a    200 OK
        core-b   -> pf-b      CANCEL
        pf-b     -> core-b    200 OK
        pf-b     -> core-b    CANCEL
        core-b   -> pf-b      200 OK
        core-b   -> client-b  CANCEL
        client-b -> core-b    200 OK
        client-b -> core-b    487 Request Terminated
        core-b   -> pf-b      487 Request Terminated
        pf-b     -> core-b    487 Request Terminated
        core-b   -> core-a    487 Request Terminated
        core-a   -> pf-a      487 Request Terminated
        ",
    );
    system.run_for(Duration::from_secs(70));
    assert_eq!((system.open(), system.records.len()), (vec![], 0));
}

#[test]
fn f34_a_lost_msrp_connection_has_five_seconds_and_then_both_legs_are_closed() {
    for lost in ["client-a", "core side"] {
        let mut call = plain();
        let (pf, client) = match lost {
            "client-a" => (call.system.pf_a, call.system.client_a),
            _ => (call.system.pf_a, call.system.client_b),
        };
        assert_eq!(call.system.net.break_connections(pf, client), 1, "{lost}");
        // It could be made again otherwise.
        call.system.net.partition(pf, client);
        let broken = call.system.net.now() - call.up;
        call.system.run_for(Duration::from_millis(4_900));
        assert_eq!(call.reasons("pf-a"), [], "{lost}");
        call.system.run_for(Duration::from_secs(1));
        assert_eq!(call.bye_after("pf-a"), Some(broken + Duration::from_secs(5)), "{lost}");
        call.assert_released(Release::MediaLost);
    }
}

#[test]
fn f37_a_silent_peer_is_noticed_by_the_next_message() {
    let mut call = plain();
    let (pf, client) = (call.system.pf_a, call.system.client_b);
    assert_eq!(call.system.net.black_hole_connections(pf, client), 1);
    call.system.net.partition(pf, client);
    call.say("is anybody there?");
    call.system.run_for(Duration::from_secs(60));
    let not_sent = |event: &&Event| matches!(event, Event::NotSent { .. });
    assert_eq!(call.system.told_by("client-a").filter(not_sent).count(), 1, "the sender knows");
    call.assert_released(Release::MediaLost);
}

#[test]
fn f34_a_bye_within_the_grace_is_the_users_close() {
    let mut call = plain();
    let (pf, client, sessions) = (call.system.pf_a, call.system.client_a, call.sessions);
    assert_eq!(call.system.net.break_connections(pf, client), 1);
    call.system.run_for(Duration::from_secs(4));
    call.system.close(CloseBy::A, sessions);
    call.system.settle();
    let reason = "SIP;cause=200;text=\"Call completed\"".to_owned();
    assert_eq!(call.reasons("pf-a"), [("sip:bob@home2.test".to_owned(), reason)]);
    assert_eq!(call.record().closing, Closing::ServedUser);
}

#[test]
fn f38_media_that_never_comes_ends_the_session_after_32_s() {
    let mut setup = Setup::new(75, ONE_ON);
    setup.client_b.auto_accept = true;
    let mut system = setup.build();
    system.register();
    system.settle();
    // The client may call, but its MSRP does not get through.
    let (pf, client) = (system.pf_a, system.client_a);
    system.net.set_link_between(pf, client, sim::Link::default());
    system.net.block(client, pf);
    system.net.block(pf, client);
    system.call();
    system.run_for(Duration::from_secs(31));
    let bye = |system: &System| system.net.arrows().iter().any(|arrow| &*arrow.from == "pf-a" && arrow.label == "BYE");
    assert!(!bye(&system), "{}", system.net.ladder());
    system.run_for(Duration::from_secs(2));
    assert!(bye(&system), "{}", system.net.ladder());
    system.run_for(Duration::from_secs(70));
    assert_eq!(system.open(), []);
    assert_eq!(system.records[0].1.closing, Closing::Released(Release::MediaLost));
}

#[test]
fn a_release_and_a_users_close_that_cross_end_the_session_once() {
    for by in [CloseBy::A, CloseBy::B, CloseBy::Both] {
        let mut call = plain();
        let (pf, id, sessions) = (call.system.pf_a, call.view().id, call.sessions);
        call.system.close(by, sessions);
        assert_eq!(call.system.net.node_mut(pf, |pf, now| pf.inner().close_session(id, now)), Ok(()));
        call.system.settle();
        assert_eq!(call.record().closing, Closing::Released(Release::Operator), "{by:?}");
        scenarios::audit(&call.system, &[]);
        let byes = call.system.net.arrows().iter().filter(|arrow| arrow.label == "BYE").map(observed);
        assert!(byes.count() >= 4, "{by:?}");
    }
}
