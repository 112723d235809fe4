//! Session records as spans, in the JSON of OTLP: identifiers in hexadecimal digits, and numbers of 64 bits as strings.
//!
//! No address and no number of a user is in a span, nor what somebody may have written into a Reason: a collector is read by
//! more people than records are.

use std::collections::BTreeMap;

use cpm::{Closing, MediaPath, SessionCase, SessionRecord};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wire::Timestamp;

use super::Ended;

/// SPAN_KIND_SERVER: the function serves a request, however long that takes.
const SERVER: u8 = 2;
/// STATUS_CODE_ERROR.
const ERROR: u8 = 2;

/// Identifiers that are longer are cut.
const LONGEST_ID: usize = 128;

/// The body of a request: the spans by nodes, which are the resources.
pub(super) fn request(batch: &[Ended]) -> Vec<u8> {
    let mut nodes: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for Ended { node, record } in batch {
        nodes.entry(node).or_default().push(span(node, record));
    }
    let version = env!("CARGO_PKG_VERSION");
    let resource = |(node, spans): (&str, Vec<Value>)| {
        let attributes =
            [text("service.name", "duologue"), text("service.version", version), text("service.instance.id", node)];
        json!({
            "resource": { "attributes": attributes },
            "scopeSpans": [{ "scope": { "name": "duologue", "version": version }, "spans": spans }],
        })
    };
    json!({ "resourceSpans": nodes.into_iter().map(resource).collect::<Vec<_>>() }).to_string().into_bytes()
}

fn span(node: &str, record: &SessionRecord) -> Value {
    let mut span = json!({
        "traceId": trace_id(node, record),
        "spanId": span_id(node, record.key, "session"),
        "name": "session",
        "kind": SERVER,
        "startTimeUnixNano": nanos(record.started),
        "endTimeUnixNano": nanos(record.ended),
        "attributes": attributes(record),
    });
    match record.closing {
        Closing::Lost | Closing::Expired => {
            span["status"] = json!({ "code": ERROR, "message": record.closing.as_str() });
        }
        Closing::ServedUser | Closing::Peer | Closing::Released(_) => {}
    }
    span
}

fn attributes(record: &SessionRecord) -> Vec<Value> {
    let case = match record.case {
        SessionCase::Originating => "originating",
        SessionCase::Terminating => "terminating",
    };
    let mut all = vec![
        text("duologue.session.key", &format!("{:016x}", record.key)),
        text("duologue.session.case", case),
        text("duologue.session.media_path", if record.media_path == MediaPath::On { "on" } else { "off" }),
        text("duologue.session.closed_by", record.closing.as_str()),
    ];
    all.extend(opaque(&record.conversation_id).map(|id| text("duologue.conversation_id", id)));
    all.extend(opaque(&record.contribution_id).map(|id| text("duologue.contribution_id", id)));
    if let Closing::Released(why) = record.closing {
        all.push(text("duologue.session.released", why.as_str()));
    }
    all.extend(record.cause.as_deref().and_then(bare_reason).map(|cause| text("duologue.session.cause", &cause)));
    all.extend(record.bye.map(|status| number("duologue.session.bye", status.into())));
    // Off the media path nobody has counted.
    if record.media_path == MediaPath::On {
        all.push(number("duologue.msrp.sent.messages", record.sent.messages));
        all.push(number("duologue.msrp.sent.octets", record.sent.octets));
        all.push(number("duologue.msrp.received.messages", record.received.messages));
        all.push(number("duologue.msrp.received.octets", record.received.octets));
    }
    all
}

/// Of what all functions of a session know, so that their spans are in one trace. Without it, a session is a trace of its own.
fn trace_id(node: &str, record: &SessionRecord) -> String {
    let key = record.key.to_be_bytes();
    let parts = if record.contribution_id.is_empty() {
        [node.as_bytes(), &key]
    } else {
        [record.contribution_id.as_bytes(), record.conversation_id.as_bytes()]
    };
    digest(&parts, 16)
}

/// The same whenever a record is handed over again, so that a collector may know it.
fn span_id(node: &str, key: u64, name: &str) -> String {
    digest(&[node.as_bytes(), &key.to_be_bytes(), name.as_bytes()], 8)
}

/// So many octets of a digest, in which the parts cannot run into each other.
fn digest(parts: &[&[u8]], octets: usize) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    HEXLOWER.encode(&digest.finalize()[..octets])
}

/// An identifier that names nobody, cut where it is long: it has letters, digits and hyphens as those that machines draw. Any
/// other may be somebody's address or number.
fn opaque(id: &str) -> Option<&str> {
    let is_drawn = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let has = |kind: fn(&u8) -> bool| id.as_bytes().iter().any(kind);
    let names_nobody = is_drawn && has(u8::is_ascii_alphabetic) && has(u8::is_ascii_digit);
    names_nobody.then(|| &id[..LONGEST_ID.min(id.len())])
}

/// The protocol and the cause of a Reason (RFC 3326) without its text.
fn bare_reason(reason: &str) -> Option<String> {
    let (protocol, parameters) = reason.split_once(';')?;
    let protocol =
        Some(protocol.trim()).filter(|word| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)))?;
    let cause = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("cause="))?;
    cause.parse::<u16>().ok().map(|cause| format!("{protocol};cause={cause}"))
}

