use std::time::Duration;

use super::*;
use crate::compress::{Compression, Compressor, Levels};
use crate::mock::state::TimestampLimits;
use crate::wire::record_batch::{CONTROL, HEADER_LEN, RecordFields, read_batches};

/// The bytes of a batch of `count` records by producer 7.
fn batch(epoch: i16, base_sequence: i32, count: i32) -> Vec<u8> {
    let header = BatchHeader {
        producer_id: 7,
        producer_epoch: epoch,
        base_sequence,
        ..BatchHeader::default()
    };
    encode(header, count)
}

fn encode(header: BatchHeader, count: i32) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    for offset_delta in 0..count {
        let record = RecordFields {
            offset_delta,
            timestamp_delta: offset_delta.into(),
            key: None,
            value: Some(b"v"),
            headers: &[],
        };
        record.put(&mut bytes);
    }
    let header = BatchHeader {
        last_offset_delta: count - 1,
        record_count: count,
        ..header
    };
    header.write(&mut bytes);
    bytes
}

fn append_with(log: &mut PartitionLog, bytes: &[u8], rules: AppendRules) -> Result<i64, Code> {
    let batch = read_batches(bytes).next().unwrap().unwrap();
    log.append(&batch, &rules)
        .map(|appended| appended.base_offset)
        .map_err(|refusal| refusal.code)
}

/// Those of a topic that has no limits.
fn rules() -> AppendRules {
    AppendRules {
        first_sequence: FirstSequence::Any,
        forgets_records: false,
        now_ms: 0,
        has_log_append_time: false,
        bytes_max: usize::MAX,
        is_compacted: false,
        timestamps: TimestampLimits {
            before: Duration::MAX,
            after: Duration::MAX,
        },
    }
}

fn append(log: &mut PartitionLog, bytes: &[u8]) -> Result<i64, Code> {
    append_with(log, bytes, rules())
}

const OUT_OF_ORDER: Result<i64, Code> = Err(Code::OUT_OF_ORDER_SEQUENCE_NUMBER);
const OLD_EPOCH: Result<i64, Code> = Err(Code::INVALID_PRODUCER_EPOCH);

/// A log with batches of 10 records at epoch 1: sequences 0, 10, .. 60, of which five are
/// remembered.
fn log_of_seven() -> PartitionLog {
    let mut log = PartitionLog::default();
    for sequence in (0..70).step_by(10) {
        assert_eq!(
            append(&mut log, &batch(1, sequence, 10)),
            Ok(sequence.into())
        );
    }
    log
}

#[test]
fn sequences_are_checked_as_by_a_broker() {
    let cases = [
        // The next one, and others.
        ((1, 70, 10), Ok(70)),
        ((1, 71, 10), OUT_OF_ORDER),
        ((1, 80, 10), OUT_OF_ORDER),
        // Duplicates: the same first and last sequence, one of the last five.
        ((1, 60, 10), Ok(60)),
        ((1, 20, 10), Ok(20)),
        ((1, 10, 10), OUT_OF_ORDER),
        ((1, 0, 10), OUT_OF_ORDER),
        ((1, 60, 9), OUT_OF_ORDER),
        ((1, 61, 9), OUT_OF_ORDER),
        ((1, 50, 20), OUT_OF_ORDER),
        // A newer epoch begins at 0, and knows no duplicates.
        ((2, 0, 10), Ok(70)),
        ((9, 0, 10), Ok(70)),
        ((2, 70, 10), OUT_OF_ORDER),
        ((2, 60, 10), OUT_OF_ORDER),
        // An older epoch is refused, even a duplicate.
        ((0, 0, 10), OLD_EPOCH),
        ((0, 60, 10), OLD_EPOCH),
        ((0, 70, 10), OLD_EPOCH),
    ];
    for ((epoch, sequence, count), expected) in cases {
        let mut log = log_of_seven();
        let result = append(&mut log, &batch(epoch, sequence, count));
        assert_eq!(
            result, expected,
            "epoch {epoch}, sequence {sequence}, {count} records"
        );
        let is_new = expected == Ok(70);
        assert_eq!(log.end_offset(), if is_new { 80 } else { 70 });
    }
}

