//! Batches whose time is over, taken out for the caller to fail.

use std::collections::VecDeque;
use std::time::Instant;

use crate::accumulator::batch::{Batch, OpenBatch};
#[cfg(test)]
use crate::accumulator::coverage;
use crate::accumulator::results::Piece;
use crate::accumulator::state::{Announced, Rules, Stage, State};

/// Which batches are given up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    /// All, those on the wire included.
    All,
    /// Those that were opened by then, on the wire or not.
    OpenedBy(Instant),
    /// Those whose deadline has passed, unless an attempt is on the wire.
    LateAt(Instant),
    /// All that wait here, because their broker will not have them.
    Waiting,
}

/// Batches that are out of time.
pub(crate) struct GivenUp {
    pub(crate) sent: Vec<Sent>,
    /// Never sent, or known to be in no log.
    pub(crate) unsent: Vec<Batch>,
}

/// A batch that was sent and is out of time.
#[allow(
    clippy::large_enum_variant,
    reason = "a few, which are resolved at once"
)]
pub(crate) enum Sent {
    /// It waited to be sent again.
    Waiting(Batch),
    /// Un-answered: its records, and the number of attempts.
    OnWire(Piece, u32),
}

impl State {
    /// Takes batches out, for the caller to fail outside the lock: those that wait here whole,
    /// those on the wire by their place.
    pub(crate) fn give_up(
        &mut self,
        which: Which,
        rules: &Rules,
        close: impl Fn(OpenBatch) -> Batch,
    ) -> GivenUp {
        let sent = self.give_up_sent(which, rules);
        let unsent = self.give_up_unsent(which, close);
        if let Which::LateAt(now) = which {
            self.deadline = self.deadlines().filter(|deadline| *deadline > now).min();
        }
        GivenUp { sent, unsent }
    }

    fn give_up_sent(&mut self, which: Which, rules: &Rules) -> Vec<Sent> {
        let mut given_up = Vec::new();
        for mut flight in std::mem::take(&mut self.flights) {
            if which.takes(flight.created, flight.deadline) {
                #[cfg(test)]
                coverage::given_up(&flight.stage);
                match std::mem::replace(&mut flight.stage, Stage::Tombstone) {
                    Stage::Waiting(batch) => {
                        given_up.push(Sent::Waiting(batch));
                        self.sequences.is_draining |= rules.is_idempotent;
                    }
                    Stage::OnWire if which.takes_from_wire() => {
                        given_up.push(Sent::OnWire(flight.piece, flight.attempts));
                        flight.stage = Stage::Abandoned;
                        self.sequences.is_draining |= rules.is_idempotent;
                    }
                    stage => flight.stage = stage,
                }
            }
            if rules.is_idempotent || !matches!(flight.stage, Stage::Tombstone) {
                self.flights.push_back(flight);
            }
        }
        if self.waiting().is_none() {
            self.rests_until = None;
        }
        given_up
    }

    fn give_up_unsent(&mut self, which: Which, close: impl Fn(OpenBatch) -> Batch) -> Vec<Batch> {
        let mut given_up = Vec::new();
        let is_taken = |batch: &Batch| which.takes(batch.created, batch.deadline);
        if self.queue.iter().any(is_taken) {
            let all = std::mem::take(&mut self.queue).into_iter();
            let (taken, left): (VecDeque<_>, VecDeque<_>) = all.partition(is_taken);
            given_up.extend(taken);
            self.queue = left;
        }
        let open = self
            .open
            .take_if(|open| which.takes(open.created, open.deadline));
        given_up.extend(open.map(close));
        if self.next_len().is_none() {
            // A token for nothing would make the sender connect for nothing.
            self.announced = Announced::No;
        }
        given_up
    }

    /// A batch is there that must not be sent after `deadline`.
    pub(crate) fn note_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = self.deadline.into_iter().chain(deadline).min();
    }

    /// When the next deadline passes, or one that was met.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Of all batches, also of those on the wire: they may come back.
    fn deadlines(&self) -> impl Iterator<Item = Instant> {
        let sent = self.flights.iter().map(|flight| flight.deadline);
        let queued = self.queue.iter().map(|batch| batch.deadline);
        let open = self.open.iter().map(|open| open.deadline);
        sent.chain(queued).chain(open).flatten()
    }
}

impl Which {
    fn takes(self, created: Instant, deadline: Option<Instant>) -> bool {
        match self {
            Self::All | Self::Waiting => true,
            Self::OpenedBy(by) => created <= by,
            Self::LateAt(now) => deadline.is_some_and(|deadline| deadline <= now),
        }
    }

    fn takes_from_wire(self) -> bool {
        matches!(self, Self::All | Self::OpenedBy(_))
    }
}

impl GivenUp {
    pub(crate) fn is_any(&self) -> bool {
        !self.sent.is_empty() || !self.unsent.is_empty()
    }

    /// Those that waited here.
    pub(crate) fn batches(self) -> impl Iterator<Item = Batch> {
        let waited = self.sent.into_iter().filter_map(|sent| match sent {
            Sent::Waiting(batch) => Some(batch),
            Sent::OnWire(..) => None,
        });
        waited.chain(self.unsent)
    }
}
