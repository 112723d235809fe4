use std::collections::VecDeque;

use sip_tx::{Event, Owner, Stack};
use wire::{Entropy, Instant, Key, Now, Slab, TimerQueue};

use crate::ProxyEvent;
use crate::context::{Context, Fork};
use crate::fifo::Fifo;

/// The proxy of one node: the response contexts of the requests that it has forwarded.
///
/// It owns no sockets and no transactions; the role hands it the [`Stack`].
#[derive(Debug)]
pub struct Proxy {
    pub(crate) contexts: Slab<Context>,
    pub(crate) events: VecDeque<ProxyEvent>,
    pub(crate) fifos: Fifos,
    /// Makes the fingerprints of this node its own.
    pub(crate) seed: u64,
}

/// The proxy's timers.
#[derive(Debug)]
pub(crate) struct Fifos {
    /// Timer C of a fork (RFC 3261 §16.6 step 11).
    pub(crate) timer_c: Fifo<(Key, u32)>,
    /// Timer C of forks that were heard of meanwhile.
    pub(crate) moved: TimerQueue<(Key, u32)>,
    /// The 100 of a non-INVITE request (RFC 4320 §4.1).
    pub(crate) trying: Fifo<Key>,
    /// The end of the wait for further 2xx.
    pub(crate) linger: Fifo<Key>,
}

impl Proxy {
    /// A proxy without contexts.
    pub fn new(entropy: &mut Entropy) -> Proxy {
        let fifos = Fifos { timer_c: Fifo::new(), moved: TimerQueue::new(), trying: Fifo::new(), linger: Fifo::new() };
        Proxy { contexts: Slab::new(), events: VecDeque::new(), fifos, seed: entropy.u64() }
    }

    /// Takes an event of the stack. One that does not concern a forwarded request is the role's, and given back.
    pub fn handle(&mut self, stack: &mut Stack, event: Event, now: Now) -> Option<Event> {
        match event {
            Event::Response { tx, owner: Owner::Proxy(key), response } => {
                self.on_response(stack, key, tx, response, now);
            }
            Event::Failed { tx, owner: Owner::Proxy(key), why } => self.on_failed(stack, key, tx, why, now),
            Event::Cancelled { owner: Some(Owner::Proxy(key)), cancel, .. } => {
                self.on_cancelled(stack, key, &cancel, now);
            }
            // Upstream never acknowledged: its loss (RFC 3261 §17.2.1), and no context is kept for it.
            Event::Unacknowledged { owner: Some(Owner::Proxy(_)), .. } => {}
            other @ (Event::Request(_)
            | Event::Ack { .. }
            | Event::Response { .. }
            | Event::Failed { .. }
            | Event::Cancelled { .. }
            | Event::Unacknowledged { .. }) => return Some(other),
        }
        self.tidy();
        None
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, stack: &mut Stack, now: Now) {
        while let Some(key) = self.fifos.trying.pop_due(now.at) {
            self.on_trying(stack, key, now);
        }
        while let Some(fork) = self.fifos.timer_c.pop_due(now.at) {
            self.on_timer_c(stack, fork, now);
        }
        while let Some((_, fork)) = self.fifos.moved.pop_due(now.at) {
            self.on_timer_c(stack, fork, now);
        }
        while let Some(key) = self.fifos.linger.pop_due(now.at) {
            self.settle(stack, key, now);
        }
        self.tidy();
    }

    /// When something is next due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let Fifos { timer_c, moved, trying, linger } = &self.fifos;
        [timer_c.next(), moved.next(), trying.next(), linger.next()].into_iter().flatten().min()
    }

    /// The next event for the role.
    pub fn poll_event(&mut self) -> Option<ProxyEvent> {
        self.events.pop_front()
    }

    /// How many response contexts there are.
    pub const fn len(&self) -> usize {
        self.contexts.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }

    /// What holds between any two inputs.
    ///
    /// # Panics
    /// When it does not.
    pub fn check_invariants(&self) {
        for (key, context) in self.contexts.iter() {
            assert_eq!(key, context.key);
            context.check_invariants();
        }
    }

    /// Ends every public mutation.
    pub(crate) fn tidy(&mut self) {
        let contexts = &self.contexts;
        let open = |key| contexts.get(key).filter(|context| !context.is_answered());
        let rings = |at: u32| move |context: &Context| context.forks.get(at as usize).is_some_and(Fork::is_pending);
        self.fifos.timer_c.prune(|(key, at)| open(key).is_some_and(rings(at)));
        self.fifos.trying.prune(|key| open(key).is_some());
        self.fifos.linger.prune(|key| contexts.get(key).is_some());
        // All of them after every input would be quadratic: a busy proxy is checked by who tests it.
        if cfg!(debug_assertions) && self.contexts.len() <= 64 {
            self.check_invariants();
        }
    }
}
