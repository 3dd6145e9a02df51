//! The thread that fails records whose `delivery.timeout.ms` is over, whatever brokers and sockets
//! do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::broker::Core;
use crate::sync::{Condvar, Mutex};
use crate::time;

/// Wakes the thread when there is something that can expire; with nothing buffered it sleeps for
/// good.
///
/// All records have the same limit, so a batch that is opened later expires later: while the thread
/// sleeps until the oldest batch's time, new batches need not wake it.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    is_armed: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_poked: bool,
    is_closed: bool,
}

impl Expiry {
    /// Something was buffered.
    pub(crate) fn arm(&self) {
        if !self.is_armed.load(Ordering::SeqCst) && !self.is_armed.swap(true, Ordering::SeqCst) {
            self.state.lock().is_poked = true;
            self.changed.notify_all();
        }
    }

    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Runs until it is closed.
    pub(crate) fn run(&self, core: &Core) {
        let mut until = None;
        while self.sleep(until) {
            until = self.expire(core);
            if until.is_none() {
                self.is_armed.store(false, Ordering::SeqCst);
                // A batch that was opened before the store found the thread armed: look once more.
                until = self.expire(core);
                if until.is_some() {
                    self.is_armed.store(true, Ordering::SeqCst);
                }
            }
        }
    }

    fn expire(&self, core: &Core) -> Option<Instant> {
        let (losses, next) = core.accumulator.expire(time::now());
        core.metrics.failed.add(losses.failed);
        core.metrics.unknown.add(losses.unknown);
        if losses.failed + losses.unknown > 0 {
            log::warn!(
                "delivery.timeout.ms passed for {} records ({} of them may be in the log)",
                losses.failed + losses.unknown,
                losses.unknown,
            );
        }
        next
    }

    /// Sleeps until `until` or until somebody arms; false once it is closed.
    fn sleep(&self, until: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return false;
            }
            if std::mem::take(&mut state.is_poked)
                || until.is_some_and(|until| until <= time::now())
            {
                return true;
            }
            state = self.changed.wait(state, until);
        }
    }
}
