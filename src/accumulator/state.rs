//! The batches of one partition and the order in which they may leave: pure, values in and values
//! out.
//!
//! The order rule: a batch that must be sent again goes before everything newer, and nothing newer
//! leaves until it is settled. One rule covers a moved leader, a lost connection and a refusal.
//! With idempotence the broker refuses what comes out of order, so five batches may be on the wire;
//! without it the rule can only hold for batches that wait here, so a partition that may have to
//! retry keeps one on the wire (see [`Rules::on_wire_max`]).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::batch::{Batch, OpenBatch};
#[cfg(test)]
use super::coverage;
use super::ready::ReadyQueue;
use super::results::{Piece, Results};
use super::sequence::{Current, REMEMBERED, Sequences};
use crate::error::Error;
use crate::sync::Arc;
use crate::time;
use crate::wire::TopicId;

/// The settings that decide about batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) linger: Duration,
    pub(crate) batch_size: usize,
    pub(crate) delivery_timeout: Duration,
    /// Un-answered batches of one partition.
    pub(crate) on_wire_max: usize,
    pub(crate) is_idempotent: bool,
    /// A partition stops at a record that it loses.
    pub(crate) is_gapless: bool,
}

/// What else decides about them, and changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// Somebody waits for memory: nothing lingers.
    pub(crate) is_pressed: bool,
    /// The number of the newest identity.
    pub(crate) generation: u64,
}

/// Where a partition's batches go.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) queue: Arc<ReadyQueue>,
    pub(crate) leader_epoch: i32,
    pub(crate) topic_id: TopicId,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) open: Option<OpenBatch>,
    /// Sealed and never sent, oldest first.
    pub(crate) queue: VecDeque<Batch>,
    /// Sent and not settled, in the order of their first send.
    pub(crate) flights: VecDeque<Flight>,
    /// Of all batches, those included that are taken out to be resolved.
    pub(super) results: Results,
    pub(super) on_wire: usize,
    /// The broker that has what is on the wire.
    home: Option<i32>,
    pub(crate) route: Option<Route>,
    /// The id of the topic that batches were last routed to, if brokers tell ids.
    topic_id: TopicId,
    /// A refusal said that the route is wrong: wait for the next view of the cluster.
    pub(super) awaits_view: bool,
    pub(super) rests_until: Option<Instant>,
    /// When its broker last took a batch.
    pub(super) taken: Option<Instant>,
    pub(super) next_ordinal: u64,
    /// The size, before compression, of the largest batch that a broker has taken.
    pub(crate) taken_max: usize,
    /// Not later than any deadline of a batch that waits here.
    pub(super) deadline: Option<Instant>,
    /// What a batch may grow to, after one was refused as too large.
    pub(super) size_max: Option<usize>,
    ticket: u64,
    pub(super) announced: Announced,
    pub(crate) last_error: Option<Error>,
    pub(crate) sequences: Sequences,
    /// Its topic was forgotten: it takes no records any more.
    pub(super) is_gone: bool,
}

/// A batch that was sent.
pub(crate) struct Flight {
    pub(crate) ordinal: u64,
    pub(crate) piece: Piece,
    pub(crate) created: Instant,
    pub(super) deadline: Option<Instant>,
    pub(crate) attempts: u32,
    pub(crate) bytes: usize,
    /// See [`Batch::plain_len`].
    pub(super) plain_len: usize,
    pub(crate) base_sequence: i32,
    /// See [`Batch::is_adrift`].
    pub(super) is_adrift: bool,
    pub(crate) stage: Stage,
}

impl Flight {
    /// On the wire, as far as its batch knows.
    pub(super) fn of(batch: &Batch) -> Self {
        Self {
            ordinal: batch.ordinal,
            piece: batch.piece(),
            created: batch.created,
            deadline: batch.deadline,
            attempts: batch.attempts,
            bytes: batch.capacity(),
            plain_len: batch.plain_len,
            base_sequence: batch.stamp.base_sequence,
            is_adrift: batch.is_adrift,
            stage: Stage::OnWire,
        }
    }
}

