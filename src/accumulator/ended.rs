//! What the end of an attempt, or of a batch's time, means for the partition: pure, as [`State`]
//! is.
//!
//! Without idempotence a batch whose attempt has ended is settled or waits. With it, sequences tell
//! more: an acknowledgement proves everything below it, an out-of-order answer proves that what is
//! directly below is missing, and a batch that failed with an unknown outcome leaves a tombstone,
//! behind which nothing new gets a sequence until the log is known to have it or not. Then the
//! partition moves to a new epoch, alone: no other partition's batch is ever numbered anew because
//! of it (librdkafka #4953, KAFKA-14034).

mod give_up;
mod split;

use std::time::Instant;

use super::batch::Batch;
#[cfg(test)]
use super::coverage;
use super::sequence::Stamp;
use super::state::{Rules, Stage, State, Verdict};
use crate::error::Error;

pub(crate) use give_up::{GivenUp, Sent, Which};

impl State {
    /// Takes back a batch whose attempt has ended. The batch that comes out, if any, is the
    /// caller's to resolve as it meant to (out of sequence: to fail), outside the lock.
    pub(crate) fn ended(
        &mut self,
        mut batch: Batch,
        verdict: Verdict,
        (rules, now): (&Rules, Instant),
    ) -> Option<Batch> {
        self.arrived(now);
        let Some(index) = self.flight_of(&batch) else {
            return Some(batch);
        };
        self.flights[index].is_adrift |= batch.is_adrift;
        let is_abandoned = matches!(self.flights[index].stage, Stage::Abandoned);
        #[cfg(test)]
        coverage::ended(is_abandoned, &verdict);
        if is_abandoned {
            batch.leave_result();
        }
        match verdict {
            Verdict::Acked => self.acked(index),
            Verdict::Failed => self.bury(index, rules),
            Verdict::Again { .. } if is_abandoned => self.bury(index, rules),
            Verdict::OutOfSequence { has_forgotten, .. } if is_abandoned => {
                let sequel = self.out_of_sequence(index, has_forgotten, batch.may_be_written);
                if sequel == Sequel::Disproved {
                    self.disprove_from(index);
                }
                self.bury(index, rules);
            }
            Verdict::Again {
                at,
                awaits_view,
                error,
            } => {
                self.last_error = Some(error);
                if !self.sequences.has_lost_log() || !batch.may_be_written {
                    self.rests_until = self.rests_until.max(at);
                    self.awaits_view |= awaits_view;
                    self.wait(index, batch);
                    return None;
                }
                self.bury(index, rules);
            }
            Verdict::OutOfSequence {
                has_forgotten,
                at,
                error,
            } => {
                self.last_error = Some(error);
                batch.excused += 1;
                return self.refused(index, batch, has_forgotten, (at, rules));
            }
        }
        Some(batch)
    }

    pub(super) fn flight_of(&self, batch: &Batch) -> Option<usize> {
        let known = (batch.ordinal, batch.first);
        let mut flights = self.flights.iter();
        flights.position(|flight| (flight.ordinal, flight.piece.first) == known)
    }

    pub(super) fn arrived(&mut self, now: Instant) {
        self.on_wire -= 1;
        if self.on_wire == 0 {
            self.sequences.rest(now);
        }
    }

    /// The batch of an attempt will not come back; what became of it, nobody knows.
    pub(super) fn lost(&mut self, batch: &Batch, (rules, now): (&Rules, Instant)) {
        self.arrived(now);
        if let Some(index) = self.flight_of(batch) {
            self.flights[index].is_adrift = true;
            self.bury(index, rules);
        }
    }

    /// The broker says that the batch is out of sequence, and its records are waited for.
    fn refused(
        &mut self,
        index: usize,
        mut batch: Batch,
        has_forgotten: bool,
        (at, rules): (Option<Instant>, &Rules),
    ) -> Option<Batch> {
        let sequel = self.out_of_sequence(index, has_forgotten, batch.may_be_written);
        #[cfg(test)]
        coverage::sequel(&sequel, index > 0);
        match sequel {
            Sequel::Failed => {
                self.bury(index, rules);
                return Some(batch);
            }
            Sequel::Again => {}
            Sequel::Disproved => {
                self.disprove_from(index);
                self.sequences.is_draining = true;
                if index == 0 {
                    // A broker that refuses every identity is not to be asked for the next at the
                    // speed of its answers.
                    self.rests_until = self.rests_until.max(at);
                }
                batch.may_be_written = false;
            }
        }
        self.wait(index, batch);
        None
    }

    /// The topic was deleted and made anew. What was never in the old log is sent to the new one,
    /// under a new identity from sequence 0 on, once nothing of the old is un-answered. What may
    /// have been comes out here and from [`ended`](Self::ended), for the caller to fail: no answer
    /// can tell of it any more. Without idempotence a retry may make a second copy anyway, and goes
    /// to the new topic.
    pub(crate) fn lose_log(&mut self, rules: &Rules) -> Vec<Batch> {
        let mut doubtful = Vec::new();
        if !rules.is_idempotent || !self.sequences.is_in_use() {
            return doubtful;
        }
        self.sequences.lose_log();
        for flight in &mut self.flights {
            match std::mem::replace(&mut flight.stage, Stage::Tombstone) {
                Stage::Waiting(batch) if batch.may_be_written => doubtful.push(batch),
                stage => flight.stage = stage,
            }
        }
        doubtful
    }

