//! What is sent: topic, key, value, headers, and where and when.

use std::time::Instant;

use crate::error::{Error, ErrorKind};

/// A record on its way to a topic. It borrows: the bytes are copied once, into the batch that
/// carries them.
///
/// A key or value that was not set is null, which is not the same as empty: consumers see the
/// difference, and a compacted topic takes a null value as a deletion of its key.
///
/// Nothing is checked while a record is built. What Kafka would refuse (a topic name it forbids, a
/// negative timestamp) comes back as an error of the send.
///
/// ```
/// use milena::Record;
///
/// let record = Record::to("orders")
///     .key("customer-7")
///     .value("3 apples")
///     .header("trace", "af09");
/// assert_eq!(record.topic(), "orders");
/// assert_eq!(record.key_bytes(), Some(&b"customer-7"[..]));
///
/// let deletion = Record::to("orders").key("customer-7");
/// assert_eq!(deletion.value_bytes(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Vec<(&'a str, Option<&'a [u8]>)>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) deadline: Option<Instant>,
}

impl<'a> Record<'a> {
    /// A record for `topic` with null key, null value and no headers.
    ///
    /// Kafka's rule for names: 1 to 249 of the characters `a-z`, `A-Z`, `0-9`, `.`, `_` and `-`,
    /// and neither `.` nor `..`.
    pub fn to(topic: &'a str) -> Self {
        Self {
            topic,
            partition: None,
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp_ms: None,
            deadline: None,
        }
    }

    /// Sets the key: text, bytes, or anything else that can be seen as bytes.
    ///
    /// Records with equal keys go to the same partition, and so keep their order, as long as the
    /// number of partitions stays. An empty key is a key. Defaults to null.
    ///
    /// ```
    /// # use milena::Record;
    /// let id = 7_u64.to_be_bytes();
    /// assert_eq!(Record::to("orders").key(&id).key_bytes(), Some(&id[..]));
    /// ```
    pub fn key(mut self, key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.key = Some(key.as_ref());
        self
    }

    /// Sets the key, or makes it null with `None`.
    ///
    /// ```
    /// # use milena::Record;
    /// let key: Option<String> = None;
    /// assert_eq!(Record::to("orders").key_opt(key.as_ref()).key_bytes(), None);
    /// ```
    pub fn key_opt(mut self, key: Option<&'a (impl AsRef<[u8]> + ?Sized)>) -> Self {
        self.key = key.map(AsRef::as_ref);
        self
    }

    /// Sets the value: text, bytes, or anything else that can be seen as bytes. Defaults to null.
    ///
    /// ```
    /// # use milena::Record;
    /// let json = format!("{{\"apples\": {}}}", 3);
    /// assert_eq!(Record::to("orders").value(&json).value_bytes(), Some(json.as_bytes()));
    /// ```
    pub fn value(mut self, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.value = Some(value.as_ref());
        self
    }

    /// Sets the value, or makes it null with `None`.
    ///
    /// ```
    /// # use milena::Record;
    /// let value = Some("");
    /// assert_eq!(Record::to("orders").value_opt(value).value_bytes(), Some(&b""[..]));
    /// ```
    pub fn value_opt(mut self, value: Option<&'a (impl AsRef<[u8]> + ?Sized)>) -> Self {
        self.value = value.map(AsRef::as_ref);
        self
    }

    /// Adds a header. Headers keep their order, and a name may come more than once.
    ///
    /// ```
    /// # use milena::Record;
    /// let record = Record::to("orders").header("via", "shop").header("via", "till");
    /// assert_eq!(record.headers(), [("via", Some(&b"shop"[..])), ("via", Some(&b"till"[..]))]);
    /// ```
    pub fn header(mut self, name: &'a str, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.headers.push((name, Some(value.as_ref())));
        self
    }

    /// Adds a header whose value is null.
    ///
    /// ```
    /// # use milena::Record;
    /// assert_eq!(Record::to("orders").null_header("seen").headers(), [("seen", None)]);
    /// ```
    pub fn null_header(mut self, name: &'a str) -> Self {
        self.headers.push((name, None));
        self
    }

