//! `buffer.memory`: the one place where memory makes a sender wait.

mod share;
mod spare;

use std::collections::VecDeque;
use std::time::Instant;

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Condvar, Mutex};
use crate::time;

pub(crate) use share::{Account, Excess, Share};
use spare::Spare;

/// The part of the limit that may be kept in buffers which nobody uses.
const SPARE_SHARE: usize = 2;

/// Counts the bytes that unresolved records hold, batch buffers by their capacity, and makes
/// callers wait in the order of their arrival when the limit is reached, or, apart from all others,
/// when their topic or broker has its [`Share`].
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    state: Mutex<State>,
    changed: Condvar,
    waiting: AtomicUsize,
    leaderless: Arc<Account>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    spare: Spare,
    next_ticket: u64,
    /// In the order of their arrival.
    waiting: VecDeque<Waiter>,
    /// Those whose bytes are counted for them, and who do not know yet.
    served: Vec<u64>,
    queue: Queue,
    is_closed: bool,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    bytes: usize,
    share: Option<Share>,
}

/// For whom those who wait make others wait.
#[derive(Debug, Default)]
enum Queue {
    #[default]
    Nobody,
    /// For whoever wants memory for this broker.
    Broker(Arc<Account>),
    Everybody,
}

/// Whether somebody gets what he wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Now,
    /// Others may have memory meanwhile: what he waits for is not theirs to give back.
    Aside,
    /// Others at that broker hold what he waits for.
    BehindBroker,
    /// Nobody may have memory meanwhile.
    First,
}

