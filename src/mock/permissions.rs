//! What a cluster does not allow its clients, whoever they are.

use super::MockCluster;
use super::state::Topic;
use crate::wire::metadata::Operations;

/// What a topic does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Denied {
    pub(super) write: bool,
    pub(super) describe_configs: bool,
}

/// The operations on a topic that Kafka has, by number: read, write, create, delete, alter,
/// describe, describe and alter configs.
const OF_A_TOPIC: [u32; 8] = [3, 4, 5, 6, 7, 8, 10, 11];
const DESCRIBE_CONFIGS: u32 = 10;
/// The same of a cluster: create, alter, describe, cluster action, describe and alter configs,
/// idempotent write.
const OF_A_CLUSTER: [u32; 7] = [5, 7, 8, 9, 10, 11, Operations::IDEMPOTENT_WRITE];

/// What a client may do with a topic.
pub(super) fn of_topic<Log>(topic: &Topic<Log>) -> Operations {
    let Denied {
        write,
        describe_configs,
    } = topic.denied;
    operations(&OF_A_TOPIC, |operation| match operation {
        Operations::WRITE => !write,
        DESCRIBE_CONFIGS => !describe_configs,
        _ => true,
    })
}

/// What a client may do with the cluster.
pub(super) fn of_cluster(denies_idempotent_write: bool) -> Operations {
    operations(&OF_A_CLUSTER, |operation| {
        operation != Operations::IDEMPOTENT_WRITE || !denies_idempotent_write
    })
}

fn operations(all: &[u32], is_allowed: impl Fn(u32) -> bool) -> Operations {
    let allowed = all.iter().filter(|operation| is_allowed(**operation));
    Operations(allowed.fold(0, |bits, operation| bits | 1 << operation))
}

impl MockCluster {
    /// Whether a topic may not be written to: Produce is refused with TOPIC_AUTHORIZATION_FAILED,
    /// while metadata shows the topic, as to clients with the permission Describe. Defaults to
    /// `false`.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # cluster.create_topic("t", 1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// cluster.deny_write("t", true);
    /// let error = producer.send(milena::Record::to("t")).wait().unwrap_err();
    /// assert_eq!(error.code(), Some(29)); // TOPIC_AUTHORIZATION_FAILED
    /// # Ok::<(), milena::Error>(())
    /// ```
    #[track_caller]
    pub fn deny_write(&self, topic: &str, is_denied: bool) {
        self.change_topic(topic, |topic| topic.denied.write = is_denied);
    }

    /// Whether the settings of a topic are hidden: DescribeConfigs is refused with
    /// TOPIC_AUTHORIZATION_FAILED. Defaults to `false`.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # cluster.create_topic("t", 1);
    /// cluster.deny_describe_configs("t", true);
    /// ```
    #[track_caller]
    pub fn deny_describe_configs(&self, topic: &str, is_denied: bool) {
        self.change_topic(topic, |topic| topic.denied.describe_configs = is_denied);
    }

    /// Whether producers may not be idempotent, as at brokers before 2.8 without the permission
    /// IdempotentWrite: InitProducerId without a transactional id is refused with
    /// CLUSTER_AUTHORIZATION_FAILED. Defaults to `false`.
    ///
    /// ```
    /// # use milena::{Config, Producer, Record};
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.deny_idempotent_write(true);
    /// let producer = Producer::new(Config::new(cluster.bootstrap()).idempotence(true))?;
    /// let error = producer.send(Record::to("t")).wait().unwrap_err();
    /// assert_eq!(error.code(), Some(31)); // CLUSTER_AUTHORIZATION_FAILED
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn deny_idempotent_write(&self, is_denied: bool) {
        self.shared
            .update(|state| state.settings.denies_idempotent_write = is_denied);
    }
}
