use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use wire::{Driver, Effects, Input, Instant, Output};

use super::{Event, Net};
use crate::host::Machine;

/// What happens next. At equal times in this order, then nodes in the order they were added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    /// Something on the wire arrives.
    Wire,
    /// A kernel gives a connection up.
    Deadline(usize),
    /// A node wants to be woken.
    Timer(usize),
}

impl Net {
    /// Lets `time` pass.
    #[track_caller]
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Lets time pass up to and including `until`; a moment in the past changes nothing.
    #[track_caller]
    pub fn run_until(&mut self, until: Instant) {
        self.run_while(|_, at, _| at <= until);
        self.now = self.now.max(until);
    }

    /// Lets time pass until nothing is on the wire and no timer is due within the settle horizon (5 s unless
    /// [`Net::set_settle_horizon`] says otherwise). Timers are those of nodes that run and the kernels' (connecting, and
    /// writing to a blocked connection). Time stops at the last thing that happened.
    #[track_caller]
    pub fn settle(&mut self) {
        self.run_while(|net, at, due| match due {
            Due::Wire => true,
            Due::Deadline(_) | Due::Timer(_) => net.wire.next().is_some() || at <= net.now + net.settle_horizon,
        });
    }

    /// Lets time pass until nothing is on the wire and nobody has a timer.
    ///
    /// # Panics
    /// When that takes longer than `max`.
    #[track_caller]
    pub fn run_to_quiet(&mut self, max: Duration) {
        let until = self.now + max;
        self.run_while(|_, at, _| at <= until);
        if let Some((at, due)) = self.next_due() {
            panic!("not quiet after {max:?}: {} is due at {at:?} (seed {})", self.describe(due), self.seed);
        }
    }

    /// Lets the next thing happen, whenever it is due; false when nothing is left. For tests that check an invariant after
    /// every step.
    #[track_caller]
    pub fn step(&mut self) -> bool {
        self.drain_touched();
        let Some((at, due)) = self.next_due() else { return false };
        self.perform(at, due);
        true
    }

    /// When the next thing happens: an arrival or a timer.
    pub fn next_event_at(&self) -> Option<Instant> {
        self.next_due().map(|(at, _)| at)
    }

    /// Whether nothing is on the wire, nobody has a timer, and no node was added or changed from outside since time last ran.
    pub fn is_quiet(&self) -> bool {
        self.next_due().is_none() && self.hosts.iter().all(|host| !host.touched)
    }

    /// How near a timer must be for [`Net::settle`] to wait for it.
    pub fn set_settle_horizon(&mut self, horizon: Duration) {
        self.settle_horizon = horizon;
    }

    /// How many steps one call of a `run_…` method or of [`Net::settle`] may take, a million by default: more is a livelock.
    pub fn set_step_limit(&mut self, steps: u64) {
        self.step_limit = steps;
    }

    #[track_caller]
    fn run_while(&mut self, wanted: impl Fn(&Net, Instant, Due) -> bool) {
        self.drain_touched();
        for _ in 0..self.step_limit {
            match self.next_due() {
                Some((at, due)) if wanted(self, at, due) => self.perform(at, due),
                Some(_) | None => return,
            }
        }
        let ladder = self.ladder();
        let tail = ladder.lines().skip(ladder.lines().count().saturating_sub(20)).collect::<Vec<_>>().join("\n");
        panic!(
            "livelock: {} steps without an end, at {:?} (seed {}); last on the wire:\n{tail}",
            self.step_limit, self.now, self.seed
        );
    }

    fn next_due(&self) -> Option<(Instant, Due)> {
        let wire = self.wire.next().map(|at| (at, Due::Wire));
        let deadline = self.deadlines.first().map(|(at, connection)| (*at, Due::Deadline(*connection)));
        let timers = self.hosts.iter().enumerate().filter(|(_, host)| !host.paused).filter_map(|(node, host)| {
            let at = host.machine.as_ref()?.poll_timeout()?;
            Some((at.max(self.now), Due::Timer(node)))
        });
        timers.chain(wire).chain(deadline).min()
    }

