//! The partitioners that have names.

use std::fmt;

/// A partitioner of Java's producer or of librdkafka, by its name.
///
/// Each puts a key where the original puts it, so that programs in other languages find it there.
/// A null key is not an empty one, and what becomes of either is the original's rule too:
///
/// | kind | as text | a key | empty key | null key |
/// |---|---|---|---|---|
/// | `Default` | (empty) | murmur2 | murmur2 | in turn |
/// | `RoundRobin` | `RoundRobinPartitioner` | in turn | in turn | in turn |
/// | `UniformSticky` | `uniform-sticky` | murmur2 | murmur2 | by bytes |
/// | `Random` | `random` | random | random | by time |
/// | `Consistent` | `consistent` | CRC-32 | partition 0 | partition 0 |
/// | `ConsistentRandom` | `consistent_random` | CRC-32 | by time | by time |
/// | `Murmur2` | `murmur2` | murmur2 | murmur2 | as empty |
/// | `Murmur2Random` | `murmur2_random` | murmur2 | murmur2 | by time |
/// | `Fnv1a` | `fnv1a` | FNV-1a | FNV-1a | as empty |
/// | `Fnv1aRandom` | `fnv1a_random` | FNV-1a | FNV-1a | by time |
///
/// A hash counts all partitions of the topic, those without a leader too: a key keeps its
/// partition. The other ways:
///
/// - In turn: record by record, over the partitions that have a leader.
/// - By bytes: one partition until a batch of it is full, then another one (KIP-794). This makes
///   the largest batches. See [`Config::adaptive_partitioning`], [`Config::rack_aware`] and
///   [`Config::partitioner_availability_timeout`].
/// - Random: any partition; if it has no leader, once more any.
/// - By time: a random partition for 10 ms, or twice [`Config::linger`], then another one, as
///   librdkafka's `sticky.partitioning.linger.ms` has it by default.
///
/// Sarama's own default is `Fnv1aRandom`, librdkafka's is `ConsistentRandom`, and Java's is
/// `UniformSticky`.
///
/// ```
/// use milena::{Config, PartitionerKind};
///
/// let config = Config::new("localhost:9092").partitioner_kind(PartitionerKind::UniformSticky);
/// // The same as text.
/// let config = config.set("partitioner.class", "uniform-sticky")?;
/// # Ok::<(), milena::Error>(())
/// ```
///
/// [`Config::adaptive_partitioning`]: crate::Config::adaptive_partitioning
/// [`Config::rack_aware`]: crate::Config::rack_aware
/// [`Config::partitioner_availability_timeout`]: crate::Config::partitioner_availability_timeout
/// [`Config::linger`]: crate::Config::linger
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartitionerKind {
    /// Java's murmur2 of the key; records without one go in turn.
    #[default]
    Default,
    /// Java's `RoundRobinPartitioner`: in turn, whatever the keys.
    RoundRobin,
    /// Java's built-in partitioner: murmur2 of the key; records without one go by bytes.
    UniformSticky,
    /// librdkafka's `random`.
    Random,
    /// librdkafka's `consistent`: CRC-32 of the key, null and empty ones in one partition.
    Consistent,
    /// librdkafka's `consistent_random`, its default: CRC-32 of the key.
    ConsistentRandom,
    /// librdkafka's `murmur2`: Java's hash of the key, null ones in one partition.
    Murmur2,
    /// librdkafka's `murmur2_random`: Java's hash of the key.
    Murmur2Random,
    /// librdkafka's `fnv1a`: Sarama's hash of the key, null ones in one partition.
    Fnv1a,
    /// librdkafka's `fnv1a_random`: Sarama's hash of the key, and Sarama's default.
    Fnv1aRandom,
}

use PartitionerKind as Kind;

/// As `partitioner.class` takes them, Java's without their package.
const NAMES: [(PartitionerKind, &str); 10] = [
    (Kind::Default, "DefaultPartitioner"),
    (Kind::RoundRobin, "RoundRobinPartitioner"),
    (Kind::UniformSticky, "uniform-sticky"),
    (Kind::Random, "random"),
    (Kind::Consistent, "consistent"),
    (Kind::ConsistentRandom, "consistent_random"),
    (Kind::Murmur2, "murmur2"),
    (Kind::Murmur2Random, "murmur2_random"),
    (Kind::Fnv1a, "fnv1a"),
    (Kind::Fnv1aRandom, "fnv1a_random"),
];

impl PartitionerKind {
    /// The partitioner of this name, Java's with or without their package.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let class = name.rsplit('.').next().unwrap_or(name);
        let found = NAMES.iter().find(|(_, known)| *known == class);
        match name.is_empty() {
            true => Some(Kind::Default),
            false => found.map(|(kind, _)| *kind),
        }
    }

    /// All names, as an error lists them.
    pub(crate) fn names() -> String {
        NAMES.map(|(_, name)| name).join(", ")
    }

    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(kind, _)| *kind)
    }

    fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(kind, _)| *kind == self);
        found.map_or("DefaultPartitioner", |(_, name)| name)
    }

    /// Whether a key decides, where keys are not ignored.
    pub(crate) fn is_keyed(self) -> bool {
        !matches!(self, Kind::RoundRobin | Kind::Random)
    }

    /// Whether `partitioner.ignore.keys` means something to it.
    pub(crate) fn may_ignore_keys(self) -> bool {
        matches!(self, Kind::Default | Kind::UniformSticky)
    }
}

/// The name that `partitioner.class` takes.
impl fmt::Display for PartitionerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partitioner_is_found_by_the_name_that_it_shows() {
        for (kind, name) in NAMES {
            assert_eq!(PartitionerKind::from_name(name), Some(kind));
            assert_eq!(kind.to_string(), name);
        }
        let java = "org.apache.kafka.clients.producer.RoundRobinPartitioner";
        assert_eq!(PartitionerKind::from_name(java), Some(Kind::RoundRobin));
        assert_eq!(PartitionerKind::from_name(""), Some(Kind::Default));
        for unknown in ["Murmur2", "com.example.Mine", "sticky", "."] {
            assert_eq!(PartitionerKind::from_name(unknown), None, "{unknown}");
        }
    }
}
