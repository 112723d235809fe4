//! What RFC 4475 leaves a server to answer, message by message.
//!
//! The RFC tests elements of every kind, so each row allows what a registrar, a proxy or a user agent server may do with the
//! message, and says in words what it does not allow. A request may also meet silence.

use Rule::{Any, Not, OneOf, Taken};

/// A row of the table.
enum Rule {
    /// The message is valid: it is taken, or refused for another reason than its form.
    Taken,
    /// One of these statuses, or silence.
    OneOf(&'static [u16]),
    /// Anything but these.
    Not(&'static [u16]),
    /// The RFC leaves it open.
    Any,
    /// It is a response, or must not be answered.
    Silence,
}

/// Whether the answer is allowed; else what would have been. Messages that the table does not know may be answered anyhow.
pub(super) fn check(name: &str, answer: Option<u16>) -> Result<(), String> {
    let Some((_, rule, why)) = TABLE.iter().find(|(its, _, _)| *its == name) else { return Ok(()) };
    let allowed = match rule {
        Taken => answer.is_none_or(|s| s != 400 && (s < 500 || [480, 501, 505, 604].contains(&s))),
        OneOf(statuses) => answer.is_none_or(|s| statuses.contains(&s)),
        Not(statuses) => answer.is_none_or(|s| !statuses.contains(&s)),
        Any => true,
        Rule::Silence => answer.is_none(),
    };
    if allowed { Ok(()) } else { Err((*why).to_owned()) }
}

/// Statuses of a node that has found nothing wrong with the form but does not serve the target.
const NOT_OURS: [u16; 3] = [403, 404, 480];

const TABLE: &[(&str, Rule, &str)] = &[
    // RFC 4475 §3.1.1: valid messages.
    ("wsinv", Taken, "white space and folding are legal (§3.1.1.1)"),
    ("intmeth", Taken, "odd tokens are legal (§3.1.1.2)"),
    ("esc01", Taken, "escapes in URIs are legal (§3.1.1.3)"),
    ("escnull", Taken, "an escaped null is legal (§3.1.1.4)"),
    ("esc02", Taken, "a percent sign in a method is no escape (§3.1.1.5)"),
    ("lwsdisp", Taken, "no space is needed before < (§3.1.1.6)"),
    ("longreq", Taken, "long values are legal (§3.1.1.7)"),
    ("dblreq", Taken, "what follows the body of a datagram is ignored (§3.1.1.8)"),
    ("semiuri", Taken, "a semicolon in the user part is legal (§3.1.1.9)"),
    ("transports", Taken, "unknown transports in lower Vias are legal (§3.1.1.10)"),
    ("mpart01", Taken, "binary multipart bodies are legal (§3.1.1.11)"),
    ("unreason", Rule::Silence, "a response is never answered (§3.1.1.12)"),
    ("noreason", Rule::Silence, "a response is never answered (§3.1.1.13)"),
    // RFC 4475 §3.1.2: invalid messages.
    ("badinv01", OneOf(&[400]), "header fields with empty parameters get 400 (§3.1.2.1)"),
    ("clerr", OneOf(&[400]), "a datagram shorter than its Content-Length gets 400 (§3.1.2.2)"),
    ("ncl", OneOf(&[400]), "a negative Content-Length gets 400 (§3.1.2.3)"),
    ("scalar02", OneOf(&[400]), "numbers out of range get 400 (§3.1.2.4)"),
    ("scalarlg", Rule::Silence, "a response is never answered (§3.1.2.5)"),
    ("quotbal", OneOf(&[400]), "an open quote gets 400 (§3.1.2.6)"),
    ("ltgtruri", OneOf(&[400, NOT_OURS[0], NOT_OURS[1], NOT_OURS[2]]), "a Request-URI in <> is refused (§3.1.2.7)"),
    ("lwsruri", OneOf(&[400]), "white space in the Request-URI gets 400 (§3.1.2.8)"),
    (
        "lwsstart",
        OneOf(&[400, NOT_OURS[0], NOT_OURS[1], NOT_OURS[2]]),
        "two spaces in the start line are refused or mended (§3.1.2.9)",
    ),
    (
        "trws",
        OneOf(&[200, 400, NOT_OURS[0], NOT_OURS[1], NOT_OURS[2]]),
        "a space at the end of the start line is refused or mended (§3.1.2.10)",
    ),
    (
        "escruri",
        OneOf(&[400, NOT_OURS[0], NOT_OURS[1], NOT_OURS[2]]),
        "escaped header fields in the Request-URI are refused or ignored (§3.1.2.11)",
    ),
    ("baddate", Any, "a Date in another zone may be ignored (§3.1.2.12)"),
    ("regbadct", Not(&[200, 500]), "a Contact with bare header parameters is refused with 4xx (§3.1.2.13)"),
    ("badaspec", Any, "an unquoted URI with a space may be read anyhow (§3.1.2.14)"),
    ("baddn", Any, "a display name that wants quotes may be read anyhow (§3.1.2.15)"),
    ("badvers", OneOf(&[505]), "an unknown version gets 505 (§3.1.2.16)"),
    ("mismatch01", OneOf(&[400]), "a CSeq of another method gets 400 (§3.1.2.17)"),
    ("mismatch02", OneOf(&[400, 501]), "a CSeq of another method gets 400, an unknown method 501 (§3.1.2.18)"),
    ("bigcode", Rule::Silence, "a response is never answered (§3.1.2.19)"),
    // RFC 4475 §3.2: transaction layer.
    ("badbranch", Not(&[500]), "a branch of the cookie only may be taken or refused (§3.2.1)"),
    // RFC 4475 §3.3: application layer.
    ("insuf", OneOf(&[400]), "missing mandatory header fields get 400 (§3.3.1)"),
    ("unkscm", OneOf(&[416, NOT_OURS[0], NOT_OURS[1], NOT_OURS[2]]), "an unknown scheme gets 416 (§3.3.2)"),
    (
        "novelsc",
        OneOf(&[416, NOT_OURS[0], NOT_OURS[1], NOT_OURS[2]]),
        "a known scheme that is not SIP gets 416 (§3.3.3)",
    ),
    ("unksm2", Not(&[200, 500]), "unknown schemes in To and Contact are refused with 4xx (§3.3.4)"),
    ("bext01", OneOf(&[403, 404, 405, 420, 480]), "an unknown Require or Proxy-Require gets 420 (§3.3.5)"),
    ("invut", OneOf(&[403, 404, 415, 480, 488]), "an unknown body type gets 415 (§3.3.6)"),
    ("regaut01", Not(&[200, 500]), "an unknown authorization scheme gets a challenge or a refusal (§3.3.7)"),
    ("multi01", OneOf(&[400]), "repeated single header fields get 400 (§3.3.8)"),
    ("mcl01", OneOf(&[400]), "two Content-Lengths get 400 (§3.3.9)"),
    ("bcast", Rule::Silence, "a response is never answered (§3.3.10)"),
    ("zeromf", OneOf(&[200, 483]), "Max-Forwards 0 is answered here or gets 483 (§3.3.11)"),
    ("cparam01", Taken, "unknown Contact header parameters are legal (§3.3.12)"),
    ("cparam02", Taken, "unknown Contact URI parameters are legal (§3.3.13)"),
    ("regescrt", Taken, "an escaped Route in a Contact is legal (§3.3.14)"),
    ("sdp01", Taken, "an Accept without SDP is legal in an OPTIONS or INVITE (§3.3.15)"),
    // RFC 4475 §3.4: backward compatibility.
    ("inv2543", Taken, "an INVITE of RFC 2543 is legal (§3.4.1)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_messages_may_be_refused_but_not_for_their_form() {
        for status in [None, Some(200), Some(404), Some(401), Some(501)] {
            assert_eq!(check("wsinv", status), Ok(()), "{status:?}");
        }
        for status in [Some(400), Some(500), Some(503)] {
            assert!(check("wsinv", status).is_err(), "{status:?}");
        }
    }

    #[test]
    fn a_response_is_never_answered_and_a_broken_request_never_taken() {
        assert!(check("bigcode", Some(400)).is_err());
        assert!(check("ncl", Some(200)).is_err());
        assert!(check("regbadct", Some(200)).unwrap_err().contains("§3.1.2.13"));
        assert_eq!(check("badvers", Some(505)), Ok(()));
    }

    #[test]
    fn every_message_of_the_suite_has_a_row() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../sip/tests/torture/rfc4475");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        let mut rows: Vec<&str> = TABLE.iter().map(|(name, _, _)| *name).collect();
        rows.sort_unstable();
        assert_eq!(rows, names);
    }
}
