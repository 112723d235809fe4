//! Session timers (RFC 4028) between two phones, and with a scripted peer that answers a refresh as it should not.

use sim::{Net, NodeId};
use sip::{Method, Name};
use sip_ua::{Body, Cause, Config, Headers, Intervals, Resolver, State, UserAgent};
use wire::Instant;

use crate::phone::{BOB_URI, Phone, SECOND, in_session, phones, run_out};
use crate::scripted::Wire;

const TO: &str = "sip:w@10.0.0.9";
const TIMER: (Name, &str) = (Name::SessionExpires, "1800;refresher=uac");
const TAKES_UPDATE: (Name, &str) = (Name::Allow, "INVITE, ACK, CANCEL, BYE, UPDATE");

fn set_intervals(net: &mut Net, phone: NodeId<Phone>, session_expires: u32, min_se: u32) {
    let config = Config { intervals: Intervals { session_expires, min_se }, ..Config::default() };
    net[phone].ua = UserAgent::new(config, Resolver::default());
}

fn labels(net: &Net) -> Vec<(&str, &str)> {
    net.arrows().iter().map(|arrow| (&*arrow.from, arrow.label.as_str())).collect()
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("none")
}

/// Runs to so many seconds after the session was made.
fn run_to(net: &mut Net, seconds: u64) {
    net.run_until(Instant::ZERO + seconds as u32 * SECOND);
}

