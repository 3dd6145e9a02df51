//! The producer's identity: asked for once, and raised when a partition has outgrown it.

use super::sequence::{Current, Identity};
use crate::error::Error;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex};

/// Holds the newest identity. Partitions follow it one by one, each when nothing of its older one
/// is unsettled.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    state: Mutex<State>,
    changed: Condvar,
    generation: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    newest: Option<Identity>,
    /// Why there is none, if a broker said so.
    denied: Option<Error>,
    /// Why the last attempt to get one failed, if another is to be made.
    trouble: Option<Error>,
    is_closed: bool,
}

impl Identities {
    /// The number of the newest identity; it grows with each.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(crate) fn newest(&self) -> Option<Current> {
        let state = self.state.lock();
        let generation = self.generation();
        state.newest.map(|identity| Current {
            identity,
            generation,
        })
    }

    /// Waits for an identity; `ask` is called first if there is none. One that came and is used up
    /// already ends the wait too: whoever used it up does not ask for the next.
    ///
    /// # Errors
    /// Why a broker refused one. `None` once the producer is closed.
    pub(crate) fn wait(&self, ask: impl FnOnce()) -> Option<Result<(), Error>> {
        let mut state = self.state.lock();
        if state.newest.is_some() {
            return Some(Ok(()));
        }
        state.denied = None;
        let known = self.generation();
        drop(state);
        ask();
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if state.newest.is_some() || self.generation() != known {
                return Some(Ok(()));
            }
            if let Some(error) = &state.denied {
                return Some(Err(error.clone()));
            }
            state = self.changed.wait(state, None);
        }
    }

    /// A broker gave us an identity.
    pub(crate) fn set(&self, identity: Identity) {
        let mut state = self.state.lock();
        (state.newest, state.denied, state.trouble) = (Some(identity), None, None);
        self.generation.fetch_add(1, Ordering::SeqCst);
        drop(state);
        self.changed.notify_all();
    }

    /// A broker will give us none.
    pub(crate) fn deny(&self, error: Error) {
        self.state.lock().denied = Some(error);
        self.changed.notify_all();
    }

    /// There is none yet, and another attempt follows.
    pub(crate) fn set_trouble(&self, error: Error) {
        self.state.lock().trouble = Some(error);
    }

    /// What keeps batches from being sent, as far as identities go.
    pub(crate) fn trouble(&self) -> Option<Error> {
        self.state.lock().trouble.clone()
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.state.lock().newest.is_none()
    }

    /// A partition cannot use generation `outgrown` any more: the next epoch, unless another
    /// partition has raised it already. At the last epoch the identity is given up, and a new one
    /// has to be asked for.
    pub(crate) fn raise(&self, outgrown: u64) {
        let mut state = self.state.lock();
        if self.generation() != outgrown {
            return;
        }
        state.newest = state.newest.and_then(|identity| {
            let epoch = identity.epoch.checked_add(1)?;
            Some(Identity { epoch, ..identity })
        });
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn partitions_that_outgrow_one_epoch_together_raise_it_once() {
        let identities = Identities::default();
        identities.set(Identity {
            producer_id: 5,
            epoch: 0,
        });
        let outgrown = identities.generation();
        identities.raise(outgrown);
        identities.raise(outgrown);
        let newest = identities.newest().expect("an identity");
        assert_eq!(
            (newest.identity.epoch, newest.generation),
            (1, outgrown + 1)
        );
    }

    fn identity() -> Identity {
        Identity {
            producer_id: 5,
            epoch: 0,
        }
    }

    /// Waits in another thread, and answers once it has asked and waits.
    fn answered(identities: &Identities, answer: impl FnOnce()) -> Option<Result<(), Error>> {
        std::thread::scope(|scope| {
            let (asked, question) = std::sync::mpsc::channel();
            let ask = move || asked.send(()).expect("the test listens");
            let waiter = scope.spawn(move || identities.wait(ask));
            question.recv().expect("it asks");
            while identities.changed.waiting() == 0 {
                std::thread::yield_now();
            }
            answer();
            waiter.join().expect("no panic")
        })
    }

    #[test]
    fn who_needs_an_identity_asks_once_and_gets_the_answer() {
        let identities = Identities::default();
        let why = || Error::new(ErrorKind::Authorization, "not yours");
        let denied = answered(&identities, || identities.deny(why()));
        assert!(denied.is_some_and(|denied| denied.is_err()));
        let given = answered(&identities, || identities.set(identity()));
        assert!(
            given.is_some_and(|given| given.is_ok()),
            "an old denial counts"
        );
        let known = identities.wait(|| panic!("there is one"));
        assert!(known.is_some_and(|known| known.is_ok()));
        let closing = Identities::default();
        assert!(answered(&closing, || closing.close()).is_none());
    }

    #[test]
    fn after_the_last_epoch_a_new_producer_id_is_wanted() {
        let identities = Identities::default();
        identities.set(Identity {
            producer_id: 5,
            epoch: i16::MAX,
        });
        identities.raise(identities.generation());
        assert!(identities.is_wanted() && identities.newest().is_none());
    }
}
