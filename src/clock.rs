//! The time of a send, without asking the system for it millions of times a second.

use std::cell::Cell;
use std::sync::atomic::AtomicI64;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread_local;
use crate::time;

/// The wall clock, as sends read it.
///
/// To ask the system takes longer than to copy a short record. So while a thread sends fast,
/// another keeps the time, a millisecond exact, for as long as somebody reads it. If that one is
/// late, a sending thread finds out with its next [`EACH`] records.
#[derive(Debug)]
pub(crate) struct Clock {
    kept_ms: AtomicI64,
    /// Since the last tick.
    is_read: AtomicBool,
}

const NOT_KEPT: i64 = i64::MIN;
/// A thread asks the system for each of so many records all the same.
const EACH: u32 = 16;
/// Worth keeping for: so many records in a millisecond or two.
const FAST: u32 = 256;

thread_local! {
    static SENT: Cell<Sent> = const { Cell::new(Sent { count: 0, since_ms: 0 }) };
}

/// What a thread has sent.
#[derive(Clone, Copy)]
struct Sent {
    count: u32,
    /// When the count last was a multiple of [`FAST`].
    since_ms: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            kept_ms: AtomicI64::new(NOT_KEPT),
            is_read: AtomicBool::new(false),
        }
    }
}

impl Clock {
    /// The time for a record that is sent. `keep` is called if this thread sends so fast that
    /// somebody should [`tick`](Self::tick) every millisecond.
    #[inline]
    pub(crate) fn now_ms(&self, keep: impl FnOnce()) -> i64 {
        let mut sent = SENT.with(Cell::get);
        sent.count = sent.count.wrapping_add(1);
        let kept = self.kept_ms.load(Ordering::Relaxed);
        if kept == NOT_KEPT || sent.count.is_multiple_of(EACH) {
            return self.ask(sent, kept, keep);
        }
        SENT.with(|place| place.set(sent));
        if !self.is_read.load(Ordering::Relaxed) {
            self.is_read.store(true, Ordering::Relaxed);
        }
        kept
    }

    fn ask(&self, mut sent: Sent, kept: i64, keep: impl FnOnce()) -> i64 {
        let now = time::wall_clock_ms();
        if kept != NOT_KEPT && kept != now {
            let (order, orderly) = (Ordering::Relaxed, Ordering::Relaxed);
            // Unless nobody keeps it any more.
            let _ = self.kept_ms.compare_exchange(kept, now, order, orderly);
        }
        if sent.count.is_multiple_of(FAST) {
            if kept == NOT_KEPT && (0..=1).contains(&now.wrapping_sub(sent.since_ms)) {
                self.is_read.store(true, Ordering::Relaxed);
                keep();
            }
            sent.since_ms = now;
        }
        SENT.with(|place| place.set(sent));
        now
    }

    /// Notes the time; false, and nobody keeps it any more, if it was not read since the last tick.
    pub(crate) fn tick(&self) -> bool {
        let is_read = self.is_read.swap(false, Ordering::Relaxed);
        self.kept_ms.store(
            match is_read {
                true => time::wall_clock_ms(),
                false => NOT_KEPT,
            },
            Ordering::Relaxed,
        );
        is_read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::virtual_clock;
    use std::time::Duration;

    /// Sends `count` records at `ms`; their times, and how often a keeper was asked for.
    fn send(clock: &Clock, count: u32, ms: u64) -> (Vec<i64>, u32) {
        virtual_clock::set(Duration::from_millis(ms));
        let mut asked = 0;
        let times = (0..count).map(|_| clock.now_ms(|| asked += 1) - START);
        (times.collect(), asked)
    }

    const START: i64 = 1_700_000_000_000;

    fn on_a_new_thread(test: impl FnOnce(&Clock) + Send) {
        let run = || {
            virtual_clock::start(0);
            test(&Clock::default());
        };
        std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"));
    }

    #[test]
    fn a_thread_that_sends_now_and_then_asks_for_every_record() {
        on_a_new_thread(|clock| {
            for ms in 0..2000 {
                assert_eq!(send(clock, 100, 2 * ms), (vec![2 * ms as i64; 100], 0));
            }
        });
    }

    #[test]
    fn while_it_is_kept_the_time_is_that_of_the_last_tick_or_of_the_last_record_that_asked() {
        on_a_new_thread(|clock| {
            assert_eq!(send(clock, 256, 5).1, 0);
            assert_eq!(send(clock, 256, 6).1, 1, "fast");
            assert!(clock.tick());
            assert_eq!(send(clock, 15, 7), (vec![6; 15], 0));
            assert_eq!(
                send(clock, 3, 8).0,
                [8, 8, 8],
                "one asks, the others see it"
            );
            virtual_clock::set(Duration::from_millis(9));
            assert!(clock.tick());
            assert_eq!(send(clock, 1, 9).0, [9]);
        });
    }

    #[test]
    fn a_clock_that_nobody_reads_is_kept_no_longer() {
        on_a_new_thread(|clock| {
            send(clock, 512, 5);
            assert!(clock.tick() && !clock.tick());
            for ms in [700, 800] {
                assert_eq!(send(clock, 20, ms), (vec![ms as i64; 20], 0));
            }
        });
    }
}
