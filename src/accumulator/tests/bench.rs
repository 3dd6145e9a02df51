//! What the tests of this layer have in common: a partition's state without its lock, and a clock
//! to turn.

use std::time::{Duration, Instant};

use crate::accumulator::Accumulator;
use crate::accumulator::batch::{Batch, OpenBatch};
use crate::accumulator::partition::Partition;
use crate::accumulator::ready::ReadyQueue;
use crate::accumulator::sequence::{Current, Identity};
use crate::accumulator::state::{
    Announcement, Conditions, Route, Rules, Stage, State, Take, Verdict,
};
use crate::accumulator::topic::View;
use crate::callbacks::CallbackQueue;
use crate::config::Config;
use crate::delivery::{Completion, NoHurry};
use crate::error::{Error, ErrorKind};
use crate::record::Record;
use crate::sync::Arc;
use crate::time;

pub(crate) const LINGER: Duration = Duration::from_secs(1);

pub(crate) fn accumulator(config: &Config) -> Accumulator {
    Accumulator::new(config, Arc::default())
}

/// The topic `orders` with `count` partitions, of which none has a leader.
pub(crate) fn known_topic(accumulator: &Accumulator, count: usize) -> Arc<View> {
    let topic = accumulator.insert_topic("orders", 0);
    topic.resize(count, accumulator.shared())
}

/// A partition of `accumulator` that only the test knows.
pub(crate) fn partition_of(accumulator: &Accumulator) -> Arc<Partition> {
    Partition::new(
        ("orders".into(), Arc::default()),
        3,
        accumulator.shared().clone(),
    )
}

pub(crate) fn trouble() -> Error {
    Error::new(ErrorKind::Broker, "NOT_ENOUGH_REPLICAS (19)")
}

/// A partition's state with what its owner, its broker's sender and receiver would do to it.
pub(crate) struct Bench {
    pub(crate) state: State,
    pub(crate) rules: Rules,
    pub(crate) now: Instant,
    pub(crate) newest: Current,
    pub(crate) is_pressed: bool,
    /// Every token that was announced and not popped, with the broker that has it.
    pub(crate) tokens: Vec<(i32, u64, Option<Instant>)>,
    pub(crate) queues: Vec<Arc<ReadyQueue>>,
    owner: Arc<Partition>,
    accumulator: Accumulator,
}

impl Bench {
    /// Led by broker 0, nothing lingers, and five batches may be on the wire.
    pub(crate) fn new(is_idempotent: bool) -> Self {
        let accumulator = accumulator(&Config::new("localhost:9092"));
        let identity = Identity {
            producer_id: 5,
            epoch: 0,
        };
        let mut bench = Self {
            state: State::default(),
            rules: Rules {
                linger: Duration::ZERO,
                batch_size: 1000,
                delivery_timeout: Duration::from_secs(100),
                on_wire_max: 5,
                is_idempotent,
                is_gapless: false,
            },
            now: time::now(),
            newest: Current {
                identity,
                generation: 1,
            },
            is_pressed: false,
            tokens: Vec::new(),
            queues: (0..3).map(ReadyQueue::new).collect(),
            owner: partition_of(&accumulator),
            accumulator,
        };
        bench.state.taken_max = usize::MAX;
        bench.reroute(Some(0));
        bench
    }

    /// The same after a batch of one record was acknowledged: the leader is proven.
    pub(crate) fn proven(is_idempotent: bool) -> Self {
        let mut bench = Self::new(is_idempotent);
        bench.put(1);
        let batch = bench.take().expect("the first batch");
        assert!(bench.end(batch, Verdict::Acked).is_some());
        bench
    }

    pub(crate) fn conditions(&self) -> Conditions {
        Conditions {
            is_pressed: self.is_pressed,
            generation: self.newest.generation,
        }
    }

    /// What `Partition` does when it leaves the lock.
    pub(crate) fn tell(&mut self) {
        if let Some(outgrown) = self.state.end_drain()
            && outgrown == self.newest.generation
        {
            self.raise();
        }
        let announcement = self.state.announce(&self.rules, self.conditions());
        if let Some(Announcement { queue, ticket, at }) = announcement {
            self.tokens.push((queue.broker_id(), ticket, at));
        }
    }

    /// Another partition has outgrown the newest identity.
    pub(crate) fn raise(&mut self) {
        self.newest.generation += 1;
        self.newest.identity.epoch += 1;
    }

    pub(crate) fn reroute(&mut self, broker_id: Option<usize>) {
        self.state.reroute(broker_id.map(|id| self.route(id, 1)));
        self.tell();
    }

