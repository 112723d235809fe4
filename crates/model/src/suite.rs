use crate::close::{Bounds, Close, Rule};

/// A model to be searched.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What goes wrong in it.
    pub name: &'static str,
    /// How often.
    pub bounds: Bounds,
}

impl Case {
    /// The whole design under these bounds.
    pub const fn close(&self) -> Close {
        Close { bounds: self.bounds, without: None }
    }
}

const NONE: Bounds = Bounds {
    closers: 2,
    sends: 3,
    losses: 0,
    duplicates: 0,
    crashes: 0,
    deaths: 0,
    refusals: 0,
    updates: 0,
    take_overs: 0,
    second_node: false,
    operator: 0,
};

/// As little as the smallest case needs.
const FEW: Bounds = Bounds { closers: 1, sends: 2, ..NONE };

/// What every change is checked against.
pub fn quick() -> Vec<Case> {
    let case = |name, bounds| Case { name, bounds };
    vec![
        case("losses and duplicates", Bounds { losses: 2, duplicates: 1, ..NONE }),
        case("a crash, a loss and a duplicate", Bounds { sends: 2, crashes: 1, losses: 1, duplicates: 1, ..NONE }),
        case("two crashes", Bounds { sends: 2, crashes: 2, ..NONE }),
        case("a crash and a death", Bounds { sends: 2, crashes: 1, deaths: 1, ..NONE }),
        case("a crash and a refusal", Bounds { sends: 2, crashes: 1, refusals: 1, ..NONE }),
        case("the operator closes, with a crash", Bounds { sends: 2, operator: 1, crashes: 1, ..NONE }),
        case("a wrong take-over", Bounds { second_node: true, take_overs: 1, ..FEW }),
    ]
}

/// The bounds that the design is held to: minutes.
pub fn full() -> Vec<Case> {
    let case = |name, bounds| Case { name, bounds };
    vec![
        case("two crashes, two losses, a duplicate", Bounds { crashes: 2, losses: 2, duplicates: 1, ..NONE }),
        case("two crashes, a loss, a death", Bounds { crashes: 2, losses: 1, deaths: 1, ..NONE }),
        case("two crashes, a refusal, three updates", Bounds { crashes: 2, refusals: 1, updates: 3, ..NONE }),
        case(
            "the operator closes, two crashes, a loss, a death",
            Bounds { operator: 1, crashes: 2, losses: 1, deaths: 1, ..NONE },
        ),
        case(
            "a wrong take-over, a crash, a loss",
            Bounds { second_node: true, take_overs: 1, crashes: 1, losses: 1, ..FEW },
        ),
    ]
}

/// The design without a rule, and how much has to go wrong for it to be missed.
pub fn without(rule: Rule) -> Close {
    let bounds = match rule {
        Rule::RowAtSetUp | Rule::RestartCloses | Rule::GoneIsTheCause | Rule::OneEntry | Rule::RecordKey => {
            Bounds { crashes: 1, ..FEW }
        }
        // Who closed is seen from the 481 as well, unless the end is dead by then.
        Rule::IntentBefore200 => Bounds { crashes: 1, deaths: 1, ..FEW },
        Rule::CseqJump => Bounds { crashes: 1, updates: 3, ..FEW },
        Rule::RefusalIsNotClosed => Bounds { refusals: 1, ..FEW },
        Rule::SessionTimer | Rule::TimerFEndsTheLeg => Bounds { deaths: 1, ..FEW },
        Rule::CompareAndSet | Rule::Fence => Bounds { second_node: true, take_overs: 1, ..FEW },
    };
    Close { bounds, without: Some(rule) }
}
