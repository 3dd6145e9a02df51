//! Close, drop, and what is left of a producer afterwards: nothing.

use std::fs;
use std::time::{Duration, Instant};

use milena::mock::Api;
use milena::{ErrorKind, Outcome, Record};

use crate::support::{
    HOUR, NOT_ENOUGH_REPLICAS, PROMISED, SOON, all_delivered, cluster, config, delivered,
    eventually, exactly_once, failed, is_own_process, numbers, plain, producer, result, send,
    send_numbers, values,
};

#[test]
fn close_sends_what_lingers_and_counts() {
    let cluster = cluster(2, 2);
    let producer = producer(config(&cluster).linger(HOUR));
    let mut deliveries = send_numbers(&producer, 0, 0..50);
    deliveries.extend(send_numbers(&producer, 1, 0..50));
    cluster
        .on(Api::Produce)
        .partition("t", 1)
        .error(NOT_ENOUGH_REPLICAS);
    let report = producer.close_timeout(SOON).expect("not in a callback");
    assert!(deliveries.iter().all(milena::Delivery::is_done));
    assert_eq!(
        (report.delivered, report.failed, report.unknown),
        (50, 50, 0)
    );
    assert_eq!(values(&cluster, 0), numbers(0..50));
    assert_eq!(producer.buffered_bytes(), 0);
}

#[test]
fn drop_is_close() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).linger(HOUR));
    let clone = producer.clone();
    let deliveries = send_numbers(&producer, 0, 0..10);
    drop(producer);
    assert!(deliveries[0].try_get().is_none(), "a clone is left");
    drop(clone);
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 0), numbers(0..10));
}

#[test]
fn close_in_front_of_a_frozen_broker_is_in_time_and_leaves_nothing_open() {
    let cluster = cluster(2, 2);
    let producer = exactly_once(&cluster);
    all_delivered(&[send(&producer, 0, "0"), send(&producer, 1, "0")]);
    cluster.freeze_broker(1);
    let stuck = send_numbers(&producer, 0, 1..20);
    let fine = send_numbers(&producer, 1, 1..20);
    let (limit, start) = (Duration::from_millis(300), Instant::now());
    let report = producer.close_timeout(limit).expect("not in a callback");
    assert!(start.elapsed() < limit + PROMISED, "{:?}", start.elapsed());
    assert!(
        fine.iter()
            .all(|delivery| delivery.try_get().is_some_and(|result| result.is_ok()))
    );
    let (mut failed, mut unknown) = (0, 0);
    for delivery in &stuck {
        let error = delivery.try_get().expect("done").expect_err("frozen");
        assert_eq!(error.kind(), ErrorKind::Closed);
        match error.outcome() {
            Outcome::NotWritten => failed += 1,
            Outcome::Unknown => unknown += 1,
        }
    }
    // Five were on the wire.
    assert_eq!((failed, unknown), (14, 5));
    assert_eq!(
        (report.delivered, report.failed, report.unknown),
        (21, 14, 5)
    );
}

#[test]
fn close_while_no_broker_answers_is_in_time() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    producer.partitions_for("t").expect("known");
    cluster.stop_broker(1);
    let waiting = send(&producer, 0, "v");
    let (limit, start) = (Duration::from_millis(200), Instant::now());
    let report = producer.close_timeout(limit).expect("not in a callback");
    assert!(start.elapsed() < limit + PROMISED, "{:?}", start.elapsed());
    let error = waiting.try_get().expect("done").expect_err("no broker");
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Closed, Outcome::NotWritten)
    );
    assert!(error.to_string().contains(&cluster.address(1)), "{error}");
    assert_eq!((report.delivered, report.failed, report.unknown), (0, 1, 0));
}

#[test]
fn all_who_close_get_the_same_report() {
    let cluster = cluster(1, 1);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let producer = plain(&cluster);
    let _held = send(&producer, 0, "v");
    assert!(gate.wait_for_held(1, SOON));
    let close = || producer.close_timeout(SOON).expect("not in a callback");
    std::thread::scope(|scope| {
        let closing: Vec<_> = (0..4).map(|_| scope.spawn(close)).collect();
        gate.open();
        for closed in closing {
            assert_eq!(closed.join().expect("no panic").delivered, 1);
        }
    });
    assert_eq!(close().delivered, 1);
}

#[test]
fn after_close_every_call_is_refused_at_once() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).max_block(HOUR));
    delivered(&send(&producer, 0, "v"));
    producer.close().expect("not in a callback");
    let late = send(&producer, 0, "late").try_get().expect("at once");
    let error = late.expect_err("closed");
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Closed, Outcome::NotWritten)
    );
    assert!(error.is_fatal() && !error.is_retriable());
    let refused = producer.try_send(Record::to("t").value("late"));
    assert_eq!(
        refused.expect_err("closed").error().kind(),
        ErrorKind::Closed
    );
    let unknown = producer.partitions_for("another");
    assert_eq!(unknown.expect_err("closed").kind(), ErrorKind::Closed);
    producer.flush().expect("nothing is left");
    assert_eq!(cluster.end_offset("t", 0), 1);
}

#[test]
fn a_callback_runs_also_for_a_send_after_close() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    producer.close().expect("not in a callback");
    let (results, told) = std::sync::mpsc::channel();
    producer.send_with(Record::to("t").value("late"), move |result| {
        results
            .send(result.map(|_| ()).map_err(|error| error.kind()))
            .expect("heard");
    });
    assert_eq!(told.recv_timeout(SOON), Ok(Err(ErrorKind::Closed)));
}

