//! Tests of the choice by kind and by the application's own code.

use std::fmt;

use super::*;
use crate::partitioner::NoBatches;

type Answer = Result<i32, Box<dyn std::error::Error + Send + Sync>>;

/// A custom partitioner made of a function.
struct By(fn(&PartitionQuery<'_>) -> Answer);

impl fmt::Debug for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("By")
    }
}

impl Partitioner for By {
    fn partition(&self, query: &PartitionQuery<'_>) -> Answer {
        (self.0)(query)
    }
}

fn custom(function: fn(&PartitionQuery<'_>) -> Answer) -> Partitioning {
    Partitioning {
        choice: PartitionerChoice::Custom(Arc::new(By(function))),
        ..Partitioning::DEFAULT
    }
}

fn kind(kind: PartitionerKind) -> Partitioning {
    Partitioning {
        choice: PartitionerChoice::Kind(kind),
        ..Partitioning::DEFAULT
    }
}

/// What `choice` says for each key in turn, with the counter at `start`.
fn choose(
    choice: &Partitioning,
    count: u32,
    available: &[i32],
    start: u32,
    keys: &[Option<&[u8]>],
) -> Vec<Result<i32, Error>> {
    let view = TopicView {
        topic: "orders",
        count,
        available,
        near: &[],
        turns: &Turns::new(start),
        own_turn: None,
        batches: &NoBatches,
        now_ms: 0,
    };
    let each = keys.iter();
    each.map(|key| choice.choose(&view, *key, Some(b"value")))
        .collect()
}

fn chosen(results: Vec<Result<i32, Error>>) -> Vec<i32> {
    results.into_iter().map(Result::unwrap).collect()
}

#[test]
fn records_without_key_go_round_record_by_record() {
    for start in [0, 1, 7, u32::MAX - 8] {
        let answers = choose(&Partitioning::DEFAULT, 3, &[0, 1, 2], start, &[None; 6]);
        let answers = chosen(answers);
        for partition in 0..3 {
            assert_eq!(answers.iter().filter(|p| **p == partition).count(), 2);
        }
        assert_eq!(answers[..3], answers[3..]);
    }
}

#[test]
fn records_without_key_avoid_partitions_without_leader_unless_none_has_one() {
    let choice = Partitioning::DEFAULT;
    let some = choose(&choice, 4, &[1, 3], 0, &[None; 4]);
    assert_eq!(chosen(some), [1, 3, 1, 3]);
    let none = choose(&choice, 3, &[], 0, &[None; 4]);
    assert_eq!(chosen(none), [0, 1, 2, 0]);
}

#[test]
fn a_key_stays_with_its_partition_even_without_a_leader() {
    for available in [&[][..], &[0], &[0, 1, 2, 3]] {
        let answer = choose(&Partitioning::DEFAULT, 12, available, 0, &[Some(b"foobar")]);
        assert_eq!(chosen(answer), [6]);
    }
}

#[test]
fn keyed_records_do_not_take_a_turn_and_an_empty_key_is_a_key() {
    let keys: [Option<&[u8]>; 5] = [None, Some(b""), None, Some(b""), None];
    let answers = choose(&Partitioning::DEFAULT, 5, &[0, 1, 2, 3, 4], 0, &keys);
    let empty = murmur2::partition(b"", 5);
    assert_eq!(chosen(answers), [0, empty, 1, empty, 2]);
}

#[test]
fn round_robin_takes_no_notice_of_keys() {
    let keys = [Some(&b"same"[..]); 4];
    let answers = choose(&kind(PartitionerKind::RoundRobin), 4, &[0, 2], 1, &keys);
    assert_eq!(chosen(answers), [2, 0, 2, 0]);
}

#[test]
fn a_topic_without_partitions_is_not_ready() {
    for choice in [
        Partitioning::DEFAULT,
        kind(PartitionerKind::RoundRobin),
        kind(PartitionerKind::UniformSticky),
        kind(PartitionerKind::Random),
        custom(|_| Ok(0)),
    ] {
        for answer in choose(&choice, 0, &[], 0, &[None, Some(b"k")]) {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::TopicNotReady);
        }
    }
}

