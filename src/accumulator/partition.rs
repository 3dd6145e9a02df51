//! One partition: its lock, and who is told once the lock is released.

mod drop_oldest;
mod gap;
mod give_up;
mod routes;
mod split;
mod standstill;
mod waiting;

use std::fmt;
use std::time::Instant;

use super::batch::{Batch, OpenBatch, Room, room_to_open};
use super::budget::{Account, Budget, Grant, Share};
use super::ended::Loss;
use super::identity::Identities;
use super::ready::Token;
use super::results::{Piece, Told};
use super::sequence::Current;
#[cfg(test)]
use super::sequence::Sequences;
use super::state::{Announcement, Conditions, Rules, State, Take, Verdict};
use crate::callbacks::CallbackQueue;
use crate::config::{TopicRule, TopicRules};
use crate::delivery::{Completion, Delivery, Failure, Hurry, Resolution};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::record::Record;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::sync::{Arc, Guard, Mutex};
use crate::time;

pub(crate) use standstill::{Fate, Standstill};
pub(crate) use waiting::Queues;

/// The batches of one partition. It lives as long as its topic, which is until nobody uses that or
/// the producer ends, whatever the metadata says meanwhile.
pub(crate) struct Partition {
    topic: Arc<str>,
    /// The memory of all partitions of the topic.
    account: Arc<Account>,
    index: i32,
    /// What the configuration says of its topic.
    pub(crate) rule: TopicRule,
    shared: Arc<Shared>,
    state: Mutex<State>,
    /// How many batches its broker has not taken, as of the last change.
    waiting: AtomicU32,
}

/// What the partitions of a producer have in common.
pub(crate) struct Shared {
    pub(crate) rules: Rules,
    pub(crate) topic_rules: TopicRules,
    pub(crate) budget: Arc<Budget>,
    pub(crate) callbacks: Arc<CallbackQueue>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) identities: Identities,
    /// Set before the partitions are flushed and emptied for the last time, read under a
    /// partition's lock: so whatever got in is seen by that.
    pub(crate) is_closed: AtomicBool,
}

impl Shared {
    fn conditions(&self) -> Conditions {
        let (is_pressed, generation) = (self.budget.is_pressed(), self.identities.generation());
        Conditions {
            is_pressed,
            generation,
        }
    }
}

/// What [`Partition::append`] did.
pub(crate) enum Append {
    /// The record is in a batch. `is_first`: it opened it.
    Done { delivery: Delivery, is_first: bool },
    /// Memory is needed first, on those accounts.
    Needs(Room, Share),
    /// The producer is closed.
    Closed,
    /// The topic was forgotten, because nobody had sent to it for long: it has to be looked up.
    Gone,
    /// The partition has lost a record, and takes no more before it is resumed.
    Stopped(Error),
}

/// What a partition holds, for the message of a full buffer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    pub(crate) records: u64,
    pub(crate) bytes: usize,
    pub(crate) oldest: Option<Instant>,
}

