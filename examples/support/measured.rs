//! What the load generator has measured, for people and for programs.

use std::fs;
use std::time::Duration;

use crate::histogram::Counts;

/// How a run went.
pub(crate) struct Report {
    pub(crate) first: Duration,
    pub(crate) threads: usize,
    pub(crate) records: u64,
    pub(crate) not_delivered: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Option<Duration>,
    /// Of the broker, if it is our own.
    pub(crate) broker_cpu: Option<Duration>,
    pub(crate) requests: u64,
    pub(crate) request_bytes: u64,
    pub(crate) batches: u64,
    pub(crate) retries: u64,
    pub(crate) latencies: Counts,
    pub(crate) resident_peak: Option<u64>,
}

const SHARES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("max", 1.0),
];

impl Report {
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "first record acknowledged {:.1} ms after the start\n",
            self.first.as_secs_f64() * 1e3
        );
        if self.records > 0 {
            text += &format!(
                "{} records in {:.3} s: {:.0} records/s, {:.1} MB/s\n",
                self.records,
                self.elapsed.as_secs_f64(),
                self.records_per_second(),
                self.megabytes_per_second(),
            );
            text += &format!(
                "{:.1} records a batch, {:.1} a request, {:.1} bytes a record on the wire\n",
                self.records as f64 / self.batches.max(1) as f64,
                self.records as f64 / self.requests.max(1) as f64,
                self.per_record(self.request_bytes as f64),
            );
        }
        let latencies = SHARES.map(|(name, share)| {
            let latency = self.latencies.percentile(share);
            latency.map(|latency| format!("{name} {:.1}", micros(latency)))
        });
        let latencies: Vec<_> = latencies.into_iter().flatten().collect();
        if !latencies.is_empty() {
            text += &format!("latency in µs: {}\n", latencies.join(", "));
        }
        if let Some(cpu) = self.nanos_per_record(self.cpu) {
            text += &format!("{cpu:.0} ns of CPU a record, user and system");
            if let Some(broker) = self.nanos_per_record(self.broker_cpu) {
                text += &format!(" (the broker beside it: {broker:.0} ns)");
            }
            text += "\n";
        }
        if let Some(bytes) = self.resident_peak {
            text += &format!("{:.1} MB resident at most\n", bytes as f64 / 1e6);
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
        let fields = [
            ("first_ms", number(Some(self.first.as_secs_f64() * 1e3))),
            ("threads", self.threads.to_string()),
            ("records", self.records.to_string()),
            ("not_delivered", self.not_delivered.to_string()),
            ("value_bytes", self.bytes.to_string()),
            ("seconds", number(Some(self.elapsed.as_secs_f64()))),
            (
                "records_per_second",
                number(Some(self.records_per_second())),
            ),
            (
                "megabytes_per_second",
                number(Some(self.megabytes_per_second())),
            ),
            ("requests", self.requests.to_string()),
            ("request_bytes", self.request_bytes.to_string()),
            ("batches", self.batches.to_string()),
            ("retries", self.retries.to_string()),
            ("cpu_ns_per_record", number(self.nanos_per_record(self.cpu))),
            (
                "broker_cpu_ns_per_record",
                number(self.nanos_per_record(self.broker_cpu)),
            ),
            (
                "resident_peak_bytes",
                self.resident_peak
                    .map_or("null".to_owned(), |bytes| bytes.to_string()),
            ),
        ];
        let fields = fields.map(|(name, value)| format!("\"{name}\":{value}"));
        let latencies = SHARES.map(|(name, share)| {
            let value = number(self.latencies.percentile(share).map(micros));
            format!("\"{}_us\":{value}", name.replace('.', "_"))
        });
        format!("{{{},{}}}", fields.join(","), latencies.join(","))
    }

    fn records_per_second(&self) -> f64 {
        self.records as f64 / self.elapsed.as_secs_f64()
    }

    fn megabytes_per_second(&self) -> f64 {
        self.records_per_second() * self.bytes as f64 / 1e6
    }

    fn nanos_per_record(&self, cpu: Option<Duration>) -> Option<f64> {
        let cpu = cpu.filter(|_| self.records > 0)?;
        Some(self.per_record(cpu.as_secs_f64() * 1e9))
    }

    fn per_record(&self, amount: f64) -> f64 {
        amount / self.records.max(1) as f64
    }
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// User and system time of a process so far; `None` where there is no `/proc`.
pub(crate) fn cpu_time(process: u32) -> Option<Duration> {
    /// Ticks a second of the fields in `/proc`, on every Linux that Rust runs on.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field, the program's name, is in parentheses and may have blanks of its own.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64((user + system) / TICKS))
}

/// The most memory that this process had at once, in bytes.
pub(crate) fn resident_peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}