    #[track_caller]
    fn perform(&mut self, at: Instant, due: Due) {
        self.now = self.now.max(at);
        match due {
            Due::Wire => match self.wire.pop() {
                Some(Event::Datagram(flight)) => self.on_datagram(flight),
                Some(Event::Stream { connection, side }) => self.on_stream(connection, side),
                Some(Event::Written { connection, side }) => self.on_written(connection, side),
                Some(Event::Readable { connection, side }) => self.on_readable(connection, side),
                Some(Event::Disk { node }) => self.on_disk(node),
                None => {}
            },
            Due::Deadline(connection) => self.on_deadline(connection),
            Due::Timer(node) => self.wake(node),
        }
    }

    /// # Panics
    /// When the machine breaks the contract of [`wire::Node`]: woken at its own wish, it must move that wish on.
    fn wake(&mut self, node: usize) {
        let now = self.now_at(node);
        let mut next = None;
        self.drive(node, |driver| next = driver.wake(now));
        if let Some(at) = next.filter(|at| *at <= now.at) {
            let name = &self.hosts[node].name;
            panic!("{name} was woken at {:?} and still wants to be at {at:?} (seed {})", now.at, self.seed);
        }
    }

    /// Gives a node an input; one that is paused takes it when it goes on.
    pub(super) fn deliver(&mut self, node: usize, input: Input) {
        if self.hosts[node].paused {
            return self.hosts[node].waiting.push_back(input);
        }
        let now = self.now_at(node);
        self.drive(node, |driver| driver.input(input, now));
    }

    /// Carries out all that a node puts out.
    pub(super) fn drain(&mut self, node: usize) {
        self.drive(node, |driver| driver.settle());
    }

    /// Runs a node that is up, on this network. The machine is out of its host meanwhile: carrying an output out changes the
    /// network, and never calls a machine.
    fn drive(&mut self, node: usize, act: impl FnOnce(&mut Driver<'_, dyn Machine, Kernel<'_>>)) {
        self.hosts[node].touched = false;
        let Some(mut machine) = self.hosts[node].machine.take() else { return };
        act(&mut Driver::new(&mut *machine, &mut Kernel { net: self, node }));
        self.hosts[node].machine = Some(machine);
    }

    /// Carries out what was caused through mutable access.
    pub(super) fn drain_touched(&mut self) {
        for node in 0..self.hosts.len() {
            if self.hosts[node].touched {
                self.drain(node);
            }
        }
    }

    /// Lets a paused node go on with what came in meanwhile.
    pub(super) fn catch_up(&mut self, node: usize) {
        let waiting: VecDeque<Input> = mem::take(&mut self.hosts[node].waiting);
        for input in waiting {
            self.deliver(node, input);
        }
    }

    fn describe(&self, due: Due) -> String {
        match due {
            Due::Wire => "something on the wire".to_owned(),
            Due::Deadline(_) => "the deadline of a connection".to_owned(),
            Due::Timer(node) => format!("a timer of {}", self.hosts[node].name),
        }
    }
}

/// What the network does for one of its nodes.
struct Kernel<'a> {
    net: &'a mut Net,
    node: usize,
}

impl Effects for Kernel<'_> {
    fn carry_out(&mut self, output: Output) {
        let (net, node) = (&mut *self.net, self.node);
        match output {
            Output::Datagram { local, remote, data } => net.send_datagram(node, local, remote, data),
            Output::Connect { conn, transport, local, remote, verify } => {
                net.connect(node, conn, transport, [local, remote], verify);
            }
            Output::Write { conn, data } => net.write(node, conn, data),
            Output::Read { conn, on } => net.set_reading(node, conn, on),
            Output::Close { conn } => net.close(node, conn),
            Output::Keep { id, entry } => net.keep(node, id, entry),
        }
    }

    /// Each output has been on the wire from the moment it was carried out.
    fn flush(&mut self) {}
}
