use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use net::{Clock, Sockets, Tap};
use wire::{Driver, Effects, Instant, Node, Now, Output};

use crate::gauge::{Gauge, Queue, Report};
use crate::handle::{Caller, Handle, Signal};
use crate::keeper::{Journal, Keeper, Recall};

/// Inputs between two looks at timers and calls.
const INPUTS: usize = 256;

/// Calls between two looks at sockets and timers.
const CALLS: usize = 64;

/// Calls that may wait. See [`crate::CallError::Full`].
pub(crate) const CALL_QUEUE: usize = 1024;

/// See [`Options::tick`]. A hundredth of the shortest time that SIP waits (T1, 500 ms: RFC 3261, 17.1.1.1).
const TICK: Duration = Duration::from_millis(5);

/// See [`Options::on_idle`].
pub type OnIdle<N> = Box<dyn FnMut(&mut N) + Send>;

/// A closure that runs on the node, from outside.
type NodeCall<N> = Box<dyn FnOnce(&mut N, Now) + Send>;

/// What an engine is given besides its sockets and its node.
pub struct Options<N> {
    /// Sees what passes the sockets.
    pub tap: Option<Box<dyn Tap>>,
    /// Runs in the engine's thread after every step of the node, once its outputs are sent: the place to take the node's
    /// events out and pass them on. What it makes the node put out is sent as well. It must not block.
    pub on_idle: Option<OnIdle<N>>,
    /// Where the node keeps what is to outlive it. It is handed what is there before it is handed anything else.
    pub journal: Option<Journal>,
    /// The clock; engines that share one have comparable times.
    pub clock: Clock,
    /// How long the node is not woken again after it was: under load something is due all the time, and a thread that gets up for
    /// each of it does little else. Whoever keeps a schedule of its own wants zero.
    pub tick: Duration,
}

impl<N> Default for Options<N> {
    fn default() -> Options<N> {
        Options { tap: None, on_idle: None, journal: None, clock: Clock::start(), tick: TICK }
    }
}

/// Starts engines.
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// Starts a thread called `name` that runs `node` on `sockets` until the handle is stopped or dropped.
    ///
    /// What the node wants to put out already is sent first.
    pub fn spawn<N>(name: &str, mut sockets: Sockets, node: N, options: Options<N>) -> io::Result<Handle<N>>
    where
        N: Node + Send + 'static,
    {
        let calls = Gauge::new("calls", CALL_QUEUE);
        let signal = Arc::new(Signal { waker: sockets.waker()?, stop: AtomicBool::new(false), calls });
        let (send, calls) = sync_channel(CALL_QUEUE);
        sockets.attach(options.clock, options.tap);
        let (clock, on_idle) = (options.clock, options.on_idle);
        let (keeper, recalled) = Keeper::start(name, options.journal, &signal, clock)?;
        let host = Host {
            io: Io { sockets, keeper },
            node,
            clock,
            on_idle,
            calls,
            signal: Arc::clone(&signal),
            is_drained: true,
            drained_at: clock.at(),
            tick: options.tick,
            woken_at: None,
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || host.run(recalled))?;
        let caller = Caller::new(send, signal, thread.thread().id());
        Ok(Handle::new(caller, thread))
    }
}

/// What is asked of an engine from outside.
pub(crate) enum Call<N> {
    Node(NodeCall<N>),
    Report(SyncSender<Report>),
}

struct Host<N> {
    io: Io,
    node: N,
    clock: Clock,
    on_idle: Option<OnIdle<N>>,
    calls: Receiver<Call<N>>,
    signal: Arc<Signal>,
    /// Whether everything that there was to read has been read.
    is_drained: bool,
    /// When it last was.
    drained_at: Instant,
    tick: Duration,
    /// When what was due was last done.
    woken_at: Option<Instant>,
}

/// What the engine does for its node.
struct Io {
    sockets: Sockets,
    keeper: Keeper,
}

impl Effects for Io {
    fn carry_out(&mut self, output: Output) {
        if let Output::Keep { id, entry } = output {
            self.keeper.keep(id, entry);
        } else {
            self.sockets.handle_output(output);
        }
    }

    fn flush(&mut self) {
        self.sockets.flush();
    }
}

