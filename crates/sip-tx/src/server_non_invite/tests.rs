use super::*;
use crate::testing::{START, context, request, timer, words};

fn happen_at(machine: &mut ServerNonInvite, event: &str, reliable: bool, after: Duration) -> String {
    let now = START + after;
    let cx = context(now, reliable);
    let mut fx = Effects::default();
    match (event, event.parse::<u16>()) {
        (_, Ok(status)) => machine.respond(status, request("MESSAGE").respond(status, "t").finish(), &cx, &mut fx),
        ("MESSAGE", _) => machine.on_retransmission(&mut fx),
        (name, _) => machine.on_timer(timer(name), &mut fx),
    }
    words(fx, now)
}

fn happen(machine: &mut ServerNonInvite, event: &str, reliable: bool) -> String {
    happen_at(machine, event, reliable, Duration::from_secs(4))
}

#[test]
fn every_state_answers_every_event_as_the_rfc_says() {
    for reliable in [false, true] {
        let timed = |words: &str| if reliable { format!("{words}, end") } else { format!("{words}, arm J 32") };
        let open = |event: &str| match event {
            "100" => "send 100".to_owned(),
            "200" | "404" => timed(&format!("send {event}")),
            "183" => "suppress".to_owned(),
            "408" => timed("suppress"),
            _ => String::new(),
        };
        for event in ["100", "183", "200", "404", "408", "MESSAGE", "J"] {
            let mut trying = ServerNonInvite::new(START);
            assert_eq!(happen(&mut trying, event, reliable), open(event), "{event} in Trying");

            let mut proceeding = ServerNonInvite::new(START);
            happen(&mut proceeding, "100", reliable);
            let expected = if event == "MESSAGE" { "send 100".to_owned() } else { open(event) };
            assert_eq!(happen(&mut proceeding, event, reliable), expected, "{event} in Proceeding");

            let mut completed = ServerNonInvite::new(START);
            happen(&mut completed, "200", reliable);
            let expected = match event {
                "MESSAGE" if !reliable => "send 200",
                "J" if !reliable => "end",
                _ => "",
            };
            assert_eq!(happen(&mut completed, event, reliable), expected, "{event} after the final response");
        }
    }
}

#[test]
fn a_100_over_udp_waits_until_the_client_repeats_slowly() {
    let (early, late) = (Duration::from_millis(3499), Duration::from_millis(3500));
    assert_eq!(happen_at(&mut ServerNonInvite::new(START), "100", false, early), "suppress");
    assert_eq!(happen_at(&mut ServerNonInvite::new(START), "100", false, late), "send 100");
    assert_eq!(happen_at(&mut ServerNonInvite::new(START), "100", true, Duration::ZERO), "send 100");
}

#[test]
fn a_408_is_kept_back_and_repetitions_are_still_absorbed() {
    let mut machine = ServerNonInvite::new(START);
    assert!(!machine.is_final());
    assert_eq!(happen(&mut machine, "408", false), "suppress, arm J 32");
    assert!(machine.is_final());
    assert_eq!(happen(&mut machine, "MESSAGE", false), "");
    assert_eq!(happen(&mut machine, "J", false), "end");
}
