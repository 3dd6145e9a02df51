//! Records at the edges: large, odd, many; and a buffer that failures and callbacks fill.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use milena::mock::Api;
use milena::{Compression, ErrorKind, Record};

use crate::support::{
    HOUR, SOON, all_delivered, cluster, config, delivered, eventually, failed, plain, producer,
    send, send_numbers,
};

const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_TIMESTAMP: i16 = 32;

#[test]
fn records_of_ten_mebibytes_arrive_intact() {
    const LARGE: usize = 10 << 20;
    let value: Vec<u8> = (0..LARGE).map(|at| (at % 251) as u8).collect();
    for (compression, count) in [
        (Compression::None, 3),
        (Compression::Gzip, 1),
        (Compression::Snappy, 1),
        (Compression::Lz4, 1),
        (Compression::Zstd, 1),
    ] {
        let cluster = cluster(1, 1);
        cluster.set_max_message_bytes("t", 12 << 20);
        let config = config(&cluster).compression(compression);
        let producer = producer(config.max_request_size(12 << 20));
        let records = (0..count).map(|_| Record::to("t").value(&value));
        let results = producer.send_all(records).wait_all();
        assert!(
            results.iter().all(Result::is_ok),
            "{compression}: {results:?}"
        );
        for record in cluster.records("t", 0) {
            let is_same = record.value.as_deref() == Some(&value[..]);
            assert!(is_same, "other bytes, {compression}");
        }
        assert_eq!(cluster.end_offset("t", 0), count, "{compression}");
    }
}

/// What the topic, not this client, finds too large.
#[test]
fn a_record_that_is_too_large_for_its_topic_fails_and_those_beside_it_arrive() {
    for is_idempotent in [false, true] {
        let cluster = cluster(1, 2);
        cluster.set_max_message_bytes("t", 2000);
        let producer = producer(config(&cluster).batch_size(0).idempotence(is_idempotent));
        let large = send(&producer, 0, &"x".repeat(3000));
        let beside = [
            send(&producer, 0, "behind it"),
            send(&producer, 1, "beside it"),
        ];
        let error = failed(&large);
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::RecordTooLarge, Some(MESSAGE_TOO_LARGE))
        );
        all_delivered(&beside);
        assert_eq!(
            (cluster.end_offset("t", 0), cluster.end_offset("t", 1)),
            (1, 1)
        );
    }
}

#[test]
fn odd_records_arrive_as_they_are() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).linger(HOUR));
    let names: Vec<String> = (0..1000).map(|number| format!("h{number}")).collect();
    let mut many = Record::to("t").value("many headers");
    for name in &names {
        many = many.header(name, name.as_bytes());
    }
    let odd = Record::to("t").header("", "no name").header("twice", "1");
    let odd = odd.header("twice", "2").header("bytes", &[0xff, 0, 0xc3]);
    let all = [many, odd, Record::to("t").key("").value("")];
    // The clock of the application goes ahead and back, in one batch.
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    let now = i64::try_from(since.as_millis()).expect("a time of today");
    let times = [now, 0, now + 600_000, 5, now - 86_400_000];
    let timed = times.map(|ms| Record::to("t").timestamp_ms(ms));
    let deliveries: Vec<_> = all
        .into_iter()
        .chain(timed)
        .map(|it| producer.send(it))
        .collect();
    producer.flush_timeout(SOON).expect("flushed");
    all_delivered(&deliveries);
    let records = cluster.records("t", 0);
    let shown: Vec<_> = records[0]
        .headers
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(shown, names);
    let some = |bytes: &[u8]| Some(bytes.to_vec());
    let odd = [
        (String::new(), some(b"no name")),
        ("twice".into(), some(b"1")),
        ("twice".into(), some(b"2")),
        ("bytes".into(), some(&[0xff, 0, 0xc3])),
    ];
    assert_eq!(records[1].headers, odd);
    assert_eq!(
        (records[2].key.clone(), records[2].value.clone()),
        (some(b""), some(b""))
    );
    let arrived: Vec<i64> = records[3..]
        .iter()
        .map(|record| record.timestamp_ms)
        .collect();
    assert_eq!(arrived, times);
    for (delivery, ms) in deliveries[3..].iter().zip(times) {
        assert_eq!(delivered(delivery).timestamp_ms(), ms);
    }
    let ahead = failed(&producer.send(Record::to("t").timestamp_ms(i64::MAX)));
    assert_eq!(ahead.code(), Some(INVALID_TIMESTAMP), "{ahead}");
    let refused = failed(&producer.send(Record::to("t").timestamp_ms(-1)));
    assert_eq!(refused.kind(), ErrorKind::Misuse, "{refused}");
}