    pub(crate) fn route(&self, broker_id: usize, leader_epoch: i32) -> Route {
        Route {
            queue: self.queues[broker_id].clone(),
            leader_epoch,
            topic_id: [7; 16],
        }
    }

    /// An open batch of `records` records, none of which lingers unless the rules say so.
    pub(crate) fn open(&mut self, records: u32) {
        let mut open = self.batch(records);
        open.is_hurried = false;
        assert!(self.state.open.replace(open).is_none(), "a batch is open");
        self.tell();
    }

    /// A sealed batch of `records` records at the end of the queue.
    pub(crate) fn put(&mut self, records: u32) {
        let batch = self.batch(records).close(self.owner.clone());
        self.state.queue.push_back(batch);
        self.tell();
    }

    fn batch(&self, records: u32) -> OpenBatch {
        let grant = self.accumulator.budget().try_acquire(None, 500);
        let hurry = std::sync::Weak::<NoHurry>::new();
        let callbacks: Arc<CallbackQueue> = Arc::default();
        let completion = Arc::new(Completion::new("orders".into(), 3, hurry, &callbacks));
        let grant = grant.expect("the budget has room");
        let mut open = OpenBatch::new(grant, 0, completion, (0, self.now));
        for _ in 0..records {
            let record = Record::to("orders");
            let len = open.measure(&record, 0);
            let _slot = open.append(&record, 0, len);
        }
        open
    }

    /// Seals the open batch, as an append does that it has no room for.
    pub(crate) fn seal_open(&mut self) {
        let batch = self
            .state
            .open
            .take()
            .map(|open| open.close(self.owner.clone()));
        self.state.queue.extend(batch);
        self.tell();
    }

    /// Pops the valid token, if one is due, and takes what it stands for.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        let (state, now) = (&self.state, self.now);
        let is_due = |&(broker_id, ticket, at): &(i32, u64, Option<Instant>)| {
            state.is_valid(ticket, broker_id) && at.is_none_or(|at| at <= now)
        };
        let place = self.tokens.iter().position(is_due)?;
        let (broker_id, ticket, _) = self.tokens.remove(place);
        self.take_with(ticket, broker_id, usize::MAX)
    }

    pub(crate) fn take_with(&mut self, ticket: u64, broker_id: i32, room: usize) -> Option<Batch> {
        let owner = self.owner.clone();
        let take = self.state.take(
            (ticket, broker_id, room),
            Some(self.newest),
            self.now,
            (&self.rules, self.conditions()),
            |open| open.close(owner),
        );
        match take {
            Take::Batch(mut batch) => {
                batch.seal();
                batch.attempts += 1;
                self.tell();
                Some(batch)
            }
            Take::NoRoom => {
                self.tokens.push((broker_id, ticket, None));
                None
            }
            Take::Nothing => {
                self.tell();
                None
            }
        }
    }

    /// Takes all that may leave now.
    pub(crate) fn take_all(&mut self) -> Vec<Batch> {
        std::iter::from_fn(|| self.take()).collect()
    }

    pub(crate) fn end(&mut self, batch: Batch, verdict: Verdict) -> Option<Batch> {
        let settled = self.end_only(batch, verdict);
        self.tell();
        settled
    }

    /// The same, without what follows for the partition.
    pub(crate) fn end_only(&mut self, batch: Batch, verdict: Verdict) -> Option<Batch> {
        self.state.ended(batch, verdict, (&self.rules, self.now))
    }

    pub(crate) fn stages(&self) -> Vec<&'static str> {
        let stages = self.state.flights.iter().map(|flight| &flight.stage);
        stages.map(stage_name).collect()
    }
}

pub(crate) fn stage_name(stage: &Stage) -> &'static str {
    match stage {
        Stage::OnWire => "on wire",
        Stage::Waiting(batch) if batch.may_be_written => "waiting, doubtful",
        Stage::Waiting(_) => "waiting",
        Stage::Abandoned => "abandoned",
        Stage::Tombstone => "tombstone",
    }
}

/// To be sent again at once; `is_lost`: nobody knows whether the broker has it.
pub(crate) fn again() -> Verdict {
    Verdict::Again {
        at: None,
        awaits_view: false,
        error: trouble(),
    }
}

pub(crate) fn out_of_sequence(has_forgotten: bool) -> Verdict {
    Verdict::OutOfSequence {
        has_forgotten,
        at: None,
        error: trouble(),
    }
}

/// xorshift64*: random enough to choose what happens next.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % end
    }
}
