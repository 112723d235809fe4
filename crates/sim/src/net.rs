//! The network: its nodes, its public face. What happens on the wire is in the modules below.

mod datagram;
mod disks;
mod faults;
mod run;
mod tcp;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::time::Duration;

use wire::{Entropy, Instant, Node, Now, PeerCertificate, Timestamp, Transport};

use crate::arrow::Recorder;
use crate::fault::Faults;
use crate::host::Host;
use crate::link::Links;
use crate::queue::Queue;
use crate::stream::{Connection, EndState, Pipe};
use crate::{Arrow, Labeller, Ladder, Link, NodeId, NodeRef, Streams, TextLabeller};

/// 2026-01-01T00:00:00Z, the wall clock at the start of every simulation.
const START_UTC_MICROS: u64 = 1_767_225_600_000_000;

/// A seeded virtual network with its clock, its nodes and the record of what was on the wire.
pub struct Net {
    seed: u64,
    now: Instant,
    dice: Entropy,
    hosts: Vec<Host>,
    links: Links,
    streams: Streams,
    faults: Faults,
    wire: Queue<Event>,
    connections: Vec<Connection>,
    /// The kernels' timers: deadlines of connections.
    deadlines: BTreeSet<(Instant, usize)>,
    broken_ends: u64,
    labeller: Box<dyn Labeller>,
    recorder: Recorder,
    settle_horizon: Duration,
    step_limit: u64,
}

/// Something on the wire arrives.
#[derive(Debug)]
enum Event {
    Datagram(datagram::Flight),
    /// The first item in the pipe from `side` of a connection.
    Stream {
        connection: usize,
        side: usize,
    },
    /// What `side` of a connection wrote has left its host.
    Written {
        connection: usize,
        side: usize,
    },
    /// What came in at `side` of a connection and is unread may be read.
    Readable {
        connection: usize,
        side: usize,
    },
    /// The disk of a node has done what it was given.
    Disk {
        node: usize,
    },
}

impl Net {
    /// An empty network at time zero. Everything drawn at random comes from `seed`.
    pub fn new(seed: u64) -> Net {
        Net {
            seed,
            now: Instant::ZERO,
            dice: Entropy::from_seed(seed),
            hosts: Vec::new(),
            links: Links::default(),
            streams: Streams::default(),
            faults: Faults::default(),
            wire: Queue::new(),
            connections: Vec::new(),
            deadlines: BTreeSet::new(),
            broken_ends: 0,
            labeller: Box::new(TextLabeller),
            recorder: Recorder::default(),
            settle_horizon: Duration::from_secs(5),
            step_limit: 1_000_000,
        }
    }

