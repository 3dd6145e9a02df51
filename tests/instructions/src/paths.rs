//! The main paths of a record, as programs.

use std::fs;
use std::ops::Range;
use std::time::Duration;

use milena::{Acks, Config, Producer, Record};

use crate::Failure;

/// One path that is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// How far a count may be from the committed one.
    pub(crate) margin: f64,
    /// How many records are enough to count, which takes seconds.
    pub(crate) records: u32,
    /// So many are sent and flushed before the next are sent, about a batch of each partition or a
    /// large one: what a send costs depends on what is on its way, which is chance otherwise.
    round: u32,
    linger: Duration,
    batch_size: usize,
    value_len: usize,
    send: fn(&Producer, &[u8], Range<u32>),
}

/// A batch is closed by its size or by the flush, whatever the threads' turns.
const LINGER: Duration = Duration::from_secs(60);

/// Runs of one program differ by less than half of it.
const MARGIN: f64 = 0.03;
const MARGIN_BY_CHANCE: f64 = 0.08;

const LARGE: usize = 1_000_000;
const SMALL: usize = 16 << 10;

pub(crate) const PATHS: [Path; 9] = [
    Path {
        name: "plain",
        what: "100 B without a key, 12 partitions, batches of 1,000,000 B",
        margin: MARGIN,
        records: 150_000,
        round: 8500,
        linger: LINGER,
        batch_size: LARGE,
        value_len: 100,
        send: plain,
    },
    Path {
        name: "small-batches",
        what: "the same in batches of 16 KiB",
        margin: MARGIN,
        records: 150_000,
        round: 1500,
        linger: LINGER,
        batch_size: SMALL,
        value_len: 100,
        send: plain,
    },
    Path {
        name: "under-load",
        what: "the same without a pause: what is on its way is left to chance",
        margin: MARGIN_BY_CHANCE,
        records: 150_000,
        round: u32::MAX,
        linger: LINGER,
        batch_size: SMALL,
        value_len: 100,
        send: plain,
    },
    Path {
        name: "1-kib",
        what: "1 KiB without a key, batches of 1,000,000 B",
        margin: MARGIN,
        records: 60_000,
        round: 900,
        linger: LINGER,
        batch_size: LARGE,
        value_len: 1024,
        send: plain,
    },
    Path {
        name: "keys",
        what: "100 B with a key of 16 B, murmur2, batches of 16 KiB",
        margin: MARGIN,
        records: 100_000,
        round: 1200,
        linger: LINGER,
        batch_size: SMALL,
        value_len: 100,
        send: keys,
    },
    Path {
        name: "headers",
        what: "100 B with two headers, batches of 16 KiB",
        margin: MARGIN,
        records: 100_000,
        round: 1200,
        linger: LINGER,
        batch_size: SMALL,
        value_len: 100,
        send: headers,
    },
    Path {
        name: "callbacks",
        what: "100 B with a callback, batches of 16 KiB",
        margin: MARGIN,
        records: 100_000,
        round: 1500,
        linger: LINGER,
        batch_size: SMALL,
        value_len: 100,
        send: callbacks,
    },
    Path {
        name: "deliveries",
        what: "100 B, all sent and then waited for one by one, batches of 16 KiB",
        margin: MARGIN,
        records: 100_000,
        round: 1500,
        linger: LINGER,
        batch_size: SMALL,
        value_len: 100,
        send: deliveries,
    },
    Path {
        name: "send-and-wait",
        what: "100 B, each waited for before the next is sent",
        margin: MARGIN,
        records: 3_000,
        round: 1000,
        linger: Duration::ZERO,
        batch_size: SMALL,
        value_len: 100,
        send: send_and_wait,
    },
];

/// The topic of all paths.
pub(crate) const TOPIC: &str = "instructions";
pub(crate) const PARTITIONS: i32 = 12;

impl Path {
    pub(crate) fn named(name: &str) -> Option<Self> {
        PATHS.into_iter().find(|path| path.name == name)
    }

    /// Sends so many records to these brokers, and returns the names of the threads, oldest first,
    /// as callgrind numbers them.
    pub(crate) fn run(&self, servers: &str, records: u32) -> Result<Vec<String>, Failure> {
        let config = Config::new(servers)
            .acks(Acks::All)
            .idempotence(true)
            .linger(self.linger)
            .delivery_timeout(LINGER * 2)
            .batch_size(self.batch_size)
            // The broker never makes a caller wait.
            .buffer_memory(1 << 30);
        let producer = Producer::new(config)?;
        let value = vec![b'v'; self.value_len];
        for first in (0..records).step_by(self.round as usize) {
            (self.send)(
                &producer,
                &value,
                first..records.min(first.saturating_add(self.round)),
            );
            producer.flush()?;
        }
        let threads = threads()?;
        let report = producer.close()?;
        if report.delivered != u64::from(records) {
            return Err(format!("not all of {records} records are delivered: {report:?}").into());
        }
        Ok(threads)
    }
}

/// The names of this process's threads in the order in which they were started.
fn threads() -> std::io::Result<Vec<String>> {
    let mut threads = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?;
        let id: u32 = task.file_name().to_string_lossy().parse().unwrap_or(0);
        let name = fs::read_to_string(task.path().join("comm"))?;
        threads.push((id, name.trim().to_owned()));
    }
    threads.sort();
    Ok(threads.into_iter().map(|(_, name)| name).collect())
}

fn plain(producer: &Producer, value: &[u8], records: Range<u32>) {
    for _ in records {
        drop(producer.send(Record::to(TOPIC).value(value)));
    }
}

fn keys(producer: &Producer, value: &[u8], records: Range<u32>) {
    let mut key = *b"key-000000000000";
    for number in records {
        key[8..].copy_from_slice(&u64::from(number).to_be_bytes());
        drop(producer.send(Record::to(TOPIC).key(&key).value(value)));
    }
}

fn headers(producer: &Producer, value: &[u8], records: Range<u32>) {
    for _ in records {
        let record = Record::to(TOPIC).value(value).header("trace", "0123456789");
        drop(producer.send(record.header("kind", "order")));
    }
}

fn callbacks(producer: &Producer, value: &[u8], records: Range<u32>) {
    for _ in records {
        producer.send_with(Record::to(TOPIC).value(value), |result| {
            assert!(result.is_ok());
        });
    }
}

fn deliveries(producer: &Producer, value: &[u8], records: Range<u32>) {
    let all = records.map(|_| producer.send(Record::to(TOPIC).value(value)));
    let all: Vec<_> = all.collect();
    let _ = producer.flush();
    for delivery in all {
        assert!(delivery.wait().is_ok());
    }
}

fn send_and_wait(producer: &Producer, value: &[u8], records: Range<u32>) {
    for _ in records {
        let sent = producer.send(Record::to(TOPIC).value(value)).wait();
        assert!(sent.is_ok());
    }
}
