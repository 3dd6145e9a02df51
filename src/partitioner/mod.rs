//! Which partition a record goes to.

mod choice;
mod fnv1a;
mod kind;
mod murmur2;
mod sticky;
mod turns;

use std::fmt;
use std::time::Duration;

pub(crate) use choice::{PartitionerChoice, Partitioning, TopicView};
pub use kind::PartitionerKind;
pub(crate) use sticky::{Batches, Open, StickyRules};
pub(crate) use turns::{Turn, Turns};

/// Chooses the partition of every record that does not name one itself.
///
/// It runs on the thread that sends, once per record, possibly on many threads at once. It should
/// be quick and must not call the producer. An error or a panic fails that record alone, with
/// [`ErrorKind::Application`]; a partition that the topic does not have fails it with
/// [`ErrorKind::PartitionOutOfRange`].
///
/// Where the number of a topic's partitions changes, records that have a partition keep it; the
/// [guide](crate::guide#partitions) tells what that means for the order.
///
/// [`ErrorKind::Application`]: crate::ErrorKind::Application
/// [`ErrorKind::PartitionOutOfRange`]: crate::ErrorKind::PartitionOutOfRange
///
/// ```
/// use std::error::Error;
/// use milena::{PartitionQuery, Partitioner};
///
/// /// Partition 0 for one large customer, the others as the default partitioner does.
/// #[derive(Debug)]
/// struct VipFirst;
///
/// impl Partitioner for VipFirst {
///     fn partition(
///         &self,
///         query: &PartitionQuery<'_>,
///     ) -> Result<i32, Box<dyn Error + Send + Sync>> {
///         match query.key() {
///             Some(b"vip") => Ok(0),
///             _ => query.hashed_partition().ok_or("orders need a key".into()),
///         }
///     }
/// }
///
/// let query = PartitionQuery::new("orders", 4, &[0, 1, 2, 3]);
/// assert_eq!(VipFirst.partition(&query.with_key(b"vip")).unwrap(), 0);
/// assert!(VipFirst.partition(&query).is_err());
/// ```
pub trait Partitioner: Send + Sync + fmt::Debug {
    /// The partition for the record that `query` describes, in `0..query.count()`.
    ///
    /// # Errors
    ///
    /// Whatever the application says; its text becomes part of the record's error.
    fn partition(
        &self,
        query: &PartitionQuery<'_>,
    ) -> Result<i32, Box<dyn std::error::Error + Send + Sync>>;
}

/// What a [`Partitioner`] is asked: the record, serialized, and the partitions of its topic.
#[derive(Clone, Copy)]
pub struct PartitionQuery<'a> {
    view: TopicView<'a>,
    partitioning: &'a Partitioning,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

/// What questions that nobody sends a record for have in common.
static NO_TURNS: Turns = Turns::new(0);
static NO_PARTITIONING: Partitioning = Partitioning::DEFAULT;

/// No batches at all; a full one would have 1000 records.
struct NoBatches;

impl Batches for NoBatches {
    fn sizes(&self) -> (usize, usize) {
        (1, 1000)
    }

    fn open(&self, _: i32) -> Open {
        Open::No
    }

    fn waiting(&self, _: i32) -> u32 {
        0
    }

    fn stalled(&self, _: i32) -> Duration {
        Duration::ZERO
    }
}

impl<'a> PartitionQuery<'a> {
    /// A question for tests of a partitioner: null key, null value, and a topic with `count`
    /// partitions of which `available`, in ascending order, have a leader.
    pub fn new(topic: &'a str, count: u32, available: &'a [i32]) -> Self {
        Self {
            view: TopicView {
                topic,
                count,
                available,
                near: &[],
                turns: &NO_TURNS,
                own_turn: None,
                batches: &NoBatches,
                now_ms: 0,
            },
            partitioning: &NO_PARTITIONING,
            key: None,
            value: None,
        }
    }

    /// The same question about a record with this key.
    pub fn with_key(self, key: &'a [u8]) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    /// The same question about a record with this value.
    pub fn with_value(self, value: &'a [u8]) -> Self {
        Self {
            value: Some(value),
            ..self
        }
    }

    /// The topic of the record.
    pub fn topic(&self) -> &'a str {
        self.view.topic
    }

    /// The key; `None` is null, which is not the same as empty.
    pub fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// The value; `None` is null.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.value
    }

    /// How many partitions the topic has, at least one. They are numbered from 0.
    pub fn count(&self) -> u32 {
        self.view.count
    }

    /// The partitions that have a leader now. The others take records too, but those wait in the
    /// buffer until a leader is elected.
    pub fn available(&self) -> &'a [i32] {
        self.view.available
    }

    /// The partition that a partitioner with a name gives to the record: for partitioners that
    /// treat only some records in their own way.
    ///
    /// Those that take turns, or stay with a partition, count the questions that they are asked.
    ///
    /// ```
    /// use milena::{PartitionQuery, PartitionerKind};
    ///
    /// let query = PartitionQuery::new("orders", 12, &[]).with_key(b"foobar");
    /// assert_eq!(query.by(PartitionerKind::Consistent), 5); // CRC-32, as librdkafka
    /// assert_eq!(query.by(PartitionerKind::Murmur2), 6); // as Java
    /// ```
    pub fn by(&self, kind: PartitionerKind) -> i32 {
        self.partitioning.by(kind, &self.view, self.key)
    }

    /// The partition that the default partitioner, like Java's, gives to the key: for partitioners
    /// that treat only some records in their own way. `None` if the key is null.
    ///
    /// ```
    /// let query = milena::PartitionQuery::new("orders", 12, &[]).with_key(b"foobar");
    /// assert_eq!(query.hashed_partition(), Some(6));
    /// ```
    pub fn hashed_partition(&self) -> Option<i32> {
        let partition = murmur2::partition(self.key?, self.view.count);
        Some(partition).filter(|partition| *partition >= 0)
    }
}

impl fmt::Debug for PartitionQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionQuery")
            .field("topic", &self.topic())
            .field("key", &self.key)
            .field("value", &self.value)
            .field("count", &self.count())
            .field("available", &self.available())
            .finish()
    }
}
