//! Panics in interceptors, and what they do while a producer ends or its buffer is full.

use std::panic::resume_unwind;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use milena::mock::{Api, Gate};
use milena::{Acknowledgement, Delivery, ErrorKind, Interceptor, Producer, Record};

use super::{Fails, Notes, Spy, settle};
use crate::support::{
    SOON, cluster, config, delivered, eventually, failed, is_own_process, producer, send, values,
};

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
    let own = "interceptors::endings::\
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
