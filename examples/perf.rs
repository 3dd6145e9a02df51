//! A load generator: how many records per second, how long each takes, and what it costs.
//!
//! ```text
//! cargo run --release --example perf -- --bootstrap localhost:9092 --records 1000000 --size 100
//! ```

mod support;

#[path = "support/measured.rs"]
mod measured;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use milena::{Error, Producer, Record};

use measured::{Latencies, Report, cpu_time};
use support::Settings;

const USAGE: &str = "Sends records and measures.

usage: perf --bootstrap HOST:PORT[,...] [OPTION...]

  --mode MODE      throughput  as many records as the cluster takes (default)
                   sync        one thread, which waits for each record before it sends the next
                   rate        --rate records a second; latency counts from the time a record was
                               due, so a producer that falls behind cannot hide it
                   first       one record in a new process
  --rate NUMBER    records a second; chooses the mode rate
  --topic TOPIC    the topic, else \"perf\"
  --records NUMBER how many, else 1000000 (throughput) or 10000 (sync, rate)
  --size BYTES     the size of a value, else 100
  --config FILE    a properties file with settings
  --property N=V   one setting, such as acks=all or linger.ms=5
  --json           one JSON object instead of lines

Exit code: 0, or 1 if a record was not delivered; the default settings do not retry.";

fn main() -> ExitCode {
    // The first line of the program: the runtime is up some 1 ms after the process began.
    let start = Instant::now();
    support::log_to_stderr();
    let options = match Options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return support::usage_error(error),
    };
    let report = match run(&options, start) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match options.json {
        true => println!("{}", report.json()),
        false => print!("{}", report.text()),
    }
    match report.not_delivered {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn run(options: &Options, start: Instant) -> Result<Report, Error> {
    let producer = Producer::new(options.settings.config()?)?;
    let value = vec![b'x'; options.size];
    let record = || Record::to(&options.topic).value(&value);

    producer.send(record()).wait()?;
    let first = start.elapsed();

    let (began, cpu_before) = (Instant::now(), cpu_time());
    let latencies = match options.mode {
        Mode::First => Vec::new(),
        Mode::Throughput => throughput(&producer, options.records, record)?,
        Mode::Sync => sync(&producer, options.records, record)?,
        Mode::Rate(rate) => paced(&producer, options.records, rate, record)?,
    };
    let (elapsed, cpu_after) = (began.elapsed(), cpu_time());
    let metrics = producer.metrics();
    let end = producer.close()?;
    Ok(Report {
        first,
        records: end.delivered.saturating_sub(1),
        not_delivered: end.failed + end.unknown,
        bytes: options.size as u64,
        elapsed,
        cpu: cpu_after
            .zip(cpu_before)
            .map(|(after, before)| after.saturating_sub(before)),
        requests: metrics.requests.saturating_sub(1),
        retries: metrics.retries,
        latencies: Latencies::of(latencies),
    })
}

/// Nobody looks at single results: the report of `close` counts them.
fn throughput<'a>(
    producer: &Producer,
    records: u64,
    record: impl Fn() -> Record<'a>,
) -> Result<Vec<u32>, Error> {
    for _ in 0..records {
        drop(producer.send(record()));
    }
    producer.flush()?;
    Ok(Vec::new())
}

fn sync<'a>(
    producer: &Producer,
    records: u64,
    record: impl Fn() -> Record<'a>,
) -> Result<Vec<u32>, Error> {
    let mut latencies = Vec::new();
    for _ in 0..records {
        let sent = Instant::now();
        producer.send(record()).wait()?;
        latencies.push(micros(sent.elapsed()));
    }
    Ok(latencies)
}

fn paced<'a>(
    producer: &Producer,
    records: u64,
    rate: f64,
    record: impl Fn() -> Record<'a>,
) -> Result<Vec<u32>, Error> {
    let latencies = Arc::new(Mutex::new(Vec::new()));
    let began = Instant::now();
    for number in 0..records {
        let due = began + Duration::from_secs_f64(number as f64 / rate);
        let early = due.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            std::thread::sleep(early);
        }
        let latencies = latencies.clone();
        // One thread runs all callbacks, so the lock is free but for the end of the test.
        producer.send_with(record(), move |result| {
            if result.is_ok() {
                let mut latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner);
                latencies.push(micros(due.elapsed()));
            }
        });
    }
    producer.flush()?;
    let mut latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *latencies))
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[derive(Clone, Copy)]
enum Mode {
    Throughput,
    Sync,
    Rate(f64),
    First,
}

struct Options {
    settings: Settings,
    mode: Mode,
    topic: String,
    records: u64,
    size: usize,
    json: bool,
}

impl Options {
    /// `None` if help was asked for.
    fn parse() -> Result<Option<Self>, lexopt::Error> {
        let (mut mode, mut rate, mut records) = (None, None, None);
        let mut options = Self {
            settings: Settings::default(),
            mode: Mode::Throughput,
            topic: "perf".to_owned(),
            records: 0,
            size: 100,
            json: false,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("bootstrap" | "bootstrap-server") => {
                    options.settings.bootstrap = Some(parser.value()?.string()?);
                }
                Long("mode") => mode = Some(parser.value()?.string()?),
                Long("rate") => rate = Some(support::number::<f64>(parser.value()?)?),
                Long("topic") => options.topic = parser.value()?.string()?,
                Long("records") => records = Some(support::number(parser.value()?)?),
                Long("size") => options.size = support::number(parser.value()?)?,
                Long("config") => options.settings.files.push(parser.value()?.into()),
                Long("property") => options.settings.add_property(parser.value()?)?,
                Long("json") => options.json = true,
                _ => return Err(argument.unexpected()),
            }
        }
        options.mode = match (mode.as_deref(), rate) {
            (None | Some("rate"), Some(rate)) if rate > 0.0 => Mode::Rate(rate),
            (None | Some("throughput"), None) => Mode::Throughput,
            (Some("sync"), None) => Mode::Sync,
            (Some("first"), None) => Mode::First,
            (Some("rate"), None) => return Err("the mode rate needs --rate".into()),
            (_, Some(_)) => return Err("--rate takes a positive number, in the mode rate".into()),
            (Some(other), None) => return Err(format!("there is no mode {other:?}").into()),
        };
        options.records = records.unwrap_or(match options.mode {
            Mode::Throughput => 1_000_000,
            _ => 10_000,
        });
        Ok(Some(options))
    }
}
