use super::*;
use crate::wire::testing::{Random, hex};

const FIRST: RecordFields<'_> = RecordFields {
    offset_delta: 0,
    timestamp_delta: 0,
    key: Some(b"k"),
    value: Some(b"v"),
    headers: &[("h", None), ("i", Some(b"x"))],
};

const SECOND: RecordFields<'_> = RecordFields {
    offset_delta: 1,
    timestamp_delta: 300,
    key: None,
    value: None,
    headers: &[],
};

/// What Kafka's own MemoryRecordsBuilder (4.3.1) makes of FIRST and SECOND.
#[rustfmt::skip]
const GOLDEN: &[&[u8]] = &[
    &[0, 0, 0, 0, 0, 0, 0, 0],        // base_offset
    &[0, 0, 0, 73],                   // length: 49 of the header and 24 of the records
    &[0xff, 0xff, 0xff, 0xff],        // partition_leader_epoch
    &[2],                             // magic
    &[0x7a, 0x4b, 0xfd, 0x5d],        // crc
    &[0, 0x10],                       // attributes: transactional
    &[0, 0, 0, 1],                    // last_offset_delta
    &[0, 0, 0, 0, 0, 0, 0x03, 0xe8],  // base_timestamp
    &[0, 0, 0, 0, 0, 0, 0x05, 0x14],  // max_timestamp
    &[0, 0, 0, 0, 0, 0, 0x0f, 0xa0],  // producer_id
    &[0, 7],                          // producer_epoch
    &[0, 0, 0, 5],                    // base_sequence
    &[0, 0, 0, 2],                    // record_count
    &[30],                            // length of the first record: 15
    &[0, 0, 0],                       // attributes, timestamp_delta, offset_delta
    &[2], b"k",                       // key
    &[2], b"v",                       // value
    &[4],                             // headers: 2
    &[2], b"h", &[1],                 // a key, and null
    &[2], b"i", &[2], b"x",           // a key, and its value
    &[14],                            // length of the second record: 7
    &[0, 0xd8, 0x04, 2],              // attributes, timestamp_delta: 300, offset_delta: 1
    &[1, 1, 0],                       // key, value, headers
];

fn golden_header() -> BatchHeader {
    BatchHeader {
        length: 73,
        crc: 0x7a4b_fd5d,
        attributes: TRANSACTIONAL,
        last_offset_delta: 1,
        base_timestamp: 1000,
        max_timestamp: 1300,
        producer_id: 4000,
        producer_epoch: 7,
        base_sequence: 5,
        record_count: 2,
        ..BatchHeader::default()
    }
}

fn batch(header: &BatchHeader, records: &[RecordFields<'_>]) -> Vec<u8> {
    let mut bytes = vec![0xee; HEADER_LEN];
    for record in records {
        record.put(&mut bytes);
    }
    header.write(&mut bytes);
    bytes
}

fn view<'a>(fields: &RecordFields<'a>) -> RecordView<'a> {
    RecordView {
        offset_delta: fields.offset_delta,
        timestamp_delta: fields.timestamp_delta,
        key: fields.key,
        value: fields.value,
        headers: fields.headers.to_vec(),
    }
}

#[test]
fn crc_is_castagnoli() {
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn a_batch_has_the_bytes_that_kafka_itself_writes() {
    let header = BatchHeader {
        length: 0,
        crc: 0,
        ..golden_header()
    };
    assert_eq!(
        hex(&batch(&header, &[FIRST, SECOND])),
        hex(&GOLDEN.concat())
    );
}

#[test]
fn a_batch_that_kafka_wrote_reads_back() {
    let bytes = GOLDEN.concat();
    assert_eq!(BatchHeader::read(&bytes), Ok(golden_header()));
    let batches: Vec<_> = read_batches(&bytes).map(Result::unwrap).collect();
    let [batch] = batches.as_slice() else {
        panic!("{batches:?}");
    };
    assert_eq!(batch.header, golden_header());
    assert_eq!(batch.bytes, bytes);
    assert!(batch.check_crc());
    let records: Result<Vec<_>, _> = records(batch.body(), batch.header.record_count).collect();
    assert_eq!(records, Ok(vec![view(&FIRST), view(&SECOND)]));
}

#[test]
fn every_bit_behind_the_crc_counts_in_it() {
    let whole = GOLDEN.concat();
    for at in CRC_AT..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let batch = read_batches(&bytes).next().unwrap();
        assert!(batch.is_err() || !batch.unwrap().check_crc(), "byte {at}");
    }
}

