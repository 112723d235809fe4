//! Every race of a close that we know of, numbered as in docs/conformance.md, over UDP and over TCP, with both participating
//! functions off the media path and on it. The ladder is what was on the wire; where a race looks the same over both
//! transports it stands here once.

mod before_the_answer;
mod crossing;
mod devices;
mod faults;
mod ladders;
mod media;
mod modifying;
mod repeated;
mod restart;
mod unacknowledged;

use std::time::Duration;

use flow::{CloseBy, MediaPath};
use role_client::{ClosedBy, Event, SessionId};
use scenarios::{Ask, BOB, Phone, Setup, Site, System, Topology, audit};
use sim::NodeId;
use wire::{Instant, Transport};

/// Both participating functions off the media path.
pub(crate) const OFF: [Topology; 2] = place(MediaPath::Off);
/// Both on it.
pub(crate) const ON: [Topology; 2] = place(MediaPath::On);

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MILLI: Duration = Duration::from_millis(1);

const fn place(on: MediaPath) -> [Topology; 2] {
    [
        Topology { pf_a: on, pf_b: on, transport: Transport::Udp },
        Topology { pf_a: on, pf_b: on, transport: Transport::Tcp },
    ]
}

/// Who plays at one of the ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// Our client.
    Client,
    /// A phone that does what the test says.
    Phone,
}

/// A system with somebody registered at each end.
pub(crate) struct Stage {
    pub(crate) system: System,
    pub(crate) caller: Option<NodeId<Phone>>,
    pub(crate) callee: Option<NodeId<Phone>>,
    /// The ladder's zero.
    pub(crate) zero: Instant,
}

impl Stage {
    pub(crate) fn new(topology: Topology, ends: [End; 2]) -> Stage {
        Stage::of(Setup::new(number(), topology), ends)
    }

    pub(crate) fn of(mut setup: Setup, ends: [End; 2]) -> Stage {
        // Nobody says anything in most of these sessions, and nobody minds.
        for pf in [&mut setup.pf_a, &mut setup.pf_b] {
            pf.default_profile.idle_session = None;
            // A phone speaks SIP alone.
            pf.media_grace = pf.media_grace.filter(|_| !ends.contains(&End::Phone));
        }
        let mut system = setup.build();
        let phone = |system: &mut System, name: &str, site| {
            let phone = system.phone(name, site, 5060);
            system.net.node_mut(phone, Phone::register);
            phone
        };
        let [caller, callee] = [("phone-a", Site::ClientA), ("phone-b", Site::ClientB)].map(|(name, site)| {
            let end = ends[usize::from(site == Site::ClientB)];
            (end == End::Phone).then(|| phone(&mut system, name, site))
        });
        for (client, phone) in [(system.client_a, caller), (system.client_b, callee)] {
            if phone.is_none() {
                system.net.node_mut(client, role_client::Client::register);
            }
        }
        system.settle();
        for phone in [caller, callee].into_iter().flatten() {
            assert_eq!(system.net[phone].statuses(), [200]);
            system.net[phone].responses.clear();
        }
        let mut stage = Stage { system, caller, callee, zero: Instant::ZERO };
        stage.begin_at(10);
        stage
    }

    /// Goes on to so many seconds, and counts from there.
    pub(crate) fn begin_at(&mut self, seconds: u32) {
        self.zero = Instant::ZERO + seconds * SECOND;
        self.system.net.run_until(self.zero);
        self.system.listen();
    }

    /// Goes on to so many seconds. Phones register again on the way, as who is gone is not talked to.
    pub(crate) fn stay_until(&mut self, seconds: u32) {
        for at in (300..seconds).step_by(300) {
            self.system.net.run_until(Instant::ZERO + at * SECOND);
            for phone in [self.caller, self.callee].into_iter().flatten() {
                self.system.net.node_mut(phone, Phone::register);
            }
        }
        self.system.net.run_until(Instant::ZERO + seconds * SECOND);
        self.system.listen();
    }

