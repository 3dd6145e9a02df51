//! Interceptors: what they see, what they change, what they are told, and what they cannot break.

mod endings;

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use milena::{
    Acknowledgement, ErrorKind, Headers, InterceptError, InterceptedRecord, Interceptor, Outcome,
    Producer, Record, Serialize, SerializeError, Serialized, StringSerializer,
};

use crate::support::{SOON, cluster, config, delivered, eventually, failed, producer, values};

/// Notes what it sees and is told, and does what the test wants.
#[derive(Clone, Debug)]
struct Spy {
    name: &'static str,
    shows: fn(&mut InterceptedRecord<'_>) -> Result<(), InterceptError>,
    tells: fn(&Acknowledgement<'_>),
    closes: fn(),
    notes: Notes,
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, note: String) {
        self.0.lock().expect("no panic").push(note);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    fn spy(&self, name: &'static str) -> Spy {
        Spy {
            name,
            shows: |_| Ok(()),
            tells: |_| (),
            closes: || (),
            notes: self.clone(),
        }
    }

    /// How many notes begin so.
    fn count(&self, start: &str) -> usize {
        let notes = self.0.lock().expect("no panic");
        notes.iter().filter(|note| note.starts_with(start)).count()
    }
}

impl Interceptor for Spy {
    fn on_send(&self, record: &mut InterceptedRecord<'_>) -> Result<(), InterceptError> {
        let (name, value) = (self.name, text(record.value()));
        self.notes
            .add(format!("{name} sees {} {value}", record.topic()));
        (self.shows)(record)
    }

    fn on_acknowledgement(&self, told: &Acknowledgement<'_>) {
        let thread = std::thread::current();
        assert_eq!(thread.name(), Some("milena-callbacks"));
        let headers: Vec<_> = told
            .headers()
            .map(|(name, value)| format!("{name}={}", text(value)))
            .collect();
        let end = match told.result() {
            Ok(metadata) => format!("at {:?}", metadata.offset()),
            Err(error) => format!("{:?}", error.kind()),
        };
        let place = (told.topic(), told.partition());
        let name = self.name;
        self.notes
            .add(format!("{name} told {place:?} {headers:?} {end}"));
        (self.tells)(told);
    }

    fn close(&self) {
        self.notes.add(format!("{} closed", self.name));
        (self.closes)();
    }
}

fn text(value: Option<&[u8]>) -> String {
    value.map_or("null".into(), |value| {
        String::from_utf8_lossy(value).into_owned()
    })
}

/// Waits until everything is told, and all memory is back.
#[track_caller]
fn settle(producer: &Producer) {
    producer.flush_timeout(SOON).expect("flushed");
    eventually("all bytes are back", || producer.buffered_bytes() == 0);
}

#[test]
fn what_a_chain_makes_of_a_record_reaches_the_log_and_is_told_in_the_chains_order() {
    let cluster = cluster(1, 1);
    cluster.create_topic("u", 3);
    let notes = Notes::default();
    let first = Spy {
        shows: |record| {
            record.set_value([record.value().expect("a value"), b"+1"].concat());
            record.add_header("trace", "7");
            record.set_partition(Some(2));
            Ok(())
        },
        ..notes.spy("first")
    };
    let third = Spy {
        shows: |record| {
            assert_eq!(
                (record.partition(), record.key()),
                (Some(2), Some(&b"k"[..]))
            );
            let headers: Vec<_> = record.headers().collect();
            assert_eq!(headers, [("own", Some(&b"1"[..])), ("trace", Some(b"7"))]);
            record.set_topic("u");
            record.set_key("key");
            record.remove_headers("own");
            record.set_timestamp_ms(Some(77));
            Ok(())
        },
        ..notes.spy("third")
    };
    let config = config(&cluster)
        .interceptor(first)
        .interceptor(notes.spy("second"));
    let producer = producer(config.interceptor(third));
    let record = Record::to("t").key("k").value("v").header("own", "1");
    let callback = notes.clone();
    producer.send_with(record, move |result| {
        let metadata = result.expect("sent");
        callback.add(format!(
            "callback at {}-{}",
            metadata.topic(),
            metadata.partition()
        ));
    });
    settle(&producer);
    let told = |name| format!(r#"{name} told ("u", Some(2)) ["trace=7"] at Some(0)"#);
    let wanted = [
        "first sees t v".into(),
        "second sees t v+1".into(),
        "third sees t v+1".into(),
        told("first"),
        told("second"),
        told("third"),
        "callback at u-2".into(),
    ];
    assert_eq!(notes.take(), wanted);
    let logged = &cluster.records("u", 2)[0];
    assert_eq!(logged.key.as_deref(), Some(&b"key"[..]));
    assert_eq!(logged.value.as_deref(), Some(&b"v+1"[..]));
    assert_eq!(logged.timestamp_ms, 77);
    assert_eq!(logged.headers, [("trace".into(), Some(b"7".to_vec()))]);
    assert!(values(&cluster, 0).is_empty());
}

struct Fails;

impl Serialize<str> for Fails {
    fn serialize<'v>(
        &self,
        _topic: &str,
        _headers: &mut Headers<'_>,
        _value: &'v str,
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        Err("a bug of the serializer".into())
    }
}

/// With each way to send: one record for the log, and one that is too large for the client.
#[test]
fn each_way_to_send_shows_and_tells_each_record_once() {
    let cluster = cluster(1, 1);
    let notes = Notes::default();
    let config = config(&cluster)
        .max_request_size(1000)
        .interceptor(notes.spy("spy"));
    let producer = producer(config);
    producer.partitions_for("t").expect("the topic is known");
    let typed = producer.typed(StringSerializer, StringSerializer);
    let large = "x".repeat(1000);
    let to = || Record::to("t");
    type Way<'a> = (&'a str, &'a dyn Fn(&str) -> bool);
    let ways: [Way<'_>; 6] = [
        ("send", &|value| {
            producer.send(to().value(value)).wait().is_ok()
        }),
        ("send_with", &|value| {
            let (results, told) = mpsc::channel();
            producer.send_with(to().value(value), move |result| {
                results.send(result.is_ok()).expect("heard");
            });
            told.recv_timeout(SOON).expect("called")
        }),
        ("send_all", &|value| {
            let results = producer.send_all([to().value(value)]).wait_all();
            results.iter().all(|result| result.is_ok())
        }),
        (
            "try_send",
            &|value| match producer.try_send(to().value(value)) {
                Ok(delivery) => delivery.wait().is_ok(),
                Err(refused) => {
                    assert_eq!(refused.into_record().value_bytes(), Some(value.as_bytes()));
                    false
                }
            },
        ),
        ("typed send", &|value| {
            typed.send(to(), "key", value).wait().is_ok()
        }),
        (
            "typed try_send",
            &|value| match typed.try_send(to(), "key", value) {
                Ok(delivery) => delivery.wait().is_ok(),
                Err(_) => false,
            },
        ),
    ];
    for (offset, (way, send)) in ways.into_iter().enumerate() {
        assert!(send("v") && !send(&large), "{way}");
        settle(&producer);
        let mut notes = notes.take();
        // A thread that waits for a delivery may be quicker than the callback thread.
        notes.sort();
        let wanted = [
            "spy sees t v".into(),
            format!("spy sees t {large}"),
            r#"spy told ("t", None) [] RecordTooLarge"#.into(),
            format!(r#"spy told ("t", Some(0)) [] at Some({offset})"#),
        ];
        assert_eq!(notes, wanted, "{way}");
    }
    // Serializers come before interceptors, which are told all the same.
    let failing = producer.typed((), Fails);
    failed(&failing.send(to().header("own", "1"), (), "v"));
    failed(&failing.try_send(to(), (), "v").expect("its delivery fails"));
    let callback = notes.clone();
    failing.send_with(to(), (), "v", move |_| callback.add("callback".into()));
    settle(&producer);
    let told = [
        r#"spy told ("t", None) ["own=1"] Application"#,
        r#"spy told ("t", None) [] Application"#,
        r#"spy told ("t", None) [] Application"#,
        "callback",
    ];
    assert_eq!(notes.take(), told);
}

/// What each row's record fails with, and what the interceptors are told of it.
#[test]
fn a_record_that_fails_anywhere_is_told_with_its_error_and_its_headers() {
    let cluster = cluster(1, 1);
    cluster.create_topic("small", 1);
    cluster.set_max_message_bytes("small", 100);
    let notes = Notes::default();
    let changes = Spy {
        shows: |record| {
            record.add_header("trace", "7");
            match record.topic() {
                "grows" => {
                    record.set_topic("t");
                    record.set_value(vec![0; 2000]);
                }
                "astray" => record.set_topic("not a name"),
                "aside" => {
                    record.set_topic("t");
                    record.set_partition(Some(7));
                }
                "refused" => return Err("no such thing".into()),
                _ => {}
            }
            Ok(())
        },
        ..notes.spy("1st")
    };
    let config = config(&cluster)
        .max_request_size(1000)
        .max_block(Duration::ZERO);
    let producer = producer(config.interceptor(changes).interceptor(notes.spy("2nd")));
    for topic in ["t", "small"] {
        eventually("the topic is known", || {
            producer.partitions_for(topic).is_ok()
        });
    }
    let value = "v".repeat(200);
    for (topic, kind, said, place) in [
        (
            "grows",
            ErrorKind::RecordTooLarge,
            "max.request.size is 1000",
            r#"("t", None)"#,
        ),
        (
            "astray",
            ErrorKind::InvalidTopic,
            "not a name",
            r#"("not a name", None)"#,
        ),
        (
            "aside",
            ErrorKind::PartitionOutOfRange,
            "partition 7",
            r#"("t", Some(7))"#,
        ),
        (
            "unknown",
            ErrorKind::TopicNotReady,
            "",
            r#"("unknown", None)"#,
        ),
        (
            "refused",
            ErrorKind::Application,
            "no such thing",
            r#"("refused", None)"#,
        ),
        (
            "small",
            ErrorKind::RecordTooLarge,
            "MESSAGE_TOO_LARGE",
            r#"("small", Some(0))"#,
        ),
    ] {
        let error = failed(&producer.send(Record::to(topic).value(&value)));
        // A topic that is asked for for the first time may also be known by now not to exist.
        let kind = match topic {
            "unknown" => error.kind(),
            _ => kind,
        };
        assert_eq!(
            (error.kind(), error.outcome()),
            (kind, Outcome::NotWritten),
            "{topic}"
        );
        assert!(error.to_string().contains(said), "{error}");
        settle(&producer);
        let (headers, sent) = match topic {
            "refused" => ("[]", 1),
            _ => (r#"["trace=7"]"#, 2),
        };
        let told = ["1st", "2nd"].map(|name| format!("{name} told {place} {headers} {kind:?}"));
        assert_eq!(notes.take()[sent..], told, "{topic}");
    }
    let metrics = producer.metrics();
    assert_eq!(
        (metrics.delivered, metrics.failed, metrics.unknown),
        (0, 6, 0)
    );
}

#[test]
fn a_record_that_try_send_hands_back_is_the_one_that_was_given_and_each_try_is_told() {
    let cluster = cluster(1, 1);
    let notes = Notes::default();
    let changes = Spy {
        shows: |record| {
            record.set_topic("elsewhere");
            record.set_value("changed");
            Ok(())
        },
        ..notes.spy("spy")
    };
    let producer = producer(config(&cluster).interceptor(changes));
    let given = Record::to("t").value("v").header("own", "1");
    let refused = producer.try_send(given.clone()).expect_err("not known yet");
    assert_eq!(refused.error().kind(), ErrorKind::TopicNotReady);
    assert!(refused.error().to_string().contains("elsewhere"));
    let (again, _) = refused.into_parts();
    assert_eq!(again, given);
    settle(&producer);
    cluster.create_topic("elsewhere", 1);
    delivered(&producer.send(again));
    settle(&producer);
    let wanted = [
        "spy sees t v",
        r#"spy told ("elsewhere", None) ["own=1"] TopicNotReady"#,
        "spy sees t v",
        r#"spy told ("elsewhere", Some(0)) ["own=1"] at Some(0)"#,
    ];
    assert_eq!(notes.take(), wanted);
    assert_eq!(producer.metrics().failed, 0, "it was handed back");
}
