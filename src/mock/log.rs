//! The log of a partition: offsets, duplicates and sequence numbers, by the rules of a real broker.

use std::collections::{HashMap, VecDeque};

use super::check::{AppendRules, Refusal, check};
use super::facts::MockRecord;
use crate::wire::codes::Code;
use crate::wire::record_batch::{Batch, BatchHeader, RecordView, records};

/// Which first sequence number a broker takes from a producer of which a partition knows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FirstSequence {
    /// Any, as Kafka before 4.5: the state may just have expired.
    #[default]
    Any,
    /// Only 0 as long as the partition was never written to, else OUT_OF_ORDER_SEQUENCE_NUMBER, as
    /// Kafka 4.5.
    ZeroInNewLog,
    /// Only 0, else UNKNOWN_PRODUCER_ID, as Kafka 1.0 to 2.4.
    OnlyZero,
}

/// The batches of a partition, and what it remembers of its producers.
#[derive(Debug, Default)]
pub(super) struct PartitionLog {
    batches: Vec<StoredBatch>,
    end_offset: i64,
    producers: HashMap<i64, Producer>,
}

/// What an append led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Appended {
    pub(super) base_offset: i64,
    /// Set if the topic has log append time, and for a duplicate: then it is the greatest timestamp
    /// of the first copy, whatever time the topic has.
    pub(super) append_time_ms: Option<i64>,
}

#[derive(Debug)]
struct StoredBatch {
    header: BatchHeader,
    appended: Appended,
    /// The records, not compressed.
    body: Vec<u8>,
}

/// What a partition remembers of one producer id.
#[derive(Debug)]
struct Producer {
    epoch: i16,
    /// The last batches of this epoch, oldest first; never empty.
    recent: VecDeque<RecentBatch>,
}

#[derive(Clone, Copy, Debug)]
struct RecentBatch {
    first_sequence: i32,
    last_sequence: i32,
    max_timestamp_ms: i64,
    appended: Appended,
}

/// What the sequence numbers say about a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    /// The next one.
    Next,
    /// One of the last that were appended.
    Duplicate(Appended),
    /// Neither.
    Refused(Code),
}

/// How many batches a broker remembers for each producer id.
const RECENT_BATCHES_MAX: usize = 5;
/// Sequence numbers run from 0 to 2^31 - 1, and from 0 again.
const SEQUENCES: i64 = 1 << 31;

impl PartitionLog {
    /// Appends a batch if all is well: size, CRC, header, records, and last its sequence numbers.
    pub(super) fn append(
        &mut self,
        batch: &Batch<'_>,
        rules: &AppendRules,
    ) -> Result<Appended, Refusal> {
        let header = &batch.header;
        let body = check(batch, rules)?;
        let place = Appended {
            base_offset: self.end_offset,
            append_time_ms: rules.has_log_append_time.then_some(rules.now_ms),
        };
        if header.producer_id >= 0 {
            match self.sequence(header, rules.first_sequence) {
                Sequence::Next => self.remember(header, place),
                Sequence::Duplicate(appended) => return Ok(appended),
                Sequence::Refused(code) => return Err(Refusal::by_log(code)),
            }
        }
        self.end_offset += i64::from(header.record_count);
        if !rules.forgets_records {
            self.batches.push(StoredBatch {
                header: header.clone(),
                appended: place,
                body: body.into_owned(),
            });
        }
        Ok(place)
    }

    /// Counts records that nobody keeps; returns the offset of the first.
    pub(super) fn count(&mut self, records: i32) -> i64 {
        let first = self.end_offset;
        self.end_offset += i64::from(records);
        first
    }

    /// Forgets the sequence numbers of all producers, as after retention or `DeleteRecords`.
    pub(super) fn forget_producers(&mut self) {
        self.producers.clear();
    }

    /// The offset that the next record gets.
    pub(super) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    pub(super) fn records(&self) -> Vec<MockRecord> {
        let batches = self.batches.iter();
        batches.flat_map(StoredBatch::records).collect()
    }

    fn sequence(&self, header: &BatchHeader, first_sequence: FirstSequence) -> Sequence {
        let (first, last) = (header.base_sequence, last_sequence(header));
        let Some(producer) = self.producers.get(&header.producer_id) else {
            return match first_sequence {
                FirstSequence::ZeroInNewLog if first != 0 && self.end_offset == 0 => {
                    Sequence::Refused(Code::OUT_OF_ORDER_SEQUENCE_NUMBER)
                }
                FirstSequence::OnlyZero if first != 0 => {
                    Sequence::Refused(Code::UNKNOWN_PRODUCER_ID)
                }
                _ => Sequence::Next,
            };
        };
        if header.producer_epoch < producer.epoch {
            return Sequence::Refused(Code::INVALID_PRODUCER_EPOCH);
        }
        let expected = if header.producer_epoch > producer.epoch {
            0
        } else {
            let same = |recent: &&RecentBatch| {
                recent.first_sequence == first && recent.last_sequence == last
            };
            if let Some(recent) = producer.recent.iter().find(same) {
                return Sequence::Duplicate(recent.as_duplicate());
            }
            let newest = producer.recent.back();
            newest.map_or(0, |newest| sequence_after(newest.last_sequence, 1))
        };
        if first == expected {
            Sequence::Next
        } else {
            Sequence::Refused(Code::OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    fn remember(&mut self, header: &BatchHeader, appended: Appended) {
        let epoch = header.producer_epoch;
        let producer = self
            .producers
            .entry(header.producer_id)
            .or_insert_with(|| Producer {
                epoch,
                recent: VecDeque::new(),
            });
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.recent.clear();
        }
        if producer.recent.len() == RECENT_BATCHES_MAX {
            producer.recent.pop_front();
        }
        producer.recent.push_back(RecentBatch {
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header),
            max_timestamp_ms: appended.append_time_ms.unwrap_or(header.max_timestamp),
            appended,
        });
    }
}

impl StoredBatch {
    fn records(&self) -> impl Iterator<Item = MockRecord> {
        let records = records(&self.body, self.header.record_count);
        records.flatten().map(|record| self.record(&record))
    }

    fn record(&self, record: &RecordView<'_>) -> MockRecord {
        let Self {
            header, appended, ..
        } = self;
        let created_ms = header.base_timestamp.saturating_add(record.timestamp_delta);
        let headers = record.headers.iter();
        MockRecord {
            offset: appended.base_offset + i64::from(record.offset_delta),
            timestamp_ms: appended.append_time_ms.unwrap_or(created_ms),
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers
                .map(|(key, value)| ((*key).to_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            sequence: if header.base_sequence < 0 {
                -1
            } else {
                sequence_after(header.base_sequence, record.offset_delta)
            },
        }
    }
}

impl RecentBatch {
    fn as_duplicate(&self) -> Appended {
        Appended {
            append_time_ms: Some(self.max_timestamp_ms),
            ..self.appended
        }
    }
}

fn last_sequence(header: &BatchHeader) -> i32 {
    sequence_after(header.base_sequence, header.last_offset_delta)
}

fn sequence_after(sequence: i32, count: i32) -> i32 {
    let sum = i64::from(sequence) + i64::from(count);
    // Below 2^31 by the remainder, so it fits.
    sum.rem_euclid(SEQUENCES) as i32
}

#[cfg(test)]
mod tests;
