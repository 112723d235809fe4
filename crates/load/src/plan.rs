use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use msrp::HeadLimits;
use sip_tx::Target;
use wire::Transport;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What lies between the two ends.
    pub way: Way,
    /// Where the caller listens; the kernel chooses its ports.
    pub caller: IpAddr,
    /// Where the callee listens.
    pub callee: IpAddr,
    /// The callee's MSRP port, for a relay that has to know it; 0 lets the kernel choose.
    pub callee_port: u16,
    /// How sessions come and go.
    pub sessions: Sessions,
    /// How messages come.
    pub messages: Messages,
    /// Octets of a message, its CPIM header included; at least [`SMALLEST`].
    pub size: usize,
    /// Octets of the largest chunk of a message. Those above 2048 are sent so that they can be interrupted.
    pub chunk: usize,
    /// Time before the measurement in which all goes on as in it.
    pub warm_up: Duration,
    /// Time that is measured.
    pub measured: Duration,
    /// Who closes the sessions.
    pub close_by: CloseBy,
    /// How long to wait at each turn for what is under way: registrations, set-ups, answers, closes.
    pub patience: Duration,
    /// A process whose CPU time and memory, with those of its descendants, are measured too.
    pub watch: Option<u32>,
}

/// The smallest message: the CPIM header has to fit.
pub const SMALLEST: usize = 128;

/// What lies between the two ends.
#[derive(Clone, Debug)]
pub enum Way {
    /// SIP through cores: both users register.
    Cores {
        /// Who calls.
        caller: User,
        /// Who is called.
        callee: User,
    },
    /// SIP through one participating function that takes the two ends for its core: nobody registers.
    Direct(Direct),
    /// No SIP: MSRP through a relay.
    Relay(Relay),
}

/// A user of a core.
#[derive(Clone, Debug)]
pub struct User {
    /// The address-of-record, such as `sip:alice@home1.test`.
    pub aor: String,
    /// The password.
    pub password: String,
    /// The core to register with and to send everything to.
    pub core: Target,
}

/// A participating function that is called with its originating URI in Route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Direct {
    /// Its SIP address.
    pub function: Target,
}

impl Direct {
    /// A participating function that listens on UDP there.
    pub const fn over_udp(addr: SocketAddr) -> Direct {
        Direct { function: Target::new(Transport::Udp, addr) }
    }
}

/// What MSRP passes through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Relay {
    /// Where the caller connects to.
    pub address: SocketAddr,
    /// Whether it stands in the path, as a relay of RFC 4976 does; else it forwards octets and nothing knows of it.
    pub in_path: bool,
}

/// How sessions come and go.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Sessions {
    /// So many are opened before the measurement and held to its end.
    Held(usize),
    /// So many are opened a second, each for a time.
    PerSecond {
        /// How many.
        rate: f64,
        /// How long messages are sent in one before it is closed.
        hold: Duration,
    },
}

/// How messages come; all sessions in turn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Messages {
    /// None.
    None,
    /// Open model: so many a second over all sessions, whatever becomes of them.
    PerSecond(f64),
    /// Closed loop: so many without an answer in each session, the next one as soon as one is answered.
    Window(usize),
}

/// Who closes the sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseBy {
    /// The caller.
    Caller,
    /// The callee.
    Callee,
    /// Each of them half of the sessions.
    Half,
}

/// Messages without an answer at a time; more are not sent but counted as errors.
pub(crate) const MOST_IN_FLIGHT: usize = 200_000;
/// Octets in them.
pub(crate) const MOST_OCTETS: usize = 1 << 30;
/// Sessions open at a time.
pub(crate) const MOST_OPEN: usize = 100_000;
/// Set-ups or closes at a time where the plan names no rate.
pub(crate) const CROWD: usize = 16;

impl Plan {
    /// The bounds of the MSRP endpoints: wide, because it is the server that is to be met first.
    pub(crate) fn msrp_options(&self) -> msrp::Options {
        msrp::Options {
            heads: HeadLimits::default(),
            write_budget: Some(2 << 20),
            backlog: 16 << 20,
            window: 64 << 20,
            messages: 4096,
            unbound: MOST_OPEN,
            ..msrp::Options::default()
        }
    }

    /// Messages that may be under way at a time.
    pub(crate) fn most_in_flight(&self) -> usize {
        (MOST_OCTETS / self.size.max(1)).clamp(1, MOST_IN_FLIGHT)
    }
}
