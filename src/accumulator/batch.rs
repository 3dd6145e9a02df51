//! A batch while callers fill it, and once it is sealed.

mod halve;

use std::time::Instant;

use super::budget::{Grant, Share};
use super::partition::Partition;
use super::results::Piece;
use super::sequence::Stamp;
use crate::compress::{Compression, Compressor, Levels};
use crate::delivery::{Completion, Failure, Slot};
use crate::error::{Error, ErrorKind, Outcome};
use crate::record::Record;
use crate::sync::Arc;
use crate::wire::TopicId;
use crate::wire::record_batch::{BatchHeader, HEADER_LEN, RecordFields, encoded_len};

/// The first allocation of a batch; it grows by [`GROWTH`] up to the batch size.
const FIRST_CAPACITY: usize = 1024;
const GROWTH: usize = 4;

/// A batch that callers append to, in wire form from the first byte.
pub(crate) struct OpenBatch {
    bytes: Vec<u8>,
    grant: Grant,
    records: u32,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
    pub(crate) completion: Arc<Completion>,
    pub(crate) created: Instant,
    /// The earliest of its records' deadlines.
    pub(crate) deadline: Option<Instant>,
    /// Its place among the partition's results.
    pub(crate) place: u64,
    /// Somebody waits for it: it does not linger.
    pub(crate) is_hurried: bool,
}

/// A batch that takes no more records. Whoever owns it owes its records a result: dropping it
/// unresolved is an error to them, never a hang.
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    grant: Grant,
    pub(crate) records: u32,
    /// The bytes before compression.
    pub(crate) plain_len: usize,
    /// How its records are compressed now.
    codec: Compression,
    /// It was compressed, or would have grown.
    is_packed: bool,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
    pub(crate) completion: Arc<Completion>,
    pub(crate) created: Instant,
    /// It is not sent, nor sent again, after this.
    pub(crate) deadline: Option<Instant>,
    pub(crate) partition: Arc<Partition>,
    /// Its place among the partition's results.
    pub(crate) place: u64,
    /// The index of its first record in the batch as it was opened: not 0 if that was split.
    pub(crate) first: u32,
    /// Its place among the partition's batches on the wire, given at the first send.
    pub(crate) ordinal: u64,
    /// The topic's id when it was taken for sending.
    pub(crate) topic_id: TopicId,
    /// Who sends it, as which numbers.
    pub(crate) stamp: Stamp,
    is_sealed: bool,
    /// Somebody else sees to its result.
    is_paid: bool,
    /// A sender or a receiver has it, and its partition waits for the end of the attempt.
    pub(crate) is_out: bool,
    /// How often its bytes began to be written.
    pub(crate) attempts: u32,
    /// Attempts that failed only because a batch below had: they do not count for `retries`.
    pub(crate) excused: u32,
    /// A connection died with it: a copy may still be on its way to the broker.
    pub(crate) is_adrift: bool,
    /// Some attempt ended without an answer that says whether the broker has it.
    pub(crate) may_be_written: bool,
}

/// The capacity that a batch needs for one more record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// What is missing for the record.
    pub(crate) least: usize,
    /// What is missing for a good size.
    pub(crate) best: usize,
    /// What there is.
    pub(crate) held: usize,
}

/// What [`OpenBatch::measure`] found, for the next record of that batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordLen(usize);

impl RecordLen {
    #[inline]
    fn encoded(self) -> usize {
        encoded_len(self.0)
    }
}

#[inline]
fn fields<'a>(record: &'a Record<'a>, index: u32, timestamp_delta: i64) -> RecordFields<'a> {
    RecordFields {
        offset_delta: index as i32,
        timestamp_delta,
        key: record.key,
        value: record.value,
        headers: &record.headers,
    }
}

/// The size of a batch that carries nothing but `record`.
pub(crate) fn lone_size(record: &Record<'_>) -> usize {
    HEADER_LEN + fields(record, 0, 0).encoded_len()
}

/// No less than [`lone_size`], and cheaper to know.
#[inline]
pub(crate) fn lone_size_max(record: &Record<'_>) -> usize {
    /// Of a varint or varlong.
    const LEN_MAX: usize = 10;
    let len = |part: Option<&[u8]>| LEN_MAX + part.map_or(0, <[u8]>::len);
    let headers = record.headers.iter();
    let headers: usize = headers
        .map(|(key, value)| LEN_MAX + key.len() + len(*value))
        .sum();
    let numbers = 4 * LEN_MAX + 1;
    HEADER_LEN + numbers + len(record.key) + len(record.value) + headers
}

/// What a new batch for `record` should allocate.
pub(crate) fn room_to_open(record: &Record<'_>, batch_size: usize) -> Room {
    let least = lone_size(record);
    Room {
        least,
        best: least.max(FIRST_CAPACITY.min(batch_size)),
        held: 0,
    }
}

