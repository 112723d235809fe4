//! Overload: what a node refuses when it cannot keep up (RFC 5390), what it tells its neighbours (RFC 7339), and what it
//! does when they tell it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sip::header::Via;
use sip::{Message, Method, Name, Request, Response};
use wire::{Entropy, Instant, Timestamp};

/// An input that is read sooner than this found no queue to speak of.
const TARGET: Duration = Duration::from_millis(5);
/// One that is read later found a queue that should not be there.
const LATE: Duration = Duration::from_millis(20);
/// A queue that stands for so long does not go away by itself: it is no burst.
const STANDING: Duration = Duration::from_millis(100);
/// From here on refreshes are refused too.
const VERY_LATE: Duration = Duration::from_millis(200);
/// A queue that comes back within this time is the same overload.
const RELAPSE: Duration = Duration::from_secs(1);

/// How long what is told holds (RFC 7339 §4.3), and how often it is adapted.
const VALIDITY: Duration = Duration::from_millis(500);
/// Neighbours that are remembered to be overloaded.
const NEIGHBOURS: usize = 1024;

/// What a request is worth when not everything can be served: the last is refused first. Responses, ACK and CANCEL are
/// always served: they end things.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// BYE and PRACK inside a dialog. Whether the dialog exists is for the role to see, and it must see to it before it
    /// does anything else: a To tag is easily written.
    Closing,
    /// Anything else inside a dialog.
    Refresh,
    /// What begins something: INVITE, MESSAGE, REGISTER, REFER.
    New,
    /// What can wait: OPTIONS, SUBSCRIBE, PUBLISH and what we do not know.
    Background,
}

impl Class {
    /// The class of a request.
    pub fn of(request: &Request) -> Class {
        let is_inside = !request.to_tag().is_empty();
        match request.method() {
            Method::Ack | Method::Cancel => Class::Closing,
            Method::Bye | Method::Prack if is_inside => Class::Closing,
            _ if is_inside => Class::Refresh,
            Method::Invite | Method::Message | Method::Register | Method::Refer => Class::New,
            Method::Bye
            | Method::Prack
            | Method::Options
            | Method::Subscribe
            | Method::Notify
            | Method::Publish
            | Method::Info
            | Method::Update
            | Method::Extension => Class::Background,
        }
    }
}

/// How late the node is, and what it refuses for that.
#[derive(Debug, Default)]
pub(crate) struct Overload {
    /// Since when every input has been late.
    late_since: Option<Instant>,
    /// The least important class that is still served; `None`: all are.
    serves: Option<Class>,
    ended_at: Option<Instant>,
    /// What neighbours are to leave out, in percent.
    loss: u8,
    adapted_at: Instant,
}

impl Overload {
    /// The host says how long the next input has waited. CoDel's rule: what counts is not a long queue but one that stands.
    pub(crate) fn note(&mut self, lag: Duration, now: Instant) {
        if lag < TARGET {
            if self.serves.take().is_some() {
                self.ended_at = Some(now);
            }
            self.late_since = None;
        } else if lag > LATE {
            let since = *self.late_since.get_or_insert(now);
            let is_relapse = self.ended_at.is_some_and(|at| now - at < RELAPSE);
            if is_relapse || now - since >= STANDING {
                self.serves = Some(if lag > VERY_LATE { Class::Closing } else { Class::Refresh });
            }
        }
        self.adapt(now);
    }

    /// Whether a request is refused because the node is late.
    pub(crate) fn sheds(&self, class: Class) -> bool {
        self.serves.is_some_and(|least| class > least)
    }

    /// More is left out as long as it is not enough, and less once it is.
    fn adapt(&mut self, now: Instant) {
        if now - self.adapted_at < VALIDITY {
            return;
        }
        self.adapted_at = now;
        self.loss = if self.serves.is_some() { (self.loss + 20).min(90) } else { self.loss.saturating_sub(10) };
    }

