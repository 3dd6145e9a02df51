//! What a producer does while no broker listens.

#[cfg(feature = "mock")]
mod threads;

use std::net::TcpListener;
use std::sync::mpsc;

use super::*;
use crate::Outcome;
use crate::accumulator::state::Route;
use crate::accumulator::tests::bench::known_topic;
use crate::config::Address;
use crate::sync::atomic::Ordering;
use crate::time;

/// An address of this machine at which nobody listens.
fn nobody() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    Address {
        host: "127.0.0.1".into(),
        port,
    }
}

fn config() -> Config {
    Config::new(nobody().to_string()).max_block(Duration::ZERO)
}

/// A producer that knows the topic `orders` with `count` partitions, of which none has a leader.
fn producer(config: Config, count: usize) -> Producer {
    let producer = Producer::new(config).expect("settings that work");
    known_topic(&producer.0.core.accumulator, count);
    producer
}

fn kind<T>(result: Result<T, Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn a_send_to_an_unknown_topic_fails_at_max_block_ms_and_says_what_was_in_the_way() {
    let address = nobody();
    let limit = Duration::from_millis(300);
    let config = Config::new(address.to_string()).max_block(limit);
    let producer = Producer::new(config).expect("settings that work");
    let start = time::now();
    let error = producer
        .send(Record::to("T1").value("v"))
        .wait()
        .expect_err("nobody listens");
    assert!(time::now() - start >= limit);
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::NotWritten)
    );
    let text = error.to_string();
    let wanted = "topic T1 is not known: waited max.block.ms = 300 ms for metadata; last cause: ";
    assert!(
        text.starts_with(wanted) && text.contains(&address.to_string()),
        "{text}"
    );
    assert_eq!(producer.metrics().failed, 1);
    assert_eq!(
        kind(producer.partitions_for("T1")),
        Some(ErrorKind::TimedOut)
    );
}

#[test]
fn try_send_hands_the_record_back_and_does_not_count_it() {
    let producer = producer(config().buffer_memory(1000), 1);
    let unknown = producer
        .try_send(Record::to("T1").value("v"))
        .expect_err("not known");
    assert_eq!(unknown.error().kind(), ErrorKind::TopicNotReady);
    let text = "topic T1 is not known yet, and try_send does not wait; its metadata was asked for";
    assert_eq!(unknown.to_string(), text);
    assert_eq!(unknown.into_record().value_bytes(), Some(&b"v"[..]));

    let record = || Record::to("orders").value(&[0; 600]);
    let first = producer.try_send(record()).expect("room");
    let full = producer.try_send(record()).expect_err("no room");
    assert_eq!(full.error().kind(), ErrorKind::BufferFull);
    assert!(full.to_string().ends_with("; try_send does not wait"));
    let large = producer
        .try_send(Record::to("orders").value(&[0; 1000]))
        .expect_err("too large");
    assert_eq!(large.error().kind(), ErrorKind::RecordTooLarge);
    assert!(!first.is_done() && producer.metrics().failed == 0);
    let report = producer
        .close_timeout(Duration::ZERO)
        .expect("not in a callback");
    assert_eq!((report.failed, report.unknown, report.delivered), (1, 0, 0));
    let closed = producer.try_send(record()).expect_err("closed");
    assert_eq!(closed.error().kind(), ErrorKind::Closed);
}

#[test]
fn a_close_in_a_hurry_resolves_everything_and_the_report_counts_it() {
    let producer = producer(config(), 3);
    let records = (0..30).map(|i| Record::to("orders").partition(i % 3));
    let deliveries = producer.send_all(records);
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for _ in 0..10 {
        let calls = calls.clone();
        producer.send_with(Record::to("orders"), move |result| {
            assert_eq!(kind(result), Some(ErrorKind::Closed));
            calls.fetch_add(1, Ordering::SeqCst);
        });
    }
    assert!(producer.buffered_bytes() > 0);
    let report = producer
        .close_timeout(Duration::from_millis(1))
        .expect("not in a callback");
    assert_eq!((report.failed, report.unknown), (40, 0));
    assert_eq!(
        calls.load(Ordering::SeqCst),
        10,
        "a callback is missing, or came twice"
    );
    for result in deliveries.wait_all() {
        let error = result.expect_err("closed");
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Closed, Outcome::NotWritten)
        );
        let wanted = "the producer was closed; not delivered within 1 ms; never sent: the \
                      partition has no leader; attempts: 0";
        assert!(error.to_string().contains(wanted), "{error}");
    }
    assert_eq!(producer.buffered_bytes(), 0);
    assert_eq!(producer.close().expect("twice is fine"), report);
    assert_eq!(
        kind(producer.send(Record::to("orders")).wait()),
        Some(ErrorKind::Closed)
    );
    assert_eq!(kind(producer.partitions_for("T1")), Some(ErrorKind::Closed));
    assert!(producer.flush().is_ok());
}

