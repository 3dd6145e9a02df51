//! Each codec and level, by shape of batch, read back by consumers of four kinds, byte for byte.
//!
//! A row of the matrix is a topic, a shape is a partition of it. Few processes read all topics: the
//! times of the records tell the topics apart where a consumer does not.

mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use milena::{Compression, Config, Producer, Record, TopicConfig};

use crate::kafka::{Cluster, Consumed, DumpedBatch, Isolation, Listener, Reader, Version};
use crate::load::config;
use shapes::SHAPES;

/// What one topic is sent with.
#[derive(Clone, Copy, Debug)]
struct Row {
    codec: &'static str,
    /// `""` for the default of the codec.
    level: &'static str,
    /// Rows without have batches of the default size; the others have each shape in one batch.
    idempotence: bool,
}

/// With idempotence.
const fn row(codec: &'static str, level: &'static str) -> Row {
    Row {
        codec,
        level,
        idempotence: true,
    }
}

/// Without idempotence and with small batches.
const fn loose(codec: &'static str) -> Row {
    Row {
        codec,
        level: "",
        idempotence: false,
    }
}

const ALL: [Row; 16] = [
    row("none", ""),
    row("gzip", "-1"),
    row("gzip", "1"),
    row("gzip", "6"),
    row("gzip", "9"),
    row("snappy", ""),
    row("lz4", "9"),
    row("zstd", "-7"),
    row("zstd", "1"),
    row("zstd", "3"),
    row("zstd", "4"),
    loose("none"),
    loose("gzip"),
    loose("snappy"),
    loose("lz4"),
    loose("zstd"),
];

const DEFAULTS: [Row; 5] = [
    row("none", ""),
    row("gzip", ""),
    row("snappy", ""),
    row("lz4", ""),
    row("zstd", ""),
];

/// What zstd came with is Kafka 2.1.
const BEFORE_ZSTD: usize = 4;

