//! Appending the protocol's types to bytes.

use super::TopicId;

/// Appends a value in the form that [`Reader`](super::Reader) reads back.
///
/// Methods that take `flexible` write the compact form of KIP-482 if it is true.
pub(crate) trait Put {
    fn put_bool(&mut self, value: bool);
    fn put_i8(&mut self, value: i8);
    fn put_i16(&mut self, value: i16);
    fn put_i32(&mut self, value: i32);
    fn put_i64(&mut self, value: i64);
    fn put_uuid(&mut self, value: &TopicId);
    fn put_unsigned_varint(&mut self, value: u32);
    fn put_varint(&mut self, value: i32);
    fn put_varlong(&mut self, value: i64);
    /// Text of at most [`STRING_LEN_MAX`] bytes; what is longer is cut. Settings and topic names
    /// are checked long before, so this only keeps a frame whole that something slipped into.
    fn put_string(&mut self, value: &str, flexible: bool);
    fn put_nullable_string(&mut self, value: Option<&str>, flexible: bool);
    fn put_bytes(&mut self, value: &[u8], flexible: bool);
    /// The length of an array or of bytes.
    fn put_len(&mut self, len: usize, flexible: bool);
    /// The length that stands for a null array or null bytes.
    fn put_null_len(&mut self, flexible: bool);
    fn put_array<T>(&mut self, values: &[T], flexible: bool, put: impl FnMut(&mut Self, &T));
    fn put_no_tagged_fields(&mut self, flexible: bool);
    /// Tagged fields, given by rising tag.
    fn put_tagged_fields(&mut self, fields: &[(u32, Vec<u8>)]);
}

/// The longest string that Kafka's own code writes, in either form.
pub(super) const STRING_LEN_MAX: usize = i16::MAX as usize;

/// The bytes that a varlong (or a varint of the same value) takes.
#[inline]
pub(super) const fn varlong_len(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

#[inline]
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

impl Put for Vec<u8> {
    fn put_bool(&mut self, value: bool) {
        self.push(value.into());
    }

    fn put_i8(&mut self, value: i8) {
        self.push(value as u8);
    }

    fn put_i16(&mut self, value: i16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_i32(&mut self, value: i32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_i64(&mut self, value: i64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_uuid(&mut self, value: &TopicId) {
        self.extend_from_slice(value);
    }

    fn put_unsigned_varint(&mut self, value: u32) {
        put_base_128(self, value.into());
    }

    #[inline]
    fn put_varint(&mut self, value: i32) {
        self.put_varlong(value.into());
    }

    #[inline]
    fn put_varlong(&mut self, value: i64) {
        put_base_128(self, zigzag(value));
    }

    fn put_string(&mut self, value: &str, flexible: bool) {
        let value = cut(value);
        if flexible {
            self.put_len(value.len(), true);
        } else {
            self.put_i16(value.len() as i16);
        }
        self.extend_from_slice(value.as_bytes());
    }

    fn put_nullable_string(&mut self, value: Option<&str>, flexible: bool) {
        match value {
            Some(value) => self.put_string(value, flexible),
            None if flexible => self.put_null_len(true),
            None => self.put_i16(-1),
        }
    }

    fn put_bytes(&mut self, value: &[u8], flexible: bool) {
        self.put_len(value.len(), flexible);
        self.extend_from_slice(value);
    }

    fn put_len(&mut self, len: usize, flexible: bool) {
        let len = length(len);
        if flexible {
            self.put_unsigned_varint(len as u32 + 1);
        } else {
            self.put_i32(len);
        }
    }

    fn put_null_len(&mut self, flexible: bool) {
        if flexible {
            self.push(0);
        } else {
            self.put_i32(-1);
        }
    }

    fn put_array<T>(&mut self, values: &[T], flexible: bool, mut put: impl FnMut(&mut Self, &T)) {
        self.put_len(values.len(), flexible);
        for value in values {
            put(self, value);
        }
    }

    fn put_no_tagged_fields(&mut self, flexible: bool) {
        if flexible {
            self.push(0);
        }
    }

    fn put_tagged_fields(&mut self, fields: &[(u32, Vec<u8>)]) {
        debug_assert!(fields.is_sorted_by(|one, next| one.0 < next.0));
        self.put_unsigned_varint(length(fields.len()) as u32);
        for (tag, value) in fields {
            self.put_unsigned_varint(*tag);
            self.put_unsigned_varint(length(value.len()) as u32);
            self.extend_from_slice(value);
        }
    }
}

fn cut(value: &str) -> &str {
    let mut len = value.len().min(STRING_LEN_MAX);
    while !value.is_char_boundary(len) {
        len -= 1;
    }
    &value[..len]
}

/// A length as the protocol has it.
pub(super) fn length(len: usize) -> i32 {
    i32::try_from(len).expect("what is written is limited by max.request.size, which is an i32")
}

#[inline]
fn put_base_128(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
