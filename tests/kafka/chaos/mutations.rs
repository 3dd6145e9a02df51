//! The checker is shown histories and logs with one thing wrong in each, and finds it.

use std::time::Duration;

use milena::ErrorKind;

use crate::kafka::{Consumed, DumpedBatch};

use super::checker::{Evidence, Fault, Limits, Log, check};
use super::history::{Operation, Resolution, Told};
use super::stamp::{Stamp, TOPICS};

/// Of each partition, by one producer, in batches of [`BATCH`].
const RECORDS: u64 = 40;
const BATCH: usize = 4;
/// The topic, partition and offset that mutations are about.
const AT: (usize, i32, i64) = (0, 1, 10);

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let verdict = check(&good());
    assert!(verdict.faults.is_empty(), "{:?}", verdict.faults);
    let partitions: i32 = TOPICS.iter().map(|topic| topic.partitions).sum();
    let all = partitions as usize * RECORDS as usize;
    assert_eq!(verdict.counts.acknowledged, all);
}

#[test]
fn each_thing_that_can_be_wrong_is_found() {
    type Mutation = fn(&mut Evidence);
    let mutations: [(Fault, Mutation); 20] = [
        (Fault::Lost, |it| {
            let at = place(it);
            it.logs[0].records.remove(at);
        }),
        (Fault::Duplicate, |it| {
            let copy = it.logs[0].records[place(it)].clone();
            it.logs[0].records.push(copy);
        }),
        (Fault::Reordered, |it| {
            let at = place(it);
            let records = &mut it.logs[0].records;
            let [first, second] = [at, at + 1].map(|at| records[at].value.clone());
            (records[at].value, records[at + 1].value) = (second, first);
        }),
        (Fault::ToldOutOfOrder, |it| {
            operation(it).resolution.as_mut().unwrap().place = 1;
        }),
        (Fault::WrongOffset, |it| {
            told(it, Told::Delivered(AT.1, Some(AT.2 + 1)));
        }),
        (Fault::WrongOffset, |it| {
            told(it, Told::Delivered(AT.1 + 1, Some(AT.2)));
        }),
        (Fault::NotWrittenButThere, |it| told(it, not_written())),
        (Fault::NotDeliveredInCalm, |it| {
            told(it, not_written());
            it.limits.calm[1] = Duration::ZERO;
        }),
        (Fault::Corrupt, |it| {
            let at = place(it);
            it.logs[0].records[at].value.as_mut().unwrap()[0] ^= 1;
        }),
        (Fault::Corrupt, |it| {
            let record = it.logs[0].records.pop().unwrap();
            it.logs[1].records.push(record);
        }),
        (Fault::Corrupt, |it| {
            let at = place(it);
            it.logs[0].records[at].partition = 2;
        }),
        (Fault::Phantom, |it| {
            let stamp = Stamp {
                number: RECORDS,
                ..operation(it).stamp
            };
            it.logs[0].records.push(consumed(stamp));
        }),
        (Fault::Unresolved, |it| operation(it).resolution = None),
        (Fault::ResolvedTwice, |it| operation(it).results = 2),
        (Fault::LateResult, |it| {
            let late = operation(it).returned + it.limits.result + Duration::from_millis(1);
            operation(it).resolution.as_mut().unwrap().at = late;
        }),
        (Fault::LongSend, |it| {
            let late = operation(it).invoked + it.limits.call + Duration::from_millis(1);
            operation(it).returned = late;
        }),
        (Fault::SequenceGap, |it| {
            it.logs[0].batches[1][3].base_sequence += 1;
        }),
        (Fault::SequenceGap, |it| {
            it.logs[0].batches[1].remove(0);
        }),
        (Fault::SequenceGap, |it| {
            it.logs[0].batches[1][3].producer_id = -1;
        }),
        (Fault::SequenceGap, |it| {
            let batches = &mut it.logs[0].batches[1];
            batches[3].producer_epoch += 1;
            batches[3].base_sequence = 0;
        }),
    ];
    for (index, (fault, mutate)) in mutations.into_iter().enumerate() {
        let mut evidence = good();
        mutate(&mut evidence);
        let found = check(&evidence).faults;
        assert!(found.contains_key(&fault), "{index}: {fault:?}: {found:?}");
    }
}

