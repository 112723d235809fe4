use std::net::SocketAddr;
use std::time::Duration;

use cpm::SessionRecord;
use flow::{CloseBy, Dialogs, MediaPath, Observed, Verdict};
use msrp::Listeners;
use role_client::{Client, Event, SessionId};
use role_core::Core;
use sim::{Arrow, Fate, Ladder, Net, NodeId, NodeRef};
use sip_tx::Target;
use wire::{Instant, Node, Now, Transport};

use crate::pf::{BrokenPf, Fault};
use crate::phone::Phone;
use crate::setup::{ALICE, BOB, MSRP_PORTS, Setup, Site};
use crate::watch::observed;

/// Where the two participating functions stand, and what SIP runs over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Topology {
    /// PF A.
    pub pf_a: MediaPath,
    /// PF B.
    pub pf_b: MediaPath,
    /// SIP transport.
    pub transport: Transport,
}

impl Topology {
    /// All four places of the two functions, over UDP and over TCP.
    pub fn all() -> Vec<Topology> {
        let places = [MediaPath::Off, MediaPath::On];
        let pairs = places.into_iter().flat_map(|a| places.map(|b| (a, b)));
        pairs
            .flat_map(|(pf_a, pf_b)| {
                [Transport::Udp, Transport::Tcp].map(|transport| Topology { pf_a, pf_b, transport })
            })
            .collect()
    }
}

/// The six nodes.
#[derive(Debug)]
pub struct System {
    /// The network that they are on.
    pub net: Net,
    /// What was asked for.
    pub topology: Topology,
    /// Client A, alice@home1.test.
    pub client_a: NodeId<Client>,
    /// Client B, bob@home2.test.
    pub client_b: NodeId<Client>,
    /// Core A.
    pub core_a: NodeId<Core>,
    /// Core B.
    pub core_b: NodeId<Core>,
    /// PF A.
    pub pf_a: NodeId<BrokenPf>,
    /// PF B.
    pub pf_b: NodeId<BrokenPf>,
    /// What the clients have told their users.
    pub told: Vec<(&'static str, Event)>,
    /// The records that the participating functions have written, each key once.
    pub records: Vec<(Site, SessionRecord)>,
    /// Whether records are taken, and whether the functions are told that they were.
    pub sink: Sink,
    /// What Client A was asked to open.
    pub(crate) calls: Vec<SessionId>,
    setup: Setup,
    lives: u64,
}

/// The file that records go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sink {
    /// In order.
    Up,
    /// Takes records, but whoever wrote them does not hear of it.
    Mute,
    /// Takes none.
    Down,
}

/// The journal of a simulated function: small, so that it is cleaned within a test.
const JOURNAL: journal::Options = journal::Options { segment: journal::Options::MIN_SEGMENT, reserve: 2 };

/// What a disk of the simulation takes for a batch.
const DISK_LATENCY: Duration = Duration::from_millis(3);

/// How far a client's user knows a session to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// Asked for, ringing.
    Begun,
    /// Up.
    Up,
    /// Closed or failed.
    Over,
}

impl Told {
    /// What an event says of which session.
    pub(crate) const fn by(event: &Event) -> Option<(SessionId, Told)> {
        match event {
            Event::Incoming { session, .. } | Event::Ringing { session } => Some((*session, Told::Begun)),
            Event::Established { session } => Some((*session, Told::Up)),
            Event::Closed { session, .. } | Event::Failed { session, .. } => Some((*session, Told::Over)),
            Event::Registered { .. }
            | Event::RegistrationFailed { .. }
            | Event::Unregistered
            | Event::MediaUp { .. }
            | Event::Message { .. }
            | Event::Sent { .. }
            | Event::Delivered { .. }
            | Event::Displayed { .. }
            | Event::NotSent { .. }
            | Event::ReceiptLost { .. }
            | Event::RelayUp
            | Event::RelayFailed { .. }
            | Event::Composing { .. } => None,
        }
    }
}

impl System {
    /// Six nodes in order.
    pub fn new(seed: u64, topology: Topology) -> System {
        Setup::new(seed, topology).build()
    }

    /// Six nodes, PF A broken on purpose.
    pub fn with_fault(seed: u64, topology: Topology, fault: Option<Fault>) -> System {
        Setup { fault, ..Setup::new(seed, topology) }.build()
    }

