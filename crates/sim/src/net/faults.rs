use std::any::Any;
use std::time::Duration;

use wire::Node;

use super::Net;
use crate::fault::Verdict;
use crate::stream::EndState;
use crate::{NodeId, NodeRef, Packet};

/// Scripted faults. Those that pick single messages concern datagrams: a stream loses nothing, it only breaks.
impl Net {
    /// Loses the next `n` datagrams that a ladder shows, keep-alives not counted.
    pub fn lose_next(&mut self, n: usize) {
        self.lose_next_matching(|packet| !packet.label.is_empty(), n);
    }

    /// Loses the next `n` datagrams for which `matches` holds.
    pub fn lose_next_matching(&mut self, matches: impl FnMut(&Packet<'_>) -> bool + 'static, n: usize) {
        self.faults.arm(Verdict::Lose, n, Box::new(matches));
    }

    /// Delivers the next `n` datagrams that a ladder shows twice.
    pub fn duplicate_next(&mut self, n: usize) {
        self.duplicate_next_matching(|packet| !packet.label.is_empty(), n);
    }

    /// Delivers the next `n` datagrams for which `matches` holds twice.
    pub fn duplicate_next_matching(&mut self, matches: impl FnMut(&Packet<'_>) -> bool + 'static, n: usize) {
        self.faults.arm(Verdict::Duplicate, n, Box::new(matches));
    }

    /// Delays the next datagram that a ladder shows by `extra`, so that later ones overtake it.
    pub fn delay_next(&mut self, extra: Duration) {
        self.delay_next_matching(|packet| !packet.label.is_empty(), 1, extra);
    }

    /// Delays the next `n` datagrams for which `matches` holds by `extra`.
    pub fn delay_next_matching(
        &mut self,
        matches: impl FnMut(&Packet<'_>) -> bool + 'static,
        n: usize,
        extra: Duration,
    ) {
        self.faults.arm(Verdict::Delay(extra), n, Box::new(matches));
    }

    /// How many scripted strikes on datagrams are still to come: a test that expects a fault to have struck asserts zero.
    pub fn pending_faults(&self) -> usize {
        self.faults.pending()
    }

    /// How many ends of connections have failed so far: reset, timed out, or their host died.
    pub const fn broken_ends(&self) -> u64 {
        self.broken_ends
    }

    /// Lets nothing cross between `a` and `b` any more. Streams hold what is written, and fail after a while.
    pub fn partition(&mut self, a: impl Into<NodeRef>, b: impl Into<NodeRef>) {
        let (a, b) = (a.into(), b.into());
        self.block(a, b);
        self.block(b, a);
    }

    /// Lets nothing cross from `from` to `to` any more; the other direction stays as it is.
    pub fn block(&mut self, from: impl Into<NodeRef>, to: impl Into<NodeRef>) {
        self.drain_touched();
        self.links.block(from.into().0, to.into().0);
    }

    /// Partitions a node from all others, those added so far. Followed by [`Net::crash`], it is a silent death: no peer is
    /// sent a reset.
    pub fn isolate(&mut self, node: impl Into<NodeRef>) {
        let node = node.into();
        for other in (0..self.hosts.len()).map(NodeRef).filter(|other| *other != node) {
            self.partition(node, other);
        }
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        self.drain_touched();
        self.links.unblock_all();
        self.resume_streams();
    }

    /// Ends the partition between `a` and `b`.
    pub fn heal_between(&mut self, a: impl Into<NodeRef>, b: impl Into<NodeRef>) {
        self.drain_touched();
        let (NodeRef(a), NodeRef(b)) = (a.into(), b.into());
        self.links.unblock(a, b);
        self.links.unblock(b, a);
        self.resume_streams();
    }

    /// Kills the process: its state is gone, its connections are reset, datagrams to it vanish, connecting to it is
    /// refused. What it had already put out is on the wire. Returns the dead machine, for a test that models its disk.
    ///
    /// # Panics
    /// When the node is already down.
    #[track_caller]
    pub fn crash<T: Node + 'static>(&mut self, id: NodeId<T>) -> T {
        self.drain_touched();
        let name = self.hosts[id.index].name.clone();
        let Some(machine) = self.hosts[id.index].power_down() else { panic!("{name} is already down") };
        self.reset_connections_of(id.index);
        self.crash_disk(id.index);
        let machine: Box<dyn Any> = machine;
        let Ok(machine) = machine.downcast::<T>() else { panic!("{name} belongs to another net") };
        *machine
    }

    /// Starts a crashed node again with a new machine, on the same addresses. If it has a disk, the machine is handed what
    /// is in its journal.
    ///
    /// # Panics
    /// When the node is up.
    #[track_caller]
    pub fn restart<T: Node + 'static>(&mut self, id: NodeId<T>, machine: T) {
        let host = &mut self.hosts[id.index];
        assert!(host.machine.is_none(), "{} is up", host.name);
        host.machine = Some(Box::new(machine));
        host.touched = true;
        self.recall(id.index);
    }

    /// Stops a process without killing it (SIGSTOP, a long pause): its timers wait, its kernel still takes what comes in.
    pub fn pause(&mut self, node: impl Into<NodeRef>) {
        self.drain_touched();
        self.hosts[node.into().0].paused = true;
    }

    /// Lets a paused process go on: first it reads what came in, then its overdue timers fire.
    pub fn resume(&mut self, node: impl Into<NodeRef>) {
        self.drain_touched();
        let NodeRef(node) = node.into();
        self.hosts[node].paused = false;
        self.catch_up(node);
        self.read_on(node);
    }

    /// Breaks every connection between `a` and `b`: both are told at once, what is in flight is lost. Returns how many.
    pub fn break_connections(&mut self, a: impl Into<NodeRef>, b: impl Into<NodeRef>) -> usize {
        self.drain_touched();
        let between = self.live_connections_between(a.into(), b.into());
        for connection in &between {
            self.fail_end(*connection, 0);
            self.fail_end(*connection, 1);
        }
        between.len()
    }

    /// Makes every connection between `a` and `b` a black hole, as a firewall that forgot it: nothing crosses, nobody is
    /// told, healing does not help; a writer's kernel gives up after a while. Returns how many.
    pub fn black_hole_connections(&mut self, a: impl Into<NodeRef>, b: impl Into<NodeRef>) -> usize {
        self.drain_touched();
        let between = self.live_connections_between(a.into(), b.into());
        for connection in &between {
            self.connections[*connection].black_hole = true;
        }
        between.len()
    }

    fn live_connections_between(&self, NodeRef(a): NodeRef, NodeRef(b): NodeRef) -> Vec<usize> {
        let live = |i: &usize| {
            let connection = &self.connections[*i];
            connection.is_between(a, b) && connection.ends.iter().any(|end| end.state != EndState::Closed)
        };
        (0..self.connections.len()).filter(live).collect()
    }
}