    /// Lets time run until so many milliseconds after the ladder's zero.
    pub(crate) fn run_to(&mut self, millis: u64) {
        self.system.net.run_until(self.zero + Duration::from_millis(millis));
        self.system.listen();
    }

    /// Sets a session up between two clients, and counts from a moment behind it.
    pub(crate) fn up(topology: Topology) -> (Stage, (SessionId, SessionId)) {
        Stage::up_in(Setup::new(number(), topology))
    }

    pub(crate) fn up_in(setup: Setup) -> (Stage, (SessionId, SessionId)) {
        let mut stage = Stage::of(setup, [End::Client, End::Client]);
        let sessions = stage.system.establish();
        stage.begin_at(20);
        (stage, sessions)
    }

    /// The caller is a phone: it calls, and all comes to rest.
    pub(crate) fn call(&mut self) {
        self.start_call();
        self.system.settle();
    }

    pub(crate) fn start_call(&mut self) {
        match self.caller {
            Some(caller) => self.system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now)),
            None => {
                self.system.call();
            }
        }
    }

    pub(crate) fn caller(&mut self) -> &mut Phone {
        let caller = self.caller.expect("the caller is a phone");
        &mut self.system.net[caller]
    }

    pub(crate) fn callee(&mut self) -> &mut Phone {
        let callee = self.callee.expect("the callee is a phone");
        &mut self.system.net[callee]
    }

    /// Lets a phone do something.
    pub(crate) fn with<R>(&mut self, phone: Option<NodeId<Phone>>, act: impl FnOnce(&mut Phone, wire::Now) -> R) -> R {
        self.system.net.node_mut(phone.expect("a phone"), act)
    }

    pub(crate) fn close(&mut self, by: CloseBy, sessions: (SessionId, SessionId)) {
        self.system.close(by, sessions);
    }

    /// The SIP since the ladder's zero must be what `ladders/NAME OF THE TEST.txt` says of this topology. 100s are left out:
    /// they differ with the transport, and no race is about them.
    #[track_caller]
    pub(crate) fn assert_ladder(&self) {
        self.assert_ladder_of("");
    }

    /// The same where a test has several cases.
    #[track_caller]
    pub(crate) fn assert_ladder_of(&self, case: &str) {
        let view = self.system.sip_ladder_since(self.zero).without(&["100 Trying"]);
        let place = if self.system.topology.pf_a == MediaPath::On { "on" } else { "off" };
        let key = format!("{place} {} {case}", self.system.topology.transport);
        view.assert(&ladders::find(&name(), &key));
    }

    /// By whom the sessions of a client were closed, as its user was told.
    pub(crate) fn closed(&self, client: &str) -> Vec<ClosedBy> {
        let by = |event: &Event| if let Event::Closed { by, .. } = event { Some(*by) } else { None };
        self.system.told_by(client).filter_map(by).collect()
    }

    /// Everything runs out, and nothing is left but this many records.
    #[track_caller]
    pub(crate) fn assert_over(&mut self, records: usize) {
        self.system.run_for(70 * SECOND);
        audit(&self.system, &[]);
        self.assert_nothing_is_left(records);
    }

    /// The same where a phone did on purpose what nobody may do.
    #[track_caller]
    pub(crate) fn assert_quiet(&mut self, records: usize) {
        self.system.run_for(70 * SECOND);
        self.assert_nothing_is_left(records);
    }

    #[track_caller]
    pub(crate) fn assert_nothing_is_left(&self, records: usize) {
        assert_eq!(self.system.open(), [], "{}", self.system.net.ladder());
        assert_eq!(self.system.records.len(), records, "{:?}", self.system.records);
    }
}

/// The name of the test that runs.
fn name() -> String {
    let path = std::thread::current().name().unwrap_or_default().to_owned();
    path.rsplit("::").next().unwrap_or_default().to_owned()
}

/// The number of the race, from the name of its test: its seed.
fn number() -> u64 {
    let digits: String = name().chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
