//! Records and rates that limits forbid, and brokers that are too old.

use std::time::Duration;

use milena::ErrorKind::{RecordTooLarge, UnsupportedVersion};
use milena::Outcome::NotWritten;
use milena::Record;
use milena::mock::{Api, MockCluster};

use super::{delivers, plain, refused, says, start};
use crate::kafka::{Cluster, Consumed, Isolation, Listener};

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_record_above_max_request_size_is_refused_at_once_with_both_sizes() {
    let cluster = Cluster::shared();
    cluster.create_topic("small", 1, 1, &[]);
    let config = plain(cluster.bootstrap(Listener::Plaintext)).max_request_size(5000);
    let producer = start(config);
    let delivery = producer.send(Record::to("small").value(&[0; 6000]));
    let error = delivery.try_get().expect("an error at once");
    let error = error.expect_err("a record too large");
    let fragments = ["max.request.size", "5000", "60"];
    says(&error, RecordTooLarge, NotWritten, &fragments);
    delivers(&producer, "small");
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_batch_that_the_broker_finds_too_large_leaves_other_partitions_alone() {
    let cluster = Cluster::shared();
    let limit = [("max.message.bytes", "2000")];
    for idempotence in [false, true] {
        let topic = &format!("narrow-{idempotence}");
        let wide = &format!("wide-{idempotence}");
        cluster.create_topic(topic, 2, 1, &limit);
        cluster.create_topic(wide, 1, 1, &[]);
        let config = plain(cluster.bootstrap(Listener::Plaintext));
        let producer = start(config.idempotence(idempotence));
        let large = producer.send(Record::to(topic).partition(0).value(&[0; 3000]));
        let beside = producer.send(Record::to(topic).partition(1).value("beside"));
        let elsewhere = producer.send(Record::to(wide).value(&[0; 3000]));
        let error = large.wait().expect_err("a record too large");
        let fragments = [
            &format!(
                "broker 1 ({}) for {topic}-0: ",
                cluster.bootstrap(Listener::Plaintext)
            ),
            "MESSAGE_TOO_LARGE (10)",
            "max.message.bytes",
        ];
        says(&error, RecordTooLarge, NotWritten, &fragments);
        assert_eq!(error.code(), Some(10));
        beside.wait().expect("a small record beside");
        elsewhere.wait().expect("a record elsewhere");
        let behind = producer.send(Record::to(topic).partition(0).value("behind"));
        behind.wait().expect("a small record behind");
        let read = cluster.read(topic, Isolation::Uncommitted);
        let mut texts: Vec<_> = read.iter().map(Consumed::text).collect();
        texts.sort_unstable();
        assert_eq!(texts, ["behind", "beside"]);
    }
}

/// Half a thousand records in one batch, one of them too large alone.
#[test]
#[ignore = "needs Java: run tests/run"]
fn a_batch_above_the_topics_limit_is_split_and_all_that_fits_arrives_in_order() {
    let cluster = Cluster::shared();
    let limit = [("max.message.bytes", "2000")];
    for (idempotence, compression) in [(false, "none"), (true, "none"), (true, "zstd")] {
        let topic = &format!("split-{idempotence}-{compression}");
        cluster.create_topic(topic, 1, 1, &limit);
        let config = plain(cluster.bootstrap(Listener::Plaintext)).linger(Duration::from_secs(60));
        let config = config
            .set("compression.type", compression)
            .expect(compression);
        let producer = start(config.idempotence(idempotence));
        // Of random digits, which zstd cannot make small enough.
        let mut state = 7_u64;
        let mut digits = |count: usize| -> String {
            let digit = |_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                char::from(b'!' + (state >> 33) as u8 % 90)
            };
            (0..count).map(digit).collect()
        };
        let mut values: Vec<String> = (0..500).map(|_| digits(40)).collect();
        values[250] = digits(3000);
        let records = values.iter().map(|value| Record::to(topic).value(value));
        let mut results = producer.send_all(records).wait_all();
        let error = results
            .remove(250)
            .expect_err("a record that is too large alone");
        says(
            &error,
            RecordTooLarge,
            NotWritten,
            &["MESSAGE_TOO_LARGE (10)"],
        );
        values.remove(250);
        for (offset, result) in (0..).zip(&results) {
            assert_eq!(result.as_ref().expect("delivered").offset(), Some(offset));
        }
        assert!(producer.metrics().splits > 4, "{:?}", producer.metrics());
        let read = cluster.read(topic, Isolation::Uncommitted);
        let texts: Vec<_> = read.iter().map(Consumed::text).collect();
        assert_eq!(texts, values, "{topic}");
    }
}

#[test]
fn a_broker_before_kafka_0_11_is_told_to_be_too_old() {
    let cluster = MockCluster::start(1);
    cluster.create_topic("t", 1);
    cluster.versions(Api::Produce, 0..=2);
    let producer = start(plain(cluster.bootstrap()).max_block(Duration::from_secs(5)));
    let error = refused(&producer, Record::to("t").value("v"));
    let fragments = [
        &format!(
            "broker 1 ({}): speaks Produce versions 0-2",
            cluster.bootstrap()
        ),
        "needs Apache Kafka 0.11 or later",
    ];
    says(&error, UnsupportedVersion, NotWritten, &fragments);
}
