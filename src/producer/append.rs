//! A record's way into its partition: quickly, into a batch that is open, or slowly.

use super::{Handle, Producer};
use crate::accumulator::Wait;
use crate::accumulator::partition::Queues;
use crate::accumulator::topic::View;
use crate::delivery::Delivery;
use crate::error::{Error, ErrorKind};
use crate::partitioner::{TopicView, Turn};
use crate::record::Record;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::time;

// The whole quick way is one function for the compiler: else each of its parts hands a delivery to
// the next through memory, which took as long as to copy a short record.
impl Producer {
    #[inline(always)]
    pub(super) fn append(&self, record: &Record<'_>, wait: &mut Wait) -> Result<Delivery, Error> {
        let appended = self.append_until(record, wait);
        match appended {
            Ok(delivery) => Ok(delivery),
            Err(error) => Err(self.blame(error, record)),
        }
    }

    /// The error of a record that was not taken, which may be that its own deadline passed.
    #[cold]
    fn blame(&self, error: Error, record: &Record<'_>) -> Error {
        let Some(deadline) = record.deadline else {
            return error;
        };
        let what = match error.kind() {
            ErrorKind::BufferFull => "room in the buffer",
            ErrorKind::TimedOut => "metadata of its topic",
            _ => return error,
        };
        if deadline > time::now() {
            return error;
        }
        let topic = record.topic;
        let message = format!("record for {topic}: its deadline passed while it waited for {what}");
        Error::new(ErrorKind::TimedOut, message)
    }

    #[inline(always)]
    fn append_until(&self, record: &Record<'_>, wait: &mut Wait) -> Result<Delivery, Error> {
        let core = &self.0.core;
        let now_ms = self.0.expiry.now_ms();
        self.check_open(now_ms)?;
        core.accumulator.check_size(record)?;
        if record.partition.is_some() || record.timestamp_ms.is_some() {
            record.check()?;
        }
        wait.end_by(record.deadline);
        match self.recall_and_append((record, now_ms), wait) {
            Ok(Some(delivery)) => Ok(delivery),
            Ok(None) => self.look_up_and_append((record, now_ms), wait),
            Err(error) => Err(error),
        }
    }

    /// Appends a record if this thread remembers its topic.
    #[inline(always)]
    fn recall_and_append(
        &self,
        record: (&Record<'_>, i64),
        wait: &mut Wait,
    ) -> Result<Option<Delivery>, Error> {
        let Some(last) = self.0.core.accumulator.recall(record.0.topic) else {
            return Ok(None);
        };
        let appended = match last.view.is_ready() {
            true => self.append_to(&last.view, Some(&last.turn), record, wait),
            false => Ok(None),
        };
        last.keep();
        appended
    }

    #[cold]
    fn look_up_and_append(
        &self,
        record: (&Record<'_>, i64),
        wait: &mut Wait,
    ) -> Result<Delivery, Error> {
        loop {
            let view = self.topic_for(record.0, wait)?;
            // The thread remembers it now, with its turns, unless it has changed meanwhile.
            let appended = match self.recall_and_append(record, wait)? {
                None => self.append_to(&view, None, record, wait)?,
                appended => appended,
            };
            if let Some(delivery) = appended {
                return Ok(delivery);
            }
        }
    }

    #[inline(always)]
    pub(super) fn check_open(&self, now_ms: i64) -> Result<(), Error> {
        self.0.callbacks.process.check_at(now_ms)?;
        match self.0.is_closed.load(Ordering::Acquire) {
            true => Err(Error::closed()),
            false => Ok(()),
        }
    }

    /// Puts a record into the partition that it goes to; `None` if its topic has to be looked up
    /// again.
    #[inline(always)]
    fn append_to(
        &self,
        view: &Arc<View>,
        own_turn: Option<&Turn>,
        (record, now_ms): (&Record<'_>, i64),
        wait: &mut Wait,
    ) -> Result<Option<Delivery>, Error> {
        if view.traffic.mark_used() {
            self.0.core.wishes.refresh();
        }
        let index = match record.partition {
            Some(partition) => partition,
            None => self.choose(view, own_turn, (record, now_ms))?,
        };
        let timestamp_ms = record.timestamp_ms.unwrap_or(now_ms);
        if let Some(partition) = view.partition(index)
            && let Some(delivery) = partition.append_quickly(record, timestamp_ms)
        {
            return Ok(Some(delivery));
        }
        self.append_slowly(view, index, (record, timestamp_ms), wait)
    }

    #[cold]
    fn append_slowly(
        &self,
        view: &Arc<View>,
        index: i32,
        (record, timestamp_ms): (&Record<'_>, i64),
        wait: &mut Wait,
    ) -> Result<Option<Delivery>, Error> {
        let Handle { core, expiry, .. } = &*self.0;
        let (known, grown) = (view.partition(index), &mut None);
        let view = match known {
            Some(_) => view,
            None => grown.insert(self.grown_topic(record.topic, index, wait)?),
        };
        let partition = &view.partitions[index as usize];
        let accumulator = &core.accumulator;
        let appended = accumulator.append(partition, record, timestamp_ms, *wait)?;
        let Some((delivery, is_first)) = appended else {
            return Ok(None);
        };
        if is_first {
            match record.deadline {
                Some(_) => expiry.arm_at_once(),
                None => expiry.arm(),
            }
            // Nothing waited for a leader when the last metadata came, so nobody asked for more.
            if view.available.len() < view.partitions.len() || partition.needs_view() {
                core.wishes.refresh();
            }
        }
        Ok(Some(delivery))
    }

    /// The partition for a record that names none.
    #[inline(always)]
    fn choose(
        &self,
        view: &View,
        own_turn: Option<&Turn>,
        (record, now_ms): (&Record<'_>, i64),
    ) -> Result<i32, Error> {
        let config = &self.0.core.config;
        let batches = Queues {
            view,
            record,
            timestamp_ms: record.timestamp_ms.unwrap_or(now_ms),
            batch_size: config.batch_size,
        };
        let seen = TopicView {
            topic: record.topic,
            count: view.partitions.len() as u32,
            available: &view.available,
            near: &view.near,
            turns: &view.traffic.turns,
            own_turn,
            batches: &batches,
            now_ms,
        };
        config.partitioning.choose(&seen, record.key, record.value)
    }
}