#[allow(
    clippy::large_enum_variant,
    reason = "a partition has a handful of flights, whose batches move in and out"
)]
pub(crate) enum Stage {
    /// A connection has it.
    OnWire,
    /// It waits to be sent again.
    Waiting(Batch),
    /// Its records have failed for the application; the connection still has the bytes.
    Abandoned,
    /// Its records have failed, and no connection has the bytes; its sequences may be in the log.
    Tombstone,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Announced {
    #[default]
    No,
    Later(Instant),
    Due,
}

/// When a partition next has something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Never,
    At(Instant),
    Now,
}

/// A token to be put into `queue` once the lock is released.
#[must_use]
pub(crate) struct Announcement {
    pub(crate) queue: Arc<ReadyQueue>,
    pub(crate) ticket: u64,
    pub(crate) at: Option<Instant>,
}

/// What [`State::take`] has for a sender.
#[allow(
    clippy::large_enum_variant,
    reason = "a result that is taken apart at once"
)]
pub(crate) enum Take {
    Batch(Batch),
    /// The next batch is larger than the room that is left; the token stays valid.
    NoRoom,
    Nothing,
}

/// What became of an attempt.
pub(crate) enum Verdict {
    /// The broker has it.
    Acked,
    /// Its records have failed.
    Failed,
    /// To be sent again, not before `at`, and once a newer view of the cluster is there if
    /// `awaits_view`.
    Again {
        at: Option<Instant>,
        awaits_view: bool,
        error: Error,
    },
    /// The broker did not append it, because its sequence is not the next one, or (`has_forgotten`)
    /// because it does not know the producer any more.
    ///
    /// `at` is when it may be sent again, if it is the oldest and goes under a new identity.
    OutOfSequence {
        has_forgotten: bool,
        at: Option<Instant>,
        error: Error,
    },
}

impl State {
    /// The token that is owed to the route's sender, if any.
    pub(crate) fn announce(
        &mut self,
        rules: &Rules,
        conditions: Conditions,
    ) -> Option<Announcement> {
        if self.announced == Announced::Due {
            return None;
        }
        let at = match (self.due(rules, conditions), self.announced) {
            (Due::Never, _) => return None,
            (Due::At(at), Announced::Later(known)) if known <= at => return None,
            (Due::At(at), _) => Some(at),
            (Due::Now, _) => None,
        };
        let queue = self.route.as_ref()?.queue.clone();
        self.announced = at.map_or(Announced::Due, Announced::Later);
        self.ticket += 1;
        Some(Announcement {
            queue,
            ticket: self.ticket,
            at,
        })
    }

    fn due(&self, rules: &Rules, conditions: Conditions) -> Due {
        let Some(route) = &self.route else {
            return Due::Never;
        };
        let is_away = self.on_wire > 0 && self.home != Some(route.queue.broker_id());
        if is_away || self.awaits_view {
            return Due::Never;
        }
        if self.waiting().is_some() {
            return match self.rests_until {
                _ if self.on_wire > 0 => Due::Never,
                Some(at) => Due::At(at),
                None => Due::Now,
            };
        }
        if self.on_wire >= self.on_wire_max(rules) || !self.may_stamp(rules, conditions) {
            return Due::Never;
        }
        let due = match &self.open {
            _ if !self.queue.is_empty() => Due::Now,
            None => Due::Never,
            Some(open) if open.is_hurried || conditions.is_pressed || rules.linger.is_zero() => {
                Due::Now
            }
            Some(open) => time::after(open.created, rules.linger).map_or(Due::Never, Due::At),
        };
        // It rests too if what rested here was numbered anew, and waits in the queue.
        match (due, self.rests_until) {
            (Due::Now, Some(rest)) => Due::At(rest),
            (Due::At(at), Some(rest)) => Due::At(at.max(rest)),
            (due, _) => due,
        }
    }

