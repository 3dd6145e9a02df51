//! Deadlines and back-off; the only file that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if let Some(now) = virtual_clock::now() {
        return now;
    }
    Instant::now()
}

/// Wall-clock time in milliseconds since 1970, as record timestamps carry it.
pub(crate) fn wall_clock_ms() -> i64 {
    #[cfg(test)]
    if let Some(ms) = virtual_clock::wall_clock_ms() {
        return ms;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// `start + length`, or `None` (never) where that is past what the clock can tell.
pub(crate) fn after(start: Instant, length: Duration) -> Option<Instant> {
    start.checked_add(length)
}

/// The moment until which a call may take, with what its error message needs to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn new(start: Instant, limit: Duration) -> Self {
        Self { start, limit }
    }

    /// A deadline that is `limit` from now.
    pub(crate) fn within(limit: Duration) -> Self {
        Self::new(now(), limit)
    }

    /// The moment it passes; `None` is never.
    pub(crate) fn at(&self) -> Option<Instant> {
        after(self.start, self.limit)
    }

    pub(crate) fn has_passed(&self, now: Instant) -> bool {
        self.at().is_some_and(|at| at <= now)
    }

    /// What is left, zero once it has passed.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.limit
            .saturating_sub(now.saturating_duration_since(self.start))
    }

    pub(crate) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// The same, with so much more time.
    pub(crate) fn longer_by(self, pause: Duration) -> Self {
        Self::new(self.start, self.limit.saturating_add(pause))
    }
}

/// Exponential back-off with jitter (KIP-580): `base * 2^(attempt - 1)`, at most `max`, give or
/// take 20 %.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) base: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The pause after failure number `attempt` (from 1). `jitter` is a random number in 0..1.
    pub(crate) fn delay(&self, attempt: u32, jitter: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        let whole = self
            .base
            .saturating_mul(1 << doublings)
            .min(self.max.max(self.base));
        let seconds = whole.as_secs_f64() * (0.8 + 0.4 * jitter.clamp(0.0, 1.0));
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// A random number in 0..1, good enough to spread retries.
pub(crate) fn jitter() -> f64 {
    #[cfg(test)]
    if let Some(jitter) = virtual_clock::jitter() {
        return jitter;
    }
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(now()) as f64 / u64::MAX as f64
}

/// `1.5s`, `300ms`: a duration as messages show it.
pub(crate) fn human(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms < 1000 {
        format!("{ms} ms")
    } else if ms.is_multiple_of(1000) {
        format!("{} s", ms / 1000)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// A clock and a source of jitter of the current thread's own, so that a simulated run depends on
/// nothing but its seed.
#[cfg(test)]
pub(crate) mod virtual_clock {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    const WALL_CLOCK_START_MS: i64 = 1_700_000_000_000;

    thread_local! {
        static START: Cell<Option<Instant>> = const { Cell::new(None) };
        static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
        static JITTER: Cell<u64> = const { Cell::new(0) };
    }

    /// From here on this thread sees the virtual clock, which stands still until [`set`].
    pub(crate) fn start(seed: u64) -> Instant {
        // Far enough from the clock's own start for every time-out to be subtracted from it.
        let start = Instant::now() + Duration::from_secs(1 << 20);
        START.set(Some(start));
        PASSED.set(Duration::ZERO);
        JITTER.set(seed);
        start
    }

    pub(crate) fn set(passed: Duration) {
        PASSED.set(passed);
    }

    pub(crate) fn stop() {
        START.set(None);
    }

    pub(super) fn now() -> Option<Instant> {
        START.get().map(|start| start + PASSED.get())
    }

    pub(super) fn wall_clock_ms() -> Option<i64> {
        START.get()?;
        Some(WALL_CLOCK_START_MS + PASSED.get().as_millis() as i64)
    }

    pub(super) fn jitter() -> Option<f64> {
        START.get()?;
        let next = JITTER
            .get()
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        JITTER.set(next);
        Some((next >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_to_its_limit_within_its_jitter() {
        let backoff = Backoff {
            base: Duration::from_millis(100),
            max: Duration::from_secs(1),
        };
        for (attempt, whole) in [
            (1, 100.0),
            (2, 200.0),
            (3, 400.0),
            (4, 800.0),
            (5, 1000.0),
            (99, 1000.0),
        ] {
            let least = backoff.delay(attempt, 0.0).as_secs_f64() * 1000.0;
            let most = backoff.delay(attempt, 1.0).as_secs_f64() * 1000.0;
            assert!((least - whole * 0.8).abs() < 1e-6 && (most - whole * 1.2).abs() < 1e-6);
        }
    }

    #[test]
    fn a_back_off_without_bounds_is_the_longest_there_is() {
        let backoff = Backoff {
            base: Duration::MAX,
            max: Duration::MAX,
        };
        for jitter in [0.5, 1.0, f64::MAX] {
            assert_eq!(backoff.delay(u32::MAX, jitter), Duration::MAX);
        }
        assert!(backoff.delay(0, 0.0) < Duration::MAX);
    }

    #[test]
    fn a_deadline_beyond_the_clock_never_passes() {
        let deadline = Deadline::within(Duration::MAX);
        assert!(deadline.at().is_none() && !deadline.has_passed(now()));
    }

    #[test]
    fn durations_read_as_a_person_writes_them() {
        let shown = [0, 300, 1000, 1500].map(|ms| human(Duration::from_millis(ms)));
        assert_eq!(shown, ["0 ms", "300 ms", "1 s", "1.5 s"]);
    }
}
