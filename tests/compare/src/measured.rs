//! What a process measures of itself.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// The part of a run that counts.
pub(crate) struct Phase {
    began: Instant,
    cpu: Duration,
}

impl Phase {
    pub(crate) fn start() -> Self {
        Self {
            began: Instant::now(),
            cpu: cpu_time(),
        }
    }

    pub(crate) fn end(self) -> Spent {
        Spent {
            wall: self.began.elapsed(),
            cpu: cpu_time().saturating_sub(self.cpu),
        }
    }
}

pub(crate) struct Spent {
    pub(crate) wall: Duration,
    /// User and system.
    pub(crate) cpu: Duration,
}

/// User and system time of this process.
pub(crate) fn cpu_time() -> Duration {
    let of = |time: TimeVal| {
        let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    };
    match getrusage(UsageWho::RUSAGE_SELF) {
        Ok(usage) => of(usage.user_time()) + of(usage.system_time()),
        Err(_) => Duration::ZERO,
    }
}

/// The same of another process, in steps of 10 ms.
pub(crate) fn cpu_time_of(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field, the program's name, is in parentheses and may have blanks of its own.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

/// The most memory that was resident, in bytes. Its counterpart in `getrusage` has the parent's.
pub(crate) fn peak_resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// The value that this share of all is no larger than.
pub(crate) fn percentile(sorted: &[u32], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let index = (sorted.len() as f64 * share).ceil() as usize;
    Some(f64::from(sorted[index.saturating_sub(1).min(last)]))
}
