//! Record batches by hand, right and wrong ones.

use super::bytes::{In, Out};
use super::codecs::{stored, unpacked};

/// What a batch is to be like. The default is right: one value, no producer id.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) values: Vec<&'static str>,
    pub(super) key: Option<&'static str>,
    /// Id, epoch and first sequence number.
    pub(super) producer: (i64, i16, i32),
    pub(super) timestamp_ms: i64,
    pub(super) attributes: i16,
    pub(super) magic: u8,
    pub(super) base_offset: i64,
    /// Other than the number of values.
    pub(super) count: Option<i32>,
    /// Other than what fits the number of values.
    pub(super) last_offset_delta: Option<i32>,
    /// Between the offsets of two records; 1 is right.
    pub(super) stride: i64,
    /// Instead of the records.
    pub(super) body: Option<Vec<u8>>,
    pub(super) is_crc_wrong: bool,
}

pub(super) const TRANSACTIONAL: i16 = 0x10;
pub(super) const CONTROL: i16 = 0x20;
pub(super) const LOG_APPEND_TIME: i16 = 0x08;

impl Default for Batch {
    fn default() -> Self {
        Self {
            values: vec!["a"],
            key: Some("k"),
            producer: (-1, -1, -1),
            timestamp_ms: now_ms(),
            attributes: 0,
            magic: 2,
            base_offset: 0,
            count: None,
            last_offset_delta: None,
            stride: 1,
            body: None,
            is_crc_wrong: false,
        }
    }
}

pub(super) fn now_ms() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed();
    since.expect("a clock after 1970").as_millis() as i64
}

/// A batch of these values.
pub(super) fn of(values: &[&'static str]) -> Batch {
    Batch {
        values: values.to_vec(),
        ..Batch::default()
    }
}

impl Batch {
    /// The same of an idempotent producer.
    pub(super) fn by(self, id: i64, epoch: i16, sequence: i32) -> Self {
        Self {
            producer: (id, epoch, sequence),
            ..self
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let count = self.count.unwrap_or(self.values.len() as i32);
        let mut checked = Out::default();
        checked.i16(self.attributes);
        let last = self.values.len() as i32 - 1;
        checked.i32(self.last_offset_delta.unwrap_or(last));
        checked.i64(self.timestamp_ms);
        checked.i64(self.timestamp_ms);
        checked.i64(self.producer.0);
        checked.i16(self.producer.1);
        checked.i32(self.producer.2);
        checked.i32(count);
        checked.raw(&self.body.clone().unwrap_or_else(|| self.records()));
        let mut crc = crc32c::crc32c(&checked.bytes);
        if self.is_crc_wrong {
            crc ^= 1;
        }
        let mut batch = Out::default();
        batch.i64(self.base_offset);
        batch.i32(4 + 1 + 4 + checked.bytes.len() as i32);
        batch.i32(-1);
        batch.raw(&[self.magic]);
        batch.raw(&crc.to_be_bytes());
        batch.raw(&checked.bytes);
        batch.bytes
    }

    /// The same with its records compressed.
    pub(super) fn compressed(self, codec: i16) -> Self {
        let records = self.body.clone().unwrap_or_else(|| self.records());
        Self {
            attributes: self.attributes | codec,
            body: Some(stored(codec, &records)),
            ..self
        }
    }

    fn records(&self) -> Vec<u8> {
        let mut out = Out::default();
        for (index, value) in (0..).zip(&self.values) {
            let mut record = Out::default();
            record.i8(0);
            record.varint(0);
            record.varint(index * self.stride);
            record.varint(self.key.map_or(-1, |key| key.len() as i64));
            record.raw(self.key.unwrap_or_default().as_bytes());
            record.varint(value.len() as i64);
            record.raw(value.as_bytes());
            record.varint(0);
            out.varint(record.bytes.len() as i64);
            out.raw(&record.bytes);
        }
        out.bytes
    }
}

/// A message of the format that Kafka had before 0.11.
pub(super) fn message_of_magic_1() -> Vec<u8> {
    let mut checked = Out::default();
    checked.i8(1);
    checked.i8(0);
    checked.i64(now_ms());
    checked.i32(-1);
    checked.i32(1);
    checked.raw(b"a");
    let mut message = Out::default();
    message.i64(0);
    message.i32(4 + checked.bytes.len() as i32);
    // Its CRC is another one; nobody comes so far as to look.
    message.i32(0);
    message.raw(&checked.bytes);
    message.bytes
}

/// A record that a broker has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) offset: i64,
    pub(super) value: String,
    pub(super) producer: (i64, i16, i32),
    pub(super) timestamp_ms: i64,
}

/// The records in the bytes of a fetch answer.
pub(super) fn fetched(bytes: &[u8]) -> Vec<Stored> {
    let mut input = In {
        bytes,
        flexible: false,
    };
    let mut records = Vec::new();
    while !input.bytes.is_empty() {
        let base_offset = input.i64();
        let len = input.i32() as usize;
        let mut batch = In {
            bytes: input.raw(len),
            flexible: false,
        };
        batch.raw(4 + 1 + 4);
        let attributes = batch.i16();
        batch.i32();
        let (base_ms, max_ms) = (batch.i64(), batch.i64());
        let (id, epoch, sequence) = (batch.i64(), batch.i16(), batch.i32());
        let count = batch.i32();
        batch.bytes = unpacked(attributes & 7, batch.bytes);
        for _ in 0..count {
            batch.varint();
            batch.i8();
            let delta_ms = batch.varint();
            let delta = batch.varint();
            for is_value in [false, true] {
                let len = usize::try_from(batch.varint()).unwrap_or(0);
                let text = String::from_utf8_lossy(batch.raw(len)).into_owned();
                if is_value {
                    records.push(Stored {
                        offset: base_offset + delta,
                        value: text,
                        producer: (
                            id,
                            epoch,
                            if sequence < 0 {
                                -1
                            } else {
                                next(sequence, delta)
                            },
                        ),
                        timestamp_ms: if attributes & LOG_APPEND_TIME != 0 {
                            max_ms
                        } else {
                            base_ms + delta_ms
                        },
                    });
                }
            }
            assert_eq!(batch.varint(), 0, "no test sends headers");
        }
    }
    records
}

/// The sequence number `count` after another: after 2^31 - 1 comes 0.
pub(super) fn next(sequence: i32, count: i64) -> i32 {
    ((i64::from(sequence) + count) & i64::from(i32::MAX)) as i32
}
