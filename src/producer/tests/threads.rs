//! A producer with the mock cluster, and with what only a test can do to its threads: a panic in
//! the middle of their work, and names that are looked up slowly or differently.

use std::net::SocketAddr;
use std::sync::mpsc;

use super::*;
use crate::conn::names;
use crate::mock::MockCluster;
use crate::survive::trap;
use crate::sync::atomic::Ordering;
use crate::time;

const LIMIT: Duration = Duration::from_millis(400);
const SOON: Duration = Duration::from_secs(20);

/// What a delivery may take beyond `delivery.timeout.ms`.
const PROMISED: Duration = Duration::from_secs(1);

fn cluster() -> MockCluster {
    let cluster = MockCluster::start(1);
    cluster.create_topic("orders", 1);
    cluster
}

fn address(cluster: &MockCluster) -> SocketAddr {
    cluster.address(1).parse().expect("an address")
}

fn patient(config: Config) -> Config {
    let (first, most) = (Duration::from_millis(5), Duration::from_millis(20));
    let config = config.retry_backoff(first).retry_backoff_max(most);
    let config = config.reconnect_backoff(first).reconnect_backoff_max(most);
    config.batch_size(0).retries(99)
}

#[test]
fn a_topic_that_was_forgotten_is_looked_up_again_by_the_next_send() {
    let cluster = cluster();
    let producer = Producer::new(patient(Config::new(cluster.bootstrap()))).expect("it works");
    let accumulator = &producer.0.core.accumulator;
    for number in 1..=3 {
        let delivery = producer.send(Record::to("orders").value("v"));
        let metadata = delivery.wait().expect("delivered");
        assert_eq!(metadata.offset(), Some(number - 1));
        let topic = accumulator.topic("orders").expect("in use");
        // The batch may be on its way back to its partition.
        while !accumulator.forget(&topic) {
            std::thread::yield_now();
        }
        assert!(accumulator.topic("orders").is_none());
        assert_eq!(producer.metrics().metadata_requests, number as u64);
    }
}

/// A batch that a thread had when it panicked fails, all others are delivered or out of time, and
/// once the panics are over all goes on.
#[test]
fn a_panic_in_any_thread_fails_what_that_has_in_hand_and_is_survived() {
    std::thread::scope(|scope| {
        for place in ["announced", "written", "answered", "refreshed", "expired"] {
            for times in [1, usize::MAX] {
                for is_idempotent in [false, true] {
                    scope.spawn(move || survives(place, times, is_idempotent));
                }
            }
        }
    });
}

fn survives(place: &'static str, times: usize, is_idempotent: bool) {
    let cluster = cluster();
    let name = &format!("{place} {times} {is_idempotent}");
    let config = patient(Config::new(cluster.bootstrap())).client_id(name);
    let config = config.request_timeout(LIMIT / 2).delivery_timeout(LIMIT);
    let producer = Producer::new(config.idempotence(is_idempotent)).expect("settings that work");
    let send = || producer.send(Record::to("orders").value("v"));
    send().wait().expect("delivered");
    trap::set(name, place, times);
    let sent = time::now();
    if place == "refreshed" {
        producer.0.core.wishes.refresh();
    }
    let deliveries: Vec<_> = (0..20).map(|_| send()).collect();
    let mut failed = 0;
    for delivery in deliveries {
        let left = (LIMIT + PROMISED).saturating_sub(time::now() - sent);
        let result = delivery
            .wait_timeout(left)
            .unwrap_or_else(|| panic!("{name}: no result"));
        failed += u64::from(result.is_err());
    }
    while trap::hits(name, place) == 0 {
        assert!(time::now() - sent < SOON, "{name}: it has not panicked");
        std::thread::yield_now();
    }
    // With one batch on the wire at a time, one is in the hands of the thread.
    let most = if is_idempotent { 5 } else { 1 };
    assert!(times > 1 || failed <= most, "{name}: {failed} failed");
    trap::set(name, place, 0);
    let start = time::now();
    while send()
        .wait_timeout(SOON)
        .is_none_or(|result| result.is_err())
    {
        assert!(time::now() - start < SOON, "{name}: it does not go on");
    }
    producer.flush_timeout(SOON).expect("flushed");
    let start = time::now();
    producer.close_timeout(LIMIT).expect("not in a callback");
    assert!(time::now() - start < LIMIT + PROMISED, "{name}");
    assert_eq!(producer.buffered_bytes(), 0, "{name}");
    assert!(
        producer.0.core.running.wait(Some(time::now())),
        "{name}: a thread is left"
    );
}

/// A resolver that takes its time holds up its own thread: not the close, and not what is sent to
/// brokers that are known.
#[test]
fn a_slow_resolver_holds_up_neither_close_nor_limits() {
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    names::define("slow.test", move || {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = gate.lock().expect("no panic").recv_timeout(SOON);
        Err(std::io::Error::other("no such name"))
    });
    let config = Config::new("slow.test:9092").max_block(LIMIT);
    let producer = Producer::new(config).expect("it does not wait for names");
    let start = time::now();
    let error = producer
        .send(Record::to("orders"))
        .wait()
        .expect_err("nobody is known");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(time::now() - start < LIMIT + PROMISED);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let start = time::now();
    producer.close_timeout(LIMIT).expect("not in a callback");
    assert!(
        time::now() - start < LIMIT + PROMISED,
        "close waits for a name"
    );
    let running = producer.0.core.running.clone();
    assert!(
        !running.wait(Some(time::now())),
        "the look-up cannot be ended"
    );
    go.send(()).expect("it still looks the name up");
    assert!(
        running.wait(time::after(time::now(), SOON)),
        "the thread ends once it can"
    );
}

#[test]
fn a_name_is_looked_up_anew_and_all_its_addresses_are_tried() {
    let cluster = cluster();
    let good = address(&cluster);
    let mut dead = good;
    dead.set_ip("::1".parse().expect("an address"));
    let now = Arc::new(std::sync::Mutex::new(vec![SocketAddr::from((
        [127, 0, 0, 1],
        1,
    ))]));
    let names = now.clone();
    names::define("moves.test", move || {
        Ok(names.lock().expect("no panic").clone())
    });
    let config = patient(Config::new(format!("moves.test:{}", good.port())));
    let producer = Producer::new(config.max_block(LIMIT)).expect("settings that work");
    let send = || producer.send(Record::to("orders").value("v")).wait();
    assert_eq!(
        kind(send()),
        Some(ErrorKind::TimedOut),
        "nobody listens there"
    );
    // A dual stack whose IPv6 leads nowhere.
    *now.lock().expect("no panic") = vec![dead, good];
    let start = time::now();
    while send().is_err() {
        assert!(time::now() - start < SOON, "the new address is not found");
    }
}