    pub(crate) fn build(setup: Setup) -> System {
        let mut system = System::build_nodes(setup);
        let durable = [(system.pf_a, system.setup.pf_a.durable), (system.pf_b, system.setup.pf_b.durable)];
        for (pf, _) in durable.into_iter().filter(|(_, durable)| *durable) {
            system.net.give_disk(pf, JOURNAL, DISK_LATENCY);
        }
        let (a, b) = (&system.setup.core_a, &system.setup.core_b);
        let keeping = [(system.core_a, a.keeps_registrations), (system.core_b, b.keeps_registrations)];
        for (core, _) in keeping.into_iter().filter(|(_, keeps)| *keeps) {
            system.net.give_disk(core, JOURNAL, DISK_LATENCY);
        }
        system
    }

    fn build_nodes(setup: Setup) -> System {
        let mut net = setup.net();
        System {
            client_a: join(
                &mut net,
                Site::ClientA,
                setup.client_a.listeners[0].addr,
                &setup.client_a.msrp,
                setup.client(Site::ClientA, 0),
            ),
            core_a: net.add("core-a", &[setup.core_a.listeners[0].addr], setup.core(Site::CoreA, 0)),
            pf_a: join(&mut net, Site::PfA, setup.pf_a.listeners[0].addr, &setup.pf_a.msrp, setup.pf(Site::PfA, 0)),
            core_b: net.add("core-b", &[setup.core_b.listeners[0].addr], setup.core(Site::CoreB, 0)),
            pf_b: join(&mut net, Site::PfB, setup.pf_b.listeners[0].addr, &setup.pf_b.msrp, setup.pf(Site::PfB, 0)),
            client_b: join(
                &mut net,
                Site::ClientB,
                setup.client_b.listeners[0].addr,
                &setup.client_b.msrp,
                setup.client(Site::ClientB, 0),
            ),
            net,
            topology: setup.topology,
            told: Vec::new(),
            records: Vec::new(),
            sink: Sink::Up,
            calls: Vec::new(),
            setup,
            lives: 0,
        }
    }

    /// A phone that does what the test says, called `name`, of the user of Client A (behind Core A) or of Client B (behind
    /// Core B): one more device, at `10.0.0.9` or `10.0.1.9` and `port`.
    pub fn phone(&mut self, name: &str, of: Site, port: u16) -> NodeId<Phone> {
        let (host, aor, password, core) = match of {
            Site::ClientA | Site::CoreA | Site::PfA => ("10.0.0.9", ALICE, "alicepw", Site::CoreA),
            Site::ClientB | Site::CoreB | Site::PfB => ("10.0.1.9", BOB, "bobpw", Site::CoreB),
        };
        let address = sim::addr(&format!("{host}:{port}"));
        let entropy = self.net.entropy();
        let core = Target::new(self.topology.transport, core.sip());
        self.net.add(name, &[address], Phone::new(aor, password, address, core, entropy))
    }

    /// A node, whatever its role.
    pub fn node(&self, site: Site) -> NodeRef {
        match site {
            Site::ClientA => self.client_a.into(),
            Site::CoreA => self.core_a.into(),
            Site::PfA => self.pf_a.into(),
            Site::CoreB => self.core_b.into(),
            Site::PfB => self.pf_b.into(),
            Site::ClientB => self.client_b.into(),
        }
    }

    /// Kills a node. The records that it has written are kept; what a client told its user was told by another life.
    ///
    /// # Panics
    /// When it is down already.
    pub fn crash(&mut self, site: Site) {
        self.listen();
        match site {
            Site::ClientA => drop(self.net.crash(self.client_a)),
            Site::ClientB => drop(self.net.crash(self.client_b)),
            Site::CoreA => drop(self.net.crash(self.core_a)),
            Site::CoreB => drop(self.net.crash(self.core_b)),
            Site::PfA => drop(self.net.crash(self.pf_a)),
            Site::PfB => drop(self.net.crash(self.pf_b)),
        }
        self.told.retain(|(who, _)| *who != site.name());
        if site == Site::ClientA {
            self.calls.clear();
        }
    }