#[test]
fn a_send_that_waits_is_ended_by_close() {
    let cluster = cluster(1, 1);
    cluster.on(Api::Produce).always().never_answer();
    let config = config(&cluster).buffer_memory(2000).max_request_size(2000);
    let producer = producer(config.max_block(HOUR).batch_size(0));
    let value = "x".repeat(1500);
    let filling = send(&producer, 0, &value);
    std::thread::scope(|scope| {
        let for_room = scope.spawn(|| failed(&send(&producer, 0, &value)));
        let missing = Record::to("missing").value("v");
        let for_topic = scope.spawn(|| failed(&producer.send(missing)));
        let is_asked_for = |requests: &[milena::mock::MockRequest]| {
            let mut topics = requests
                .iter()
                .filter_map(|request| request.topics.as_ref());
            topics.any(|topics| topics.iter().any(|topic| topic == "missing"))
        };
        cluster.wait_for_requests(SOON, is_asked_for);
        producer
            .close_timeout(Duration::from_millis(10))
            .expect("closed");
        for waiting in [for_room, for_topic] {
            assert_eq!(waiting.join().expect("no panic").kind(), ErrorKind::Closed);
        }
    });
    assert_eq!(failed(&filling).kind(), ErrorKind::Closed);
}

/// Threads that send all the while see each record either delivered or refused.
#[test]
fn close_amid_sends_loses_count_of_no_record() {
    let cluster = cluster(2, 4);
    let producer = plain(&cluster);
    let sent_by = |thread: i32| {
        let mut deliveries = Vec::new();
        loop {
            let delivery = send(&producer, thread, "v");
            let is_closed = delivery.try_get().is_some_and(|result| result.is_err());
            deliveries.push(delivery);
            if is_closed {
                return deliveries;
            }
        }
    };
    std::thread::scope(|scope| {
        let sent_by = &sent_by;
        let threads: Vec<_> = (0..4)
            .map(|thread| scope.spawn(move || sent_by(thread)))
            .collect();
        cluster.wait_for_records("t", 3, 100, SOON);
        producer.close_timeout(SOON).expect("closed");
        for (partition, thread) in threads.into_iter().enumerate() {
            let deliveries = thread.join().expect("no panic");
            let is_delivered = |delivery: &&milena::Delivery| result(delivery).is_ok();
            let count = deliveries.iter().filter(is_delivered).count();
            assert_eq!(cluster.end_offset("t", partition as i32), count as i64);
        }
    });
}

fn entries(directory: &str) -> usize {
    let entries = fs::read_dir(directory).expect("the system lists what a process has");
    entries.count()
}

#[test]
fn producers_that_are_gone_leave_no_thread_and_no_file_open() {
    const NAME: &str = "shutdown::producers_that_are_gone_leave_no_thread_and_no_file_open";
    if !cfg!(target_os = "linux") || !is_own_process(NAME) {
        return;
    }
    let cluster = cluster(2, 2);
    let use_one = |number: usize| {
        let producer = exactly_once(&cluster);
        let (results, told) = std::sync::mpsc::channel();
        producer.send_with(Record::to("t").partition(1).value("v"), move |result| {
            results.send(result.is_ok()).expect("heard");
        });
        delivered(&send(&producer, 0, "v"));
        assert_eq!(told.recv_timeout(SOON), Ok(true));
        if number.is_multiple_of(2) {
            producer.close().expect("not in a callback");
        }
    };
    use_one(0);
    let no_connection = |cluster: &milena::mock::MockCluster| {
        let all = cluster.connections();
        all.iter().all(|connection| !connection.is_open)
    };
    let open = || (entries("/proc/self/task"), entries("/proc/self/fd"));
    assert!(cluster.wait_for(SOON, no_connection));
    // The mock's own threads end a little after their connections.
    let mut least = open();
    let mut calm = 0;
    while calm < 200 {
        std::thread::sleep(Duration::from_millis(1));
        let now = open();
        calm = if now < least { 0 } else { calm + 1 };
        least = least.min(now);
    }
    cluster.keep_records(false);
    let mut resident = Vec::new();
    for number in 0..1000 {
        use_one(number);
        if number % 100 == 99 {
            // What the mock remembers of requests and connections is not the producers'.
            cluster.forget_requests();
            resident.push(crate::memory::resident());
        }
    }
    assert!(cluster.wait_for(SOON, no_connection));
    println!("figures: resident bytes after each 100 producers: {resident:?}");
    let grown = resident[9].saturating_sub(resident[4]);
    assert!(grown < 2 << 20, "{grown} bytes more: {resident:?}");
    eventually("threads and files are as before", || {
        let now = open();
        now.0 <= least.0 && now.1 <= least.1
    });
}

/// A producer that nothing was sent with, or that never found a cluster, ends as well.
#[test]
fn an_unused_producer_closes_at_once() {
    let cluster = cluster(1, 1);
    let start = Instant::now();
    drop(plain(&cluster));
    cluster.stop_broker(1);
    let producer = producer(config(&cluster).max_block(Duration::from_millis(20)));
    failed(&send(&producer, 0, "v"));
    let report = producer.close().expect("not in a callback");
    assert_eq!((report.delivered, report.failed, report.unknown), (0, 1, 0));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
