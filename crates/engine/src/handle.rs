use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle, ThreadId};

use mio::Waker;
use net::Counters;
use wire::Now;

use crate::gauge::{Gauge, Report};
use crate::host::Call;

/// Why an engine did not do what it was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// It has stopped, or its node panicked; [`Handle::stop`] tells which.
    #[error("the engine has stopped")]
    Stopped,
    /// Too many calls wait already.
    #[error("the engine is too busy to take another call")]
    Full,
    /// The engine's own thread would wait for itself.
    #[error("an engine cannot wait for itself")]
    OwnThread,
}

/// What wakes an engine.
pub(crate) struct Signal {
    pub(crate) waker: Waker,
    pub(crate) stop: AtomicBool,
    /// The calls that wait.
    pub(crate) calls: Gauge,
}

/// Reaches into a running engine; cheap to copy, and outlives it without harm.
pub struct Caller<N> {
    calls: SyncSender<Call<N>>,
    signal: Arc<Signal>,
    thread: ThreadId,
}

impl<N> Clone for Caller<N> {
    fn clone(&self) -> Caller<N> {
        Caller { calls: self.calls.clone(), signal: Arc::clone(&self.signal), thread: self.thread }
    }
}

impl<N: 'static> Caller<N> {
    pub(crate) fn new(calls: SyncSender<Call<N>>, signal: Arc<Signal>, thread: ThreadId) -> Caller<N> {
        Caller { calls, signal, thread }
    }

    /// Runs `call` on the node in the engine's thread and waits for what it returns. The node's outputs are sent right
    /// after it.
    pub fn call<R: Send + 'static>(
        &self,
        call: impl FnOnce(&mut N, Now) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        self.ask(|reply| {
            Call::Node(Box::new(move |node, now| {
                // Nobody but the caller holds the other end, and it waits.
                drop(reply.send(call(node, now)));
            }))
        })
    }

    /// Runs `call` on the node in the engine's thread, some time soon. Never waits, so an engine may ask another one.
    pub fn cast(&self, call: impl FnOnce(&mut N, Now) + Send + 'static) -> Result<(), CallError> {
        let call = Call::Node(Box::new(call));
        self.signal.calls.put(|| self.calls.try_send(call)).map_err(|e| match e {
            TrySendError::Full(_) => CallError::Full,
            TrySendError::Disconnected(_) => CallError::Stopped,
        })?;
        self.wake();
        Ok(())
    }

    /// What the engine's sockets did so far.
    pub fn counters(&self) -> Result<Counters, CallError> {
        self.report().map(|report| report.net)
    }

    /// What the engine tells of itself.
    pub fn report(&self) -> Result<Report, CallError> {
        self.ask(Call::Report)
    }

    fn ask<R>(&self, call: impl FnOnce(SyncSender<R>) -> Call<N>) -> Result<R, CallError> {
        if thread::current().id() == self.thread {
            return Err(CallError::OwnThread);
        }
        let (reply, answer) = sync_channel(1);
        self.signal.calls.put(|| self.calls.send(call(reply))).map_err(|_| CallError::Stopped)?;
        self.wake();
        answer.recv().map_err(|_| CallError::Stopped)
    }

    fn wake(&self) {
        // The waker is a counter of the kernel's in memory of our own: it cannot be full and is closed with the last handle.
        self.signal.waker.wake().expect("an open event counter takes one more");
    }
}

/// A running engine. Dropping it stops the engine as [`Handle::stop`] does.
pub struct Handle<N> {
    caller: Caller<N>,
    /// `None` only while it is being stopped.
    thread: Option<JoinHandle<N>>,
}

impl<N> Handle<N> {
    pub(crate) fn new(caller: Caller<N>, thread: JoinHandle<N>) -> Handle<N> {
        Handle { caller, thread: Some(thread) }
    }

    /// A second way to reach the engine, for another thread.
    pub fn caller(&self) -> Caller<N> {
        self.caller.clone()
    }

    /// Whether the node still runs. It stops by itself only if it panics.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    fn join(&mut self) -> Option<thread::Result<N>> {
        let thread = self.thread.take()?;
        self.caller.signal.stop.store(true, Ordering::Release);
        // It may have ended already, and then nobody minds.
        drop(self.caller.signal.waker.wake());
        Some(thread.join())
    }
}

impl<N: 'static> Handle<N> {
    /// See [`Caller::call`].
    pub fn call<R: Send + 'static>(
        &self,
        call: impl FnOnce(&mut N, Now) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        self.caller.call(call)
    }

    /// See [`Caller::cast`].
    pub fn cast(&self, call: impl FnOnce(&mut N, Now) + Send + 'static) -> Result<(), CallError> {
        self.caller.cast(call)
    }

    /// See [`Caller::counters`].
    pub fn counters(&self) -> Result<Counters, CallError> {
        self.caller.counters()
    }

    /// Stops the engine after the calls made so far, closes its sockets at once and gives the node back. What the kernel
    /// has not taken by then is lost, so let the node finish first.
    ///
    /// # Panics
    /// Goes on with the panic of the node, of a call or of the tap, if there was one.
    pub fn stop(mut self) -> N {
        match self.join() {
            Some(Ok(node)) => node,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => unreachable!("only stopping takes the thread, and it takes the handle too"),
        }
    }
}

impl<N> Drop for Handle<N> {
    fn drop(&mut self) {
        if let Some(Err(panic)) = self.join()
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}
