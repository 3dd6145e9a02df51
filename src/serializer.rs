//! From the application's types to bytes.

use std::borrow::Cow;
use std::fmt::Write;

use crate::error::{Error, ErrorKind};
use crate::record::Record;

/// What a serializer may fail with: the application's own error.
pub type SerializeError = Box<dyn std::error::Error + Send + Sync>;

/// Turns values of type `T` into bytes: Java's `Serializer`.
///
/// It runs on the thread that sends. A type that serializes many others, such as one for everything
/// that serde knows, implements the trait for a generic `T`.
///
/// ```
/// use std::borrow::Cow;
/// use milena::{Headers, Serialize, SerializeError};
///
/// struct Order { customer: String, apples: u32 }
///
/// struct OrderSerializer;
///
/// impl Serialize<Order> for OrderSerializer {
///     fn serialize<'v>(
///         &self,
///         _topic: &str,
///         headers: &mut Headers<'_>,
///         order: &'v Order,
///     ) -> Result<Option<Cow<'v, [u8]>>, SerializeError> {
///         headers.add("format", "text/1");
///         if order.apples == 0 {
///             return Ok(None);
///         }
///         let text = format!("{} wants {}", order.customer, order.apples);
///         Ok(Some(text.into_bytes().into()))
///     }
/// }
///
/// let order = Order { customer: "Eve".into(), apples: 1 };
/// let bytes = OrderSerializer.serialize("orders", &mut Headers::default(), &order).unwrap();
/// assert_eq!(bytes.as_deref(), Some(&b"Eve wants 1"[..]));
/// ```
pub trait Serialize<T: ?Sized> {
    /// The bytes of `value`, borrowed from it where they are in it already; `None` is null.
    ///
    /// `topic` is the one that the record goes to. `headers` are the record's, to look at and to
    /// add to.
    ///
    /// # Errors
    ///
    /// Whatever the application says. It fails this record alone, with
    /// [`ErrorKind::Application`], and its text becomes part of the record's error.
    fn serialize<'v>(
        &self,
        topic: &str,
        headers: &mut Headers<'_>,
        value: &'v T,
    ) -> Result<Option<Cow<'v, [u8]>>, SerializeError>;
}

/// The headers of a record that is being serialized.
#[derive(Debug, Default)]
pub struct Headers<'a> {
    own: &'a [(&'a str, Option<&'a [u8]>)],
    added: Vec<(String, Option<Vec<u8>>)>,
}

impl Headers<'_> {
    /// Adds a header after those that are there.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.added.push((name.into(), Some(value.into())));
    }

    /// The headers in order, those that a serializer added last; a value of `None` is null.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let own = self.own.iter().copied();
        own.chain(self.added.iter().map(borrowed))
    }
}

fn borrowed((name, value): &(String, Option<Vec<u8>>)) -> (&str, Option<&[u8]>) {
    (name, value.as_deref())
}

/// Bytes as they are: `[u8]`, `Vec<u8>`, arrays, text. Nothing is copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesSerializer;

impl<T: AsRef<[u8]> + ?Sized> Serialize<T> for BytesSerializer {
    fn serialize<'v>(
        &self,
        _topic: &str,
        _headers: &mut Headers<'_>,
        value: &'v T,
    ) -> Result<Option<Cow<'v, [u8]>>, SerializeError> {
        Ok(Some(Cow::Borrowed(value.as_ref())))
    }
}

/// Text in UTF-8: `str`, `String`. Nothing is copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct StringSerializer;

impl<T: AsRef<str> + ?Sized> Serialize<T> for StringSerializer {
    fn serialize<'v>(
        &self,
        _topic: &str,
        _headers: &mut Headers<'_>,
        value: &'v T,
    ) -> Result<Option<Cow<'v, [u8]>>, SerializeError> {
        Ok(Some(Cow::Borrowed(value.as_ref().as_bytes())))
    }
}

/// An `i32` in 4 bytes, big-endian.
#[derive(Clone, Copy, Debug, Default)]
pub struct IntegerSerializer;

