//! What a sender thread waits on: the partitions of its broker that have something to send, now or
//! at a known time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use super::budget::Account;
use super::partition::Partition;
use crate::error::Error;
use crate::sync::{Arc, Condvar, Mutex};
use crate::time;

/// The inbox of one broker's sender, and what the partitions need to know of that broker.
///
/// A partition has at most one valid token in all queues; an older one is recognised by its ticket
/// when it is popped. A token that is not due yet is replaced by the partition's next, so that a
/// long linger piles up none. So the length is bounded by the number of partitions, and a push
/// never blocks: receivers and the cluster thread push too, and would deadlock against the sender
/// that drains it (kgo's ring tells the same).
pub(crate) struct ReadyQueue {
    broker_id: i32,
    account: Arc<Account>,
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

impl Token {
    /// The partition's address, which is its own for as long as a token holds it.
    fn address(&self) -> usize {
        Arc::as_ptr(&self.partition) as usize
    }
}

#[derive(Default)]
struct State {
    due: VecDeque<Token>,
    /// By time, and in the order of their push.
    later: BTreeMap<(Instant, u64), Token>,
    /// The place of each partition's token in `later`.
    places: HashMap<usize, (Instant, u64)>,
    pushes: u64,
    is_closed: bool,
}

impl State {
    fn take_later(&mut self, address: usize) -> Option<Token> {
        if self.places.is_empty() {
            return None;
        }
        let place = self.places.remove(&address)?;
        self.later.remove(&place)
    }

    fn next_later(&self) -> Option<Instant> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }

    fn pop_later(&mut self) -> Option<Token> {
        let (_, token) = self.later.pop_first()?;
        self.places.remove(&token.address());
        Some(token)
    }
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
            account: Arc::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            trouble: Mutex::default(),
        })
    }

    pub(crate) fn broker_id(&self) -> i32 {
        self.broker_id
    }

    /// The memory of what waits for this broker.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Puts a token in the queue, to be popped at once or not before `at`.
    pub(crate) fn push(&self, token: Token, at: Option<Instant>) {
        let address = token.address();
        let mut state = self.state.lock();
        let place = state.places.get(&address);
        let later = place.and_then(|place| state.later.get(place));
        // Another thread may have announced after this one and pushed before it.
        if state.is_closed || later.is_some_and(|later| later.ticket > token.ticket) {
            drop(state);
            return;
        }
        let stale = state.take_later(address);
        match at {
            None => state.due.push_back(token),
            Some(at) => {
                let place = (at, state.pushes);
                state.pushes += 1;
                state.later.insert(place, token);
                state.places.insert(address, place);
            }
        }
        drop(state);
        // A token may be the last to hold its partition, whose batches take locks when they are
        // dropped.
        drop(stale);
        self.changed.notify_all();
    }

    /// Waits until a token is due, or until `until`.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Woken {
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return Woken::Closed;
            }
            let next = state.next_later();
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

    /// When [`wait`](Self::wait) would return: `None` if nothing is in the queue.
    #[cfg(test)]
    pub(crate) fn due_at(&self) -> Option<Instant> {
        let state = self.state.lock();
        match state.due.is_empty() {
            false => Some(time::now()),
            true => state.next_later(),
        }
    }

    /// Moves all tokens that are due to the end of `into`.
    pub(crate) fn drain(&self, now: Instant, into: &mut VecDeque<Token>) {
        let mut state = self.state.lock();
        into.append(&mut state.due);
        while state.next_later().is_some_and(|at| at <= now) {
            into.extend(state.pop_later());
        }
    }

    /// Makes every token due: the buffer is full, so nothing lingers.
    pub(crate) fn press(&self) {
        let mut state = self.state.lock();
        while let Some(token) = state.pop_later() {
            state.due.push_back(token);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Ends every wait. The tokens go, which hold partitions that hold this queue as their route.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let (due, later) = (
            std::mem::take(&mut state.due),
            std::mem::take(&mut state.later),
        );
        state.places.clear();
        drop(state);
        drop((due, later));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::accumulator::tests::bench::{accumulator, partition_of};
    use crate::config::Config;
    use crate::error::ErrorKind;

    const SOON: Duration = Duration::from_secs(60);

    fn partitions(count: usize) -> Vec<Arc<Partition>> {
        let accumulator = accumulator(&Config::new("localhost:9092"));
        (0..count).map(|_| partition_of(&accumulator)).collect()
    }

    fn token(partition: &Arc<Partition>, ticket: u64) -> Token {
        Token {
            partition: partition.clone(),
            ticket,
        }
    }

    fn pop(queue: &ReadyQueue, now: Instant) -> Vec<u64> {
        let mut tokens = VecDeque::new();
        queue.drain(now, &mut tokens);
        tokens.iter().map(|token| token.ticket).collect()
    }

    #[test]
    fn tokens_come_in_the_order_of_their_push_or_of_their_time() {
        let (queue, now) = (ReadyQueue::new(1), time::now());
        let partitions = partitions(5);
        queue.push(token(&partitions[0], 10), Some(now + SOON * 2));
        queue.push(token(&partitions[1], 11), Some(now + SOON));
        queue.push(token(&partitions[2], 12), None);
        queue.push(token(&partitions[3], 13), Some(now + SOON));
        queue.push(token(&partitions[4], 14), None);
        assert_eq!(pop(&queue, now), [12, 14]);
        assert!(pop(&queue, now + SOON - Duration::from_nanos(1)).is_empty());
        assert_eq!(pop(&queue, now + SOON), [11, 13]);
        assert_eq!(pop(&queue, now + SOON * 2), [10]);
        assert!(pop(&queue, now + SOON * 9).is_empty());
    }

    #[test]
    fn a_partition_has_one_later_token_the_newest() {
        let (queue, now) = (ReadyQueue::new(1), time::now());
        let (partitions, later) = (partitions(2), Some(now + SOON));
        queue.push(token(&partitions[1], 90), later);
        for ticket in 1..1000 {
            queue.push(token(&partitions[0], ticket), later);
        }
        assert_eq!(queue.state.lock().later.len(), 2);
        queue.push(token(&partitions[0], 1001), None);
        queue.push(token(&partitions[0], 1003), Some(now + SOON * 2));
        queue.push(token(&partitions[0], 1002), later);
        assert_eq!(pop(&queue, now), [1001]);
        assert_eq!(
            pop(&queue, now + SOON * 2),
            [90, 1003],
            "1002 came too late"
        );
        let state = queue.state.lock();
        assert!(state.later.is_empty() && state.places.is_empty());
    }

    #[test]
    fn a_press_makes_all_tokens_due() {
        let (queue, now) = (ReadyQueue::new(1), time::now());
        let partitions = partitions(3);
        queue.push(token(&partitions[0], 1), Some(now + SOON * 2));
        queue.push(token(&partitions[1], 2), None);
        queue.push(token(&partitions[2], 3), Some(now + SOON));
        queue.press();
        assert_eq!(queue.wait(None), Woken::Due);
        assert_eq!(pop(&queue, now), [2, 3, 1]);
        queue.push(token(&partitions[0], 4), Some(now + SOON));
        assert_eq!(queue.state.lock().later.len(), 1);
    }

    #[test]
    fn a_wait_ends_with_a_token_its_time_or_the_close() {
        let queue = ReadyQueue::new(1);
        let partitions = partitions(1);
        let woken_by = |act: &dyn Fn()| {
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| queue.wait(Some(time::now() + SOON)));
                while queue.changed.waiting() == 0 {
                    std::thread::yield_now();
                }
                act();
                waiter.join().expect("no panic")
            })
        };
        assert_eq!(queue.wait(Some(time::now())), Woken::TimedOut);
        let pushed = woken_by(&|| queue.push(token(&partitions[0], 1), None));
        assert_eq!(pushed, Woken::Due);
        assert_eq!(pop(&queue, time::now()), [1]);
        let soon = time::now() + Duration::from_millis(2);
        let due = woken_by(&|| queue.push(token(&partitions[0], 2), Some(soon)));
        assert_eq!(due, Woken::Due);
        assert_eq!(pop(&queue, time::now()), [2], "woken before it is due");
        assert_eq!(woken_by(&|| queue.close()), Woken::Closed);
        assert!(queue.is_closed() && queue.pause(time::now() + SOON));
    }

    #[test]
    fn a_pause_ends_with_its_time_or_the_close_and_not_with_a_token() {
        let queue = ReadyQueue::new(1);
        assert!(!queue.pause(time::now()));
        let partitions = partitions(1);
        std::thread::scope(|scope| {
            let pausing = scope.spawn(|| queue.pause(time::now() + SOON));
            while queue.changed.waiting() == 0 {
                std::thread::yield_now();
            }
            queue.push(token(&partitions[0], 1), None);
            queue.press();
            assert!(!pausing.is_finished());
            queue.close();
            assert!(pausing.join().expect("no panic"));
        });
    }

    #[test]
    fn a_closed_queue_holds_no_partition() {
        let queue = ReadyQueue::new(1);
        let partitions = partitions(3);
        queue.push(token(&partitions[0], 1), None);
        queue.push(token(&partitions[1], 1), Some(time::now() + SOON));
        queue.close();
        queue.push(token(&partitions[2], 1), None);
        let holders: Vec<_> = partitions.iter().map(Arc::strong_count).collect();
        assert_eq!(holders, [1, 1, 1]);
    }

    #[test]
    fn the_trouble_of_a_broker_is_the_last_that_was_set() {
        let queue = ReadyQueue::new(1);
        assert!(queue.trouble().is_none());
        queue.set_trouble(Some(Error::new(ErrorKind::Tls, "certificate expired")));
        let trouble = queue.trouble().map(|error| error.to_string());
        assert_eq!(trouble.as_deref(), Some("certificate expired"));
        queue.set_trouble(None);
        assert!(queue.trouble().is_none());
    }
}