    /// Adds a node called `name` in ladders, bound to each of `addrs` for UDP and TCP.
    ///
    /// # Panics
    /// When the name or an address is taken.
    #[track_caller]
    pub fn add<T: Node + 'static>(&mut self, name: &str, addrs: &[SocketAddr], machine: T) -> NodeId<T> {
        assert!(self.hosts.iter().all(|host| &*host.name != name), "there is already a node called {name}");
        let id = NodeId::new(self.hosts.len());
        self.hosts.push(Host::new(name, Box::new(machine)));
        for addr in addrs {
            self.listen(id, Transport::Udp, *addr);
            self.listen(id, Transport::Tcp, *addr);
        }
        id
    }

    /// Gives a node the certificate that others find out about over TLS.
    pub fn set_certificate(&mut self, node: impl Into<NodeRef>, certificate: PeerCertificate) {
        self.hosts[node.into().0].certificate = Some(Arc::new(certificate));
    }

    /// Binds one more listener, or a TLS one: TLS is simulated as TCP whose ends know each other's certificates, and whose
    /// listening end must have the one that is wanted.
    ///
    /// # Panics
    /// When the address is taken.
    #[track_caller]
    pub fn listen(&mut self, node: impl Into<NodeRef>, transport: Transport, addr: SocketAddr) {
        if let Some(owner) = self.bound_host(transport, addr) {
            panic!("{transport} {addr} is already bound by {}", self.hosts[owner].name);
        }
        self.hosts[node.into().0].bind(transport, addr);
    }

    /// Gives `f` the machine and the time, then carries out what the machine puts out.
    ///
    /// # Panics
    /// When the node is down.
    #[track_caller]
    pub fn node_mut<T: Node + 'static, R>(&mut self, id: NodeId<T>, f: impl FnOnce(&mut T, Now) -> R) -> R {
        self.drain_touched();
        let now = self.now_at(id.index);
        let result = f(self.hosts[id.index].machine_mut(), now);
        self.drain(id.index);
        result
    }

    /// Whether the node runs: not crashed.
    pub fn is_up(&self, node: impl Into<NodeRef>) -> bool {
        self.hosts[node.into().0].machine.is_some()
    }

    /// The name of a node.
    pub fn name(&self, node: impl Into<NodeRef>) -> &str {
        &self.hosts[node.into().0].name
    }

    /// The seed that the network was made with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A generator for a machine, seeded by this network: draw one for each node, always in the same order.
    pub fn entropy(&mut self) -> Entropy {
        self.dice.fork()
    }

    /// The virtual monotonic time, the same for all nodes.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Both clocks as a node reads them.
    pub fn now_of(&self, node: impl Into<NodeRef>) -> Now {
        self.now_at(node.into().0)
    }

    /// Steps the wall clock of a node by so many seconds; its monotonic clock goes on undisturbed.
    pub fn step_wall_clock(&mut self, node: impl Into<NodeRef>, seconds: i64) {
        let host = &mut self.hosts[node.into().0];
        host.clock_step = host.clock_step.saturating_add(seconds.saturating_mul(1_000_000));
    }

    /// How all directions without a link of their own behave.
    pub fn set_link(&mut self, link: Link) {
        self.links.everywhere = link;
    }

    /// How the two directions between `a` and `b` behave.
    pub fn set_link_between(&mut self, a: impl Into<NodeRef>, b: impl Into<NodeRef>, link: Link) {
        let (NodeRef(a), NodeRef(b)) = (a.into(), b.into());
        self.links.set(a, b, link);
        self.links.set(b, a, link);
    }

    /// How the direction from `from` to `to` behaves.
    pub fn set_link_from(&mut self, from: impl Into<NodeRef>, to: impl Into<NodeRef>, link: Link) {
        self.links.set(from.into().0, to.into().0, link);
    }

    /// How stream connections behave.
    pub fn set_streams(&mut self, streams: Streams) {
        self.streams = streams;
    }

    /// Who frames streams and names messages; [`TextLabeller`] by default.
    pub fn set_labeller(&mut self, labeller: impl Labeller + 'static) {
        self.labeller = Box::new(labeller);
    }

    /// The connections that a node holds, those still connecting included.
    pub fn open_connections(&self, node: impl Into<NodeRef>) -> usize {
        let NodeRef(node) = node.into();
        let ends = self.connections.iter().flat_map(|connection| &connection.ends);
        ends.filter(|end| end.node == node && end.state != EndState::Closed).count()
    }

    /// Octets of all streams between two nodes, both directions taken together: those that wait at the senders' hosts, those
    /// in transit, and those that arrived and are unread.
    pub fn held_between(&self, a: impl Into<NodeRef>, b: impl Into<NodeRef>) -> [usize; 3] {
        let (NodeRef(a), NodeRef(b)) = (a.into(), b.into());
        let between = self.connections.iter().filter(|connection| connection.is_between(a, b));
        let held = between.flat_map(|connection| &connection.pipes).map(Pipe::held);
        held.fold([0; 3], |sum, pipe| [sum[0] + pipe[0], sum[1] + pipe[1], sum[2] + pipe[2]])
    }

    /// What was on the wire since the ladder was last cleared, in the order of sending.
    pub fn arrows(&self) -> &[Arrow] {
        &self.recorder.arrows
    }

    /// The arrows as text, ready to paste into [`Net::assert_ladder`].
    pub fn ladder(&self) -> String {
        self.ladder_view().to_string()
    }

    /// The arrows as a view that can be narrowed before it is printed or asserted.
    pub fn ladder_view(&self) -> Ladder<'_> {
        Ladder::new(&self.recorder.arrows, self.recorder.zero, self.seed)
    }

    /// The ladder from `at` on, with time counted from there.
    pub fn ladder_since(&self, at: Instant) -> Ladder<'_> {
        self.ladder_view().since(at)
    }

    /// Fails unless the ladder is `expected`; see [`Ladder::assert`].
    #[track_caller]
    pub fn assert_ladder(&self, expected: &str) {
        self.ladder_view().assert(expected);
    }

    /// Fails unless the ladder, its times left out, is `expected`.
    #[track_caller]
    pub fn assert_ladder_untimed(&self, expected: &str) {
        self.ladder_view().untimed().assert(expected);
    }

    /// Forgets the arrows so far, such as those of the set-up, and makes this moment the ladder's zero.
    pub fn clear_ladder(&mut self) {
        self.recorder.clear(self.now);
    }

    fn now_at(&self, node: usize) -> Now {
        let micros = START_UTC_MICROS + self.now.as_nanos() / 1_000;
        let utc = Timestamp::from_micros(micros.saturating_add_signed(self.hosts[node].clock_step));
        Now { at: self.now, utc }
    }

    fn bound_host(&self, transport: Transport, addr: SocketAddr) -> Option<usize> {
        self.hosts.iter().position(|host| host.is_bound(transport, addr))
    }

    /// What a ladder calls the far side.
    fn name_or_addr(&self, node: Option<usize>, addr: SocketAddr) -> Arc<str> {
        node.map_or_else(|| addr.to_string().into(), |node| Arc::clone(&self.hosts[node].name))
    }
}

impl<T: Node + 'static> Index<NodeId<T>> for Net {
    type Output = T;

    /// # Panics
    /// When the node is down.
    #[track_caller]
    fn index(&self, id: NodeId<T>) -> &T {
        self.hosts[id.index].machine()
    }
}

impl<T: Node + 'static> IndexMut<NodeId<T>> for Net {
    /// What the machine puts out is carried out before time moves on.
    ///
    /// # Panics
    /// When the node is down.
    #[track_caller]
    fn index_mut(&mut self, id: NodeId<T>) -> &mut T {
        self.drain_touched();
        self.hosts[id.index].touched = true;
        self.hosts[id.index].machine_mut()
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("seed", &self.seed)
            .field("now", &self.now)
            .field("hosts", &self.hosts)
            .field("in_flight", &self.wire.len())
            .finish_non_exhaustive()
    }
}
