//! Brokers that are not there, or not any more.

use std::thread;
use std::time::Duration;

use milena::ErrorKind::{BufferFull, TimedOut};
use milena::Outcome::{NotWritten, Unknown};
use milena::mock::{Api, MockCluster};
use milena::{Delivery, Record};

use super::{closed_port, delivers, plain, refused, says, start};
use crate::kafka::{Cluster, Isolation, Listener, Version, until};

const SOON: Duration = Duration::from_millis(1500);

#[test]
fn when_no_broker_answers_each_address_is_listed_with_its_cause() {
    let (first, second) = (closed_port(), closed_port());
    let servers = format!("{first},{second},no-such-host.invalid:9092");
    let producer = start(plain(servers).max_block(SOON));
    let error = refused(&producer, Record::to("t").value("v"));
    let fragments = [
        "topic t is not known: waited max.block.ms = 1.5 s",
        &format!("broker {first}: connect: connection refused"),
        &format!("broker {second}: connect: connection refused"),
        "broker no-such-host.invalid:9092: resolve: ",
    ];
    says(&error, TimedOut, NotWritten, &fragments);
    assert!(error.is_retriable() && error.is_timeout());
}

/// A stopped broker leaves open whether it has the record, a dead one does not get it.
#[test]
#[ignore = "needs Java: run tests/run"]
fn a_record_that_runs_out_of_time_says_where_and_why() {
    let cluster = Cluster::of(Version::V4_3_1).start();
    cluster.create_topic("t", 1, 1, &[]);
    let address = cluster.bootstrap(Listener::Plaintext);
    let config = plain(&address)
        .idempotence(true)
        .request_timeout(Duration::from_secs(1))
        .delivery_timeout(Duration::from_secs(4));
    let producer = start(config);
    delivers(&producer, "t");
    let node = |what: &str| format!("broker 1 ({address}): {what}");

    cluster.pause(1);
    let error = refused(&producer, Record::to("t").value("stopped"));
    cluster.resume(1);
    let fragments = [
        "record for t-0 not delivered within delivery.timeout.ms = 4 s",
        "attempts: 1; last cause: ",
        &node("read: no answer within 1 s"),
    ];
    says(&error, TimedOut, Unknown, &fragments);
    delivers(&producer, "t");

    cluster.kill(1);
    let error = refused(&producer, Record::to("t").value("dead"));
    let fragments = [
        "record for t-0 not delivered within delivery.timeout.ms = 4 s",
        "attempts: ",
        &node("connect: connection refused"),
    ];
    says(&error, TimedOut, error.outcome(), &fragments);
    cluster.restart(1);
    delivers(&producer, "t");
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_full_buffer_says_what_fills_it_and_all_of_it_arrives() {
    let cluster = Cluster::of(Version::V4_3_1).start();
    cluster.create_topic("t", 1, 1, &[]);
    let config = plain(cluster.bootstrap(Listener::Plaintext))
        .idempotence(true)
        .buffer_memory(200_000)
        .batch_size(16_000)
        .max_block(Duration::from_millis(500));
    let producer = start(config);
    delivers(&producer, "t");
    cluster.pause(1);
    let value = [b'x'; 5000];
    let mut taken: Vec<Delivery> = Vec::new();
    let error = loop {
        let delivery = producer.send(Record::to("t").value(&value));
        match delivery.try_get() {
            Some(result) => break result.expect_err("nobody answers"),
            None => taken.push(delivery),
        }
        assert!(taken.len() < 100, "the buffer takes more than it may");
    };
    // What was on its way when the broker stopped may have been answered.
    let unsettled = taken.iter().filter(|delivery| !delivery.is_done()).count();
    let filled = [
        &format!("of 200000 bytes (buffer.memory) used by {unsettled} records, the oldest for"),
        "most of it (",
        "for t-0, led by broker 1",
    ];
    says(&error, BufferFull, NotWritten, &filled);
    says(
        &error,
        BufferFull,
        NotWritten,
        &["waited max.block.ms = 500 ms"],
    );
    assert!(error.is_retriable());

    let record = Record::to("t").key("mine").value(&value);
    let full = producer.try_send(record).expect_err("still full");
    says(full.error(), BufferFull, NotWritten, &filled);
    let record = full.into_record();
    assert_eq!(record.key_bytes(), Some(&b"mine"[..]));

    cluster.resume(1);
    for delivery in &taken {
        delivery.wait().expect("a record that was taken");
    }
    producer
        .send(record)
        .wait()
        .expect("the record handed back");
    let read = cluster.read("t", Isolation::Uncommitted);
    assert_eq!(read.len(), taken.len() + 2);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_producer_that_started_before_its_broker_works_once_that_is_up() {
    let cluster = Cluster::of(Version::V4_3_1).start();
    cluster.create_topic("t", 1, 1, &[]);
    cluster.kill(1);
    let producer = start(plain(cluster.bootstrap(Listener::Plaintext)));
    let early = thread::spawn({
        let producer = producer.clone();
        move || producer.send(Record::to("t").value("early")).wait()
    });
    until("somebody was asked in vain", super::PATIENCE, || {
        let is_told = |line: &String| line.contains("no metadata: ");
        super::logs().iter().any(is_told).then_some(())
    });
    cluster.restart(1);
    let early = early.join().expect("no panic");
    early.expect("a record from before");
    delivers(&producer, "t");
}

#[test]
fn a_record_that_waits_for_a_producer_id_in_vain_says_so() {
    let cluster = MockCluster::start(1);
    cluster.create_topic("t", 1);
    let unavailable = cluster.on(Api::InitProducerId).always().error(15);
    let config = plain(cluster.bootstrap()).idempotence(true);
    let config = config.request_timeout(Duration::from_secs(1));
    let producer = start(config.delivery_timeout(SOON));
    let error = refused(&producer, Record::to("t").value("v"));
    let fragments = [
        "not delivered within delivery.timeout.ms = 1.5 s; never sent",
        &format!(
            "a producer id from {}: COORDINATOR_NOT_AVAILABLE (15)",
            cluster.bootstrap()
        ),
    ];
    says(&error, TimedOut, NotWritten, &fragments);
    unavailable.cancel();
    delivers(&producer, "t");
}
