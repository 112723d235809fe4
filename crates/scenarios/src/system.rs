use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use cpm::{MediaPathPolicy, Profile};
use flow::{CloseBy, Dialogs, MediaPath, Observed, Verdict};
use role_client::{Client, Event, SessionId};
use role_core::{Core, Peer, Registration, Subscriber, Trigger};
use role_participating::Participating;
use sim::{Net, NodeId, addr};
use sip_tx::{Listener, Options, Target};
use wire::{Entropy, Instant, Now, Transport};

use crate::pf::{BrokenPf, Fault};
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
    events_a: Vec<Event>,
    events_b: Vec<Event>,
}

/// Address-of-record of Client A's user.
pub const ALICE: &str = "sip:alice@home1.test";
/// Address-of-record of Client B's user.
pub const BOB: &str = "sip:bob@home2.test";

const ADDRS: [(&str, &str); 6] = [
    ("client-a", "10.0.0.1:5060"),
    ("core-a", "10.0.0.2:5060"),
    ("pf-a", "10.0.0.3:5060"),
    ("core-b", "10.0.1.2:5060"),
    ("pf-b", "10.0.1.3:5060"),
    ("client-b", "10.0.1.1:5060"),
];

fn sip_addr(name: &str) -> SocketAddr {
    ADDRS.iter().find(|(n, _)| *n == name).map(|(_, a)| addr(a)).expect("a node of the system")
}

fn msrp_addr(name: &str) -> SocketAddr {
    SocketAddr::new(sip_addr(name).ip(), 2855)
}

fn listeners(name: &str) -> Vec<Listener> {
    [Transport::Udp, Transport::Tcp].map(|transport| Listener { transport, addr: sip_addr(name) }).to_vec()
}

fn options() -> Options {
    // The simulated network has no MTU of its own, so what is asked for by UDP goes by UDP.
    Options { path_mtu: Some(65_535), ..Options::default() }
}

fn param(transport: Transport) -> &'static str {
    if transport == Transport::Tcp { ";transport=tcp" } else { "" }
}

/// The configuration of a core, for tests that change it.
pub fn core_config(name: &str, transport: Transport) -> role_core::Config {
    let (domain, user, pf, peer_domain, peer) = match name {
        "core-a" => ("home1.test", "alice", "pf-a", "home2.test", "core-b"),
        _ => ("home2.test", "bob", "pf-b", "home1.test", "core-a"),
    };
    let numbers = [("+15550001", ALICE), ("+15550002", BOB)].map(|(n, aor)| (n.to_owned(), aor.to_owned()));
    let number = if user == "alice" { "+15550001" } else { "+15550002" };
    let subscriber = Subscriber { password: format!("{user}pw"), number: Some(number.to_owned()) };
    role_core::Config {
        domain: domain.to_owned(),
        listeners: listeners(name),
        subscribers: BTreeMap::from([(user.to_owned(), subscriber)]),
        numbers: BTreeMap::from(numbers),
        trigger: Some(Trigger {
            originating: format!("sip:orig@{}{}", sip_addr(pf), param(transport)),
            terminating: format!("sip:term@{}{}", sip_addr(pf), param(transport)),
        }),
        peers: vec![Peer {
            domain: peer_domain.to_owned(),
            uri: format!("sip:{}{}", sip_addr(peer), param(transport)),
            addr: sip_addr(peer),
        }],
        registration: Registration::default(),
    }
}

/// The configuration of a participating function, for tests that change it.
pub fn pf_config(name: &str, media_path: MediaPath) -> role_participating::Config {
    let core = if name == "pf-a" { "core-a" } else { "core-b" };
    role_participating::Config {
        name: format!("{name}.test"),
        listeners: listeners(name),
        msrp: msrp_addr(name),
        media_path: if media_path == MediaPath::On { MediaPathPolicy::On } else { MediaPathPolicy::Off },
        default_profile: Profile::default(),
        profiles: BTreeMap::new(),
        trusted: vec![sip_addr(core).ip()],
        silent_session: Duration::from_secs(86_400),
    }
}