#[test]
fn rewriting_the_header_changes_what_it_says_and_no_record() {
    let mut bytes = GOLDEN.concat();
    let header = BatchHeader {
        producer_epoch: 8,
        base_sequence: 0,
        attributes: 3 | LOG_APPEND_TIME,
        ..golden_header()
    };
    header.write(&mut bytes);
    let batch = read_batches(&bytes).next().unwrap().unwrap();
    assert!(batch.check_crc());
    assert_eq!(batch.header.producer_epoch, 8);
    assert_eq!(batch.header.base_sequence, 0);
    assert_eq!(batch.header.attributes & CODEC_MASK, 3);
    assert_eq!(batch.body(), &GOLDEN.concat()[HEADER_LEN..]);
}

#[test]
fn fields_of_the_header_are_where_kafka_has_them() {
    let bytes = GOLDEN.concat();
    let mut at = 0;
    let offsets = [
        BASE_OFFSET_AT,
        LENGTH_AT,
        PARTITION_LEADER_EPOCH_AT,
        MAGIC_AT,
        CRC_AT,
        ATTRIBUTES_AT,
        LAST_OFFSET_DELTA_AT,
        BASE_TIMESTAMP_AT,
        MAX_TIMESTAMP_AT,
        PRODUCER_ID_AT,
        PRODUCER_EPOCH_AT,
        BASE_SEQUENCE_AT,
        RECORD_COUNT_AT,
        HEADER_LEN,
    ];
    for (offset, field) in offsets.iter().zip(GOLDEN) {
        assert_eq!(*offset, at);
        assert!(bytes[*offset..].starts_with(field));
        at += field.len();
    }
}

#[test]
fn batches_one_behind_the_other_are_told_apart() {
    let empty = batch(&BatchHeader::default(), &[]);
    let bytes = [GOLDEN.concat(), empty, GOLDEN.concat()].concat();
    let counts: Vec<_> = read_batches(&bytes)
        .map(|batch| batch.unwrap().header.record_count)
        .collect();
    assert_eq!(counts, [2, 0, 2]);
    assert_eq!(read_batches(&[]).count(), 0);
    assert_eq!(records(&[], 0).count(), 0);
}

#[test]
fn every_truncation_of_a_batch_is_refused_once() {
    let bytes = GOLDEN.concat();
    for len in 1..bytes.len() {
        let mut batches = read_batches(&bytes[..len]);
        assert!(batches.next().unwrap().is_err(), "{len}");
        assert!(batches.next().is_none(), "{len}");
    }
    let body = &bytes[HEADER_LEN..];
    for len in 0..body.len() {
        let read: Vec<_> = records(&body[..len], 2).collect();
        assert!(read.last().unwrap().is_err(), "{len}");
        assert!(read.len() <= 2, "{len}");
    }
    for count in [0, 1, 3, i32::MAX] {
        let read: Vec<_> = records(body, count).collect();
        assert!(read.last().unwrap().is_err(), "{count}");
    }
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let refused = |at: usize, lie: &[u8]| {
        let mut bytes = GOLDEN.concat();
        bytes[at..at + lie.len()].copy_from_slice(lie);
        assert!(BatchHeader::read(&bytes).is_err(), "{at} {lie:?}");
    };
    refused(MAGIC_AT, &[1]);
    refused(MAGIC_AT, &[3]);
    refused(LENGTH_AT, &48_i32.to_be_bytes());
    refused(LENGTH_AT, &(-1_i32).to_be_bytes());
    refused(LENGTH_AT, &i32::MIN.to_be_bytes());
    refused(RECORD_COUNT_AT, &(-1_i32).to_be_bytes());
    assert!(BatchHeader::read(&GOLDEN.concat()[..HEADER_LEN]).is_ok());
}