#[test]
fn a_custom_partitioner_sees_the_record_and_the_partitions() {
    let choice = custom(|query| {
        assert_eq!((query.topic(), query.count()), ("orders", 3));
        assert_eq!(query.key(), Some(&b"k"[..]));
        assert_eq!(query.value(), Some(&b"value"[..]));
        assert_eq!(query.available(), [0, 2]);
        assert_eq!(query.hashed_partition(), Some(murmur2::partition(b"k", 3)));
        Ok(2)
    });
    assert_eq!(chosen(choose(&choice, 3, &[0, 2], 0, &[Some(b"k")])), [2]);
}

#[test]
fn what_a_custom_partitioner_returns_is_checked() {
    for (function, named) in [
        (custom(|_| Ok(-1)), "partition -1 of topic orders"),
        (custom(|_| Ok(3)), "partition 3 of topic orders"),
        (custom(|_| Ok(i32::MIN)), "partition -2147483648 of"),
    ] {
        let error = choose(&function, 3, &[0], 0, &[None])
            .remove(0)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PartitionOutOfRange);
        let text = error.to_string();
        assert!(text.contains(named) && text.ends_with("0 to 2"), "{text}");
    }
    assert_eq!(chosen(choose(&custom(|_| Ok(2)), 3, &[0], 0, &[None])), [2]);
}

#[test]
fn an_error_or_panic_in_a_custom_partitioner_is_the_records_error() {
    for (function, said) in [
        (custom(|_| Err("no key".into())), "failed: no key"),
        (custom(|_| panic!("oh dear")), "panicked: oh dear"),
        (
            custom(|q| panic!("key {:?}", q.key())),
            "panicked: key None",
        ),
        (custom(|_| std::panic::panic_any(7)), "panicked: no message"),
    ] {
        let error = choose(&function, 3, &[0], 0, &[None])
            .remove(0)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Application);
        let text = error.to_string();
        assert!(text.contains("orders") && text.ends_with(said), "{text}");
    }
}

/// Where a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    /// Always this partition, with or without a leader.
    One(i32),
    /// Over the partitions with a leader, each record on.
    Turn,
    /// Any partition.
    Any,
    /// Any partition, and the next record of that millisecond too.
    Stay,
}

/// What each does with a key, an empty key and a null key: the table of its documentation.
#[test]
fn each_kind_treats_keys_empty_keys_and_null_keys_as_its_original_does() {
    use PartitionerKind as Kind;
    use To::{Any, One, Stay, Turn};
    // murmur2("foobar") % 12 is Java's, the others are librdkafka's.
    for (name, rules) in [
        (Kind::Default, [One(6), One(9), Turn]),
        (Kind::RoundRobin, [Turn, Turn, Turn]),
        (Kind::UniformSticky, [One(6), One(9), Stay]),
        (Kind::Random, [Any, Any, Stay]),
        (Kind::Consistent, [One(5), One(0), One(0)]),
        (Kind::ConsistentRandom, [One(5), Stay, Stay]),
        (Kind::Murmur2, [One(6), One(9), One(9)]),
        (Kind::Murmur2Random, [One(6), One(9), Stay]),
        (Kind::Fnv1a, [One(0), One(3), One(3)]),
        (Kind::Fnv1aRandom, [One(0), One(3), Stay]),
    ] {
        let keys: [Option<&[u8]>; 3] = [Some(b"foobar"), Some(b""), None];
        for (key, rule) in keys.into_iter().zip(rules) {
            let chosen =
                |available: &[i32]| chosen(choose(&kind(name), 12, available, 1, &[key; 200]));
            // The first partitions lack a leader.
            let (all, some) = ((0..12).collect::<Vec<_>>(), (9..12).collect::<Vec<_>>());
            let (of_all, of_some) = (chosen(&all), chosen(&some));
            let is_one = |found: &[i32]| found.iter().all(|one| *one == found[0]);
            let case = format!("{name}, {key:?}");
            match rule {
                One(partition) => {
                    assert!(is_one(&of_all) && is_one(&of_some), "{case}");
                    assert_eq!((of_all[0], of_some[0]), (partition, partition), "{case}");
                }
                Turn => {
                    assert_eq!(
                        (&of_all[..3], &of_some[..3]),
                        (&[1, 2, 3][..], &[10, 11, 9][..])
                    );
                }
                Any => {
                    assert!((0..12).all(|one| of_all.contains(&one)), "{case}");
                    assert!((0..12).any(|one| of_some.contains(&one)), "{case}");
                }
                Stay => assert!(is_one(&of_all), "{case}"),
            }
        }
    }
}

