//! The wire format of Confluent's Schema Registry.

use super::{Headers, Serialize, SerializeError, Serialized};
use crate::wire::Put;

/// What says that the id of a schema follows.
const MAGIC: u8 = 0;

/// What another serializer writes, behind the id of its schema, as Confluent's deserializers expect
/// it: a zero byte, the id in 4 bytes, big-endian, and the data. Null stays null.
///
/// It talks to no Schema Registry. The schema is registered elsewhere, which gives the id, and
/// whether it fits what the serializer writes is not checked.
///
/// ```
/// use milena::{ConfluentSerializer, Headers, Serialize, StringSerializer};
///
/// let serializer = ConfluentSerializer::new(7, StringSerializer);
/// let bytes = serializer.serialize("t", &mut Headers::default(), "{}").unwrap();
/// assert_eq!(bytes.as_deref(), Some(&b"\x00\x00\x00\x00\x07{}"[..]));
/// ```
#[derive(Clone, Debug)]
pub struct ConfluentSerializer<S> {
    /// Everything before the data.
    frame: Vec<u8>,
    inner: S,
}

impl<S> ConfluentSerializer<S> {
    /// The format of Avro and JSON Schema: `inner` writes the data, and its schema has this id.
    pub fn new(schema_id: i32, inner: S) -> Self {
        let mut frame = vec![MAGIC];
        frame.put_i32(schema_id);
        Self { frame, inner }
    }

    /// The format of Protobuf: `inner` writes a message, and `path` says which of the schema.
    ///
    /// The path is the message's index in the schema, or, for a nested message, the index of the
    /// outermost one, then that of the next within it, and so on. `&[0]` is the first message.
    ///
    /// ```
    /// use milena::{BytesSerializer, ConfluentSerializer, Headers, Serialize};
    ///
    /// let message = [0x08, 0x96, 0x01];
    /// let first = ConfluentSerializer::protobuf(7, &[0], BytesSerializer);
    /// let bytes = first.serialize("t", &mut Headers::default(), &message).unwrap();
    /// assert_eq!(bytes.as_deref(), Some(&[0, 0, 0, 0, 7, 0, 0x08, 0x96, 0x01][..]));
    /// ```
    pub fn protobuf(schema_id: i32, path: &[u16], inner: S) -> Self {
        let mut serializer = Self::new(schema_id, inner);
        let frame = &mut serializer.frame;
        if path == [0] {
            // The short form of [0], which most schemas need.
            frame.put_varint(0);
        } else {
            frame.put_varlong(path.len() as i64);
            path.iter()
                .for_each(|index| frame.put_varint((*index).into()));
        }
        serializer
    }
}

impl<T: ?Sized, S: Serialize<T>> Serialize<T> for ConfluentSerializer<S> {
    fn serialize<'v>(
        &self,
        topic: &str,
        headers: &mut Headers<'_>,
        value: &'v T,
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        let data = self.inner.serialize(topic, headers, value)?;
        Ok(data.map(|data| [&self.frame, &*data].concat().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serializer::tests::bytes;
    use crate::serializer::{BytesSerializer, NullableSerializer};

    #[test]
    fn the_id_is_big_endian_behind_a_zero_and_null_stays_null() {
        let serializer = ConfluentSerializer::new(0x0102_0304, BytesSerializer);
        assert_eq!(bytes(serializer.clone(), "x"), [0, 1, 2, 3, 4, b'x']);
        assert_eq!(bytes(serializer.clone(), ""), [0, 1, 2, 3, 4]);
        let serializer = ConfluentSerializer::new(1, NullableSerializer(BytesSerializer));
        let null = serializer.serialize("t", &mut Headers::default(), &None::<&str>);
        assert_eq!(null.unwrap(), None);
    }

    /// The bytes are those of Confluent's `MessageIndexes`: zigzag varints, the number of indexes
    /// first, and one zero for the first message.
    #[test]
    fn the_path_of_a_protobuf_message_is_a_list_of_varints() {
        for (path, expected) in [
            (&[0][..], &[0][..]),
            (&[1], &[2, 2]),
            (&[0, 0], &[4, 0, 0]),
            (&[2, 0, 64], &[6, 4, 0, 0x80, 1]),
        ] {
            let serializer = ConfluentSerializer::protobuf(7, path, BytesSerializer);
            let expected = [&[0, 0, 0, 0, 7], expected, b"x"].concat();
            assert_eq!(bytes(serializer.clone(), "x"), expected, "{path:?}");
        }
    }
}
