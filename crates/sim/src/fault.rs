use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

/// A datagram that is about to be sent, as a scripted fault sees it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Name of the sending node.
    pub from: &'a str,
    /// Name of the receiving node, or the address when no node has it.
    pub to: &'a str,
    /// The address it comes from.
    pub source: SocketAddr,
    /// The address it goes to.
    pub destination: SocketAddr,
    /// What the ladder will call it; empty for a keep-alive, which no ladder shows.
    pub label: &'a str,
    /// The bytes.
    pub data: &'a Bytes,
}

/// What the script says about one datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Pass,
    Lose,
    Duplicate,
    Delay(Duration),
}

type Matcher = Box<dyn FnMut(&Packet<'_>) -> bool>;

struct Fault {
    matches: Matcher,
    remaining: usize,
    verdict: Verdict,
}

/// The scripted faults that have not struck yet. Of those that match a datagram, the first scripted one strikes.
#[derive(Default)]
pub(crate) struct Faults {
    armed: Vec<Fault>,
}

impl Faults {
    pub(crate) fn arm(&mut self, verdict: Verdict, times: usize, matches: Matcher) {
        if times > 0 {
            self.armed.push(Fault { matches, remaining: times, verdict });
        }
    }

    pub(crate) fn judge(&mut self, packet: &Packet<'_>) -> Verdict {
        let Some(i) = self.armed.iter_mut().position(|fault| (fault.matches)(packet)) else { return Verdict::Pass };
        let verdict = self.armed[i].verdict;
        self.armed[i].remaining -= 1;
        if self.armed[i].remaining == 0 {
            self.armed.remove(i);
        }
        verdict
    }

    pub(crate) fn pending(&self) -> usize {
        self.armed.iter().map(|fault| fault.remaining).sum()
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.armed.iter().map(|fault| (fault.verdict, fault.remaining))).finish()
    }
}
