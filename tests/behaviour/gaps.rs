//! What becomes of the records behind a lost one.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use milena::mock::{Api, MockCluster};
use milena::{Delivery, Error, ErrorKind, Outcome, Producer, Record};

use crate::support::{
    SOON, all_delivered, assert_contiguous, cluster, config, delivered, exactly_once, failed,
    numbers, producer, result, send, send_numbers, values, wait_for_produced,
};

const INVALID_RECORD: i16 = 87;

/// An idempotent producer that makes a batch of every record, and stops at one that it loses.
fn gapless(cluster: &MockCluster) -> Producer {
    let config = config(cluster).idempotence(true).batch_size(0);
    producer(config.gapless(true))
}

/// Five on the wire, of which the broker refuses the first for good, and more behind them.
fn lose_the_first_of_five(cluster: &MockCluster, producer: &Producer) -> (Error, Vec<Delivery>) {
    delivered(&send(producer, 0, "0"));
    let gate = cluster.gate();
    let on = cluster.on(Api::Produce).partition("t", 0).hold(&gate);
    on.error(INVALID_RECORD);
    let mut deliveries = send_numbers(producer, 0, 1..10);
    wait_for_produced(cluster, 6);
    gate.open();
    let behind = deliveries.split_off(1);
    (failed(&deliveries[0]), behind)
}

#[test]
fn the_records_behind_a_lost_one_are_delivered_in_order() {
    let cluster = cluster(1, 1);
    let producer = exactly_once(&cluster);
    let (lost, behind) = lose_the_first_of_five(&cluster, &producer);
    assert_eq!(lost.code(), Some(INVALID_RECORD));
    all_delivered(&behind);
    let mut expected = numbers(0..10);
    expected.remove(1);
    assert_eq!(values(&cluster, 0), expected);
    assert_contiguous(&cluster);
    assert!(
        !producer.resume("t", 0).expect("a partition"),
        "it never stopped"
    );
}

/// Also not those that were on the wire, or waited for a place there, when it was lost.
#[test]
fn a_gapless_partition_takes_nothing_behind_a_lost_record_until_it_is_resumed() {
    let cluster = cluster(1, 2);
    let producer = gapless(&cluster);
    let (_, behind) = lose_the_first_of_five(&cluster, &producer);
    let text = "t-0 has stopped behind a record that it lost (enable.gapless.guarantee=true): \
                Producer::resume lets it go on; last cause: ";
    for delivery in behind.iter().chain([&send(&producer, 0, "10")]) {
        let error = failed(delivery);
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Stopped, Outcome::NotWritten)
        );
        let error = error.to_string();
        assert!(
            error.starts_with(text) && error.contains("INVALID_RECORD"),
            "{error}"
        );
    }
    delivered(&send(&producer, 1, "others go on"));

    assert!(producer.resume("t", 0).expect("a partition"));
    all_delivered(&send_numbers(&producer, 0, 11..20));
    let mut expected = numbers(0..1);
    expected.extend(numbers(11..20));
    assert_eq!(values(&cluster, 0), expected);
    assert_contiguous(&cluster);
    let metrics = producer.metrics();
    assert_eq!(
        (metrics.delivered, metrics.failed, metrics.unknown),
        (11, 10, 0)
    );
    assert_eq!(producer.buffered_bytes(), 0);
}

/// Behind it are records that are younger: some on the wire with it, the others not sent.
#[test]
fn a_record_that_ran_out_of_time_stops_a_gapless_partition_too() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(400);
    let config = config(&cluster).idempotence(true).batch_size(0);
    let config = config.gapless(true).request_timeout(limit / 2);
    let producer = producer(config.delivery_timeout(limit));
    delivered(&send(&producer, 0, "0"));
    let gate = cluster.gate();
    cluster.on(Api::Produce).always().hold(&gate).answer();
    let lost = send(&producer, 0, "1");
    wait_for_produced(&cluster, 2);
    std::thread::sleep(limit / 2);
    let behind = send_numbers(&producer, 0, 2..20);
    let error = failed(&lost);
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::Unknown)
    );
    gate.open();
    // Those that were on the wire may have arrived: the lost one has then, too.
    for error in behind.iter().filter_map(|delivery| result(delivery).err()) {
        assert_eq!(error.kind(), ErrorKind::Stopped);
    }
    assert_eq!(failed(&behind[17]).outcome(), Outcome::NotWritten);
    assert!(producer.resume("t", 0).expect("a partition"));
    delivered(&send(&producer, 0, "20"));
    // What was on the wire may be there, but then so is everything before it.
    let mut log = values(&cluster, 0);
    assert_eq!(log.pop(), Some("20".into()));
    assert_eq!(log, numbers(0..log.len()));
    assert!(log.len() <= 6, "some were never on the wire: {log:?}");
}

/// The broker says that what is next is not: its log ends below what it has acknowledged.
#[test]
fn a_log_that_has_lost_its_end_stops_a_gapless_partition() {
    const OUT_OF_ORDER: i16 = 45;
    let cluster = cluster(1, 1);
    let producer = gapless(&cluster);
    all_delivered(&send_numbers(&producer, 0, 0..5));
    cluster
        .on(Api::Produce)
        .partition("t", 0)
        .error(OUT_OF_ORDER);
    let error = failed(&send(&producer, 0, "5"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Stopped, Outcome::NotWritten)
    );
    assert!(
        error.to_string().contains("OUT_OF_ORDER_SEQUENCE_NUMBER"),
        "{error}"
    );
    assert_eq!(values(&cluster, 0), numbers(0..5));
    assert!(producer.resume("t", 0).expect("a partition"));
    all_delivered(&send_numbers(&producer, 0, 5..10));
    assert_eq!(values(&cluster, 0), numbers(0..10));
}

#[test]
fn a_callback_may_resume_the_partition_and_send_again() {
    let cluster = cluster(1, 1);
    let producer = Arc::new(gapless(&cluster));
    delivered(&send(&producer, 0, "0"));
    cluster.on(Api::Produce).error(INVALID_RECORD);
    let (tell, told) = mpsc::channel();
    let again = producer.clone();
    producer.send_with(Record::to("t").value("1"), move |result| {
        let resumed = result.is_err() && again.resume("t", 0).expect("a partition");
        tell.send((resumed, send(&again, 0, "1")))
            .expect("the test listens");
    });
    let (resumed, delivery) = told.recv_timeout(SOON).expect("a call");
    assert!(resumed);
    delivered(&delivery);
    assert_eq!(values(&cluster, 0), numbers(0..2));
}

#[test]
fn only_what_is_known_can_be_resumed() {
    let cluster = cluster(1, 1);
    let producer = gapless(&cluster);
    for (topic, partition) in [("other", 0), ("t", 0), ("t", -1), ("t", 1)] {
        let error = producer
            .resume(topic, partition)
            .expect_err("nothing was sent");
        assert_eq!(error.kind(), ErrorKind::PartitionOutOfRange, "{error}");
        if topic == "t" {
            delivered(&send(&producer, 0, "v"));
        }
    }
    assert!(!producer.resume("t", 0).expect("a partition"));
}
