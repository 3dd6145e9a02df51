//! What the cluster says of a partition.

use crate::wire::metadata::MetadataPartition;

/// A partition as the cluster's newest metadata describes it.
///
/// ```
/// # let cluster = milena::mock::MockCluster::start(1);
/// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
/// cluster.create_topic("orders", 3);
/// for info in producer.partitions_for("orders")? {
///     println!("partition {} is led by {:?}", info.partition(), info.leader());
///     assert_eq!(info.replicas().len(), info.in_sync_replicas().len());
///     assert!(info.offline_replicas().is_empty());
/// }
/// # Ok::<(), milena::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    partition: i32,
    leader: Option<i32>,
    replicas: Vec<i32>,
    in_sync_replicas: Vec<i32>,
    offline_replicas: Vec<i32>,
}

impl PartitionInfo {
    pub(crate) fn new(metadata: &MetadataPartition) -> Self {
        Self {
            partition: metadata.index,
            leader: (metadata.leader_id >= 0).then_some(metadata.leader_id),
            replicas: metadata.replicas.clone(),
            in_sync_replicas: metadata.isr.clone(),
            offline_replicas: metadata.offline.clone(),
        }
    }

    /// The partition's number.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The id of the broker that takes records for it, `None` while there is none.
    pub fn leader(&self) -> Option<i32> {
        self.leader
    }

    /// The ids of the brokers that have a copy or should have one; one entry a replica.
    pub fn replicas(&self) -> &[i32] {
        &self.replicas
    }

    /// The ids of the brokers whose copy is up to date.
    pub fn in_sync_replicas(&self) -> &[i32] {
        &self.in_sync_replicas
    }

    /// The ids of the replicas that are offline.
    pub fn offline_replicas(&self) -> &[i32] {
        &self.offline_replicas
    }
}