impl<N: Node> Host<N> {
    fn run(mut self, recalled: Recall) -> N {
        self.drive(|driver, _| driver.settle());
        for input in recalled {
            self.drive(|driver, now| driver.input(input, now));
        }
        let mut calls_left = false;
        loop {
            let timeout =
                if calls_left || self.io.keeper.has_results() { Some(Duration::ZERO) } else { self.timeout() };
            self.io.sockets.wait(timeout).expect("polling fails only for arguments that are wrong");
            // Read before the calls: those that were made before the stop are still answered.
            let stop = self.signal.stop.load(Ordering::Acquire);
            // Inputs before timers: an answer that is here already beats the timer that waits for it.
            self.tell_lag();
            self.take_inputs();
            self.take_kept();
            self.take_time();
            calls_left = self.take_calls();
            if stop && !calls_left {
                self.io.sockets.send();
                return self.node;
            }
        }
    }

    /// How long inputs wait: for datagrams the kernel tells. Of others it is known since when there have always been some: as long
    /// as a queue has not been empty, one of them may have waited. A node that keeps up empties it all the time, or nearly so: as
    /// busy as it can be, it always finds new ones that have not waited for long.
    fn tell_lag(&mut self) {
        let now = self.clock.now();
        if self.is_drained {
            self.drained_at = now.at;
        }
        let standing = now.at - self.drained_at;
        let lag =
            if standing.is_zero() { standing } else { self.io.sockets.waited().unwrap_or(standing).min(standing) };
        self.node.handle_lag(lag, now);
        self.is_drained = false;
    }

    fn take_inputs(&mut self) {
        for _ in 0..INPUTS {
            let Some(input) = self.io.sockets.next_input() else {
                self.is_drained = true;
                return;
            };
            self.drive(|driver, now| driver.input(input, now));
        }
    }

    /// Tells the node what has become durable.
    fn take_kept(&mut self) {
        while let Some(input) = self.io.keeper.next_input() {
            self.drive(|driver, now| driver.input(input, now));
        }
    }

    /// Does what is due.
    fn take_time(&mut self) {
        let now = self.clock.now();
        if self.due().is_none_or(|due| due > now.at) {
            return;
        }
        self.woken_at = Some(now.at);
        self.io.sockets.handle_timeout(now.at);
        if self.node.poll_timeout().is_some_and(|due| due <= now.at) {
            self.drive(|driver, _| {
                let next = driver.wake(now);
                debug_assert!(next.is_none_or(|next| next > now.at), "time moves on");
            });
        }
    }

    /// Runs what others asked for; whether some may be left.
    fn take_calls(&mut self) -> bool {
        for _ in 0..CALLS {
            let Ok(call) = self.calls.try_recv() else { return false };
            self.signal.calls.taken(1);
            match call {
                Call::Node(call) => self.drive(|driver, now| driver.touch(|node| call(node, now))),
                // Who asked may be gone.
                Call::Report(reply) => drop(reply.try_send(self.report())),
            }
        }
        true
    }

    fn report(&self) -> Report {
        let (sockets, limits) = (&self.io.sockets, self.io.sockets.limits());
        let (datagrams, octets) = sockets.fullest();
        let mut queues = vec![
            self.signal.calls.read(),
            Queue { name: "socket_datagrams", depth: datagrams, bound: limits.datagram_queue },
            Queue { name: "connection_octets", depth: octets, bound: limits.write_queue },
        ];
        queues.extend(self.io.keeper.queue());
        Report { net: sockets.counters(), queues, journal: self.io.keeper.took() }
    }

    /// Lets one thing happen to the node, then lets the owner take events, and sends what came of that.
    fn drive(&mut self, act: impl FnOnce(&mut Driver<'_, N, Io>, Now)) {
        let mut driver = Driver::new(&mut self.node, &mut self.io);
        act(&mut driver, self.clock.now());
        if let Some(on_idle) = &mut self.on_idle {
            driver.touch(on_idle);
        }
    }

    /// How long there is nothing to do.
    fn timeout(&self) -> Option<Duration> {
        self.due().map(|due| due.saturating_since(self.clock.at()))
    }

    /// When to do what is due next: a tick after the last time, or later.
    fn due(&self) -> Option<Instant> {
        let due = [self.node.poll_timeout(), self.io.sockets.poll_timeout()].into_iter().flatten().min()?;
        Some(self.woken_at.map_or(due, |woken_at| due.max(woken_at + self.tick)))
    }
}
