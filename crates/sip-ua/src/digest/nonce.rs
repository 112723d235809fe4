use std::collections::BTreeMap;
use std::time::Duration;

use subtle::ConstantTimeEq;
use wire::{Entropy, Now, Redacted};

use super::hash::Hash;

/// Nonces that carry their own proof: the time they were made at, salt, and a keyed hash of both. Nothing is kept for a
/// nonce until somebody proves a password with it.
#[derive(Debug)]
pub(super) struct Nonces {
    secret: Redacted<String>,
    salt: Entropy,
    lifetime: Duration,
    /// The nonces in use: by time and salt, so by age.
    used: BTreeMap<(u64, u64), Used>,
    /// Nonces made up to this second count as too old: what was known of some of them had to be dropped.
    floor: u64,
    capacity: usize,
}

/// What can be said of a nonce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Age {
    /// Ours, and young enough.
    Fresh,
    /// Ours, and too old.
    Old,
    /// Not made with our secret.
    Foreign,
}

/// A nonce in use.
#[derive(Debug)]
struct Used {
    proof: [u8; PROOF],
    counts: Counts,
}

/// A nonce taken apart, ours or one that looks like ours.
#[derive(Clone, Copy)]
struct Parts<'a> {
    /// Time and salt as they are printed.
    head: &'a [u8],
    time: u64,
    salt: u64,
    proof: &'a [u8; PROOF],
}

impl<'a> Parts<'a> {
    fn of(nonce: &'a [u8]) -> Option<Parts<'a>> {
        let (head, proof) = nonce.split_at_checked(TIME + SALT)?;
        let (time, salt) = head.split_at(TIME);
        Some(Parts { head, time: number(time)?, salt: number(salt)?, proof: proof.try_into().ok()? })
    }

    const fn key(&self) -> (u64, u64) {
        (self.time, self.salt)
    }
}

/// A number in hexadecimal as we print it, in lower case.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}

/// The last count of a nonce and which of the 64 before it were seen: requests may overtake each other on UDP.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    last: u32,
    seen: u64,
}

/// Hexadecimal digits of time, salt and proof.
const TIME: usize = 10;
const SALT: usize = 16;
const PROOF: usize = 32;

impl Nonces {
    pub(super) fn new(entropy: &mut Entropy, lifetime: Duration, capacity: usize) -> Nonces {
        let secret: String = (0..4).map(|_| entropy.tag()).collect();
        Nonces {
            secret: Redacted(secret),
            salt: entropy.fork(),
            lifetime,
            used: BTreeMap::new(),
            floor: 0,
            capacity: capacity.max(1),
        }
    }

    pub(super) fn make(&mut self, now: Now) -> String {
        let head = format!("{:0TIME$x}{}", now.utc.as_secs(), self.salt.tag());
        let proof = String::from_utf8_lossy(&self.proof(head.as_bytes())).into_owned();
        head + &proof
    }

    /// Hashed twice with the secret, so that a proof cannot be extended.
    fn proof(&self, head: &[u8]) -> [u8; PROOF] {
        let secret = self.secret.0.as_bytes();
        let inner = Hash::Sha256.joined(&[secret, head]);
        let whole = Hash::Sha256.joined(&[secret, &inner]);
        let mut proof = [0; PROOF];
        proof.copy_from_slice(&whole[..PROOF]);
        proof
    }

    pub(super) fn age(&self, nonce: &[u8], now: Now) -> Age {
        let Some(made) = self.made_at(nonce) else { return Age::Foreign };
        // A clock that was set back makes nonces from the future; they are as good as old.
        let age = now.utc.as_secs().checked_sub(made);
        let is_fresh = made > self.floor && age.is_some_and(|age| age <= self.lifetime.as_secs());
        if is_fresh { Age::Fresh } else { Age::Old }
    }

    /// When one of our nonces was made.
    fn made_at(&self, nonce: &[u8]) -> Option<u64> {
        let parts = Parts::of(nonce)?;
        // One that is in use has been proved before.
        let is_in_use = self.used.get(&parts.key()).is_some_and(|used| used.proof == *parts.proof);
        let is_ours = is_in_use || bool::from(self.proof(parts.head).ct_eq(parts.proof));
        is_ours.then_some(parts.time)
    }