fn nanos(at: Timestamp) -> String {
    (u128::from(at.as_micros()) * 1_000).to_string()
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(batch: &[Ended]) -> Value {
        serde_json::from_slice(&request(batch)).unwrap()
    }

    fn ended(node: &str, record: SessionRecord) -> Ended {
        Ended { node: node.into(), record }
    }

    #[test]
    fn a_span_is_as_collectors_read_it_and_names_no_user() {
        let mut record = SessionRecord::example(0x1f);
        record.cause = Some("SIP ; text=\"bye, sip:alice@home1.test\"; cause=200".to_owned());
        let sent = spans(&[ended("pf-a", record)]);
        let resource = &sent["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0], text("service.name", "duologue"));
        assert_eq!(resource["resource"]["attributes"][2], text("service.instance.id", "pf-a"));
        let span = &resource["scopeSpans"][0]["spans"][0];
        assert_eq!((&span["name"], &span["kind"]), (&json!("session"), &json!(2)));
        assert_eq!(span["startTimeUnixNano"], "1000000000");
        assert_eq!(span["endTimeUnixNano"], "61500000000");
        let hex = |id: &Value| id.as_str().unwrap().bytes().filter(|b| b"0123456789abcdef".contains(b)).count();
        assert_eq!((hex(&span["traceId"]), hex(&span["spanId"])), (32, 16));
        let attributes = span["attributes"].as_array().unwrap();
        for expected in [
            text("duologue.session.key", "000000000000001f"),
            text("duologue.session.case", "originating"),
            text("duologue.session.media_path", "on"),
            text("duologue.session.closed_by", "peer"),
            text("duologue.session.cause", "SIP;cause=200"),
            text("duologue.conversation_id", "c1"),
            text("duologue.contribution_id", "d2"),
            number("duologue.session.bye", 200),
            number("duologue.msrp.sent.messages", 2),
            number("duologue.msrp.sent.octets", 40),
            number("duologue.msrp.received.messages", 0),
        ] {
            assert!(attributes.contains(&expected), "{expected} in {span}");
        }
        assert!(span.get("status").is_none() && span.get("parentSpanId").is_none(), "{span}");
        for secret in ["alice", "bob", "home1", "home2", "sip:"] {
            assert!(!sent.to_string().contains(secret), "{secret} in {sent}");
        }
    }

    #[test]
    fn the_functions_of_a_session_are_in_one_trace_with_spans_of_their_own() {
        let (a, mut b, mut other) = (SessionRecord::example(1), SessionRecord::example(1), SessionRecord::example(2));
        b.case = SessionCase::Terminating;
        other.contribution_id = "d2c1".to_owned();
        other.conversation_id = String::new();
        let ids = |node, record: &SessionRecord| (trace_id(node, record), span_id(node, record.key, "session"));
        let [a, b, other] = [ids("pf-a", &a), ids("pf-b", &b), ids("pf-a", &other)];
        assert_eq!(a.0, b.0);
        assert_ne!(a.1, b.1);
        assert_ne!(a.0, other.0);

        // Without a Contribution-ID nothing is known to belong together.
        let mut nameless = [SessionRecord::example(1), SessionRecord::example(2)];
        nameless.iter_mut().for_each(|record| record.contribution_id.clear());
        assert_ne!(trace_id("pf-a", &nameless[0]), trace_id("pf-a", &nameless[1]));
        assert_ne!(trace_id("pf-a", &nameless[0]), trace_id("pf-b", &nameless[0]));
    }

    #[test]
    fn each_node_is_a_resource() {
        let sent = spans(&[
            ended("pf-b", SessionRecord::example(1)),
            ended("pf-a", SessionRecord::example(2)),
            ended("pf-b", SessionRecord::example(3)),
        ]);
        let counts = |i: usize| sent["resourceSpans"][i]["scopeSpans"][0]["spans"].as_array().map(Vec::len);
        assert_eq!([counts(0), counts(1), counts(2)], [Some(1), Some(2), None]);
    }

    #[test]
    fn a_session_that_was_lost_is_an_error_and_off_the_media_path_nothing_is_counted() {
        let mut record = SessionRecord::example(1);
        record.closing = Closing::Lost;
        record.media_path = MediaPath::Off;
        let span = span("pf-a", &record);
        assert_eq!(span["status"], json!({ "code": 2, "message": "lost" }));
        assert!(!span.to_string().contains("duologue.msrp"), "{span}");
    }

    #[test]
    fn identifiers_are_cut_and_addresses_are_none() {
        assert_eq!(opaque(&"f8".repeat(100)).map(str::len), Some(128));
        assert_eq!(opaque("f81d4fae-7dec-11d0"), Some("f81d4fae-7dec-11d0"));
        for name in ["a1@home1.test", "", "tel:+491511234567", "+491511234567", "0151-1234567", "alice", "é1"] {
            assert_eq!(opaque(name), None, "{name}");
        }
        assert_eq!(bare_reason("Q.850;cause=16;text=\"x\"").as_deref(), Some("Q.850;cause=16"));
        assert_eq!(
            [bare_reason("alice"), bare_reason("a b;cause=1"), bare_reason("SIP;text=\"x\"")],
            [None, None, None]
        );
    }
}
