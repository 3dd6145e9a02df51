//! The command line of the load generator.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::*;

use crate::null_broker;
use crate::progress::Progress;
use crate::support::Settings;

pub(crate) const USAGE: &str = "Sends records and measures.

usage: perf [--bootstrap HOST:PORT[,...]] [OPTION...]

Without --bootstrap, a broker that takes all records and keeps none is started, in a process of its
own: the figures are those of the producer alone.

  --mode MODE        throughput  as many records as the cluster takes (default)
                     sync        each thread waits for a record before it sends the next
                     rate        --rate records a second; latency counts from the time a record was
                                 due, so a producer that falls behind cannot hide it
                     first       one record in a new process
  --rate NUMBER      records a second, of all threads together; chooses the mode rate
  --records NUMBER   how many, else 1000000 (throughput) or 10000 (sync, rate)
  --seconds NUMBER   for how long, instead of --records or at most
  --size BYTES       the size of a value, else 100: a line of JSON, of which half compresses
  --keys NUMBER      so many different keys, else none
  --topic TOPIC      the topic, else \"perf\"; brokers create it if they may
  --partitions N     of the topic, else 12, on the broker that is started; a cluster has its own
  --threads NUMBER   threads that send with one producer, else 1
  --latency          in the mode throughput too, which costs a callback for each record
  --compression C    short for --property compression.type=C
  --acks ACKS        short for --property acks=ACKS
  --config FILE      a properties file with settings
  --property N=V     one setting, such as linger.ms=5 or security.protocol=SSL
  --progress         a line each second on the standard error, as if that was a terminal
  --json             one JSON object instead of lines

Exit code: 0, or 1 if a record was not delivered; the default settings do not retry.";

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    Throughput,
    Sync,
    Rate(f64),
    First,
}

/// What the command line asks for.
pub(crate) enum Task {
    Help,
    /// To be the broker of another process.
    ServeNull(String, i32),
    Measure(Options),
}

pub(crate) struct Options {
    pub(crate) settings: Settings,
    /// The partitions of the topic on a broker of our own; `None` if there is a cluster.
    pub(crate) null_partitions: Option<i32>,
    pub(crate) mode: Mode,
    pub(crate) topic: String,
    pub(crate) records: u64,
    pub(crate) limit: Option<Duration>,
    pub(crate) size: usize,
    pub(crate) keys: Option<u64>,
    pub(crate) threads: usize,
    pub(crate) has_latency: bool,
    pub(crate) progress: Progress,
    pub(crate) json: bool,
}

const PARTITIONS: i32 = 12;
const THREADS_MAX: usize = 10_000;
/// One has 8 digits in hexadecimal.
const KEYS_MAX: u64 = 1 << 32;

impl Task {
    pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Self, lexopt::Error> {
        let mut given = Given::default();
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(Self::Help),
                Long(null_broker::OPTION) => given.serves_null = true,
                Long("latency") => given.latency = true,
                Long("progress") => given.progress = true,
                Long("json") => given.json = true,
                Long(name) => {
                    let name = name.to_owned();
                    // Not an option of ours: the error names it, rather than a value that it lacks.
                    if !Given::TAKE_VALUES.contains(&name.as_str()) {
                        return Err(Long(&name).unexpected());
                    }
                    given.add(&name, parser.value()?)?;
                }
                _ => return Err(argument.unexpected()),
            }
        }
        given.into_task()
    }
}

/// The options as they came.
#[derive(Default)]
struct Given {
    settings: Settings,
    mode: Option<String>,
    rate: Option<f64>,
    topic: Option<String>,
    records: Option<u64>,
    seconds: Option<f64>,
    size: Option<usize>,
    keys: Option<u64>,
    partitions: Option<i32>,
    threads: Option<usize>,
    latency: bool,
    progress: bool,
    json: bool,
    serves_null: bool,
}

impl Given {
    const TAKE_VALUES: [&str; 15] = [
        "bootstrap",
        "bootstrap-server",
        "mode",
        "rate",
        "topic",
        "records",
        "seconds",
        "size",
        "keys",
        "partitions",
        "threads",
        "compression",
        "acks",
        "config",
        "property",
    ];

