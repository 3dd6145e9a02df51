//! What a broker looks at before it appends a batch, and how it says no.

use std::borrow::Cow;
use std::time::Duration;

use super::log::FirstSequence;
use super::state::TimestampLimits;
use crate::compress::{Compression, decompress};
use crate::wire::codes::Code;
use crate::wire::produce::{ProducePartitionResponse, RecordError};
use crate::wire::record_batch::{
    Batch, BatchHeader, CODEC_MASK, CONTROL, LOG_APPEND_TIME, RecordView, records,
};

/// How a broker appends.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppendRules {
    pub(super) first_sequence: FirstSequence,
    /// Whether the bytes are dropped once they were checked.
    pub(super) forgets_records: bool,
    pub(super) now_ms: i64,
    pub(super) has_log_append_time: bool,
    pub(super) bytes_max: usize,
    /// Whether every record needs a key.
    pub(super) is_compacted: bool,
    pub(super) timestamps: TimestampLimits,
}

/// Why a batch was not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// Whether the log itself refused it; then the answer tells where the log starts.
    is_by_log: bool,
    /// The records that are to blame, by their place in the batch (KIP-467).
    records: Vec<i32>,
    is_told_why: bool,
}

/// More than the records of any batch that a test would send.
const RECORDS_LEN_MAX: usize = 256 << 20;
/// A record that says no time.
const NO_TIMESTAMP: i64 = -1;

/// Size, CRC, header and records of a batch, in the order of a broker; gives its records, which are
/// not compressed any more.
pub(super) fn check<'a>(batch: &Batch<'a>, rules: &AppendRules) -> Result<Cow<'a, [u8]>, Refusal> {
    if batch.header.base_offset != 0 {
        return Err(Refusal::by_log(Code::INVALID_RECORD));
    }
    if batch.bytes.len() > rules.bytes_max {
        return Err(Code::MESSAGE_TOO_LARGE.into());
    }
    if !batch.check_crc() {
        return Err(Code::CORRUPT_MESSAGE.into());
    }
    check_header(&batch.header).map_err(Refusal::by_log)?;
    let body = decompressed(batch).map_err(Refusal::by_log)?;
    check_records(&batch.header, &body, rules)?;
    Ok(body)
}

impl AppendRules {
    fn allow_timestamp(&self, header: &BatchHeader, record: &RecordView<'_>) -> bool {
        let says_append_time = header.attributes & LOG_APPEND_TIME != 0;
        let time_ms = if says_append_time {
            header.max_timestamp
        } else {
            header.base_timestamp.saturating_add(record.timestamp_delta)
        };
        if self.has_log_append_time || time_ms == NO_TIMESTAMP {
            return !says_append_time;
        }
        let beyond = |from: i64, to: i64, limit: Duration| {
            u64::try_from(to.saturating_sub(from))
                .is_ok_and(|passed| Duration::from_millis(passed) > limit)
        };
        !beyond(time_ms, self.now_ms, self.timestamps.before)
            && !beyond(self.now_ms, time_ms, self.timestamps.after)
    }
}

impl Refusal {
    /// One that came before the log was asked.
    pub(super) fn of(code: Code) -> Self {
        Self {
            code,
            is_by_log: false,
            records: Vec::new(),
            is_told_why: false,
        }
    }

    pub(super) fn by_log(code: Code) -> Self {
        Self {
            is_by_log: true,
            ..Self::of(code)
        }
    }

    /// With a message.
    pub(super) fn told_why(self) -> Self {
        Self {
            is_told_why: true,
            ..self
        }
    }

    /// The answer, but for the number of the partition.
    pub(super) fn response(&self) -> ProducePartitionResponse {
        let why = || {
            Some(format!(
                "refused by the mock cluster with code {}",
                self.code.0
            ))
        };
        let records = self.records.iter().map(|index| RecordError {
            batch_index: *index,
            message: why(),
        });
        ProducePartitionResponse {
            error: self.code,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: if self.is_by_log { 0 } else { -1 },
            record_errors: records.collect(),
            error_message: self.is_told_why.then(why).flatten(),
            ..ProducePartitionResponse::default()
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::of(code)
    }
}

/// Refuses what a client must not write: counts that do not fit together, control records, and an
/// idempotent batch without a sequence number.
fn check_header(header: &BatchHeader) -> Result<(), Code> {
    let counts_fit = header.record_count > 0 && header.last_offset_delta == header.record_count - 1;
    let is_control = header.attributes & CONTROL != 0;
    let lacks_sequence = header.producer_id >= 0 && header.base_sequence < 0;
    if !counts_fit || is_control || lacks_sequence {
        return Err(Code::INVALID_RECORD);
    }
    Ok(())
}

/// Codecs that Kafka does not have, and what they fail to read, are exceptions that no broker has a
/// code for.
fn decompressed<'a>(batch: &Batch<'a>) -> Result<Cow<'a, [u8]>, Code> {
    match Compression::from_id(batch.header.attributes & CODEC_MASK) {
        Some(Compression::None) => Ok(batch.body().into()),
        Some(compression) => decompress(compression, batch.body(), RECORDS_LEN_MAX)
            .map(Cow::Owned)
            .map_err(|error| {
                log::debug!("the mock cluster refuses a batch: {error}");
                Code::UNKNOWN_SERVER_ERROR
            }),
        None => Err(Code::UNKNOWN_SERVER_ERROR),
    }
}

/// Refuses records that cannot be read, that lack their key, or that have an impossible time. Those
/// of a compressed batch must have offsets without gaps too: a broker would have to write them
/// anew, and cannot.
fn check_records(header: &BatchHeader, body: &[u8], rules: &AppendRules) -> Result<(), Refusal> {
    let is_compressed = header.attributes & CODEC_MASK != 0;
    let (mut keyless, mut mistimed, mut is_gapless) = (Vec::new(), Vec::new(), true);
    for (index, record) in (0..).zip(records(body, header.record_count)) {
        let record = record.map_err(|_| Refusal::by_log(Code::INVALID_RECORD))?;
        is_gapless &= record.offset_delta == index;
        if rules.is_compacted && record.key.is_none() {
            keyless.push(index);
        } else if !rules.allow_timestamp(header, &record) {
            mistimed.push(index);
        }
    }
    let code = if !mistimed.is_empty() {
        Code::INVALID_TIMESTAMP
    } else if !keyless.is_empty() {
        Code::INVALID_RECORD
    } else if is_compressed && !is_gapless {
        return Err(Refusal::by_log(Code::UNKNOWN_SERVER_ERROR));
    } else {
        return Ok(());
    };
    keyless.append(&mut mistimed);
    keyless.sort_unstable();
    Err(Refusal {
        records: keyless,
        ..Refusal::by_log(code).told_why()
    })
}
