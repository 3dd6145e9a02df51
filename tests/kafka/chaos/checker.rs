//! What must hold between what clients were told and what the log holds: values in, findings out.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::kafka::{Consumed, DumpedBatch};

use super::history::{Operation, Told};
use super::stamp::{Stamp, TOPICS};

#[derive(Debug)]
pub(super) struct Evidence {
    /// In the order of their invocation.
    pub(super) operations: Vec<Operation>,
    /// By [`Stamp::topic`].
    pub(super) logs: Vec<Log>,
    pub(super) limits: Limits,
}

/// What a topic holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// In order of partition and offset.
    pub(super) records: Vec<Consumed>,
    /// By partition, in order of offset.
    pub(super) batches: Vec<Vec<DumpedBatch>>,
}

#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// From the return of `send` to the result.
    pub(super) result: Duration,
    /// Of a call of `send`.
    pub(super) call: Duration,
    /// Before and from when on nothing was wrong, so that each record must be delivered.
    pub(super) calm: [Duration; 2],
}

/// What must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Lost,
    Duplicate,
    Reordered,
    ToldOutOfOrder,
    WrongOffset,
    NotWrittenButThere,
    Corrupt,
    Phantom,
    Unresolved,
    ResolvedTwice,
    LateResult,
    LongSend,
    NotDeliveredInCalm,
    SequenceGap,
}

#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) faults: BTreeMap<Fault, Vec<String>>,
    pub(super) counts: Counts,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) acknowledged: usize,
    pub(super) without_offset: usize,
    pub(super) not_written: BTreeMap<String, usize>,
    pub(super) unknown: usize,
    pub(super) unknown_there: usize,
    /// Further copies where the producer was not idempotent.
    pub(super) repeated: usize,
    pub(super) longest_result: Duration,
    pub(super) longest_send: Duration,
}

/// Where the copies of each record are, as offsets of its partition.
type Copies = HashMap<Stamp, Vec<i64>>;

pub(super) fn check(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    let copies = find_copies(evidence, &mut verdict);
    for operation in &evidence.operations {
        let offsets = copies.get(&operation.stamp).map_or(&[][..], Vec::as_slice);
        check_result(operation, offsets, &evidence.logs, &mut verdict);
        check_times(operation, &evidence.limits, &mut verdict);
    }
    check_order(evidence, &mut verdict);
    check_sequences(evidence, &mut verdict);
    check_callbacks(evidence, &mut verdict);
    verdict
}

impl Verdict {
    fn add(&mut self, fault: Fault, text: String) {
        self.faults.entry(fault).or_default().push(text);
    }
}

fn find_copies(evidence: &Evidence, verdict: &mut Verdict) -> Copies {
    let invoked = evidence.operations.iter();
    let mut copies: Copies = invoked
        .map(|operation| (operation.stamp, Vec::new()))
        .collect();
    for (topic, log) in evidence.logs.iter().enumerate() {
        for record in &log.records {
            let (partition, offset) = (record.partition, record.offset);
            let place = format!("{}-{partition} at {offset}", TOPICS[topic].name);
            let stamp = record.value.as_deref().and_then(Stamp::parse);
            let belongs = |stamp: &Stamp| stamp.topic == topic && stamp.partition == partition;
            match stamp.filter(belongs) {
                None => verdict.add(Fault::Corrupt, format!("{place}: {stamp:?}")),
                Some(stamp) => match copies.get_mut(&stamp) {
                    None => verdict.add(Fault::Phantom, format!("{place}: {stamp:?}")),
                    Some(offsets) => offsets.push(offset),
                },
            }
        }
    }
    copies
}

fn check_result(operation: &Operation, offsets: &[i64], logs: &[Log], verdict: &mut Verdict) {
    let stamp = &operation.stamp;
    let is_idempotent = TOPICS[stamp.topic].is_idempotent;
    let text = || {
        let found = offsets
            .iter()
            .map(|offset| around(&logs[stamp.topic], stamp.partition, *offset));
        let found: Vec<_> = found.collect();
        format!("{operation:?}; in the log: {}", found.join("; "))
    };
    if offsets.len() > 1 {
        match is_idempotent {
            true => verdict.add(Fault::Duplicate, text()),
            false => verdict.counts.repeated += offsets.len() - 1,
        }
    }
    if operation.results > 1 {
        verdict.add(Fault::ResolvedTwice, text());
    }
    let Some(resolution) = &operation.resolution else {
        return verdict.add(Fault::Unresolved, text());
    };
    let counts = &mut verdict.counts;
    match &resolution.told {
        Told::Delivered(partition, offset) => {
            counts.acknowledged += 1;
            counts.without_offset += usize::from(offset.is_none());
            let is_there = offset.is_none_or(|offset| offsets.contains(&offset));
            if offsets.is_empty() {
                verdict.add(Fault::Lost, text());
            } else if *partition != stamp.partition || !is_there {
                verdict.add(Fault::WrongOffset, text());
            }
        }
        Told::NotWritten(kind, _) => {
            *counts.not_written.entry(format!("{kind:?}")).or_default() += 1;
            if !offsets.is_empty() {
                verdict.add(Fault::NotWrittenButThere, text());
            }
        }
        Told::Unknown(..) => {
            counts.unknown += 1;
            counts.unknown_there += usize::from(!offsets.is_empty());
        }
    }
}