    /// Notes a count; `false` if it was seen before, or is too far behind to know.
    ///
    /// The nonce must be one of ours: see [`Nonces::age`].
    pub(super) fn count(&mut self, nonce: &[u8], nc: u32, now: Now) -> bool {
        let Some(parts) = Parts::of(nonce) else { return false };
        if let Some(used) = self.used.get_mut(&parts.key()) {
            return used.counts.note(nc);
        }
        self.make_room(now);
        let mut used = Used { proof: *parts.proof, counts: Counts::default() };
        let is_new = used.counts.note(nc);
        self.used.insert(parts.key(), used);
        is_new
    }

    fn make_room(&mut self, now: Now) {
        if self.used.len() < self.capacity {
            return;
        }
        let oldest = now.utc.as_secs().saturating_sub(self.lifetime.as_secs());
        self.used = self.used.split_off(&(oldest, 0));
        while self.used.len() >= self.capacity {
            let Some(((time, _), _)) = self.used.pop_first() else { return };
            self.floor = self.floor.max(time);
        }
    }
}

impl Counts {
    fn note(&mut self, nc: u32) -> bool {
        if nc > self.last {
            let ahead = nc - self.last;
            // The last one becomes the bit for "one behind the new last".
            let shifted = self.seen.checked_shl(ahead).unwrap_or(0);
            let last = if self.last == 0 { 0 } else { 1u64.checked_shl(ahead - 1).unwrap_or(0) };
            (self.last, self.seen) = (nc, shifted | last);
            return true;
        }
        let behind = self.last - nc;
        let Some(bit) = behind.checked_sub(1).and_then(|n| 1u64.checked_shl(n)) else { return false };
        if nc == 0 || self.seen & bit != 0 {
            return false;
        }
        self.seen |= bit;
        true
    }
}

#[cfg(test)]
mod tests {
    use wire::Timestamp;

    use super::*;

    fn at(secs: u64) -> Now {
        Now { utc: Timestamp::from_micros(secs * 1_000_000), ..Now::default() }
    }

    fn nonces(capacity: usize) -> Nonces {
        Nonces::new(&mut Entropy::from_seed(1), Duration::from_secs(60), capacity)
    }

    #[test]
    fn a_nonce_is_fresh_for_its_lifetime_and_cannot_be_made_by_others() {
        let mut nonces = nonces(9);
        let nonce = nonces.make(at(1000));
        let age = |nonce: &str, secs| nonces.age(nonce.as_bytes(), at(secs));
        assert_eq!((age(&nonce, 1000), age(&nonce, 1060)), (Age::Fresh, Age::Fresh));
        assert_eq!((age(&nonce, 1061), age(&nonce, 999)), (Age::Old, Age::Old));
        let younger = format!("{:0TIME$x}{}", 1050, &nonce[TIME..]);
        for foreign in ["", "abc", &younger, &nonce[1..], &format!("{nonce}0"), &nonce.to_uppercase()] {
            assert_eq!(age(foreign, 1000), Age::Foreign, "{foreign}");
        }
        let mut other = Nonces::new(&mut Entropy::from_seed(2), Duration::from_secs(60), 9);
        assert_eq!(age(&other.make(at(1000)), 1000), Age::Foreign);
    }

    #[test]
    fn every_count_is_good_once_within_the_window() {
        let mut counts = Counts::default();
        let order = [1, 2, 4, 3, 70, 7, 6, 5, 69];
        assert_eq!(order.map(|nc| counts.note(nc)), [true, true, true, true, true, true, true, false, true]);
        assert_eq!([1, 4, 3, 70, 7, 69, 0].map(|nc| counts.note(nc)), [false; 7]);
        assert_eq!([u32::MAX, u32::MAX, 70].map(|nc| counts.note(nc)), [true, false, false]);
        assert_eq!([0, 1].map(|nc| Counts::default().note(nc)), [false, true]);
    }

    #[test]
    fn counts_are_bounded_and_what_is_dropped_cannot_be_replayed() {
        let mut nonces = nonces(3);
        let made: Vec<String> = (0..5).map(|n| nonces.make(at(1000 + n))).collect();
        for nonce in &made {
            assert!(nonces.count(nonce.as_bytes(), 1, at(1010)));
        }
        assert_eq!(nonces.used.len(), 3);
        let ages: Vec<Age> = made.iter().map(|nonce| nonces.age(nonce.as_bytes(), at(1010))).collect();
        assert_eq!(ages, [Age::Old, Age::Old, Age::Fresh, Age::Fresh, Age::Fresh]);
        // Those that are too old anyway go first, and lower nothing.
        let late = nonces.make(at(2000));
        assert!(nonces.count(late.as_bytes(), 1, at(2000)));
        assert_eq!((nonces.used.len(), nonces.floor), (1, 1001));
    }
}
