//! What stands in the log of a partition, by Kafka's own `DumpLogSegments`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::Version;
use super::cluster::Cluster;
use super::process::{java, run};

/// A record batch as the broker stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DumpedBatch {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) base_sequence: i32,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) leader_epoch: i32,
    pub(crate) is_transactional: bool,
    pub(crate) is_control: bool,
    pub(crate) magic: i8,
    /// In bytes, with the header.
    pub(crate) size: usize,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub(crate) codec: String,
    pub(crate) crc_ok: bool,
    pub(crate) records: Vec<DumpedRecord>,
}

/// A record of a [`DumpedBatch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DumpedRecord {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) sequence: i32,
    /// In bytes, -1 for none.
    pub(crate) key_size: i32,
    /// In bytes, -1 for none.
    pub(crate) value_size: i32,
    pub(crate) header_keys: Vec<String>,
    /// The value as text; `None` in control records, whose `marker` is set instead.
    pub(crate) payload: Option<String>,
    /// `COMMIT` or `ABORT`.
    pub(crate) marker: Option<String>,
}

impl Cluster {
    /// All batches of a partition in the log of its leader. Meant for text: a value with line feeds
    /// in it may be taken for another record.
    pub(crate) fn dump_log(&self, topic: &str, partition: i32) -> Vec<DumpedBatch> {
        let segments = self.segments(topic, partition);
        let printed = self.dump(&["--deep-iteration", "--print-data-log"], &segments);
        parse(&printed)
    }

    /// The batches of the partitions from 0 on in the logs of their leaders, without their records:
    /// one run of the tool, and quick also for millions of records.
    pub(crate) fn dump_batches(&self, topic: &str, partitions: i32) -> Vec<Vec<DumpedBatch>> {
        self.dump_topics(&[topic], partitions).remove(0)
    }

    /// The same of several topics with so many partitions each.
    pub(crate) fn dump_topics(
        &self,
        topics: &[&str],
        partitions: i32,
    ) -> Vec<Vec<Vec<DumpedBatch>>> {
        let of_topic = |topic: &&str| -> Vec<_> {
            (0..partitions)
                .map(|partition| self.segments(topic, partition))
                .collect()
        };
        let topics: Vec<_> = topics.iter().map(of_topic).collect();
        let printed = self.dump(&[], &topics.concat().concat());
        let mut logs = printed.split("Dumping ").skip(1).map(parse);
        let mut log =
            |segments: &Vec<String>| logs.by_ref().take(segments.len()).flatten().collect();
        let mut of_topic = |topic: &Vec<_>| topic.iter().map(&mut log).collect();
        topics.iter().map(&mut of_topic).collect()
    }

    /// Flips the bits of the byte in the middle of a partition's log, which is soon read again.
    pub(crate) fn damage(&self, topic: &str, partition: i32) {
        let segment = &self.segments(topic, partition)[0];
        let file = File::options().read(true).write(true).open(segment);
        let file = file.expect("open a segment");
        let (mut byte, middle) = ([0], file.metadata().expect("a segment's size").len() / 2);
        file.read_exact_at(&mut byte, middle)
            .expect("read a byte of a segment");
        file.write_all_at(&[!byte[0]], middle)
            .expect("write a byte of a segment");
    }

    /// The segments of a partition's log, oldest first.
    fn segments(&self, topic: &str, partition: i32) -> Vec<String> {
        let leader = self
            .leader_of(topic, partition)
            .expect("the partition has a leader");
        let place = self.data(leader).join(format!("{topic}-{partition}"));
        let entries = fs::read_dir(&place).expect("list the directory of a partition");
        let mut segments: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path().display().to_string()))
            .filter(|name| name.ends_with(".log"))
            .collect();
        segments.sort_unstable();
        segments
    }

    fn dump(&self, options: &[&str], segments: &[String]) -> String {
        let version = self.version().tools();
        let mut command = java(version, "ERROR");
        command
            .arg(match version {
                Version::V4_3_1 => "org.apache.kafka.tools.DumpLogSegments",
                _ => "kafka.tools.DumpLogSegments",
            })
            .args(options)
            .args(["--files", &segments.join(",")]);
        let output = run(
            &mut command,
            &self.scratch("dump-log"),
            Duration::from_secs(300),
        );
        String::from_utf8_lossy(&output.expect("dump a log")).into_owned()
    }
}

fn parse(dump: &str) -> Vec<DumpedBatch> {
    let mut batches: Vec<DumpedBatch> = Vec::new();
    for line in dump.lines() {
        if line.starts_with("baseOffset: ") {
            batches.push(batch(line));
        } else if let Some(line) = line.strip_prefix("| ") {
            batches
                .last_mut()
                .expect("a batch before its records")
                .records
                .push(record(line));
        } else {
            assert!(!line.contains("invalid bytes"), "{line}");
        }
    }
    batches
}

fn batch(line: &str) -> DumpedBatch {
    let facts = Facts::of(line);
    DumpedBatch {
        base_offset: facts.number("baseOffset"),
        last_offset: facts.number("lastOffset"),
        base_sequence: facts.number("baseSequence"),
        producer_id: facts.number("producerId"),
        producer_epoch: facts.number("producerEpoch"),
        leader_epoch: facts.number("partitionLeaderEpoch"),
        is_transactional: facts.word("isTransactional") == "true",
        is_control: facts.word("isControl") == "true",
        magic: facts.number("magic"),
        size: facts.number("size"),
        codec: facts.word("compresscodec").to_lowercase(),
        crc_ok: facts.word("isvalid") == "true",
        records: Vec::new(),
    }
}

fn record(line: &str) -> DumpedRecord {
    let (line, payload) = match line.split_once(" payload: ") {
        Some((line, payload)) => (line, Some(payload.to_owned())),
        None => (line, None),
    };
    let keys = line
        .split_once("headerKeys: [")
        .and_then(|(_, rest)| rest.split_once(']'));
    let keys = keys
        .map_or("", |(keys, _)| keys)
        .split(',')
        .filter(|key| !key.is_empty());
    let facts = Facts::of(line);
    DumpedRecord {
        offset: facts.number("offset"),
        timestamp: ["CreateTime", "LogAppendTime"]
            .iter()
            .find_map(|name| facts.0.get(name)?.parse().ok())
            .expect("a timestamp"),
        sequence: facts.number("sequence"),
        key_size: facts.number("keySize"),
        value_size: facts.number("valueSize"),
        header_keys: keys.map(str::to_owned).collect(),
        payload,
        marker: facts.0.get("endTxnMarker").map(|&marker| marker.to_owned()),
    }
}

/// The words of a line, each by the word and colon before it.
struct Facts<'a>(HashMap<&'a str, &'a str>);

impl<'a> Facts<'a> {
    fn of(line: &'a str) -> Self {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let fact = |pair: &[&'a str]| Some((pair[0].strip_suffix(':')?, pair[1]));
        // The first one counts: what follows may be the text of a key.
        Self(words.windows(2).rev().filter_map(fact).collect())
    }

    fn word(&self, name: &str) -> &'a str {
        self.0
            .get(name)
            .copied()
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.0))
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> T {
        let word = self.word(name);
        word.parse()
            .unwrap_or_else(|_| panic!("{name} is {word:?}, not a number"))
    }
}
