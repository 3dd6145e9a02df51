//! What the application knows of each record, and what the log says: the promises (G1 to G6).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::cluster::Cluster;
use super::log::WireBatch;
use super::payload::shown;
use crate::delivery::Delivery;
use crate::error::{Error, Outcome};

/// A result must be there so long after the delivery time-out, at the latest.
const GRACE: Duration = Duration::from_secs(1);

/// Every record that the accumulator took, by its number.
#[derive(Debug, Default)]
pub(super) struct Records {
    all: Vec<Sent>,
    /// The batches that are not resolved: their first record, and how many they have.
    open: Vec<(usize, Vec<usize>)>,
    /// By partition, the number of the next record when it was last resumed.
    resumed: BTreeMap<i32, usize>,
}

#[derive(Debug)]
struct Sent {
    partition: i32,
    at: Duration,
    delivery: Delivery,
    result: Option<Told>,
    /// In the log now.
    copies: usize,
    /// The number of the next record when its partition was last resumed.
    since: usize,
    /// It was sent when all was well: it must be acknowledged.
    is_probe: bool,
}

/// What the application was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Acked(Option<i64>),
    NotWritten,
    Unknown,
}

fn told(delivery: &Delivery) -> Option<(Told, Option<Error>)> {
    Some(match delivery.try_get()? {
        Ok(metadata) => (Told::Acked(metadata.offset()), None),
        Err(error) => match error.outcome() {
            Outcome::NotWritten => (Told::NotWritten, Some(error)),
            Outcome::Unknown => (Told::Unknown, Some(error)),
        },
    })
}

impl Records {
    /// The accumulator took record `id`, as the first of a batch or not.
    pub(super) fn add(
        &mut self,
        id: usize,
        partition: i32,
        (delivery, is_first): (Delivery, bool),
        (at, is_probe): (Duration, bool),
    ) {
        let last = self
            .open
            .iter_mut()
            .rev()
            .find(|(first, _)| self.all[*first].partition == partition);
        match last {
            Some((_, ids)) if !is_first => ids.push(id),
            _ => self.open.push((id, vec![id])),
        }
        let sent = Sent {
            partition,
            at,
            delivery,
            result: None,
            copies: 0,
            since: self.resumed.get(&partition).copied().unwrap_or(0),
            is_probe,
        };
        assert_eq!(id, self.all.len());
        self.all.push(sent);
    }

    /// Notes what was resolved since the last call, for the trace too.
    pub(super) fn look(
        &mut self,
        now: Duration,
        delivery_timeout: Duration,
        cluster: &Cluster,
        mut note: impl FnMut(&str),
    ) {
        let mut open = std::mem::take(&mut self.open);
        let mut waiting: BTreeMap<i32, usize> = BTreeMap::new();
        open.retain(|(first, ids)| {
            let partition = self.all[*first].partition;
            let Some((first_told, error)) = told(&self.all[*first].delivery) else {
                waiting.entry(partition).or_insert(*first);
                return true;
            };
            let older = waiting.get(&partition);
            assert_eq!(older, None, "record {first} is told {first_told:?} before");
            for id in ids {
                let (told, _) =
                    told(&self.all[*id].delivery).expect("all of a batch is resolved at once");
                self.resolved(*id, told, now, cluster);
            }
            let late = now.saturating_sub(self.all[*first].at + delivery_timeout);
            assert!(
                late <= GRACE,
                "record {first} is resolved {late:?} after its time"
            );
            let why = error.map_or_else(String::new, |error| error.to_string());
            note(&format!("{ids:?} {first_told:?} {why}"));
            false
        });
        self.open = open;
    }

    fn resolved(&mut self, id: usize, told: Told, now: Duration, cluster: &Cluster) {
        let sent = &mut self.all[id];
        assert_eq!(sent.result, None, "record {id} is resolved twice");
        sent.result = Some(told);
        assert!(
            told != Told::NotWritten || sent.copies == 0,
            "record {id} is in the log and is told to be not written"
        );
        assert!(
            !sent.is_probe || matches!(told, Told::Acked(_)),
            "record {id}, sent when all was well at {}, is {told:?} at {}: {:?}",
            shown(sent.at),
            shown(now),
            sent.delivery
        );
        if let Told::Acked(Some(offset)) = told {
            is_at(cluster, sent.partition, id, offset);
        }
    }

    /// True if a record that was sent to the partition before `id` has no result.
    pub(super) fn has_older_open(&self, id: usize) -> bool {
        let partition = self.all[id].partition;
        let mut older = self.open.iter().filter(|(first, _)| *first < id);
        older.any(|(first, _)| self.all[*first].partition == partition)
    }

