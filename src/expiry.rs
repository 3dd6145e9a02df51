//! The thread that fails records whose `delivery.timeout.ms` is over, whatever brokers and sockets
//! do.

use std::time::{Duration, Instant};

use crate::broker::Core;
use crate::clock::Clock;
use crate::survive::survive;
#[cfg(test)]
use crate::survive::trap;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Mutex};
use crate::time;

/// The pause after a panic.
const REST: Duration = Duration::from_millis(100);

/// A thread that wakes up so late was stopped with its process, or the machine with it.
const LATE: Duration = Duration::from_millis(300);
const REST_AWAKE: Duration = Duration::from_millis(250);

/// How exact the clock is that it keeps for those who send much.
const TICK: Duration = Duration::from_millis(1);

/// Wakes the thread when there is something that can expire; with nothing buffered it sleeps for
/// good.
///
/// All records have the same limit, so a batch that is opened later expires later: while the thread
/// sleeps until the oldest batch's time, new batches need not wake it, but for those that have a
/// deadline of their own.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    clock: Clock,
    is_armed: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_poked: bool,
    /// It keeps the clock.
    is_ticking: bool,
    is_closed: bool,
}

impl Expiry {
    /// The time for a record that is sent, by the wall clock.
    #[inline]
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms(|| {
            self.state.lock().is_ticking = true;
            self.changed.notify_all();
        })
    }

    /// Something was buffered.
    pub(crate) fn arm(&self) {
        if !self.is_armed.load(Ordering::SeqCst) && !self.is_armed.swap(true, Ordering::SeqCst) {
            self.state.lock().is_poked = true;
            self.changed.notify_all();
        }
    }

    /// Something was buffered that may expire before all else.
    pub(crate) fn arm_at_once(&self) {
        self.is_armed.store(true, Ordering::SeqCst);
        self.state.lock().is_poked = true;
        self.changed.notify_all();
    }

    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Runs until it is closed.
    pub(crate) fn run(&self, core: &Core) {
        let mut until = None;
        while self.sleep(until) {
            if until.is_some_and(|until| is_late(until, time::now())) && !self.rest_awake() {
                return;
            }
            let looked = survive("the expiry thread", || self.look(|| self.expire(core)));
            until = looked.unwrap_or_else(|| time::after(time::now(), REST));
            if until.is_none() {
                core.accumulator.budget().rest();
            }
        }
    }

    /// Leaves a moment to those who read answers: the process was stopped, and what came meanwhile
    /// lies in its sockets. False once it is closed.
    fn rest_awake(&self) -> bool {
        let until = time::after(time::now(), REST_AWAKE);
        let mut state = self.state.lock();
        while !state.is_closed && until.is_some_and(|until| until > time::now()) {
            state = self.changed.wait(state, until);
        }
        !state.is_closed
    }

    /// What `expire` says of the next time; with none, the next batch has to arm the thread.
    fn look(&self, mut expire: impl FnMut() -> Option<Instant>) -> Option<Instant> {
        let until = expire();
        if until.is_some() {
            return until;
        }
        self.is_armed.store(false, Ordering::SeqCst);
        // A batch that was opened before the store found the thread armed: look once more.
        let until = expire();
        if until.is_some() {
            self.is_armed.store(true, Ordering::SeqCst);
        }
        until
    }

    fn expire(&self, core: &Core) -> Option<Instant> {
        #[cfg(test)]
        trap::here(&core.config.client_id, "expired");
        let (losses, next) = core.accumulator.expire(time::now());
        if losses.failed + losses.unknown > 0 {
            log::warn!(
                "delivery.timeout.ms passed for {} records ({} of them may be in the log)",
                losses.failed + losses.unknown,
                losses.unknown,
            );
        }
        next
    }

    /// Sleeps until `until` or until somebody arms; false once it is closed.
    fn sleep(&self, until: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return false;
            }
            if std::mem::take(&mut state.is_poked)
                || until.is_some_and(|until| until <= time::now())
            {
                return true;
            }
            state.is_ticking = state.is_ticking && self.clock.tick();
            let tick = state.is_ticking.then(|| time::now() + TICK);
            state = self
                .changed
                .wait(state, [until, tick].into_iter().flatten().min());
        }
    }
}

/// True if a thread that was to go on at `due` does so long after it.
fn is_late(due: Instant, now: Instant) -> bool {
    now.saturating_duration_since(due) > LATE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::Wait;
    use crate::accumulator::tests::bench::{known_topic, partition_of};
    use crate::broker::tests::core;
    use crate::config::Config;
    use crate::error::ErrorKind;
    use crate::record::Record;

    #[test]
    fn arming_wakes_the_thread_once() {
        let expiry = Expiry::default();
        expiry.arm();
        assert!(expiry.sleep(None));
        expiry.arm();
        assert!(!expiry.state.lock().is_poked, "it is awake as it is");
        expiry.is_armed.store(false, Ordering::SeqCst);
        expiry.arm();
        assert!(expiry.sleep(None));
        expiry.close();
        assert!(!expiry.sleep(None));
    }

    #[test]
    fn a_batch_that_finds_the_thread_armed_just_before_it_sleeps_is_seen() {
        let expiry = Expiry::default();
        expiry.arm();
        let mut batches = Vec::new();
        let due = time::now();
        let until = expiry.look(|| {
            let next = batches.first().copied();
            batches.push(due);
            expiry.arm();
            next
        });
        assert_eq!(until, Some(due));
        assert!(expiry.is_armed.load(Ordering::SeqCst));
        assert_eq!(expiry.look(|| None), None);
        assert!(!expiry.is_armed.load(Ordering::SeqCst));
    }

    /// One record at a time, each when the last has just failed: just when the thread is about to
    /// sleep for good.
    #[test]
    fn no_record_is_forgotten_when_the_thread_goes_to_sleep() {
        let config = Config::new("localhost:9092")
            .request_timeout(Duration::from_millis(1))
            .delivery_timeout(Duration::from_millis(1));
        let core = core(config);
        let view = known_topic(&core.accumulator, 1);
        let expiry = Expiry::default();
        std::thread::scope(|scope| {
            scope.spawn(|| expiry.run(&core));
            for _ in 0..300 {
                let record = Record::to("orders");
                let partition = &view.partitions[0];
                let appended = core
                    .accumulator
                    .append(partition, &record, 0, Wait::No("full"));
                let (delivery, is_first) = appended.expect("room").expect("in use");
                if is_first {
                    expiry.arm();
                }
                let result = delivery.wait_timeout(Duration::from_secs(60));
                let error = result.expect("forgotten").expect_err("nobody sends it");
                assert_eq!(error.kind(), ErrorKind::TimedOut);
            }
            expiry.close();
        });
        assert_eq!(core.metrics.snapshot(0).failed, 300);
        assert!(!partition_of(&core.accumulator).has_batches());
    }
}