#[test]
fn a_newer_epoch_forgets_the_batches_of_the_older() {
    let mut log = log_of_seven();
    assert_eq!(append(&mut log, &batch(2, 0, 10)), Ok(70));
    assert_eq!(append(&mut log, &batch(2, 0, 10)), Ok(70));
    assert_eq!(append(&mut log, &batch(2, 10, 10)), Ok(80));
    assert_eq!(append(&mut log, &batch(1, 60, 10)), OLD_EPOCH);
}

#[test]
fn sequences_wrap_at_two_to_the_31() {
    let mut log = PartitionLog::default();
    let last = i32::MAX;
    assert_eq!(append(&mut log, &batch(0, last - 4, 10)), Ok(0));
    assert_eq!(
        append(&mut log, &batch(0, last - 4, 10)),
        Ok(0),
        "a duplicate"
    );
    assert_eq!(append(&mut log, &batch(0, 6, 1)), OUT_OF_ORDER);
    assert_eq!(append(&mut log, &batch(0, 5, 1)), Ok(10));
    assert_eq!(log.records()[4].sequence, last);
    assert_eq!(log.records()[5].sequence, 0);

    let mut log = PartitionLog::default();
    assert_eq!(append(&mut log, &batch(0, last, 1)), Ok(0));
    assert_eq!(append(&mut log, &batch(0, 0, 1)), Ok(1));
}

#[test]
fn an_unknown_producer_begins_anywhere_or_at_zero_by_the_rule() {
    let rules = AppendRules {
        first_sequence: FirstSequence::ZeroInNewLog,
        ..rules()
    };
    let mut log = PartitionLog::default();
    assert_eq!(
        append_with(&mut log, &batch(3, 20, 10), rules),
        OUT_OF_ORDER
    );
    assert_eq!(append_with(&mut log, &batch(3, 0, 10), rules), Ok(0));
    log.forget_producers();
    assert_eq!(append_with(&mut log, &batch(3, 20, 10), rules), Ok(10));
    let mut log = PartitionLog::default();
    assert_eq!(append(&mut log, &batch(3, 20, 10)), Ok(0));
}

#[test]
fn producers_and_batches_without_one_do_not_disturb_each_other() {
    let mut log = PartitionLog::default();
    let other = BatchHeader {
        producer_id: 8,
        producer_epoch: 0,
        base_sequence: 0,
        ..BatchHeader::default()
    };
    assert_eq!(append(&mut log, &batch(0, 0, 2)), Ok(0));
    assert_eq!(append(&mut log, &encode(other, 2)), Ok(2));
    for offset in [4, 6] {
        assert_eq!(
            append(&mut log, &encode(BatchHeader::default(), 2)),
            Ok(offset)
        );
    }
    assert_eq!(append(&mut log, &batch(0, 2, 2)), Ok(8));
}

#[test]
fn batches_that_contradict_themselves_are_refused() {
    let mut log = PartitionLog::default();
    let plain = BatchHeader::default;
    let mut wrong_count = encode(plain(), 2);
    let mut miscounted = BatchHeader::read(&wrong_count).unwrap();
    miscounted.record_count = 3;
    miscounted.write(&mut wrong_count);
    let control = BatchHeader {
        attributes: CONTROL,
        ..plain()
    };
    let cases = [
        ("no records", encode(plain(), 0)),
        ("count and last offset differ", wrong_count),
        ("control batch", encode(control, 1)),
        ("no sequence", batch(0, -1, 1)),
    ];
    for (what, bytes) in cases {
        assert_eq!(
            append(&mut log, &bytes),
            Err(Code::INVALID_RECORD),
            "{what}"
        );
    }
    assert_eq!(log.end_offset(), 0);
}

