//! What waits in the partitions of a topic, as the partitioner that goes by bytes asks for it.

use std::time::Duration;

use super::Partition;
use crate::accumulator::batch::lone_size;
use crate::accumulator::topic::View;
use crate::partitioner::{Batches, Open};
use crate::record::Record;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::time;
use crate::wire::record_batch::HEADER_LEN;

/// The batches of a topic, seen by a record that is not in one yet.
pub(crate) struct Queues<'a> {
    pub(crate) view: &'a View,
    pub(crate) record: &'a Record<'a>,
    pub(crate) timestamp_ms: i64,
    pub(crate) batch_size: usize,
}

impl Queues<'_> {
    fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.view.partition(index)
    }
}

impl Batches for Queues<'_> {
    fn sizes(&self) -> (usize, usize) {
        let bytes = lone_size(self.record) - HEADER_LEN;
        (bytes, self.batch_size.saturating_sub(HEADER_LEN))
    }

    fn open(&self, partition: i32) -> Open {
        let found = self.partition(partition);
        found.map_or(Open::No, |partition| {
            partition.open_for(self.record, self.timestamp_ms)
        })
    }

    fn waiting(&self, partition: i32) -> u32 {
        let found = self.partition(partition);
        found.map_or(0, |partition| partition.waiting.load(Ordering::Relaxed))
    }

    fn stalled(&self, partition: i32) -> Duration {
        let found = self.partition(partition);
        found.map_or(Duration::ZERO, |partition| partition.stalled())
    }
}

impl Partition {
    /// True if it has a batch that takes no more records, as of its last change.
    pub(crate) fn has_full_batch(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 1
    }

    /// What `record` would find. A batch that is full for it leaves.
    fn open_for(self: &Arc<Self>, record: &Record<'_>, timestamp_ms: i64) -> Open {
        let mut state = self.state.lock();
        let size = state.batch_size(&self.shared.rules);
        match &state.open {
            None => Open::No,
            Some(open)
                if open.accepts(open.measure(record, timestamp_ms), record.deadline, size) =>
            {
                Open::Room
            }
            Some(_) => {
                state.hurry();
                self.unlock_and_tell(state);
                Open::Full
            }
        }
    }

    /// For how long its broker has had something to take, a batch that need not linger, and has
    /// taken nothing.
    fn stalled(&self) -> Duration {
        let state = self.state.lock();
        let queued = state.queue.front().map(|batch| batch.created);
        let created = queued.or_else(|| state.open.as_ref().map(|open| open.created));
        let due = created.and_then(|created| time::after(created, self.shared.rules.linger));
        let since = [due, state.taken].into_iter().flatten().max();
        drop(state);
        since.map_or(Duration::ZERO, |since| {
            time::now().saturating_duration_since(since)
        })
    }
}
