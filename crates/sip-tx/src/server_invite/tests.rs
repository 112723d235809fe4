use super::*;
use crate::testing::{START, context, request, timer, words};

/// Lets something happen: a status is a response of the role, `INVITE` and `ACK` come from the peer.
fn happen(machine: &mut ServerInvite, event: &str, reliable: bool) -> String {
    let now = if event == "G" { machine.retransmit_at } else { START };
    let cx = context(now, reliable);
    let mut fx = Effects::default();
    let mut for_role = false;
    match (event, event.parse::<u16>()) {
        (_, Ok(status)) => machine.respond(status, request("INVITE").respond(status, "t").finish(), &cx, &mut fx),
        ("INVITE", _) => machine.on_retransmission(&mut fx),
        ("ACK", _) => for_role = machine.on_ack(&cx, &mut fx),
        (name, _) => machine.on_timer(timer(name), now, &cx, &mut fx),
    }
    let up = if for_role { "up " } else { "" };
    format!("{up}{}", words(fx, now)).trim().to_owned()
}

const EVENTS: [&str; 9] = ["180", "200", "486", "INVITE", "ACK", "G", "H", "I", "L"];

#[test]
fn every_state_answers_every_event_as_the_rfc_says() {
    for reliable in [false, true] {
        type Row<'a> = (&'a str, &'a [&'a str], &'a dyn Fn(&str) -> &'a str);
        let table: [Row<'_>; 5] = [
            ("Proceeding", &["180"], &|event| match event {
                "180" => "send 180",
                "200" => "send 200, arm L 32",
                "486" if reliable => "send 486, arm H 32",
                "486" => "send 486, arm H 32, arm G 0.5",
                "INVITE" => "send 180",
                _ => "",
            }),
            ("Completed", &["486"], &|event| match event {
                "INVITE" => "send 486",
                "ACK" if reliable => "end",
                "ACK" => "arm I 5",
                "G" => "send 486, arm G 1",
                "H" => "unacknowledged, end",
                _ => "",
            }),
            ("Confirmed", &["486", "ACK"], &|event| if event == "I" { "end" } else { "" }),
            // RFC 6026 §7.1: the INVITE is absorbed, further 2xx of the role pass, every ACK goes up.
            ("Accepted", &["200"], &|event| match event {
                "200" => "send 200",
                "ACK" => "up",
                "L" => "end",
                _ => "",
            }),
            ("Terminated", &["200", "L"], &|_| ""),
        ];
        for (state, path, expected) in table {
            // On reliable transports nothing arms G, and Confirmed ends at once.
            let cannot_be = |event: &str| reliable && (state == "Confirmed" || (state, event) == ("Completed", "G"));
            for event in EVENTS.into_iter().filter(|event| !cannot_be(event)) {
                let mut machine = ServerInvite::new();
                path.iter().for_each(|step| drop(happen(&mut machine, step, reliable)));
                assert_eq!(format!("{:?}", machine.state), state);
                let done = happen(&mut machine, event, reliable);
                assert_eq!(done, expected(event), "{event} in {state}, reliable: {reliable}");
            }
        }
    }
}

#[test]
fn nothing_is_repeated_before_there_is_a_response() {
    assert_eq!(happen(&mut ServerInvite::new(), "INVITE", false), "");
}

#[test]
fn the_interval_of_timer_g_doubles_up_to_t2() {
    let mut machine = ServerInvite::new();
    happen(&mut machine, "486", false);
    for next in ["1", "2", "4", "4"] {
        assert_eq!(happen(&mut machine, "G", false), format!("send 486, arm G {next}"));
    }
}

#[test]
fn it_is_final_from_the_final_response_on() {
    for (event, is_final) in [("100", false), ("180", false), ("200", true), ("486", true)] {
        let mut machine = ServerInvite::new();
        happen(&mut machine, event, false);
        assert_eq!(machine.is_final(), is_final, "{event}");
    }
}
