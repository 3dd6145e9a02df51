//! The serializers that Java ships, with Java's bytes.

use super::{Headers, Serialize, SerializeError, Serialized};

/// Bytes as they are: `[u8]`, `Vec<u8>`, arrays, text. Nothing is copied.
///
/// It stands for Java's `ByteArraySerializer`, `ByteBufferSerializer` and `BytesSerializer`.
///
/// ```
/// use milena::{BytesSerializer, Headers, Serialize};
///
/// let bytes = BytesSerializer.serialize("t", &mut Headers::default(), &[0xff, 0]).unwrap();
/// assert_eq!(bytes.as_deref(), Some(&[0xff, 0][..]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesSerializer;

impl<T: AsRef<[u8]> + ?Sized> Serialize<T> for BytesSerializer {
    fn serialize<'v>(
        &self,
        _topic: &str,
        _headers: &mut Headers<'_>,
        value: &'v T,
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        Ok(Some(value.as_ref().into()))
    }
}

/// Text in UTF-8: `str`, `String`. Nothing is copied.
///
/// ```
/// use milena::{Headers, Serialize, StringSerializer};
///
/// let bytes = StringSerializer.serialize("t", &mut Headers::default(), "3 \u{20ac}").unwrap();
/// assert_eq!(bytes.as_deref(), Some(&b"3 \xe2\x82\xac"[..]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct StringSerializer;

impl<T: AsRef<str> + ?Sized> Serialize<T> for StringSerializer {
    fn serialize<'v>(
        &self,
        _topic: &str,
        _headers: &mut Headers<'_>,
        value: &'v T,
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        Ok(Some(value.as_ref().into()))
    }
}

/// Always null: Java's `VoidSerializer`, for topics whose records have no keys, or no values.
///
/// ```
/// use milena::{Headers, Serialize, VoidSerializer};
///
/// assert_eq!(VoidSerializer.serialize("t", &mut Headers::default(), &()).unwrap(), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct VoidSerializer;

impl Serialize<()> for VoidSerializer {
    fn serialize<'v>(
        &self,
        _topic: &str,
        _headers: &mut Headers<'_>,
        _value: &'v (),
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        Ok(None)
    }
}

/// A serializer whose values are all of one size. `in_lists` is whether Java's lists know that.
macro_rules! fixed_size {
    (
        $(#[$doc:meta])*
        $name:ident, $value:ident: $type:ty => $bytes:expr, in_lists: $in_lists:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name;

        impl Serialize<$type> for $name {
            fn serialize<'v>(
                &self,
                _topic: &str,
                _headers: &mut Headers<'_>,
                $value: &'v $type,
            ) -> Result<Option<Serialized<'v>>, SerializeError> {
                Ok(Some($bytes.into()))
            }

            fn has_constant_size(&self) -> bool {
                $in_lists
            }
        }
    };
}

fixed_size! {
    /// A `bool` in one byte, 0 or 1.
    ///
    /// ```
    /// use milena::{BooleanSerializer, Headers, Serialize};
    ///
    /// let bytes = BooleanSerializer.serialize("t", &mut Headers::default(), &true).unwrap();
    /// assert_eq!(bytes.as_deref(), Some(&[1][..]));
    /// ```
    BooleanSerializer, value: bool => [u8::from(*value)], in_lists: false
}

fixed_size! {
    /// An `i16` in 2 bytes, big-endian.
    ///
    /// ```
    /// use milena::{Headers, Serialize, ShortSerializer};
    ///
    /// let bytes = ShortSerializer.serialize("t", &mut Headers::default(), &7).unwrap();
    /// assert_eq!(bytes.as_deref(), Some(&[0, 7][..]));
    /// ```
    ShortSerializer, value: i16 => value.to_be_bytes(), in_lists: true
}

fixed_size! {
    /// An `i32` in 4 bytes, big-endian.
    ///
    /// ```
    /// use milena::{Headers, IntegerSerializer, Serialize};
    ///
    /// let bytes = IntegerSerializer.serialize("t", &mut Headers::default(), &7).unwrap();
    /// assert_eq!(bytes.as_deref(), Some(&[0, 0, 0, 7][..]));
    /// ```
    IntegerSerializer, value: i32 => value.to_be_bytes(), in_lists: true
}

fixed_size! {
    /// An `i64` in 8 bytes, big-endian.
    ///
    /// ```
    /// use milena::{Headers, LongSerializer, Serialize};
    ///
    /// let bytes = LongSerializer.serialize("t", &mut Headers::default(), &7).unwrap();
    /// assert_eq!(bytes.as_deref(), Some(&[0, 0, 0, 0, 0, 0, 0, 7][..]));
    /// ```
    LongSerializer, value: i64 => value.to_be_bytes(), in_lists: true
}

