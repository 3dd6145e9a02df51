//! How often the producer allocates: for a batch, and not for a record. Counted over all threads of
//! the process, with the broker in another one.

#[path = "broker.rs"]
mod broker;

use std::alloc::System;
use std::time::Duration;

use milena::{Acks, Config, Producer, Record};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use broker::{Broker, TOPIC};

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const VALUE: &[u8] = &[b'v'; 100];
const RECORDS: usize = 200_000;

/// What a batch may allocate: its buffer in steps, its result, and its share of a request and of
/// the answer.
const PER_BATCH_MAX: usize = 30;

/// A way to send.
struct Row {
    name: &'static str,
    batch_size: usize,
    /// What the caller's own record allocates.
    per_record: usize,
    send: fn(&Producer, usize),
}

const ROWS: [Row; 5] = [
    Row {
        name: "deliveries dropped, batches of 1 MB",
        batch_size: 1_000_000,
        per_record: 0,
        send: dropped,
    },
    Row {
        name: "deliveries dropped, batches of 16 KiB",
        batch_size: 16 << 10,
        per_record: 0,
        send: dropped,
    },
    Row {
        name: "deliveries kept and waited for, batches of 1 MB",
        batch_size: 1_000_000,
        per_record: 0,
        send: kept,
    },
    Row {
        name: "keys, batches of 1 MB",
        batch_size: 1_000_000,
        per_record: 0,
        send: keys,
    },
    Row {
        name: "headers, batches of 1 MB",
        batch_size: 1_000_000,
        // The list of headers.
        per_record: 1,
        send: headers,
    },
];

fn dropped(producer: &Producer, records: usize) {
    for _ in 0..records {
        drop(producer.send(Record::to(TOPIC).value(VALUE)));
    }
}

fn kept(producer: &Producer, records: usize) {
    let mut deliveries = Vec::with_capacity(records);
    deliveries.extend((0..records).map(|_| producer.send(Record::to(TOPIC).value(VALUE))));
    producer.flush().expect("flushed");
    for delivery in deliveries {
        assert!(delivery.wait().expect("delivered").offset().is_some());
    }
}

fn keys(producer: &Producer, records: usize) {
    for number in 0..records {
        let key = number.to_be_bytes();
        drop(producer.send(Record::to(TOPIC).key(&key).value(VALUE)));
    }
}

fn headers(producer: &Producer, records: usize) {
    for _ in 0..records {
        let record = Record::to(TOPIC).value(VALUE).header("trace", "af09");
        drop(producer.send(record.header("kind", "order")));
    }
}

#[test]
fn a_batch_allocates_and_a_record_does_not() {
    let Some(broker) = Broker::start("a_batch_allocates_and_a_record_does_not") else {
        return;
    };
    for row in &ROWS {
        let producer = Producer::new(
            Config::new(&broker.servers)
                .acks(Acks::All)
                .idempotence(true)
                .linger(Duration::from_secs(60))
                .batch_size(row.batch_size)
                .max_block(Duration::from_secs(60)),
        );
        let producer = producer.expect("settings that fit together");
        // Twelve open batches, and whatever else is allocated once.
        (row.send)(&producer, RECORDS / 2);
        producer.flush().expect("flushed");
        let before = producer.metrics();

        let region = Region::new(MEMORY);
        (row.send)(&producer, RECORDS);
        producer.flush().expect("flushed");
        let change = region.change();

        let after = producer.metrics();
        assert_eq!(after.delivered - before.delivered, RECORDS as u64);
        let batches = (after.batches - before.batches) as usize;
        let all = change.allocations + change.reallocations;
        println!(
            "{}: {all} allocations, {:.4} a record, {:.1} for each of {batches} batches",
            row.name,
            all as f64 / RECORDS as f64,
            (all - row.per_record * RECORDS) as f64 / batches as f64,
        );
        assert!(
            all <= row.per_record * RECORDS + batches * PER_BATCH_MAX,
            "{}: {all} allocations for {RECORDS} records in {batches} batches",
            row.name
        );
    }
}
