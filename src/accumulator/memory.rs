//! Memory for records: who waits for it, and what is said when there is none.

use super::Accumulator;
use super::Wait;
use super::budget::{Excess, Grant, Refused};
use super::partition::{Append, Load, Partition};
use super::policy::Wanted;
use super::ready::ReadyQueue;
use crate::delivery::Delivery;
use crate::error::{Error, ErrorKind};
use crate::record::Record;
use crate::sync::Arc;
use crate::time::{self, human};

impl Accumulator {
    /// Copies a record into its partition's batch, which may have to grow or to be opened. True if
    /// it opened one; `None` if the topic has to be looked up once more.
    pub(crate) fn append(
        &self,
        partition: &Arc<Partition>,
        record: &Record<'_>,
        timestamp_ms: i64,
        mut wait: Wait,
    ) -> Result<Option<(Delivery, bool)>, Error> {
        let mut grant: Option<Grant> = None;
        loop {
            let (room, share) = match partition.append(record, timestamp_ms, &mut grant) {
                Append::Done { delivery, is_first } => return Ok(Some((delivery, is_first))),
                Append::Needs(room, share) => (room, share),
                Append::Closed => return Err(Error::closed()),
                Append::Gone => return Ok(None),
                Append::Stopped(error) => return Err(error),
            };
            drop(grant.take());
            let budget = self.budget();
            let more = budget
                .try_acquire(Some(&share), room.best)
                .or_else(|| budget.try_acquire(Some(&share), room.least));
            let mut more = match more {
                Some(more) => more,
                // Others may fill the batch meanwhile, so that there is a second wait.
                None => self.make_room(Wanted::Batch(partition, &share), room.least, &mut wait)?,
            };
            more.prepare(room.held + more.bytes());
            grant = Some(more);
        }
    }

    /// Memory for what is not a batch: callbacks of a record of `topic`, or of one that has failed.
    pub(crate) fn reserve(
        &self,
        topic: Option<&str>,
        bytes: usize,
        wait: &mut Wait,
    ) -> Result<Grant, Error> {
        let wanted = topic.map_or(Wanted::Failed, Wanted::Beside);
        match self.budget().try_acquire(None, bytes) {
            Some(grant) => Ok(grant),
            None => self.make_room(wanted, bytes, wait),
        }
    }

    pub(super) fn wait_for_memory(
        &self,
        wanted: Wanted<'_>,
        bytes: usize,
        wait: &mut Wait,
    ) -> Result<Grant, Error> {
        let deadline = match wait.deadline() {
            Ok(deadline) => deadline,
            Err(why) => return Err(self.full(wanted, why.to_string())),
        };
        let press = || {
            if !self.shared.rules.linger.is_zero() {
                self.queues().iter().for_each(|queue| queue.press());
            }
        };
        let granted = self
            .budget()
            .acquire(wanted.share(), bytes, deadline.at(), press);
        granted.map_err(|refused| match refused {
            Refused::Closed => Error::closed(),
            Refused::Full => {
                let waited = format!("waited max.block.ms = {}", human(deadline.limit()));
                self.full(wanted, waited)
            }
        })
    }

    fn queues(&self) -> Vec<Arc<ReadyQueue>> {
        self.queues.lock().clone()
    }

    /// The error of a full buffer: what fills it, and what keeps that from leaving.
    pub(super) fn full(&self, wanted: Wanted<'_>, waited: String) -> Error {
        let now = time::now();
        let mut total = Load::default();
        let mut largest: Option<(Load, Arc<Partition>)> = None;
        for partition in self.partitions() {
            let load = partition.load();
            total.records += load.records;
            total.oldest = [total.oldest, load.oldest].into_iter().flatten().min();
            if largest
                .as_ref()
                .is_none_or(|(known, _)| load.bytes > known.bytes)
            {
                largest = Some((load, partition));
            }
        }
        let used = self.budget().used();
        let mut message = format!(
            "buffer full: {used} of {} bytes (buffer.memory) used by {} records",
            self.budget().limit(),
            total.records,
        );
        if let Some(oldest) = total.oldest {
            message += &format!(
                ", the oldest for {}",
                human(now.saturating_duration_since(oldest))
            );
        }
        let mut cause = None;
        if let Some((load, partition)) = largest.filter(|(load, _)| load.bytes > 0) {
            let leader = match partition.leader() {
                Some(id) => format!("broker {id}"),
                None => "nobody".into(),
            };
            message += &format!(
                ", most of it ({} bytes) for {partition}, led by {leader}",
                load.bytes
            );
            cause = partition.trouble();
        }
        if let Some(excess) = self.excess(wanted) {
            message += &format!("; {excess}");
        }
        let error = Error::new(ErrorKind::BufferFull, format!("{message}; {waited}"));
        match cause {
            Some(cause) => error.with_cause(cause),
            None => error,
        }
    }

    /// Whose share of the buffer is used up, if that is why there is no room.
    pub(super) fn excess(&self, wanted: Wanted<'_>) -> Option<String> {
        let Wanted::Batch(partition, share) = wanted else {
            return None;
        };
        let (excess, free) = self.budget().excess(share)?;
        let broker = match partition.leader() {
            Some(id) => format!("broker {id}"),
            None => "partitions without a leader".into(),
        };
        let topic = format!("topic {}", partition.topic());
        let (of_topic, of_broker) = (share.topic.held(), share.broker.held());
        let who = match excess {
            Excess::Both => format!("{topic} holds {of_topic} bytes and {broker} {of_broker}"),
            Excess::Broker => format!("{broker} holds {of_broker} bytes"),
            Excess::Topic => format!("{topic} holds {of_topic} bytes"),
        };
        let times = excess.times();
        Some(format!(
            "{who}, more than {times} times what is free, and the {free} bytes that are free are \
             kept for others: raise buffer.memory, or send less for it"
        ))
    }
}
