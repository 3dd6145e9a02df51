//! Locks, condition variables, atomics and threads from `std`, or from the model checker shuttle
//! under `cfg(model)`; no other file knows (see `src/models/mod.rs`).
//!
//! A wait with a deadline never reaches it under shuttle, so what the models show does not lean on
//! time-outs.
//!
//! No thread ever holds two locks: state is changed under one lock, decisions leave it as values,
//! and others are told after it is released. Debug builds assert it, so there is no lock order to
//! learn.

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::Instant;

#[cfg(model)]
use shuttle as source;
#[cfg(not(model))]
use std as source;

use atomic::{AtomicUsize, Ordering};
pub(crate) use source::sync::{Arc, atomic};
pub(crate) use source::{thread, thread_local};

/// Whether a thread has ended; shuttle cannot tell, and under it none is known to have.
pub(crate) fn is_finished<T>(thread: &thread::JoinHandle<T>) -> bool {
    #[cfg(not(model))]
    return thread.is_finished();
    #[cfg(model)]
    {
        let _ = thread;
        false
    }
}

/// A mutex without poisoning: the state under it is made consistent before anything that may panic
/// runs.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(source::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(source::sync::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        let only = OnlyLock::enter();
        Guard {
            guard: self.0.lock().unwrap_or_else(PoisonError::into_inner),
            only,
        }
    }
}

/// Holds the lock until it is dropped.
#[derive(Debug)]
pub(crate) struct Guard<'a, T> {
    guard: source::sync::MutexGuard<'a, T>,
    only: OnlyLock,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// A condition variable whose waits end at a point in time, or never.
///
/// It counts who waits, under the mutex, so that a notification for nobody costs no system call.
/// That is sound because the state that a waiter looks at is changed under the same mutex before
/// the notification.
#[derive(Debug, Default)]
pub(crate) struct Condvar {
    inner: source::sync::Condvar,
    waiting: AtomicUsize,
}

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self {
            inner: source::sync::Condvar::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits for a notification, or until `until`. Wakes spuriously now and then: callers loop over
    /// their condition.
    pub(crate) fn wait<'a, T>(&self, guard: Guard<'a, T>, until: Option<Instant>) -> Guard<'a, T> {
        let Guard { guard, only } = guard;
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let guard = match until {
            None => self
                .inner
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(crate::time::now());
                let waited = self.inner.wait_timeout(guard, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        Guard { guard, only }
    }

    /// How many threads wait; tests wait for them to.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    pub(crate) fn notify_all(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.inner.notify_all();
        }
    }
}

/// Asserts, in debug builds, that this thread holds no other lock of ours.
#[derive(Debug)]
struct OnlyLock;

#[cfg(debug_assertions)]
thread_local! {
    static HELD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl OnlyLock {
    fn enter() -> Self {
        #[cfg(debug_assertions)]
        HELD.with(|held| assert!(!held.replace(true), "a second lock while one is held"));
        Self
    }
}

impl Drop for OnlyLock {
    fn drop(&mut self) {
        #[cfg(debug_assertions)]
        HELD.with(|held| held.set(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(debug_assertions)]
    fn a_second_lock_on_one_thread_is_a_mistake_that_is_noticed() {
        let (first, second) = (Mutex::new(1), Mutex::new(2));
        let caught = std::panic::catch_unwind(|| {
            let _first = first.lock();
            *second.lock()
        });
        assert!(caught.is_err());
        let value = *first.lock();
        assert_eq!(value + *second.lock(), 3, "one after the other");
    }

    #[test]
    fn a_panic_under_a_lock_does_not_poison_it() {
        let mutex = Arc::new(Mutex::new(1));
        let held = mutex.clone();
        let thread = thread::spawn(move || {
            let _guard = held.lock();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(thread.join().is_err());
        assert_eq!(*mutex.lock(), 1);
    }

    #[test]
    fn a_wait_ends_with_a_notification_or_at_its_time() {
        let (mutex, condvar) = (Mutex::new(false), Condvar::new());
        condvar.notify_all();
        let guard = condvar.wait(mutex.lock(), Some(crate::time::now()));
        assert!(!*guard);
        drop(guard);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let mut guard = mutex.lock();
                while !*guard {
                    guard = condvar.wait(guard, None);
                }
            });
            while condvar.waiting() == 0 {
                thread::yield_now();
            }
            *mutex.lock() = true;
            condvar.notify_all();
            waiter.join().expect("no panic");
        });
        assert_eq!(condvar.waiting(), 0);
    }
}