/// Bytes of the budget, and maybe a buffer; given back on drop.
#[derive(Debug)]
pub(crate) struct Grant {
    budget: Arc<Budget>,
    share: Option<Share>,
    bytes: usize,
    buffer: Vec<u8>,
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
            leaderless: Arc::default(),
        })
    }

    /// Bytes at once, or none: also none where they would be taken from somebody who waits.
    pub(crate) fn try_acquire(
        self: &Arc<Self>,
        share: Option<&Share>,
        bytes: usize,
    ) -> Option<Grant> {
        let mut state = self.state.lock();
        let is_free = state.turn(self.limit, share, bytes) == Turn::Now;
        is_free.then(|| {
            state.give(self.limit, share, bytes);
            self.grant(share, bytes)
        })
    }

    /// Bytes, waiting until `until`. `before` runs once others can see that somebody waits.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        share: Option<&Share>,
        bytes: usize,
        until: Option<Instant>,
        before: impl FnOnce(),
    ) -> Result<Grant, Refused> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        before();
        let mut state = self.state.lock();
        let ticket = state.enter(share, bytes);
        state.serve(self.limit);
        let outcome = loop {
            if state.is_served(ticket) {
                break Ok(self.grant(share, bytes));
            }
            if state.is_closed {
                break Err(Refused::Closed);
            }
            if until.is_some_and(|until| until <= time::now()) {
                break Err(Refused::Full);
            }
            state = self.changed.wait(state, until);
        };
        let has_left = outcome.is_err().then(|| state.leave(ticket));
        if has_left.is_some() {
            // What he made others wait for is theirs.
            state.serve(self.limit);
        }
        drop(state);
        drop(has_left);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        self.changed.notify_all();
        outcome
    }

    fn grant(self: &Arc<Self>, share: Option<&Share>, bytes: usize) -> Grant {
        Grant {
            budget: self.clone(),
            share: share.cloned(),
            bytes,
            buffer: Vec::new(),
        }
    }

    /// True while somebody waits: nothing should linger then.
    pub(crate) fn is_pressed(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
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

    /// The account of all partitions without a leader.
    pub(crate) fn leaderless(&self) -> &Arc<Account> {
        &self.leaderless
    }

    /// The limit that `share` has reached, with what is free.
    pub(crate) fn excess(&self, share: &Share) -> Option<(Excess, usize)> {
        let state = self.state.lock();
        let free = self.limit - state.used;
        share.excess(free).map(|excess| (excess, free))
    }

    /// Gives the system back what nobody has been granted. Those who send next ask it anew.
    pub(crate) fn rest(&self) {
        let spare = std::mem::take(&mut self.state.lock().spare);
        drop(spare);
    }

    /// An empty buffer of that capacity.
    fn buffer(&self, capacity: usize) -> Vec<u8> {
        let spare = self.state.lock().spare.take(capacity);
        spare.unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    /// Refuses everybody who waits or comes later to wait.
    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn release(&self, share: Option<&Share>, bytes: usize, buffer: Vec<u8>) {
        if bytes > 0 || buffer.capacity() > 0 {
            let mut state = self.state.lock();
            state.take_back(share, bytes);
            state.serve(self.limit);
            let most = (self.limit - state.used).min(self.limit / SPARE_SHARE);
            state.spare.put(buffer, most);
            drop(state);
            self.changed.notify_all();
        }
    }
}

impl State {
    /// Gives those who wait what they may have, the oldest first. Called whenever bytes came back
    /// or somebody left: nothing else makes a turn come.
    ///
    /// Nobody waits for ever while his topic and his broker give back what they hold. Say all of it
    /// is back. Then no share of his is used up, and he is served or stands first; if he stands
    /// first, nobody younger is given anything, and of those who are older each is served once or
    /// leaves. So what is given back from then on stays free until it is enough, which it is at
    /// last: no record is larger than the limit. Who waits behind his own broker waits for that
    /// alone, and it gets nothing more until he is served.
    ///
    /// What others hold may not come back, because they are as dead as their broker. Then those who
    /// stand first for a record that is larger than what a dead broker leaves (1/17) wait until
    /// their time is over, and all others with them, as they always did: shares keep room for
    /// records, not for records of any size.
    fn serve(&mut self, limit: usize) {
        self.queue = Queue::Nobody;
        if self.is_closed {
            return;
        }
        let mut place = 0;
        while let Some(waiter) = self.waiting.get(place) {
            match self.turn(limit, waiter.share.as_ref(), waiter.bytes) {
                Turn::Now => {
                    let waiter = self.waiting.remove(place).expect("it was found there");
                    self.give(limit, waiter.share.as_ref(), waiter.bytes);
                    self.served.push(waiter.ticket);
                }
                Turn::Aside => place += 1,
                Turn::BehindBroker => {
                    let broker = waiter.share.as_ref().map(|share| share.broker.clone());
                    self.queue = broker.map_or(Queue::Nobody, Queue::Broker);
                    place += 1;
                }
                Turn::First => {
                    self.queue = Queue::Everybody;
                    return;
                }
            }
        }
    }

    /// Whether somebody gets so many bytes, who came after those that made `queue` what it is.
    fn turn(&self, limit: usize, share: Option<&Share>, bytes: usize) -> Turn {
        let free = limit - self.used;
        let is_held_up = match (&self.queue, share) {
            (Queue::Nobody, _) | (Queue::Broker(_), None) => false,
            (Queue::Broker(broker), Some(share)) => Arc::ptr_eq(broker, &share.broker),
            (Queue::Everybody, _) => true,
        };
        if is_held_up || share.is_some_and(|share| share.excess(free).is_some()) {
            return Turn::Aside;
        }
        if bytes <= free {
            return Turn::Now;
        }
        // A dead broker gives nothing back: whoever waits for that does not hold up the others.
        let elsewhere = |share: &Share| limit - share.broker.held();
        match share.is_some_and(|share| bytes > elsewhere(share)) {
            true if matches!(self.queue, Queue::Nobody) => Turn::BehindBroker,
            true => Turn::Aside,
            false => Turn::First,
        }
    }

    fn give(&mut self, limit: usize, share: Option<&Share>, bytes: usize) {
        self.used += bytes;
        self.spare.shrink_to(limit - self.used);
        share.inspect(|share| share.give(bytes));
    }

    fn take_back(&mut self, share: Option<&Share>, bytes: usize) {
        let left = self.used.checked_sub(bytes);
        self.used = left.expect("the budget gets back what it gave");
        share.inspect(|share| share.take_back(bytes));
    }

    fn enter(&mut self, share: Option<&Share>, bytes: usize) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push_back(Waiter {
            ticket,
            bytes,
            share: share.cloned(),
        });
        ticket
    }

    fn leave(&mut self, ticket: u64) -> Option<Waiter> {
        let place = self.waiting.iter().position(|one| one.ticket == ticket)?;
        self.waiting.remove(place)
    }

    fn is_served(&mut self, ticket: u64) -> bool {
        let place = self.served.iter().position(|served| *served == ticket);
        place.map(|place| self.served.swap_remove(place)).is_some()
    }
}

