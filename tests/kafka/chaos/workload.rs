//! The clients of the run: what they send, at which pace, and with which settings.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use milena::{Acks, CloseReport, Config, Producer, Record};

use super::dice::Dice;
use super::history::History;
use super::stamp::{Stamp, TOPICS};

pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
pub(super) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const MAX_BLOCK: Duration = Duration::from_secs(10);

/// The most letters in the filler of a value.
const FILLER: usize = 1000;
const BURST: usize = 200;
/// After a rest.
const LARGE_BURST: usize = 3000;
const BETWEEN_BURSTS: Duration = Duration::from_millis(500);

/// The topic, threads and records per second and thread of each client; by [`Stamp::producer`].
/// The last one is slow, so that of its batches on their way some are seconds older than others,
/// and run out of time while the others do not.
const CLIENTS: [(usize, usize, u64); 5] =
    [(0, 2, 250), (0, 2, 250), (1, 1, 0), (2, 1, 100), (0, 1, 8)];

#[derive(Debug)]
pub(super) struct Workload {
    history: Arc<History>,
    clients: Vec<Client>,
    is_over: AtomicBool,
    /// Until when the client with bursts rests, in milliseconds from the start of the run.
    rests_until_ms: AtomicU64,
}

#[derive(Debug)]
struct Client {
    id: usize,
    topic: usize,
    producer: Producer,
    /// The next number of each partition; held during `send`, so that numbers tell its order.
    next: Vec<Mutex<u64>>,
}

impl Workload {
    pub(super) fn new(bootstrap: &str, history: Arc<History>) -> Self {
        let client = |(id, (topic, ..)): (usize, (usize, usize, u64))| {
            let config = config(bootstrap, TOPICS[topic].is_idempotent);
            // One fills its buffer when it cannot send, so that `send` has to wait.
            let config = config.buffer_memory(if id == 1 { 1 << 20 } else { 4 << 20 });
            let producer = Producer::new(config).expect("settings that work");
            let next = (0..TOPICS[topic].partitions)
                .map(|_| Mutex::default())
                .collect();
            Client {
                id,
                topic,
                producer,
                next,
            }
        };
        Self {
            history,
            clients: CLIENTS.into_iter().enumerate().map(client).collect(),
            is_over: AtomicBool::new(false),
            rests_until_ms: AtomicU64::new(0),
        }
    }

    /// Starts the threads, which send until [`stop`](Self::stop).
    pub(super) fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, seed: u64) {
        let mut dice = Dice::new(seed);
        for (client, (_, threads, rate)) in self.clients.iter().zip(CLIENTS) {
            for thread in 0..threads {
                let dice = Dice::new(dice.roll());
                scope.spawn(move || match rate {
                    0 => self.send_in_bursts(client, thread, dice),
                    _ => self.send_evenly(client, thread, rate, dice),
                });
            }
        }
    }

    pub(super) fn stop(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Lets the client with bursts send nothing for a while, and then much at once.
    pub(super) fn rest(&self, time: Duration) {
        let until = self.history.now() + time;
        let until_ms = u64::try_from(until.as_millis()).expect("less than ages");
        self.rests_until_ms.store(until_ms, Ordering::SeqCst);
    }

    /// What each producer says at its end.
    pub(super) fn close(&self) -> Vec<CloseReport> {
        let close = |client: &Client| {
            let report = client.producer.close().expect("not in a callback");
            assert_eq!(client.producer.buffered_bytes(), 0);
            report
        };
        self.clients.iter().map(close).collect()
    }

    /// A thread that falls behind does not make up for it.
    fn send_evenly(&self, client: &Client, thread: usize, rate: u64, mut dice: Dice) {
        let pause = Duration::from_secs(1) / u32::try_from(rate).expect("a small rate");
        let mut due = Instant::now();
        while !self.is_over.load(Ordering::SeqCst) {
            let partition = dice.below(client.next.len());
            self.send(client, thread, partition, dice.below(FILLER));
            due += pause;
            match due.checked_duration_since(Instant::now()) {
                Some(early) => thread::sleep(early),
                None if due.elapsed() > Duration::from_secs(1) => due = Instant::now(),
                None => {}
            }
        }
    }

    fn send_in_bursts(&self, client: &Client, thread: usize, mut dice: Dice) {
        let mut has_rested = false;
        while !self.is_over.load(Ordering::SeqCst) {
            let rests_until = self.rests_until_ms.load(Ordering::SeqCst);
            if self.history.now() < Duration::from_millis(rests_until) {
                has_rested = true;
            } else {
                let burst = if has_rested { LARGE_BURST } else { BURST };
                has_rested = false;
                for _ in 0..burst {
                    self.send(client, thread, 0, dice.below(FILLER / 5));
                }
            }
            thread::sleep(BETWEEN_BURSTS);
        }
    }

    fn send(&self, client: &Client, thread: usize, partition: usize, filler: usize) {
        let mut next = client.next[partition].lock().expect("no panic");
        let stamp = Stamp {
            topic: client.topic,
            partition: i32::try_from(partition).expect("few partitions"),
            producer: client.id,
            number: *next,
            thread,
        };
        *next += 1;
        let value = stamp.value(filler);
        let record = Record::to(TOPICS[client.topic].name)
            .partition(stamp.partition)
            .value(&value);
        let history = self.history.clone();
        let operation = history.invoke(stamp);
        client
            .producer
            .send_with(record, move |result| history.resolve(operation, result));
        self.history.returned(operation);
    }
}

fn config(bootstrap: &str, is_idempotent: bool) -> Config {
    let config = Config::new(bootstrap)
        .request_timeout(REQUEST_TIMEOUT)
        .delivery_timeout(DELIVERY_TIMEOUT)
        .max_block(MAX_BLOCK)
        .linger(Duration::from_millis(5))
        .batch_size(16 << 10);
    if is_idempotent {
        config.idempotence(true)
    } else {
        config.acks(Acks::All).retries(i32::MAX as u32)
    }
}
