//! Topics, leaders and settings of a cluster.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::facts::Api;
use super::log::FirstSequence;
use super::metadata::is_legal;
use super::state::{Partition, TimestampLimits, Topic};
use super::{MockCluster, no_broker};

impl MockCluster {
    /// Creates a topic. Its leaders are spread over the brokers, from broker 1; it has up to three
    /// replicas, all in sync. Nothing happens if it exists.
    ///
    /// # Panics
    ///
    /// If Kafka does not allow the name, or without a partition.
    ///
    /// ```
    /// # use milena::mock::MockCluster;
    /// let cluster = MockCluster::start(2);
    /// cluster.create_topic("t", 3);
    /// assert_eq!([0, 1, 2].map(|partition| cluster.leader("t", partition)), [1, 2, 1]);
    /// ```
    #[track_caller]
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        assert!(is_legal(topic), "{topic:?} cannot be the name of a topic");
        assert!(partitions > 0, "topic {topic} needs a partition");
        self.shared
            .update(|state| state.create_topic(topic, partitions));
    }

    /// Deletes a topic with its records. One that is created under its name later has another id.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(2);
    /// # cluster.create_topic("t", 1);
    /// cluster.delete_topic("t");
    /// cluster.create_topic("t", 1); // With another id.
    /// ```
    #[track_caller]
    pub fn delete_topic(&self, topic: &str) {
        let deleted = self.shared.update(|state| state.topics.remove(topic));
        assert!(deleted.is_some(), "the cluster has no topic {topic}");
    }

    /// Adds partitions to a topic until it has `partitions`.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(2);
    /// # cluster.create_topic("t", 1);
    /// cluster.add_partitions("t", 4);
    /// assert_eq!(cluster.end_offset("t", 3), 0);
    /// ```
    #[track_caller]
    pub fn add_partitions(&self, topic: &str, partitions: i32) {
        let is_known = self.shared.update(|state| {
            let first = state
                .topics
                .get(topic)
                .map_or(0, |topic| topic.partitions.len());
            let first = i32::try_from(first).unwrap_or(i32::MAX);
            let added: Vec<_> = (first..partitions)
                .map(|index| state.partition(index))
                .collect();
            let topic = state.topics.get_mut(topic);
            topic.map(|topic| topic.partitions.extend(added)).is_some()
        });
        assert!(is_known, "the cluster has no topic {topic}");
    }

    /// How many partitions a topic gets that a client asks for and that is not there; `None` if it
    /// is not created. Defaults to `Some(1)`.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.auto_create(None);
    /// ```
    #[track_caller]
    pub fn auto_create(&self, partitions: Option<i32>) {
        assert!(
            partitions.is_none_or(|count| count > 0),
            "a topic needs a partition"
        );
        self.shared
            .update(|state| state.settings.auto_create = partitions);
    }

    /// The broker that leads a partition.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(2);
    /// # cluster.create_topic("t", 1);
    /// assert_eq!(cluster.leader("t", 0), 1);
    /// ```
    #[track_caller]
    pub fn leader(&self, topic: &str, partition: i32) -> i32 {
        self.partition(topic, partition, |partition| partition.leader)
    }

    /// How often the leader of a partition was elected, from 0.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(2);
    /// # cluster.create_topic("t", 1);
    /// cluster.move_leader("t", 0, 2);
    /// assert_eq!(cluster.leader_epoch("t", 0), 1);
    /// ```
    #[track_caller]
    pub fn leader_epoch(&self, topic: &str, partition: i32) -> i32 {
        self.partition(topic, partition, |partition| partition.leader_epoch)
    }

    /// Makes another broker the leader of a partition. The old one refuses it from now on, and
    /// tells clients that ask with version 10 or later of Produce who leads. They hear it by
    /// metadata only if [`versions`](Self::versions) ends at 9, and by Produce only if
    /// [metadata is frozen](Self::freeze_metadata).
    ///
    /// ```
    /// # use milena::mock::MockCluster;
    /// let cluster = MockCluster::start(2);
    /// cluster.create_topic("t", 1);
    /// cluster.move_leader("t", 0, 2);
    /// assert_eq!((cluster.leader("t", 0), cluster.leader_epoch("t", 0)), (2, 1));
    /// ```
    #[track_caller]
    pub fn move_leader(&self, topic: &str, partition: i32, node: i32) {
        if !self.shared.read(|state| state.node(node).is_some()) {
            no_broker(node);
        }
        self.change_partition(topic, partition, |partition| {
            partition.leader = node;
            partition.leader_epoch += 1;
            if !partition.replicas.contains(&node) {
                partition.replicas.push(node);
            }
            if !partition.isr.contains(&node) {
                partition.isr.push(node);
            }
        });
    }

    /// The replicas of a partition that are in sync. Produce with `acks=all` is refused with
    /// NOT_ENOUGH_REPLICAS while they are fewer than [`set_min_isr`](Self::set_min_isr).
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(3);
    /// # cluster.create_topic("t", 1);
    /// cluster.set_min_isr("t", 2);
    /// cluster.set_isr("t", 0, &[1]);
    /// ```
    #[track_caller]
    pub fn set_isr(&self, topic: &str, partition: i32, nodes: &[i32]) {
        self.change_partition(topic, partition, |partition| partition.isr = nodes.to_vec());
    }

    /// `min.insync.replicas` of a topic; no more than it has replicas are asked for. Defaults to 1.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(2);
    /// # cluster.create_topic("t", 1);
    /// cluster.set_min_isr("t", 2);
    /// cluster.set_isr("t", 0, &[1]); // NOT_ENOUGH_REPLICAS from now on
    /// ```
    #[track_caller]
    pub fn set_min_isr(&self, topic: &str, replicas: usize) {
        self.change_topic(topic, |topic| topic.min_isr = replicas);
    }

    /// `max.message.bytes` of a topic: larger batches are refused with MESSAGE_TOO_LARGE. Defaults
    /// to 1048588.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(2);
    /// # cluster.create_topic("t", 1);
    /// cluster.set_max_message_bytes("t", 10_000);
    /// ```
    #[track_caller]
    pub fn set_max_message_bytes(&self, topic: &str, bytes: usize) {
        self.change_topic(topic, |topic| topic.max_message_bytes = bytes);
    }

    /// Whether records of a topic get the broker's time. Defaults to `false`: they keep the
    /// producer's.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(2);
    /// # cluster.create_topic("t", 1);
    /// cluster.set_log_append_time("t", true);
    /// ```
    #[track_caller]
    pub fn set_log_append_time(&self, topic: &str, is_on: bool) {
        self.change_topic(topic, |topic| topic.has_log_append_time = is_on);
    }

    /// `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms` of a topic: how far a
    /// record's timestamp may be before and after the broker's time; beyond, its batch is refused
    /// with INVALID_TIMESTAMP. Defaults to `Duration::MAX`, which is no limit, and an hour, as in
    /// Kafka 4.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # cluster.create_topic("t", 1);
    /// cluster.set_timestamp_limits("t", Duration::from_secs(60), Duration::MAX);
    /// ```
    #[track_caller]
    pub fn set_timestamp_limits(&self, topic: &str, before: Duration, after: Duration) {
        let limits = TimestampLimits { before, after };
        self.change_topic(topic, |topic| topic.timestamps = limits);
    }

    /// Whether a topic is compacted: batches that have a record without a key are refused with
    /// INVALID_RECORD. Nothing is removed from the log. Defaults to `false`.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # cluster.create_topic("t", 1);
    /// cluster.set_compacted("t", true);
    /// ```
    #[track_caller]
    pub fn set_compacted(&self, topic: &str, is_on: bool) {
        self.change_topic(topic, |topic| topic.is_compacted = is_on);
    }

    /// A partition forgets the sequence numbers of all producers, as when their records have
    /// expired.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(2);
    /// # cluster.create_topic("t", 1);
    /// cluster.forget_producers("t", 0);
    /// ```
    #[track_caller]
    pub fn forget_producers(&self, topic: &str, partition: i32) {
        self.change_partition(topic, partition, |partition| {
            partition.log.forget_producers()
        });
    }

    /// What a partition does with the first batch of a producer that it does not know. Defaults to
    /// [`FirstSequence::Any`].
    ///
    /// ```
    /// # use milena::mock::{FirstSequence, MockCluster};
    /// let cluster = MockCluster::start(1);
    /// cluster.set_first_sequence(FirstSequence::ZeroInNewLog);
    /// ```
    pub fn set_first_sequence(&self, rule: FirstSequence) {
        self.shared
            .update(|state| state.settings.first_sequence = rule);
    }

    /// Whether records are kept for [`records`](Self::records). Defaults to `true`; without, long
    /// measurements do not fill the memory.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(2);
    /// # cluster.create_topic("t", 1);
    /// cluster.keep_records(false);
    /// assert!(cluster.records("t", 0).is_empty()); // whatever is sent
    /// ```
    pub fn keep_records(&self, is_on: bool) {
        self.shared
            .update(|state| state.settings.forgets_records = !is_on);
    }

    /// The versions of an API that all brokers advertise and take. Defaults to what this crate
    /// speaks, and Produce from 0, as Kafka 4 advertises it. Of versions that this crate does not
    /// speak, a broker advertises what it is told and hangs up when they come.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// let cluster = MockCluster::start(1);
    /// cluster.versions(Api::Produce, 0..=2); // Kafka 0.10
    /// cluster.versions(Api::Produce, 3..=3); // Kafka 0.11
    /// ```
    pub fn versions(&self, api: Api, versions: RangeInclusive<i16>) {
        self.shared.update(|state| {
            for node in &mut state.nodes {
                node.versions.insert(api, versions.clone());
            }
        });
    }

    /// The versions of an API that one broker advertises and takes, see
    /// [`versions`](Self::versions).
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// let cluster = MockCluster::start(2);
    /// cluster.versions_of(2, Api::Produce, 3..=8); // This broker is still at Kafka 2.3.
    /// ```
    #[track_caller]
    pub fn versions_of(&self, node: i32, api: Api, versions: RangeInclusive<i16>) {
        let previous = self.shared.update(|state| {
            let node = state.node_mut(node)?;
            node.versions.insert(api, versions);
            Some(())
        });
        previous.unwrap_or_else(|| no_broker(node));
    }

    /// All brokers lack an API: they do not advertise it, and hang up when it comes.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// let cluster = MockCluster::start(1);
    /// cluster.remove_api(Api::InitProducerId); // Kafka 0.10
    /// ```
    pub fn remove_api(&self, api: Api) {
        self.shared.update(|state| {
            for node in &mut state.nodes {
                node.versions.remove(&api);
            }
        });
    }

    /// Connections that come from now on have to authenticate with SASL PLAIN, as this user or
    /// another one that was added. Before, a broker hangs up on everything but ApiVersions.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.sasl_plain("alice", "secret");
    /// ```
    pub fn sasl_plain(&self, user: &str, password: &str) {
        self.shared.update(|state| {
            let users = &mut state.settings.sasl_plain;
            users.insert(user.to_owned(), password.to_owned());
        });
    }

    /// Clients are told this address of a broker instead of its own: that of a proxy, of another
    /// broker, or nonsense.
    ///
    /// ```
    /// # use milena::mock::MockCluster;
    /// let cluster = MockCluster::start(1);
    /// cluster.advertise(1, "no-such-host.invalid", 70_000);
    /// ```
    #[track_caller]
    pub fn advertise(&self, node: i32, host: &str, port: i32) {
        let told = self.shared.update(|state| {
            state.node_mut(node)?.advertised = Some((host.to_owned(), port));
            Some(())
        });
        told.unwrap_or_else(|| no_broker(node));
    }

    /// What the cluster calls itself. Defaults to `mock-cluster`.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.set_cluster_id("another");
    /// ```
    pub fn set_cluster_id(&self, id: &str) {
        self.shared
            .update(|state| state.settings.cluster_id = id.to_owned());
    }

    /// Metadata answers of all brokers stay as they are now, whatever happens, until
    /// [`release_metadata`](Self::release_metadata).
    ///
    /// ```
    /// # use milena::mock::MockCluster;
    /// let cluster = MockCluster::start(2);
    /// cluster.create_topic("t", 1);
    /// cluster.freeze_metadata();
    /// cluster.move_leader("t", 0, 2); // Clients are not told.
    /// cluster.release_metadata();
    /// ```
    pub fn freeze_metadata(&self) {
        self.shared
            .update(|state| state.frozen_view = Some(state.view()));
    }

    /// Metadata answers show the present again.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(2);
    /// # cluster.create_topic("t", 1);
    /// cluster.freeze_metadata();
    /// cluster.release_metadata();
    /// ```
    pub fn release_metadata(&self) {
        self.shared.update(|state| state.frozen_view = None);
    }

    #[track_caller]
    pub(super) fn partition<T>(
        &self,
        topic: &str,
        index: i32,
        read: impl FnOnce(&Partition) -> T,
    ) -> T {
        let result = self.shared.read(|state| {
            let topic = state.topics.get(topic)?;
            topic.partitions.get(usize::try_from(index).ok()?).map(read)
        });
        result.unwrap_or_else(|| no_partition(topic, index))
    }

    #[track_caller]
    fn change_partition(&self, topic: &str, index: i32, change: impl FnOnce(&mut Partition)) {
        let changed = self
            .shared
            .update(|state| state.partition_mut(topic, index).map(change));
        changed.unwrap_or_else(|| no_partition(topic, index));
    }

    #[track_caller]
    pub(super) fn change_topic(&self, topic: &str, change: impl FnOnce(&mut Topic)) {
        let changed = self
            .shared
            .update(|state| state.topics.get_mut(topic).map(change));
        assert!(changed.is_some(), "the cluster has no topic {topic}");
    }
}

#[track_caller]
fn no_partition(topic: &str, index: i32) -> ! {
    panic!("the cluster has no partition {topic}-{index}")
}
