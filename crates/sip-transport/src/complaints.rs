//! One log line per source and minute about what could not be parsed, however much of it comes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sip::ParseError;
use wire::Instant;

const PERIOD: Duration = Duration::from_secs(60);
/// Sources remembered at a time; beyond it new ones are counted but not logged.
const SOURCES: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Complaints {
    logged: BTreeMap<IpAddr, Instant>,
}

impl Complaints {
    pub(crate) fn malformed(&mut self, source: IpAddr, error: &ParseError, now: Instant) {
        if self.is_due(source, now) {
            tracing::warn!(%source, %error, "malformed SIP (logged once a minute per source)");
        }
    }

    fn is_due(&mut self, source: IpAddr, now: Instant) -> bool {
        if self.logged.get(&source).is_some_and(|at| now - *at < PERIOD) {
            return false;
        }
        if self.logged.len() >= SOURCES {
            self.logged.retain(|_, at| now - *at < PERIOD);
        }
        if self.logged.len() < SOURCES || self.logged.contains_key(&source) {
            self.logged.insert(source, now);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_logged_once_a_minute_and_sources_are_bounded() {
        let mut complaints = Complaints::default();
        let at = |s| Instant::ZERO + Duration::from_secs(s);
        let ip = |n: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(n));
        assert!(complaints.is_due(ip(1), at(0)));
        assert!(!complaints.is_due(ip(1), at(59)));
        assert!(complaints.is_due(ip(1), at(60)));
        let logged = (0..5000).filter(|n| complaints.is_due(ip(*n), at(61))).count();
        assert!(logged <= SOURCES && complaints.logged.len() <= SOURCES);
        assert!(complaints.is_due(ip(9000), at(200)));
    }
}
