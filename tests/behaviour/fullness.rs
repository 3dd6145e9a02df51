//! Who may have how much of the buffer, and what becomes of records that find it full.

use std::sync::atomic::{AtomicBool, Ordering};

use milena::mock::{Api, MockCluster};
use milena::{Config, Delivery, ErrorKind, Producer, Record};

use crate::support::{
    NOT_ENOUGH_REPLICAS, SOON, all_delivered, cluster, config, delivered, eventually, failed,
    producer,
};

/// Room for a few hundred records of [`large`].
const BUFFER: usize = 400_000;

fn large() -> String {
    "x".repeat(1000)
}

fn bounded(config: Config) -> Config {
    config.buffer_memory(BUFFER).max_request_size(8000)
}

fn try_send(producer: &Producer, topic: &str, partition: i32) -> Result<Delivery, ErrorKind> {
    let value = large();
    let record = Record::to(topic).partition(partition).value(&value);
    let sent = producer.try_send(record);
    sent.map_err(|refused| refused.error().kind())
}

/// Sends until there is no more room.
fn fill(producer: &Producer, topic: &str, partition: i32) -> Vec<Delivery> {
    let mut taken = Vec::new();
    loop {
        match try_send(producer, topic, partition) {
            Ok(delivery) => taken.push(delivery),
            Err(kind) => {
                assert_eq!(kind, ErrorKind::BufferFull);
                return taken;
            }
        }
    }
}

/// Topics `t` and `u`, of which the producer knows, each with a partition at each broker.
fn two_topics(brokers: i32) -> MockCluster {
    let cluster = cluster(brokers, brokers);
    cluster.create_topic("u", brokers);
    cluster
}

fn meet(producer: &Producer) {
    for topic in ["t", "u"] {
        producer.partitions_for(topic).expect("it exists");
    }
}

/// A dead broker has its share of the buffer, and callers wait for more of it: what goes to the
/// other broker, of the same topics too, never waits. `is_down`: it is known to be dead, else it
/// only never answers.
#[test]
fn a_dead_broker_leaves_room_for_what_goes_elsewhere() {
    for is_down in [true, false] {
        let cluster = two_topics(2);
        cluster.keep_records(false);
        let gate = cluster.gate();
        match is_down {
            true => cluster.stop_broker(1),
            false => drop(
                cluster
                    .on(Api::Produce)
                    .node(1)
                    .always()
                    .hold(&gate)
                    .answer(),
            ),
        }
        let config = bounded(config(&cluster)).idempotence(true);
        let producer = producer(config.max_block(SOON));
        meet(&producer);
        let mut waiting = fill(&producer, "t", 0);
        waiting.extend(fill(&producer, "u", 0));
        let full = producer.buffered_bytes();
        assert!((BUFFER * 8 / 9..BUFFER).contains(&full), "{full}");
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let blocked = ["t", "u"].map(|topic| {
                let (producer, is_over) = (&producer, &is_over);
                scope.spawn(move || {
                    let delivery = producer.send(Record::to(topic).partition(0).value(&large()));
                    assert!(is_over.load(Ordering::SeqCst), "it had to wait");
                    delivery
                })
            });
            for round in 0..100 {
                // As many as are on their way at once, twice what their brokers' window holds.
                let elsewhere: Vec<_> = ["t", "u"]
                    .repeat(4)
                    .into_iter()
                    .map(|topic| {
                        try_send(&producer, topic, 1)
                            .unwrap_or_else(|kind| panic!("round {round}: {kind:?} for {topic}"))
                    })
                    .collect();
                all_delivered(&elsewhere);
            }
            assert!(producer.buffered_bytes() >= full, "the dead one gave back");
            assert!(waiting.iter().all(|delivery| !delivery.is_done()));
            is_over.store(true, Ordering::SeqCst);
            match is_down {
                true => cluster.start_broker(1),
                false => gate.open(),
            }
            let blocked = blocked.map(|thread| thread.join().expect("no panic"));
            waiting.extend(blocked);
        });
        all_delivered(&waiting);
        eventually("every byte is back", || producer.buffered_bytes() == 0);
    }
}

/// Nothing of `t` leaves, and several threads want to send more of it: `u`, at the same broker,
/// does not notice.
#[test]
fn a_noisy_topic_leaves_room_for_a_quiet_one() {
    let cluster = two_topics(1);
    let config = bounded(config(&cluster).retries(1_000_000));
    let producer = producer(config.max_block(SOON));
    meet(&producer);
    let refusal = cluster
        .on(Api::Produce)
        .topic("t")
        .always()
        .error(NOT_ENOUGH_REPLICAS);
    let mut noise = fill(&producer, "t", 0);
    std::thread::scope(|scope| {
        let noisy: Vec<_> = (0..4)
            .map(|_| {
                let send = || producer.send(Record::to("t").partition(0).value(&large()));
                scope.spawn(send)
            })
            .collect();
        for _ in 0..100 {
            let quiet = try_send(&producer, "u", 0);
            delivered(&quiet.expect("it has hardly anything"));
        }
        assert!(
            noisy.iter().all(|thread| !thread.is_finished()),
            "they had room"
        );
        refusal.cancel();
        noise.extend(
            noisy
                .into_iter()
                .map(|thread| thread.join().expect("no panic")),
        );
    });
    all_delivered(&noise);
    eventually("every byte is back", || producer.buffered_bytes() == 0);
}

/// Whoever is refused is told that it is his share, not the buffer, that is used up.
#[test]
fn a_share_that_is_used_up_is_told_with_what_to_do() {
    let cluster = two_topics(2);
    let gate = cluster.gate();
    cluster
        .on(Api::Produce)
        .node(1)
        .always()
        .hold(&gate)
        .answer();
    let limit = std::time::Duration::from_millis(50);
    let producer = producer(bounded(config(&cluster)).max_block(limit));
    meet(&producer);
    let waiting = fill(&producer, "t", 0);
    let error = failed(&producer.send(Record::to("t").partition(0).value(&large())));
    let text = error.to_string();
    let parts = [
        "topic t holds ",
        "broker 1 ",
        "8 times what is free",
        "raise buffer.memory",
    ];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    delivered(&try_send(&producer, "t", 1).expect("another broker"));
    gate.open();
    all_delivered(&waiting);
    assert_eq!(cluster.end_offset("t", 0), waiting.len() as i64);
}
