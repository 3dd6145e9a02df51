//! Reading batches and records back: for the mock cluster and for tests.

use super::{ATTRIBUTES_AT, BatchHeader, HEADER_LEN};
use crate::wire::{Malformed, Reader};

/// A batch among the bytes of a request or a log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch<'a> {
    pub(crate) header: BatchHeader,
    /// All of it, header and records.
    pub(crate) bytes: &'a [u8],
}

/// A record of a batch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecordView<'a> {
    pub(crate) offset_delta: i32,
    pub(crate) timestamp_delta: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// The batches in `bytes`, one behind the other; ends at the first that is malformed.
pub(crate) fn read_batches(bytes: &[u8]) -> Batches<'_> {
    Batches {
        input: Reader::new(bytes),
        whole: bytes,
    }
}

/// The `count` records in `body`, which is not compressed; ends at the first that is malformed.
/// Bytes behind the last record are malformed too.
pub(crate) fn records(body: &[u8], count: i32) -> Records<'_> {
    Records {
        input: Reader::new(body),
        left: count,
    }
}

/// See [`read_batches`].
#[derive(Clone, Debug)]
pub(crate) struct Batches<'a> {
    input: Reader<'a>,
    whole: &'a [u8],
}

/// See [`records`].
#[derive(Clone, Debug)]
pub(crate) struct Records<'a> {
    input: Reader<'a>,
    left: i32,
}

impl<'a> Batch<'a> {
    /// The records, compressed if the attributes say so.
    pub(crate) fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..]
    }

    /// Whether the CRC is that of the bytes.
    pub(crate) fn check_crc(&self) -> bool {
        crc32c::crc32c(&self.bytes[ATTRIBUTES_AT..]) == self.header.crc
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.input.is_empty() {
            return None;
        }
        let batch = self.batch();
        if batch.is_err() {
            self.input.rest();
        }
        Some(batch)
    }
}

impl<'a> Batches<'a> {
    fn batch(&mut self) -> Result<Batch<'a>, Malformed> {
        let start = self.whole.len() - self.input.left();
        let header = BatchHeader::decode(&mut self.input)?;
        self.input.take(header.records_len())?;
        let end = self.whole.len() - self.input.left();
        Ok(Batch {
            header,
            bytes: &self.whole[start..end],
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordView<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            let end = self.input.finish();
            self.input.rest();
            return end.err().map(Err);
        }
        self.left -= 1;
        let record = record(&mut self.input);
        if record.is_err() {
            self.left = 0;
            self.input.rest();
        }
        Some(record)
    }
}

fn record<'a>(input: &mut Reader<'a>) -> Result<RecordView<'a>, Malformed> {
    let len = input.varint()?;
    let len = usize::try_from(len).map_err(|_| input.malformed("negative length of a record"))?;
    let mut input = input.part(len)?;
    let _attributes = input.u8()?;
    let timestamp_delta = input.varlong()?;
    let offset_delta = input.varint()?;
    let key = nullable_bytes(&mut input)?;
    let value = nullable_bytes(&mut input)?;
    let header_count = input.varint()?;
    let header_count = usize::try_from(header_count)
        .map_err(|_| input.malformed("negative number of record headers"))?;
    let headers = input.elements(header_count, header)?;
    input.finish()?;
    Ok(RecordView {
        offset_delta,
        timestamp_delta,
        key,
        value,
        headers,
    })
}

fn header<'a>(input: &mut Reader<'a>) -> Result<(&'a str, Option<&'a [u8]>), Malformed> {
    let len = input.varint()?;
    let len = usize::try_from(len).map_err(|_| input.malformed("record header without a key"))?;
    Ok((input.utf8(len)?, nullable_bytes(input)?))
}

fn nullable_bytes<'a>(input: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    match input.varint()? {
        -1 => Ok(None),
        len => {
            let len = usize::try_from(len).map_err(|_| input.malformed("negative length"))?;
            input.take(len).map(Some)
        }
    }
}