impl System {
    /// Six nodes in order.
    pub fn new(seed: u64, topology: Topology) -> System {
        System::with_fault(seed, topology, None)
    }

    /// Six nodes, PF A broken on purpose.
    pub fn with_fault(seed: u64, topology: Topology, fault: Option<Fault>) -> System {
        let mut net = Net::new(seed);
        let entropy = |n: u64| Entropy::from_seed(seed.wrapping_mul(16) + n);
        let t = topology.transport;
        let client = |name: &str, aor: &str, password: &str, core: &str| role_client::Config {
            aor: aor.to_owned(),
            password: password.to_owned(),
            core: Target::new(t, sip_addr(core)),
            listeners: listeners(name),
            msrp: msrp_addr(name),
            auto_accept: true,
            user_agent: "CPM-client/OMA2.2 duologue/0.1".to_owned(),
            expires: 600,
        };
        let a = Client::new(client("client-a", ALICE, "alicepw", "core-a"), options(), entropy(1));
        let b = Client::new(client("client-b", BOB, "bobpw", "core-b"), options(), entropy(2));
        let pf = |name: &str, place, n, fault| {
            BrokenPf::new(Participating::new(pf_config(name, place), options(), entropy(n)), fault)
        };
        let core = |name: &str, n| Core::new(core_config(name, t), options(), entropy(n));
        System {
            client_a: net.add("client-a", &[sip_addr("client-a")], a),
            core_a: net.add("core-a", &[sip_addr("core-a")], core("core-a", 3)),
            pf_a: net.add("pf-a", &[sip_addr("pf-a")], pf("pf-a", topology.pf_a, 4, fault)),
            core_b: net.add("core-b", &[sip_addr("core-b")], core("core-b", 5)),
            pf_b: net.add("pf-b", &[sip_addr("pf-b")], pf("pf-b", topology.pf_b, 6, None)),
            client_b: net.add("client-b", &[sip_addr("client-b")], b),
            net,
            topology,
            told: Vec::new(),
            events_a: Vec::new(),
            events_b: Vec::new(),
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

    /// Takes what the clients tell their users.
    pub fn listen(&mut self) {
        let drain = |client: &mut Client, _: Now| std::iter::from_fn(|| client.poll_event()).collect::<Vec<_>>();
        for event in self.net.node_mut(self.client_a, drain) {
            self.told.push(("client-a", event.clone()));
            self.events_a.push(event);
        }
        for event in self.net.node_mut(self.client_b, drain) {
            self.told.push(("client-b", event.clone()));
            self.events_b.push(event);
        }
    }

    /// Client A calls, and both come to the end of setting up. Returns the session as each client names it.
    ///
    /// # Panics
    /// When the session does not come up on both sides.
    pub fn establish(&mut self) -> (SessionId, SessionId) {
        let a = self.net.node_mut(self.client_a, |c, now| c.invite(BOB, now)).expect("the core can be reached");
        self.settle();
        assert!(self.events_a.contains(&Event::Established { session: a }), "{:?}\n{}", self.told, self.net.ladder());
        let b = self.events_b.iter().rev().find_map(|e| match e {
            Event::Established { session } => Some(*session),
            Event::Registered { .. }
            | Event::RegistrationFailed { .. }
            | Event::Unregistered
            | Event::Incoming { .. }
            | Event::Ringing { .. }
            | Event::Failed { .. }
            | Event::Closed { .. } => None,
        });
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

    /// What was on the wire since `from`, in the order of sending, lost messages included.
    pub fn observed_since(&self, from: Instant) -> Vec<Observed> {
        let mut seen: Vec<_> = self.net.arrows().iter().filter(|a| a.sent_at >= from && !a.duplicate).collect();
        seen.sort_by_key(|a| a.sent_at);
        seen.into_iter().map(observed).collect()
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