impl OpenBatch {
    /// An empty batch in `grant` bytes.
    pub(crate) fn new(
        mut grant: Grant,
        timestamp_ms: i64,
        completion: Arc<Completion>,
        (place, created): (u64, Instant),
    ) -> Self {
        let mut bytes = grant.take_buffer();
        bytes.reserve_exact(grant.bytes());
        bytes.resize(HEADER_LEN, 0);
        Self {
            bytes,
            grant,
            records: 0,
            base_timestamp_ms: timestamp_ms,
            max_timestamp_ms: timestamp_ms,
            completion,
            created,
            deadline: None,
            place,
            is_hurried: false,
        }
    }

    /// Whether a record still belongs into this batch.
    #[inline]
    pub(crate) fn accepts(
        &self,
        len: RecordLen,
        deadline: Option<Instant>,
        batch_size: usize,
    ) -> bool {
        self.bytes.len() + len.encoded() <= batch_size
            && self.records < i32::MAX as u32
            && self.shares(deadline)
    }

    /// Whether a record of this deadline goes with the others: a batch is given up whole, at the
    /// earliest deadline in it, which may cost a record an eighth of its time.
    #[inline]
    fn shares(&self, deadline: Option<Instant>) -> bool {
        match (self.deadline, deadline) {
            (Some(own), Some(other)) => {
                let slack = own.saturating_duration_since(self.created) / 8;
                other >= own && other.saturating_duration_since(own) <= slack
            }
            (own, other) => own == other,
        }
    }

    /// How long a record is in here.
    #[inline]
    pub(crate) fn measure(&self, record: &Record<'_>, timestamp_ms: i64) -> RecordLen {
        RecordLen(self.fields(record, timestamp_ms).body_len())
    }

    #[inline]
    fn fields<'a>(&self, record: &'a Record<'a>, timestamp_ms: i64) -> RecordFields<'a> {
        let delta = timestamp_ms.wrapping_sub(self.base_timestamp_ms);
        fields(record, self.records, delta)
    }

    #[inline]
    pub(crate) fn has_room_for(&self, len: RecordLen) -> bool {
        self.bytes.len() + len.encoded() <= self.grant.bytes()
    }

    /// The capacity that is missing for a record of that length, `None` if there is enough.
    pub(crate) fn room_for(&self, len: RecordLen, batch_size: usize) -> Option<Room> {
        let capacity = self.grant.bytes();
        let needed = self.bytes.len() + len.encoded();
        let best = needed.max((capacity * GROWTH).min(batch_size));
        (needed > capacity).then(|| Room {
            least: needed - capacity,
            best: best - capacity,
            held: capacity,
        })
    }

    /// Whether it may grow by `more`: all of its memory stands on the same accounts.
    pub(crate) fn takes(&self, more: &Grant, room: Room) -> bool {
        more.bytes() >= room.least && self.grant.is_like(more)
    }

    /// Grows into that memory; its old buffer, to be dropped outside locks.
    pub(crate) fn grow(&mut self, mut more: Grant) -> Grant {
        let mut buffer = more.take_buffer();
        self.grant.merge(more);
        buffer.reserve_exact(self.grant.bytes());
        buffer.extend_from_slice(&self.bytes);
        self.grant.used(std::mem::replace(&mut self.bytes, buffer))
    }

