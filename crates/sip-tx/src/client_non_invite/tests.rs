use super::*;
use crate::testing::{START, context, request, response, timer, words};

fn start(reliable: bool) -> (ClientNonInvite, String) {
    let mut fx = Effects::default();
    let machine = ClientNonInvite::start(request("MESSAGE").bytes().clone(), &context(START, reliable), &mut fx);
    (machine, words(fx, START))
}

fn happen(machine: &mut ClientNonInvite, event: &str, reliable: bool) -> String {
    let now = if event == "E" { machine.retransmit_at } else { START };
    let cx = context(now, reliable);
    let mut fx = Effects::default();
    match (event, event.parse::<u16>()) {
        (_, Ok(status)) => machine.on_response(&response(&request("MESSAGE"), status, "t"), &cx, &mut fx),
        ("error", _) => machine.on_transport_error(&mut fx),
        (name, _) => machine.on_timer(timer(name), now, &cx, &mut fx),
    }
    words(fx, now)
}

const EVENTS: [&str; 9] = ["100", "183", "200", "404", "603", "E", "F", "K", "error"];

#[test]
fn every_state_answers_every_event_as_the_rfc_says() {
    for reliable in [false, true] {
        let done = if reliable { "deliver, end" } else { "deliver, arm K 5" };
        let open = |event: &str| match event {
            "100" | "183" => "deliver",
            "200" | "404" | "603" => done,
            "F" => "fail Timeout, end",
            "error" => "fail Transport, end",
            _ => "",
        };
        for event in EVENTS {
            let mut trying = start(reliable).0;
            let expected = if event == "E" { "send MESSAGE, arm F 31.5, arm E 1" } else { open(event) };
            assert_eq!(happen(&mut trying, event, reliable), expected, "{event} in Trying");

            // RFC 3261 §17.1.2.2: after a provisional response the request goes on being repeated, every T2.
            let mut proceeding = start(reliable).0;
            happen(&mut proceeding, "100", reliable);
            let expected = if event == "E" { "send MESSAGE, arm F 31.5, arm E 4" } else { open(event) };
            assert_eq!(happen(&mut proceeding, event, reliable), expected, "{event} in Proceeding");

            let mut completed = start(reliable).0;
            happen(&mut completed, "200", reliable);
            assert_eq!(completed.state, if reliable { State::Terminated } else { State::Completed });
            let expected = if event == "K" && !reliable { "end" } else { "" };
            assert_eq!(happen(&mut completed, event, reliable), expected, "{event} after the final response");
        }
    }
}

#[test]
fn starting_sends_and_arms_retransmission_on_unreliable_transports_only() {
    assert_eq!(start(false).1, "send MESSAGE, arm E 0.5");
    assert_eq!(start(true).1, "send MESSAGE, arm F 32");
}

#[test]
fn the_interval_of_timer_e_doubles_up_to_t2() {
    let mut machine = start(false).0;
    assert_eq!(happen(&mut machine, "E", false), "send MESSAGE, arm F 31.5, arm E 1");
    for next in ["2", "4", "4", "4"] {
        assert_eq!(happen(&mut machine, "E", false), format!("send MESSAGE, arm E {next}"));
    }
}

#[test]
fn a_request_sent_another_way_is_repeated_on_udp_only() {
    for (reliable, done) in [(false, "send MESSAGE, arm E 0.5"), (true, "send MESSAGE")] {
        let mut machine = start(true).0;
        let mut fx = Effects::default();
        machine.resend_as(request("MESSAGE").bytes().clone(), &context(START, reliable), &mut fx);
        assert_eq!(words(fx, START), done);
    }
}

#[test]
fn a_request_is_forgotten_only_when_it_is_answered() {
    let mut machine = start(false).0;
    machine.forget_request();
    assert!(!machine.request().is_empty(), "it may have to be repeated");
    happen(&mut machine, "200", false);
    machine.forget_request();
    assert!(machine.request().is_empty());
}