#[test]
fn all_threads_that_close_get_the_report_of_the_one_close() {
    let producer = producer(config(), 1);
    let _delivery = producer.send(Record::to("orders"));
    let limit = Duration::from_millis(50);
    let reports: Vec<_> = std::thread::scope(|scope| {
        let close = || {
            producer
                .close_timeout(limit)
                .expect("not in a callback")
                .failed
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(close)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert!(reports.contains(&1), "{reports:?}");
    assert_eq!(producer.close().expect("closed").failed, 1);
}

#[test]
fn a_flush_that_takes_too_long_says_how_much_is_left() {
    let producer = producer(config(), 2);
    let _deliveries = producer.send_all((0..4).map(|i| Record::to("orders").partition(i % 2)));
    let error = producer
        .flush_timeout(Duration::from_millis(1))
        .expect_err("no leader");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let text = "flush: 2 batches are not settled after 1 ms; they are still being sent";
    assert_eq!(error.to_string(), text);
    producer
        .close_timeout(Duration::ZERO)
        .expect("not in a callback");
}

#[test]
fn a_flush_waits_for_the_callbacks_of_what_was_settled_before() {
    let producer = producer(config(), 1);
    let (go, gate) = mpsc::channel::<()>();
    producer.send_with(Record::to("T1"), move |_| {
        gate.recv().expect("the test lets go")
    });
    let error = producer
        .flush_timeout(Duration::from_millis(1))
        .expect_err("it still runs");
    assert_eq!(
        error.to_string(),
        "flush: callbacks are still running after 1 ms"
    );
    let (done, seen) = mpsc::channel();
    producer.send_with(Record::to("T1"), move |_| {
        done.send(()).expect("the test listens")
    });
    go.send(()).expect("the callback waits");
    producer.flush().expect("nothing is buffered");
    assert_eq!(seen.try_recv(), Ok(()));
}

#[test]
fn calls_that_would_wait_for_the_callback_they_are_in_are_refused_there() {
    let config = config().max_block(Duration::from_secs(3600));
    let producer = producer(config, 1);
    let inside = producer.clone();
    let (sender, seen) = mpsc::channel();
    let too_large = vec![0; 2 << 20];
    producer.send_with(Record::to("orders").value(&too_large), move |result| {
        let calls = [
            kind(result),
            kind(inside.flush()),
            kind(inside.flush_timeout(Duration::ZERO)),
            kind(inside.close()),
            kind(inside.close_timeout(Duration::ZERO)),
            kind(inside.send(Record::to("T1")).wait()),
            kind(inside.partitions_for("T1")),
        ];
        sender.send(calls).expect("the test listens");
    });
    use ErrorKind::{Misuse, RecordTooLarge, TopicNotReady};
    let wanted = [
        RecordTooLarge,
        Misuse,
        Misuse,
        Misuse,
        Misuse,
        TopicNotReady,
        TopicNotReady,
    ];
    assert_eq!(seen.recv().expect("it ran"), wanted.map(Some));
}

#[test]
fn the_last_producer_may_be_dropped_inside_a_callback() {
    let producer = producer(config().close_timeout(Duration::from_millis(1)), 1);
    let running = producer.0.core.running.clone();
    let (dropped, seen) = mpsc::channel();
    let delivery = producer.send(Record::to("orders"));
    let (go, gate) = mpsc::channel::<()>();
    let inside = producer.clone();
    producer.send_with(Record::to("T1"), move |_| {
        gate.recv().expect("the test lets go");
        drop(inside);
        dropped.send(()).expect("the test listens");
    });
    drop(producer);
    go.send(()).expect("the callback waits");
    seen.recv().expect("the drop came to an end");
    assert!(running.wait(None));
    assert_eq!(kind(delivery.wait()), Some(ErrorKind::Closed));
}

/// The partition's route holds the broker's queue, whose tokens hold the partition.
#[test]
fn a_producer_leaves_no_memory_behind() {
    let producer = producer(config().close_timeout(Duration::ZERO), 1);
    let core = producer.0.core.clone();
    let partition = core
        .accumulator
        .topic("orders")
        .expect("the topic")
        .view()
        .partitions[0]
        .clone();
    let broker = core.brokers.broker(&core, 1, nobody()).expect("a thread");
    partition.reroute(Some(Route {
        queue: broker.queue.clone(),
        leader_epoch: 1,
        topic_id: [7; 16],
    }));
    let delivery = producer.send(Record::to("orders"));
    while core.metrics.snapshot(0).connect_failures < 2 {
        std::thread::yield_now();
    }
    let (weak_core, weak_partition) = (Arc::downgrade(&core), Arc::downgrade(&partition));
    drop((producer, core, partition, broker));
    let error = delivery.wait().expect_err("nobody listens");
    assert!(
        error
            .to_string()
            .contains("never sent: waiting for broker 1"),
        "{error}"
    );
    drop(delivery);
    assert!(weak_core.upgrade().is_none() && weak_partition.upgrade().is_none());
}

#[test]
#[cfg(target_os = "linux")]
fn a_hundred_producers_leave_no_thread_behind() {
    let ours = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("the threads of this process");
        let names = tasks
            .flatten()
            .map(|task| std::fs::read_to_string(task.path().join("comm")));
        names
            .flatten()
            .filter(|name| name.starts_with("milena-"))
            .count()
    };
    for _ in 0..100 {
        let producer = producer(config().close_timeout(Duration::ZERO), 1);
        producer.send_with(Record::to("orders"), |_| ());
        let _delivery = producer.send(Record::to("T1"));
    }
    // Other tests have producers too, but not a hundred at once. A thread that has ended is listed
    // for a moment.
    let deadline = Deadline::within(Duration::from_secs(60));
    while ours() >= 100 {
        assert!(
            !deadline.has_passed(time::now()),
            "{} threads are left",
            ours()
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_partition_that_the_topic_lacks_is_named_with_what_was_in_the_way() {
    let producer = producer(config(), 2);
    let error = producer
        .send(Record::to("orders").partition(2))
        .wait()
        .expect_err("0 and 1");
    assert_eq!(error.kind(), ErrorKind::PartitionOutOfRange);
    let wanted = "partition 2 of topic orders does not exist: the topic has 2 partitions, 0 to 1; \
                  last cause: topic orders is not known: waited max.block.ms = 0 ms";
    assert!(error.to_string().starts_with(wanted), "{error}");
    let refused = producer
        .try_send(Record::to("orders").partition(9))
        .expect_err("0 and 1");
    assert_eq!(refused.error().kind(), ErrorKind::PartitionOutOfRange);
    producer
        .close_timeout(Duration::ZERO)
        .expect("not in a callback");
}

/// The cluster thread inserts a topic before it knows its partitions.
#[test]
fn a_send_waits_for_the_partitions_of_a_topic_that_was_just_made() {
    let producer = producer(config().max_block(Duration::from_secs(60)), 0);
    let core = &producer.0.core;
    std::thread::scope(|scope| {
        let sends = scope.spawn(|| producer.send(Record::to("orders")));
        while !core.wishes.has_waiting() {
            assert!(!sends.is_finished(), "it did not wait");
            std::thread::yield_now();
        }
        let topic = core.accumulator.topic("orders").expect("the topic");
        topic.resize(1, core.accumulator.shared());
        core.wishes.publish(|_| Some(crate::cluster::News::Known));
        assert!(!sends.join().expect("no panic").is_done());
    });
    producer
        .close_timeout(Duration::ZERO)
        .expect("not in a callback");
}

/// The expiry thread needs no broker.
#[test]
fn a_record_fails_at_delivery_timeout_ms_while_nobody_leads_its_partition() {
    let limit = Duration::from_millis(20);
    let config = config().request_timeout(limit).delivery_timeout(limit);
    let producer = producer(config, 1);
    for sent in 1..=3 {
        let error = producer
            .send(Record::to("orders"))
            .wait()
            .expect_err("no leader");
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::TimedOut, Outcome::NotWritten)
        );
        assert!(
            error
                .to_string()
                .contains("not delivered within delivery.timeout.ms = 20 ms")
        );
        while producer.metrics().failed < sent {
            std::thread::yield_now();
        }
    }
}

/// Made one after the other, each in a partition that nobody leads.
#[test]
fn a_thousand_partitions_without_leaders_expire_each_in_its_time() {
    let limit = Duration::from_millis(300);
    let config = config().request_timeout(limit).delivery_timeout(limit);
    let producer = producer(config.buffer_memory(64 << 20), 1000);
    let mut sent = Vec::new();
    for partition in 0..1000 {
        let record = Record::to("orders").partition(partition);
        sent.push((time::now(), producer.send(record)));
        if partition % 10 == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    for (start, delivery) in &sent {
        let left = (limit + Duration::from_secs(1)).saturating_sub(time::now() - *start);
        let result = delivery.wait_timeout(left).expect("in its time");
        assert_eq!(kind(result), Some(ErrorKind::TimedOut));
        assert!(time::now() - *start >= limit, "before its time");
    }
    assert_eq!(producer.buffered_bytes(), 0);
}
