//! Counts running threads, so that their end can be awaited with a time limit.

use std::time::Instant;

use crate::sync::{Arc, Condvar, Mutex};
use crate::time;

/// The number of threads that run.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    running: Mutex<usize>,
    changed: Condvar,
}

/// One running thread; dropped at its end, also by a panic.
#[derive(Debug)]
pub(crate) struct Running(Arc<Latch>);

impl Latch {
    pub(crate) fn enter(self: &Arc<Self>) -> Running {
        *self.running.lock() += 1;
        Running(self.clone())
    }

    /// Waits until none runs; false if `until` passed first.
    pub(crate) fn wait(&self, until: Option<Instant>) -> bool {
        let mut running = self.running.lock();
        while *running > 0 {
            if until.is_some_and(|until| until <= time::now()) {
                return false;
            }
            running = self.changed.wait(running, until);
        }
        true
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.running.lock() -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_wait_ends_with_the_last_thread_however_that_ends() {
        let latch = Arc::new(Latch::default());
        assert!(latch.wait(None), "nobody runs");
        let (first, second) = (latch.enter(), latch.enter());
        let panics = std::thread::spawn(move || {
            let _running = first;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panics.join().is_err());
        assert!(!latch.wait(Some(time::now())), "one is left");
        let soon = time::after(time::now(), Duration::from_millis(1));
        assert!(!latch.wait(soon));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| latch.wait(None));
            while latch.changed.waiting() == 0 {
                std::thread::yield_now();
            }
            drop(second);
            assert!(waiter.join().expect("no panic"));
        });
    }
}