/// What a producer may say and do, where it cannot know better.
#[test]
fn what_may_happen_is_counted() {
    let mut evidence = good();
    told(
        &mut evidence,
        Told::Unknown(ErrorKind::TimedOut, String::new()),
    );
    let verdict = check(&evidence);
    assert!(verdict.faults.is_empty(), "{:?}", verdict.faults);
    assert_eq!(
        (verdict.counts.unknown, verdict.counts.unknown_there),
        (1, 1)
    );
    let at = place(&evidence);
    evidence.logs[0].records.remove(at);
    assert_eq!(check(&evidence).counts.unknown_there, 0);

    let mut evidence = good();
    let copy = evidence.logs[2].records[3].clone();
    evidence.logs[2].records.push(copy);
    let verdict = check(&evidence);
    assert!(verdict.faults.is_empty() && verdict.counts.repeated == 1);
}

/// Everything was delivered, in order and in time.
fn good() -> Evidence {
    let (mut operations, mut logs) = (Vec::new(), Vec::new());
    for (topic, about) in TOPICS.iter().enumerate() {
        let mut log = Log::default();
        for partition in 0..about.partitions {
            let stamp = |number| Stamp {
                topic,
                partition,
                producer: topic,
                number,
                thread: 0,
            };
            log.records
                .extend((0..RECORDS).map(|number| consumed(stamp(number))));
            operations.extend((0..RECORDS).map(|number| delivered(stamp(number))));
            let bases = (0..RECORDS as i64).step_by(BATCH);
            log.batches
                .push(bases.map(|base| batch(topic, base)).collect());
        }
        logs.push(log);
    }
    Evidence {
        operations,
        logs,
        limits: Limits {
            result: Duration::from_secs(11),
            call: Duration::from_secs(11),
            calm: [Duration::ZERO, Duration::from_secs(1000)],
        },
    }
}

fn consumed(stamp: Stamp) -> Consumed {
    Consumed {
        partition: stamp.partition,
        offset: stamp.number as i64,
        timestamp: 0,
        headers: Vec::new(),
        key: None,
        value: Some(stamp.value(20).into_bytes()),
    }
}

fn delivered(stamp: Stamp) -> Operation {
    let invoked = Duration::from_millis(stamp.number);
    Operation {
        stamp,
        invoked,
        returned: invoked,
        resolution: Some(Resolution {
            at: invoked + Duration::from_millis(5),
            place: stamp.number + 2,
            told: Told::Delivered(stamp.partition, Some(stamp.number as i64)),
        }),
        results: 1,
    }
}

fn batch(topic: usize, base: i64) -> DumpedBatch {
    let is_idempotent = TOPICS[topic].is_idempotent;
    DumpedBatch {
        base_offset: base,
        last_offset: base + BATCH as i64 - 1,
        base_sequence: base as i32,
        producer_id: if is_idempotent { 7 } else { -1 },
        producer_epoch: 0,
        leader_epoch: 0,
        is_transactional: false,
        is_control: false,
        magic: 2,
        size: 100,
        codec: "none".into(),
        crc_ok: true,
        records: Vec::new(),
    }
}

fn not_written() -> Told {
    Told::NotWritten(ErrorKind::TimedOut, String::new())
}

/// The index of the record that mutations are about.
fn place(evidence: &Evidence) -> usize {
    let is_it = |record: &Consumed| (record.partition, record.offset) == (AT.1, AT.2);
    evidence.logs[AT.0].records.iter().position(is_it).unwrap()
}

fn operation(evidence: &mut Evidence) -> &mut Operation {
    let is_it = |operation: &&mut Operation| {
        let Stamp {
            topic,
            partition,
            number,
            ..
        } = operation.stamp;
        (topic, partition, number as i64) == AT
    };
    evidence.operations.iter_mut().find(is_it).unwrap()
}

fn told(evidence: &mut Evidence, told: Told) {
    operation(evidence).resolution.as_mut().unwrap().told = told;
}
