//! What the load generator has measured, for people and for programs.

use std::time::Duration;

/// How a run went.
pub(crate) struct Report {
    pub(crate) first: Duration,
    pub(crate) records: u64,
    pub(crate) not_delivered: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Option<Duration>,
    pub(crate) requests: u64,
    pub(crate) retries: u64,
    pub(crate) latencies: Option<Latencies>,
}

impl Report {
    pub(crate) fn text(&self) -> String {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let mut text = format!(
            "first record acknowledged {:.1} ms after the start\n",
            ms(self.first)
        );
        if self.records > 0 {
            text += &format!(
                "{} records in {:.3} s: {:.0} records/s, {:.1} MB/s, {:.1} records a request\n",
                self.records,
                self.elapsed.as_secs_f64(),
                self.records_per_second(),
                self.records_per_second() * self.bytes as f64 / 1e6,
                self.records as f64 / self.requests.max(1) as f64,
            );
        }
        if let Some(Latencies {
            p50,
            p99,
            p999,
            max,
        }) = self.latencies
        {
            text += &format!("latency in µs: p50 {p50}, p99 {p99}, p99.9 {p999}, max {max}\n");
        }
        if let Some(cpu) = self.cpu_per_record() {
            text += &format!("{cpu:.0} ns of CPU a record, user and system\n");
        }
        if self.not_delivered + self.retries > 0 {
            let (lost, retries) = (self.not_delivered, self.retries);
            text += &format!("{lost} records were not delivered, {retries} batches sent again\n");
        }
        text
    }

    pub(crate) fn json(&self) -> String {
        let number =
            |value: Option<f64>| value.map_or("null".to_owned(), |value| format!("{value:.3}"));
        let latency = |pick: fn(&Latencies) -> u32| {
            number(self.latencies.as_ref().map(|all| pick(all).into()))
        };
        let fields = [
            ("first_ms", number(Some(self.first.as_secs_f64() * 1e3))),
            ("records", self.records.to_string()),
            ("not_delivered", self.not_delivered.to_string()),
            ("value_bytes", self.bytes.to_string()),
            ("seconds", number(Some(self.elapsed.as_secs_f64()))),
            (
                "records_per_second",
                number(Some(self.records_per_second())),
            ),
            ("requests", self.requests.to_string()),
            ("retries", self.retries.to_string()),
            ("cpu_ns_per_record", number(self.cpu_per_record())),
            ("p50_us", latency(|all| all.p50)),
            ("p99_us", latency(|all| all.p99)),
            ("p99_9_us", latency(|all| all.p999)),
            ("max_us", latency(|all| all.max)),
        ];
        let fields = fields.map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", fields.join(","))
    }

    fn records_per_second(&self) -> f64 {
        self.records as f64 / self.elapsed.as_secs_f64()
    }

    fn cpu_per_record(&self) -> Option<f64> {
        let cpu = self.cpu.filter(|_| self.records > 0)?;
        Some(cpu.as_secs_f64() * 1e9 / self.records as f64)
    }
}

/// In microseconds.
pub(crate) struct Latencies {
    p50: u32,
    p99: u32,
    p999: u32,
    max: u32,
}

impl Latencies {
    pub(crate) fn of(mut all: Vec<u32>) -> Option<Self> {
        all.sort_unstable();
        let last = all.len().checked_sub(1)?;
        // The value that this share of all is no larger than.
        let at = |share: f64| all[((all.len() as f64 * share).ceil() as usize - 1).min(last)];
        let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
        let max = all[last];
        Some(Self {
            p50,
            p99,
            p999,
            max,
        })
    }
}

/// User and system time of this process; `None` where there is no `/proc`.
pub(crate) fn cpu_time() -> Option<Duration> {
    /// Ticks a second of the fields in `/proc`, on every Linux that Rust runs on.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the program's name, is in parentheses and may have blanks of its own.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64((user + system) / TICKS))
}
