use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use wire::{ConnId, Input, Node, PeerCertificate, Transport};

use crate::journal::Journal;

/// A machine behind the network's uniform view; typed access goes through `Any`.
pub(crate) trait Machine: Node + Any {}

impl<T: Node + Any> Machine for T {}

/// Names a node of a [`Net`](crate::Net), and knows its machine's type.
pub struct NodeId<T> {
    pub(crate) index: usize,
    machine: PhantomData<fn() -> T>,
}

impl<T> NodeId<T> {
    pub(crate) fn new(index: usize) -> NodeId<T> {
        NodeId { index, machine: PhantomData }
    }
}

impl<T> Clone for NodeId<T> {
    fn clone(&self) -> NodeId<T> {
        *self
    }
}

impl<T> Copy for NodeId<T> {}

impl<T> fmt::Debug for NodeId<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.index)
    }
}

/// Names a node, whatever its machine's type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeRef(pub(crate) usize);

impl<T> From<NodeId<T>> for NodeRef {
    fn from(id: NodeId<T>) -> NodeRef {
        NodeRef(id.index)
    }
}

/// One simulated host: addresses and kernel, and the machine that runs there while it is up.
pub(crate) struct Host {
    pub(crate) name: Arc<str>,
    pub(crate) machine: Option<Box<dyn Machine>>,
    /// Stopped, with its kernel still running.
    pub(crate) paused: bool,
    /// What came in while paused.
    pub(crate) waiting: VecDeque<Input>,
    /// The machine was handed out mutably and may have outputs.
    pub(crate) touched: bool,
    /// How far the wall clock was stepped, in microseconds.
    pub(crate) clock_step: i64,
    /// The machine's names for its connections, as indexes into the network's.
    pub(crate) conns: BTreeMap<ConnId, usize>,
    pub(crate) accepted: u64,
    /// What it keeps beyond its process, if it has a disk.
    pub(crate) journal: Option<Journal>,
    bound: BTreeSet<(Transport, SocketAddr)>,
    /// What others find out about it over TLS.
    pub(crate) certificate: Option<Arc<PeerCertificate>>,
    next_port: u16,
}

/// First port of the dynamic range (RFC 6335 §6), where the simulated kernel starts.
const FIRST_PORT: u16 = 49_152;

impl Host {
    pub(crate) fn new(name: &str, machine: Box<dyn Machine>) -> Host {
        Host {
            name: name.into(),
            machine: Some(machine),
            paused: false,
            waiting: VecDeque::new(),
            touched: true,
            clock_step: 0,
            conns: BTreeMap::new(),
            accepted: 0,
            journal: None,
            bound: BTreeSet::new(),
            certificate: None,
            next_port: FIRST_PORT,
        }
    }

    pub(crate) fn bind(&mut self, transport: Transport, addr: SocketAddr) {
        self.bound.insert((transport, addr));
    }

    pub(crate) fn is_bound(&self, transport: Transport, addr: SocketAddr) -> bool {
        self.bound.contains(&(transport, addr))
    }

    pub(crate) fn has_ip(&self, ip: IpAddr) -> bool {
        self.bound.iter().any(|(_, addr)| addr.ip() == ip)
    }

    /// The port of the next connection that the machine opens.
    pub(crate) fn draw_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }

    pub(crate) fn draw_accepted(&mut self) -> ConnId {
        self.accepted += 1;
        ConnId::accepted(self.accepted - 1)
    }

    /// Forgets what the process knew; addresses and wall clock are the host's.
    pub(crate) fn power_down(&mut self) -> Option<Box<dyn Machine>> {
        self.paused = false;
        self.touched = false;
        self.waiting.clear();
        self.conns.clear();
        self.accepted = 0;
        self.machine.take()
    }

    /// The machine, typed.
    #[track_caller]
    pub(crate) fn machine<T: Any>(&self) -> &T {
        let any: Option<&dyn Any> = self.machine.as_deref().map(|machine| machine as &dyn Any);
        self.typed(any.map(|any| any.downcast_ref()))
    }

    /// The machine, typed, to be changed.
    #[track_caller]
    pub(crate) fn machine_mut<T: Any>(&mut self) -> &mut T {
        let name = Arc::clone(&self.name);
        let Some(machine) = self.machine.as_deref_mut() else { panic!("{name} is down") };
        let any: &mut dyn Any = machine;
        let Some(machine) = any.downcast_mut() else { panic!("{name} belongs to another net") };
        machine
    }

    #[track_caller]
    fn typed<T>(&self, found: Option<Option<T>>) -> T {
        match found {
            Some(Some(machine)) => machine,
            Some(None) => panic!("{} belongs to another net", self.name),
            None => panic!("{} is down", self.name),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("name", &self.name)
            .field("up", &self.machine.is_some())
            .field("paused", &self.paused)
            .field("conns", &self.conns)
            .finish_non_exhaustive()
    }
}