    /// Tells a neighbour that has asked for it (RFC 7339 §4): into the topmost Via of a response goes how much to leave out.
    pub(crate) fn tell(&self, response: &Bytes, utc: Timestamp) -> Bytes {
        let Ok(message) = Message::parse_response(response.clone()) else { return response.clone() };
        let Some(top) = message.values(Name::Via).next() else { return response.clone() };
        let mut via = without_oc(top);
        let validity = if self.loss == 0 { 0 } else { VALIDITY.as_millis() };
        let seq = utc.as_micros();
        let told = format!(
            ";oc={};oc-algo=\"loss\";oc-validity={validity};oc-seq={}.{:03}",
            self.loss,
            seq / 1_000_000,
            seq % 1_000_000 / 1_000
        );
        via.extend_from_slice(told.as_bytes());
        message.edit().replace_top(Name::Via, via).finish()
    }
}

/// Whether the sender of a request wants to be told, by the one algorithm that there is here.
pub(crate) fn wants_oc(request: &Request) -> bool {
    let via = request.via();
    let knows_loss = |algos: &[u8]| algos.windows(4).any(|algo| algo.eq_ignore_ascii_case(b"loss"));
    via.has_oc() && via.params.get("oc-algo").is_none_or(knows_loss)
}

/// A Via value without the parameters of RFC 7339.
fn without_oc(via: &[u8]) -> Vec<u8> {
    let is_oc = |part: &&[u8]| {
        let name = part.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(b"oc") || name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"oc-"))
    };
    let parts: Vec<&[u8]> = via.split(|b| *b == b';').filter(|part| !is_oc(part)).collect();
    parts.join(&b';')
}

/// What the neighbours have told.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    told: BTreeMap<SocketAddr, Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    /// Percent.
    loss: u64,
    until: Instant,
    /// In milliseconds.
    seq: u64,
}

impl Neighbours {
    /// Takes what a response says that belongs to a request of ours (RFC 7339 §5.4).
    pub(crate) fn listen(&mut self, response: &Response, from: SocketAddr, now: Instant) {
        let Some((loss, validity, seq)) = told_in(&response.via()) else { return };
        // What was told later and came earlier counts.
        if self.told.get(&from).is_some_and(|known| known.seq > seq) {
            return;
        }
        if self.told.len() >= NEIGHBOURS {
            self.told.retain(|_, told| told.until > now);
        }
        if self.told.len() < NEIGHBOURS || self.told.contains_key(&from) {
            self.told.insert(from, Told { loss, until: now + Duration::from_millis(validity), seq });
        }
    }

    /// Whether a new request to a neighbour is to be left out.
    pub(crate) fn leaves_out(&self, to: SocketAddr, dice: &mut Entropy, now: Instant) -> bool {
        let told = self.told.get(&to).filter(|told| told.until > now && told.loss > 0);
        told.is_some_and(|told| dice.below(100) < told.loss)
    }

    pub(crate) fn len(&self) -> usize {
        self.told.len()
    }
}

