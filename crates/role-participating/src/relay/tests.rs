use sip::Message;

use super::*;
use crate::lapses::OUTDATED;

const INVITE: &[u8] = b"INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n\
    To: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n";

fn open(relays: &mut Relays, id: u64, now: Now) -> u64 {
    let invite = Message::parse_request(Bytes::from_static(INVITE)).unwrap();
    let served = ServedUser { aor: "sip:a@x".to_owned(), case: SessionCase::Originating };
    relays.open(Token { case: SessionCase::Originating, id }, served, &invite, now)
}

#[test]
fn what_waits_for_silence_is_bounded_by_the_sessions_that_are_open() {
    let day = Duration::from_secs(86_400);
    let (mut relays, now) = (Relays::new(day), Now::default());
    open(&mut relays, 0, now);
    for id in 1..10_000 {
        let request = open(&mut relays, id, now);
        assert!(relays.on_done(request, now).is_some(), "a session that never was set up ends with its INVITE");
        assert!(relays.silence.len() <= 2 * relays.len() + OUTDATED + 1);
    }
    assert_eq!(relays.len(), 1);
    let later = Now { at: now.at + day, ..now };
    assert_eq!(relays.expire(later).len(), 1, "the one that is left still expires");
    assert_eq!(relays.next_timeout().filter(|at| *at <= later.at), None);
}
