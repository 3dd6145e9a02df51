//! `buffer.memory` against the memory that the system counts, with every broker a black hole.

#![cfg(target_os = "linux")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use milena::{Delivery, ErrorKind, Producer, Record};

use crate::broker::{self, Broker};
use crate::support::{
    SOON, cluster, config, config_for, eventually, is_own_process, producer, result,
    row_in_own_process, send,
};

const BUFFER: usize = 64 << 20;

/// What queues, threads and connections may take beside the buffer, and what memory is lost between
/// its pieces.
const BESIDE: usize = 8 << 20;

/// How long callers go on once the buffer is full.
const FULL: Duration = Duration::from_millis(700);

pub(crate) fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("the system counts memory");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    let pages: usize = pages.expect("a number of pages");
    pages * 4096
}

/// What callers that never stop got.
#[derive(Default)]
struct Seen {
    is_over: AtomicBool,
    accepted: AtomicU64,
    refused: AtomicU64,
    calls: Arc<AtomicU64>,
    callbacks: AtomicU64,
    peak: AtomicUsize,
}

impl Seen {
    fn look(&self) {
        self.peak.fetch_max(resident(), Ordering::SeqCst);
    }

    fn count(&self, is_refused: bool) {
        let counter = if is_refused {
            &self.refused
        } else {
            &self.accepted
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }

    /// Sends without end by turns: without a wait, with a wait, with a callback. Keeps some of the
    /// deliveries.
    fn hammer(&self, producer: &Producer, (size, with_callbacks): (usize, bool)) -> Vec<Delivery> {
        let value = vec![b'x'; size];
        let mut kept = Vec::new();
        for turn in 0_u64.. {
            if self.is_over.load(Ordering::SeqCst) {
                break;
            }
            let record = Record::to("t").value(&value);
            if with_callbacks {
                let calls = self.calls.clone();
                self.callbacks.fetch_add(1, Ordering::SeqCst);
                producer.send_with(record, move |_| {
                    calls.fetch_add(1, Ordering::SeqCst);
                });
                continue;
            }
            let sent = match turn % 64 {
                0 => Some(producer.send(record)),
                _ => producer.try_send(record).ok(),
            };
            let is_full = |delivery: &Delivery| {
                let result = delivery.try_get().and_then(Result::err);
                result.is_some_and(|error| error.kind() == ErrorKind::BufferFull)
            };
            let sent = sent.filter(|delivery| !is_full(delivery));
            self.count(sent.is_none());
            kept.extend(sent.filter(|_| turn % 256 == 0));
        }
        kept
    }
}

#[test]
fn a_caller_that_never_stops_in_front_of_black_holes_is_bounded_in_memory() {
    let rows = [100, 1 << 10, 1 << 20].map(|size| [(size, false), (size, true)]);
    let rows = rows.as_flattened();
    const NAME: &str =
        "memory::a_caller_that_never_stops_in_front_of_black_holes_is_bounded_in_memory";
    let Some(row) = row_in_own_process(NAME, rows.len()) else {
        return;
    };
    let (size, with_callbacks) = rows[row];
    let cluster = cluster(2, 4);
    cluster.keep_records(false);
    cluster.set_max_message_bytes("t", 2 << 20);
    let config = config(&cluster)
        .buffer_memory(BUFFER)
        .max_request_size(2 << 20);
    let producer = producer(config.max_block(Duration::from_millis(2)).retries(9));
    for partition in 0..4 {
        // In two milliseconds the topic may not be known.
        eventually("a first record", || {
            result(&send(&producer, partition, "first")).is_ok()
        });
    }
    let first = producer.metrics().delivered;
    (1..=2).for_each(|node| cluster.freeze_broker(node));
    let (seen, baseline) = (Seen::default(), resident());
    let kept: Vec<Delivery> = std::thread::scope(|scope| {
        let hammer = || seen.hammer(&producer, (size, with_callbacks));
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(hammer)).collect();
        let mut full_since = None;
        while full_since.is_none_or(|since: Instant| since.elapsed() < FULL) {
            seen.look();
            assert!(producer.buffered_bytes() <= BUFFER);
            // One topic at two brokers, which leaves a part for others.
            if producer.buffered_bytes() + 2 * size + 4096 > BUFFER / 17 * 16 {
                full_since.get_or_insert_with(Instant::now);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        seen.is_over.store(true, Ordering::SeqCst);
        let kept = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"));
        kept.collect()
    });
    seen.look();
    let above = seen.peak.load(Ordering::SeqCst).saturating_sub(baseline);
    let (accepted, refused) = (seen.accepted.into_inner(), seen.refused.into_inner());
    println!(
        "figures: records of {size} bytes, callbacks {with_callbacks}: {} KiB above {} KiB, buffer \
         {} KiB, {accepted} taken, {refused} refused",
        above >> 10,
        baseline >> 10,
        BUFFER >> 10
    );
    assert!(above < BUFFER + BESIDE, "{above} bytes above the baseline");
    (1..=2).for_each(|node| cluster.thaw_broker(node));
    for delivery in &kept {
        result(delivery).expect("delivered once the brokers are back");
    }
    producer.flush_timeout(SOON).expect("flushed");
    eventually("all bytes are back", || producer.buffered_bytes() == 0);
    assert_eq!(
        seen.calls.load(Ordering::SeqCst),
        seen.callbacks.into_inner()
    );
    if !with_callbacks {
        assert_eq!(producer.metrics().delivered, accepted + first);
    }
}

/// What is kept for the next batch must not come on top of what other batches take.
#[test]
fn a_buffer_that_fills_and_empties_takes_no_more_than_itself() {
    const NAME: &str = "memory::a_buffer_that_fills_and_empties_takes_no_more_than_itself";
    if !is_own_process(NAME) {
        return;
    }
    let Some(broker) = Broker::start(NAME) else {
        return;
    };
    let config = config_for(broker.servers.clone()).idempotence(true);
    let producer = producer(config.buffer_memory(BUFFER).batch_size(256 << 10));
    result(&producer.send(Record::to(broker::TOPIC))).expect("delivered");
    let baseline = resident();
    for (turn, size) in [100, 100_000, 1000, 10, 50_000].into_iter().enumerate() {
        broker.freeze();
        let value = vec![b'x'; size];
        let mut taken = 0;
        while producer
            .try_send(Record::to(broker::TOPIC).value(&value))
            .is_ok()
        {
            taken += 1;
        }
        let (above, buffered) = (
            resident().saturating_sub(baseline),
            producer.buffered_bytes(),
        );
        println!(
            "figures: turn {turn}, records of {size} bytes: {} KiB above {} KiB, {} KiB buffered, \
             {taken} taken",
            above >> 10,
            baseline >> 10,
            buffered >> 10
        );
        assert!(buffered > BUFFER / 8 * 7, "only {buffered} bytes buffered");
        assert!(above < BUFFER + BESIDE, "{above} bytes above the baseline");
        broker.thaw();
        producer.flush_timeout(SOON).expect("flushed");
    }
}
