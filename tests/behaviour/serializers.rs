//! What the application's serializers write, and what happens when they fail.

use std::sync::mpsc;

use milena::{
    BytesSerializer, ConfluentSerializer, ErrorKind, Headers, ListSerializer, LongSerializer,
    Outcome, Producer, Record, Serialize, SerializeError, Serialized, StringSerializer,
    TypedProducer, UuidSerializer,
};

use crate::support::{SOON, cluster, delivered, failed, plain, produced, values};

/// Text, with a header that says whose; fails on "bad", panics on "worse".
#[derive(Clone, Copy)]
struct Moody(&'static str);

impl Serialize<str> for Moody {
    fn serialize<'v>(
        &self,
        topic: &str,
        headers: &mut Headers<'_>,
        value: &'v str,
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        assert!(value != "worse", "a bug of {}", self.0);
        if value == "bad" {
            return Err(std::io::Error::other("not one of ours").into());
        }
        headers.add(self.0, topic);
        Ok(Some(value.into()))
    }
}

type Moodies = TypedProducer<Moody, Moody>;

fn moody(producer: &Producer) -> Moodies {
    producer.typed(Moody("keys"), Moody("values"))
}

/// Key, value, and what the error begins with.
const FAILURES: [[&str; 3]; 4] = [
    [
        "bad",
        "v",
        "the key serializer failed on a record for topic t: not one of ours",
    ],
    [
        "k",
        "bad",
        "the value serializer failed on a record for topic t: not one of ours",
    ],
    [
        "worse",
        "v",
        "the key serializer panicked on a record for topic t: a bug of keys",
    ],
    [
        "k",
        "worse",
        "the value serializer panicked on a record for topic t: a bug of values",
    ],
];

/// Sends failing records between good ones, in every way that there is.
#[test]
fn a_serializer_that_fails_or_panics_fails_its_record_alone_and_nothing_is_sent() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    let typed = moody(&producer);
    delivered(&typed.send(Record::to("t"), "k", "first"));
    let requests = produced(&cluster).len();
    let mut count = 0;
    for [key, value, said] in FAILURES {
        let (sender, called) = mpsc::channel();
        typed.send_with(Record::to("t"), key, value, move |result| {
            let thread = std::thread::current().name().map(str::to_owned);
            sender.send((result, thread)).expect("the test listens");
        });
        let (result, thread) = called.recv_timeout(SOON).expect("a callback");
        assert_eq!(thread.as_deref(), Some("milena-callbacks"));
        let tried = typed.try_send(Record::to("t"), key, value);
        for error in [
            failed(&typed.send(Record::to("t"), key, value)),
            failed(&tried.expect("a delivery that has failed")),
            result.expect_err("the serializer's error"),
        ] {
            assert_eq!(error.kind(), ErrorKind::Application);
            assert_eq!(error.outcome(), Outcome::NotWritten);
            assert!(error.to_string().contains(said), "{error}");
            count += 1;
        }
    }
    assert_eq!(produced(&cluster).len(), requests);
    assert_eq!(producer.buffered_bytes(), 0);
    delivered(&typed.send(Record::to("t"), "k", "last"));
    assert_eq!(values(&cluster, 0), ["first", "last"]);
    let metrics = producer.metrics();
    assert_eq!((metrics.delivered, metrics.failed), (2, count));
}

#[test]
fn every_way_to_send_carries_what_the_serializers_write_and_their_headers() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    let typed = moody(&producer);
    let record = || Record::to("t").header("own", "h");
    delivered(&typed.send(record(), "k", "1"));
    delivered(&typed.try_send(record(), "k", "2").expect("taken"));
    let (sender, called) = mpsc::channel();
    typed.send_with(record(), "k", "3", move |result| {
        sender.send(result).expect("the test listens");
    });
    let result = called.recv_timeout(SOON).expect("a callback");
    assert_eq!(result.expect("delivered").offset(), Some(2));
    assert_eq!(values(&cluster, 0), ["1", "2", "3"]);
    let header = |name: &str, value: &[u8]| (name.to_owned(), Some(value.to_vec()));
    let expected = [
        header("own", b"h"),
        header("keys", b"t"),
        header("values", b"t"),
    ];
    for record in cluster.records("t", 0) {
        assert_eq!(record.key.as_deref(), Some(&b"k"[..]));
        assert_eq!(record.headers, expected);
    }
}

#[test]
fn a_record_that_cannot_be_taken_now_comes_back_without_what_the_serializers_added() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    let record = Record::to("t").header("own", "h").partition(0);
    let refused = moody(&producer)
        .try_send(record.clone(), "k", "v")
        .unwrap_err();
    assert_eq!(refused.error().kind(), ErrorKind::TopicNotReady);
    assert_eq!(refused.into_record(), record);
}

#[test]
fn a_schema_id_stands_before_the_value_and_a_tombstone_has_none() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    let text = ConfluentSerializer::new(0x0102_0304, StringSerializer);
    let typed = producer.typed(StringSerializer, text);
    delivered(&typed.send(Record::to("t"), "k", "{}"));
    delivered(&typed.send(Record::to("t"), "k", None::<&str>));
    let message = ConfluentSerializer::protobuf(9, &[0], BytesSerializer);
    let typed = producer.typed(StringSerializer, message);
    delivered(&typed.send(Record::to("t"), "k", &[8, 1]));
    let records = cluster.records("t", 0);
    let shown: Vec<_> = records.iter().map(|it| it.value.as_deref()).collect();
    let expected = [
        Some(&b"\x00\x01\x02\x03\x04{}"[..]),
        None,
        Some(&[0, 0, 0, 0, 9, 0, 8, 1]),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn keys_that_are_made_for_the_record_choose_its_partition_by_their_bytes() {
    let cluster = cluster(1, 16);
    let producer = plain(&cluster);
    let uuid = [7; 16];
    let text = "07070707-0707-0707-0707-070707070707";
    let made = producer.typed(UuidSerializer, ListSerializer(LongSerializer));
    let made = delivered(&made.send(Record::to("t"), &uuid, &[1, 2]));
    let raw = delivered(&producer.send(Record::to("t").key(text)));
    assert_eq!(made.partition(), raw.partition());
    assert_eq!((made.offset(), raw.offset()), (Some(0), Some(1)));
    let records = cluster.records("t", made.partition());
    assert_eq!(records[0].key.as_deref(), Some(text.as_bytes()));
    assert_eq!(records[0].value.as_ref().map(Vec::len), Some(9 + 16));
}
