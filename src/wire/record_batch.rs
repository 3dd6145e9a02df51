//! Record batches, format 2: what a partition's log holds and what produce requests carry.

mod read;
mod write;

#[allow(
    unused_imports,
    reason = "only brokers, which are mocks and tests, read batches"
)]
pub(crate) use read::{Batch, RecordView, read_batches, records};
pub(crate) use write::{RecordFields, encoded_len};

use byteorder::{BigEndian, ByteOrder};

use super::{Malformed, Reader};

/// The header of a batch, in front of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    /// The bytes behind this field. [`write`](Self::write) computes it.
    pub(crate) length: i32,
    pub(crate) partition_leader_epoch: i32,
    pub(crate) magic: i8,
    /// CRC-32C of everything behind this field. [`write`](Self::write) computes it.
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
}

pub(crate) const BASE_OFFSET_AT: usize = 0;
pub(crate) const LENGTH_AT: usize = 8;
pub(crate) const PARTITION_LEADER_EPOCH_AT: usize = 12;
pub(crate) const MAGIC_AT: usize = 16;
pub(crate) const CRC_AT: usize = 17;
pub(crate) const ATTRIBUTES_AT: usize = 21;
pub(crate) const LAST_OFFSET_DELTA_AT: usize = 23;
pub(crate) const BASE_TIMESTAMP_AT: usize = 27;
pub(crate) const MAX_TIMESTAMP_AT: usize = 35;
pub(crate) const PRODUCER_ID_AT: usize = 43;
pub(crate) const PRODUCER_EPOCH_AT: usize = 51;
pub(crate) const BASE_SEQUENCE_AT: usize = 53;
pub(crate) const RECORD_COUNT_AT: usize = 57;
/// The bytes of the header: the records start here.
pub(crate) const HEADER_LEN: usize = 61;
/// The bytes that `length` does not count.
const LENGTH_EXCLUDES: usize = PARTITION_LEADER_EPOCH_AT;
/// The bytes of the header that it counts: the length of a batch without records.
const LENGTH_MIN: usize = HEADER_LEN - LENGTH_EXCLUDES;

pub(crate) const MAGIC: i8 = 2;
pub(crate) const CODEC_MASK: i16 = 0x07;
/// Set if the timestamps are the broker's, clear if they are the producer's.
pub(crate) const LOG_APPEND_TIME: i16 = 0x08;
pub(crate) const TRANSACTIONAL: i16 = 0x10;
/// Set on the broker's own commit and abort markers.
pub(crate) const CONTROL: i16 = 0x20;

impl BatchHeader {
    /// Writes the header into the first bytes of `batch`, with the length and the CRC of what is
    /// there.
    ///
    /// # Panics
    ///
    /// If `batch` has no room for a header.
    pub(crate) fn write(&self, batch: &mut [u8]) {
        let length = super::put::length(batch.len() - LENGTH_EXCLUDES);
        BigEndian::write_i64(&mut batch[BASE_OFFSET_AT..], self.base_offset);
        BigEndian::write_i32(&mut batch[LENGTH_AT..], length);
        BigEndian::write_i32(
            &mut batch[PARTITION_LEADER_EPOCH_AT..],
            self.partition_leader_epoch,
        );
        batch[MAGIC_AT] = self.magic as u8;
        BigEndian::write_i16(&mut batch[ATTRIBUTES_AT..], self.attributes);
        BigEndian::write_i32(&mut batch[LAST_OFFSET_DELTA_AT..], self.last_offset_delta);
        BigEndian::write_i64(&mut batch[BASE_TIMESTAMP_AT..], self.base_timestamp);
        BigEndian::write_i64(&mut batch[MAX_TIMESTAMP_AT..], self.max_timestamp);
        BigEndian::write_i64(&mut batch[PRODUCER_ID_AT..], self.producer_id);
        BigEndian::write_i16(&mut batch[PRODUCER_EPOCH_AT..], self.producer_epoch);
        BigEndian::write_i32(&mut batch[BASE_SEQUENCE_AT..], self.base_sequence);
        BigEndian::write_i32(&mut batch[RECORD_COUNT_AT..], self.record_count);
        let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
        BigEndian::write_u32(&mut batch[CRC_AT..], crc);
    }

    /// Reads the header at the start of `batch`; the CRC is not checked.
    pub(crate) fn read(batch: &[u8]) -> Result<Self, Malformed> {
        Self::decode(&mut Reader::new(batch))
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let header = Self {
            base_offset: input.i64()?,
            length: input.i32()?,
            partition_leader_epoch: input.i32()?,
            magic: input.i8()?,
            crc: input.u32()?,
            attributes: input.i16()?,
            last_offset_delta: input.i32()?,
            base_timestamp: input.i64()?,
            max_timestamp: input.i64()?,
            producer_id: input.i64()?,
            producer_epoch: input.i16()?,
            base_sequence: input.i32()?,
            record_count: input.i32()?,
        };
        if header.magic != MAGIC {
            return Err(input.malformed("record batch whose magic is not 2"));
        }
        if header.length < LENGTH_MIN as i32 {
            return Err(input.malformed("record batch shorter than its header"));
        }
        if header.record_count < 0 {
            return Err(input.malformed("negative number of records"));
        }
        Ok(header)
    }

    /// The bytes of the records, compressed or not, by the length field.
    pub(crate) fn records_len(&self) -> usize {
        (self.length as usize).saturating_sub(LENGTH_MIN)
    }
}

impl Default for BatchHeader {
    /// An empty batch of a producer that is not idempotent.
    fn default() -> Self {
        Self {
            base_offset: 0,
            length: 0,
            partition_leader_epoch: -1,
            magic: MAGIC,
            crc: 0,
            attributes: 0,
            last_offset_delta: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        }
    }
}

#[cfg(test)]
mod tests;
