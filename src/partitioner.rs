//! Which partition a record goes to (skeleton).

/// The partitioner of a producer, as the configuration names it.
#[derive(Clone, Debug)]
pub(crate) enum PartitionerChoice {
    /// murmur2 of the key, else round-robin.
    Default,
}