#[test]
#[ignore = "needs Java: run tests/run"]
fn every_consumer_reads_every_codec_and_level() {
    let total = matrix(Cluster::shared(), &ALL);
    for [fast, small] in [["gzip 1", "gzip 9"], ["zstd -7", "zstd 3"]] {
        assert!(
            total[small] < total[fast],
            "a level has no effect: {total:?}"
        );
    }
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn every_consumer_reads_every_codec_from_the_first_broker_with_zstd() {
    matrix(&Cluster::of(Version::V2_1_1).start(), &DEFAULTS);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn every_consumer_reads_every_codec_from_the_first_broker_with_batches() {
    let cluster = Cluster::of(Version::V0_11_0_3).start();
    matrix(&cluster, &DEFAULTS[..BEFORE_ZSTD]);

    cluster.create_topic("refused", 1, 1, &[]);
    let config = DEFAULTS[BEFORE_ZSTD]
        .config(&cluster)
        .linger(Duration::ZERO);
    let producer = Producer::new(config).expect("a producer");
    let error = producer.send(Record::to("refused").value("value")).wait();
    let error = error.expect_err("a broker without zstd").to_string();
    assert!(error.contains("zstd needs Kafka 2.1 or later"), "{error}");
    assert_eq!(cluster.read("refused", Isolation::Uncommitted), []);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_topic_may_have_a_codec_of_its_own() {
    let cluster = Cluster::shared();
    let topics = [
        ("own-codec-by-text", "lz4"),
        ("own-codec-by-setter", "gzip"),
        ("own-codec-none", "none"),
        ("own-codec-of-all", "zstd"),
    ];
    let config = config(cluster, Listener::Plaintext)
        .compression(Compression::Zstd)
        .topic(
            topics[1].0,
            TopicConfig::new().compression(Compression::Gzip),
        )
        .topic(
            topics[2].0,
            TopicConfig::new().compression(Compression::None),
        );
    let config = config.set("topic.own-codec-by-text.compression.type", "lz4");
    let producer = Producer::new(config.expect("a setting")).expect("a producer");
    let value = "value ".repeat(100);
    for (topic, codec) in topics {
        cluster.create_topic(topic, 1, 1, &[]);
        let sent = producer.send(Record::to(topic).value(&value)).wait();
        sent.expect("a delivery");
        let batches = cluster.dump_batches(topic, 1).remove(0);
        assert_eq!(codecs(&batches), BTreeSet::from([codec]), "{topic}");
        assert_eq!(cluster.read(topic, Isolation::Committed)[0].text(), value);
    }
}

/// Sends all shapes by each row, and asserts that all of it lies in the log as it should and is
/// read back; prints the table of that. Gives the size of what each row has in the log, by its
/// name.
fn matrix(cluster: &Cluster, rows: &[Row]) -> BTreeMap<String, usize> {
    let topics: Vec<_> = rows.iter().map(Row::topic).collect();
    let topics: Vec<_> = topics.iter().map(String::as_str).collect();
    let partitions = i32::try_from(SHAPES.len()).expect("a number of partitions");
    let sent: Vec<_> = (0..)
        .zip(rows)
        .map(|(number, row)| row.records(number))
        .collect();
    for (records, (row, topic)) in sent.iter().zip(rows.iter().zip(&topics)) {
        cluster.create_topic(topic, partitions, 1, &[("max.message.bytes", "4000000")]);
        send(row.config(cluster), topic, records);
    }
    let mut table = Table::new(rows, cluster.dump_topics(&topics, partitions));
    for reader in Reader::ALL {
        match cluster.read_by(reader, &topics) {
            Ok(read) => table.compare(reader.name(), &sent, &read),
            Err(error) => panic!("{}: {error}", reader.name()),
        }
    }
    let total = sent.iter().map(Vec::len).sum();
    let printed = cluster.console_consume_all("matrix-.*", total);
    table.compare("console", &sent, &by_row(printed, rows.len()));
    let text = table.text(&format!("Kafka {}", cluster.version()));
    // Past the test harness, which would keep it for itself: the table is to be quoted.
    let _ = std::io::stdout().write_all(text.as_bytes());
    assert_eq!(table.faults, [""; 0]);
    let total = |log: &Vec<Vec<_>>| log.iter().map(|batches| size(batches)).sum();
    let totals = table.logs.iter().map(total);
    rows.iter().map(Row::name).zip(totals).collect()
}

impl Row {
    fn name(&self) -> String {
        let (codec, level) = (self.codec, self.level);
        let kind = if self.idempotence { "" } else { "loose" };
        let words = [codec, level, kind];
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }

    fn topic(&self) -> String {
        format!("matrix-{}", self.name().replace(' ', "-"))
    }

    fn config(&self, cluster: &Cluster) -> Config {
        // Only what is full leaves before the flush, so that batches are the same in every run.
        let mut config = config(cluster, Listener::Plaintext)
            .idempotence(self.idempotence)
            .linger(Duration::from_secs(60))
            .max_request_size(4_000_000);
        if self.idempotence {
            config = config.batch_size(256 << 10);
        }
        let mut set = vec![("compression.type".to_owned(), self.codec)];
        if !self.level.is_empty() {
            set.push((format!("compression.{}.level", self.codec), self.level));
        }
        for (key, value) in set {
            config = config.set(&key, value).expect("a setting");
        }
        config
    }

    /// All shapes, as they are to come back from the topic of the row with this number.
    fn records(&self, number: i64) -> Vec<Consumed> {
        let shape = |(partition, shape): (i32, &shapes::Shape)| {
            let placed = (0..)
                .zip((shape.records)())
                .map(move |(offset, record)| Consumed {
                    partition,
                    offset,
                    timestamp: record.timestamp + START_MS + number * ROW_MS,
                    ..record
                });
            placed.collect::<Vec<_>>()
        };
        (0..).zip(&SHAPES).flat_map(shape).collect()
    }
}

const START_MS: i64 = 1_700_000_000_000;
/// The times of a row's records are its own.
const ROW_MS: i64 = 100_000_000;

/// What the console consumer read of all topics, as the other readers give it.
fn by_row(records: Vec<Consumed>, rows: usize) -> Vec<Vec<Consumed>> {
    let mut found = vec![Vec::new(); rows];
    for record in records {
        let row = usize::try_from((record.timestamp - START_MS) / ROW_MS);
        let row = row.ok().and_then(|row| found.get_mut(row));
        row.expect("a time that was sent").push(record);
    }
    found
}

fn send(config: Config, topic: &str, records: &[Consumed]) {
    let producer = Producer::new(config).expect("a producer");
    let results = producer.send_all(records.iter().map(|record| sendable(topic, record)));
    producer.flush().expect("a flush");
    for (record, result) in records.iter().zip(results.wait_all()) {
        let metadata = result.expect("a delivery");
        let place = (metadata.partition(), metadata.offset());
        assert_eq!(place, (record.partition, Some(record.offset)), "{topic}");
    }
    producer.close().expect("a report");
}

fn sendable<'a>(topic: &'a str, record: &'a Consumed) -> Record<'a> {
    let bare = Record::to(topic)
        .partition(record.partition)
        .timestamp_ms(record.timestamp)
        .key_opt(record.key.as_deref())
        .value_opt(record.value.as_deref());
    let headers = record.headers.iter();
    headers.fold(bare, |record, (name, value)| match value {
        Some(value) => record.header(name, value),
        None => record.null_header(name),
    })
}

/// What zstd's fastest level does not see: the records of this shape repeat in steps that it skips.
const MISSED: (&str, &str, &str) = ("zstd", "-7", "10,000 of 0 bytes");

/// What became of each shape by each row.
struct Table<'a> {
    rows: &'a [Row],
    /// By row and shape.
    logs: Vec<Vec<Vec<DumpedBatch>>>,
    /// By row and shape, who read back what was sent.
    readers: Vec<Vec<Vec<&'static str>>>,
    faults: Vec<String>,
}

impl<'a> Table<'a> {
    fn new(rows: &'a [Row], logs: Vec<Vec<Vec<DumpedBatch>>>) -> Self {
        let mut faults = Vec::new();
        for (row, log) in rows.iter().zip(&logs) {
            for (shape, batches) in SHAPES.iter().zip(log) {
                let is_missed = (row.codec, row.level, shape.name) == MISSED;
                let shrinks = shape.shrinks && !is_missed;
                let expected = if shrinks { row.codec } else { "none" };
                let found = codecs(batches);
                if found != BTreeSet::from([expected]) || !batches.iter().all(|batch| batch.crc_ok)
                {
                    faults.push(format!(
                        "{}, {}: {found:?} in the log",
                        row.name(),
                        shape.name
                    ));
                }
            }
        }
        let readers = vec![vec![Vec::new(); SHAPES.len()]; rows.len()];
        Self {
            rows,
            logs,
            readers,
            faults,
        }
    }

    fn compare(&mut self, reader: &'static str, sent: &[Vec<Consumed>], read: &[Vec<Consumed>]) {
        for (number, row) in self.rows.iter().enumerate() {
            for (partition, shape) in SHAPES.iter().enumerate() {
                if of(&sent[number], partition).eq(of(&read[number], partition)) {
                    self.readers[number][partition].push(reader);
                } else {
                    let place = format!("{}, {}", row.name(), shape.name);
                    self.faults
                        .push(format!("{place}: {reader} read something else"));
                }
            }
        }
    }

    /// In Markdown.
    fn text(&self, title: &str) -> String {
        let names = SHAPES.map(|shape| shape.name).join(" | ");
        let mut text = format!(
            "\n{title}: how the batches of each shape lie in the log, their size as a share of the \
             plain one, and who read them back byte for byte (J Java, l librdkafka, f franz-go, c \
             Java's console consumer); \"loose\" is without idempotence and in small batches\n\n\
             | | {names} |\n|{}\n",
            "---|".repeat(SHAPES.len() + 1)
        );
        for (number, row) in self.rows.iter().enumerate() {
            let _ = write!(text, "| {} |", row.name());
            for partition in 0..SHAPES.len() {
                let _ = write!(text, " {} |", self.cell(number, partition));
            }
            text.push('\n');
        }
        text + "\n"
    }

    fn cell(&self, number: usize, partition: usize) -> String {
        let batches = &self.logs[number][partition];
        let codecs: Vec<_> = codecs(batches).into_iter().collect();
        let plain = self.rows.iter().position(|row| row.codec == "none");
        let plain = plain.expect("a row without compression");
        let percent = size(batches) * 100 / size(&self.logs[plain][partition]).max(1);
        let readers = &self.readers[number][partition];
        let initial = |reader: &&str| reader.chars().next();
        let readers: String = readers.iter().filter_map(initial).collect();
        format!("{} {percent}% {readers}", codecs.join("+"))
    }
}

fn of(records: &[Consumed], partition: usize) -> impl Iterator<Item = &Consumed> {
    let partition = i32::try_from(partition).expect("a partition");
    records
        .iter()
        .filter(move |record| record.partition == partition)
}

fn codecs(batches: &[DumpedBatch]) -> BTreeSet<&str> {
    batches.iter().map(|batch| batch.codec.as_str()).collect()
}

fn size(batches: &[DumpedBatch]) -> usize {
    batches.iter().map(|batch| batch.size).sum()
}
