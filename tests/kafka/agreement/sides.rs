//! The two sides that have to agree.

use std::time::Duration;

use milena::mock::{Api, FirstSequence, MockCluster, MockRecord};

use super::batch::{Stored, fetched};
use super::connection::{Connection, FETCH};
use super::talk::{Place, Side};
use crate::kafka::{Cluster, Listener, USERS, Version, until};

/// A cluster with SASL, and one without.
pub(super) struct Mock {
    plain: MockCluster,
    sasl: MockCluster,
    version: Version,
}

impl Mock {
    /// A mock that shows the versions of this Kafka.
    pub(super) fn of(version: Version) -> Self {
        let mock = Self {
            version,
            ..Self::with_brokers(1)
        };
        for cluster in [&mock.plain, &mock.sasl] {
            match version {
                Version::V4_3_1 => {}
                Version::V3_9_2 => {
                    cluster.versions(Api::Produce, 0..=11);
                    cluster.versions(Api::Metadata, 0..=12);
                }
                _ => {
                    cluster.versions(Api::Produce, 0..=7);
                    cluster.versions(Api::InitProducerId, 0..=1);
                    cluster.set_first_sequence(FirstSequence::OnlyZero);
                }
            }
        }
        mock
    }

    pub(super) fn with_brokers(brokers: i32) -> Self {
        let (plain, sasl) = (MockCluster::start(brokers), MockCluster::start(1));
        for (user, password) in USERS {
            sasl.sasl_plain(user, password);
        }
        Self {
            plain,
            sasl,
            version: Version::V4_3_1,
        }
    }
}

impl Side for Mock {
    fn name(&self) -> &'static str {
        "mock"
    }

    fn produce_version(&self) -> i16 {
        produce_version(self.version)
    }

    fn takes_old_batches(&self) -> bool {
        self.version == Version::V3_9_2
    }

    fn address(&self, place: Place) -> String {
        match place {
            Place::Plain(node) => self.plain.address(node),
            Place::Sasl => self.sasl.address(1),
        }
    }

    fn create_topic(&self, name: &str, configs: &[(&str, &str)]) {
        self.plain.create_topic(name, 1);
        self.sasl.create_topic(name, 1);
        // An hour to come is the limit since Kafka 4.
        let after = if self.version != Version::V4_3_1 {
            Duration::MAX
        } else {
            Duration::from_secs(3600)
        };
        let mut limits = (Duration::MAX, after);
        for (key, value) in configs {
            let number = || value.parse().expect("a number");
            match *key {
                "cleanup.policy" => self.plain.set_compacted(name, true),
                "message.timestamp.before.max.ms" => limits.0 = millis(value),
                "message.timestamp.after.max.ms" => limits.1 = millis(value),
                "max.message.bytes" => self.plain.set_max_message_bytes(name, number()),
                "min.insync.replicas" => self.plain.set_min_isr(name, number()),
                "message.timestamp.type" => self.plain.set_log_append_time(name, true),
                _ => panic!("the mock has no {key}"),
            }
        }
        self.plain.set_timestamp_limits(name, limits.0, limits.1);
    }

    fn leader(&self, topic: &str) -> i32 {
        self.plain.leader(topic, 0)
    }

    fn move_leader(&self, topic: &str, node: i32) {
        self.plain.move_leader(topic, 0, node);
    }

    fn stop(&self, topic: &str, node: i32) {
        self.plain.stop_broker(node);
        let left: Vec<i32> = (1..=3).filter(|other| *other != node).collect();
        self.plain.set_isr(topic, 0, &left);
    }

    fn start(&self, topic: &str, node: i32) {
        self.plain.start_broker(node);
        self.plain.set_isr(topic, 0, &[1, 2, 3]);
    }

    fn log(&self, topic: &str) -> (Vec<Stored>, i64) {
        let shown = |record: MockRecord| Stored {
            offset: record.offset,
            value: String::from_utf8_lossy(&record.value.unwrap_or_default()).into_owned(),
            producer: (record.producer_id, record.producer_epoch, record.sequence),
            timestamp_ms: record.timestamp_ms,
        };
        let records = self.plain.records(topic, 0).into_iter();
        (
            records.map(shown).collect(),
            self.plain.end_offset(topic, 0),
        )
    }
}

fn produce_version(version: Version) -> i16 {
    match version {
        Version::V2_1_1 => 7,
        _ => 9,
    }
}

fn millis(value: &str) -> Duration {
    Duration::from_millis(value.parse().expect("milliseconds"))
}

/// A cluster of Kafka.
pub(super) struct Real {
    cluster: Cluster,
    brokers: i16,
}

impl Real {
    pub(super) fn new(cluster: Cluster, brokers: i16) -> Self {
        Self { cluster, brokers }
    }

    fn wait_for_sync(&self, topic: &str, node: i32, is_in_sync: bool) {
        until(
            "a broker is in sync, or out of it",
            Duration::from_secs(60),
            || {
                let in_sync = self.cluster.in_sync(topic, 0).contains(&node);
                (in_sync == is_in_sync).then_some(())
            },
        );
    }
}

impl Side for Real {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn produce_version(&self) -> i16 {
        produce_version(self.cluster.version())
    }

    fn takes_old_batches(&self) -> bool {
        self.cluster.version() == Version::V3_9_2
    }

    fn address(&self, place: Place) -> String {
        match place {
            Place::Plain(node) => self.cluster.address(node, Listener::Plaintext),
            Place::Sasl => self.cluster.address(1, Listener::SaslPlaintext),
        }
    }

    fn create_topic(&self, name: &str, configs: &[(&str, &str)]) {
        self.cluster.create_topic(name, 1, self.brokers, configs);
    }

    fn leader(&self, topic: &str) -> i32 {
        self.cluster.leader_of(topic, 0).expect("a leader")
    }

    fn move_leader(&self, topic: &str, node: i32) {
        self.cluster.move_leader(topic, 0, node);
    }

    fn stop(&self, topic: &str, node: i32) {
        self.cluster.terminate(node);
        self.wait_for_sync(topic, node, false);
    }

    fn start(&self, topic: &str, node: i32) {
        self.cluster.restart(node);
        self.wait_for_sync(topic, node, true);
    }

    fn log(&self, topic: &str) -> (Vec<Stored>, i64) {
        let leader = Place::Plain(self.leader(topic));
        let mut connection = Connection::open(&self.address(leader));
        let answer = connection.call(&FETCH, 4, |out| {
            out.i32(-1);
            out.i32(0);
            out.i32(0);
            out.i32(i32::MAX);
            out.i8(0);
            out.array(Some(1));
            out.string(Some(topic));
            out.array(Some(1));
            out.i32(0);
            out.i64(0);
            out.i32(i32::MAX);
        });
        let answer = answer.expect("an answer");
        let mut body = answer.body();
        body.i32();
        assert_eq!(body.array(), 1, "one topic");
        body.string();
        assert_eq!(body.array(), 1, "one partition");
        body.i32();
        assert_eq!(body.i16(), 0, "fetched");
        let end = body.i64();
        body.i64();
        assert_eq!(body.array(), 0, "no aborted transaction");
        let len = body.array();
        (fetched(body.raw(len)), end)
    }
}
