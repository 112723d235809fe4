use std::fmt;
use std::str::FromStr;

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Datagrams are lost; segments of streams come late.
    Loss,
    /// Datagrams come twice.
    Duplicate,
    /// Datagrams overtake each other.
    Reorder,
    /// The next few datagrams come seconds late.
    Delay,
    /// Nothing crosses between two neighbours for a while.
    Partition,
    /// Nothing crosses in one direction for a while.
    OneWay,
    /// A node dies and comes back.
    Crash,
    /// A node stops for a while and then goes on, its timers overdue.
    Stall,
    /// The wall clock of a node is stepped.
    Clock,
    /// The connections between two neighbours break.
    Break,
    /// The connections between two neighbours carry nothing any more, and nobody is told.
    BlackHole,
    /// A stranger sends what looks like a part of the session.
    Forge,
    /// The disk of a participating function fails to sync, or is dead for a while.
    Disk,
    /// The sink of the records takes none for a while, or does not say that it took them.
    Store,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 14] = [
        Kind::Loss,
        Kind::Duplicate,
        Kind::Reorder,
        Kind::Delay,
        Kind::Partition,
        Kind::OneWay,
        Kind::Crash,
        Kind::Stall,
        Kind::Clock,
        Kind::Break,
        Kind::BlackHole,
        Kind::Forge,
        Kind::Disk,
        Kind::Store,
    ];

    const fn name(self) -> &'static str {
        match self {
            Kind::Loss => "loss",
            Kind::Duplicate => "duplicate",
            Kind::Reorder => "reorder",
            Kind::Delay => "delay",
            Kind::Partition => "partition",
            Kind::OneWay => "one-way",
            Kind::Crash => "crash",
            Kind::Stall => "stall",
            Kind::Clock => "clock",
            Kind::Break => "break",
            Kind::BlackHole => "black-hole",
            Kind::Forge => "forge",
            Kind::Disk => "disk",
            Kind::Store => "store",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kinds of faults that a campaign draws from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kinds(Vec<Kind>);

impl Kinds {
    /// Every kind.
    pub fn all() -> Kinds {
        Kinds(Kind::ALL.to_vec())
    }

    /// These only, in whatever order they are given.
    pub fn of(kinds: &[Kind]) -> Kinds {
        Kinds(Kind::ALL.into_iter().filter(|kind| kinds.contains(kind)).collect())
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.0.contains(&kind)
    }

    /// Those that strike at a moment. The others are the way of the network all along.
    pub(crate) fn strikes(&self) -> Vec<Kind> {
        self.0.iter().copied().filter(|kind| !matches!(kind, Kind::Loss | Kind::Duplicate | Kind::Reorder)).collect()
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Kinds::all() {
            return f.write_str("all");
        }
        f.write_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Kinds {
    type Err = String;

    fn from_str(text: &str) -> Result<Kinds, String> {
        if text == "all" {
            return Ok(Kinds::all());
        }
        let named = |name: &str| {
            let known = Kind::ALL.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
            found.ok_or_else(|| format!("`{name}` is none of all, {known}"))
        };
        let kinds: Vec<Kind> = text.split(',').map(named).collect::<Result<_, _>>()?;
        Ok(Kinds::of(&kinds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_printed() {
        for text in ["all", "loss", "loss,crash,forge"] {
            assert_eq!(text.parse::<Kinds>().unwrap().to_string(), text);
        }
        assert_eq!("forge,loss".parse::<Kinds>().unwrap().to_string(), "loss,forge");
        assert!("los".parse::<Kinds>().unwrap_err().starts_with("`los` is none of all, loss, "));
    }
}
