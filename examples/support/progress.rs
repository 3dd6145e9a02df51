//! What happens while it happens: a line each second, and the end after so many.

use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use milena::Producer;

use crate::histogram::{Counts, Histogram};
use crate::measured::micros;

/// How the line is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Hidden,
    /// Over the one before.
    InPlace,
    /// Below the one before.
    Lines,
}

pub(crate) struct Ticker<'a> {
    pub(crate) progress: Progress,
    pub(crate) producer: &'a Producer,
    pub(crate) latencies: &'a Histogram,
    /// Set when the time is over.
    pub(crate) stop: &'a AtomicBool,
    pub(crate) limit: Option<Duration>,
    pub(crate) value_len: usize,
}

const PERIOD: Duration = Duration::from_secs(1);

impl Progress {
    /// Shown if it is wanted, or if somebody looks.
    pub(crate) fn choose(is_wanted: bool) -> Self {
        match (stderr().is_terminal(), is_wanted) {
            (true, _) => Self::InPlace,
            (false, true) => Self::Lines,
            (false, false) => Self::Hidden,
        }
    }
}

impl Ticker<'_> {
    /// Ticks until `ended` has no sender any more.
    pub(crate) fn run(&self, ended: &Receiver<()>) {
        let began = Instant::now();
        let stop_at = self.limit.map(|limit| began + limit);
        let mut next = began + PERIOD;
        let mut last = self.now();
        loop {
            let stop_at = stop_at.filter(|_| !self.stop.load(Ordering::Relaxed));
            let until = stop_at.map_or(next, |stop_at| stop_at.min(next));
            let pause = until.saturating_duration_since(Instant::now());
            if ended.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                break;
            }
            if stop_at.is_some_and(|stop_at| stop_at <= Instant::now()) {
                self.stop.store(true, Ordering::Relaxed);
            }
            if next <= Instant::now() {
                let now = self.now();
                self.show(&line(began.elapsed(), &now, &last, self.value_len));
                (last, next) = (now, next + PERIOD);
            }
        }
        if self.progress == Progress::InPlace && began.elapsed() > PERIOD {
            eprintln!();
        }
    }

    fn now(&self) -> Tick {
        let metrics = self.producer.metrics();
        Tick {
            at: Instant::now(),
            delivered: metrics.delivered,
            retries: metrics.retries,
            buffered: metrics.buffered_bytes,
            latencies: self.latencies.counts(),
        }
    }

    fn show(&self, line: &str) {
        match self.progress {
            Progress::Hidden => {}
            // The end of the line before is cleared.
            Progress::InPlace => {
                eprint!("\r{line}\x1b[K");
                let _ = stderr().flush();
            }
            Progress::Lines => eprintln!("{line}"),
        }
    }
}

struct Tick {
    at: Instant,
    delivered: u64,
    retries: u64,
    buffered: u64,
    latencies: Counts,
}

fn line(elapsed: Duration, now: &Tick, last: &Tick, value_len: usize) -> String {
    let seconds = (now.at - last.at).as_secs_f64();
    let rate = (now.delivered - last.delivered) as f64 / seconds;
    let mut line = format!(
        "{:.0} s: {rate:.0} records/s, {:.1} MB/s",
        elapsed.as_secs_f64(),
        rate * value_len as f64 / 1e6
    );
    let latencies = now.latencies.since(&last.latencies);
    if let (Some(p50), Some(p99)) = (latencies.percentile(0.5), latencies.percentile(0.99)) {
        line += &format!(", p50 {:.0} µs, p99 {:.0} µs", micros(p50), micros(p99));
    }
    line + &format!(
        ", {:.1} MB in the buffer, {} batches sent again",
        now.buffered as f64 / 1e6,
        now.retries
    )
}
