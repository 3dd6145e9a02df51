//! What a seed stands for: settings, a cluster, and the faults that happen to it.
//!
//! Swarm testing: each run has a random subset of the faults, at random rates, so that rare
//! combinations are not drowned by the common ones.

use std::time::Duration;

use super::rng::Rng;
use crate::config::{Acks, Config};

/// Everything that is decided before a run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) idempotent: bool,
    pub(super) gapless: bool,
    pub(super) acks: Acks,
    pub(super) retries: Option<u32>,
    pub(super) max_in_flight: usize,
    pub(super) linger: Duration,
    pub(super) batch_size: usize,
    pub(super) buffer_memory: usize,
    pub(super) max_request_size: usize,
    pub(super) request_timeout: Duration,
    pub(super) delivery_timeout: Duration,
    pub(super) partitions: i32,
    pub(super) brokers: i32,
    /// The batches of a run come at random within this time.
    pub(super) fault_time: Duration,
    pub(super) records: usize,
    pub(super) burst_max: u64,
    /// Nothing is sent in the middle of the run.
    pub(super) has_rest: bool,
    pub(super) stateless: Stateless,
    pub(super) first_epoch: i16,
    pub(super) first_sequence: Option<i32>,
    /// The longest way of a request to its broker.
    pub(super) latency_ms: u64,
    pub(super) has_topic_id: bool,
    /// False: metadata of brokers so old that they tell no leader epochs.
    pub(super) has_epochs: bool,
    /// A duplicate is answered with 46 and no offset, not with the offset it had.
    pub(super) answers_46: bool,
    pub(super) closes_at: Option<Duration>,
    pub(super) faults: Faults,
}

/// What a broker does with a batch of a producer that it has no state of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stateless {
    /// It takes any first sequence (before Kafka 4.5).
    TakesAny,
    /// It takes 0 only while the log was never written (4.5).
    ZeroOnNewLog,
    /// It takes 0 only.
    ZeroOnly,
    /// It answers UNKNOWN_PRODUCER_ID to all but 0 (1.0 to 2.4).
    Forgets,
}

/// Chances per request, batch or answer, and rates per second.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) refuse: f64,
    pub(super) refusals: Vec<i16>,
    pub(super) lie: f64,
    pub(super) lies: Vec<i16>,
    pub(super) lack: f64,
    pub(super) cut_before_write: f64,
    pub(super) cut_in_write: f64,
    pub(super) slow_write: f64,
    pub(super) cut_on_arrival: f64,
    pub(super) swallow: f64,
    pub(super) cut_answer: f64,
    pub(super) slow_replicas: f64,
    pub(super) throttle: f64,
    /// A dead connection's requests reach the broker all the same, up to `late_ms` later.
    pub(super) late: f64,
    pub(super) late_ms: u64,
    pub(super) connect_fails: f64,
    pub(super) login_fails: f64,
    pub(super) hint: f64,
    pub(super) stale: f64,
    pub(super) metadata_fails: f64,
    pub(super) metadata_lacks: f64,
    /// Metadata that has fewer partitions than there are.
    pub(super) metadata_shrinks: f64,
    pub(super) topic_error: f64,
    pub(super) identity_slow: f64,
    pub(super) identity_fails: f64,
    pub(super) identity_denied: f64,
    pub(super) truncate: f64,
    /// Per second.
    pub(super) cuts: f64,
    pub(super) moves: f64,
    pub(super) ping_pongs: f64,
    pub(super) leaderless: f64,
    pub(super) downs: f64,
    pub(super) pauses: f64,
    pub(super) losses_of_state: f64,
    pub(super) pressures: f64,
    pub(super) flushes: f64,
}

/// Refusals before anything is appended, that say so.
const REFUSALS: &[i16] = &[
    2, 5, 10, 17, 18, 19, 21, 29, 31, 32, 35, 43, 44, 47, 48, 49, 51, 72, 74, 75, 76, 87, 89, 90,
    100, 103, 120,
];
/// The same, where the code leaves it open.
const OPEN_REFUSALS: &[i16] = &[3, 6, 7, 9, 56, -1, 13, 8, 121, 9999, -42];
/// What may be told of a batch that was appended. 3 and 6 only while replicas are waited for.
const LIES: &[i16] = &[7, 20, -1, 56, 9, 9999, 13, 121];
const REPLICA_LIES: &[i16] = &[3, 6];

