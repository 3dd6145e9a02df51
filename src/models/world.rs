//! What the models have in common: a topic, its brokers' inboxes, and a log.

use std::collections::VecDeque;
use std::time::Duration;

use crate::accumulator::Wait;
use crate::accumulator::batch::Batch;
use crate::accumulator::partition::Partition;
use crate::accumulator::ready::Woken;
use crate::accumulator::state::Route;
use crate::accumulator::tests::bench::known_topic;
use crate::broker::sender::Sender;
use crate::broker::tests::{core, known_broker};
use crate::broker::{Broker, Core};
use crate::config::Config;
use crate::delivery::Delivery;
use crate::error::Error;
use crate::record::Record;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Condvar, Mutex};
use crate::wire::codes::Code;
use crate::wire::produce::ProducePartitionResponse;

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// One record makes a batch of so many bytes.
pub(super) const LONE_BYTES: usize = 80;

/// A producer without its threads: those are the model's.
pub(super) struct World {
    pub(super) core: Arc<Core>,
    pub(super) brokers: Vec<Arc<Broker>>,
    pub(super) partitions: Vec<Arc<Partition>>,
}

/// Settings under which each record is a batch of its own, and nothing waits for time to pass.
pub(super) fn one_record_a_batch() -> Config {
    Config::new("localhost:9092")
        .batch_size(1)
        .retry_backoff(Duration::ZERO)
}

impl World {
    /// Two brokers, the first of which leads all partitions.
    pub(super) fn new(config: Config, partitions: usize) -> Arc<Self> {
        let core = core(config);
        let view = known_topic(&core.accumulator, partitions);
        let world = Self {
            brokers: (0..2).map(|id| known_broker(&core, id)).collect(),
            partitions: view.partitions.clone(),
            core,
        };
        for partition in &world.partitions {
            partition.reroute(Some(world.route(0, 0)));
        }
        Arc::new(world)
    }

    pub(super) fn route(&self, broker: usize, leader_epoch: i32) -> Route {
        Route {
            queue: self.brokers[broker].queue.clone(),
            leader_epoch,
            topic_id: [7; 16],
        }
    }

    /// Sends a record of [`LONE_BYTES`]; true if it opened a batch.
    pub(super) fn send(&self, partition: usize) -> Result<(Delivery, bool), Error> {
        let record = Record::to("orders").value(&[0; 12]);
        let partition = &self.partitions[partition];
        let wait = Wait::AtMost(HOUR);
        let sent = self.core.accumulator.append(partition, &record, 0, wait)?;
        Ok(sent.expect("a topic in use"))
    }

    /// The deliveries of `count` records, sent one behind the other.
    pub(super) fn send_many(&self, partition: usize, count: usize) -> Vec<Delivery> {
        let sent = (0..count).map(|_| self.send(partition).expect("it waits for room").0);
        sent.collect()
    }

    /// What a sender thread does that has a connection which always takes more: `write` is given
    /// what it writes.
    pub(super) fn run_sender(&self, broker: usize, mut write: impl FnMut(&Sender, Vec<Batch>)) {
        let broker = &self.brokers[broker];
        let mut sender = Sender::new(self.core.clone(), broker.clone());
        loop {
            if !sender.has_pending() && broker.queue.wait(None) == Woken::Closed {
                return;
            }
            sender.drain();
            if broker.queue.is_closed() {
                return;
            }
            let mut batches = sender.collect();
            if !batches.is_empty() {
                Sender::prepare(&mut batches);
                write(&sender, batches);
            }
        }
    }

    /// Ends every wait for something to send.
    pub(super) fn close_queues(&self) {
        self.brokers.iter().for_each(|broker| broker.queue.close());
    }

    /// Nothing is held, and nobody waits.
    pub(super) fn assert_empty(&self) {
        let budget = self.core.accumulator.budget();
        assert_eq!(budget.used(), 0, "memory is held for nothing");
        assert!(!budget.is_pressed(), "somebody waits for memory");
        let mut partitions = self.partitions.iter();
        assert!(!partitions.any(|partition| partition.has_batches()));
    }
}

/// Waits for all, which succeed, and gives their offsets.
pub(super) fn offsets(deliveries: &[Delivery]) -> Vec<i64> {
    let offset = |delivery: &Delivery| {
        let metadata = delivery.wait().expect("nothing is lost");
        metadata.offset().expect("its place is known")
    };
    deliveries.iter().map(offset).collect()
}

/// Asserts that records are in the log in the order in which they were sent.
pub(super) fn assert_in_order(offsets: &[i64]) {
    assert!(
        offsets.is_sorted_by(|a, b| a < b),
        "out of order: {offsets:?}"
    );
}

/// A partition's log at a broker that believes every batch.
#[derive(Default)]
pub(super) struct Log {
    end: Mutex<i64>,
    refusals: AtomicUsize,
}

impl Log {
    /// A log that refuses up to `refusals` batches.
    pub(super) fn that_refuses(refusals: usize) -> Self {
        Self {
            refusals: AtomicUsize::new(refusals),
            ..Self::default()
        }
    }

    pub(super) fn append(&self, batch: &Batch) -> ProducePartitionResponse {
        let left = self.refusals.load(Ordering::SeqCst);
        if left > 0 && super::choose(2) == 0 {
            self.refusals.store(left - 1, Ordering::SeqCst);
            return answer(Code::NOT_ENOUGH_REPLICAS, -1);
        }
        let mut end = self.end.lock();
        let base_offset = *end;
        *end += i64::from(batch.records);
        answer(Code::NONE, base_offset)
    }

    pub(super) fn len(&self) -> usize {
        *self.end.lock() as usize
    }
}

/// What a broker says of a batch.
pub(super) fn answer(error: Code, base_offset: i64) -> ProducePartitionResponse {
    ProducePartitionResponse {
        error,
        base_offset,
        log_append_time_ms: -1,
        ..ProducePartitionResponse::default()
    }
}

/// A channel without a limit.
pub(super) struct Mail<T> {
    state: Mutex<(VecDeque<T>, bool)>,
    changed: Condvar,
}

impl<T> Mail<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new((VecDeque::new(), false)),
            changed: Condvar::new(),
        })
    }

    pub(super) fn put(&self, letter: T) {
        self.state.lock().0.push_back(letter);
        self.changed.notify_all();
    }

    pub(super) fn close(&self) {
        self.state.lock().1 = true;
        self.changed.notify_all();
    }

    /// Waits for the next; `None` once the channel is closed and empty.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = self.state.lock();
        while state.0.is_empty() && !state.1 {
            state = self.changed.wait(state, None);
        }
        state.0.pop_front()
    }
}
