//! Keys go where the originals put them: Java's own code and librdkafka's producer choose the
//! partitions of ten thousand keys, and so does ours.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use milena::{Config, PartitionQuery, PartitionerKind, Producer, Record};

use crate::kafka::readers::{run_java, run_python};
use crate::kafka::{Cluster, Listener, Version};
use crate::load::config;

const KEYS: usize = 10_000;

/// Of each kind of key that may go anywhere, and so far apart that no partition is kept that long.
const REPEATS: usize = 10;
const APART: Duration = Duration::from_millis(25);

/// Bytes of every value, from 1 to 64 of them, by a seed.
fn keys() -> Vec<Vec<u8>> {
    let mut state = 0x0123_4567_89ab_cdef_u64;
    let mut byte = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let mut key = || -> Vec<u8> {
        let length = 1 + byte() % 64;
        (0..length).map(|_| byte()).collect()
    };
    (0..KEYS).map(|_| key()).collect()
}

/// A file with a key in hex on each line.
fn file_of(keys: &[Vec<u8>], name: &str) -> PathBuf {
    let mut text = String::new();
    for key in keys {
        key.iter().for_each(|byte| {
            let _ = write!(text, "{byte:02x}");
        });
        text.push('\n');
    }
    let name = format!("{name}-{}.txt", std::process::id());
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, text).expect("write the keys");
    file
}

/// The numbers of each line.
fn lines(text: &str) -> Vec<Vec<i32>> {
    let number = |word: &str| word.parse().expect("a number");
    let line = |line: &str| line.split_whitespace().map(number).collect();
    text.lines().map(line).collect()
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn ten_thousand_keys_go_where_javas_producer_puts_them() {
    const COUNTS: [u32; 7] = [1, 2, 3, 7, 12, 100, 100_000];
    let keys = keys();
    let file = file_of(&keys, "java-keys");
    let path = file.display().to_string();
    let counts = COUNTS.map(|count| count.to_string());
    let arguments: Vec<&str> = [path.as_str()]
        .into_iter()
        .chain(counts.iter().map(String::as_str))
        .collect();
    let answer = run_java("Partitions.java", &arguments).expect("Java's partitions");
    let _ = std::fs::remove_file(&file);
    let answer = lines(&answer);
    assert_eq!(answer.len(), KEYS);
    for (key, partitions) in keys.iter().zip(&answer) {
        for (count, expected) in COUNTS.iter().zip(partitions) {
            let query = PartitionQuery::new("t", *count, &[]).with_key(key);
            assert_eq!(
                query.hashed_partition(),
                Some(*expected),
                "{key:?} of {count}"
            );
            for kind in [
                PartitionerKind::Default,
                PartitionerKind::UniformSticky,
                PartitionerKind::Murmur2,
                PartitionerKind::Murmur2Random,
            ] {
                assert_eq!(query.by(kind), *expected, "{kind}: {key:?} of {count}");
            }
        }
    }
}

/// The partitions that our producer's records with these keys are confirmed in.
fn ours(producer: &Producer, topic: &str, keys: &[Option<&[u8]>], apart: Duration) -> Vec<i32> {
    let mut deliveries = Vec::with_capacity(keys.len());
    for key in keys {
        let record = Record::to(topic).value("v");
        let record = match key {
            Some(key) => record.key(key),
            None => record,
        };
        deliveries.push(producer.send(record));
        thread::sleep(apart);
    }
    let partition = |delivery: milena::Delivery| {
        let metadata = delivery.wait().expect("a healthy broker takes it");
        metadata.partition()
    };
    deliveries.into_iter().map(partition).collect()
}

/// The partition that all are in, `None` if they are in several.
fn only(partitions: &[i32]) -> Option<i32> {
    let distinct: BTreeSet<_> = partitions.iter().collect();
    let first = distinct.first().map(|partition| **partition);
    first.filter(|_| distinct.len() == 1)
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn ten_thousand_keys_go_where_librdkafkas_producer_puts_them() {
    const TOPIC: &str = "librdkafkas-partitions";
    const NAMES: [&str; 7] = [
        "random",
        "consistent",
        "consistent_random",
        "murmur2",
        "murmur2_random",
        "fnv1a",
        "fnv1a_random",
    ];
    let cluster = Cluster::shared();
    cluster.create_topic(TOPIC, 7, 1, &[]);
    let keys = keys();
    let file = file_of(&keys, "librdkafka-keys");
    let (path, bootstrap) = (
        file.display().to_string(),
        cluster.bootstrap(Listener::Plaintext),
    );
    let arguments = [&[bootstrap.as_str(), TOPIC, path.as_str()], &NAMES[..]].concat();
    let answer = run_python("partitions.py", &arguments).expect("librdkafka's partitions");
    let _ = std::fs::remove_file(&file);
    let answer = lines(&answer);
    assert_eq!(answer.len(), 4 * NAMES.len());
    for (name, theirs) in NAMES.iter().zip(answer.chunks(4)) {
        let config: Config = config(cluster, Listener::Plaintext).retries(10);
        let config = config.set("partitioner.class", name).expect("it is known");
        let producer = Producer::new(config).expect("a producer");
        let all: Vec<Option<&[u8]>> = keys.iter().map(|key| Some(&key[..])).collect();
        let chosen = ours(&producer, TOPIC, &all, Duration::ZERO);
        assert_eq!((chosen.len(), theirs[0].len()), (KEYS, KEYS));
        match *name {
            // Both are even, give or take what chance allows.
            "random" => {
                for found in [&chosen, &theirs[0]] {
                    let count = |partition| found.iter().filter(|one| **one == partition).count();
                    assert!((0..7).all(|partition| (1200..1660).contains(&count(partition))));
                }
            }
            _ => {
                let mut pairs = keys.iter().zip(chosen.iter().zip(&theirs[0]));
                let different = pairs.find(|(_, (ours, theirs))| ours != theirs);
                assert_eq!(different, None, "{name}");
            }
        }
        let special: [Option<&[u8]>; 3] = [Some(b"always the same"), Some(b""), None];
        for (key, theirs) in special.into_iter().zip(&theirs[1..]) {
            let chosen = ours(&producer, TOPIC, &[key; REPEATS], APART);
            assert_eq!(
                only(&chosen),
                only(theirs),
                "{name}, {key:?}: {chosen:?}, {theirs:?}"
            );
        }
    }
}

/// KIP-1123. The racks are what brokers say of themselves.
#[test]
#[ignore = "needs Java: run tests/run"]
fn records_without_a_key_go_to_the_leaders_in_the_own_rack() {
    let builder = Cluster::of(Version::V4_3_1).nodes(3);
    let cluster = builder.property("broker.rack", "zone-{node}").start();
    cluster.create_topic("t", 6, 3, &[]);
    for (rack, leads_all) in [("zone-2", true), ("zone-9", false)] {
        let producer = config(&cluster, Listener::Plaintext)
            .partitioner_kind(PartitionerKind::UniformSticky)
            .rack_aware(true)
            .client_rack(rack)
            .batch_size(0)
            .retries(10);
        let producer = Producer::new(producer).expect("a producer");
        let infos = producer.partitions_for("t").expect("the topic is there");
        let partitions = ours(&producer, "t", &[None; 100], Duration::ZERO);
        let leads = |partition: &i32| infos[*partition as usize].leader() == Some(2);
        assert!(
            infos.iter().any(|info| info.leader() == Some(2)),
            "{infos:?}"
        );
        assert_eq!(
            partitions.iter().all(leads),
            leads_all,
            "{rack}: {partitions:?}"
        );
    }
}