impl Partition {
    pub(crate) fn new(
        (topic, account): (Arc<str>, Arc<Account>),
        index: i32,
        shared: Arc<Shared>,
    ) -> Arc<Self> {
        let rule = shared.topic_rules.of(&topic);
        Arc::new(Self {
            topic,
            account,
            index,
            rule,
            shared,
            state: Mutex::default(),
            waiting: AtomicU32::new(0),
        })
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(crate) fn index(&self) -> i32 {
        self.index
    }

    /// Appends a record to the open batch if that takes it as it is, which changes nothing for
    /// anybody but the record.
    #[inline(always)]
    pub(crate) fn append_quickly(
        &self,
        record: &Record<'_>,
        timestamp_ms: i64,
    ) -> Option<Delivery> {
        let mut state = self.state.lock();
        if self.shared.is_closed.load(Ordering::SeqCst) || self.refuses(&state) {
            return None;
        }
        let batch_size = state.batch_size(&self.shared.rules);
        let open = state.open.as_mut()?;
        let len = open.measure(record, timestamp_ms);
        let is_ready = open.accepts(len, record.deadline, batch_size) && open.has_room_for(len);
        if !is_ready {
            return None;
        }
        let completion = open.completion.clone();
        Some(Delivery::new(
            completion,
            open.append(record, timestamp_ms, len),
        ))
    }

    /// Appends a record to the open batch, using `grant` where the batch must grow; what is not
    /// needed of it stays.
    pub(crate) fn append(
        self: &Arc<Self>,
        record: &Record<'_>,
        timestamp_ms: i64,
        grant: &mut Option<Grant>,
    ) -> Append {
        let mut state = self.state.lock();
        let batch_size = state.batch_size(&self.shared.rules);
        if self.shared.is_closed.load(Ordering::SeqCst) {
            return Append::Closed;
        }
        if state.is_gone {
            return Append::Gone;
        }
        if let Some(stopped) = self.stopped(&state) {
            return Append::Stopped(stopped);
        }
        let measure = |open: &OpenBatch| open.measure(record, timestamp_ms);
        let mut len = state.open.as_ref().map(measure);
        if let (Some(open), Some(there)) = (&state.open, len)
            && !open.accepts(there, record.deadline, batch_size)
        {
            let full = state.open.take().map(|open| open.close(self.clone()));
            state.queue.extend(full);
            len = None;
        }
        let is_first = len.is_none();
        if is_first {
            let room = room_to_open(record, batch_size);
            let Some(granted) = grant.take_if(|grant| grant.bytes() >= room.least) else {
                // The batch that was just closed does not linger while the caller waits.
                let share = self.share_in(&state);
                self.unlock_and_tell(state);
                return Append::Needs(room, share);
            };
            let (completion, now) = (Arc::new(self.completion()), time::now());
            let place = state.results.open(completion.clone(), now);
            let mut open = OpenBatch::new(granted, timestamp_ms, completion, (place, now));
            open.deadline = record.deadline;
            state.note_deadline(record.deadline);
            state.open = Some(open);
        }
        let open = state.open.as_mut().expect("a batch was opened above");
        let len = len.unwrap_or_else(|| measure(open));
        if let Some(room) = open.room_for(len, batch_size) {
            match grant.take_if(|grant| open.takes(grant, room)) {
                Some(granted) => *grant = Some(open.grow(granted)),
                None => return Append::Needs(room, self.share_in(&state)),
            }
        }
        let slot = open.append(record, timestamp_ms, len);
        let delivery = Delivery::new(open.completion.clone(), slot);
        self.unlock_and_tell(state);
        Append::Done { delivery, is_first }
    }

    fn completion(self: &Arc<Self>) -> Completion {
        let hurry: Arc<dyn Hurry> = self.clone();
        let hurry = Arc::downgrade(&hurry);
        Completion::new(
            self.topic.clone(),
            self.index,
            hurry,
            &self.shared.callbacks,
        )
    }

    /// Gives `broker_id`'s sender the batch that is next. Only valid tokens get one.
    pub(crate) fn take(
        self: &Arc<Self>,
        (ticket, broker_id, room): (u64, i32, usize),
        newest: Option<Current>,
        now: Instant,
    ) -> Take {
        let mut conditions = self.shared.conditions();
        if let Some(newest) = newest {
            // It may have been raised since it was read: then nothing is stamped with it.
            conditions.generation = newest.generation;
        }
        let settings = (&self.shared.rules, conditions);
        let mut state = self.state.lock();
        let close = |open: OpenBatch| open.close(self.clone());
        let mut take = state.take((ticket, broker_id, room), newest, now, settings, close);
        if !matches!(take, Take::NoRoom) {
            self.unlock_and_tell(state);
        }
        if let Take::Batch(batch) = &mut take {
            batch.is_out = true;
        }
        take
    }

    pub(crate) fn is_valid(&self, ticket: u64, broker_id: i32) -> bool {
        self.state.lock().is_valid(ticket, broker_id)
    }

    /// Takes back a batch whose attempt has ended; one that comes out is the caller's to resolve.
    pub(crate) fn ended(self: &Arc<Self>, mut batch: Batch, verdict: Verdict) -> Option<Batch> {
        batch.is_out = false;
        let now = time::now();
        let mut state = self.state.lock();
        let loss = state.loss(&batch, &verdict);
        let settled = state.ended(batch, verdict, (&self.shared.rules, now));
        if let Some(loss) = &loss {
            state.results.lose(|| loss.error.clone());
        }
        if settled.as_ref().is_some_and(Batch::owes_result)
            && let Some(error) = state.last_error.clone()
        {
            state.results.lose(|| error);
        }
        self.unlock_and_tell(state);
        if let Some(Loss {
            stamp,
            acked,
            error,
        }) = loss
        {
            log::error!(
                "acknowledged records of {self} may be lost: producer {} at epoch {} has sequence \
                 {acked} acknowledged, and now {} is out of order: {error}",
                stamp.identity.producer_id,
                stamp.identity.epoch,
                stamp.base_sequence,
            );
        }
        settled
    }

    /// The batch of an attempt is gone, with whoever had it: its records have failed.
    pub(super) fn lost(self: &Arc<Self>, batch: &Batch, error: Error) {
        let (now, result) = (time::now(), Err(Failure::from(error)));
        let mut state = self.state.lock();
        state.lost(batch, (&self.shared.rules, now));
        state.results.put(batch.piece(), result);
        self.unlock_and_tell(state);
    }

    /// The same for a batch that is acknowledged or has failed. Its memory is free, and counted so,
    /// before anybody sees the result.
    pub(crate) fn settled(
        self: &Arc<Self>,
        mut batch: Batch,
        resolution: Resolution,
        now: Instant,
    ) {
        batch.is_out = false;
        batch.free();
        let verdict = match resolution {
            Ok(_) => Verdict::Acked,
            Err(_) => Verdict::Failed,
        };
        let mut state = self.state.lock();
        state.results.put(batch.piece(), resolution);
        let batch = state.ended(batch, verdict, (&self.shared.rules, now));
        self.unlock_and_tell(state);
        drop(batch);
    }

    /// The result of these records, told behind those of all older ones; false if they had one
    /// already.
    pub(crate) fn resolve(self: &Arc<Self>, piece: Piece, resolution: Resolution) -> bool {
        let mut state = self.state.lock();
        let is_first = state.results.put(piece, resolution);
        self.unlock_and_tell(state);
        is_first
    }

    pub(crate) fn has_leader(&self) -> bool {
        self.leader().is_some()
    }

    /// True if nothing leaves before the next view of the cluster: there is no leader, or the one
    /// that is known refused.
    pub(crate) fn needs_view(&self) -> bool {
        self.state.lock().needs_view()
    }

    /// The broker that leads it.
    pub(crate) fn leader(&self) -> Option<i32> {
        let state = self.state.lock();
        state.route.as_ref().map(|route| route.queue.broker_id())
    }

    /// The brokers that may not go: the one that leads it, and the one that has not answered yet.
    pub(crate) fn needs(&self) -> impl Iterator<Item = i32> + use<> {
        self.state.lock().needs()
    }

    pub(crate) fn has_batches(&self) -> bool {
        self.state.lock().has_batches()
    }

    /// What keeps its batches from leaving, as far as is known.
    pub(crate) fn trouble(&self) -> Option<Error> {
        let state = self.state.lock();
        let (queue, last) = (
            state.route.as_ref().map(|r| r.queue.clone()),
            state.last_error.clone(),
        );
        drop(state);
        queue.and_then(|queue| queue.trouble()).or(last)
    }

    /// Notes why the partition has no leader.
    pub(crate) fn set_trouble(&self, error: Error) {
        let _old = self.state.lock().last_error.replace(error);
    }

    /// Sends what lingers, and collects the completions of all that is not settled.
    pub(crate) fn flush(self: &Arc<Self>, unsettled: &mut Vec<Arc<Completion>>) {
        let mut state = self.state.lock();
        state.hurry();
        unsettled.extend(state.results.untold().cloned());
        self.unlock_and_tell(state);
    }

    /// The completions of all that is not settled.
    pub(crate) fn unsettled(&self) -> Vec<Arc<Completion>> {
        self.state.lock().results.untold().cloned().collect()
    }

    /// When the oldest batch without a result was made, and [`State::deadline`].
    pub(crate) fn ends(&self) -> (Option<Instant>, Option<Instant>) {
        let state = self.state.lock();
        (state.results.oldest(), state.deadline())
    }

    pub(crate) fn load(&self) -> Load {
        let state = self.state.lock();
        let mut load = Load {
            oldest: state.results.oldest(),
            ..Load::default()
        };
        let flights = state
            .flights
            .iter()
            .map(|flight| (flight.piece.records, flight.bytes));
        let queued = state
            .queue
            .iter()
            .map(|batch| (batch.records, batch.capacity()));
        let open = state
            .open
            .iter()
            .map(|open| (open.records(), open.capacity()));
        for (records, bytes) in flights.chain(queued).chain(open) {
            load.records += u64::from(records);
            load.bytes += bytes;
        }
        load
    }

    /// As if everything below `next` had been sent and acknowledged under `current`.
    #[cfg(test)]
    pub(crate) fn preset(&self, current: Current, next: i32) {
        self.state.lock().sequences = Sequences::preset(current, next);
    }

    /// Releases the lock, and tells the sender if there is something for it, and the application
    /// what has become of its records. A partition that has outgrown its identity gets a newer one
    /// first.
    fn unlock_and_tell<'a>(self: &'a Arc<Self>, mut state: Guard<'a, State>) {
        let rules = &self.shared.rules;
        // Before the lock is released for a newer identity, under which it could leave.
        let stopped = self.stop(&mut state);
        if let Some(outgrown) = state.end_drain() {
            drop(state);
            self.shared.identities.raise(outgrown);
            state = self.state.lock();
        }
        let conditions = self.shared.conditions();
        let announcement = state.announce(rules, conditions);
        let result = state.results.next();
        self.waiting
            .store(state.waiting_batches(), Ordering::Relaxed);
        drop(state);
        // Its memory is free before anybody sees the result.
        stopped.into_iter().for_each(|mut batch| batch.free());
        self.tell(announcement, conditions.is_pressed);
        self.tell_results(result);
    }

    fn tell_results(&self, mut next: Option<Told>) {
        while let Some(told) = next {
            told.tell(&self.shared.metrics);
            next = self.state.lock().results.told();
        }
    }

    fn tell(self: &Arc<Self>, announcement: Option<Announcement>, was_pressed: bool) {
        if let Some(Announcement { queue, ticket, at }) = announcement {
            queue.push(
                Token {
                    partition: self.clone(),
                    ticket,
                },
                at,
            );
            // Who began to wait for memory since the announcement has pressed a queue that did not
            // have the token. Of who waited before, the announcement knows: what is not due all the
            // same rests before it is sent again, and to press it would only bring it back here.
            if at.is_some() && !was_pressed && self.shared.budget.is_pressed() {
                queue.press();
            }
        }
    }
}

impl Hurry for Partition {
    fn hurry(self: Arc<Self>, completion: &Completion) {
        if self.shared.rules.linger.is_zero() {
            return;
        }
        let mut state = self.state.lock();
        let is_open = |open: &OpenBatch| std::ptr::eq(Arc::as_ptr(&open.completion), completion);
        if state.open.as_ref().is_some_and(is_open) {
            state.hurry();
            self.unlock_and_tell(state);
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}