impl Serialize<i32> for IntegerSerializer {
    fn serialize<'v>(
        &self,
        _topic: &str,
        _headers: &mut Headers<'_>,
        value: &'v i32,
    ) -> Result<Option<Cow<'v, [u8]>>, SerializeError> {
        Ok(Some(value.to_be_bytes().to_vec().into()))
    }
}

/// An `i64` in 8 bytes, big-endian.
#[derive(Clone, Copy, Debug, Default)]
pub struct LongSerializer;

impl Serialize<i64> for LongSerializer {
    fn serialize<'v>(
        &self,
        _topic: &str,
        _headers: &mut Headers<'_>,
        value: &'v i64,
    ) -> Result<Option<Cow<'v, [u8]>>, SerializeError> {
        Ok(Some(value.to_be_bytes().to_vec().into()))
    }
}

/// What can stand as key or value in a send through the serializer `S`: `&T` and `Option<&T>`
/// (`None` is null) for every `T` that `S` serializes, and `()` for what the record holds itself,
/// which is null unless it was set.
pub trait SerializedBy<'v, S>: sealed::Sealed {
    /// The bytes, given the record's own.
    #[doc(hidden)]
    fn serialized(
        self,
        serializer: &S,
        topic: &str,
        headers: &mut Headers<'_>,
        own: Option<&'v [u8]>,
    ) -> Result<Option<Cow<'v, [u8]>>, SerializeError>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl<T: ?Sized> Sealed for &T {}
    impl<T: ?Sized> Sealed for Option<&T> {}
}

impl<'v, S> SerializedBy<'v, S> for () {
    fn serialized(
        self,
        _serializer: &S,
        _topic: &str,
        _headers: &mut Headers<'_>,
        own: Option<&'v [u8]>,
    ) -> Result<Option<Cow<'v, [u8]>>, SerializeError> {
        Ok(own.map(Cow::Borrowed))
    }
}

impl<'v, T: ?Sized, S: Serialize<T>> SerializedBy<'v, S> for &'v T {
    fn serialized(
        self,
        serializer: &S,
        topic: &str,
        headers: &mut Headers<'_>,
        _own: Option<&'v [u8]>,
    ) -> Result<Option<Cow<'v, [u8]>>, SerializeError> {
        serializer.serialize(topic, headers, self)
    }
}

impl<'v, T: ?Sized, S: Serialize<T>> SerializedBy<'v, S> for Option<&'v T> {
    fn serialized(
        self,
        serializer: &S,
        topic: &str,
        headers: &mut Headers<'_>,
        _own: Option<&'v [u8]>,
    ) -> Result<Option<Cow<'v, [u8]>>, SerializeError> {
        self.map_or(Ok(None), |value| {
            serializer.serialize(topic, headers, value)
        })
    }
}

