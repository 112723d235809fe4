//! The header fields that both ends agree by: facts in, agreement out.

use std::time::Duration;

use sip::header::{MinSe, Refresher, SessionExpires};
use sip::{Message, Name};

use super::Agreed;
use crate::Reject;
use crate::config::Intervals;

/// Whether the session interval of a request is shorter than we take, as UAS or as a proxy on the way: it is answered 422
/// with this Min-SE (RFC 4028 §9, §8.1). A caller that does not know of session timers would not understand that.
pub fn too_small(request: &Message, ours: Intervals) -> Option<MinSe> {
    let is_small = asked(request).is_some_and(|asked| asked.interval < ours.min_se);
    (is_small && knows_timers(request)).then_some(MinSe(ours.min_se))
}

/// The refusal that is due then.
pub(crate) fn check(request: &Message, ours: Intervals) -> Result<(), Reject> {
    let refuse = |min: MinSe| Err(Reject::new(422).with(Name::MinSe, min.to_string()));
    too_small(request, ours).map_or(Ok(()), refuse)
}

/// The Session-Expires of our 2xx, or none (RFC 4028 §9, Table 2). Only what both ends know of is counted.
pub(super) fn answer(request: &Message, ours: Intervals, we_refresh: bool) -> Option<SessionExpires> {
    if !knows_timers(request) {
        return None;
    }
    // We may shorten what is asked for, but not below what anybody on the way takes.
    let least = least(request).max(ours.min_se);
    let longest = ours.session_expires.max(least);
    let asked = asked(request);
    let interval = asked.map_or(longest, |asked| asked.interval.min(longest));
    // Who wants the timer refreshes the session, unless it is being refreshed by us already.
    let usual = if we_refresh { Refresher::Uas } else { Refresher::Uac };
    let refresher = asked.and_then(|asked| asked.refresher).unwrap_or(usual);
    Some(SessionExpires { interval, refresher: Some(refresher) })
}

/// What a 2xx says (RFC 4028 §7.2): without Session-Expires there is no timer. Nobody makes us refresh in a frenzy: an
/// interval that we would have refused counts as the least that we take.
pub(super) fn of_response(response: &Message, min_se: u32) -> Option<Agreed> {
    let says = asked(response)?;
    let interval = Duration::from_secs(says.interval.max(min_se).into());
    Some(Agreed { interval, we_refresh: says.refresher != Some(Refresher::Uas) })
}

/// A value that cannot be read is as good as none: the session lives without a timer.
fn asked(message: &Message) -> Option<SessionExpires> {
    message.header(Name::SessionExpires).and_then(|value| SessionExpires::parse(value).ok())
}

fn least(request: &Message) -> u32 {
    request.header(Name::MinSe).and_then(|value| MinSe::parse(value).ok()).unwrap_or(MinSe::DEFAULT).0
}

fn knows_timers(request: &Message) -> bool {
    [Name::Supported, Name::Require]
        .into_iter()
        .any(|name| request.values(name).any(|tag| tag.eq_ignore_ascii_case(b"timer")))
}

#[cfg(test)]
mod tests {
    use sip::Request;

    use super::*;

    const OURS: Intervals = Intervals { session_expires: 1800, min_se: 120 };

    fn invite(says: &str) -> Request {
        let text = format!(
            "INVITE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\n\
             Call-ID: c\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:a@a>\r\n{says}Content-Length: 0\r\n\r\n"
        );
        Message::parse_request(text.into()).unwrap()
    }

    #[test]
    fn a_uas_answers_as_table_2_says() {
        for (says, we_refresh, answer) in [
            ("", false, None),
            ("Session-Expires: 900\r\n", false, None),
            ("Supported: timer\r\n", false, Some("1800;refresher=uac")),
            ("Supported: path, Timer\r\nSession-Expires: 900\r\n", false, Some("900;refresher=uac")),
            ("Supported: timer\r\nx: 900\r\n", true, Some("900;refresher=uas")),
            ("k: timer\r\nx: 900;refresher=uas\r\n", false, Some("900;refresher=uas")),
            ("k: timer\r\nx: 900;refresher=uac\r\n", true, Some("900;refresher=uac")),
            ("k: timer\r\nx: 86400\r\n", false, Some("1800;refresher=uac")),
            ("k: timer\r\nx: 86400\r\nMin-SE: 3600\r\n", false, Some("3600;refresher=uac")),
            ("k: timer\r\nx: soon\r\n", false, Some("1800;refresher=uac")),
        ] {
            let read = super::answer(&invite(says), OURS, we_refresh).map(|answer| answer.to_string());
            assert_eq!(read.as_deref(), answer, "{says}");
        }
    }

    #[test]
    fn too_short_an_interval_is_refused_to_whoever_understands_it() {
        for (says, refused) in [
            ("k: timer\r\nx: 119\r\n", true),
            ("k: timer\r\nx: 120\r\n", false),
            ("k: timer\r\n", false),
            ("x: 90\r\n", false),
            ("Require: timer\r\nx: 90\r\n", true),
        ] {
            assert_eq!(too_small(&invite(says), OURS).is_some(), refused, "{says}");
        }
        let reject = check(&invite("k: timer\r\nx: 90\r\n"), OURS).unwrap_err();
        assert_eq!((reject.status, reject.headers.get(Name::MinSe).unwrap()), (422, &b"120"[..]));
    }
}