    /// Appends a record of that length, for which [`room_for`](Self::room_for) wants nothing more.
    #[inline]
    pub(crate) fn append(
        &mut self,
        record: &Record<'_>,
        timestamp_ms: i64,
        len: RecordLen,
    ) -> Slot {
        self.fields(record, timestamp_ms)
            .put_as(len.0, &mut self.bytes);
        let index = self.records;
        self.records += 1;
        self.max_timestamp_ms = self.max_timestamp_ms.max(timestamp_ms);
        let size = |part: Option<&[u8]>| part.map_or(-1, |part| part.len() as i32);
        Slot {
            index,
            timestamp_ms,
            key_size: size(record.key),
            value_size: size(record.value),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn records(&self) -> u32 {
        self.records
    }

    pub(crate) fn capacity(&self) -> usize {
        self.grant.bytes()
    }

    pub(crate) fn share(&self) -> Option<&Share> {
        self.grant.share()
    }

    pub(crate) fn close(self, partition: Arc<Partition>) -> Batch {
        Batch {
            plain_len: self.bytes.len(),
            bytes: self.bytes,
            grant: self.grant,
            records: self.records,
            codec: Compression::None,
            is_packed: false,
            base_timestamp_ms: self.base_timestamp_ms,
            max_timestamp_ms: self.max_timestamp_ms,
            completion: self.completion,
            created: self.created,
            deadline: self.deadline,
            partition,
            place: self.place,
            first: 0,
            ordinal: 0,
            topic_id: TopicId::default(),
            stamp: Stamp::NONE,
            is_sealed: false,
            is_paid: false,
            is_out: false,
            attempts: 0,
            excused: 0,
            is_adrift: false,
            may_be_written: false,
        }
    }
}

impl Batch {
    /// Gives it its identity and sequence: from here on its bytes are the same for every attempt.
    pub(crate) fn give(&mut self, stamp: Stamp) {
        self.stamp = stamp;
    }

    /// Takes identity and sequence back. Only for a batch that is known to be in no log.
    pub(crate) fn take_back(&mut self) {
        assert!(
            !self.may_be_written,
            "a batch that may be in the log was to be numbered anew"
        );
        self.stamp = Stamp::NONE;
        self.is_adrift = false;
        self.is_sealed = false;
    }

    /// True if the configuration wants it compressed, and nobody has tried.
    pub(crate) fn is_to_pack(&self) -> bool {
        !self.is_packed && self.partition.rule.compression != Compression::None
    }

    /// Compresses its records, once, unless that makes them longer. The budget still counts them as
    /// they were: a batch that is refused as too large is split, and needs that room again.
    pub(crate) fn pack(&mut self, press: &mut Compressor, levels: &Levels) {
        if !self.is_to_pack() {
            return;
        }
        self.is_packed = true;
        let codec = self.partition.rule.compression;
        let (head, records) = self.bytes.split_at(HEADER_LEN);
        match press.pack(codec, levels, records) {
            Ok(packed) if packed.len() < records.len() => {
                self.bytes.truncate(head.len());
                self.bytes.extend_from_slice(packed);
                self.codec = codec;
            }
            Ok(_) => {}
            Err(error) => log::error!("a batch for {} is not compressed: {error}", self.partition),
        }
    }

    /// Writes the header, once for each stamp, so that a retry is the same batch to the bit.
    pub(crate) fn seal(&mut self) {
        if std::mem::replace(&mut self.is_sealed, true) {
            return;
        }
        let header = BatchHeader {
            base_offset: 0,
            length: 0,
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: self.codec.id(),
            last_offset_delta: self.records as i32 - 1,
            base_timestamp: self.base_timestamp_ms,
            max_timestamp: self.max_timestamp_ms,
            producer_id: self.stamp.identity.producer_id,
            producer_epoch: self.stamp.identity.epoch,
            base_sequence: self.stamp.base_sequence,
            record_count: self.records as i32,
        };
        header.write(&mut self.bytes);
    }

    /// Its result is somebody else's to see to.
    pub(crate) fn leave_result(&mut self) {
        self.is_paid = true;
    }

    pub(crate) fn owes_result(&self) -> bool {
        !self.is_paid
    }

    /// Gives its memory back; its owner sees to its result.
    pub(crate) fn free(&mut self) {
        self.grant.end(std::mem::take(&mut self.bytes));
        self.is_paid = true;
    }

    /// Which records it has.
    pub(crate) fn piece(&self) -> Piece {
        Piece {
            place: self.place,
            first: self.first,
            records: self.records,
        }
    }

    /// Its memory, which goes to somebody else; its owner sees to its result.
    pub(crate) fn take_memory(&mut self) -> Grant {
        self.bytes = Vec::new();
        self.is_paid = true;
        self.grant.split_off(usize::MAX)
    }

    /// Fails its records, unless somebody else sees to their result.
    pub(crate) fn fail(mut self, error: Error) {
        let error = error
            .with_outcome(self.outcome())
            .with_attempts(self.attempts);
        let is_owed = self.owes_result();
        self.free();
        if is_owed {
            let failure = Failure::from(error);
            self.partition.resolve(self.piece(), Err(failure));
        }
    }

    pub(crate) fn max_timestamp_ms(&self) -> i64 {
        self.max_timestamp_ms
    }

    /// What is known of its records if they fail now.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.may_be_written {
            Outcome::Unknown
        } else {
            Outcome::NotWritten
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.grant.bytes()
    }

    pub(crate) fn share(&self) -> Option<&Share> {
        self.grant.share()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if !self.is_out && (self.is_paid || self.completion.result().is_some()) {
            return;
        }
        let outcome = if self.attempts > 0 {
            Outcome::Unknown
        } else {
            Outcome::NotWritten
        };
        let message = format!(
            "a thread of the producer panicked over a batch of {} records for {}",
            self.records, self.partition
        );
        let error = Error::new(ErrorKind::Application, message)
            .with_outcome(outcome)
            .with_attempts(self.attempts);
        match std::mem::take(&mut self.is_out) {
            true => {
                self.free();
                self.partition.lost(self, error);
            }
            false => drop(self.completion.resolve(Err(Failure::from(error)))),
        }
    }
}
