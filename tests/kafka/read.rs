//! What a topic holds, read by Kafka's own consumer and by its console consumer; and its console
//! producer.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Version;
use super::cluster::Cluster;
use super::process::{java, run};
use super::properties::{self, Listener};

const LIMIT: Duration = Duration::from_secs(300);

/// A record as a consumer got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consumed {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Milliseconds since 1970.
    pub(crate) timestamp: i64,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Consumed {
    /// The value as text, `""` for none.
    pub(crate) fn text(&self) -> &str {
        let value = self.value.as_deref().unwrap_or_default();
        std::str::from_utf8(value).expect("a value that is text")
    }
}

/// Which records of transactions a consumer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    Committed,
    Uncommitted,
}

impl Isolation {
    /// As `isolation.level` spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Committed => "read_committed",
            Self::Uncommitted => "read_uncommitted",
        }
    }
}

impl Cluster {
    /// All records that the topic holds at the moment of the call, in order of partition and
    /// offset, by Kafka's consumer. Bytes come through unchanged; a million records take seconds.
    pub(crate) fn read(&self, topic: &str, isolation: Isolation) -> Vec<Consumed> {
        self.try_read(topic, isolation)
            .unwrap_or_else(|error| panic!("cannot read {topic}: {error}"))
    }

    /// The same, with what Kafka's consumer said when it failed.
    pub(super) fn try_read(
        &self,
        topic: &str,
        isolation: Isolation,
    ) -> Result<Vec<Consumed>, String> {
        let file = self.scratch("read");
        let answer = self.try_ask(&["read", topic, isolation.name(), &file.display().to_string()]);
        let records = answer.map(|_| records_in(&file));
        let _ = fs::remove_file(&file);
        records
    }

    /// The first `n` records that Kafka's console consumer prints, in order of partition and
    /// offset, or fewer when none came for 10 s. `options` are of its command line, such as
    /// `["--isolation-level", "read_committed"]`.
    ///
    /// The printed form is text: keys, values and headers must not contain the [`SEPARATORS`].
    pub(crate) fn console_consume(&self, topic: &str, n: usize, options: &[&str]) -> Vec<Consumed> {
        let base = ["--topic", topic, "--timeout-ms", "10000"];
        self.console(&[&base[..], options].concat(), n)
    }

    /// The same of all topics that a regular expression fits; their records are not told apart.
    pub(crate) fn console_consume_all(&self, topics: &str, n: usize) -> Vec<Consumed> {
        self.console(&["--include", topics, "--timeout-ms", "30000"], n)
    }

    fn console(&self, options: &[&str], n: usize) -> Vec<Consumed> {
        let mut command = java(self.version().tools(), "ERROR");
        command
            .arg("org.apache.kafka.tools.consumer.ConsoleConsumer")
            .args(["--bootstrap-server", &self.internal(), "--from-beginning"])
            .args(["--max-messages", &n.to_string()])
            .args(options);
        for print in ["timestamp", "partition", "offset", "headers", "key"] {
            command.args(["--property", &format!("print.{print}=true")]);
        }
        for (name, separator) in SEPARATORS {
            command.args(["--property", &format!("{name}={separator}")]);
        }
        let output = run(&mut command, &self.scratch("console-consumer"), LIMIT);
        let mut records = parse(&output.stdout);
        assert!(
            output.status.success() || output.stderr.contains("TimeoutException"),
            "the console consumer failed: {}",
            output.stderr
        );
        records.sort_unstable_by_key(|record| (record.partition, record.offset));
        records
    }

    /// Lets Kafka's console producer send each line of `lines` to a topic, as `alice` by
    /// `mechanism` where the listener wants a name. `options` are of its command line.
    pub(crate) fn console_produce(
        &self,
        listener: Listener,
        mechanism: &str,
        topic: &str,
        lines: &str,
        options: &[&str],
    ) {
        let sent = self.try_console_produce(listener, mechanism, topic, lines, options);
        sent.unwrap_or_else(|errors| panic!("cannot produce on the console: {errors}"));
    }