/// The check value that CRC-32 is known by.
#[test]
fn consistent_is_the_crc_32_of_zlib() {
    let query = PartitionQuery::new("orders", 1_000_000, &[]);
    for (key, crc) in [
        (&b"123456789"[..], 0xcbf4_3926_u32),
        (b"The quick brown fox jumps over the lazy dog", 0x414f_a339),
        (b"", 0),
    ] {
        let partition = (crc % 1_000_000) as i32;
        assert_eq!(
            query.with_key(key).by(PartitionerKind::Consistent),
            partition
        );
    }
}

#[test]
fn keys_are_ignored_where_that_is_asked_for() {
    for (name, is_one) in [
        (PartitionerKind::Default, false),
        (PartitionerKind::UniformSticky, true),
    ] {
        let ignoring = Partitioning {
            ignores_keys: true,
            ..kind(name)
        };
        let keys: [Option<&[u8]>; 4] = [Some(b"a"), Some(b"b"), Some(b""), None];
        let found = chosen(choose(&ignoring, 4, &[0, 1, 2, 3], 0, &keys));
        match is_one {
            true => assert!(found.iter().all(|one| *one == found[0]), "{found:?}"),
            false => assert_eq!(found, [0, 1, 2, 3]),
        }
    }
}

fn view(turns: &Turns) -> TopicView<'_> {
    TopicView {
        topic: "orders",
        count: 3,
        available: &[0, 1, 2],
        near: &[],
        turns,
        own_turn: None,
        batches: &NoBatches,
        now_ms: 0,
    }
}

#[test]
fn it_is_noted_when_a_key_decides() {
    let ignoring = Partitioning {
        ignores_keys: true,
        ..Partitioning::DEFAULT
    };
    for (partitioning, decides) in [
        (Partitioning::DEFAULT, true),
        (kind(PartitionerKind::Fnv1a), true),
        (custom(|_| Ok(0)), true),
        (ignoring, false),
        (kind(PartitionerKind::RoundRobin), false),
        (kind(PartitionerKind::Random), false),
    ] {
        let turns = Turns::new(0);
        partitioning.choose(&view(&turns), None, None).unwrap();
        assert!(!turns.has_keys());
        partitioning
            .choose(&view(&turns), Some(b"k"), None)
            .unwrap();
        assert_eq!(turns.has_keys(), decides, "{:?}", partitioning.choice);
    }
}

/// What a test of a partitioner may ask.
#[test]
fn no_kind_panics_at_a_topic_without_partitions() {
    let query = PartitionQuery::new("orders", 0, &[]);
    assert_eq!(query.with_key(b"k").hashed_partition(), None);
    for kind in PartitionerKind::all() {
        assert!(query.by(kind) <= 0 && query.with_key(b"k").by(kind) <= 0);
    }
}

#[test]
fn a_custom_partitioner_may_ask_any_other_one() {
    let choice = custom(|query| Ok(query.by(PartitionerKind::Consistent)));
    assert_eq!(chosen(choose(&choice, 12, &[], 0, &[Some(b"foobar")])), [5]);
    let choice = custom(|query| Ok(query.by(PartitionerKind::RoundRobin)));
    assert_eq!(
        chosen(choose(&choice, 3, &[0, 2], 0, &[None; 3])),
        [0, 2, 0]
    );
}
