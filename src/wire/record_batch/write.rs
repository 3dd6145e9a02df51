//! Writing records: the hot path of the producer.

use crate::wire::Put;
use crate::wire::put::varlong_len;

/// A record, as the body of a batch holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordFields<'a> {
    /// The offset of the record, less that of the first in its batch.
    pub(crate) offset_delta: i32,
    /// The time of the record, less that of the first in its batch.
    pub(crate) timestamp_delta: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// The attributes of a record, in which no bit has a meaning yet.
const ATTRIBUTES: u8 = 0;

impl RecordFields<'_> {
    /// The bytes of the record without its length.
    #[inline]
    pub(crate) fn body_len(&self) -> usize {
        let headers_len: usize = self
            .headers
            .iter()
            .map(|(key, value)| bytes_len(key.as_bytes()) + nullable_bytes_len(*value))
            .sum();
        size_of_val(&ATTRIBUTES)
            + varlong_len(self.timestamp_delta)
            + varlong_len(self.offset_delta.into())
            + nullable_bytes_len(self.key)
            + nullable_bytes_len(self.value)
            + varlong_len(self.headers.len() as i64)
            + headers_len
    }

    /// The bytes that [`put`](Self::put) appends.
    #[inline]
    pub(crate) fn encoded_len(&self) -> usize {
        encoded_len(self.body_len())
    }

    /// Appends the record. Allocates nothing if `out` has room for it.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let body_len = self.body_len();
        out.reserve(encoded_len(body_len));
        self.put_as(body_len, out);
    }

    /// The same for who knows the [`body_len`](Self::body_len) already.
    ///
    /// Lengths are written as varlongs, which have the same bytes as the varints of the format as
    /// long as they fit into an i32; records that do not are refused long before.
    #[inline]
    pub(crate) fn put_as(&self, body_len: usize, out: &mut Vec<u8>) {
        out.put_varlong(body_len as i64);
        out.push(ATTRIBUTES);
        out.put_varlong(self.timestamp_delta);
        out.put_varint(self.offset_delta);
        put_nullable_bytes(out, self.key);
        put_nullable_bytes(out, self.value);
        out.put_varlong(self.headers.len() as i64);
        for (key, value) in self.headers {
            put_bytes(out, key.as_bytes());
            put_nullable_bytes(out, *value);
        }
    }
}

/// The bytes of a record with its length, for one of [`body_len`](RecordFields::body_len).
#[inline]
pub(crate) fn encoded_len(body_len: usize) -> usize {
    varlong_len(body_len as i64) + body_len
}

#[inline]
fn bytes_len(bytes: &[u8]) -> usize {
    varlong_len(bytes.len() as i64) + bytes.len()
}

#[inline]
fn nullable_bytes_len(bytes: Option<&[u8]>) -> usize {
    match bytes {
        Some(bytes) => bytes_len(bytes),
        None => varlong_len(NULL_LEN),
    }
}

#[inline]
fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.put_varlong(bytes.len() as i64);
    out.extend_from_slice(bytes);
}

#[inline]
fn put_nullable_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => put_bytes(out, bytes),
        None => out.put_varlong(NULL_LEN),
    }
}

/// The length that stands for a null key or value.
const NULL_LEN: i64 = -1;
