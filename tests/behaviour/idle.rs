//! What a producer costs while nothing is due: each test has a process of its own, where the
//! producer's threads are told by their names.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use milena::Record;

use crate::support::{
    all_delivered, cluster, config, eventually, is_own_process, producer, send, send_numbers,
};

/// How long nothing may happen.
const IDLE: Duration = Duration::from_secs(10);

/// How long the brokers are away.
const OUTAGE: Duration = Duration::from_secs(3);

/// What a thread has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Work {
    cpu_ns: u64,
    switches: u64,
}

/// The work of the producer's threads, by name and number.
fn work() -> BTreeMap<String, Work> {
    let tasks = fs::read_dir("/proc/self/task").expect("the system lists threads");
    let mut work = BTreeMap::new();
    for task in tasks {
        let task = task.expect("a thread").path();
        // A thread may end while it is looked at.
        let read = |file: &str| fs::read_to_string(task.join(file)).unwrap_or_default();
        let name = read("comm").trim().to_owned();
        if !name.starts_with("milena-") {
            continue;
        }
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse().ok());
        let status = read("status");
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        let switches = lines.filter_map(|line| number(line.split(':').nth(1)));
        let done = Work {
            cpu_ns: number(read("schedstat").split(' ').next()).unwrap_or(0),
            switches: switches.sum(),
        };
        work.insert(format!("{name} {}", task.display()), done);
    }
    work
}

/// Waits until the producer's threads sleep, and returns what they have done.
fn asleep() -> BTreeMap<String, Work> {
    let (mut before, mut calm) = (work(), 0);
    eventually("the threads fall asleep", || {
        std::thread::sleep(Duration::from_millis(10));
        let now = work();
        calm = if now == before { calm + 1 } else { 0 };
        before = now;
        calm >= 20
    });
    before
}

#[test]
fn an_idle_producer_does_not_wake_up() {
    if !is_own_process("idle::an_idle_producer_does_not_wake_up") {
        return;
    }
    for is_idempotent in [false, true] {
        let cluster = cluster(2, 2);
        let producer = producer(config(&cluster).idempotence(is_idempotent));
        let mut deliveries = send_numbers(&producer, 0, 0..50);
        deliveries.extend(send_numbers(&producer, 1, 0..50));
        producer.send_with(Record::to("t").value("v"), |_| ());
        all_delivered(&deliveries);
        producer.flush().expect("flushed");
        // Cluster, expiry, callbacks, and for each broker a sender and a receiver.
        let before = asleep();
        assert_eq!(before.len(), 7, "{before:#?}");
        std::thread::sleep(IDLE);
        assert_eq!(work(), before);
    }
}

#[test]
fn with_every_broker_down_little_is_tried() {
    if !is_own_process("idle::with_every_broker_down_little_is_tried") {
        return;
    }
    let cluster = cluster(2, 2);
    let (first, most) = (Duration::from_millis(50), Duration::from_millis(500));
    let config = config(&cluster)
        .reconnect_backoff(first)
        .reconnect_backoff_max(most);
    let config = config.retry_backoff(first).retry_backoff_max(most);
    let producer = producer(config.idempotence(true));
    all_delivered(&[send(&producer, 0, "v"), send(&producer, 1, "v")]);
    (1..=2).for_each(|node| cluster.stop_broker(node));
    let waiting = [send(&producer, 0, "w"), send(&producer, 1, "w")];
    let before = cpu_ns();
    let failures = producer.metrics().connect_failures;
    std::thread::sleep(OUTAGE);
    let tries = producer.metrics().connect_failures - failures;
    // 50, 100, 200, 400 and then 500 ms, less 20 %, for each of the two brokers.
    assert!(
        (2..=24).contains(&tries),
        "{tries} attempts to connect in {OUTAGE:?}"
    );
    let spent = cpu_ns() - before;
    assert!(spent < 300_000_000, "{spent} ns of CPU time in {OUTAGE:?}");
    assert!(waiting.iter().all(|delivery| delivery.try_get().is_none()));
    (1..=2).for_each(|node| cluster.start_broker(node));
    all_delivered(&waiting);
}

/// The CPU time of all threads of the producer.
fn cpu_ns() -> u64 {
    work().values().map(|work| work.cpu_ns).sum()
}

/// Its broker is down and its partition has no leader; the other broker is well.
#[test]
fn a_record_without_a_leader_does_not_spin() {
    if !is_own_process("idle::a_record_without_a_leader_does_not_spin") {
        return;
    }
    let cluster = cluster(2, 2);
    let (first, most) = (Duration::from_millis(50), Duration::from_millis(500));
    let config = config(&cluster)
        .retry_backoff(first)
        .retry_backoff_max(most);
    let config = config.reconnect_backoff(first).reconnect_backoff_max(most);
    let producer = producer(config.retries(9));
    all_delivered(&[send(&producer, 0, "v"), send(&producer, 1, "v")]);
    cluster.stop_broker(2);
    let waiting = send(&producer, 1, "w");
    let asked = || producer.metrics().metadata_requests;
    let first_asked = asked();
    eventually("it is looked for", || asked() > first_asked + 1);
    let (before, asked_before) = (cpu_ns(), asked());
    std::thread::sleep(OUTAGE);
    let (spent, asked) = (cpu_ns() - before, asked() - asked_before);
    // 100, 200, 400 and then 500 ms, less 20 %.
    assert!(asked <= 12, "{asked} metadata requests in {OUTAGE:?}");
    assert!(spent < 150_000_000, "{spent} ns of CPU time in {OUTAGE:?}");
    assert!(waiting.try_get().is_none());
    cluster.start_broker(2);
    all_delivered(&[waiting]);
}

#[test]
fn a_record_that_waits_for_a_producer_id_does_not_spin() {
    if !is_own_process("idle::a_record_that_waits_for_a_producer_id_does_not_spin") {
        return;
    }
    let cluster = cluster(1, 1);
    let busy = cluster
        .on(milena::mock::Api::InitProducerId)
        .always()
        .error(15);
    let pause = Duration::from_millis(100);
    let config = config(&cluster)
        .retry_backoff(pause)
        .retry_backoff_max(pause);
    let producer = producer(config.idempotence(true));
    let waiting = send(&producer, 0, "v");
    assert!(busy.wait_for_hits(1, crate::support::SOON));
    let (before, hits) = (cpu_ns(), busy.hits());
    std::thread::sleep(OUTAGE / 3);
    let spent = cpu_ns() - before;
    assert!(spent < 100_000_000, "{spent} ns of CPU time");
    assert!(busy.hits() - hits <= 14, "{} requests", busy.hits() - hits);
    busy.cancel();
    all_delivered(&[waiting]);
}
