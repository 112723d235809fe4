//! The fuzz targets, run for a moment in ordinary CI: same functions, a small mutator, fixed seeds.

#[path = "support/corpus.rs"]
pub mod corpus;
#[path = "support/harness.rs"]
pub mod harness;

/// How often each target is called. All of them together take about two seconds in a debug build.
const ROUNDS: usize = 60_000;

#[test]
fn mutated_messages_never_panic() {
    let seeds: Vec<Vec<u8>> = corpus::messages().into_iter().map(|(_, bytes)| bytes).collect();
    let pieces = pieces(&seeds);
    for (number, (name, target)) in harness::TARGETS.into_iter().enumerate() {
        let mut random = Random(0x5EED_0000 + number as u64);
        let whole = matches!(name, "message" | "frame" | "edit");
        let from = if whole { &seeds } else { &pieces };
        let rounds = if whole { ROUNDS / 2 } else { ROUNDS };
        for _ in 0..rounds {
            let mut data = random.pick(from).clone();
            for _ in 0..=random.below(4) {
                mutate(&mut data, &mut random, &pieces);
            }
            target(&data);
        }
    }
}

/// Header field values of the stored messages: what the smaller parsers feed on.
fn pieces(seeds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let lines = seeds.iter().flat_map(|seed| seed.split(|b| *b == b'\n'));
    let values = lines.filter_map(|line| line.iter().position(|b| *b == b':').map(|colon| &line[colon + 1..]));
    values.map(|value| value.trim_ascii().to_vec()).filter(|value| !value.is_empty()).collect()
}

fn mutate(data: &mut Vec<u8>, random: &mut Random, pieces: &[Vec<u8>]) {
    const NASTY: [&[u8]; 14] = [
        b"\r\n",
        b"\r\n ",
        b"\"",
        b"<",
        b">",
        b";",
        b",",
        b"=",
        b"%",
        b"\\",
        b"\0",
        b"[::1]",
        b"99999999999999999999",
        b"\xff",
    ];
    let at = random.below(data.len() + 1);
    let end = (at + random.below(16)).min(data.len());
    match random.below(8) {
        0 => drop(data.drain(at..end)),
        1 => drop(data.splice(at..at, random.pick(&NASTY).iter().copied())),
        2 => drop(data.splice(at..end, random.pick(pieces).clone())),
        3 => data.truncate(at),
        4 => {
            let copy = data[at..end].to_vec();
            drop(data.splice(at..at, copy));
        }
        _ => {
            let value = random.next() as u8;
            if let Some(byte) = data.get_mut(at) {
                *byte = value;
            }
        }
    }
}

/// SplitMix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