#[test]
fn the_caller_asks_and_refreshes_by_update_as_long_as_the_session_lives() {
    let (mut net, alice, bob) = in_session(1);
    run_to(&mut net, 899);
    assert_eq!(labels(&net), []);
    run_to(&mut net, 2_800);
    let refresh = [("alice", "UPDATE"), ("bob", "200 OK")];
    assert_eq!(labels(&net), [refresh, refresh, refresh].concat(), "{}", net.ladder());
    let update = net.arrows()[0].text();
    assert_eq!(field(&update, "Session-Expires: "), "1800;refresher=uac", "{update}");
    assert_eq!((field(&update, "Min-SE: "), field(&update, "Content-Length: ")), ("90", "0"), "{update}");
    assert_eq!(field(&net.arrows()[1].text(), "Session-Expires: "), "1800;refresher=uac");
    assert_eq!((net[alice].state(), net[bob].state()), (Some(State::Established), Some(State::Established)));
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn the_invite_and_its_200_say_what_is_agreed() {
    let (mut net, alice, bob) = phones(2);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    let text = |label: &str| net.arrows().iter().find(|arrow| arrow.label == label).unwrap().text();
    let (invite, ok) = (text("INVITE"), text("200 OK"));
    assert_eq!((field(&invite, "Session-Expires: "), field(&invite, "Min-SE: ")), ("1800", "90"));
    assert_eq!(field(&invite, "Supported: "), "timer");
    assert_eq!((field(&ok, "Session-Expires: "), field(&ok, "Require: ")), ("1800;refresher=uac", "timer"));
    net.node_mut(bob, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn the_callee_shortens_the_interval_and_refreshes_when_it_is_told_to() {
    let (mut net, alice, bob) = phones(3);
    set_intervals(&mut net, bob, 600, 90);
    net.node_mut(alice, |phone, now| {
        let mut plan = phone.plan(BOB_URI);
        plan.headers = Headers::new().with(Name::SessionExpires, "1200;refresher=uas");
        phone.call_as(plan, now);
    });
    net.settle();
    net.clear_ladder();
    run_to(&mut net, 310);
    assert_eq!(labels(&net), [("bob", "UPDATE"), ("alice", "200 OK")]);
    assert_eq!(field(&net.arrows()[0].text(), "Session-Expires: "), "600;refresher=uac");
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_peer_without_update_is_refreshed_by_a_reinvite_that_changes_nothing() {
    let (mut net, alice, wire) = session(4, &[TIMER]);
    run_to(&mut net, 901);
    let reinvite = wire.last(&net, "INVITE");
    assert_eq!((reinvite.body(), reinvite.cseq().number), (&b"offer"[..], 2));
    wire.reply(&mut net, "INVITE", 200, &[TIMER]);
    assert_eq!(wire.count(&net, "ACK"), 2);
    assert_eq!(net[alice].log, [""; 0], "the role is not asked");
    run_to(&mut net, 1_802);
    assert_eq!(wire.last(&net, "INVITE").cseq().number, 3);
}

#[test]
fn too_short_an_interval_is_raised_to_what_the_callee_takes() {
    let (mut net, alice, bob) = phones(5);
    set_intervals(&mut net, alice, 90, 90);
    set_intervals(&mut net, bob, 1800, 600);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.ladder_view().without(&["100 Trying"]).assert(
        "
        0.000  alice -> bob    INVITE
        0.010  bob   -> alice  422 Session Interval Too Small
        0.020  alice -> bob    ACK
        0.020  alice -> bob    INVITE
        0.030  bob   -> alice  200 OK
        0.040  alice -> bob    ACK
    ",
    );
    let second = net.arrows().iter().filter(|arrow| arrow.label == "INVITE").nth(1).unwrap().text();
    assert_eq!((field(&second, "Session-Expires: "), field(&second, "Min-SE: ")), ("600", "600"));
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_422_that_wants_no_more_than_was_asked_is_a_refusal() {
    let (mut net, alice, _bob) = phones(6);
    let wire = Wire::add(&mut net);
    net.node_mut(alice, |phone, now| phone.call(TO, now));
    net.run_for(SECOND / 10);
    wire.reply(&mut net, "INVITE", 422, &[(Name::MinSe, "90")]);
    assert_eq!(net[alice].log, ["rejected 422", "ended Rejected(422)"]);
    run_out(&mut net, &[alice]);
}

#[test]
fn a_session_that_nobody_refreshes_is_closed_32_s_before_it_expires() {
    let (mut net, alice, bob) = in_session(7);
    net.isolate(alice);
    run_to(&mut net, 1_768);
    assert_eq!(net[bob].log, [""; 0]);
    net.run_for(SECOND);
    let bye = net.arrows().iter().find(|arrow| &*arrow.from == "bob").unwrap();
    assert_eq!((bye.label.as_str(), bye.sent_at.as_nanos() / 1_000_000), ("BYE", 1_768_010));
    assert_eq!(field(&bye.text(), "Reason: "), "SIP;cause=408;text=\"Session timer expired\"");
    net.run_for(33 * SECOND);
    assert_eq!(net[bob].log, ["closing Expired", "bye done Failed(Timeout)", "ended Expired"]);
    // The refresher had no answer to its UPDATE, and has closed long ago.
    assert_eq!(net[alice].log, ["closing Lost", "bye done Failed(Timeout)", "ended Lost", "gone"]);
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_short_interval_ends_a_third_earlier() {
    let (mut net, alice, bob) = phones(8);
    set_intervals(&mut net, alice, 90, 90);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.isolate(alice);
    run_to(&mut net, 61);
    assert_eq!(net[bob].state(), Some(State::Closing));
    run_out(&mut net, &[alice, bob]);
    assert_eq!(net[bob].log.last().unwrap(), "gone");
}

#[test]
fn closing_cancels_a_refresh_that_is_due() {
    let (mut net, alice, bob) = in_session(9);
    run_to(&mut net, 899);
    net.isolate(bob);
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice]);
    assert!(labels(&net).iter().all(|(_, label)| *label == "BYE"), "{}", net.ladder());
}

#[test]
fn a_reinvite_of_either_side_counts_as_a_refresh() {
    let (mut net, alice, bob) = in_session(10);
    run_to(&mut net, 800);
    net.node_mut(bob, |phone, now| phone.modify(Method::Invite, Some(Body::sdp("bob's")), now).unwrap());
    net.settle();
    let reinvite = net.arrows()[0].text();
    assert_eq!(field(&reinvite, "Session-Expires: "), "1800;refresher=uas", "who refreshes stays who does");
    net.clear_ladder();
    run_to(&mut net, 1_699);
    assert_eq!(labels(&net), []);
    run_to(&mut net, 1_701);
    assert_eq!(labels(&net), [("alice", "UPDATE"), ("bob", "200 OK")]);
    net.node_mut(bob, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_refresh_that_meets_a_reinvite_is_tried_again_after_the_glare() {
    let (mut net, alice, bob) = phones(11);
    net.node_mut(alice, |phone, now| {
        let mut plan = phone.plan(BOB_URI);
        plan.headers =
            Headers::new().with(Name::Allow, "INVITE, ACK, BYE").with(Name::SessionExpires, "1800;refresher=uas");
        phone.call_as(plan, now);
    });
    net.settle();
    net.clear_ladder();
    // Bob's re-INVITE leaves at 900.010; Alice's a little before meets it.
    net.run_until(Instant::ZERO + 900 * SECOND + SECOND / 125);
    net.node_mut(alice, |phone, now| phone.modify(Method::Invite, Some(Body::sdp("alice's")), now).unwrap());
    net.run_for(5 * SECOND);
    let count = |who: &str, label: &str| labels(&net).into_iter().filter(|arrow| *arrow == (who, label)).count();
    assert_eq!(
        (count("alice", "491 Request Pending"), count("bob", "491 Request Pending")),
        (1, 1),
        "{}",
        net.ladder()
    );
    // Bob waits up to 2 s, Alice longer: his refresh comes first, and hers, which the role wanted, after it.
    assert_eq!((count("alice", "INVITE"), count("bob", "INVITE")), (2, 2), "{}", net.ladder());
    assert_eq!((net[alice].state(), net[bob].state()), (Some(State::Established), Some(State::Established)));
    net.node_mut(bob, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice, bob]);
}

/// A session of Alice with the scripted peer, which says this in its 200.
fn session(seed: u64, says: &[(Name, &str)]) -> (Net, NodeId<Phone>, Wire) {
    let (mut net, alice, _bob) = phones(seed);
    let wire = Wire::add(&mut net);
    net.node_mut(alice, |phone, now| phone.call(TO, now));
    net.run_for(SECOND / 10);
    wire.reply(&mut net, "INVITE", 200, says);
    assert_eq!(net[alice].state(), Some(State::Established));
    net[alice].log.clear();
    (net, alice, wire)
}

/// The same, with the refresh on its way.
fn refreshing(seed: u64) -> (Net, NodeId<Phone>, Wire) {
    let (mut net, alice, wire) = session(seed, &[TIMER, TAKES_UPDATE]);
    net.run_until(Instant::ZERO + 900 * SECOND + SECOND / 2);
    assert_eq!(wire.count(&net, "UPDATE"), 1, "{}", net.ladder());
    assert_eq!(net[alice].state(), Some(State::Established));
    (net, alice, wire)
}

#[test]
fn a_peer_without_timers_is_not_refreshed() {
    let (mut net, alice, wire) = session(12, &[TAKES_UPDATE]);
    run_to(&mut net, 4_000);
    assert_eq!((wire.count(&net, "UPDATE"), net[alice].state()), (0, Some(State::Established)));
}

#[test]
fn a_refresh_whose_answer_says_that_the_dialog_is_gone_closes() {
    for status in [404, 408, 410, 416, 481, 482, 483, 484, 485, 489, 604] {
        let (mut net, alice, wire) = refreshing(13);
        wire.reply(&mut net, "UPDATE", status, &[]);
        assert_eq!((net[alice].state(), wire.count(&net, "BYE")), (Some(State::Closing), 1), "{status}");
        wire.reply(&mut net, "BYE", 481, &[]);
        assert_eq!(net[alice].ended(), Some(Cause::Lost), "{status}");
        run_out(&mut net, &[alice]);
    }
}

#[test]
fn a_refresh_that_nobody_answers_closes() {
    let (mut net, alice, wire) = refreshing(14);
    net.run_for(32 * SECOND);
    assert_eq!((net[alice].state(), wire.count(&net, "BYE") > 0), (Some(State::Closing), true));
}

#[test]
fn a_refresh_that_is_refused_for_now_is_tried_again_as_long_as_the_session_lives() {
    for (status, says, wait) in [
        (500, &[][..], 4),
        (500, &[(Name::RetryAfter, "60")][..], 60),
        (503, &[(Name::RetryAfter, "0")][..], 4),
        (403, &[][..], 4),
        (488, &[][..], 4),
        (603, &[][..], 4),
    ] {
        let (mut net, alice, wire) = refreshing(15);
        wire.reply(&mut net, "UPDATE", status, says);
        net.run_for(wait * SECOND - SECOND / 5);
        assert_eq!(wire.count(&net, "UPDATE"), 1, "{status} {says:?}\n{}", net.ladder());
        net.run_for(SECOND / 5);
        assert_eq!(wire.last(&net, "UPDATE").cseq().number, 3, "{status} {says:?}\n{}", net.ladder());
        wire.reply(&mut net, "UPDATE", 200, &[TIMER]);
        run_to(&mut net, 1_790);
        assert_eq!(net[alice].state(), Some(State::Established), "{status} {says:?}");
    }
}

#[test]
fn a_refresh_that_is_refused_to_the_end_expires() {
    let (mut net, alice, wire) = refreshing(16);
    wire.reply(&mut net, "UPDATE", 500, &[(Name::RetryAfter, "3600")]);
    run_to(&mut net, 1_768);
    assert_eq!(net[alice].state(), Some(State::Established));
    net.run_for(SECOND);
    assert_eq!(net[alice].state(), Some(State::Closing));
    wire.reply(&mut net, "BYE", 200, &[]);
    assert_eq!(net[alice].ended(), Some(Cause::Expired));
}

#[test]
fn a_422_to_a_refresh_raises_the_interval() {
    let (mut net, alice, wire) = refreshing(17);
    wire.reply(&mut net, "UPDATE", 422, &[(Name::MinSe, "3600")]);
    let again = wire.last(&net, "UPDATE");
    let text = |name| again.header(name).map(<[u8]>::to_vec);
    assert_eq!(text(Name::SessionExpires), Some(b"3600;refresher=uac".to_vec()));
    assert_eq!((text(Name::MinSe), again.cseq().number), (Some(b"3600".to_vec()), 3));
    wire.reply(&mut net, "UPDATE", 200, &[(Name::SessionExpires, "3600;refresher=uac")]);
    run_to(&mut net, 2_690);
    assert_eq!(wire.count(&net, "UPDATE"), 2);
    run_to(&mut net, 2_702);
    assert_eq!((wire.count(&net, "UPDATE") > 2, net[alice].state()), (true, Some(State::Established)));
}

#[test]
fn a_peer_that_takes_no_update_after_all_is_sent_a_reinvite_and_one_that_takes_neither_keeps_its_session() {
    let (mut net, alice, wire) = refreshing(18);
    wire.reply(&mut net, "UPDATE", 405, &[]);
    assert_eq!(wire.count(&net, "INVITE"), 2);
    wire.reply(&mut net, "INVITE", 405, &[]);
    run_to(&mut net, 4_000);
    assert_eq!((net[alice].state(), wire.count(&net, "UPDATE")), (Some(State::Established), 1));
}

#[test]
fn an_answer_without_a_timer_turns_it_off() {
    let (mut net, alice, wire) = refreshing(19);
    wire.reply(&mut net, "UPDATE", 200, &[]);
    run_to(&mut net, 4_000);
    assert_eq!((net[alice].state(), wire.count(&net, "UPDATE")), (Some(State::Established), 1));
}

#[test]
fn nobody_makes_us_refresh_in_a_frenzy() {
    let (mut net, _alice, wire) = session(20, &[(Name::SessionExpires, "1;refresher=uac"), TAKES_UPDATE]);
    run_to(&mut net, 44);
    assert_eq!(wire.count(&net, "UPDATE"), 0);
    run_to(&mut net, 46);
    assert!(wire.count(&net, "UPDATE") > 0);
}

#[test]
fn an_update_with_too_short_an_interval_is_refused_and_the_session_goes_on() {
    let (mut net, _alice, bob) = phones(21);
    let wire = Wire::add(&mut net);
    let dialog = wire.invite(&mut net);
    net.clear_ladder();
    let mut fields = dialog.request("UPDATE", 11);
    fields.extend([(Name::SessionExpires, "60".to_owned()), (Name::Supported, "timer".to_owned())]);
    wire.send(&mut net, "UPDATE", &fields);
    net.settle();
    net.assert_ladder_untimed("wire -> bob UPDATE\nbob -> wire 422 Session Interval Too Small");
    assert_eq!(field(&net.arrows()[1].text(), "Min-SE: "), "90");
    assert_eq!(net[bob].state(), Some(State::Established));
}