/// The same batch with its records compressed.
fn compressed(mut bytes: Vec<u8>, compression: Compression) -> Vec<u8> {
    let body = bytes.split_off(HEADER_LEN);
    let header = BatchHeader::read(&bytes).unwrap();
    let header = BatchHeader {
        attributes: header.attributes | compression.id(),
        ..header
    };
    let levels = Levels::default();
    let result = Compressor::default().compress(compression, &levels, &body, &mut bytes);
    assert_eq!(result, Ok(()));
    header.write(&mut bytes);
    bytes
}

#[test]
fn compressed_records_are_read_and_checked_like_others() {
    for compression in Compression::ALL.into_iter().filter(|one| one.is_built_in()) {
        let mut log = PartitionLog::default();
        let send = |log: &mut _, bytes| append(log, &compressed(bytes, compression));
        assert_eq!(send(&mut log, batch(0, 0, 5)), Ok(0), "{compression}");
        assert_eq!(send(&mut log, batch(0, 0, 5)), Ok(0), "a duplicate");
        assert_eq!(send(&mut log, batch(0, 9, 1)), OUT_OF_ORDER);
        assert_eq!(append(&mut log, &batch(0, 5, 1)), Ok(5));
        let records = log.records();
        let offsets: Vec<_> = records.iter().map(|record| record.offset).collect();
        assert_eq!(offsets, [0, 1, 2, 3, 4, 5], "{compression}");
        assert!(records.iter().all(|one| one.value.as_deref() == Some(b"v")));

        let bytes = compressed(batch(0, 6, 1), compression);
        let keyed = AppendRules {
            is_compacted: true,
            ..rules()
        };
        let refused = append_with(&mut log, &bytes, keyed);
        assert_eq!(refused, Err(Code::INVALID_RECORD), "no key");
        let two = BatchHeader {
            record_count: 2,
            last_offset_delta: 1,
            ..BatchHeader::default()
        };
        let mut bytes = batch(0, 0, 1);
        two.write(&mut bytes);
        assert_eq!(
            send(&mut log, bytes),
            Err(Code::INVALID_RECORD),
            "one of two"
        );
        assert_eq!(log.end_offset(), 6);
    }
}

#[test]
fn what_no_codec_can_read_is_refused_as_by_a_broker() {
    let mut log = PartitionLog::default();
    for codec in 1..=7 {
        let mut garbage = vec![0xff; HEADER_LEN + 20];
        let header = BatchHeader {
            attributes: codec,
            record_count: 1,
            ..BatchHeader::default()
        };
        header.write(&mut garbage);
        let refused = append(&mut log, &garbage);
        assert_eq!(refused, Err(Code::UNKNOWN_SERVER_ERROR), "codec {codec}");
    }
    assert_eq!(log.end_offset(), 0);
}

#[test]
fn records_carry_the_producers_time_or_the_brokers() {
    let mut log = PartitionLog::default();
    let created = BatchHeader {
        base_timestamp: 1000,
        ..BatchHeader::default()
    };
    let rules = AppendRules {
        now_ms: 5555,
        has_log_append_time: true,
        ..rules()
    };
    append(&mut log, &encode(created.clone(), 2)).unwrap();
    append_with(&mut log, &encode(created, 2), rules).unwrap();
    let times: Vec<_> = log
        .records()
        .iter()
        .map(|record| record.timestamp_ms)
        .collect();
    assert_eq!(times, [1000, 1001, 5555, 5555]);
}

#[test]
fn the_duplicate_of_a_batch_tells_its_greatest_timestamp() {
    let mut log = PartitionLog::default();
    let bytes = batch(0, 0, 2);
    let batch = read_batches(&bytes).next().unwrap().unwrap();
    let first = log.append(&batch, &rules()).unwrap();
    assert_eq!(first.append_time_ms, None);
    let again = log.append(&batch, &rules()).unwrap();
    assert_eq!(again.append_time_ms, Some(batch.header.max_timestamp));
    assert_eq!(again.base_offset, first.base_offset);
}
