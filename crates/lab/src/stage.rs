//! The six nodes, running.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::Sender;

use cpm::{MediaPathPolicy, Profile};
use engine::{Authority, ClientAuth, Clock, Handle, Tls};
use flow::MediaPath;
use node::{Addresses, Bound, ClientPlan, CorePlan, PfPlan, Seat};
use role_client::Client;
use role_core::{Core, Registration, Subscriber};
use role_participating::Participating;
use sip_tx::Target;
use wire::{Entropy, Transport};

use crate::recording::{Purpose, Recording};
use crate::tap::{NodeIndex, Recorder, Seen};
use crate::{LabError, NODES, NodeReport, Scenario, Settings};

/// User A or User B: the place in an array of two.
pub(crate) type Side = usize;

/// User and domain of each side.
const USERS: [(&str, &str); 2] = [("alice", "home1.test"), ("bob", "home2.test")];

/// What reaches the lab from the engines' threads.
pub(crate) enum Signal {
    /// A tap saw something.
    Wire(Seen),
    /// A client tells its user something.
    Client(Side, role_client::Event),
}

impl From<Seen> for Signal {
    fn from(seen: Seen) -> Signal {
        Signal::Wire(seen)
    }
}

/// The nodes of one flow, by side.
pub(crate) struct Stage {
    pub(crate) clients: [Handle<Client>; 2],
    pub(crate) pfs: [Handle<Participating>; 2],
    cores: [Handle<Core>; 2],
    nodes: Vec<NodeReport>,
}

/// The addresses-of-record of A and B.
pub(crate) fn aor(side: Side) -> String {
    let (user, domain) = USERS[side];
    format!("sip:{user}@{domain}")
}

/// Where the nodes of a kind stand in [`NODES`], by side.
pub(crate) const CLIENTS: [NodeIndex; 2] = [0, 5];
pub(crate) const CORES: [NodeIndex; 2] = [1, 3];
pub(crate) const PFS: [NodeIndex; 2] = [2, 4];

/// What all nodes of a flow have in common while they are started.
struct Cast<'a> {
    settings: &'a Settings,
    scenario: &'a Scenario,
    clock: Clock,
    queue: &'a Sender<Signal>,
    /// The SIP URI of each node.
    uris: Vec<String>,
    /// The SIP address of each node.
    addrs: Vec<SocketAddr>,
}

impl Stage {
    /// Binds all sockets, tells the recording whose they are, and starts the nodes.
    pub(crate) fn set(
        settings: &Settings,
        scenario: &Scenario,
        clock: Clock,
        queue: &Sender<Signal>,
        recording: &mut Recording,
    ) -> Result<Stage, LabError> {
        let bound = bind(settings.transport, recording)?;
        let addrs = bound.iter().map(|b| sip_addr(b, settings.transport)).collect::<Result<Vec<_>, _>>()?;
        let nodes = bound.iter().zip(&addrs).map(|(b, sip)| report(b, *sip)).collect();
        let uris = addrs.iter().map(|addr| node::sip_uri(settings.transport, *addr)).collect();
        let cast = Cast { settings, scenario, clock, queue, uris, addrs };
        let [client_a, core_a, pf_a, core_b, pf_b, client_b] = bound;
        Ok(Stage {
            cores: [cast.core(0, core_a)?, cast.core(1, core_b)?],
            pfs: [cast.pf(scenario.pf_a, PFS[0], pf_a)?, cast.pf(scenario.pf_b, PFS[1], pf_b)?],
            clients: [cast.client(0, client_a)?, cast.client(1, client_b)?],
            nodes,
        })
    }

    /// Stops all nodes; what they were stays.
    pub(crate) fn strike(self) -> Vec<NodeReport> {
        drop((self.clients, self.pfs, self.cores));
        self.nodes
    }
}

