//! Panics of the application's code inside the producer's threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use milena::mock::Api;
use milena::{
    Delivery, ErrorKind, Headers, PartitionQuery, Partitioner, Record, Serialize, SerializeError,
    Serialized,
};

use crate::support::{
    NOT_ENOUGH_REPLICAS, PROMISED, SOON, cluster, config, delivered, failed, is_own_process,
    producer, send, send_numbers,
};

/// A logger that panics in the threads whose name begins so.
struct Trap {
    thread: Mutex<&'static str>,
    is_armed: AtomicBool,
    panics: AtomicUsize,
}

static TRAP: Trap = Trap {
    thread: Mutex::new(""),
    is_armed: AtomicBool::new(false),
    panics: AtomicUsize::new(0),
};

impl Trap {
    fn arm(&self, thread: &'static str) {
        *self.thread.lock().expect("no panic") = thread;
        self.is_armed.store(true, Ordering::SeqCst);
    }

    /// Lets the threads log again.
    fn disarm(&self) {
        self.is_armed.store(false, Ordering::SeqCst);
        self.panics.store(0, Ordering::SeqCst);
    }
}

impl log::Log for Trap {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {
        let thread = std::thread::current();
        let name = *self.thread.lock().expect("no panic");
        let is_there = thread.name().is_some_and(|thread| thread.starts_with(name));
        if is_there && self.is_armed.load(Ordering::SeqCst) {
            self.panics.fetch_add(1, Ordering::SeqCst);
            std::panic::resume_unwind(Box::new("a bug of the application's logger"));
        }
    }

    fn flush(&self) {}
}

/// Each of them has a result in time.
#[track_caller]
fn resolved(deliveries: &[Delivery], sent: Instant, limit: Duration) {
    for delivery in deliveries {
        let left = (limit + PROMISED).saturating_sub(sent.elapsed());
        assert!(delivery.wait_timeout(left).is_some(), "{delivery:?}");
    }
}

/// The logger is the one piece of the application that every thread of the producer calls.
#[test]
fn a_logger_that_panics_in_any_thread_hangs_nothing_and_is_survived() {
    if !is_own_process("panics::a_logger_that_panics_in_any_thread_hangs_nothing_and_is_survived") {
        return;
    }
    log::set_logger(&TRAP).expect("the first logger");
    log::set_max_level(log::LevelFilter::Trace);
    let limit = Duration::from_millis(400);
    for thread in ["send", "recv", "cluster", "expiry", "callbacks"] {
        for is_idempotent in [false, true] {
            let cluster = cluster(1, 1);
            let config = config(&cluster).batch_size(0).retries(9).max_block(limit);
            let config = config
                .request_timeout(limit / 4)
                .delivery_timeout(limit)
                .connection_setup_timeout(limit / 4)
                .connection_setup_timeout_max(limit / 4)
                .idempotence(is_idempotent);
            let producer = producer(config);
            delivered(&send(&producer, 0, "first"));
            TRAP.arm(match thread {
                "send" => "milena-send-",
                "recv" => "milena-recv-",
                "cluster" => "milena-cluster",
                "expiry" => "milena-expiry",
                _ => "milena-callbacks",
            });
            let start = Instant::now();
            cluster.on(Api::Produce).error(NOT_ENOUGH_REPLICAS);
            cluster.on(Api::Produce).skip(2).disconnect();
            let deliveries = send_numbers(&producer, 0, 0..10);
            let calls = Arc::new(AtomicUsize::new(0));
            for _ in 0..2 {
                let calls = calls.clone();
                producer.send_with(Record::to("t").value("v"), move |_| {
                    calls.fetch_add(1, Ordering::SeqCst);
                    std::panic::resume_unwind(Box::new("a bug of the callback"));
                });
            }
            resolved(&deliveries, start, limit);
            // Long enough for time-outs, and for the cluster thread to be in need of metadata.
            let start = Instant::now();
            cluster.mute_broker(1);
            resolved(&send_numbers(&producer, 0, 10..20), start, limit);
            producer.flush_timeout(SOON).expect("flushed");
            assert_eq!(calls.load(Ordering::SeqCst), 2, "{thread}");
            // The cluster thread may still wait for the broker that says nothing.
            crate::support::eventually(thread, || TRAP.panics.load(Ordering::SeqCst) > 0);
            TRAP.disarm();
            cluster.thaw_broker(1);
            let is_delivered = || {
                let delivery = send(&producer, 0, "it goes on");
                delivery.wait_timeout(SOON).is_some_and(|it| it.is_ok())
            };
            crate::support::eventually(thread, is_delivered);
            let start = Instant::now();
            producer.close_timeout(limit).expect("not in a callback");
            assert!(start.elapsed() < limit + PROMISED, "{thread}");
            assert_eq!(producer.buffered_bytes(), 0, "{thread}");
        }
    }
}

#[derive(Debug)]
struct Panics;

impl Partitioner for Panics {
    fn partition(
        &self,
        query: &PartitionQuery<'_>,
    ) -> Result<i32, Box<dyn std::error::Error + Send + Sync>> {
        match query.value() {
            Some(b"bad") => panic!("a bug of the partitioner"),
            _ => Ok(0),
        }
    }
}

impl Serialize<str> for Panics {
    fn serialize<'v>(
        &self,
        _topic: &str,
        _headers: &mut Headers<'_>,
        value: &'v str,
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        assert!(value != "worse", "a bug of the serializer");
        Ok(Some(value.into()))
    }
}

#[test]
fn a_partitioner_or_serializer_that_panics_fails_its_record_alone() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).partitioner(Panics));
    let typed = producer.typed((), Panics);
    for (value, said) in [
        ("bad", "a bug of the partitioner"),
        ("worse", "a bug of the serializer"),
    ] {
        let error = failed(&typed.send(Record::to("t"), (), value));
        assert_eq!(error.kind(), ErrorKind::Application);
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(producer.buffered_bytes(), 0);
    delivered(&typed.send(Record::to("t"), (), "good"));
    assert_eq!(producer.buffered_bytes(), 0);
    assert_eq!(crate::support::values(&cluster, 0), ["good"]);
}
