//! A record's key and value as the serializers write them.

use std::fmt::Write;

use super::{Headers, Serialize, SerializeError, Serialized};
use crate::error::{Error, ErrorKind};
use crate::record::Record;
use crate::survive::caught;

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
    ) -> Result<Option<Serialized<'v>>, SerializeError>;
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
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        Ok(own.map(Serialized::from))
    }
}

impl<'v, T: ?Sized, S: Serialize<T>> SerializedBy<'v, S> for &'v T {
    fn serialized(
        self,
        serializer: &S,
        topic: &str,
        headers: &mut Headers<'_>,
        _own: Option<&'v [u8]>,
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
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
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        self.map_or(Ok(None), |value| {
            serializer.serialize(topic, headers, value)
        })
    }
}

/// What serializers wrote for a record.
pub(crate) struct Written<'v> {
    key: Option<Serialized<'v>>,
    value: Option<Serialized<'v>>,
    added: Vec<(String, Option<Vec<u8>>)>,
}

impl<'v> Written<'v> {
    /// Runs the serializers for `record`: first the key's, then the value's, as Java does.
    pub(crate) fn new<K, V>(
        record: &Record<'v>,
        (key_serializer, key): (&K, impl SerializedBy<'v, K>),
        (value_serializer, value): (&V, impl SerializedBy<'v, V>),
    ) -> Result<Self, Error> {
        let topic = record.topic;
        let mut headers = Headers {
            own: &record.headers,
            added: Vec::new(),
        };
        let key = contained("key", topic, || {
            key.serialized(key_serializer, topic, &mut headers, record.key)
        })?;
        let value = contained("value", topic, || {
            value.serialized(value_serializer, topic, &mut headers, record.value)
        })?;
        let added = headers.added;
        Ok(Self { key, value, added })
    }

    /// `record` with what was written; the headers that serializers added are the last.
    pub(crate) fn complete<'a>(&'a self, mut record: Record<'a>) -> Record<'a> {
        record.key = self.key.as_deref();
        record.value = self.value.as_deref();
        record
            .headers
            .extend(self.added.iter().map(super::borrowed));
        record
    }
}

/// Runs the application's code: its error, or its panic, becomes the record's error.
fn contained<'v>(
    what: &str,
    topic: &str,
    serialize: impl FnOnce() -> Result<Option<Serialized<'v>>, SerializeError>,
) -> Result<Option<Serialized<'v>>, Error> {
    // The error's text is the application's code too.
    let (how, text) = match caught(|| serialize().map_err(|error| with_causes(&*error))) {
        Ok(Ok(bytes)) => return Ok(bytes),
        Ok(Err(text)) => ("failed", text),
        Err(text) => ("panicked", text),
    };
    let message = format!("the {what} serializer {how} on a record for topic {topic}: {text}");
    Err(Error::new(ErrorKind::Application, message))
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serializer::StringSerializer;

    /// Adds a header that tells how many it saw; fails on "bad" and panics on "worse".
    struct Counting(&'static str);

    impl Serialize<str> for Counting {
        fn serialize<'v>(
            &self,
            topic: &str,
            headers: &mut Headers<'_>,
            value: &'v str,
        ) -> Result<Option<Serialized<'v>>, SerializeError> {
            if value == "bad" {
                let number = "x".parse::<i32>().map_err(std::io::Error::other)?;
                return Err(number.to_string().into());
            }
            if value == "worse" {
                std::panic::resume_unwind(Box::new("a bug"));
            }
            let seen = headers.iter().count();
            headers.add(format!("{} {topic}", self.0), seen.to_string());
            Ok((value != "null").then(|| value.into()))
        }
    }

    #[test]
    fn serializers_complete_the_record_and_see_each_others_headers() {
        let record = Record::to("t").header("own", "h");
        let record = record.partition(3).timestamp_ms(9);
        let record = record.deadline(std::time::Instant::now());
        let (key, value) = ((&Counting("key"), "k"), (&Counting("value"), "null"));
        let written = Written::new(&record, key, value).unwrap();
        let expected = record.clone().key("k");
        let expected = expected.header("key t", "1").header("value t", "2");
        assert_eq!(written.complete(record), expected);
    }

    #[test]
    fn null_stays_null_and_the_unit_leaves_the_records_own() {
        let record = Record::to("t").key("raw");
        let (s, none) = (&StringSerializer, None::<&str>);
        let own = Written::new(&record, (s, ()), (s, ())).unwrap();
        assert_eq!(own.complete(record.clone()), record);
        let empty = Record::to("t");
        let null = Written::new(&record, (s, none), (s, none)).unwrap();
        assert_eq!(null.complete(record.clone()), empty);
        let full = Record::to("t").key("k").value("v");
        let value = Some(&String::from("v"));
        let both = Written::new(&record, (s, "k"), (s, value)).unwrap();
        assert_eq!(both.complete(record), full);
    }

    #[test]
    fn an_error_or_panic_tells_whose_on_which_topic_and_why() {
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
                "the value serializer failed on a record for topic orders: invalid digit",
            ),
            (
                "worse",
                "v",
                "the key serializer panicked on a record for topic orders: a bug",
            ),
            (
                "k",
                "worse",
                "the value serializer panicked on a record for topic orders: a bug",
            ),
        ] {
            let counting = &Counting("c");
            let error = Written::new(&record, (counting, key), (counting, value));
            let error = error.map(|_| "written").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Application);
            assert!(error.to_string().starts_with(said), "{error}");
        }
    }
}