    /// The same, with what the producer logged when it failed.
    pub(crate) fn try_console_produce(
        &self,
        listener: Listener,
        mechanism: &str,
        topic: &str,
        lines: &str,
        options: &[&str],
    ) -> Result<(), String> {
        let version = self.version().tools();
        let place = self.scratch("console-producer");
        let (input, config) = (
            place.with_extension("in"),
            place.with_extension("properties"),
        );
        fs::write(&input, lines).expect("write the lines");
        fs::write(&config, properties::client(listener, mechanism)).expect("write the properties");
        let class = match version {
            Version::V4_3_1 => "org.apache.kafka.tools.ConsoleProducer",
            _ => "kafka.tools.ConsoleProducer",
        };
        let mut command = java(version, "ERROR");
        command
            .arg(class)
            .args([
                "--bootstrap-server",
                &self.bootstrap(listener),
                "--topic",
                topic,
            ])
            .arg("--producer.config")
            .arg(config)
            .args(options)
            .stdin(fs::File::open(&input).expect("open the lines"));
        let output = run(&mut command, &place, LIMIT);
        // A record that failed shows in the log alone.
        let is_sent = output.status.success() && !output.stderr.contains(" ERROR ");
        is_sent.then_some(()).ok_or(output.stderr)
    }
}

/// What the console consumer prints between columns and records and for null.
pub(crate) const SEPARATORS: [(&str, &str); 4] = [
    ("key.separator", "<|>"),
    ("headers.separator", "<,>"),
    ("line.separator", "<end>\n"),
    ("null.literal", "<null>"),
];

fn parse(printed: &[u8]) -> Vec<Consumed> {
    let [(_, column), (_, header), (_, end), (_, null)] = SEPARATORS;
    let mut records = Vec::new();
    let mut rest = printed;
    while let Some((line, after)) = cut(rest, end) {
        records.push(parse_record(line, column, header, null.as_bytes()));
        rest = after;
    }
    records
}

fn parse_record(mut line: &[u8], column: &str, separator: &str, null: &[u8]) -> Consumed {
    let mut next = || {
        let (field, rest) = cut(line, column).unwrap_or((line, &[]));
        line = rest;
        field
    };
    let nullable = |bytes: &[u8]| (bytes != null).then(|| bytes.to_vec());
    let [timestamp, partition, offset] = std::array::from_fn(|_| number(next()));
    let (mut headers, mut printed) = (Vec::new(), next());
    while !printed.is_empty() && printed != b"NO_HEADERS" {
        let (header, rest) = cut(printed, separator).unwrap_or((printed, &[]));
        let (name, value) = cut(header, ":").expect("a colon after the name of a header");
        headers.push((String::from_utf8_lossy(name).into_owned(), nullable(value)));
        printed = rest;
    }
    let (key, value) = (nullable(next()), nullable(next()));
    let partition = i32::try_from(partition).expect("a partition");
    Consumed {
        partition,
        offset,
        timestamp,
        headers,
        key,
        value,
    }
}

/// The number after the last colon, as in `CreateTime:1716`.
fn number(field: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(field);
    let digits = text.rsplit(':').next().unwrap_or_default();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number from the console consumer: {text:?}"))
}

/// What stands before and after the first `separator`.
fn cut<'a>(bytes: &'a [u8], separator: &str) -> Option<(&'a [u8], &'a [u8])> {
    let separator = separator.as_bytes();
    let mut rest = bytes;
    // One byte first: this goes over hundreds of megabytes, in a build without optimization.
    while let Some(at) = rest.iter().position(|byte| *byte == separator[0]) {
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix(separator) {
            return Some((&bytes[..bytes.len() - rest.len()], after));
        }
        rest = &rest[1..];
    }
    None
}

/// The records that a reader wrote into a file, in order of partition and offset.
pub(super) fn records_in(file: &Path) -> Vec<Consumed> {
    let bytes = fs::read(file).expect("read what a reader wrote");
    let mut fields = Fields(&bytes);
    let mut records: Vec<_> = std::iter::from_fn(|| fields.record()).collect();
    records.sort_unstable_by_key(|record| (record.partition, record.offset));
    records
}

/// The records in a file of a reader: fixed fields big-endian, byte strings with their lengths, -1
/// for null.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn record(&mut self) -> Option<Consumed> {
        if self.0.is_empty() {
            return None;
        }
        let partition = i32::from_be_bytes(self.array());
        let offset = i64::from_be_bytes(self.array());
        let timestamp = i64::from_be_bytes(self.array());
        let (key, value) = (self.bytes(), self.bytes());
        let count = i32::from_be_bytes(self.array());
        let header = |_| {
            let name = self.bytes().unwrap_or_default();
            (String::from_utf8_lossy(&name).into_owned(), self.bytes())
        };
        let headers = (0..count).map(header).collect();
        Some(Consumed {
            partition,
            offset,
            timestamp,
            headers,
            key,
            value,
        })
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(i32::from_be_bytes(self.array())).ok()?;
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(bytes.to_vec())
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (array, rest) = self.0.split_first_chunk().expect("a whole record");
        self.0 = rest;
        *array
    }
}