    /// Sends to this partition; the partitioner is not asked. Defaults to what the partitioner
    /// says.
    ///
    /// A partition that the topic does not have fails the record.
    ///
    /// ```
    /// # use milena::Record;
    /// assert_eq!(Record::to("orders").partition(2).explicit_partition(), Some(2));
    /// ```
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets the record's time in milliseconds since 1970 (UTC), zero or later. Defaults to the
    /// time of the send.
    ///
    /// A topic with `message.timestamp.type=LogAppendTime` replaces it with the broker's time.
    ///
    /// ```
    /// # use milena::Record;
    /// let record = Record::to("orders").timestamp_ms(1_000);
    /// assert_eq!(record.explicit_timestamp_ms(), Some(1_000));
    /// ```
    pub fn timestamp_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// Never sends the record after this: for what is of no use later, a price or a command.
    ///
    /// What waits in the buffer then fails, as [`NotWritten`](crate::Outcome::NotWritten) if no
    /// attempt was made. An attempt that began before is not taken back: its answer counts, however
    /// late, but no other attempt follows it. Begun means that the first byte was handed to the
    /// connection.
    ///
    /// Records of about the same deadline share a batch, whose earliest deadline holds for all of
    /// them, so a record may be given up with an eighth of its time left. Results are told in the
    /// order of the records: one that fails at its deadline is told so behind all older ones of its
    /// partition. Defaults to none: `delivery.timeout.ms` alone ends the attempts.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// use std::time::{Duration, Instant};
    /// use milena::{ErrorKind, Record};
    ///
    /// let soon = Instant::now() + Duration::from_secs(5);
    /// producer.send(Record::to("prices").value("7.31").deadline(soon)).wait()?;
    ///
    /// let late = producer.send(Record::to("prices").value("7.31").deadline(Instant::now()));
    /// assert_eq!(late.wait().unwrap_err().kind(), ErrorKind::TimedOut);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The topic that the record is for.
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// The key; `None` is null.
    pub fn key_bytes(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// The value; `None` is null.
    pub fn value_bytes(&self) -> Option<&'a [u8]> {
        self.value
    }

    /// The headers in the order in which they were added; a value of `None` is null.
    pub fn headers(&self) -> &[(&'a str, Option<&'a [u8]>)] {
        &self.headers
    }

    /// The partition that was set; `None` leaves it to the partitioner.
    pub fn explicit_partition(&self) -> Option<i32> {
        self.partition
    }

    /// The timestamp that was set; `None` is the time of the send.
    pub fn explicit_timestamp_ms(&self) -> Option<i64> {
        self.timestamp_ms
    }

    /// The deadline that was set.
    pub fn explicit_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Refuses what no cluster would take, before anything waits for one.
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_topic(self.topic)?;
        if let Some(partition) = self.partition
            && partition < 0
        {
            return Err(Error::new(
                ErrorKind::PartitionOutOfRange,
                format!(
                    "record for topic {}: partition {partition} is negative",
                    self.topic
                ),
            ));
        }
        if let Some(timestamp_ms) = self.timestamp_ms
            && timestamp_ms < 0
        {
            return Err(Error::new(
                ErrorKind::Misuse,
                format!(
                    "record for topic {}: timestamp {timestamp_ms} ms is negative; \
                     leave it unset for the time of the send",
                    self.topic
                ),
            ));
        }
        Ok(())
    }
}

/// The longest topic name: a broker adds a partition number and uses it as a directory name.
const TOPIC_LEN_MAX: usize = 249;

