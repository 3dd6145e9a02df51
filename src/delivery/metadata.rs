//! What is known of a record that was delivered.

use crate::sync::Arc;

/// What a broker's acknowledgement says of a record.
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
/// # Ok::<(), milena::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) offset: Option<i64>,
    pub(super) timestamp_ms: i64,
    pub(super) key_size: Option<usize>,
    pub(super) value_size: Option<usize>,
}

impl RecordMetadata {
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
        self.offset
    }

    /// The record's timestamp in milliseconds since 1970: the broker's where the topic says
    /// `LogAppendTime`, else the record's own.
    pub fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }

    /// The key's size in bytes, `None` if it was null.
    pub fn key_size(&self) -> Option<usize> {
        self.key_size
    }

    /// The value's size in bytes, `None` if it was null.
    pub fn value_size(&self) -> Option<usize> {
        self.value_size
    }
}
