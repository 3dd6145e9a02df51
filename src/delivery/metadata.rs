//! What is known of a record that was delivered.

use std::fmt;
use std::time::Duration;

use super::{Acknowledged, Slot};
use crate::sync::Arc;

/// What a broker's acknowledgement says of a record, and how it came about.
///
/// ```
/// # let cluster = milena::mock::MockCluster::start(1);
/// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
/// use milena::Record;
///
/// let record = Record::to("orders").key("customer-7").timestamp_ms(1_000);
/// let metadata = producer.send(record).wait()?;
/// assert_eq!((metadata.topic(), metadata.partition(), metadata.offset()), ("orders", 0, Some(0)));
/// assert_eq!(metadata.timestamp_ms(), 1_000);
/// assert_eq!((metadata.key_size(), metadata.value_size()), (Some(10), None));
/// assert_eq!((metadata.attempts(), metadata.broker_id()), (1, 1));
/// # Ok::<(), milena::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RecordMetadata {
    topic: Arc<str>,
    partition: i32,
    slot: Slot,
    acknowledged: Acknowledged,
}

/// Whose clock a record's timestamp is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The record's own: what it was given, or the time of its send.
    CreateTime,
    /// The broker's, when it appended the record: the topic says
    /// `message.timestamp.type=LogAppendTime`.
    LogAppendTime,
}

impl RecordMetadata {
    pub(super) fn new(
        (topic, partition): (Arc<str>, i32),
        slot: Slot,
        acknowledged: Acknowledged,
    ) -> Self {
        Self {
            topic,
            partition,
            slot,
            acknowledged,
        }
    }

    /// The topic that the record went to.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition that the record went to.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The offset in the partition. `None` with `acks=0`, where no broker tells, and where a broker
    /// recognised a retry whose offset it no longer knew.
    pub fn offset(&self) -> Option<i64> {
        let base = self.acknowledged.base_offset?;
        Some(base.saturating_add(i64::from(self.slot.index)))
    }

    /// The record's timestamp in milliseconds since 1970: the broker's where the topic says
    /// `LogAppendTime`, else the record's own.
    pub fn timestamp_ms(&self) -> i64 {
        let append_time_ms = self.acknowledged.log_append_time_ms;
        append_time_ms.unwrap_or(self.slot.timestamp_ms)
    }

    /// Whose clock [`timestamp_ms`](Self::timestamp_ms) is from.
    pub fn timestamp_type(&self) -> TimestampType {
        match self.acknowledged.log_append_time_ms {
            Some(_) => TimestampType::LogAppendTime,
            None => TimestampType::CreateTime,
        }
    }

    /// The key's size in bytes, `None` if it was null.
    pub fn key_size(&self) -> Option<usize> {
        usize::try_from(self.slot.key_size).ok()
    }

    /// The value's size in bytes, `None` if it was null.
    pub fn value_size(&self) -> Option<usize> {
        usize::try_from(self.slot.value_size).ok()
    }

    /// How often the record's batch was sent: 1 if the first attempt was acknowledged.
    pub fn attempts(&self) -> u32 {
        self.acknowledged.attempts
    }

    /// The broker that acknowledged the record; with `acks=0`, the one that it was written to.
    pub fn broker_id(&self) -> i32 {
        self.acknowledged.broker_id
    }

    /// From the send of the first record in the batch until the batch was acknowledged, pauses and
    /// `linger.ms` included: no less than this record took.
    pub fn latency(&self) -> Duration {
        self.acknowledged.latency
    }
}

impl fmt::Debug for RecordMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordMetadata")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("offset", &self.offset())
            .field("timestamp_ms", &self.timestamp_ms())
            .field("timestamp_type", &self.timestamp_type())
            .field("key_size", &self.key_size())
            .field("value_size", &self.value_size())
            .field("attempts", &self.attempts())
            .field("broker_id", &self.broker_id())
            .field("latency", &self.latency())
            .finish()
    }
}
