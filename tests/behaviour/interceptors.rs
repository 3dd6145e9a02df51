//! Interceptors: what they see, what they change, what they are told, and what they cannot break.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use milena::mock::{Api, Gate};
use milena::{
    Acknowledgement, Delivery, ErrorKind, Headers, InterceptError, InterceptedRecord, Interceptor,
    Outcome, Producer, Record, Serialize, SerializeError, StringSerializer,
};

use crate::support::{
    SOON, cluster, config, delivered, eventually, failed, is_own_process, producer, send, values,
};

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
    ) -> Result<Option<milena::Serialized<'v>>, SerializeError> {
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
            format!(r#"spy told ("t", None) [] RecordTooLarge"#),
            format!(r#"spy told ("t", Some(0)) [] at Some({offset})"#),
        ];
        assert_eq!(notes, wanted, "{way}");
    }
    // Serializers come before interceptors, which are told all the same.
    let failing = producer.typed((), Fails);
    failed(&failing.send(to().header("own", "1"), (), "v"));
    failed(&failing.try_send(to(), (), "v").expect("its delivery fails"));
    settle(&producer);
    let told = [
        r#"spy told ("t", None) ["own=1"] Application"#,
        r#"spy told ("t", None) [] Application"#,
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

/// What the producer logged.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0
            .lock()
            .expect("no panic")
            .push(record.args().to_string());
    }

    fn flush(&self) {}
}

/// In a process of its own, for the log.
#[test]
fn a_panic_in_any_method_is_logged_once_and_everything_goes_on_as_it_was_before() {
    let own = "interceptors::\
               a_panic_in_any_method_is_logged_once_and_everything_goes_on_as_it_was_before";
    if !is_own_process(own) {
        return;
    }
    log::set_logger(&LOG).expect("the first logger");
    log::set_max_level(log::LevelFilter::Error);
    let cluster = cluster(1, 1);
    let notes = Notes::default();
    let suffix = Spy {
        shows: |record| {
            record.set_value([record.value().expect("a value"), b"+1"].concat());
            Ok(())
        },
        ..notes.spy("1st")
    };
    let panics = Spy {
        shows: |record| {
            record.set_value("half done");
            resume_unwind(Box::new("a bug of on_send"));
        },
        tells: |_| resume_unwind(Box::new("a bug of on_acknowledgement")),
        closes: || resume_unwind(Box::new("a bug of close")),
        ..notes.spy("2nd")
    };
    let config = config(&cluster).interceptor(suffix).interceptor(panics);
    let producer = producer(config.interceptor(notes.spy("3rd")));
    let (results, told) = mpsc::channel();
    for value in ["a", "b"] {
        let results = results.clone();
        producer.send_with(Record::to("t").value(value), move |result| {
            results.send(result.is_ok()).expect("heard");
        });
    }
    settle(&producer);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [true, true]);
    assert_eq!(values(&cluster, 0), ["a+1", "b+1"]);
    assert_eq!(
        (notes.count("3rd sees t a+1"), notes.count("3rd sees t b+1")),
        (1, 1)
    );
    assert_eq!((notes.count("2nd told"), notes.count("3rd told")), (2, 2));
    producer.close_timeout(SOON).expect("not in a callback");
    assert_eq!(
        (notes.count("2nd closed"), notes.count("3rd closed")),
        (1, 1)
    );
    let spy = std::any::type_name::<Spy>();
    let wanted = ["on_send", "on_acknowledgement", "close"]
        .map(|method| format!("{method} of interceptor {spy} panicked: a bug of {method}"));
    assert_eq!(*LOG.0.lock().expect("no panic"), wanted);
}

