use flow::{CloseBy, MediaPath};
use wire::Transport;

/// What a lab run is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What SIP runs over. Over UDP and TCP every node listens on both, and MSRP runs over TCP; over TLS, MSRP does, too.
    pub transport: Transport,
    /// Same seed, same tags, branches and identifiers in every node.
    pub seed: u64,
    /// Messages that each user sends before the close.
    pub messages: u64,
    /// Octets of each.
    pub size: u64,
}

/// One session from registration to its close.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// PF A's place on the media path.
    pub pf_a: MediaPath,
    /// PF B's place on the media path.
    pub pf_b: MediaPath,
    /// Who closes.
    pub close_by: CloseBy,
}

impl Scenario {
    /// The flow that is usual for this scenario.
    pub fn flow(&self) -> &'static flow::Flow {
        flow::closing(self.pf_a, self.pf_b, self.close_by)
    }

    /// The seed of a node: its own for each scenario and node, so that a scenario is the same alone and among others.
    pub(crate) fn seed(&self, seed: u64, node: &str) -> u64 {
        // FNV-1a: the same on every platform and in every release, which the hashers of std do not promise.
        let id = &self.flow().id;
        seed.to_le_bytes()
            .iter()
            .chain(id.as_bytes())
            .chain(node.as_bytes())
            .fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_of_every_scenario_has_dice_of_its_own() {
        let scenario = |close_by| Scenario { pf_a: MediaPath::Off, pf_b: MediaPath::On, close_by };
        let seed = scenario(CloseBy::A).seed(7, "core-a");
        assert_eq!(seed, scenario(CloseBy::A).seed(7, "core-a"));
        let others = [
            scenario(CloseBy::A).seed(7, "core-b"),
            scenario(CloseBy::A).seed(8, "core-a"),
            scenario(CloseBy::B).seed(7, "core-a"),
        ];
        assert!(!others.contains(&seed));
    }
}
