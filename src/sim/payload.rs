//! The records of a run: each can be told, and checked to the byte, by its number.

use std::time::Duration;

use super::log::WireBatch;
use crate::record::Record;
use crate::wire::record_batch::{RecordView, read_batches, records};

pub(super) const TOPIC: &str = "orders";
const FIRST_TIMESTAMP_MS: i64 = 1_600_000_000_000;

/// A record's parts, to be borrowed by [`record`].
pub(super) struct Parts {
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    header: Option<Vec<u8>>,
    timestamp_ms: i64,
}

impl Parts {
    pub(super) fn new(id: usize) -> Self {
        let mut value = (id as u64).to_be_bytes().to_vec();
        value.extend((0..id * 37 % 180).map(|at| (id + at) as u8));
        Self {
            key: (!id.is_multiple_of(3)).then(|| format!("key {}", id % 7).into_bytes()),
            value,
            header: id.is_multiple_of(5).then(|| vec![id as u8; id % 4]),
            timestamp_ms: FIRST_TIMESTAMP_MS + (id as i64 * 7919) % 1000,
        }
    }

    pub(super) fn record(&self) -> Record<'_> {
        let record = Record::to(TOPIC)
            .value(&self.value)
            .key_opt(self.key.as_ref());
        match &self.header {
            Some(value) => record.header("trace", value),
            None => record,
        }
    }

    pub(super) fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }

    fn is(&self, seen: &RecordView<'_>, base_timestamp_ms: i64) -> bool {
        let headers = self.header.as_deref().map(|value| ("trace", Some(value)));
        seen.value == Some(&self.value)
            && seen.key == self.key.as_deref()
            && seen.headers == headers.into_iter().collect::<Vec<_>>()
            && seen.timestamp_delta == self.timestamp_ms - base_timestamp_ms
    }
}

/// Reads a batch as a broker does, and every record with distrust.
pub(super) fn parse(partition: i32, bytes: &[u8]) -> WireBatch {
    let mut batches = read_batches(bytes);
    let batch = batches
        .next()
        .expect("a batch")
        .expect("a batch that can be read");
    assert!(
        batches.next().is_none(),
        "two batches for partition {partition} in one request"
    );
    assert!(
        batch.check_crc(),
        "the CRC of a batch for partition {partition} is wrong"
    );
    let header = &batch.header;
    let mut ids = Vec::with_capacity(header.record_count as usize);
    for (index, record) in records(batch.body(), header.record_count).enumerate() {
        let record = record.expect("a record that can be read");
        assert_eq!(record.offset_delta, index as i32);
        let value = record.value.expect("a value");
        let id = u64::from_be_bytes(value[..8].try_into().expect("8 bytes")) as usize;
        assert!(
            Parts::new(id).is(&record, header.base_timestamp),
            "record {id} is not what was sent"
        );
        ids.push(id);
    }
    assert_eq!(header.last_offset_delta, ids.len() as i32 - 1);
    WireBatch {
        partition,
        producer_id: header.producer_id,
        epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        ids,
    }
}

/// `1.234s`, as traces show virtual time.
pub(super) fn shown(at: Duration) -> String {
    format!("{:8.3}", at.as_secs_f64())
}
