use std::time::Duration;

use sip::Method;
use wire::Histogram;

use Method::{
    Ack, Bye, Cancel, Extension, Info, Invite, Message, Notify, Options, Prack, Publish, Refer, Register, Subscribe,
    Update,
};

/// All methods, each at its place in the tables.
const METHODS: [Method; 15] = [
    Invite, Ack, Bye, Cancel, Register, Options, Message, Update, Prack, Info, Subscribe, Notify, Refer, Publish,
    Extension,
];

/// How a transaction ended.
const OUTCOMES: [&str; 6] = ["none", "2xx", "3xx", "4xx", "5xx", "6xx"];

/// Transactions of one method in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Row {
    requests: u64,
    outcomes: [u64; OUTCOMES.len()],
    took: Histogram,
}

/// Transactions since the start, in one direction: requests, each once however often it was repeated (but for one that was answered
/// 503 as too much, of which nothing is known when it comes again), and how they ended. A server transaction that its role never
/// answers has no outcome; the ACK of a 2xx has no transaction and is not in here. The table has a fixed size.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic([Row; METHODS.len()]);

impl Traffic {
    /// Requests of each method that there was one of.
    pub fn requests(&self) -> impl Iterator<Item = (Method, u64)> {
        METHODS.into_iter().zip(&self.0).map(|(method, row)| (method, row.requests)).filter(|(_, count)| *count > 0)
    }

    /// Transactions that have ended, by method and the class of their final response: `2xx` to `6xx`, or `none` if there was
    /// no response.
    pub fn outcomes(&self) -> impl Iterator<Item = (Method, &'static str, u64)> {
        let of = |(method, row): (Method, &Row)| {
            let row = *row;
            OUTCOMES.into_iter().zip(row.outcomes).map(move |(outcome, count)| (method, outcome, count))
        };
        METHODS.into_iter().zip(&self.0).flat_map(of).filter(|(_, _, count)| *count > 0)
    }

    /// How long transactions of each method took from the request to its final response. Those without one are not in here.
    pub fn durations(&self) -> impl Iterator<Item = (Method, Histogram)> {
        METHODS.into_iter().zip(&self.0).map(|(method, row)| (method, row.took)).filter(|(_, took)| took.count() > 0)
    }

    pub(crate) fn request(&mut self, method: Method) {
        self.0[method as usize].requests += 1;
    }

    /// `None`: there was no response.
    pub(crate) fn end(&mut self, method: Method, status: Option<u16>, took: Duration) {
        let outcome = status.map_or(0, |status| usize::from(status / 100).saturating_sub(1).min(OUTCOMES.len() - 1));
        let row = &mut self.0[method as usize];
        row.outcomes[outcome] += 1;
        if status.is_some() {
            row.took.add(took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_and_class_has_its_place() {
        for (place, method) in METHODS.into_iter().enumerate() {
            assert_eq!(method as usize, place);
            for (status, outcome) in [
                (None, "none"),
                (Some(200), "2xx"),
                (Some(302), "3xx"),
                (Some(486), "4xx"),
                (Some(503), "5xx"),
                (Some(699), "6xx"),
            ] {
                let mut traffic = Traffic::default();
                traffic.request(method);
                traffic.end(method, status, Duration::from_millis(3));
                let took: Vec<_> = traffic.durations().map(|(of, took)| (of, took.count(), took.sum())).collect();
                let expected = status.map(|_| (method, 1, Duration::from_millis(3)));
                assert_eq!(took, expected.into_iter().collect::<Vec<_>>());
                assert_eq!(traffic.requests().collect::<Vec<_>>(), [(method, 1)]);
                assert_eq!(traffic.outcomes().collect::<Vec<_>>(), [(method, outcome, 1)]);
            }
        }
    }
}