    fn on_wire_max(&self, rules: &Rules) -> usize {
        match rules.is_idempotent {
            true => rules.on_wire_max.min(self.sequences.on_wire_max()),
            false if self.is_untried() => 1,
            false => rules.on_wire_max,
        }
    }

    /// A batch that is larger than any that was taken may have to be split. Without sequences,
    /// nothing may be on the wire behind it then: it would overtake the halves.
    fn is_untried(&self) -> bool {
        let mut on_wire = self.flights.iter().map(|flight| flight.plain_len);
        on_wire.any(|len| len > self.taken_max) || self.next_len() > Some(self.taken_max)
    }

    /// What a batch may grow to.
    #[inline]
    pub(crate) fn batch_size(&self, rules: &Rules) -> usize {
        self.size_max
            .map_or(rules.batch_size, |max| max.min(rules.batch_size))
    }

    fn may_stamp(&self, rules: &Rules, conditions: Conditions) -> bool {
        if !rules.is_idempotent {
            return true;
        }
        let oldest = self.flights.front();
        // Also while the oldest is sent again: were its answer lost once more, with the newer ones
        // appended, then the broker would not recognise it any more if they pushed it out of what
        // it remembers.
        let span = oldest.map_or(0, |oldest| self.next_ordinal - oldest.ordinal);
        span < REMEMBERED as u64
            && self
                .sequences
                .may_stamp(oldest.is_some(), conditions.generation)
    }

    pub(super) fn waiting(&self) -> Option<usize> {
        self.flights
            .iter()
            .position(|flight| matches!(flight.stage, Stage::Waiting(_)))
    }

    /// True if `token` is the newest of this partition and `broker_id` still leads it.
    pub(crate) fn is_valid(&self, ticket: u64, broker_id: i32) -> bool {
        let leads = self
            .route
            .as_ref()
            .is_some_and(|route| route.queue.broker_id() == broker_id);
        leads && ticket == self.ticket && self.announced != Announced::No
    }

    /// Gives the sender of `broker_id` the batch that is next, if one may leave now and fits
    /// `room`.
    pub(crate) fn take(
        &mut self,
        (ticket, broker_id, room): (u64, i32, usize),
        newest: Option<Current>,
        now: Instant,
        (rules, conditions): (&Rules, Conditions),
        seal: impl FnOnce(OpenBatch) -> Batch,
    ) -> Take {
        if !self.is_valid(ticket, broker_id) {
            return Take::Nothing;
        }
        self.announced = Announced::No;
        match self.due(rules, conditions) {
            Due::Never => return Take::Nothing,
            Due::At(at) if at > now => return Take::Nothing,
            Due::At(_) | Due::Now => {}
        }
        if self.next_deadline().is_some_and(|deadline| deadline <= now) {
            // Nothing is sent after its deadline; the expiry thread sees to it.
            return Take::Nothing;
        }
        if self.next_len().is_none_or(|len| len > room) {
            self.announced = Announced::Due;
            return Take::NoRoom;
        }
        if self.home != Some(broker_id) {
            self.home = Some(broker_id);
            self.sequences.moved();
        }
        #[cfg(test)]
        coverage::taken(self.waiting().is_some(), self.flights.is_empty());
        let batch = match (self.waiting(), newest) {
            (Some(index), _) => self.resend(index),
            (None, None) if rules.is_idempotent => None,
            (None, newest) => self.send_first(newest, now, seal),
        };
        self.on_wire += usize::from(batch.is_some());
        self.taken = batch.as_ref().map(|_| now).or(self.taken);
        batch.map_or(Take::Nothing, Take::Batch)
    }

    pub(super) fn next_len(&self) -> Option<usize> {
        let waiting = self
            .waiting()
            .and_then(|index| match &self.flights[index].stage {
                Stage::Waiting(batch) => Some(batch.bytes.len()),
                _ => None,
            });
        let queued = || self.queue.front().map(|batch| batch.bytes.len());
        waiting
            .or_else(queued)
            .or_else(|| self.open.as_ref().map(OpenBatch::len))
    }