    /// Starts a crashed node again; it remembers nothing.
    ///
    /// # Panics
    /// When it is up.
    pub fn restart(&mut self, site: Site) {
        self.lives += 1;
        let (setup, life) = (&self.setup, self.lives);
        match site {
            Site::ClientA => self.net.restart(self.client_a, setup.client(site, life)),
            Site::ClientB => self.net.restart(self.client_b, setup.client(site, life)),
            Site::CoreA => self.net.restart(self.core_a, setup.core(site, life)),
            Site::CoreB => self.net.restart(self.core_b, setup.core(site, life)),
            Site::PfA => self.net.restart(self.pf_a, setup.pf(site, life)),
            Site::PfB => self.net.restart(self.pf_b, setup.pf(site, life)),
        }
    }

    /// Both clients register.
    pub fn register(&mut self) {
        for client in [self.client_a, self.client_b] {
            self.net.node_mut(client, Client::register);
        }
    }

    /// Lets time run until nothing is due soon, and listens to the clients meanwhile.
    pub fn settle(&mut self) {
        self.net.settle();
        self.listen();
    }

    /// Lets time run.
    pub fn run_for(&mut self, time: Duration) {
        self.net.run_for(time);
        self.listen();
    }

    /// Takes what the clients tell their users, and the records of the participating functions.
    pub fn listen(&mut self) {
        let drain = |client: &mut Client, _: Now| std::iter::from_fn(|| client.poll_event()).collect::<Vec<_>>();
        for (name, client) in [("client-a", self.client_a), ("client-b", self.client_b)] {
            if self.net.is_up(client) {
                let events = self.net.node_mut(client, drain);
                self.told.extend(events.into_iter().map(|event| (name, event)));
            }
        }
        for (site, pf) in [(Site::PfA, self.pf_a), (Site::PfB, self.pf_b)] {
            if self.net.is_up(pf) && self.sink != Sink::Down {
                self.take_records(site, pf);
            }
        }
    }

    fn take_records(&mut self, site: Site, pf: NodeId<BrokenPf>) {
        let take = |pf: &mut BrokenPf, _: Now| std::iter::from_fn(|| pf.inner().take_record()).collect::<Vec<_>>();
        for record in self.net.node_mut(pf, take) {
            if self.sink == Sink::Up {
                self.net.node_mut(pf, |pf, _| pf.inner().record_written(record.key));
            }
            if !self.records.iter().any(|(of, known)| *of == site && known.key == record.key) {
                self.records.push((site, record));
            }
        }
    }

    /// What a client has told its user.
    pub fn told_by(&self, name: &str) -> impl Iterator<Item = &Event> {
        self.told.iter().filter(move |(who, _)| *who == name).map(|(_, event)| event)
    }

    /// The sessions of a client that are up, oldest first.
    pub fn up(&self, name: &str) -> Vec<SessionId> {
        self.sessions(name).filter(|(_, told)| *told == Told::Up).map(|(session, _)| session).collect()
    }

    /// The sessions of a client that are not over, oldest first: up, or being set up.
    pub fn live(&self, name: &str) -> Vec<SessionId> {
        self.sessions(name).filter(|(_, told)| *told != Told::Over).map(|(session, _)| session).collect()
    }

    /// What a client's user has last been told of each session.
    fn sessions(&self, name: &str) -> impl Iterator<Item = (SessionId, Told)> {
        let called = self.calls.iter().filter(|_| name == "client-a").map(|session| (*session, Told::Begun));
        let told = self.told_by(name).filter_map(Told::by);
        let mut sessions: Vec<(SessionId, Told)> = Vec::new();
        for (session, told) in called.chain(told) {
            match sessions.iter_mut().find(|(known, _)| *known == session) {
                Some(known) => known.1 = told,
                None => sessions.push((session, told)),
            }
        }
        sessions.into_iter()
    }

    /// The user of a client closes everything that is not over; returns how many sessions.
    pub fn close_all_of(&mut self, name: &str) -> usize {
        let client = if name == "client-a" { self.client_a } else { self.client_b };
        let live = self.live(name);
        for session in &live {
            self.net.node_mut(client, |c, now| c.close(*session, now));
        }
        live.len()
    }

    /// Client A calls Client B.
    ///
    /// # Panics
    /// When its core cannot be reached at all.
    pub fn call(&mut self) -> SessionId {
        let invite = |client: &mut Client, now| client.invite(BOB, now);
        let session = self.net.node_mut(self.client_a, invite).expect("the core can be reached");
        self.calls.push(session);
        session
    }