    fn add(&mut self, name: &str, value: OsString) -> Result<(), lexopt::Error> {
        let settings = &mut self.settings;
        match name {
            "bootstrap" | "bootstrap-server" => settings.bootstrap = Some(value.string()?),
            "mode" => self.mode = Some(value.string()?),
            "rate" => self.rate = Some(number(name, value, 0.001..=1e9)?),
            "topic" => self.topic = Some(value.string()?),
            "records" => self.records = Some(number(name, value, 0..=u64::MAX)?),
            "seconds" => self.seconds = Some(number(name, value, 0.001..=1e9)?),
            "size" => self.size = Some(number(name, value, 0..=i32::MAX as usize)?),
            "keys" => self.keys = Some(number(name, value, 1..=KEYS_MAX)?),
            "partitions" => self.partitions = Some(number(name, value, 1..=i32::MAX)?),
            "threads" => self.threads = Some(number(name, value, 1..=THREADS_MAX)?),
            "compression" | "acks" => {
                let setting = if name == "acks" {
                    name
                } else {
                    "compression.type"
                };
                let value = value.string()?;
                settings.properties.push((setting.to_owned(), value));
            }
            "config" => settings.files.push(value.into()),
            _ => settings.add_property(value)?,
        }
        Ok(())
    }

    fn into_task(self) -> Result<Task, lexopt::Error> {
        let topic = self.topic.unwrap_or_else(|| "perf".to_owned());
        let partitions = self.partitions.unwrap_or(PARTITIONS);
        if self.serves_null {
            return Ok(Task::ServeNull(topic, partitions));
        }
        let has_cluster = names_servers(&self.settings);
        if let (true, Some(partitions)) = (has_cluster, self.partitions) {
            let why = "a topic of a cluster has the partitions that it was made with";
            return Err(format!("--partitions {partitions} with bootstrap servers: {why}").into());
        }
        let mode = match (self.mode.as_deref(), self.rate) {
            (None | Some("rate"), Some(rate)) => Mode::Rate(rate),
            (None | Some("throughput"), None) => Mode::Throughput,
            (Some("sync"), None) => Mode::Sync,
            (Some("first"), None) => Mode::First,
            (Some("rate"), None) => return Err("--mode rate needs --rate".into()),
            (Some(mode @ ("throughput" | "sync" | "first")), Some(rate)) => {
                return Err(format!("--rate {rate} is for the mode rate, not {mode}").into());
            }
            (Some(mode), _) => {
                let modes = "throughput, sync, rate or first";
                return Err(format!("--mode {mode}: it is {modes}").into());
            }
        };
        let records = match (self.records, self.seconds, mode) {
            (records, Some(seconds), Mode::Rate(rate)) => {
                // Known before, so that no thread sleeps until a record that is due too late.
                let due = (rate * seconds).ceil() as u64;
                records.map_or(due, |records| records.min(due))
            }
            (Some(records), ..) => records,
            (None, Some(_), _) => u64::MAX,
            (None, None, Mode::Throughput) => 1_000_000,
            (None, None, _) => 10_000,
        };
        Ok(Task::Measure(Options {
            settings: self.settings,
            null_partitions: (!has_cluster).then_some(partitions),
            mode,
            topic,
            records,
            limit: self.seconds.map(Duration::from_secs_f64),
            size: self.size.unwrap_or(100),
            keys: self.keys,
            threads: self.threads.unwrap_or(1),
            has_latency: self.latency || mode != Mode::Throughput,
            progress: Progress::choose(self.progress),
            json: self.json,
        }))
    }
}

/// Whether the command line, or a file that it names, says where the cluster is.
fn names_servers(settings: &Settings) -> bool {
    const SERVERS: &str = "bootstrap.servers";
    let is_in_files = || {
        let texts = settings
            .files
            .iter()
            .filter_map(|file| fs::read_to_string(file).ok());
        let mut texts = texts;
        texts.any(|text| {
            text.lines()
                .any(|line| line.trim_start().starts_with(SERVERS))
        })
    };
    settings.bootstrap.is_some() || settings.property(SERVERS).is_some() || is_in_files()
}

/// The number in an option's value.
fn number<T>(
    name: &str,
    value: OsString,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, lexopt::Error>
where
    T: FromStr<Err: Display> + PartialOrd + Display,
{
    let text = value.string()?;
    let (first, last) = (range.start(), range.end());
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(_) => Err(format!("--{name} {text}: from {first} to {last}").into()),
        Err(error) => Err(format!("--{name} {text:?} is not a number: {error}").into()),
    }
}
