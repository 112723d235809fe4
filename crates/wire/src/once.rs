use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::Instant;

const PERIOD: Duration = Duration::from_secs(60);
/// Sources remembered at a time; what comes from more of them is not logged.
const SOURCES: usize = 1024;

/// Whose turn it is in the log: each source's once a minute, however much of it comes, and not more sources than can be
/// remembered. What is not logged is still to be counted.
#[derive(Debug, Default)]
pub struct OncePerMinute {
    logged: BTreeMap<IpAddr, Instant>,
}

impl OncePerMinute {
    /// Whether something of this source is to be logged.
    pub fn is_due(&mut self, source: IpAddr, now: Instant) -> bool {
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
        let mut once = OncePerMinute::default();
        let at = |s| Instant::ZERO + Duration::from_secs(s);
        let ip = |n: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(n));
        assert!(once.is_due(ip(1), at(0)));
        assert!(!once.is_due(ip(1), at(59)));
        assert!(once.is_due(ip(1), at(60)));
        let logged = (0..5000).filter(|n| once.is_due(ip(*n), at(61))).count();
        assert!(logged <= SOURCES && once.logged.len() <= SOURCES);
        assert!(once.is_due(ip(9000), at(200)));
    }
}
