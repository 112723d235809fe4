use super::super::redact;
use super::*;

fn node(name: &str) -> Arc<str> {
    Arc::from(name)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn sip(start: &str, call_id: &str, method: &str, kind: &str, body: &str) -> Box<Message> {
    let text = format!(
        "{start}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 {method}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    redact::read(&text.into()).unwrap()
}

fn invite(call_id: &str, path: &str) -> Box<Message> {
    sip("INVITE sip:b@h SIP/2.0", call_id, "INVITE", "application/sdp", &format!("v=0\r\na=path:{path}\r\n"))
}

fn answer(call_id: &str, path: &str) -> Box<Message> {
    sip("SIP/2.0 200 OK", call_id, "INVITE", "application/sdp", &format!("v=0\r\na=path:{path}\r\n"))
}

fn bye(call_id: &str) -> Box<Message> {
    sip("BYE sip:b@h SIP/2.0", call_id, "BYE", "text/plain", "")
}

/// A function on the media path, between two clients: the path of each end of each leg.
fn bridge() -> Legs {
    let mut legs = Legs::default();
    let pf = node("pf");
    legs.learn(&pf, at(1), &invite("one", "msrp://a.test:1/a;tcp"));
    legs.learn(&pf, at(1), &invite("two", "msrp://192.0.2.1:9/out;tcp"));
    legs.learn(&pf, at(1), &answer("two", "msrps://r.test:4/r;tcp msrps://b.test:2/b;tcp"));
    legs.learn(&pf, at(1), &answer("one", "msrp://192.0.2.1:9/in;tcp"));
    legs
}

/// The Call-ID of a frame.
fn call(legs: &mut Legs, at: &str, to: &str, from: &str) -> Option<String> {
    let text = format!("MSRP abcd 200 OK\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n-------abcd$\r\n");
    let cut = msrp::Cutter::new(0).push(Timestamp::default(), text.into());
    let call_id = legs.call_id(&node(at), &cut[0].head)?;
    Some(String::from_utf8(call_id.to_vec()).unwrap())
}

#[test]
fn each_leg_has_its_own_call_and_either_end_tells_it() {
    let mut legs = bridge();
    let mut call = |to, from| call(&mut legs, "pf", to, from);
    assert_eq!(call("msrp://192.0.2.1:9/in;tcp", "msrp://a.test:1/a;tcp").as_deref(), Some("one"));
    assert_eq!(call("msrp://A.TEST:1/a;tcp", "msrp://x:1/unknown;tcp").as_deref(), Some("one"));
    let through = "msrps://r.test:4/r;tcp msrps://b.test:2/b;tcp";
    assert_eq!(call(through, "msrp://192.0.2.1:9/out;tcp").as_deref(), Some("two"));
    assert_eq!(call(through, "msrp://x:1/unknown;tcp").as_deref(), Some("two"));
    // An answer to one that came through a relay has the relay alone.
    assert_eq!(call("msrps://r.test:4/r;tcp", "msrp://192.0.2.1:9/out;tcp").as_deref(), Some("two"));
    assert_eq!(call("msrp://192.0.2.1:9/IN;tcp", "msrp://a.test:7/a;tcp"), None, "another session and another port");
}

#[test]
fn what_one_node_has_seen_tells_nothing_of_another_and_what_people_write_nothing_at_all() {
    let mut legs = bridge();
    assert_eq!(call(&mut legs, "pf-b", "msrp://192.0.2.1:9/in;tcp", "msrp://a.test:1/a;tcp"), None);
    let text = "a=path:msrp://c.test:1/c;tcp\r\n";
    legs.learn(&node("pf"), at(1), &sip("MESSAGE sip:b@h SIP/2.0", "three", "MESSAGE", "application/sdp", text));
    legs.learn(&node("pf"), at(1), &sip("INVITE sip:b@h SIP/2.0", "three", "INVITE", "text/plain", text));
    assert_eq!(call(&mut legs, "pf", "msrp://c.test:1/c;tcp", "msrp://d.test:1/d;tcp"), None);
}

#[test]
fn a_call_is_forgotten_a_while_after_its_bye_and_nothing_of_it_is_left() {
    let mut legs = bridge();
    for call_id in ["one", "two", "two"] {
        legs.learn(&node("pf"), at(10), &bye(call_id));
    }
    let frame = ("msrp://192.0.2.1:9/in;tcp", "msrp://a.test:1/a;tcp");
    legs.learn(&node("pf"), at(42), &bye("nobody's"));
    assert_eq!(call(&mut legs, "pf", frame.0, frame.1).as_deref(), Some("one"));
    legs.learn(&node("pf"), at(43), &bye("nobody's"));
    assert_eq!(call(&mut legs, "pf", frame.0, frame.1), None);
    assert!(legs.by_end.is_empty() && legs.known.is_empty() && legs.by_age.is_empty() && legs.closed.is_empty());
    assert_eq!(legs.octets, 0);
}

#[test]
fn a_path_belongs_to_who_names_it_last_and_of_many_of_one_call_the_last_ones_are_known() {
    let mut legs = bridge();
    legs.learn(&node("pf"), at(2), &invite("again", "msrp://a.test:1/a;tcp"));
    assert_eq!(call(&mut legs, "pf", "msrp://a.test:1/a;tcp", "msrp://x:1/y;tcp").as_deref(), Some("again"));
    for n in 0..100 {
        legs.learn(&node("pf"), at(3), &invite("again", &format!("msrp://a.test:1/{n};tcp")));
    }
    assert!(call(&mut legs, "pf", "msrp://a.test:1/91;tcp", "msrp://x:1/y;tcp").is_none());
    assert!(call(&mut legs, "pf", "msrp://a.test:1/92;tcp", "msrp://x:1/y;tcp").is_some());
    for call_id in ["one", "two", "again"] {
        legs.forget(&(node("pf"), Bytes::copy_from_slice(call_id.as_bytes())));
    }
    assert!(legs.by_end.is_empty() && legs.octets == 0);
}

#[test]
fn a_flood_of_calls_takes_no_more_than_its_bound_and_displaces_no_session_that_is_alive() {
    let mut legs = bridge();
    let (id, before) = ("x".repeat(200), legs.known.len());
    for n in 0..40_000 {
        legs.learn(&node("pf"), at(2), &invite(&format!("{id}{n}"), &format!("msrp://c.test:1/{id}{n};tcp")));
        assert!(legs.octets <= MOST_OCTETS);
        if n % 1_000 == 0 {
            let alive = call(&mut legs, "pf", "msrp://192.0.2.1:9/in;tcp", "msrp://a.test:1/a;tcp");
            assert_eq!(alive.as_deref(), Some("one"));
        }
    }
    assert!(legs.known.len() < 40_000 + before && legs.known.len() == legs.by_age.len());
    assert_eq!(
        call(&mut legs, "pf", "msrp://192.0.2.1:9/out;tcp", "msrp://x:1/y;tcp"),
        None,
        "of that nothing was heard"
    );
}
