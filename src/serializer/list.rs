//! Lists in the form of Java's `ListSerializer` (KIP-466), and entries that may be null.

use super::{Headers, Serialize, SerializeError, Serialized};
use crate::wire::Put;

/// A list, whose entries the serializer inside writes: `[T]`, `Vec<T>`, `[T; N]`.
///
/// The form is that of Java's `ListSerializer`, for its `ListDeserializer` and `ListSerde` to read.
/// As there, shorts, integers, longs, floats, doubles and UUIDs stand side by side, and everything
/// else comes with its size. For entries that may be null, see [`NullableSerializer`].
///
/// ```
/// use milena::{Headers, IntegerSerializer, ListSerializer, Serialize};
///
/// let serializer = ListSerializer(IntegerSerializer);
/// let bytes = serializer.serialize("t", &mut Headers::default(), &[7, 8]).unwrap();
/// // Entries of a constant size; no index of a null entry; two entries.
/// let expected = [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8];
/// assert_eq!(bytes.as_deref(), Some(&expected[..]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ListSerializer<S>(pub S);

/// The first byte of a list: how its entries are written.
const CONSTANT_SIZE: i8 = 0;
const VARIABLE_SIZE: i8 = 1;

/// The size of a null entry among entries with sizes.
const NULL_ENTRY: i32 = -1;

impl<T, S: Serialize<T>> Serialize<[T]> for ListSerializer<S> {
    fn serialize<'v>(
        &self,
        topic: &str,
        headers: &mut Headers<'_>,
        list: &'v [T],
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        let len = count(list.len())?;
        let is_constant = self.0.has_constant_size();
        let (mut entries, mut null_indexes) = (Vec::new(), Vec::new());
        for (index, entry) in (0..).zip(list) {
            match self.0.serialize(topic, headers, entry)? {
                Some(bytes) => {
                    if !is_constant {
                        entries.put_i32(count(bytes.len())?);
                    }
                    entries.extend_from_slice(&bytes);
                }
                None if is_constant => null_indexes.push(index),
                None => entries.put_i32(NULL_ENTRY),
            }
        }
        let mut out = Vec::with_capacity(9 + 4 * null_indexes.len() + entries.len());
        if is_constant {
            out.put_i8(CONSTANT_SIZE);
            out.put_array(&null_indexes, false, |out, index| out.put_i32(*index));
        } else {
            out.put_i8(VARIABLE_SIZE);
        }
        out.put_i32(len);
        out.append(&mut entries);
        Ok(Some(out.into()))
    }
}

impl<T, S: Serialize<T>> Serialize<Vec<T>> for ListSerializer<S> {
    fn serialize<'v>(
        &self,
        topic: &str,
        headers: &mut Headers<'_>,
        list: &'v Vec<T>,
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        self.serialize(topic, headers, &list[..])
    }
}

impl<T, S: Serialize<T>, const LEN: usize> Serialize<[T; LEN]> for ListSerializer<S> {
    fn serialize<'v>(
        &self,
        topic: &str,
        headers: &mut Headers<'_>,
        list: &'v [T; LEN],
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        self.serialize(topic, headers, &list[..])
    }
}

/// A number of entries or bytes as Java's lists can count it.
fn count(len: usize) -> Result<i32, SerializeError> {
    let count = i32::try_from(len);
    count.map_err(|_| format!("{len} entries or bytes are more than a list can have").into())
}

/// An `Option<T>`, whose value the serializer inside writes; `None` is null.
///
/// For [lists](ListSerializer) with null entries. A key or value that may be null needs none: it is
/// sent as an `Option<&T>`.
///
/// ```
/// use milena::{Headers, ListSerializer, NullableSerializer, Serialize, StringSerializer};
///
/// let serializer = ListSerializer(NullableSerializer(StringSerializer));
/// let bytes = serializer.serialize("t", &mut Headers::default(), &[Some("a"), None]).unwrap();
/// // Entries with sizes; two of them; "a" of 1 byte; null.
/// let expected = [1, 0, 0, 0, 2, 0, 0, 0, 1, b'a', 255, 255, 255, 255];
/// assert_eq!(bytes.as_deref(), Some(&expected[..]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NullableSerializer<S>(pub S);