    /// Client A calls, and both come to the end of setting up. Returns the session as each client names it.
    ///
    /// # Panics
    /// When the session does not come up on both sides.
    pub fn establish(&mut self) -> (SessionId, SessionId) {
        let a = self.call();
        self.settle();
        assert_eq!(self.up("client-a").last(), Some(&a), "{:?}\n{}", self.told, self.net.ladder());
        let b = self.up("client-b").pop();
        (a, b.unwrap_or_else(|| panic!("client-b has no session: {:?}\n{}", self.told, self.net.ladder())))
    }

    /// One or both clients close.
    pub fn close(&mut self, by: CloseBy, sessions: (SessionId, SessionId)) {
        if matches!(by, CloseBy::A | CloseBy::Both) {
            self.net.node_mut(self.client_a, |c, now| c.close(sessions.0, now));
        }
        if matches!(by, CloseBy::B | CloseBy::Both) {
            self.net.node_mut(self.client_b, |c, now| c.close(sessions.1, now));
        }
    }

    /// The SIP that was on the wire since `from`, in the order of sending, lost messages included. What a connection broke
    /// off in the middle is no message.
    pub fn observed_since(&self, from: Instant) -> Vec<Observed> {
        let is_whole = |arrow: &&Arrow| !arrow.duplicate && arrow.fate != Fate::Incomplete;
        let since = self.net.arrows().iter().filter(|arrow| arrow.sent_at >= from).filter(is_whole);
        let mut seen: Vec<_> = since.filter(|arrow| is_sip(arrow)).collect();
        seen.sort_by_key(|a| a.sent_at);
        seen.into_iter().map(observed).collect()
    }

    /// The ladder of the SIP that was sent since `from`, its time zero.
    pub fn sip_ladder_since(&self, from: Instant) -> Ladder<'_> {
        self.net.ladder_since(from).only(is_sip)
    }

    /// Checks the set-up against its flow; returns the names that the dialogs have got.
    pub fn check_set_up(&self, from: Instant) -> (Verdict, Dialogs) {
        let verdict = flow::set_up(self.topology.pf_a, self.topology.pf_b).check(&self.observed_since(from));
        let dialogs = verdict.dialogs.clone();
        (verdict, dialogs)
    }

    /// Checks the close against the flows that it may be.
    ///
    /// # Panics
    /// When there is no such flow.
    pub fn check_close(&self, by: CloseBy, dialogs: &Dialogs, from: Instant) -> Verdict {
        let flows = flow::closings(self.topology.pf_a, self.topology.pf_b, by);
        let observed = self.observed_since(from);
        flow::check_best(flows, dialogs, &observed).expect("every topology has a closing flow").1
    }

    /// What is open in any node: transactions, contexts, sessions. All zero when everything is over.
    pub fn open(&self) -> Vec<(&'static str, String)> {
        let mut open = Vec::new();
        for (name, client) in [("client-a", self.client_a), ("client-b", self.client_b)] {
            if self.net[client].open() != (0, 0) {
                open.push((name, format!("{:?}", self.net[client].open())));
            }
            if self.net[client].media() != (0, 0) {
                open.push((name, format!("MSRP {:?}", self.net[client].media())));
            }
        }
        for (name, core) in [("core-a", self.core_a), ("core-b", self.core_b)] {
            if self.net[core].open() != (0, 0, 0) {
                open.push((name, format!("{:?}", self.net[core].open())));
            }
        }
        for (name, pf) in [("pf-a", self.pf_a), ("pf-b", self.pf_b)] {
            let held = self.net[pf].get().open();
            if held != role_participating::Open::default() {
                open.push((name, format!("{held:?}")));
            }
        }
        open
    }
}

/// Adds a node with its listeners for SIP and MSRP.
fn join<N: Node + 'static>(net: &mut Net, site: Site, sip: SocketAddr, msrp: &Listeners, machine: N) -> NodeId<N> {
    let plain = msrp.iter().filter(|listener| !listener.is_tls()).map(|listener| listener.addr);
    let node = net.add(site.name(), &[sip].into_iter().chain(plain).collect::<Vec<_>>(), machine);
    for secured in msrp.iter().filter(|listener| listener.is_tls()) {
        net.listen(node, Transport::Tls, secured.addr);
        net.set_certificate(node, site.certificate());
    }
    node
}

/// Flows and ladders are about SIP; MSRP runs beside it, on a port of its own at one end.
fn is_sip(arrow: &Arrow) -> bool {
    ![arrow.source, arrow.destination].iter().any(|end| MSRP_PORTS.contains(&end.port()))
}
