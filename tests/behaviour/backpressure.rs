//! A full buffer, and brokers that ask for a pause.

use std::time::{Duration, Instant};

use milena::mock::Api;
use milena::{Config, ErrorKind, Outcome, Record};

use crate::support::{
    HOUR, PROMISED, SOON, all_delivered, cluster, config, delivered, eventually, failed, numbers,
    producer, send, values,
};

/// A buffer with room for three records of [`large`].
fn small(config: Config) -> Config {
    config
        .buffer_memory(4000)
        .max_request_size(4000)
        .batch_size(0)
}

fn large() -> String {
    "x".repeat(1000)
}

#[test]
fn a_full_buffer_blocks_for_max_block_and_says_what_fills_it() {
    let cluster = cluster(1, 2);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let limit = Duration::from_millis(100);
    let producer = producer(small(config(&cluster)).max_block(limit));
    let filling: Vec<_> = (0..3).map(|_| send(&producer, 1, &large())).collect();
    assert!(producer.buffered_bytes() > 3000);
    let start = Instant::now();
    let error = send(&producer, 0, &large()).try_get().expect("it is over");
    let took = start.elapsed();
    assert!((limit..limit + PROMISED).contains(&took), "{took:?}");
    let error = error.expect_err("no room");
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::BufferFull, Outcome::NotWritten)
    );
    assert!(error.is_timeout() && error.is_retriable());
    let text = error.to_string();
    for part in [
        "of 4000 bytes (buffer.memory)",
        "3 records",
        "for t-1",
        "max.block.ms",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    gate.open();
    all_delivered(&filling);
    assert!(values(&cluster, 0).is_empty());
}

#[test]
fn try_send_hands_the_record_back() {
    let cluster = cluster(1, 1);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let producer = producer(small(config(&cluster)).max_block(HOUR));
    let filling: Vec<_> = (0..3).map(|_| send(&producer, 0, &large())).collect();
    let value = large();
    let refused = producer.try_send(Record::to("t").key("k").value(&value));
    let (record, error) = refused.expect_err("no room").into_parts();
    assert_eq!(error.kind(), ErrorKind::BufferFull);
    assert_eq!(
        (record.key_bytes(), record.value_bytes()),
        (Some(&b"k"[..]), Some(value.as_bytes()))
    );
    gate.open();
    all_delivered(&filling);
    eventually("room", || producer.buffered_bytes() == 0);
    delivered(&producer.try_send(record).expect("there is room"));
}

#[test]
fn all_who_wait_for_room_go_on() {
    let cluster = cluster(1, 1);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let producer = producer(small(config(&cluster)).max_block(HOUR));
    let filling = send(&producer, 0, &large());
    assert!(gate.wait_for_held(1, SOON));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    delivered(&send(&producer, 0, &large()));
                }
            });
        }
        gate.open();
    });
    delivered(&filling);
    assert_eq!(cluster.end_offset("t", 0), 201);
    assert_eq!(producer.buffered_bytes(), 0);
}

/// The buffer is full of a lingering batch, and nobody else would send it.
#[test]
fn nothing_lingers_while_somebody_waits_for_room() {
    let cluster = cluster(1, 2);
    let config = config(&cluster).buffer_memory(4000).max_request_size(4000);
    let producer = producer(config.linger(HOUR).max_block(SOON));
    let _lingers: Vec<_> = (0..3).map(|_| send(&producer, 0, &large())).collect();
    let last = send(&producer, 1, &large());
    assert!(last.try_get().is_none(), "{last:?}");
    cluster.wait_for_records("t", 0, 1, SOON);
}

#[test]
fn a_record_that_never_fits_does_not_wait() {
    let cluster = cluster(1, 1);
    let producer = producer(small(config(&cluster)).max_block(HOUR));
    let error = failed(&send(&producer, 0, &"x".repeat(5000)));
    assert_eq!(error.kind(), ErrorKind::RecordTooLarge);
    assert_eq!(producer.buffered_bytes(), 0);
}

#[test]
fn every_byte_comes_back_whatever_became_of_the_record() {
    let cluster = cluster(2, 2);
    let limit = Duration::from_millis(200);
    let config = config(&cluster)
        .request_timeout(limit)
        .delivery_timeout(limit);
    let producer = producer(config.retries(3));
    assert_eq!(producer.buffered_bytes(), 0);
    cluster
        .on(Api::Produce)
        .times(3)
        .after_handling()
        .disconnect();
    cluster.on(Api::Produce).skip(2).times(2).error(10);
    cluster.on(Api::Produce).node(2).skip(5).never_answer();
    let mut deliveries = Vec::new();
    for number in 0..500 {
        let value = "x".repeat(number);
        deliveries.push(send(&producer, number as i32 % 2, &value));
        let record = Record::to("t").partition(number as i32 % 3).value(&value);
        producer.send_with(record, |_| ());
        producer
            .send(Record::to("not a topic").value(&value))
            .on_done(|_| ());
    }
    for delivery in &deliveries {
        let _any = crate::support::result(delivery);
    }
    producer.flush_timeout(SOON).expect("flushed");
    eventually("every byte is back", || producer.buffered_bytes() == 0);
}

#[test]
fn a_broker_that_asks_for_a_pause_gets_it_and_others_do_not_wait() {
    let cluster = cluster(2, 2);
    let pause = Duration::from_millis(700);
    cluster.on(Api::Produce).node(1).throttle(700).answer();
    let producer = producer(config(&cluster));
    let start = Instant::now();
    delivered(&send(&producer, 0, "0"));
    let held_back = send(&producer, 0, "1");
    delivered(&send(&producer, 1, "at once"));
    assert!(held_back.try_get().is_none(), "the pause was not kept");
    delivered(&held_back);
    assert!(start.elapsed() >= pause, "{:?}", start.elapsed());
    assert_eq!(values(&cluster, 0), numbers(0..2));
    assert_eq!(producer.metrics().throttle_ms, 700);
}
