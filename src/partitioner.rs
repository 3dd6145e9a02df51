//! Which partition a record goes to (skeleton).

/// The partitioner of a producer, as the configuration names it.
#[derive(Clone, Debug)]
pub(crate) enum PartitionerChoice {
    /// murmur2 of the key, else round-robin.
    Default,
    /// Round-robin, whether there is a key or not, as Java's `RoundRobinPartitioner`.
    RoundRobin,
}
