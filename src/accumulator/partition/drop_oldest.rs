//! Batches that a full buffer drops for newer records of their topic.

use std::time::Instant;

use super::{Fate, Partition, Standstill};
use crate::accumulator::batch::{Batch, OpenBatch};
use crate::accumulator::budget::{Account, Grant};
use crate::accumulator::state::{Announced, State};
use crate::delivery::Failure;
use crate::error::{ErrorKind, Outcome};
use crate::sync::Arc;

/// What stays of a dropped batch while its result waits for those of older batches, which may be
/// on the wire for long: its completion, its place among the results and the error.
const KEPT_BYTES: usize = 512;

/// What a batch that was dropped leaves behind.
pub(crate) struct Dropped {
    pub(crate) memory: Grant,
    pub(crate) records: u32,
}

impl Partition {
    /// Of the batches that may be dropped, of those whose memory is on the account `at` if one is
    /// given: since when the oldest is there, and its bytes.
    pub(crate) fn droppable(&self, at: Option<&Arc<Account>>) -> Option<(Instant, usize)> {
        self.state.lock().droppable(at).next()
    }

    /// The bytes of all of them.
    pub(crate) fn droppable_bytes(&self, at: Option<&Arc<Account>>) -> usize {
        let state = self.state.lock();
        state.droppable(at).map(|(_, bytes)| left_of(bytes)).sum()
    }

    /// Drops the oldest of them, unless its sender was faster; `what` is said to its records.
    pub(crate) fn drop_oldest(
        self: &Arc<Self>,
        at: Option<&Arc<Account>>,
        what: &str,
    ) -> Option<Dropped> {
        let mut state = self.state.lock();
        let mut batch = state.take_droppable(at, |open| open.close(self.clone()))?;
        let standstill = Standstill {
            queue: state.route.as_ref().map(|route| route.queue.clone()),
            last_error: state.last_error.clone(),
        };
        self.unlock_and_tell(state);
        let (mut memory, records) = (batch.take_memory(), batch.records);
        let fate = Fate {
            attempts: 0,
            outcome: Outcome::NotWritten,
            on_wire: false,
        };
        let error = standstill.error(ErrorKind::Dropped, what, fate);
        self.shared.metrics.dropped.add(u64::from(records));
        let mut state = self.state.lock();
        let is_first = state.results.put(batch.piece(), Err(Failure::from(error)));
        debug_assert!(is_first, "a batch that waited here had a result");
        if state.results.is_behind(batch.place) {
            let left = left_of(memory.bytes());
            let kept = memory.split_off(memory.bytes() - left);
            state.results.keep(batch.place, kept);
        }
        self.unlock_and_tell(state);
        Some(Dropped { memory, records })
    }
}

/// What a dropped batch of so many bytes gives back for sure at once.
fn left_of(bytes: usize) -> usize {
    bytes - KEPT_BYTES.min(bytes / 2)
}

impl State {
    /// The batches that got no sequence and were never sent, the oldest first.
    fn droppable(&self, at: Option<&Arc<Account>>) -> impl Iterator<Item = (Instant, usize)> {
        let queued = self
            .queue
            .iter()
            .filter(move |batch| is_droppable(batch, at));
        let queued = queued.map(|batch| (batch.created, batch.capacity()));
        let open = self.open.iter().filter(move |open| is_open_at(open, at));
        queued.chain(open.map(|open| (open.created, open.capacity())))
    }

    fn take_droppable(
        &mut self,
        at: Option<&Arc<Account>>,
        close: impl FnOnce(OpenBatch) -> Batch,
    ) -> Option<Batch> {
        let mut queued = self.queue.iter();
        let batch = match queued.position(|batch| is_droppable(batch, at)) {
            Some(index) => self.queue.remove(index),
            None => self.open.take_if(|open| is_open_at(open, at)).map(close),
        };
        if self.next_len().is_none() {
            // A token for nothing would make the sender connect for nothing.
            self.announced = Announced::No;
        }
        batch
    }
}

/// What was sent once, and is here to be numbered anew, is no broker's and yet not dropped: its
/// time to be told is nearer than that of what came after it.
fn is_droppable(batch: &Batch, at: Option<&Arc<Account>>) -> bool {
    let share = batch.share();
    batch.attempts == 0 && at.is_none_or(|at| share.is_some_and(|one| Arc::ptr_eq(at, &one.broker)))
}

fn is_open_at(open: &OpenBatch, at: Option<&Arc<Account>>) -> bool {
    let share = open.share();
    at.is_none_or(|at| share.is_some_and(|one| Arc::ptr_eq(at, &one.broker)))
}