impl<T, S: Serialize<T>> Serialize<Option<T>> for NullableSerializer<S> {
    fn serialize<'v>(
        &self,
        topic: &str,
        headers: &mut Headers<'_>,
        value: &'v Option<T>,
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        match value {
            Some(value) => self.0.serialize(topic, headers, value),
            None => Ok(None),
        }
    }

    fn has_constant_size(&self) -> bool {
        self.0.has_constant_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serializer::tests::bytes;
    use crate::serializer::{
        BooleanSerializer, BytesSerializer, LongSerializer, ShortSerializer, StringSerializer,
        UuidSerializer, VoidSerializer,
    };

    const NULLABLE_SHORTS: ListSerializer<NullableSerializer<ShortSerializer>> =
        ListSerializer(NullableSerializer(ShortSerializer));

    #[test]
    fn entries_of_a_constant_size_stand_side_by_side_behind_the_indexes_of_null_ones() {
        let none = [0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(bytes(ListSerializer(LongSerializer), &[] as &[i64]), none);
        let sparse = vec![None, Some(7), None, Some(-1)];
        let [zero, two, four] = [[0, 0, 0, 0], [0, 0, 0, 2], [0, 0, 0, 4]];
        let mut expected = [&[0][..], &two, &zero, &two, &four].concat();
        expected.extend([0, 7, 255, 255]);
        assert_eq!(bytes(NULLABLE_SHORTS, &sparse), expected);
        let uuids = bytes(ListSerializer(UuidSerializer), &[[0; 16], [1; 16]]);
        assert_eq!((uuids.len(), uuids[0]), (9 + 2 * 36, 0));
    }

    #[test]
    fn other_entries_have_sizes_and_null_is_the_size_below_zero() {
        let booleans = bytes(ListSerializer(BooleanSerializer), &[true, false]);
        let expected = [1, 0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0];
        assert_eq!(booleans, expected);
        let texts = bytes(ListSerializer(StringSerializer), &vec!["", "ab"]);
        let expected = [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, b'a', b'b'];
        assert_eq!(texts, expected);
        let serializer = ListSerializer(NullableSerializer(BytesSerializer));
        let nulls = bytes(serializer, &[None, Some(b"x")]);
        let expected = [1, 0, 0, 0, 2, 255, 255, 255, 255, 0, 0, 0, 1, b'x'];
        assert_eq!(nulls, expected);
        let void = bytes(ListSerializer(VoidSerializer), &[()]);
        assert_eq!(void, [1, 0, 0, 0, 1, 255, 255, 255, 255]);
    }

    #[test]
    fn a_list_of_lists_has_lists_with_sizes() {
        let serializer = ListSerializer(ListSerializer(ShortSerializer));
        let inner = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 5];
        let mut expected = vec![1, 0, 0, 0, 1, 0, 0, 0, 11];
        expected.extend(inner);
        assert_eq!(bytes(serializer, &[vec![5]]), expected);
    }

    #[test]
    fn an_entry_that_fails_fails_the_list() {
        struct Fails;
        impl Serialize<i32> for Fails {
            fn serialize<'v>(
                &self,
                _topic: &str,
                _headers: &mut Headers<'_>,
                _value: &'v i32,
            ) -> Result<Option<Serialized<'v>>, SerializeError> {
                Err("odd".into())
            }
        }
        let failed = ListSerializer(Fails).serialize("t", &mut Headers::default(), &[1]);
        assert_eq!(failed.unwrap_err().to_string(), "odd");
        assert!(count(i32::MAX as usize).is_ok() && count(1 << 31).is_err());
    }
}