#[test]
fn what_is_forbidden_in_a_callback_is_forbidden_in_on_acknowledgement_and_flush_waits_for_it() {
    #[derive(Debug)]
    struct Asks(
        mpsc::Sender<[Option<ErrorKind>; 2]>,
        Mutex<mpsc::Receiver<Producer>>,
    );

    impl Interceptor for Asks {
        fn on_acknowledgement(&self, _: &Acknowledgement<'_>) {
            let producer = self.1.lock().expect("no panic").recv_timeout(SOON);
            let producer = producer.expect("the test lets go");
            let flush = producer.flush().err().map(|error| error.kind());
            let close = producer.close().err().map(|error| error.kind());
            self.0.send([flush, close]).expect("heard");
        }
    }

    let cluster = cluster(1, 1);
    let (answers, told) = mpsc::channel();
    let (go, gate) = mpsc::channel();
    let producer = producer(config(&cluster).interceptor(Asks(answers, Mutex::new(gate))));
    let header = "x".repeat(4000);
    delivered(&producer.send(Record::to("t").header("large", &header)));
    let late = producer.flush_timeout(Duration::from_millis(20));
    assert_eq!(late.expect_err("it still runs").kind(), ErrorKind::TimedOut);
    assert!(
        producer.buffered_bytes() > 4000,
        "the header is not counted"
    );
    go.send(producer.clone()).expect("it waits");
    settle(&producer);
    let misuse = [Some(ErrorKind::Misuse); 2];
    assert_eq!(told.try_recv(), Ok(misuse), "flush did not wait");
}

#[test]
fn the_close_comes_once_after_all_that_is_told_and_nothing_comes_after_it() {
    let notes = Notes::default();
    let closed = |ends: &dyn Fn(Producer, Vec<Delivery>, &Gate)| {
        let cluster = cluster(1, 1);
        let slow = Spy {
            tells: |_| std::thread::sleep(Duration::from_millis(5)),
            ..notes.spy("spy")
        };
        let gate = cluster.gate();
        cluster.on(Api::Produce).hold(&gate).answer();
        let producer = producer(config(&cluster).batch_size(0).interceptor(slow));
        let deliveries: Vec<_> = (0..20).map(|_| send(&producer, 0, "v")).collect();
        ends(producer, deliveries, &gate);
        eventually("it is closed", || notes.count("spy closed") > 0);
        let notes = notes.take();
        assert_eq!(notes.len(), 41, "{notes:?}");
        assert_eq!(notes.last().map(String::as_str), Some("spy closed"));
    };
    closed(&|producer, _, gate| {
        gate.open();
        producer.close_timeout(SOON).expect("not in a callback");
        assert_eq!(notes.count("spy closed"), 1, "close did not wait for it");
        producer.close_timeout(SOON).expect("not in a callback");
        assert_eq!(failed(&send(&producer, 0, "v")).kind(), ErrorKind::Closed);
        assert!(producer.try_send(Record::to("t")).is_err());
        let typed = producer.typed((), Fails);
        failed(&typed.send(Record::to("t"), (), "v"));
    });
    closed(&|producer, _, gate| {
        gate.open();
        drop(producer);
    });
    closed(&|producer, mut deliveries, gate| {
        let first = deliveries.remove(0);
        first.on_done(move |_| drop(producer));
        gate.open();
    });
}

/// A loop of `try_send` into a full buffer, while `on_acknowledgement` hangs.
#[test]
fn refused_records_that_wait_to_be_told_have_a_limit() {
    const LIMIT: usize = 20_000;
    #[derive(Debug)]
    struct Hangs(Mutex<mpsc::Receiver<()>>);

    impl Interceptor for Hangs {
        fn on_acknowledgement(&self, _: &Acknowledgement<'_>) {
            // Once, until the test lets go of the other end.
            let _ = self.0.lock().expect("no panic").recv_timeout(SOON);
        }
    }

    let cluster = cluster(1, 1);
    let notes = Notes::default();
    let (go, gate) = mpsc::channel();
    let config = config(&cluster)
        .buffer_memory(LIMIT)
        .max_request_size(LIMIT);
    let config = config.interceptor(Hangs(Mutex::new(gate)));
    let producer = producer(config.interceptor(notes.spy("spy")));
    delivered(&send(&producer, 0, "first"));
    let mut last = None;
    for _ in 0..20_000 {
        if let Err(refused) = producer.try_send(Record::to("t").value("v")) {
            last = Some(refused.error().clone());
        }
        assert!(producer.buffered_bytes() <= LIMIT);
    }
    let last = last.expect("the buffer is full");
    assert_eq!(last.kind(), ErrorKind::BufferFull);
    assert!(
        last.to_string().contains("1000 refused records behind"),
        "{last}"
    );
    let shown = notes.count("spy sees");
    assert!((1000..1000 + LIMIT / 100).contains(&shown), "{shown}");
    drop(go);
    settle(&producer);
    assert_eq!(notes.count("spy told"), shown);
    delivered(&send(&producer, 0, "it goes on"));
    settle(&producer);
}
