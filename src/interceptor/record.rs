//! A record between two interceptors, and what is kept of it until its end is told.

use std::borrow::Cow;

use crate::record::Record;

/// A record that is being sent, as an [`Interceptor`](super::Interceptor) sees it.
///
/// Nothing is copied that is not changed.
///
/// ```
/// # let cluster = milena::mock::MockCluster::start(1);
/// use milena::{Config, InterceptError, InterceptedRecord, Interceptor, Producer, Record};
///
/// /// Sends the orders of one customer elsewhere, without the value.
/// #[derive(Debug)]
/// struct Aside;
///
/// impl Interceptor for Aside {
///     fn on_send(&self, record: &mut InterceptedRecord<'_>) -> Result<(), InterceptError> {
///         if record.topic() == "orders" && record.key() == Some(b"customer-7") {
///             record.set_topic("aside");
///             record.set_null_value();
///             record.remove_headers("via");
///             record.add_header("was", "orders");
///         }
///         Ok(())
///     }
/// }
///
/// let producer = Producer::new(Config::new(cluster.bootstrap()).interceptor(Aside))?;
/// let record = Record::to("orders").key("customer-7").value("3 apples").header("via", "shop");
/// let metadata = producer.send(record).wait()?;
/// assert_eq!((metadata.topic(), metadata.value_size()), ("aside", None));
/// # Ok::<(), milena::Error>(())
/// ```
#[derive(Debug)]
pub struct InterceptedRecord<'a> {
    given: &'a Record<'a>,
    topic: Cow<'a, str>,
    partition: Option<i32>,
    key: Option<Cow<'a, [u8]>>,
    value: Option<Cow<'a, [u8]>>,
    /// `None` while they are the given ones.
    headers: Option<Vec<Header<'a>>>,
    timestamp_ms: Option<i64>,
    is_changed: bool,
}

type Header<'a> = (Cow<'a, str>, Option<Cow<'a, [u8]>>);

impl<'a> InterceptedRecord<'a> {
    pub(super) fn new(given: &'a Record<'a>) -> Self {
        Self {
            given,
            topic: Cow::Borrowed(given.topic),
            partition: given.partition,
            key: given.key.map(Cow::Borrowed),
            value: given.value.map(Cow::Borrowed),
            headers: None,
            timestamp_ms: given.timestamp_ms,
            is_changed: false,
        }
    }

    /// Sends it to another topic. A partition that was set stays.
    pub fn set_topic(&mut self, topic: impl Into<String>) {
        self.topic = Cow::Owned(topic.into());
        self.is_changed = true;
    }

    /// Sends it to this partition; `None` leaves it to the partitioner.
    pub fn set_partition(&mut self, partition: Option<i32>) {
        self.partition = partition;
        self.is_changed = true;
    }

    /// Gives it another key, which also chooses the partition if none is set.
    pub fn set_key(&mut self, key: impl Into<Vec<u8>>) {
        self.key = Some(Cow::Owned(key.into()));
        self.is_changed = true;
    }

    /// Makes the key null.
    pub fn set_null_key(&mut self) {
        self.key = None;
        self.is_changed = true;
    }

    /// Gives it another value.
    pub fn set_value(&mut self, value: impl Into<Vec<u8>>) {
        self.value = Some(Cow::Owned(value.into()));
        self.is_changed = true;
    }

    /// Makes the value null.
    pub fn set_null_value(&mut self) {
        self.value = None;
        self.is_changed = true;
    }

    /// Adds a header after those that are there.
    pub fn add_header(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) {
        let value = Some(Cow::Owned(value.into()));
        self.change_headers().push((Cow::Owned(name.into()), value));
    }

    /// Adds a header whose value is null.
    pub fn add_null_header(&mut self, name: impl Into<String>) {
        self.change_headers().push((Cow::Owned(name.into()), None));
    }

    /// Removes all headers of this name.
    pub fn remove_headers(&mut self, name: &str) {
        self.change_headers().retain(|(own, _)| own != name);
    }

    /// Sets its time in milliseconds since 1970 (UTC); `None` is the time of the send.
    pub fn set_timestamp_ms(&mut self, timestamp_ms: Option<i64>) {
        self.timestamp_ms = timestamp_ms;
        self.is_changed = true;
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition that was set; `None` leaves it to the partitioner.
    pub fn partition(&self) -> Option<i32> {
        self.partition
    }

    /// The key; `None` is null.
    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// The value; `None` is null.
    pub fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    /// The headers in order; a value of `None` is null.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let given = match &self.headers {
            None => &self.given.headers[..],
            Some(_) => &[],
        };
        let own = self.headers.iter().flatten().map(borrowed);
        given.iter().copied().chain(own)
    }

    /// The time that was set; `None` is the time of the send.
    pub fn timestamp_ms(&self) -> Option<i64> {
        self.timestamp_ms
    }

    /// The record with the changes; `None` if there are none.
    pub(super) fn changed(&self) -> Option<Record<'_>> {
        if !self.is_changed {
            return None;
        }
        let mut record = self.given.clone();
        record.topic = &self.topic;
        record.partition = self.partition;
        record.key = self.key();
        record.value = self.value();
        record.timestamp_ms = self.timestamp_ms;
        if let Some(headers) = &self.headers {
            record.headers = headers.iter().map(borrowed).collect();
        }
        Some(record)
    }

    fn change_headers(&mut self) -> &mut Vec<Header<'a>> {
        self.is_changed = true;
        self.headers.get_or_insert_with(|| {
            let given = self.given.headers.iter();
            given
                .map(|(name, value)| (Cow::Borrowed(*name), value.map(Cow::Borrowed)))
                .collect()
        })
    }
}