/// Calls `send` with `record` as the serializers complete it: first the key, then the value, then
/// the headers that they added, as in Java.
pub(crate) fn with_serialized<'v, K, V, R>(
    record: &Record<'v>,
    (key_serializer, key): (&K, impl SerializedBy<'v, K>),
    (value_serializer, value): (&V, impl SerializedBy<'v, V>),
    send: impl FnOnce(Record<'_>) -> R,
) -> Result<R, Error> {
    let topic = record.topic;
    let mut headers = Headers {
        own: &record.headers,
        added: Vec::new(),
    };
    let key = key
        .serialized(key_serializer, topic, &mut headers, record.key)
        .map_err(|error| failed("key", topic, &*error))?;
    let value = value
        .serialized(value_serializer, topic, &mut headers, record.value)
        .map_err(|error| failed("value", topic, &*error))?;
    Ok(send(Record {
        topic,
        partition: record.partition,
        key: key.as_deref(),
        value: value.as_deref(),
        headers: headers.iter().collect(),
        timestamp_ms: record.timestamp_ms,
        deadline: record.deadline,
    }))
}

fn failed(what: &str, topic: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    let mut message =
        format!("the {what} serializer failed on a record for topic {topic}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        let _ = write!(message, ": {error}");
        cause = error.source();
    }
    Error::new(ErrorKind::Application, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the serializer makes of a value, on its own.
    fn bytes<T: ?Sized>(serializer: impl Serialize<T>, value: &T) -> Vec<u8> {
        let cow = serializer.serialize("t", &mut Headers::default(), value);
        cow.unwrap().unwrap().into_owned()
    }

    /// Adds a header that tells how many it saw, and fails on "bad".
    struct Counting(&'static str);

    impl Serialize<str> for Counting {
        fn serialize<'v>(
            &self,
            topic: &str,
            headers: &mut Headers<'_>,
            value: &'v str,
        ) -> Result<Option<Cow<'v, [u8]>>, SerializeError> {
            if value == "bad" {
                let number = "x".parse::<i32>().map_err(std::io::Error::other)?;
                return Err(number.to_string().into());
            }
            let seen = headers.iter().count();
            headers.add(format!("{} {topic}", self.0), seen.to_string());
            Ok((value != "null").then(|| value.as_bytes().into()))
        }
    }

    #[test]
    fn stock_serializers_write_what_javas_do() {
        assert_eq!(bytes(StringSerializer, "h\u{e9}"), [b'h', 0xc3, 0xa9]);
        assert_eq!(bytes(StringSerializer, &String::from("a")), b"a");
        assert_eq!(bytes(BytesSerializer, &vec![0xff, 0]), [0xff, 0]);
        assert_eq!(bytes(BytesSerializer, &[] as &[u8]), b"");
        assert_eq!(bytes(IntegerSerializer, &0x0102_0304), [1, 2, 3, 4]);
        assert_eq!(bytes(IntegerSerializer, &-2), [255, 255, 255, 254]);
        assert_eq!(
            bytes(LongSerializer, &-2),
            [255, 255, 255, 255, 255, 255, 255, 254]
        );
        assert_eq!(
            bytes(LongSerializer, &0x0102_0304),
            [0, 0, 0, 0, 1, 2, 3, 4]
        );
    }

    #[test]
    fn text_and_bytes_are_not_copied() {
        let mut headers = Headers::default();
        let text = StringSerializer.serialize("t", &mut headers, "text");
        assert!(matches!(text, Ok(Some(Cow::Borrowed(b"text")))));
        let bytes = BytesSerializer.serialize("t", &mut headers, b"bytes");
        assert!(matches!(bytes, Ok(Some(Cow::Borrowed(b"bytes")))));
    }

    #[test]
    fn serializers_complete_the_record_and_see_each_others_headers() {
        let record = Record::to("t")
            .header("own", "h")
            .partition(3)
            .timestamp_ms(9);
        let (key, value) = ((&Counting("key"), "k"), (&Counting("value"), "null"));
        with_serialized(&record, key, value, |sent| {
            let expected = record.clone().key("k");
            let expected = expected.header("key t", "1").header("value t", "2");
            assert_eq!(sent, expected);
        })
        .unwrap();
    }

    #[test]
    fn null_stays_null_and_the_unit_leaves_the_records_own() {
        let record = Record::to("t").key("raw");
        let (s, none) = (&StringSerializer, None::<&str>);
        with_serialized(&record, (s, ()), (s, ()), |sent| assert_eq!(sent, record)).unwrap();
        let empty = Record::to("t");
        with_serialized(&record, (s, none), (s, none), |sent| {
            assert_eq!(sent, empty)
        })
        .unwrap();
        let full = Record::to("t").key("k").value("v");
        let value = Some(&String::from("v"));
        with_serialized(&record, (s, "k"), (s, value), |sent| assert_eq!(sent, full)).unwrap();
    }

    #[test]
    fn an_error_of_a_serializer_is_the_records_and_nothing_is_sent() {
        let record = Record::to("orders");
        for (key, value, said) in [
            (
                "bad",
                "v",
                "the key serializer failed on a record for topic orders: invalid digit",
            ),
            (
                "k",
                "bad",
                "the value serializer failed on a record for topic orders: invalid",
            ),
        ] {
            let counting = &Counting("c");
            let result = with_serialized(&record, (counting, key), (counting, value), |_| ());
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Application);
            assert!(error.to_string().starts_with(said), "{error}");
        }
    }
}