impl Cast<'_> {
    fn core(&self, side: Side, bound: Bound) -> Result<Handle<Core>, LabError> {
        let (user, domain) = USERS[side];
        let other = 1 - side;
        let subscriber = Subscriber::new(password(user));
        let plan = CorePlan {
            domain: domain.to_owned(),
            trust: Vec::new(),
            subscribers: BTreeMap::from([(user.to_owned(), subscriber)]),
            numbers: BTreeMap::new(),
            trigger: Some(node::trigger(&self.uris[PFS[side]])?),
            peers: vec![node::peer(USERS[other].1, &self.uris[CORES[other]])?],
            registration: Registration::default(),
            route_key: None,
        };
        Ok(plan.start(bound, self.seat(CORES[side], None))?)
    }

    fn pf(&self, place: MediaPath, node: NodeIndex, bound: Bound) -> Result<Handle<Participating>, LabError> {
        let plan = PfPlan {
            media_path: match place {
                MediaPath::Off => MediaPathPolicy::Off,
                MediaPath::On => MediaPathPolicy::On,
            },
            default_profile: Profile::default(),
            profiles: BTreeMap::new(),
            trusted: vec![Ipv4Addr::LOCALHOST.into()],
            hosts: sip_tx::Hosts::default(),
            silent_session: node::SILENT_SESSION,
            intervals: node::Intervals::default(),
            journal: None,
            records: None,
            media_grace: Some(node::MEDIA_GRACE),
            max_sessions: node::MAX_SESSIONS,
            route_key: None,
        };
        Ok(plan.start(bound, self.seat(node, None), Vec::new())?.handle)
    }

    fn client(&self, side: Side, bound: Bound) -> Result<Handle<Client>, LabError> {
        let plan = ClientPlan {
            aor: aor(side),
            password: password(USERS[side].0),
            core: Target::new(self.settings.transport, self.addrs[CORES[side]]),
            relay: None,
            auto_accept: false,
            expires: 600,
        };
        let queue = self.queue.clone();
        let tell = move |client: &mut Client| {
            while let Some(event) = client.poll_event() {
                // The lab may have heard enough already.
                drop(queue.send(Signal::Client(side, event)));
            }
        };
        Ok(plan.start(bound, self.seat(CLIENTS[side], Some(Box::new(tell))))?)
    }

    fn seat<N>(&self, node: NodeIndex, on_idle: Option<engine::OnIdle<N>>) -> Seat<N> {
        // RFC 3261 §18.1.1: a request within 200 octets of the path MTU, or above 1300 octets if that is not known, must
        // leave by TCP. The MTU of a loopback is known, so over UDP everything stays on UDP, as the figures are drawn.
        let options = sip_tx::Options { path_mtu: Some(LOOPBACK_MTU), ..sip_tx::Options::default() };
        let entropy = Entropy::from_seed(self.scenario.seed(self.settings.seed, NODES[node]));
        let tap = Box::new(Recorder::new(node, self.queue.clone()));
        Seat {
            options,
            entropy,
            host: engine::Options { tap: Some(tap), on_idle, clock: self.clock, ..engine::Options::default() },
        }
    }
}

/// The MTU of Linux's loopback is 65,536, more than a datagram can hold.
const LOOPBACK_MTU: usize = 65_535;

/// Passwords of the lab protect nothing.
fn password(user: &str) -> String {
    format!("{user}-in-the-lab")
}

fn bind(transport: Transport, recording: &mut Recording) -> Result<[Bound; 6], LabError> {
    let any = |transport| (transport, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    // Over TLS nothing else is open, so nothing can leave in the clear.
    let (sip, media) = match transport {
        Transport::Udp | Transport::Tcp => (vec![any(Transport::Udp), any(Transport::Tcp)], any(Transport::Tcp)),
        Transport::Tls => (vec![any(Transport::Tls)], any(Transport::Tls)),
    };
    let authority = (transport == Transport::Tls).then(Authority::new).transpose()?;
    let mut bind = |index: NodeIndex| {
        let msrp = if CORES.contains(&index) { vec![] } else { vec![media] };
        let wanted = Addresses { sip: sip.clone(), msrp, client_auth: ClientAuth::Required };
        let tls = authority.as_ref().map(|authority| tls(authority, index)).transpose()?;
        let bound = Bound::bind(NODES[index], &wanted, tls)?;
        for listener in bound.listeners() {
            recording.listens(index, listener.transport, listener.addr, Purpose::Sip);
        }
        for listener in bound.msrp().into_iter().flat_map(|listeners| listeners.iter()) {
            recording.listens(index, media.0, listener.addr, Purpose::Msrp);
        }
        Ok::<_, LabError>(bound)
    };
    Ok([bind(0)?, bind(1)?, bind(2)?, bind(3)?, bind(4)?, bind(5)?])
}

/// The certificate of a node: its address, and for a core the domain that it stands for (RFC 5922 §7). All trust one authority,
/// which is made for the flow.
fn tls(authority: &Authority, node: NodeIndex) -> Result<Tls, LabError> {
    let domain = CORES.iter().position(|core| *core == node).map(|side| USERS[side].1.to_owned());
    let names: Vec<String> = domain.into_iter().chain([Ipv4Addr::LOCALHOST.to_string()]).collect();
    Ok(Tls::new(authority.issue(&names)?).trust(authority.pem().as_bytes())?)
}

fn sip_addr(bound: &Bound, transport: Transport) -> Result<SocketAddr, LabError> {
    bound.sip(transport).ok_or(LabError::Transport(transport))
}

fn report(bound: &Bound, sip: SocketAddr) -> NodeReport {
    let msrp = bound.msrp().map(|listeners| listeners.offered().addr);
    NodeReport { name: bound.name().to_owned(), sip, msrp }
}
