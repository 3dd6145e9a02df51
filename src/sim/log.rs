//! A partition's log, with what Kafka knows of producers.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::plan::Stateless;
use crate::wire::codes::Code;

/// A batch as it came over the wire.
#[derive(Clone, Debug)]
pub(super) struct WireBatch {
    pub(super) partition: i32,
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    pub(super) base_sequence: i32,
    /// The numbers of its records.
    pub(super) ids: Vec<usize>,
}

impl WireBatch {
    fn last_sequence(&self) -> i32 {
        following(self.base_sequence, self.ids.len() as u32 - 1)
    }
}

/// As many batches of a producer a broker remembers (ProducerStateEntry.NUM_BATCHES_TO_RETAIN).
pub(super) const REMEMBERED: usize = 5;

/// The sequence `by` behind `sequence`: they start over after 2^31 - 1
/// (DefaultRecordBatch.incrementSequence).
pub(super) fn following(sequence: i32, by: u32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) % (1 << 31)) as i32
}

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
    producers: BTreeMap<i64, Known>,
    /// A producer that was known before the run, by its last batch.
    before: Option<(i64, i16, (i32, i32, i64))>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) offset: i64,
    pub(super) batch: Rc<WireBatch>,
    /// All replicas have it: no election takes it away.
    pub(super) is_committed: bool,
}

#[derive(Debug)]
struct Known {
    epoch: i16,
    /// First and last sequence, and offset, of the last batches.
    recent: VecDeque<(i32, i32, i64)>,
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    New(i64),
    Duplicate(i64),
}

impl Log {
    /// As ProducerAppendInfo and ProducerStateEntry have it: first the duplicates, then epoch and
    /// sequence.
    pub(super) fn append(
        &mut self,
        batch: &Rc<WireBatch>,
        stateless: Stateless,
    ) -> Result<Appended, Code> {
        if batch.producer_id >= 0 {
            if let Some(offset) = self.duplicate(batch) {
                return Ok(Appended::Duplicate(offset));
            }
            self.check(batch, stateless)?;
        }
        let offset = self.end();
        self.entries.push(Entry {
            offset,
            batch: batch.clone(),
            is_committed: false,
        });
        self.learn(batch, offset);
        Ok(Appended::New(offset))
    }

    fn duplicate(&self, batch: &WireBatch) -> Option<i64> {
        let known = self.producers.get(&batch.producer_id)?;
        let same = (batch.base_sequence, batch.last_sequence());
        let mut recent = known.recent.iter().filter(|_| known.epoch == batch.epoch);
        recent
            .find(|(first, last, _)| (*first, *last) == same)
            .map(|(_, _, offset)| *offset)
    }

    fn check(&self, batch: &WireBatch, stateless: Stateless) -> Result<(), Code> {
        let first = batch.base_sequence;
        let Some(known) = self.producers.get(&batch.producer_id) else {
            return match stateless {
                _ if first == 0 => Ok(()),
                Stateless::TakesAny => Ok(()),
                Stateless::ZeroOnNewLog if !self.entries.is_empty() => Ok(()),
                Stateless::ZeroOnNewLog | Stateless::ZeroOnly => {
                    Err(Code::OUT_OF_ORDER_SEQUENCE_NUMBER)
                }
                Stateless::Forgets => Err(Code::UNKNOWN_PRODUCER_ID),
            };
        };
        if batch.epoch < known.epoch {
            return Err(Code::INVALID_PRODUCER_EPOCH);
        }
        let last = known.recent.back().map_or(-1, |(_, last, _)| *last);
        let is_next = match batch.epoch == known.epoch {
            true => first == following(last, 1),
            false => first == 0,
        };
        if is_next {
            Ok(())
        } else {
            Err(Code::OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    fn learn(&mut self, batch: &WireBatch, offset: i64) {
        if batch.producer_id < 0 {
            return;
        }
        let (first, last) = (batch.base_sequence, batch.last_sequence());
        self.know(batch.producer_id, batch.epoch, (first, last, offset));
    }

    /// As if it had taken `batch` (first and last sequence, offset) before the run.
    pub(super) fn preset(&mut self, producer_id: i64, epoch: i16, batch: (i32, i32, i64)) {
        self.before = Some((producer_id, epoch, batch));
        self.know(producer_id, epoch, batch);
    }

    fn know(&mut self, producer_id: i64, epoch: i16, batch: (i32, i32, i64)) {
        let known = self.producers.entry(producer_id).or_insert(Known {
            epoch,
            recent: VecDeque::new(),
        });
        if known.epoch != epoch {
            (known.epoch, known.recent) = (epoch, VecDeque::new());
        }
        known.recent.push_back(batch);
        if known.recent.len() > REMEMBERED {
            known.recent.pop_front();
        }
    }

    /// The offset behind the last record.
    pub(super) fn end(&self) -> i64 {
        self.entries
            .last()
            .map_or(0, |entry| entry.offset + entry.batch.ids.len() as i64)
    }

    /// Everything up to the batch at `offset` is on all replicas.
    pub(super) fn commit(&mut self, offset: i64) {
        let behind = self
            .entries
            .iter_mut()
            .rev()
            .skip_while(|entry| entry.offset > offset);
        behind
            .take_while(|entry| !entry.is_committed)
            .for_each(|entry| entry.is_committed = true);
    }

    pub(super) fn uncommitted(&self) -> usize {
        self.entries
            .iter()
            .rev()
            .take_while(|entry| !entry.is_committed)
            .count()
    }

    /// A new leader lacks the last `count` batches; it reads what it knows of producers from its
    /// log.
    pub(super) fn truncate(&mut self, count: usize) -> Vec<Entry> {
        let gone = self.entries.split_off(self.entries.len() - count);
        if !gone.is_empty() {
            self.producers.clear();
            if let Some((producer_id, epoch, batch)) = self.before {
                self.know(producer_id, epoch, batch);
            }
            let kept: Vec<_> = self
                .entries
                .iter()
                .map(|entry| (entry.batch.clone(), entry.offset))
                .collect();
            kept.iter()
                .for_each(|(batch, offset)| self.learn(batch, *offset));
        }
        gone
    }

    /// What it knew of producers is too old.
    pub(super) fn forget(&mut self) {
        self.producers.clear();
    }
}