    fn next_deadline(&self) -> Option<Instant> {
        match (self.waiting(), self.queue.front()) {
            (Some(index), _) => self.flights[index].deadline,
            (None, Some(batch)) => batch.deadline,
            (None, None) => self.open.as_ref()?.deadline,
        }
    }

    fn resend(&mut self, index: usize) -> Option<Batch> {
        self.rests_until = None;
        let flight = &mut self.flights[index];
        flight.attempts += 1;
        match std::mem::replace(&mut flight.stage, Stage::OnWire) {
            Stage::Waiting(batch) => Some(batch),
            Stage::OnWire | Stage::Abandoned | Stage::Tombstone => None,
        }
    }

    fn send_first(
        &mut self,
        newest: Option<Current>,
        now: Instant,
        seal: impl FnOnce(OpenBatch) -> Batch,
    ) -> Option<Batch> {
        let topic_id = self.route.as_ref()?.topic_id;
        self.rests_until = None;
        let queued = self.queue.pop_front();
        let mut batch = queued.or_else(|| self.open.take().map(seal))?;
        batch.ordinal = self.next_ordinal;
        batch.topic_id = topic_id;
        self.next_ordinal += 1;
        if let Some(newest) = newest {
            let has_flights = !self.flights.is_empty();
            batch.give(
                self.sequences
                    .stamp(newest, has_flights, batch.records, now),
            );
        }
        self.flights.push_back(Flight {
            attempts: batch.attempts + 1,
            ..Flight::of(&batch)
        });
        Some(batch)
    }

    /// Follows the leader; also a view that changes nothing frees what waited for one.
    pub(crate) fn reroute(&mut self, route: Option<Route>) {
        let queue = |route: &Option<Route>| route.as_ref().map(|route| Arc::as_ptr(&route.queue));
        if queue(&route) != queue(&self.route) {
            self.announced = Announced::No;
        }
        if let Some(route) = &route {
            if route.topic_id != TopicId::default() {
                self.topic_id = route.topic_id;
            }
            for flight in &mut self.flights {
                if let Stage::Waiting(batch) = &mut flight.stage {
                    batch.topic_id = route.topic_id;
                }
            }
        }
        self.route = route;
        self.awaits_view = false;
    }

    /// Makes the open batch leave without lingering.
    pub(crate) fn hurry(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_hurried = true;
        }
    }

    /// True if `topic_id` is that of a topic made anew under the old name.
    pub(crate) fn is_anew(&self, topic_id: TopicId) -> bool {
        let none = TopicId::default();
        self.topic_id != none && topic_id != none && topic_id != self.topic_id
    }

    /// Follows a leader that is newer than what the refusal was about: no need to rest or to wait
    /// for a view.
    pub(crate) fn follow_at_once(&mut self, route: Route) {
        self.rests_until = None;
        self.reroute(Some(route));
    }

    pub(crate) fn needs_view(&self) -> bool {
        self.route.is_none() || self.awaits_view
    }

    /// The broker that leads it, and the one that has what is on the wire.
    pub(crate) fn needs(&self) -> impl Iterator<Item = i32> + use<> {
        let leader = self.route.as_ref().map(|route| route.queue.broker_id());
        let home = self.home.filter(|_| self.on_wire > 0);
        leader.into_iter().chain(home)
    }

    /// True if no connection has a batch of it, and no broker knows a sequence of it.
    pub(super) fn is_unused(&self) -> bool {
        self.on_wire == 0 && !self.sequences.is_in_use()
    }

    /// How many batches no broker has; those that were on the wire count as one.
    pub(super) fn waiting_batches(&self) -> u32 {
        let is_held_up = self.rests_until.is_some() || self.awaits_view;
        let all = self.queue.len() + usize::from(self.open.is_some()) + usize::from(is_held_up);
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    pub(crate) fn has_batches(&self) -> bool {
        self.open.is_some() || !self.queue.is_empty() || !self.flights.is_empty()
    }
}

#[cfg(test)]
mod tests;
