use std::hash::{Hash, Hasher};

/// A system that moves in steps.
pub trait Model {
    /// All that it is at one moment.
    type State: Copy + Eq + Hash;
    /// What a step is called.
    type Step;
    /// What may be wrong with a state.
    type Violation;

    /// Where it begins.
    fn start(&self) -> Self::State;

    /// Every step that can be the next one, with the state that it leads to.
    fn steps(&self, from: &Self::State, steps: &mut Vec<(Self::Step, Self::State)>);

    /// What is wrong with a state out of which these steps lead.
    fn violation(&self, state: &Self::State, steps: &[(Self::Step, Self::State)]) -> Option<Self::Violation>;
}

/// What a search found.
#[derive(Debug)]
pub struct Found<M: Model> {
    /// States that were visited, all different.
    pub states: usize,
    /// Steps that were looked at.
    pub steps: u64,
    /// What is wrong, and the steps of a shortest way there; the search ended with it.
    pub violation: Option<(M::Violation, Vec<M::Step>)>,
}

/// Visits every state, nearest first, until one violates something.
///
/// # Panics
/// When there are more than `most` states: the bounds are wrong then, and nothing was shown.
pub fn search<M: Model>(model: &M, most: usize) -> Found<M> {
    let mut visited = Visited::new(model.start());
    let (mut steps, mut taken) = (Vec::new(), 0);
    let mut at = 0;
    while let Some(state) = visited.states.get(at).copied() {
        steps.clear();
        model.steps(&state, &mut steps);
        taken += steps.len() as u64;
        if let Some(violation) = model.violation(&state, &steps) {
            let way = way_to(model, &visited, at);
            return Found { states: visited.states.len(), steps: taken, violation: Some((violation, way)) };
        }
        for (_, next) in &steps {
            visited.add(next, at);
        }
        assert!(visited.states.len() <= most, "more than {most} states");
        at += 1;
    }
    Found { states: visited.states.len(), steps: taken, violation: None }
}

/// The steps from the start to a visited state. Not kept but found again: a search has millions of states and one such way.
fn way_to<M: Model>(model: &M, visited: &Visited<M::State>, mut at: usize) -> Vec<M::Step> {
    let mut way = Vec::new();
    while at != 0 {
        let (from, target) = (visited.parents[at] as usize, visited.states[at]);
        let mut steps = Vec::new();
        model.steps(&visited.states[from], &mut steps);
        way.extend(steps.into_iter().find(|(_, next)| *next == target).map(|(step, _)| step));
        at = from;
    }
    way.reverse();
    way
}

/// The states in the order of their discovery, and a hash table of their numbers.
struct Visited<S> {
    states: Vec<S>,
    parents: Vec<u32>,
    /// Open addressing; at most half full. `EMPTY` or an index into `states`.
    slots: Vec<u32>,
}

const EMPTY: u32 = u32::MAX;

impl<S: Copy + Eq + Hash> Visited<S> {
    fn new(start: S) -> Visited<S> {
        let mut visited = Visited { states: Vec::new(), parents: Vec::new(), slots: vec![EMPTY; 1 << 16] };
        visited.add(&start, 0);
        visited
    }

    fn add(&mut self, state: &S, parent: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = hash(state) as usize & mask;
        while self.slots[slot] != EMPTY {
            if self.states[self.slots[slot] as usize] == *state {
                return;
            }
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = number(self.states.len());
        self.states.push(*state);
        self.parents.push(number(parent));
        if self.states.len() * 2 > self.slots.len() {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![EMPTY; mask + 1];
        for (i, state) in self.states.iter().enumerate() {
            let mut slot = hash(state) as usize & mask;
            while slots[slot] != EMPTY {
                slot = (slot + 1) & mask;
            }
            slots[slot] = number(i);
        }
        self.slots = slots;
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("memory ends before four thousand million states")
}

fn hash<S: Hash>(state: &S) -> u64 {
    let mut hasher = Fold(0);
    state.hash(&mut hasher);
    hasher.finish()
}

/// A quick hasher that is the same everywhere: what is hashed is ours, nobody chooses it.
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Which variant an enumeration is.
    fn write_isize(&mut self, variant: isize) {
        self.write_u8(variant as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up by one or by two.
    struct Stairs {
        forbidden: u32,
    }

    impl Model for Stairs {
        type State = u32;
        type Step = u32;
        type Violation = ();

        fn start(&self) -> u32 {
            0
        }

        fn steps(&self, from: &u32, steps: &mut Vec<(u32, u32)>) {
            steps.extend([1, 2].map(|by| (by, from + by)).into_iter().filter(|(_, to)| *to <= 100_000));
        }

        fn violation(&self, state: &u32, _: &[(u32, u32)]) -> Option<()> {
            (*state == self.forbidden).then_some(())
        }
    }

    #[test]
    fn every_state_is_visited_once() {
        let found = search(&Stairs { forbidden: 100_001 }, 1_000_000);
        assert_eq!((found.states, found.steps, found.violation), (100_001, 199_999, None));
    }

    #[test]
    fn the_way_to_a_violation_is_a_shortest_one() {
        let found = search(&Stairs { forbidden: 7 }, 1_000_000);
        let (_, way) = found.violation.unwrap();
        assert_eq!((way.len(), way.iter().sum::<u32>()), (4, 7));
    }

    #[test]
    #[should_panic(expected = "more than 10 states")]
    fn a_search_that_is_too_large_shows_nothing() {
        search(&Stairs { forbidden: 100_001 }, 10);
    }
}