/// Loss, validity in milliseconds (500 if it is not said), sequence in milliseconds.
fn told_in(via: &Via<'_>) -> Option<(u64, u64, u64)> {
    let text = |name| via.params.get(name).and_then(|value| std::str::from_utf8(value).ok());
    let loss = text("oc")?.parse().ok().filter(|loss| *loss <= 100)?;
    let validity = text("oc-validity").map_or(Some(500), |value| value.parse().ok())?;
    let (seconds, thousandths) = text("oc-seq")?.split_once('.')?;
    let thousandths = thousandths.get(..3.min(thousandths.len()))?.parse::<u64>().ok()?;
    Some((loss, validity, seconds.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(thousandths)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    const fn lag(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_is_served_and_a_standing_queue_is_not() {
        let mut overload = Overload::default();
        for ms in 0..100 {
            overload.note(lag(30), at(ms));
            assert!(!overload.sheds(Class::Background), "a burst");
        }
        overload.note(lag(30), at(100));
        assert!(overload.sheds(Class::New) && overload.sheds(Class::Background));
        assert!(!overload.sheds(Class::Refresh) && !overload.sheds(Class::Closing));
        overload.note(lag(10), at(110));
        assert!(overload.sheds(Class::New), "it has not gone yet");
        overload.note(lag(250), at(120));
        assert!(
            overload.sheds(Class::Refresh) && !overload.sheds(Class::Closing),
            "closing is never refused for lateness"
        );
        overload.note(lag(1), at(130));
        assert!(!overload.sheds(Class::Background), "the queue is gone");
        overload.note(lag(30), at(500));
        assert!(overload.sheds(Class::New), "the same overload again");
        overload.note(lag(1), at(510));
        overload.note(lag(30), at(5000));
        assert!(!overload.sheds(Class::New), "another one has its burst");
    }

    fn response(via: &str) -> Response {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: c\r\n\
             CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse_response(text.into()).unwrap()
    }

    #[test]
    fn what_is_told_is_understood_and_holds_for_its_time() {
        let mut overload = Overload::default();
        (0..30).for_each(|n| overload.note(lag(50), at(n * 100)));
        let asked = response("SIP/2.0/UDP h;branch=z9hG4bK1;oc;oc-algo=\"loss,rate\";rport");
        let told = overload.tell(&asked.bytes().clone(), Timestamp::from_micros(7_123_456));
        let told = Message::parse_response(told).unwrap();
        let top = String::from_utf8_lossy(told.values(Name::Via).next().unwrap()).into_owned();
        assert_eq!(top, "SIP/2.0/UDP h;branch=z9hG4bK1;rport;oc=90;oc-algo=\"loss\";oc-validity=500;oc-seq=7.123");
        let (mut neighbours, mut dice, peer) =
            (Neighbours::default(), Entropy::from_seed(1), "10.0.0.1:5060".parse().unwrap());
        neighbours.listen(&told, peer, at(0));
        let left_out = (0..1000).filter(|_| neighbours.leaves_out(peer, &mut dice, at(499))).count();
        assert!((850..950).contains(&left_out), "{left_out}");
        assert!(!neighbours.leaves_out(peer, &mut dice, at(500)), "its time is over");
        assert!(!neighbours.leaves_out("10.0.0.2:5060".parse().unwrap(), &mut dice, at(1)), "another neighbour");
        neighbours.listen(&response("SIP/2.0/UDP h;branch=z9hG4bK1;oc=0;oc-validity=0;oc-seq=7.200"), peer, at(1));
        assert!(!neighbours.leaves_out(peer, &mut dice, at(2)), "it has recovered");
        neighbours.listen(&told, peer, at(3));
        assert!(!neighbours.leaves_out(peer, &mut dice, at(4)), "that was told before");
    }

    #[test]
    fn neighbours_are_bounded_and_junk_is_not_believed() {
        let (mut neighbours, mut dice) = (Neighbours::default(), Entropy::from_seed(1));
        let peer = |n: u32| SocketAddr::new(std::net::Ipv4Addr::from_bits(n).into(), 5060);
        let told = response("SIP/2.0/UDP h;branch=z9hG4bK1;oc=100;oc-algo=\"loss\";oc-validity=500;oc-seq=1.5");
        (0..5000).for_each(|n| neighbours.listen(&told, peer(n), at(0)));
        assert_eq!(neighbours.len(), NEIGHBOURS);
        for junk in [
            "oc=101;oc-seq=9.1",
            "oc=x;oc-seq=9.1",
            "oc=50",
            "oc;oc-seq=9.1",
            "oc=50;oc-seq=9",
            "oc=5;oc-seq=99999999999999999999.1",
        ] {
            neighbours.listen(&response(&format!("SIP/2.0/UDP h;branch=z9hG4bK1;{junk}")), peer(9_999_999), at(600));
            assert!(!neighbours.leaves_out(peer(9_999_999), &mut dice, at(601)), "{junk}");
        }
    }
}