    /// A broker appended a batch.
    pub(super) fn appended(
        &mut self,
        batch: &WireBatch,
        (is_idempotent, is_gapless): (bool, bool),
    ) {
        for id in &batch.ids {
            let sent = &mut self.all[*id];
            assert_eq!(
                sent.partition, batch.partition,
                "record {id} is in a wrong partition"
            );
            sent.copies += 1;
            assert!(
                !is_idempotent || sent.copies == 1,
                "record {id} is in the log twice"
            );
            assert_ne!(
                sent.result,
                Some(Told::NotWritten),
                "record {id} was told to be not written and comes into the log"
            );
        }
        if is_gapless {
            batch.ids.iter().for_each(|id| self.has_no_gap_below(*id));
        }
    }

    /// The partition takes records again.
    pub(super) fn resume(&mut self, partition: i32) {
        self.resumed.insert(partition, self.all.len());
    }

    /// Everything that was sent to the partition before record `id`, since it was last resumed, is
    /// in the log.
    fn has_no_gap_below(&self, id: usize) {
        let sent = &self.all[id];
        for (older, before) in self.all.iter().enumerate().take(id).skip(sent.since) {
            assert!(
                before.partition != sent.partition || before.copies > 0,
                "record {id} comes into the log of a gapless partition without {older}: {:?}",
                before.result,
            );
        }
    }

    /// A new leader lacks a batch.
    pub(super) fn vanished(&mut self, batch: &WireBatch) {
        for id in &batch.ids {
            self.all[*id].copies -= 1;
        }
    }

    pub(super) fn next_id(&self) -> usize {
        self.all.len()
    }

    pub(super) fn copies(&self, id: usize) -> usize {
        self.all[id].copies
    }

    pub(super) fn result(&self, id: usize) -> Option<Told> {
        self.all[id].result
    }

    pub(super) fn has_failed(&self, id: usize) -> bool {
        matches!(self.all[id].result, Some(Told::NotWritten | Told::Unknown))
    }

    pub(super) fn unresolved(&self) -> usize {
        self.open.iter().map(|(_, ids)| ids.len()).sum()
    }

    pub(super) fn probes_unresolved(&self) -> usize {
        let probes = self.all.iter().filter(|sent| sent.is_probe);
        probes.filter(|sent| sent.result.is_none()).count()
    }

    pub(super) fn count(&self, is: impl Fn(Told) -> bool) -> u64 {
        self.all
            .iter()
            .filter(|sent| sent.result.is_some_and(&is))
            .count() as u64
    }

    /// The end: every record has one result, the one it had before, and the log agrees.
    pub(super) fn check(
        &self,
        cluster: &Cluster,
        (is_idempotent, keeps_order): (bool, bool),
        has_acks: bool,
    ) {
        for (id, sent) in self.all.iter().enumerate() {
            let result = sent
                .result
                .unwrap_or_else(|| panic!("record {id} is never resolved"));
            let (now, _) = told(&sent.delivery).expect("it was resolved");
            assert_eq!(now, result, "record {id} was resolved twice");
            match result {
                Told::Acked(Some(offset)) => is_at(cluster, sent.partition, id, offset),
                Told::Acked(None) if has_acks => {
                    assert!(
                        sent.copies >= 1,
                        "record {id} is acknowledged and not in the log"
                    );
                }
                Told::NotWritten => {
                    assert_eq!(sent.copies, 0, "record {id} is not written, but is")
                }
                Told::Acked(None) | Told::Unknown => {}
            }
            assert!(
                !is_idempotent || sent.copies <= 1,
                "record {id} is in the log twice"
            );
        }
        if keeps_order {
            for partition in &cluster.partitions {
                let batches = partition.log.entries.iter();
                let ids = batches.flat_map(|entry| &entry.batch.ids);
                self.first_copies_are_in_order(ids.copied());
            }
        }
    }

    /// Without idempotence a record that was given up may still come late; those that were
    /// acknowledged are in order.
    fn first_copies_are_in_order(&self, ids: impl Iterator<Item = usize>) {
        let mut seen = BTreeSet::new();
        let mut last = 0;
        for id in ids.filter(|id| matches!(self.all[*id].result, Some(Told::Acked(_)))) {
            if seen.insert(id) {
                assert!(
                    id >= last,
                    "record {id} is behind {last}, which was sent after it"
                );
                last = id;
            }
        }
    }
}

/// G3: an acknowledged record is where it was told to be.
fn is_at(cluster: &Cluster, partition: i32, id: usize, offset: i64) {
    let entries = &cluster.partitions[partition as usize].log.entries;
    let place = entries.partition_point(|entry| entry.offset <= offset);
    let entry = place.checked_sub(1).map(|place| &entries[place]);
    let found = entry.and_then(|entry| entry.batch.ids.get((offset - entry.offset) as usize));
    assert_eq!(
        found,
        Some(&id),
        "record {id} is not at offset {offset} of partition {partition}"
    );
}
