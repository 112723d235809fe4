//! The parts: what is run, and the most that it may cost.

mod core;
mod node;

use bench::{CallId, Dialog, Parties};
use flow::MediaPath;

use self::core::Registrar;
use self::node::{Bench, Step};

/// A part of a workload.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// Instructions, a few per cent above what they were when it was last set.
    pub(crate) bound: u64,
    /// Runs so many calls, the part inside [`node::measured`].
    pub(crate) run: fn(u32),
}

pub(crate) const PARTS: [Part; 6] = [
    Part { name: "set-up-off-path", bound: 94_000, run: |calls| sessions(calls, MediaPath::Off, Measure::SetUp) },
    Part { name: "close-off-path", bound: 53_000, run: |calls| sessions(calls, MediaPath::Off, Measure::Close) },
    Part { name: "set-up-on-path", bound: 246_000, run: |calls| sessions(calls, MediaPath::On, Measure::SetUp) },
    Part { name: "close-on-path", bound: 65_000, run: |calls| sessions(calls, MediaPath::On, Measure::Close) },
    Part { name: "message", bound: 54_500, run: messages },
    Part { name: "register", bound: 40_000, run: registrations },
];

/// Who registers in turn.
const USERS: u32 = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    SetUp,
    Close,
}

/// Sessions through one participating function, closed at once: INVITE, 200, ACK, BYE, 200.
fn sessions(calls: u32, path: MediaPath, measure: Measure) {
    let mut bench = Bench::new(path);
    let parties = bench.parties();
    let step = |part| if measure == part { Step::Measured } else { Step::Plain };
    let (mut out, mut dialog) = (Vec::new(), Dialog::default());
    for turn in 0..calls {
        let call = CallId { slot: turn % 100, turn };
        parties.invite(&mut out, call);
        let answer = bench.request(&out, step(Measure::SetUp)).expect("a 200 to the INVITE");
        dialog.read(&answer);
        parties.ack(&mut out, call, &dialog);
        bench.request(&out, step(Measure::SetUp));
        parties.bye(&mut out, call, &dialog);
        let answer = bench.request(&out, step(Measure::Close)).expect("a 200 to the BYE");
        assert!(answer.starts_with(b"SIP/2.0 200"));
        bench.pass_time();
    }
}

/// Pager-mode messages through one participating function.
fn messages(calls: u32) {
    let mut bench = Bench::new(MediaPath::Off);
    let parties: Parties = bench.parties();
    let mut out = Vec::new();
    for turn in 0..calls {
        parties.message(&mut out, CallId { slot: turn % 100, turn });
        let answer = bench.request(&out, Step::Measured).expect("a 200 to the MESSAGE");
        assert!(answer.starts_with(b"SIP/2.0 200"));
        bench.pass_time();
    }
}

/// Registrations at the core: each user is challenged once, and refreshes with a growing count.
fn registrations(calls: u32) {
    let mut core = Registrar::new(USERS);
    for turn in 0..calls + USERS {
        core.register(CallId { slot: turn % USERS, turn });
        core.pass_time();
    }
}
