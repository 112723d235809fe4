use super::*;
use crate::testing::{START, context, label, request, response, timer, words};

/// A machine just started, and what starting it did.
fn start(reliable: bool) -> (ClientInvite, String) {
    let mut fx = Effects::default();
    let machine = ClientInvite::start(request("INVITE").bytes().clone(), &context(START, reliable), &mut fx);
    (machine, words(fx, START))
}

/// Lets something happen; what it did, a CANCEL to send included. A retransmission timer comes when it is due.
fn happen(machine: &mut ClientInvite, event: &str, reliable: bool) -> String {
    let now = if event == "A" { machine.retransmit_at } else { START };
    let cx = context(now, reliable);
    let mut fx = Effects::default();
    let cancel = match (event, event.parse::<u16>()) {
        (_, Ok(status)) => machine.on_response(&response(&request("INVITE"), status, "t"), &cx, &mut fx),
        ("error", _) => {
            machine.on_transport_error(&mut fx);
            None
        }
        ("cancel", _) => machine.cancel(Some(b"SIP;cause=200"), &cx, &mut fx),
        (name, _) => {
            machine.on_timer(timer(name), now, &cx, &mut fx);
            None
        }
    };
    let cancel = cancel.map(|bytes| format!("and {}", label(&bytes)));
    [words(fx, now), cancel.unwrap_or_default()].join(" ").trim().to_owned()
}

const EVENTS: [&str; 12] = ["100", "180", "200", "302", "486", "603", "A", "B", "D", "M", "Cancelled", "error"];

#[test]
fn every_state_answers_every_event_as_the_rfc_says() {
    let final_unreliable = "deliver, send ACK, arm D 32";
    let final_reliable = "deliver, send ACK, end";
    for reliable in [false, true] {
        let refused = if reliable { final_reliable } else { final_unreliable };
        let open = |event: &str| match event {
            "100" | "180" => "deliver",
            "200" => "deliver, arm M 32",
            "302" | "486" | "603" => refused,
            "Cancelled" => "fail Timeout, end",
            "error" => "fail Transport, end",
            _ => "",
        };
        type Row<'a> = (&'a str, &'a [&'a str], &'a dyn Fn(&str) -> &'a str);
        let table: [Row<'_>; 5] = [
            ("Calling", &[], &|event| match event {
                "A" => "send INVITE, arm B 31.5, arm A 1",
                "B" => "fail Timeout, end",
                other => open(other),
            }),
            // RFC 3261 §17.1.1.2: no retransmission and no Timer B after a provisional response.
            ("Proceeding", &["180"], &|event| open(event)),
            ("Completed", &["486"], &|event| match event {
                "302" | "486" | "603" => "send ACK",
                "D" => "end",
                _ => "",
            }),
            // RFC 6026 §7.2: every 2xx goes up; the user agent acknowledges.
            ("Accepted", &["200"], &|event| match event {
                "200" => "deliver",
                "M" => "end",
                _ => "",
            }),
            ("Terminated", &["200", "M"], &|_| ""),
        ];
        for (state, path, expected) in table {
            if reliable && state == "Completed" {
                continue;
            }
            for event in EVENTS {
                let mut machine = start(reliable).0;
                path.iter().for_each(|step| drop(happen(&mut machine, step, reliable)));
                assert_eq!(format!("{:?}", machine.state), state);
                let done = happen(&mut machine, event, reliable);
                assert_eq!(done, expected(event), "{event} in {state}, reliable: {reliable}");
            }
        }
    }
}

#[test]
fn starting_sends_and_arms_retransmission_on_unreliable_transports_only() {
    assert_eq!(start(false).1, "send INVITE, arm A 0.5");
    assert_eq!(start(true).1, "send INVITE, arm B 32");
}

#[test]
fn the_interval_of_timer_a_doubles_without_a_bound() {
    let mut machine = start(false).0;
    assert_eq!(happen(&mut machine, "A", false), "send INVITE, arm B 31.5, arm A 1");
    for next in ["2", "4", "8", "16", "32"] {
        assert_eq!(happen(&mut machine, "A", false), format!("send INVITE, arm A {next}"));
    }
}

#[test]
fn a_timer_a_that_was_replaced_does_nothing() {
    let mut machine = start(false).0;
    let old = machine.retransmit_at;
    happen(&mut machine, "A", false);
    let mut fx = Effects::default();
    machine.on_timer(Timer::A, old, &context(old, false), &mut fx);
    assert_eq!(words(fx, old), "");
}

#[test]
fn a_cancel_waits_for_a_provisional_response_and_goes_once() {
    let mut machine = start(false).0;
    assert_eq!(happen(&mut machine, "cancel", false), "");
    assert_eq!(happen(&mut machine, "cancel", false), "");
    assert_eq!(happen(&mut machine, "100", false), "deliver, arm Cancelled 32 and CANCEL");
    assert_eq!(happen(&mut machine, "180", false), "deliver");
    assert_eq!(happen(&mut machine, "cancel", false), "");
    assert_eq!(happen(&mut machine, "487", false), "deliver, send ACK, arm D 32");

    let mut machine = start(false).0;
    happen(&mut machine, "180", false);
    assert_eq!(happen(&mut machine, "cancel", false), "arm Cancelled 32 and CANCEL");
}

#[test]
fn a_cancel_that_a_final_response_overtakes_is_never_sent() {
    for status in ["200", "486"] {
        let mut machine = start(false).0;
        happen(&mut machine, "cancel", false);
        assert!(!happen(&mut machine, status, false).contains("CANCEL"));
        assert_eq!(happen(&mut machine, "cancel", false), "");
    }
}

#[test]
fn ack_and_cancel_are_made_from_the_invite() {
    let invite = request("INVITE");
    let ack = ack(invite.bytes(), &response(&invite, 486, "t")).unwrap();
    let routing = "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\nMax-Forwards: 70\r\nRoute: <sip:p1;lr>\r\n\
                   Route: <sip:p2;lr>\r\nFrom: <sip:a@x>;tag=1\r\nCall-ID: c\r\n";
    let expected = format!(
        "ACK sip:b@10.0.0.2 SIP/2.0\r\n{routing}CSeq: 5 ACK\r\nTo: <sip:b@x>;tag=t\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(String::from_utf8_lossy(&ack), expected);
    let expected = format!(
        "CANCEL sip:b@10.0.0.2 SIP/2.0\r\n{routing}CSeq: 5 CANCEL\r\nTo: <sip:b@x>\r\nReason: SIP;cause=200\r\n\
         Content-Length: 0\r\n\r\n"
    );
    assert_eq!(String::from_utf8_lossy(&cancel(&invite, Some(b"SIP;cause=200"))), expected);
}

#[test]
fn a_request_sent_another_way_is_repeated_on_udp_only() {
    for (reliable, done) in [(false, "send INVITE, arm A 0.5"), (true, "send INVITE")] {
        let mut machine = start(true).0;
        let mut fx = Effects::default();
        assert!(machine.is_unanswered());
        machine.resend_as(request("INVITE").bytes().clone(), &context(START, reliable), &mut fx);
        assert_eq!(words(fx, START), done);
        happen(&mut machine, "100", reliable);
        assert!(!machine.is_unanswered());
    }
}

#[test]
fn a_request_is_forgotten_only_when_it_is_answered() {
    for (status, is_kept) in [("100", true), ("200", false), ("486", false)] {
        let mut machine = start(false).0;
        happen(&mut machine, status, false);
        machine.forget_request();
        assert_eq!(!machine.request().is_empty(), is_kept, "{status}");
    }
}