    /// What the end of this attempt says of acknowledged records: that the log has lost some.
    pub(crate) fn loss(&self, batch: &Batch, verdict: &Verdict) -> Option<Loss> {
        let Verdict::OutOfSequence {
            has_forgotten: false,
            error,
            ..
        } = verdict
        else {
            return None;
        };
        let is_oldest = self
            .flights
            .front()
            .is_some_and(|flight| flight.ordinal == batch.ordinal);
        let is_known = !self.sequences.has_lost_log() && !self.sequences.may_be_forgotten();
        let is_loss = is_oldest && is_known;
        let acked = self.sequences.acked_up_to().filter(|_| is_loss)?;
        Some(Loss {
            stamp: batch.stamp,
            acked,
            error: error.clone(),
        })
    }

    fn wait(&mut self, index: usize, mut batch: Batch) {
        batch.topic_id = self
            .route
            .as_ref()
            .map_or(batch.topic_id, |route| route.topic_id);
        self.flights[index].attempts = batch.attempts;
        self.flights[index].stage = Stage::Waiting(batch);
    }

    /// An acknowledgement: whatever is below it in sequence is in the log too.
    fn acked(&mut self, index: usize) {
        let Some(flight) = self.flights.remove(index) else {
            return;
        };
        self.taken_max = self.taken_max.max(flight.plain_len);
        self.sequences
            .acked(flight.base_sequence, flight.piece.records);
        #[cfg(test)]
        coverage::acked(self.flights.iter().take(index));
        let mut place = 0;
        self.flights.retain(|flight| {
            place += 1;
            place > index || !matches!(flight.stage, Stage::Tombstone)
        });
    }

    /// Its records have failed. With idempotence its sequences stay taken until it is known whether
    /// the log has them.
    pub(super) fn bury(&mut self, index: usize, rules: &Rules) {
        if rules.is_idempotent {
            self.flights[index].stage = Stage::Tombstone;
            self.sequences.is_draining = true;
        } else {
            self.flights.remove(index);
        }
    }

    fn out_of_sequence(&self, index: usize, has_forgotten: bool, may_be_written: bool) -> Sequel {
        if self.sequences.has_lost_log() {
            // The new log tells nothing of the old one.
            return match may_be_written {
                true => Sequel::Failed,
                false => Sequel::Again,
            };
        }
        let mut below = self.flights.iter().take(index);
        if below.any(|flight| !matches!(flight.stage, Stage::Tombstone)) {
            // What is below it is not settled: the broker waits for that.
            return Sequel::Again;
        }
        if has_forgotten && may_be_written {
            // An old broker has dropped what it knew of us, and the log may have the batch all the
            // same (KIP-360).
            return Sequel::Failed;
        }
        if let Some(below) = index.checked_sub(1) {
            // Only tombstones below: had they been appended, the broker would have taken this one,
            // and had this one been, it would have said so. That holds for good if one of the two
            // can come no more. If connections died with both, the one below may reach the broker
            // after this answer, and then this one: A and B are lost with their connection, A is
            // out of time, B is sent again and refused, and only then the broker gets to what the
            // first connection had written.
            return match self.flights[below].is_adrift && self.flights[index].is_adrift {
                true => Sequel::Failed,
                false => Sequel::Disproved,
            };
        }
        match self.flights[index].base_sequence == self.sequences.expected() {
            // The log ends below what was acknowledged.
            true => Sequel::Disproved,
            false => Sequel::Failed,
        }
    }

    /// No copy of the batch at `index`, nor of any above it, is in the log.
    fn disprove_from(&mut self, index: usize) {
        for flight in self.flights.iter_mut().skip(index) {
            if let Stage::Waiting(batch) = &mut flight.stage {
                batch.may_be_written = false;
            }
        }
    }

    /// Ends a drain whose time has come. A generation that comes out is outgrown: a newer identity
    /// is needed, and what waits here is known to be in no log, so it is sent anew under that.
    pub(crate) fn end_drain(&mut self) -> Option<u64> {
        let may_be_written = |stage: &Stage| match stage {
            Stage::Waiting(batch) => batch.may_be_written,
            Stage::OnWire | Stage::Abandoned => true,
            Stage::Tombstone => false,
        };
        let is_over = self.sequences.is_draining
            && self.on_wire == 0
            && !self
                .flights
                .iter()
                .any(|flight| may_be_written(&flight.stage));
        if !is_over {
            return None;
        }
        let mut waiting = Vec::new();
        for flight in std::mem::take(&mut self.flights) {
            if let Stage::Waiting(batch) = flight.stage {
                waiting.push(batch);
            }
        }
        self.sequences.is_draining = false;
        #[cfg(test)]
        coverage::drained(waiting.len(), self.sequences.is_settled());
        if waiting.is_empty() && self.sequences.is_settled() {
            return None;
        }
        for mut batch in waiting.into_iter().rev() {
            batch.take_back();
            self.queue.push_front(batch);
        }
        Some(self.sequences.outgrow())
    }
}

/// A broker refuses `stamp` as out of order, although nothing is missing between that and `acked`,
/// which was acknowledged: its log was cut (an unclean election, a lost disk).
pub(crate) struct Loss {
    pub(crate) stamp: Stamp,
    pub(crate) acked: i32,
    pub(crate) error: Error,
}

/// What follows an out-of-order answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequel {
    /// Send it again once what is below is settled.
    Again,
    /// Neither it nor anything above is in the log: all of it under a new identity.
    Disproved,
    /// Nothing can be known: its records fail.
    Failed,
}

#[cfg(test)]
mod tests;
