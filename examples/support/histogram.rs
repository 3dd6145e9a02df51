//! Latencies without a list of them: counts in buckets of growing width, in 19 KB.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Each power of two has so many buckets, so a percentile is too high by at most 1/64 of itself.
const BUCKETS_PER_POWER: u64 = 1 << SHIFT_MIN;
const SHIFT_MIN: u32 = 6;
/// What is longer, an hour and more, counts as this.
const NANOS_MAX: u64 = (1 << 42) - 1;

/// Counts that any thread may add to.
pub(crate) struct Histogram {
    counts: Box<[AtomicU64]>,
    max: AtomicU64,
}

/// What a [`Histogram`] had counted at some time, or between two times.
#[derive(Clone)]
pub(crate) struct Counts {
    counts: Vec<u64>,
    max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            counts: (0..=bucket(NANOS_MAX)).map(|_| AtomicU64::new(0)).collect(),
            max: AtomicU64::new(0),
        }
    }

    pub(crate) fn add(&self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(NANOS_MAX);
        let nanos = nanos.min(NANOS_MAX);
        self.counts[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
        // A load is cheaper than a change, which most latencies do not make.
        if self.max.load(Ordering::Relaxed) < nanos {
            self.max.fetch_max(nanos, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let counts = self.counts.iter();
        Counts {
            counts: counts.map(|count| count.load(Ordering::Relaxed)).collect(),
            max: self.max.load(Ordering::Relaxed),
        }
    }
}

impl Counts {
    /// What was added after `earlier`; the maximum is that of all.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let pairs = self.counts.iter().zip(&earlier.counts);
        Self {
            counts: pairs.map(|(now, then)| now - then).collect(),
            max: self.max,
        }
    }

    /// The latency that this share of all is no longer than; `None` if there is none.
    pub(crate) fn percentile(&self, share: f64) -> Option<Duration> {
        let total: u64 = self.counts.iter().sum();
        let rank = ((total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        reached.map(|bucket| Duration::from_nanos(last_of(bucket).min(self.max)))
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = nanos.max(1).ilog2().saturating_sub(SHIFT_MIN);
    (u64::from(shift) * BUCKETS_PER_POWER + (nanos >> shift)) as usize
}

/// The longest latency of a bucket.
fn last_of(bucket: usize) -> u64 {
    let shift = (bucket as u64 / BUCKETS_PER_POWER).saturating_sub(1);
    let first = bucket as u64 - shift * BUCKETS_PER_POWER;
    ((first + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_at_most_a_64th_wide_and_follows_the_one_before() {
        let powers = (0..42).map(|power| 1_u64 << power);
        let near = powers.flat_map(|power| {
            let parts = (0..64).map(move |part| power + power * part / 64);
            parts.flat_map(|value| [value - 1, value, value + 1])
        });
        for nanos in near.filter(|nanos| *nanos <= NANOS_MAX) {
            let bucket = bucket(nanos);
            let last = last_of(bucket);
            let too_high = last - nanos;
            assert!(too_high * 64 <= nanos, "{nanos} counts as {last}");
            assert_eq!(super::bucket(last), bucket);
            assert_eq!(super::bucket(last + 1), bucket + 1);
        }
        assert_eq!(last_of(bucket(NANOS_MAX)), NANOS_MAX);
    }

    /// Against the exact answer: the sorted latencies.
    #[test]
    fn percentiles_are_those_of_the_sorted_latencies_within_a_64th() {
        let histogram = Histogram::new();
        let mut all: Vec<u64> = (1..=10_000_u64).map(|n| n * n % 7919 * n + n).collect();
        for nanos in &all {
            histogram.add(Duration::from_nanos(*nanos));
        }
        all.sort_unstable();
        let counts = histogram.counts();
        for (share, rank) in [
            (0.5, 5000),
            (0.95, 9500),
            (0.99, 9900),
            (0.999, 9990),
            (1.0, 10_000),
        ] {
            let exact = all[rank - 1];
            let told = counts.percentile(share).expect("there are some").as_nanos() as u64;
            assert!(
                (exact..=exact + exact / 64).contains(&told),
                "{share}: {told} for {exact}"
            );
        }
        assert_eq!(
            counts.percentile(1.0),
            Some(Duration::from_nanos(all[9999]))
        );
    }

    #[test]
    fn what_is_extreme_has_a_bucket_and_what_is_absent_no_percentile() {
        let histogram = Histogram::new();
        assert_eq!(histogram.counts().percentile(0.5), None);
        histogram.add(Duration::ZERO);
        let early = histogram.counts();
        assert_eq!(early.percentile(0.99), Some(Duration::ZERO));
        histogram.add(Duration::MAX);
        let late = histogram.counts().since(&early);
        assert_eq!(late.percentile(0.01), Some(Duration::from_nanos(NANOS_MAX)));
    }
}
