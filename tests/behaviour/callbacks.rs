//! Callbacks: in order, counted by flush, and unable to stop the producer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use milena::mock::Api;
use milena::{ErrorKind, Outcome, Record};

use crate::support::{HOUR, SOON, cluster, config, delivered, exactly_once, plain, producer, send};

#[test]
fn callbacks_of_a_partition_run_in_the_order_of_its_records() {
    let cluster = cluster(2, 3);
    let producer = exactly_once(&cluster);
    cluster
        .on(Api::Produce)
        .skip(4)
        .times(2)
        .after_handling()
        .disconnect();
    let seen = Arc::new(Mutex::new(vec![Vec::new(); 3]));
    for number in 0..300 {
        let (seen, partition) = (seen.clone(), number % 3);
        let record = Record::to("t").partition(partition as i32).value("v");
        producer.send_with(record, move |result| {
            result.expect("sent");
            seen.lock().expect("no panic")[partition].push(number);
        });
    }
    producer.flush_timeout(SOON).expect("flushed");
    for (partition, numbers) in seen.lock().expect("no panic").iter().enumerate() {
        let expected: Vec<usize> = (0..100).map(|turn| turn * 3 + partition).collect();
        assert_eq!(numbers, &expected);
    }
}

#[test]
fn flush_waits_for_callbacks() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    let (release, released) = mpsc::channel::<()>();
    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    producer.send_with(Record::to("t").value("v"), move |_| {
        released.recv_timeout(SOON).expect("released");
        count.fetch_add(1, Ordering::SeqCst);
    });
    cluster.wait_for_records("t", 0, 1, SOON);
    let error = producer.flush_timeout(Duration::from_millis(50));
    let error = error.expect_err("the callback has not run");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // The wire goes on while a callback blocks.
    delivered(&send(&producer, 0, "second"));
    release.send(()).expect("the callback waits");
    producer.flush_timeout(SOON).expect("flushed");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(producer.buffered_bytes(), 0);
}

#[test]
fn a_panicking_callback_harms_nobody() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    producer.send_with(Record::to("t").value("v"), |_| {
        panic!("a bug of the application")
    });
    let (results, told) = mpsc::channel();
    producer.send_with(Record::to("t").value("v"), move |result| {
        results.send(result.is_ok()).expect("heard");
    });
    assert_eq!(told.recv_timeout(SOON), Ok(true));
    producer.flush_timeout(SOON).expect("flushed");
    delivered(&send(&producer, 0, "third"));
    assert_eq!(producer.buffered_bytes(), 0);
}

#[test]
fn a_callback_may_send() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    let (results, told) = mpsc::channel();
    let again = producer.clone();
    producer.send_with(Record::to("t").value("first"), move |_| {
        again.send_with(Record::to("t").value("second"), move |result| {
            results.send(result.is_ok()).expect("heard");
        });
    });
    assert_eq!(told.recv_timeout(SOON), Ok(true));
    assert_eq!(cluster.end_offset("t", 0), 2);
}

/// What fills the buffer may be behind this very callback, so it must not wait.
#[test]
fn a_callback_that_finds_the_buffer_full_fails_at_once() {
    let cluster = cluster(2, 2);
    let gate = cluster.gate();
    cluster.on(Api::Produce).node(2).hold(&gate).answer();
    let config = config(&cluster).buffer_memory(8000).max_request_size(8000);
    let producer = producer(config.max_block(HOUR));
    let filling = send(&producer, 1, &"x".repeat(6000));
    assert!(gate.wait_for_held(1, SOON));
    let (results, told) = mpsc::channel();
    let again = producer.clone();
    producer.send_with(Record::to("t").partition(0).value("small"), move |_| {
        let second = send(&again, 0, &"x".repeat(3000));
        results.send(second.try_get()).expect("heard");
    });
    let second = told.recv_timeout(SOON).expect("it did not wait");
    let error = second.expect("a result").expect_err("no room");
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::BufferFull, Outcome::NotWritten)
    );
    assert!(
        error.to_string().contains("a callback does not wait"),
        "{error}"
    );
    gate.open();
    delivered(&filling);
}

#[test]
fn flush_and_close_are_refused_inside_a_callback() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    let (results, told) = mpsc::channel();
    let again = producer.clone();
    producer.send_with(Record::to("t").value("v"), move |_| {
        let flush = again.flush().map_err(|error| error.kind());
        let close = again.close().map_err(|error| error.kind()).map(|_| ());
        results.send([flush, close]).expect("heard");
    });
    let refused = told.recv_timeout(SOON).expect("it did not wait for itself");
    assert_eq!(refused, [Err(ErrorKind::Misuse); 2]);
    delivered(&send(&producer, 0, "it is still open"));
}

#[test]
fn the_last_producer_may_go_in_a_callback() {
    let cluster = cluster(1, 1);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let producer = plain(&cluster);
    let (results, told) = mpsc::channel();
    let last = producer.clone();
    producer.send_with(Record::to("t").value("v"), move |result| {
        let lingering = send(&last, 0, "sent by the callback");
        drop(last);
        results.send((result.is_ok(), lingering)).expect("heard");
    });
    assert!(gate.wait_for_held(1, SOON));
    drop(producer);
    gate.open();
    let (is_delivered, lingering) = told.recv_timeout(SOON).expect("no deadlock");
    assert!(is_delivered);
    delivered(&lingering);
    let is_over = |cluster: &milena::mock::MockCluster| {
        let connections = cluster.connections();
        connections.iter().all(|connection| !connection.is_open)
    };
    assert!(cluster.wait_for(SOON, is_over), "connections stay open");
}