#[test]
fn records_that_lie_about_lengths_are_refused() {
    let refused = |record: &[u8]| {
        let read: Vec<_> = records(record, 1).collect();
        assert_eq!(read.len(), 1, "{record:?}");
        assert!(read[0].is_err(), "{record:?}");
    };
    refused(&[1]); // length -1
    refused(&[0xff; 11]); // varint without an end
    refused(&[0xfe, 0xff, 0xff, 0xff, 0x0f]); // length 2^31 - 1
    refused(&[12, 0, 0, 0, 3, 1, 0]); // key of length -2
    refused(&[12, 0, 0, 0, 8, 1, 0]); // key past the end
    refused(&[12, 0, 0, 0, 1, 3, 0]); // value of length -2
    refused(&[12, 0, 0, 0, 1, 1, 1]); // -1 headers
    refused(&[12, 0, 0, 0, 1, 1, 2]); // a header that is not there
    refused(&[14, 0, 0, 0, 1, 1, 0, 9]); // a byte behind the headers
    refused(&[20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]); // 2^31 - 1 headers
    refused(&[16, 0, 0, 0, 1, 1, 2, 1, 1]); // header key of length -1
    refused(&[18, 0, 0, 0, 1, 1, 2, 2, 0xff, 1]); // header key that is not UTF-8
}

#[test]
fn random_bytes_do_not_panic() {
    let mut random = Random::new(3);
    for _ in 0..100_000 {
        let bytes = random.bytes(128);
        for batch in read_batches(&bytes).flatten() {
            _ = records(batch.body(), batch.header.record_count).count();
        }
        assert!(records(&bytes, 1000).count() <= 1000);
    }
}

/// Goal: sizes are right wherever a varint grows by a byte. Method: every size class of each field
/// beside every other, compared with what `put` really appends and reads back.
#[test]
fn lengths_of_records_are_those_of_their_bytes() {
    let payload = vec![7; 20_000];
    let sizes = [
        None,
        Some(0),
        Some(1),
        Some(63),
        Some(64),
        Some(8191),
        Some(8192),
    ];
    let deltas = [0, -1, 63, 64, -64, -65, 8191, 8192, i64::MAX, i64::MIN];
    let offsets = [0, 63, 64, 8191, 8192, 1_048_575, 1_048_576, i32::MAX];
    for (timestamp_delta, offset_delta) in deltas
        .iter()
        .flat_map(|delta| offsets.map(|offset| (*delta, offset)))
    {
        for (key, value) in sizes
            .iter()
            .flat_map(|key| sizes.map(|value| (*key, value)))
        {
            let value = value.map(|len: usize| &payload[..len]);
            let fields = RecordFields {
                offset_delta,
                timestamp_delta,
                key: key.map(|len| &payload[..len]),
                value,
                headers: &[("one", value), ("", None)],
            };
            assert_reads_back(&fields);
        }
    }
    let many = vec![("h", Some(&payload[..3])); 64];
    assert_reads_back(&RecordFields {
        headers: &many,
        ..SECOND
    });
}

fn assert_reads_back(fields: &RecordFields<'_>) {
    let mut bytes = Vec::with_capacity(fields.encoded_len());
    let room = bytes.capacity();
    fields.put(&mut bytes);
    assert_eq!(bytes.len(), fields.encoded_len());
    assert_eq!(bytes.capacity(), room);
    let length_len = bytes.len() - fields.body_len();
    let length = Reader::new(&bytes[..length_len]).varint();
    assert_eq!(length, Ok(fields.body_len() as i32));
    let read: Result<Vec<_>, _> = records(&bytes, 1).collect();
    assert_eq!(read, Ok(vec![view(fields)]));
}
