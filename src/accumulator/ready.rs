//! What a sender thread waits on: the partitions of its broker that have something to send, now or
//! at a known time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Instant;

use super::partition::Partition;
use crate::error::Error;
use crate::sync::{Arc, Condvar, Mutex};
use crate::time;

/// The inbox of one broker's sender, and what the partitions need to know of that broker.
///
/// A partition has at most one valid token in all queues; an older one is recognised by its ticket
/// when it is popped. So the length is bounded by the number of partitions, and a push never
/// blocks: receivers and the cluster thread push too, and would deadlock against the sender that
/// drains it (kgo's ring tells the same).
pub(crate) struct ReadyQueue {
    broker_id: i32,
    state: Mutex<State>,
    changed: Condvar,
    trouble: Mutex<Option<Error>>,
}

/// A partition's announcement that it has something to send.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) partition: Arc<Partition>,
    pub(crate) ticket: u64,
}

#[derive(Default)]
struct State {
    due: VecDeque<Token>,
    later: BinaryHeap<Reverse<Later>>,
    is_closed: bool,
}

struct Later {
    at: Instant,
    token: Token,
}

/// Why [`ReadyQueue::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Due,
    TimedOut,
    Closed,
}

impl ReadyQueue {
    pub(crate) fn new(broker_id: i32) -> Arc<Self> {
        Arc::new(Self {
            broker_id,
            state: Mutex::default(),
            changed: Condvar::new(),
            trouble: Mutex::default(),
        })
    }

    pub(crate) fn broker_id(&self) -> i32 {
        self.broker_id
    }

    /// Puts a token in the queue, to be popped at once or not before `at`.
    pub(crate) fn push(&self, token: Token, at: Option<Instant>) {
        let mut state = self.state.lock();
        match at {
            None => state.due.push_back(token),
            Some(at) => state.later.push(Reverse(Later { at, token })),
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until a token is due, or until `until`.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Woken {
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return Woken::Closed;
            }
            let next = state.later.peek().map(|Reverse(later)| later.at);
            let now = if until.is_some() || next.is_some() {
                Some(time::now())
            } else {
                None
            };
            let has_passed =
                |at: Option<Instant>| at.is_some_and(|at| now.is_some_and(|now| at <= now));
            if !state.due.is_empty() || has_passed(next) {
                return Woken::Due;
            }
            if has_passed(until) {
                return Woken::TimedOut;
            }
            let until = [until, next].into_iter().flatten().min();
            state = self.changed.wait(state, until);
        }
    }

    /// Waits until `until` or until the queue is closed; true if it is closed.
    pub(crate) fn pause(&self, until: Instant) -> bool {
        let mut state = self.state.lock();
        while !state.is_closed && time::now() < until {
            state = self.changed.wait(state, Some(until));
        }
        state.is_closed
    }

    /// Moves all tokens that are due to the end of `into`.
    pub(crate) fn drain(&self, now: Instant, into: &mut VecDeque<Token>) {
        let mut state = self.state.lock();
        into.append(&mut state.due);
        while state
            .later
            .peek()
            .is_some_and(|Reverse(later)| later.at <= now)
        {
            into.extend(state.later.pop().map(|Reverse(later)| later.token));
        }
    }

    /// Makes every token due: the buffer is full, so nothing lingers.
    pub(crate) fn press(&self) {
        let mut state = self.state.lock();
        let later = std::mem::take(&mut state.later);
        state
            .due
            .extend(later.into_iter().map(|Reverse(later)| later.token));
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// What keeps the broker from taking batches, for the messages of records that wait for it.
    pub(crate) fn trouble(&self) -> Option<Error> {
        self.trouble.lock().clone()
    }

    pub(crate) fn set_trouble(&self, trouble: Option<Error>) {
        *self.trouble.lock() = trouble;
    }
}

impl std::fmt::Debug for ReadyQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReadyQueue(broker {})", self.broker_id)
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Later {}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at
            .cmp(&other.at)
            .then(self.token.ticket.cmp(&other.token.ticket))
    }
}
