//! Reading the protocol's types from bytes that a peer sent, and that may be anything.

use std::fmt;

use byteorder::{BigEndian, ByteOrder};

use super::TopicId;

/// A place in bytes that a peer sent; every read checks what is left first.
///
/// Methods that take `flexible` read the compact form of KIP-482 if it is true: lengths are
/// unsigned varints, one higher than the length, and zero stands for null.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

/// Bytes that are not what the protocol says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// What was being read.
    what: &'static str,
    /// How far into the frame the reader was.
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    pub(crate) fn left(&self) -> usize {
        self.input.len() - self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Refuses bytes that nothing asked for.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.malformed("bytes behind the end"))
        }
    }

    /// The error for what is wrong at this place.
    pub(crate) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let rest = &self.input[self.at..];
        let Some(taken) = rest.get(..len) else {
            return Err(self.malformed("value longer than its frame"));
        };
        self.at += len;
        Ok(taken)
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.input[self.at..];
        self.at = self.input.len();
        rest
    }

    /// A reader of the next `len` bytes, which this one skips.
    pub(crate) fn part(&mut self, len: usize) -> Result<Reader<'a>, Malformed> {
        let at = self.at;
        self.take(len)?;
        Ok(Reader {
            input: &self.input[..at + len],
            at,
        })
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.u8()? != 0)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn i8(&mut self) -> Result<i8, Malformed> {
        Ok(self.u8()? as i8)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Malformed> {
        self.take(2).map(BigEndian::read_i16)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.take(2).map(BigEndian::read_u16)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.take(4).map(BigEndian::read_i32)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.take(4).map(BigEndian::read_u32)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        self.take(8).map(BigEndian::read_i64)
    }

    pub(crate) fn uuid(&mut self) -> Result<TopicId, Malformed> {
        let mut id = TopicId::default();
        id.copy_from_slice(self.take(16)?);
        Ok(id)
    }

    pub(crate) fn unsigned_varint(&mut self) -> Result<u32, Malformed> {
        let value = self.base_128(5)?;
        u32::try_from(value).map_err(|_| self.malformed("varint over 32 bits"))
    }

    pub(crate) fn varint(&mut self) -> Result<i32, Malformed> {
        let value = self.unsigned_varint()?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    pub(crate) fn varlong(&mut self) -> Result<i64, Malformed> {
        let value = self.base_128(10)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn base_128(&mut self, bytes_max: u32) -> Result<u64, Malformed> {
        let mut value = 0;
        for index in 0..bytes_max {
            let byte = u64::from(self.u8()?);
            // The tenth byte has room for one bit.
            if index == 9 && byte > 1 {
                return Err(self.malformed("varint over 64 bits"));
            }
            value |= (byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.malformed("varint without an end"))
    }

    pub(crate) fn string(&mut self, flexible: bool) -> Result<&'a str, Malformed> {
        match self.nullable_string(flexible)? {
            Some(string) => Ok(string),
            None => Err(self.malformed("null for a string")),
        }
    }

    pub(crate) fn nullable_string(&mut self, flexible: bool) -> Result<Option<&'a str>, Malformed> {
        let len = if flexible {
            self.compact_len()?
        } else {
            match self.i16()? {
                -1 => None,
                len => Some(usize::try_from(len).map_err(|_| self.malformed("string length"))?),
            }
        };
        len.map(|len| self.utf8(len)).transpose()
    }

    /// The next `len` bytes as text.
    pub(crate) fn utf8(&mut self, len: usize) -> Result<&'a str, Malformed> {
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("string that is not UTF-8"))
    }

    pub(crate) fn bytes(&mut self, flexible: bool) -> Result<&'a [u8], Malformed> {
        match self.nullable_bytes(flexible)? {
            Some(bytes) => Ok(bytes),
            None => Err(self.malformed("null for bytes")),
        }
    }

    pub(crate) fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, Malformed> {
        let len = self.len(flexible)?;
        len.map(|len| self.take(len)).transpose()
    }

    pub(crate) fn array<T>(
        &mut self,
        flexible: bool,
        element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        match self.nullable_array(flexible, element)? {
            Some(elements) => Ok(elements),
            None => Err(self.malformed("null for an array")),
        }
    }

    pub(crate) fn nullable_array<T>(
        &mut self,
        flexible: bool,
        element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<Vec<T>>, Malformed> {
        let len = self.len(flexible)?;
        len.map(|len| self.elements(len, element)).transpose()
    }

    /// `len` elements, each of one byte or more.
    pub(crate) fn elements<T>(
        &mut self,
        len: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        if len > self.left() {
            return Err(self.malformed("array longer than its frame"));
        }
        let mut elements = vec_for(len, self.left());
        for _ in 0..len {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// The tagged fields at the end of a structure: calls `field` with each tag and a reader of
    /// that field alone, which it has to read to its end (`rest` skips a tag it does not know).
    pub(crate) fn tagged_fields(
        &mut self,
        flexible: bool,
        mut field: impl FnMut(u32, &mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if !flexible {
            return Ok(());
        }
        let count = self.unsigned_varint()?;
        // A tag and a size take a byte each.
        if count as usize > self.left() / 2 {
            return Err(self.malformed("more tagged fields than their frame holds"));
        }
        let mut previous = None;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            if previous.is_some_and(|previous| previous >= tag) {
                return Err(self.malformed("tagged field that is repeated or out of order"));
            }
            previous = Some(tag);
            let len = self.unsigned_varint()?;
            let mut part = self.part(len as usize)?;
            field(tag, &mut part)?;
            part.finish()?;
        }
        Ok(())
    }

    pub(crate) fn skip_tagged_fields(&mut self, flexible: bool) -> Result<(), Malformed> {
        self.tagged_fields(flexible, |_, field| {
            field.rest();
            Ok(())
        })
    }

    /// The length of an array or of bytes; none for null.
    fn len(&mut self, flexible: bool) -> Result<Option<usize>, Malformed> {
        if flexible {
            return self.compact_len();
        }
        match self.i32()? {
            -1 => Ok(None),
            len => usize::try_from(len)
                .map(Some)
                .map_err(|_| self.malformed("negative length")),
        }
    }

    fn compact_len(&mut self) -> Result<Option<usize>, Malformed> {
        let len = self.unsigned_varint()?;
        Ok(len.checked_sub(1).map(|len| len as usize))
    }
}

/// A vector for `len` elements that `left` bytes are said to hold. An element can take more memory
/// than bytes of the frame: what is set aside before the elements were seen stays below the size of
/// the frame, and grows with what really comes.
fn vec_for<T>(len: usize, left: usize) -> Vec<T> {
    Vec::with_capacity(len.min(left / size_of::<T>().max(1)))
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed data: {} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests;
