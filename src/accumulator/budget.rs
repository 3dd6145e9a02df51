//! `buffer.memory`: the one place where memory makes a sender wait.

use std::collections::VecDeque;
use std::time::Instant;

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Condvar, Mutex};
use crate::time;

/// Counts the bytes that unresolved records hold, batch buffers by their capacity, and makes
/// callers wait in the order of their arrival when the limit is reached.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    state: Mutex<State>,
    changed: Condvar,
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    next_ticket: u64,
    waiting: VecDeque<u64>,
    is_closed: bool,
}

/// Bytes of the budget; given back on drop.
#[derive(Debug)]
pub(crate) struct Grant {
    budget: Arc<Budget>,
    bytes: usize,
}

/// Why [`Budget::acquire`] has no bytes to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The time limit passed.
    Full,
    /// The producer is closed.
    Closed,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            state: Mutex::default(),
            changed: Condvar::new(),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Bytes at once, or none: also none while others wait, so that nobody overtakes them.
    pub(crate) fn try_acquire(self: &Arc<Self>, bytes: usize) -> Option<Grant> {
        let mut state = self.state.lock();
        if !state.waiting.is_empty() || bytes > self.limit - state.used {
            return None;
        }
        state.used += bytes;
        Some(Grant {
            budget: self.clone(),
            bytes,
        })
    }

    /// Bytes, first come first served, waiting until `until`. `before` runs once others can see
    /// that somebody waits.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        bytes: usize,
        until: Option<Instant>,
        before: impl FnOnce(),
    ) -> Result<Grant, Refused> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        before();
        let mut state = self.state.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        let outcome = loop {
            if state.is_closed {
                break Err(Refused::Closed);
            }
            if state.waiting.front() == Some(&ticket) && bytes <= self.limit - state.used {
                state.used += bytes;
                break Ok(Grant {
                    budget: self.clone(),
                    bytes,
                });
            }
            if until.is_some_and(|until| until <= time::now()) {
                break Err(Refused::Full);
            }
            state = self.changed.wait(state, until);
        };
        state.waiting.retain(|waiting| *waiting != ticket);
        drop(state);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        self.changed.notify_all();
        outcome
    }

    /// True while somebody waits: nothing should linger then.
    pub(crate) fn is_pressed(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// As if somebody waited, or no longer.
    #[cfg(test)]
    pub(crate) fn press(&self, on: bool) {
        self.waiting.store(usize::from(on), Ordering::SeqCst);
    }

    pub(crate) fn used(&self) -> usize {
        self.state.lock().used
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Refuses everybody who waits or comes later to wait.
    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_all();
    }
}

impl Grant {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes over the bytes of `other`, which is of the same budget.
    pub(crate) fn merge(&mut self, mut other: Grant) {
        debug_assert!(Arc::ptr_eq(&self.budget, &other.budget));
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Parts with `bytes` of it, or with all if it has less.
    pub(crate) fn split_off(&mut self, bytes: usize) -> Grant {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Grant {
            budget: self.budget.clone(),
            bytes,
        }
    }

    /// Gives back what is over `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let over = self.bytes.saturating_sub(bytes);
        self.bytes -= over;
        self.budget.release(over);
    }
}

impl Budget {
    fn release(&self, bytes: usize) {
        if bytes > 0 {
            let mut state = self.state.lock();
            assert!(
                state.used >= bytes,
                "the budget gets back more than it gave"
            );
            state.used -= bytes;
            drop(state);
            self.changed.notify_all();
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn bytes_come_back_exactly_once() {
        let budget = Budget::new(100);
        let mut first = budget.try_acquire(40).expect("40 of 100");
        first.merge(budget.try_acquire(60).expect("60 more"));
        assert!(budget.try_acquire(1).is_none());
        first.shrink_to(30);
        assert_eq!(budget.used(), 30);
        drop(first);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn who_waits_is_served_in_order_and_is_not_overtaken() {
        let budget = Budget::new(100);
        let all = budget.try_acquire(100).expect("all of it");
        let waiter = |bytes| {
            let budget = budget.clone();
            std::thread::spawn(move || {
                budget
                    .acquire(bytes, None, || ())
                    .map(|grant| grant.bytes())
            })
        };
        let large = waiter(90);
        while budget.state.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        assert!(
            budget.try_acquire(0).is_none(),
            "a newcomer overtook who waits"
        );
        drop(all);
        assert_eq!(large.join().expect("no panic"), Ok(90));
        assert_eq!(budget.used(), 0);
    }

    /// Each wants more than half, so they are served one by one.
    #[test]
    fn many_who_wait_are_served_in_the_order_in_which_they_came() {
        let budget = Budget::new(100);
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let all = budget.try_acquire(100).expect("all of it");
            for number in 0..16 {
                let (budget, order) = (&budget, &order);
                scope.spawn(move || {
                    let grant = budget.acquire(60 + number, None, || ());
                    order.lock().push(number);
                    drop(grant);
                });
                while budget.state.lock().waiting.len() <= number {
                    std::thread::yield_now();
                }
            }
            drop(all);
        });
        assert_eq!(*order.lock(), (0..16).collect::<Vec<_>>());
        assert_eq!(budget.used(), 0);
    }

    /// Nothing is given back meanwhile: the one who leaves has to tell.
    #[test]
    fn who_gives_up_lets_those_behind_have_what_is_there() {
        let budget = Budget::new(100);
        let most = budget.try_acquire(60).expect("room");
        let soon = time::after(time::now(), Duration::from_millis(100));
        let enough = time::after(time::now(), Duration::from_secs(20));
        std::thread::scope(|scope| {
            let large = scope.spawn(|| budget.acquire(80, soon, || ()).err());
            while budget.state.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
            let small = scope.spawn(|| budget.acquire(30, enough, || ()).map(|_grant| ()));
            assert_eq!(large.join().expect("no panic"), Some(Refused::Full));
            assert_eq!(small.join().expect("no panic"), Ok(()));
            assert!(time::now() < enough.expect("a time"), "nobody told it");
        });
        drop(most);
    }

    #[test]
    fn a_wait_ends_with_its_time_or_with_the_budget() {
        let budget = Budget::new(10);
        let all = budget.try_acquire(10).expect("all of it");
        let soon = time::after(time::now(), Duration::from_millis(1));
        assert_eq!(budget.acquire(1, soon, || ()).err(), Some(Refused::Full));
        budget.close();
        assert_eq!(budget.acquire(1, None, || ()).err(), Some(Refused::Closed));
        drop(all);
        assert!(!budget.is_pressed() && budget.used() == 0);
    }
}