/// Kafka's rule for topic names, so that a name that can never work does not wait for metadata.
pub(crate) fn check_topic(name: &str) -> Result<(), Error> {
    let broken = if name.is_empty() {
        "the topic name is empty".to_owned()
    } else if name.len() > TOPIC_LEN_MAX {
        let len = name.len();
        format!("the topic name is {len} bytes long, Kafka allows {TOPIC_LEN_MAX}")
    } else if name == "." || name == ".." {
        format!("the topic name {name:?} is one that Kafka forbids")
    } else if let Some(bad) = name.chars().find(|c| !is_topic_char(*c)) {
        format!(
            "the topic name {name:?} contains {bad:?}, Kafka allows a-z, A-Z, 0-9, '.', '_', '-'"
        )
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidTopic, broken))
}

fn is_topic_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_not_empty() {
        let null = Record::to("t").null_header("h");
        let empty = Record::to("t").key("").value("").header("h", "");
        assert_eq!((null.key, null.value), (None, None));
        assert_eq!((empty.key, empty.value), (Some(&b""[..]), Some(&b""[..])));
        assert_ne!(null.headers, empty.headers);
        let unset = empty.key_opt(None::<&str>).value_opt(None::<&[u8]>);
        assert_eq!((unset.key, unset.value), (None, None));
    }

    #[test]
    fn a_record_takes_text_bytes_and_owned_buffers() {
        let (text, vec, array) = (String::from("text"), vec![0xff, 0], [1_u8, 2]);
        let record = Record::to("t")
            .key(&text)
            .value(&vec)
            .header("array", &array);
        assert_eq!(record.key_bytes(), Some(&b"text"[..]));
        assert_eq!(record.value_bytes(), Some(&[0xff, 0][..]));
        assert_eq!(record.headers(), [("array", Some(&[1, 2][..]))]);
        assert_eq!(record.value_opt(Some("x")).value, Some(&b"x"[..]));
    }

    #[test]
    fn headers_keep_order_duplicates_and_empty_names() {
        let record = Record::to("t")
            .header("b", "1")
            .header("", "2")
            .null_header("a")
            .header("b", &[0xff]);
        let expected: [(&str, Option<&[u8]>); 4] = [
            ("b", Some(b"1")),
            ("", Some(b"2")),
            ("a", None),
            ("b", Some(&[0xff])),
        ];
        assert_eq!(record.headers(), expected);
        record.check().unwrap();
    }

    #[test]
    fn a_record_without_headers_does_not_allocate() {
        let record = Record::to("t").key("k").value("v").timestamp_ms(0);
        assert_eq!(record.headers.capacity(), 0);
    }

    #[test]
    fn topic_names_follow_kafkas_rule() {
        let longest = "x".repeat(249);
        for good in [
            "a",
            "...",
            ".a",
            "-",
            "_",
            "A-z_0.9",
            "__consumer_offsets",
            &longest,
        ] {
            check_topic(good).unwrap();
        }
        let too_long = "x".repeat(250);
        for (bad, said) in [
            ("", "is empty"),
            (".", "\".\" is one that Kafka forbids"),
            ("..", "\"..\" is one that Kafka forbids"),
            (&too_long, "is 250 bytes long, Kafka allows 249"),
            ("my topic", "\"my topic\" contains ' '"),
            ("a/b", "contains '/'"),
            ("gr\u{fc}n", "contains 'ü'"),
            ("a\nb", "\"a\\nb\" contains '\\n'"),
            ("a\u{0}", "contains '\\0'"),
        ] {
            let error = check_topic(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidTopic);
            assert!(error.to_string().contains(said), "{bad:?}: {error}");
        }
    }

    #[test]
    fn negative_timestamps_and_partitions_are_refused() {
        for good in [0, 1, i64::MAX] {
            Record::to("t").timestamp_ms(good).check().unwrap();
        }
        for bad in [-1, i64::MIN] {
            let error = Record::to("t").timestamp_ms(bad).check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misuse);
            assert!(error.to_string().contains(&bad.to_string()), "{error}");
        }
        Record::to("t").partition(0).check().unwrap();
        let error = Record::to("t").partition(-1).check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PartitionOutOfRange);
    }

    #[test]
    fn a_record_with_a_forbidden_topic_is_refused() {
        let error = Record::to("a b").check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidTopic);
    }
}