fixed_size! {
    /// An `f32` in 4 bytes, IEEE 754, big-endian. Every NaN keeps its bits.
    ///
    /// ```
    /// use milena::{FloatSerializer, Headers, Serialize};
    ///
    /// let bytes = FloatSerializer.serialize("t", &mut Headers::default(), &-1.5).unwrap();
    /// assert_eq!(bytes.as_deref(), Some(&[0xbf, 0xc0, 0, 0][..]));
    /// ```
    FloatSerializer, value: f32 => value.to_be_bytes(), in_lists: true
}

fixed_size! {
    /// An `f64` in 8 bytes, IEEE 754, big-endian. Every NaN is the same, as in Java.
    ///
    /// ```
    /// use milena::{DoubleSerializer, Headers, Serialize};
    ///
    /// let bytes = DoubleSerializer.serialize("t", &mut Headers::default(), &-1.5).unwrap();
    /// assert_eq!(bytes.as_deref(), Some(&[0xbf, 0xf8, 0, 0, 0, 0, 0, 0][..]));
    /// ```
    DoubleSerializer, value: f64 => double_bits(*value).to_be_bytes(), in_lists: true
}

fixed_size! {
    /// A UUID as text: `[u8; 16]` in the order of the text, which is what `Uuid::as_bytes` of the
    /// crate uuid gives.
    ///
    /// ```
    /// use milena::{Headers, Serialize, UuidSerializer};
    ///
    /// let uuid = 0x67e55044_10b1_426f_9247_bb680e5fe0c8_u128.to_be_bytes();
    /// let bytes = UuidSerializer.serialize("t", &mut Headers::default(), &uuid).unwrap();
    /// assert_eq!(bytes.as_deref(), Some(&b"67e55044-10b1-426f-9247-bb680e5fe0c8"[..]));
    /// ```
    UuidSerializer, value: [u8; 16] => uuid_text(value), in_lists: true
}

/// The bits of `value`, as `Double.doubleToLongBits` has them; for a `float` Java keeps the raw
/// ones.
fn double_bits(value: f64) -> u64 {
    const NAN: u64 = 0x7ff8 << 48;
    match value.is_nan() {
        true => NAN,
        false => value.to_bits(),
    }
}

fn uuid_text(uuid: &[u8; 16]) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serializer::tests::bytes;

    #[test]
    fn text_and_bytes_are_themselves_and_are_not_copied() {
        let mut headers = Headers::default();
        let text = String::from("h\u{e9}");
        let sent = StringSerializer.serialize("t", &mut headers, &text);
        let sent = sent.unwrap().unwrap();
        assert_eq!(sent[..], [b'h', 0xc3, 0xa9]);
        assert_eq!(sent.as_ptr(), text.as_ptr());
        let raw = vec![0xff, 0];
        let sent = BytesSerializer.serialize("t", &mut headers, &raw);
        let sent = sent.unwrap().unwrap();
        assert_eq!(sent[..], [0xff, 0]);
        assert_eq!(sent.as_ptr(), raw.as_ptr());
        assert_eq!(bytes(BytesSerializer, "text"), b"text");
        assert_eq!(bytes(StringSerializer, ""), b"");
    }

    #[test]
    fn numbers_are_big_endian() {
        assert_eq!(bytes(BooleanSerializer, &false), [0]);
        assert_eq!(bytes(BooleanSerializer, &true), [1]);
        assert_eq!(bytes(ShortSerializer, &0x0102), [1, 2]);
        assert_eq!(bytes(ShortSerializer, &-2), [255, 254]);
        assert_eq!(bytes(IntegerSerializer, &0x0102_0304), [1, 2, 3, 4]);
        assert_eq!(bytes(IntegerSerializer, &-2), [255, 255, 255, 254]);
        let eight = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(bytes(LongSerializer, &0x0102_0304_0506_0708), eight);
        let minus_two = [255, 255, 255, 255, 255, 255, 255, 254];
        assert_eq!(bytes(LongSerializer, &-2), minus_two);
    }

    #[test]
    fn a_nan_keeps_its_bits_as_a_float_and_not_as_a_double() {
        assert_eq!(bytes(FloatSerializer, &-0.0), [0x80, 0, 0, 0]);
        let nan = f32::from_bits(0xffc0_0001);
        assert_eq!(bytes(FloatSerializer, &nan), [0xff, 0xc0, 0, 1]);
        assert_eq!(bytes(DoubleSerializer, &-0.0), [0x80, 0, 0, 0, 0, 0, 0, 0]);
        let nan = f64::from_bits(0xfff8_0000_0000_0001);
        let canonical = [0x7f, 0xf8, 0, 0, 0, 0, 0, 0];
        assert_eq!(bytes(DoubleSerializer, &nan), canonical);
    }

    #[test]
    fn a_uuid_is_its_text_and_void_is_null() {
        let uuid = std::array::from_fn(|index| (index * 17) as u8);
        let text = bytes(UuidSerializer, &uuid);
        assert_eq!(text, b"00112233-4455-6677-8899-aabbccddeeff");
        let void = VoidSerializer.serialize("t", &mut Headers::default(), &());
        assert_eq!(void.unwrap(), None);
    }
}