impl Plan {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let idempotent = rng.chance(0.75);
        let acks = match idempotent {
            true => Acks::All,
            false => rng.pick(&[Acks::None, Acks::Leader, Acks::All, Acks::All]),
        };
        let retries = match idempotent {
            true => rng.pick(&[None, None, None, Some(1), Some(3)]),
            false => rng.pick(&[Some(0), Some(0), Some(1), Some(3), Some(1000)]),
        };
        let linger = rng.pick(&[0, 0, 0, 5, 50]);
        let request_timeout = rng.within(200, 1500);
        let slack = match rng.below(3) {
            0 => rng.within(0, 300),
            1 => rng.within(300, 3000),
            _ => rng.within(3000, 12000),
        };
        let batch_size = rng.within(100, 1500) as usize;
        let fault_ms = rng.within(2000, 12000);
        let at_end_of_epochs = idempotent && rng.chance(0.15);
        let wraps = idempotent && !at_end_of_epochs && rng.chance(0.2);
        let mut plan = Self {
            idempotent,
            gapless: idempotent && rng.chance(0.25),
            acks,
            retries,
            max_in_flight: rng.within(1, 5) as usize,
            linger: Duration::from_millis(linger),
            batch_size,
            buffer_memory: rng.pick(&[4 << 10, 32 << 10, 1 << 20]),
            max_request_size: rng.pick(&[batch_size, batch_size * 2, 1 << 16]).max(1024),
            request_timeout: Duration::from_millis(request_timeout),
            delivery_timeout: Duration::from_millis(request_timeout + linger + slack),
            partitions: rng.pick(&[1, 1, 2, 3, 5, 20]),
            brokers: rng.pick(&[1, 2, 3, 4]),
            fault_time: Duration::from_millis(fault_ms),
            records: rng.within(30, 250) as usize,
            burst_max: rng.pick(&[1, 4, 20]),
            has_rest: rng.chance(0.2),
            stateless: rng.pick(&[
                Stateless::TakesAny,
                Stateless::ZeroOnNewLog,
                Stateless::ZeroOnly,
                Stateless::Forgets,
            ]),
            first_epoch: if at_end_of_epochs { 32765 } else { 0 },
            first_sequence: wraps.then(|| i32::MAX - rng.within(1, 40) as i32),
            latency_ms: rng.pick(&[2, 8, 8, 60]),
            has_topic_id: rng.chance(0.5),
            has_epochs: rng.chance(0.8),
            answers_46: rng.chance(0.2),
            closes_at: rng.chance(0.15).then(|| rng.ms(500, fault_ms)),
            faults: Faults::draw(rng, acks),
        };
        if rng.chance(0.08) {
            plan.late_ways(rng);
        }
        plan
    }

    /// Connections die with requests that reach their broker later, while batches are refused for
    /// good: what is known of a batch is known for now only.
    fn late_ways(&mut self, rng: &mut Rng) {
        self.partitions = 1;
        self.max_in_flight = 5;
        self.burst_max = 20;
        self.latency_ms = 60;
        let faults = &mut self.faults;
        (faults.late, faults.late_ms) = (0.8, rng.pick(&[50, 300, 1000]));
        (faults.refuse, faults.refusals) = (0.15, vec![87]);
        (faults.cuts, faults.cut_answer, faults.lie) = (3.0, 0.05, 0.0);
    }

    pub(super) fn config(&self) -> Config {
        let config = Config::new("broker:9092")
            .max_in_flight(self.max_in_flight)
            .linger(self.linger)
            .batch_size(self.batch_size)
            .buffer_memory(self.buffer_memory)
            .max_request_size(self.max_request_size)
            .request_timeout(self.request_timeout)
            .delivery_timeout(self.delivery_timeout)
            // Shorter than any delivery time-out: a pause is not what makes a record fail.
            .reconnect_backoff(Duration::from_millis(20))
            .reconnect_backoff_max(Duration::from_millis(100));
        let config = match self.retries {
            Some(retries) => config.retries(retries),
            None => config,
        };
        match self.idempotent {
            true => config.idempotence(true).gapless(self.gapless),
            false => config.acks(self.acks),
        }
    }

    /// True if a partition keeps one batch on the wire, and so its order, without idempotence.
    pub(super) fn keeps_one_on_wire(&self) -> bool {
        !self.idempotent && self.acks != Acks::None && self.retries.is_some_and(|most| most > 0)
    }
}

impl Faults {
    fn draw(rng: &mut Rng, acks: Acks) -> Self {
        // In some runs little goes wrong: what is rare must also be seen alone.
        let share = rng.pick(&[0.0, 0.15, 0.15, 0.35, 0.35, 0.6]);
        let mut rate = |most: f64| match rng.chance(share) {
            true => most * (rng.within(5, 100) as f64 / 100.0),
            false => 0.0,
        };
        let mut faults = Self {
            refuse: rate(0.3),
            lie: rate(0.3),
            lack: rate(0.1),
            cut_before_write: rate(0.1),
            cut_in_write: rate(0.1),
            slow_write: rate(0.2),
            cut_on_arrival: rate(0.15),
            swallow: rate(0.1),
            cut_answer: rate(0.2),
            slow_replicas: rate(0.3),
            throttle: rate(0.2),
            late: rate(1.0),
            connect_fails: rate(0.5),
            login_fails: rate(0.1),
            hint: rate(1.0),
            stale: rate(0.6),
            metadata_fails: rate(0.4),
            metadata_lacks: rate(0.2),
            metadata_shrinks: rate(0.3),
            topic_error: rate(0.3),
            identity_slow: rate(0.8),
            identity_fails: rate(0.6),
            identity_denied: rate(0.4),
            truncate: rate(1.0),
            cuts: rate(2.0),
            moves: rate(2.0),
            ping_pongs: rate(0.5),
            leaderless: rate(0.5),
            downs: rate(0.5),
            pauses: rate(0.5),
            losses_of_state: rate(1.0),
            pressures: rate(1.0),
            flushes: rate(1.0),
            ..Self::default()
        };
        faults.late_ms = rng.pick(&[50, 500, 3000, 8000]);
        let some = |rng: &mut Rng, from: &[i16]| -> Vec<i16> {
            (0..rng.within(1, 4)).map(|_| rng.pick(from)).collect()
        };
        // Permanent refusals fail a batch each: most runs have codes that are sent again.
        faults.refusals = match rng.below(3) {
            0 => some(rng, REFUSALS),
            1 => some(rng, OPEN_REFUSALS),
            _ => some(rng, &[19, 2, 5, 89, 6, 7]),
        };
        faults.lies = match (rng.below(3), acks) {
            (0, Acks::All) => some(rng, REPLICA_LIES),
            (1, _) => some(rng, &[7, 20]),
            _ => some(rng, LIES),
        };
        faults
    }
}
