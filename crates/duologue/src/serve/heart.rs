//! Gives signs of life for the nodes of this process, from when each begins its life until the last has ended.
//!
//! It does nothing else: a node that takes up what earlier lives or other nodes have left may be long about it, an entry at a
//! time where one of them has killed, and is not to be taken for dead by others meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use engine::Clock;
use store::{Lease, Lives as _, Measured, StoreError};

/// How often signs of life are given and looked for.
pub(super) const BEAT: Duration = Duration::from_secs(1);

/// What is done when another has replaced one of our nodes: nothing that we still do counts.
pub(super) type Fenced = Box<dyn FnOnce(&StoreError) + Send>;

/// The thread that gives them. Dropping it ends it.
pub(super) struct Heart {
    leases: Option<Sender<Lease>>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    pub(super) fn start(store: Arc<Measured>, every: Duration, fenced: Fenced) -> std::io::Result<Heart> {
        let (leases, begun) = channel();
        let thread = thread::Builder::new().name("heart".to_owned());
        let thread = thread.spawn(move || {
            if let Err(error) = beat(&store, &begun, every) {
                fenced(&error);
            }
        })?;
        Ok(Heart { leases: Some(leases), thread: Some(thread) })
    }

    /// From now on this node lives.
    pub(super) fn beat_for(&self, lease: Lease) {
        // Once a node has been replaced, the process ends.
        self.leases.iter().for_each(|leases| drop(leases.send(lease.clone())));
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        drop(self.leases.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that gives signs of life has panicked");
        }
    }
}

/// Beats until there is nobody to beat for any more, or one has been replaced.
fn beat(store: &Measured, begun: &Receiver<Lease>, every: Duration) -> Result<(), StoreError> {
    let (mut leases, clock) = (Vec::new(), Clock::start());
    let mut due = clock.at() + every;
    loop {
        match begun.recv_timeout(due.saturating_since(clock.at())) {
            Ok(lease) => leases.push(lease),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                for lease in &leases {
                    // A store that is away is for those to tell who look for others.
                    if let Err(error @ StoreError::Fenced(_)) = store.beat(lease) {
                        return Err(error);
                    }
                }
                due = clock.at() + every;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use store::{Memory, Role};
    use wire::Entry;

    use super::*;

    const OFTEN: Duration = Duration::from_millis(1);
    const PATIENCE: Duration = Duration::from_secs(20);

    fn store() -> Arc<Measured> {
        Arc::new(Measured::new(Arc::new(Memory::default())))
    }

    #[test]
    fn a_node_gives_signs_of_life_from_its_first_moment_whatever_it_is_about() {
        let store = store();
        let heart = Heart::start(Arc::clone(&store), OFTEN, Box::new(|error| panic!("{error}"))).unwrap();
        // The second one begins when the first one beats already.
        for name in ["pf-1", "pf-2"] {
            let lease = store.begin(name, Role::Participating).unwrap();
            // Whoever holds nothing is not looked for.
            store.keep(&lease, &[Entry { key: 1, value: Some("x".into()), opens: false }]).unwrap();
            heart.beat_for(lease);
            let beats = || store.holders(Role::Participating).unwrap().into_iter().find(|holder| holder.node == name);
            let first = beats().unwrap().beat;
            let lives = interop::until(PATIENCE, || (beats().unwrap().beat > first + 2).then_some(()));
            assert!(lives.is_some(), "{name}");
        }
    }

    #[test]
    fn a_node_that_was_replaced_is_noticed() {
        let store = store();
        let (tell, told) = channel();
        let fenced = Box::new(move |error: &StoreError| tell.send(error.clone()).unwrap());
        let heart = Heart::start(Arc::clone(&store), OFTEN, fenced).unwrap();
        heart.beat_for(store.begin("other", Role::Core).unwrap());
        heart.beat_for(store.begin("pf", Role::Participating).unwrap());
        store.begin("pf", Role::Participating).unwrap();
        assert_eq!(told.recv_timeout(PATIENCE), Ok(StoreError::Fenced("pf".to_owned())));
    }
}