fn borrowed<'b>((name, value): &'b Header<'_>) -> (&'b str, Option<&'b [u8]>) {
    (name, value.as_deref())
}

/// A copy of a record's headers.
#[derive(Debug, Default)]
pub(crate) struct KeptHeaders {
    names: String,
    values: Vec<u8>,
    /// Of each header's name and value.
    lens: Vec<(usize, Option<usize>)>,
}

impl KeptHeaders {
    pub(crate) fn new(headers: &[(&str, Option<&[u8]>)]) -> Self {
        let lens = headers
            .iter()
            .map(|(name, value)| (name.len(), value.map(<[u8]>::len)));
        Self {
            names: headers.iter().map(|(name, _)| *name).collect(),
            values: headers
                .iter()
                .filter_map(|(_, value)| *value)
                .collect::<Vec<_>>()
                .concat(),
            lens: lens.collect(),
        }
    }

    /// The memory that it holds beyond its own size.
    pub(crate) fn bytes(&self) -> usize {
        self.names.capacity()
            + self.values.capacity()
            + self.lens.capacity() * size_of::<(usize, Option<usize>)>()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let (mut names, mut values) = (&self.names[..], &self.values[..]);
        self.lens.iter().map(move |(name_len, value_len)| {
            let (name, more_names) = names.split_at(*name_len);
            let (value, more_values) = values.split_at(value_len.unwrap_or(0));
            (names, values) = (more_names, more_values);
            (name, value_len.map(|_| value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_is_not_copied() {
        let record = Record::to("orders").key("k").value("v").header("h", "1");
        let mut intercepted = InterceptedRecord::new(&record);
        assert!(intercepted.changed().is_none());
        assert_eq!(intercepted.headers().collect::<Vec<_>>(), record.headers());
        intercepted.set_topic("returns");
        let changed = intercepted.changed().expect("another topic");
        assert_eq!(changed.topic, "returns");
        let at = |bytes: Option<&[u8]>| bytes.map(<[u8]>::as_ptr);
        assert_eq!(at(changed.value), at(record.value));
        assert_eq!(at(changed.headers[0].1), at(record.headers[0].1));
        intercepted.add_null_header("n");
        let changed = intercepted.changed().expect("one header more");
        assert_eq!(at(changed.headers[0].1), at(record.headers[0].1));
    }

    #[test]
    fn every_part_can_be_changed_and_is_seen_changed() {
        let record = Record::to("orders")
            .value("v")
            .header("h", "1")
            .header("i", "2");
        let record = record.header("h", "3").partition(2);
        let mut intercepted = InterceptedRecord::new(&record);
        intercepted.set_topic("returns");
        intercepted.set_partition(None);
        intercepted.set_key("k");
        intercepted.set_null_value();
        intercepted.set_timestamp_ms(Some(7));
        intercepted.remove_headers("h");
        intercepted.add_header("j", "4");
        intercepted.add_null_header("n");
        let wanted = Record::to("returns").key("k").timestamp_ms(7);
        let wanted = wanted.header("i", "2").header("j", "4").null_header("n");
        assert_eq!(intercepted.changed(), Some(wanted.clone()));
        assert_eq!(
            (intercepted.topic(), intercepted.partition()),
            ("returns", None)
        );
        assert_eq!(
            (intercepted.key(), intercepted.value()),
            (Some(&b"k"[..]), None)
        );
        assert_eq!(intercepted.timestamp_ms(), Some(7));
        assert_eq!(intercepted.headers().collect::<Vec<_>>(), wanted.headers());
        intercepted.set_null_key();
        intercepted.set_value("w");
        let changed = intercepted.changed().expect("key and value");
        assert_eq!((changed.key, changed.value), (None, Some(&b"w"[..])));
    }

    #[test]
    fn kept_headers_are_the_same_in_order_with_nulls_and_empty_parts() {
        for headers in [
            &[][..],
            &[
                ("", None),
                ("a", Some(&b""[..])),
                ("a", Some(&[0xff, 0])),
                ("\u{fc}", None),
            ],
            &[("", Some(&b"x"[..])), ("b", Some(b"yz"))],
        ] {
            let kept = KeptHeaders::new(headers);
            assert_eq!(kept.iter().collect::<Vec<_>>(), headers);
            let least: usize = headers
                .iter()
                .map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len))
                .sum();
            assert!(kept.bytes() >= least && (kept.bytes() == 0) == headers.is_empty());
        }
    }
}
