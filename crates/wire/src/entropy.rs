use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The dice of one node: a cryptographic generator, seeded by the host. Same seed, same bytes on the wire.
#[derive(Debug)]
pub struct Entropy {
    rng: StdRng,
}

impl Entropy {
    /// Reproducible: for tests, the simulation and `--seed`.
    pub fn from_seed(seed: u64) -> Entropy {
        Entropy { rng: StdRng::seed_from_u64(seed) }
    }

    /// Seeded by the operating system: for production. The one call in this crate that is not a function of its inputs.
    pub fn from_os() -> Entropy {
        Entropy { rng: rand::make_rng() }
    }

    /// A generator for a part of the node, independent of this one from here on.
    pub fn fork(&mut self) -> Entropy {
        Entropy { rng: StdRng::from_rng(&mut self.rng) }
    }

    /// 64 random bits.
    pub fn u64(&mut self) -> u64 {
        self.rng.random()
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.rng.random_range(0..bound) }
    }

    /// 16 lower-case hexadecimal characters, 64 bits: a tag (RFC 3261 §19.3 asks for at least 32) or a branch.
    pub fn token(&mut self) -> [u8; 16] {
        hex(self.u64())
    }

    /// A token as text.
    pub fn tag(&mut self) -> String {
        String::from_utf8(self.token().to_vec()).expect("hexadecimal digits are text")
    }

    /// A random UUID (RFC 9562, version 4), lower case with hyphens.
    pub fn uuid(&mut self) -> String {
        let high = self.u64() & 0xffff_ffff_ffff_0fff | 0x4000;
        let low = self.u64() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
        let digits = [hex(high), hex(low)].concat();
        let mut uuid = String::with_capacity(36);
        for part in [0..8, 8..12, 12..16, 16..20, 20..32] {
            if part.start > 0 {
                uuid.push('-');
            }
            uuid.extend(digits[part].iter().map(|digit| char::from(*digit)));
        }
        uuid
    }
}

/// 64 bits as 16 lower-case hexadecimal characters.
pub fn hex(n: u64) -> [u8; 16] {
    std::array::from_fn(|i| b"0123456789abcdef"[(n >> (60 - 4 * i) & 0xf) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_bytes() {
        let (mut a, mut b) = (Entropy::from_seed(7), Entropy::from_seed(7));
        assert_eq!((a.token(), a.uuid(), a.below(9)), (b.token(), b.uuid(), b.below(9)));
        assert_ne!(a.token(), a.token());
    }

    #[test]
    fn uuid_has_version_and_variant() {
        let uuid = Entropy::from_seed(1).uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]));
    }
}
