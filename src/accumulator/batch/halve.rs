//! A batch that is too large for its broker, in two.

use std::borrow::Cow;

use super::Batch;
use crate::accumulator::budget::Grant;
use crate::accumulator::sequence::{Stamp, advance};
use crate::compress::{Compression, decompress};
use crate::wire::record_batch::{HEADER_LEN, RecordFields, records};

/// The bytes and the newest time of a half that is being filled.
struct Half {
    bytes: Vec<u8>,
    records: u32,
    max_timestamp_ms: i64,
}

impl Batch {
    /// Two batches with its records, each with about half of the bytes and at least one record. To
    /// the partition's results they are pieces of the batch that was opened. Under idempotence they
    /// have its sequences, which a broker that knows nothing of the whole takes one after the
    /// other; one that had the whole would not recognise them.
    ///
    /// The halves together have one header more than the budget has granted.
    ///
    /// The batch itself is nothing then: its records are theirs.
    ///
    /// # Errors
    /// Why it stays whole: it has but one record, or its compressed bytes cannot be read.
    pub(crate) fn halve(&mut self) -> Result<[Batch; 2], String> {
        let [left, right] = self.cut()?;
        let grant = self.grant.split_off(right.bytes.len());
        let behind = Stamp {
            base_sequence: match self.stamp {
                Stamp::NONE => Stamp::NONE.base_sequence,
                stamp => advance(stamp.base_sequence, left.records),
            },
            ..self.stamp
        };
        self.excused += 1;
        let second = self.half(right, grant, (self.first + left.records, behind));
        let rest = self.grant.split_off(usize::MAX);
        let first = self.half(left, rest, (self.first, self.stamp));
        (self.is_paid, self.is_out) = (true, false);
        Ok([first, second])
    }

    fn cut(&self) -> Result<[Half; 2], String> {
        let body = match self.codec {
            Compression::None => Cow::Borrowed(&self.bytes[HEADER_LEN..]),
            codec => {
                let plain = decompress(codec, &self.bytes[HEADER_LEN..], self.plain_len);
                Cow::Owned(plain.map_err(|error| format!("it cannot be split: {error}"))?)
            }
        };
        let half = || Half {
            bytes: vec![0; HEADER_LEN],
            records: 0,
            max_timestamp_ms: i64::MIN,
        };
        let (mut left, mut right) = (half(), half());
        for record in records(&body, self.records as i32) {
            let record = record.map_err(|error| format!("it cannot be split: {error}"))?;
            let is_full = left.bytes.len() >= HEADER_LEN + body.len() / 2;
            let is_last = left.records + right.records + 1 == self.records;
            let to_left = right.records == 0 && (left.records == 0 || !is_full && !is_last);
            let half = if to_left { &mut left } else { &mut right };
            let fields = RecordFields {
                offset_delta: half.records as i32,
                timestamp_delta: record.timestamp_delta,
                key: record.key,
                value: record.value,
                headers: &record.headers,
            };
            fields.put(&mut half.bytes);
            let timestamp_ms = self.base_timestamp_ms.wrapping_add(record.timestamp_delta);
            half.max_timestamp_ms = half.max_timestamp_ms.max(timestamp_ms);
            half.records += 1;
        }
        if right.records == 0 {
            return Err("it has but one record".to_owned());
        }
        Ok([left, right])
    }

    fn half(&self, half: Half, grant: Grant, (first, stamp): (u32, Stamp)) -> Batch {
        Batch {
            plain_len: half.bytes.len(),
            bytes: half.bytes,
            grant,
            records: half.records,
            codec: Compression::None,
            is_packed: false,
            base_timestamp_ms: self.base_timestamp_ms,
            max_timestamp_ms: half.max_timestamp_ms,
            completion: self.completion.clone(),
            created: self.created,
            deadline: self.deadline,
            partition: self.partition.clone(),
            place: self.place,
            first,
            ordinal: self.ordinal,
            topic_id: self.topic_id,
            stamp,
            is_sealed: false,
            is_paid: self.is_paid,
            is_out: false,
            attempts: self.attempts,
            excused: self.excused,
            is_adrift: self.is_adrift,
            may_be_written: self.may_be_written,
        }
    }
}
