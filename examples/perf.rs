//! A load generator: how many records per second, how long each takes, and what it costs.
//!
//! ```text
//! cargo run --release --example perf
//! cargo run --release --example perf -- --bootstrap localhost:9092 --seconds 10 --size 1000
//! ```
//!
//! The first needs no Kafka: it starts a broker that takes all records and keeps none.

mod support;

#[path = "support/histogram.rs"]
mod histogram;
#[path = "support/measured.rs"]
mod measured;
#[path = "support/null_broker.rs"]
mod null_broker;
#[path = "support/payloads.rs"]
mod payloads;
#[path = "support/perf_options.rs"]
mod perf_options;
#[path = "support/progress.rs"]
mod progress;
#[cfg(test)]
#[path = "support/perf_tests.rs"]
mod tests;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use milena::{Config, Error, Producer, Record};

use histogram::Histogram;
use measured::{Report, cpu_time, resident_peak};
use null_broker::NullBroker;
use payloads::{Payloads, put_key};
use perf_options::{Mode, Options, Task, USAGE};
use progress::Ticker;

type AnyError = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    // The first line of the program: the runtime is up some 1 ms after the process began.
    let start = Instant::now();
    support::log_to_stderr();
    let done = match Task::parse(std::env::args_os().skip(1).collect()) {
        Ok(Task::Help) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Ok(Task::ServeNull(topic, partitions)) => {
            let served = null_broker::serve(&topic, partitions);
            served.map(|()| true).map_err(AnyError::from)
        }
        Ok(Task::Measure(options)) => measure(&options, start).map(|report| {
            match options.json {
                true => println!("{}", report.json()),
                false => print!("{}", report.text()),
            }
            report.not_delivered == 0
        }),
        Err(error) => return support::usage_error(error),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts a broker if none is named, and measures.
fn measure(options: &Options, start: Instant) -> Result<Report, AnyError> {
    let Some(partitions) = options.null_partitions else {
        return run(options, start, options.settings.config()?, None);
    };
    let began = Instant::now();
    let broker = NullBroker::start(&options.topic, partitions);
    let broker = broker.map_err(|error| format!("the null broker does not start: {error}"))?;
    // A cluster would have been there before.
    let start = start + began.elapsed();
    let config = options.settings.config()?;
    let config = config.set("bootstrap.servers", broker.address())?;
    run(options, start, config, Some(broker.process()))
}

fn run(
    options: &Options,
    start: Instant,
    config: Config,
    broker: Option<u32>,
) -> Result<Report, AnyError> {
    let producer = Producer::new(config)?;
    // Before there are payloads: to make them takes longer than to send one.
    let record = Record::to(&options.topic).value("first");
    producer.send(record).wait()?;
    let (first, before) = (start.elapsed(), producer.metrics());

    let load = Load {
        producer: &producer,
        options,
        payloads: Payloads::new(options.size),
        latencies: Arc::new(Histogram::new()),
        stop: AtomicBool::new(false),
    };
    let cpu = |process| cpu_time(process);
    let own = std::process::id();
    let (began, own_before, broker_before) = (Instant::now(), cpu(own), broker.and_then(cpu));
    load.send_all()?;
    let (elapsed, own_after, broker_after) = (began.elapsed(), cpu(own), broker.and_then(cpu));
    let used = |before: Option<Duration>, after: Option<Duration>| {
        after
            .zip(before)
            .map(|(after, before)| after.saturating_sub(before))
    };
    let (metrics, end) = (producer.metrics(), producer.close()?);
    Ok(Report {
        first,
        threads: options.threads,
        records: end.delivered.saturating_sub(1),
        not_delivered: end.failed + end.unknown,
        bytes: options.size as u64,
        elapsed,
        cpu: used(own_before, own_after),
        broker_cpu: used(broker_before, broker_after),
        requests: metrics.requests - before.requests,
        request_bytes: metrics.request_bytes - before.request_bytes,
        batches: metrics.batches - before.batches,
        retries: metrics.retries,
        latencies: load.latencies.counts(),
        resident_peak: resident_peak(),
    })
}

/// What the sending threads share.
struct Load<'a> {
    producer: &'a Producer,
    options: &'a Options,
    payloads: Payloads,
    latencies: Arc<Histogram>,
    /// Set when the time is over.
    stop: AtomicBool,
}

impl Load<'_> {
    /// Sends with all threads, and waits until all has come to an end.
    fn send_all(&self) -> Result<(), Error> {
        if self.options.mode == Mode::First {
            return Ok(());
        }
        let ticker = Ticker {
            progress: self.options.progress,
            producer: self.producer,
            latencies: &self.latencies,
            stop: &self.stop,
            limit: self.options.limit,
            value_len: self.options.size,
        };
        let (running, ended) = channel();
        thread::scope(|scope| {
            scope.spawn(move || ticker.run(&ended));
            let threads = 0..self.options.threads as u64;
            let began = Instant::now();
            let send = move |number| {
                // If one fails, the others need not go on.
                let failed = |_: &Error| self.stop.store(true, Ordering::Relaxed);
                self.send(number, began).inspect_err(failed)
            };
            let threads = threads.map(|number| scope.spawn(move || send(number)));
            let threads: Vec<_> = threads.collect();
            let sent = threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("a sending thread does not panic"));
            let flushed = sent.and_then(|()| self.producer.flush());
            drop(running);
            flushed
        })
    }

    /// Sends what is one thread's.
    fn send(&self, thread: u64, began: Instant) -> Result<(), Error> {
        match self.options.mode {
            Mode::Throughput if self.options.has_latency => self.each(thread, |_, record| {
                self.send_timed(record, Instant::now());
                Ok(())
            }),
            // Nobody looks at single results: the report of `close` counts them.
            Mode::Throughput => self.each(thread, |_, record| {
                drop(self.producer.send(record));
                Ok(())
            }),
            Mode::Rate(rate) => self.each(thread, |number, record| {
                let due = began + Duration::from_secs_f64(number as f64 / rate);
                let early = due.saturating_duration_since(Instant::now());
                if !early.is_zero() {
                    thread::sleep(early);
                }
                self.send_timed(record, due);
                Ok(())
            }),
            Mode::Sync | Mode::First => self.each(thread, |_, record| {
                let sent = Instant::now();
                self.producer.send(record).wait()?;
                self.latencies.add(sent.elapsed());
                Ok(())
            }),
        }
    }

    fn send_timed(&self, record: Record<'_>, since: Instant) {
        let latencies = Arc::clone(&self.latencies);
        self.producer.send_with(record, move |result| {
            if result.is_ok() {
                latencies.add(since.elapsed());
            }
        });
    }

    /// Calls `send` with each record of a thread, as long as there is time.
    fn each(
        &self,
        thread: u64,
        mut send: impl FnMut(u64, Record<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut key = [0; 12];
        for number in (thread..self.options.records).step_by(self.options.threads) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let record = self.record(number);
            match self.options.keys {
                None => send(number, record)?,
                Some(distinct) => {
                    put_key(&mut key, number, distinct);
                    send(number, record.key(&key))?;
                }
            }
        }
        Ok(())
    }

    /// A record without a key.
    fn record(&self, number: u64) -> Record<'_> {
        Record::to(&self.options.topic).value(self.payloads.of(number))
    }
}