impl Grant {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sees to a buffer of that capacity: before somebody takes a lock to use it.
    pub(crate) fn prepare(&mut self, capacity: usize) {
        self.buffer = self.budget.buffer(capacity);
    }

    /// An empty buffer, of the capacity that was [prepared](Self::prepare).
    pub(crate) fn take_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// No bytes, and a buffer that somebody else may use once it is dropped.
    pub(crate) fn used(&self, buffer: Vec<u8>) -> Grant {
        let mut used = self.budget.grant(None, 0);
        used.buffer = buffer;
        used
    }

    /// Gives all of it back, with a buffer that somebody else may use.
    pub(crate) fn end(&mut self, buffer: Vec<u8>) {
        let bytes = std::mem::take(&mut self.bytes);
        self.budget.release(self.share.as_ref(), bytes, buffer);
    }

    /// Where it stands.
    pub(crate) fn share(&self) -> Option<&Share> {
        self.share.as_ref()
    }

    /// Whether both stand on the same accounts.
    pub(crate) fn is_like(&self, other: &Grant) -> bool {
        match (&self.share, &other.share) {
            (Some(this), Some(other)) => this.is_same(other),
            (this, other) => this.is_none() && other.is_none(),
        }
    }

    /// Takes over the bytes of `other`, which is like this one. Needs no lock: nothing comes back.
    pub(crate) fn merge(&mut self, mut other: Grant) {
        debug_assert!(Arc::ptr_eq(&self.budget, &other.budget));
        assert!(self.is_like(&other), "memory moves to another account");
        self.bytes += std::mem::take(&mut other.bytes);
        drop(other.take_buffer());
    }

    /// Both in one, on the accounts of `other`.
    pub(crate) fn join(this: Option<Grant>, mut other: Grant) -> Grant {
        if let Some(mut this) = this {
            this.move_to_same(other.share.clone());
            other.merge(this);
        }
        other
    }

    /// Counts it on other accounts from now on.
    pub(crate) fn move_to(&mut self, share: &Share) {
        self.move_to_same(Some(share.clone()));
    }

    fn move_to_same(&mut self, share: Option<Share>) {
        let old = std::mem::replace(&mut self.share, share);
        let mut state = self.budget.state.lock();
        state.take_back(old.as_ref(), self.bytes);
        state.give(self.budget.limit, self.share.as_ref(), self.bytes);
        state.serve(self.budget.limit);
        drop(state);
        self.budget.changed.notify_all();
    }

    /// Parts with `bytes` of it, or with all if it has less.
    pub(crate) fn split_off(&mut self, bytes: usize) -> Grant {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Grant {
            budget: self.budget.clone(),
            share: self.share.clone(),
            bytes,
            buffer: Vec::new(),
        }
    }

    /// Gives back what is over `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let over = self.bytes.saturating_sub(bytes);
        self.bytes -= over;
        self.budget.release(self.share.as_ref(), over, Vec::new());
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let buffer = self.take_buffer();
        self.end(buffer);
    }
}

#[cfg(test)]
mod tests;