/// Failures come faster than their callbacks run: what waits for its callback fills the buffer, and
/// then senders wait.
#[test]
fn failures_with_slow_callbacks_stay_inside_the_buffer() {
    const LIMIT: usize = 100_000;
    let cluster = cluster(1, 1);
    cluster.on(Api::Produce).always().error(MESSAGE_TOO_LARGE);
    let config = config(&cluster)
        .buffer_memory(LIMIT)
        .max_request_size(LIMIT);
    let producer = producer(config.max_block(Duration::from_millis(20)));
    let (go, gate) = mpsc::channel::<()>();
    producer.send_with(Record::to("t").value("first"), move |_| {
        gate.recv_timeout(SOON).expect("the test lets go");
    });
    let (calls, is_full) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut given = 0;
    while !is_full.load(Ordering::SeqCst) && given < 100_000 {
        // A full buffer is told by the callback too, behind the one that blocks: look here.
        is_full.store(producer.buffered_bytes() + 300 > LIMIT, Ordering::SeqCst);
        let calls = calls.clone();
        producer.send_with(Record::to("t").value("v"), move |result| {
            assert!(result.is_err());
            calls.fetch_add(1, Ordering::SeqCst);
        });
        given += 1;
        assert!(producer.buffered_bytes() <= LIMIT);
    }
    assert!(given < 10_000, "callbacks that wait are not counted");
    go.send(()).expect("the callback waits");
    producer.flush_timeout(SOON).expect("flushed");
    assert_eq!(calls.load(Ordering::SeqCst), given);
    eventually("all bytes are back", || producer.buffered_bytes() == 0);
    let metrics = producer.metrics();
    assert_eq!((metrics.delivered, metrics.failed), (0, given as u64 + 1));
}

#[test]
fn flush_waits_for_what_was_sent_before_it_and_not_for_what_others_go_on_sending() {
    let cluster = cluster(1, 4);
    cluster.keep_records(false);
    let producer = plain(&cluster);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for partition in 0..3 {
            let (producer, is_over) = (&producer, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    drop(send(producer, partition, "and on"));
                }
            });
        }
        for _ in 0..20 {
            let before = send_numbers(&producer, 3, 0..20);
            let flushed = producer.flush_timeout(SOON);
            let all_done = before.iter().all(milena::Delivery::is_done);
            if flushed.is_err() || !all_done {
                is_over.store(true, Ordering::SeqCst);
            }
            flushed.expect("the others starve it");
            assert!(all_done, "it was too early");
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

/// One partition has far more to send than fits a request; others get their turn all the same.
#[test]
fn a_hot_partition_starves_no_other() {
    let cluster = cluster(1, 3);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let config = config(&cluster).max_in_flight(1).batch_size(1000);
    let producer = producer(config.max_request_size(1500));
    let mut deliveries = vec![send(&producer, 0, "held")];
    assert!(gate.wait_for_held(1, SOON));
    let value = "x".repeat(800);
    deliveries.extend((0..50).map(|_| send(&producer, 0, &value)));
    deliveries.extend([1, 2].map(|partition| send(&producer, partition, &value)));
    gate.open();
    all_delivered(&deliveries);
    let requests = crate::support::produced(&cluster);
    for partition in [1, 2] {
        let has_it = |request: &milena::mock::MockRequest| {
            let batches = request.batches();
            batches.iter().any(|batch| batch.partition == partition)
        };
        let place = requests.iter().position(has_it).expect("it was sent");
        assert!(
            place <= 6,
            "{place} of {} requests went before it",
            requests.len()
        );
    }
}