fn check_times(operation: &Operation, limits: &Limits, verdict: &mut Verdict) {
    let call = operation.returned - operation.invoked;
    verdict.counts.longest_send = verdict.counts.longest_send.max(call);
    if call > limits.call {
        verdict.add(Fault::LongSend, format!("{call:?}: {operation:?}"));
    }
    let Some(resolution) = &operation.resolution else {
        return;
    };
    let result = resolution.at.saturating_sub(operation.returned);
    verdict.counts.longest_result = verdict.counts.longest_result.max(result);
    if result > limits.result {
        verdict.add(Fault::LateResult, format!("{result:?}: {operation:?}"));
    }
    let [begins, ends] = limits.calm;
    let is_calm = resolution.at < begins || operation.invoked >= ends;
    if is_calm && !matches!(resolution.told, Told::Delivered(..)) {
        verdict.add(Fault::NotDeliveredInCalm, format!("{operation:?}"));
    }
}

/// The first copies of the records of a producer are in the order of `send`.
fn check_order(evidence: &Evidence, verdict: &mut Verdict) {
    for (topic, log) in evidence.logs.iter().enumerate() {
        let mut last: HashMap<(usize, i32), (u64, i64)> = HashMap::new();
        let mut seen = std::collections::HashSet::new();
        for record in log.records.iter().filter(|_| TOPICS[topic].is_idempotent) {
            let Some(stamp) = record.value.as_deref().and_then(Stamp::parse) else {
                continue;
            };
            if !seen.insert(stamp) {
                continue;
            }
            let now = (stamp.number, record.offset);
            let before = last.insert((stamp.producer, record.partition), now);
            if let Some((number, offset)) = before.filter(|before| before.0 > stamp.number) {
                let [first, second] =
                    [offset, record.offset].map(|offset| around(log, record.partition, offset));
                let text = format!("{stamp:?} comes after {number}: {first}; {second}");
                verdict.add(Fault::Reordered, text);
            }
        }
    }
}

/// In each partition, the batches of a producer id and epoch follow each other from sequence 0 on,
/// and no epoch comes after a later one.
fn check_sequences(evidence: &Evidence, verdict: &mut Verdict) {
    for (topic, log) in evidence.logs.iter().enumerate() {
        for (partition, batches) in (0..).zip(&log.batches) {
            let mut next: HashMap<i64, (i16, i32)> = HashMap::new();
            for batch in batches.iter().filter(|_| TOPICS[topic].is_idempotent) {
                let count = i32::try_from(batch.last_offset - batch.base_offset + 1);
                let count = count.expect("few records in a batch");
                let (epoch, sequence) = next
                    .entry(batch.producer_id)
                    .or_insert((batch.producer_epoch, 0));
                if batch.producer_epoch > *epoch {
                    (*epoch, *sequence) = (batch.producer_epoch, 0);
                }
                let place = (batch.producer_epoch, batch.base_sequence);
                let is_next = batch.producer_id >= 0 && place == (*epoch, *sequence);
                (*epoch, *sequence) = (batch.producer_epoch, batch.base_sequence + count);
                if !is_next {
                    let place = around(log, partition, batch.base_offset);
                    let text = format!("{}-{partition}: {place}", TOPICS[topic].name);
                    verdict.add(Fault::SequenceGap, text);
                }
            }
        }
    }
}

/// Acknowledgements of an idempotent producer are told in the order of its records. Refusals by
/// `send` itself, such as that of a full buffer, are told at once.
fn check_callbacks(evidence: &Evidence, verdict: &mut Verdict) {
    let mut last: HashMap<(usize, i32), u64> = HashMap::new();
    for operation in &evidence.operations {
        let stamp = &operation.stamp;
        let Some(resolution) = &operation.resolution else {
            continue;
        };
        let is_ack = matches!(resolution.told, Told::Delivered(..));
        if !is_ack || !TOPICS[stamp.topic].is_idempotent {
            continue;
        }
        let last = last.entry((stamp.producer, stamp.partition)).or_default();
        if resolution.place < *last {
            verdict.add(Fault::ToldOutOfOrder, format!("{operation:?}"));
        }
        *last = resolution.place.max(*last);
    }
}

/// The batch that holds an offset, with those before and after it.
fn around(log: &Log, partition: i32, offset: i64) -> String {
    let batches = usize::try_from(partition).ok();
    let batches = batches.and_then(|partition| log.batches.get(partition));
    let batches = batches.map_or(&[][..], Vec::as_slice);
    let at = batches.partition_point(|batch| batch.last_offset < offset);
    let shown = &batches[at.saturating_sub(2).min(batches.len())..(at + 2).min(batches.len())];
    let show = |batch: &DumpedBatch| {
        let DumpedBatch {
            base_offset: first,
            last_offset: last,
            producer_id: id,
            producer_epoch: epoch,
            base_sequence: sequence,
            leader_epoch: leader,
            ..
        } = batch;
        format!("{first}..={last} of {id}/{epoch} from {sequence} by leader {leader}")
    };
    let shown: Vec<_> = shown.iter().map(show).collect();
    format!("offset {offset} in [{}]", shown.join(", "))
}
