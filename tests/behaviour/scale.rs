//! Many partitions, threads, producers, brokers, refreshes: costs are compared between sizes, not
//! with a clock.

#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use milena::mock::{Api, MockCluster};
use milena::{Delivery, Producer};

use crate::memory::resident;
use crate::support::{
    PROMISED, all_delivered, cluster, config, count_of, delivered, eventually, failed,
    is_own_process, plain, producer, send,
};

/// The CPU time in nanoseconds of this thread and of each of the producer's, by its number.
fn cpu_ns() -> BTreeMap<String, u64> {
    let used = |text: String| text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
    let own = fs::read_to_string("/proc/thread-self/schedstat").expect("the system counts time");
    let mut all = BTreeMap::from([("own".to_owned(), used(own).expect("a number"))]);
    for task in fs::read_dir("/proc/self/task").expect("threads").flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if read("comm").starts_with("milena-")
            && let Some(ns) = used(read("schedstat"))
        {
            all.insert(task.file_name().to_string_lossy().into_owned(), ns);
        }
    }
    all
}

/// What those that are there have used since; a connection's thread ends with it.
fn used_since(start: &BTreeMap<String, u64>) -> u64 {
    let since = |(thread, ns): (String, u64)| ns - start.get(&thread).copied().unwrap_or(0);
    cpu_ns().into_iter().map(since).sum()
}

fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("threads").flatten();
    let names = tasks.map(|task| fs::read_to_string(task.path().join("comm")).unwrap_or_default());
    names.filter(|name| name.starts_with("milena-")).count()
}

/// Waits as long as the mock needs, which is not what is measured.
const PATIENT: Duration = Duration::from_secs(100);

/// Sends one record to each partition, `rounds` times.
fn rounds(producer: &Producer, partitions: usize, rounds: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::with_capacity(partitions * rounds);
    for _ in 0..rounds {
        deliveries.extend((0..partitions).map(|partition| send(producer, partition as i32, "v")));
    }
    deliveries
}

/// Nanoseconds for a record: sent and acknowledged, and sent and out of time.
fn costs(partitions: usize) -> [u64; 2] {
    let cluster = cluster(1, partitions as i32);
    cluster.keep_records(false);
    let limit = Duration::from_millis(1000);
    let config = config(&cluster)
        .request_timeout(limit)
        .delivery_timeout(limit);
    let producer = producer(config.linger(Duration::ZERO));
    producer.partitions_for("t").expect("known");
    let mut costs = [0; 2];
    // The same number of records whatever the number of partitions.
    let count = 10_000 / partitions;
    let start = cpu_ns();
    for _ in 0..count {
        let deliveries = rounds(&producer, partitions, 1);
        for delivery in &deliveries {
            let result = delivery.wait_timeout(PATIENT).expect("a result");
            result.expect("delivered");
        }
    }
    costs[0] = used_since(&start) / 10_000;
    cluster.mute_broker(1);
    let start = cpu_ns();
    let (sent, lost) = (Instant::now(), rounds(&producer, partitions, count));
    let last = sent.elapsed();
    lost.iter().for_each(|delivery| drop(failed(delivery)));
    let took = sent.elapsed();
    assert!(
        took < last + limit + PROMISED,
        "{partitions} partitions: {took:?}, sent in {last:?}"
    );
    costs[1] = used_since(&start) / 10_000;
    producer
        .close_timeout(Duration::ZERO)
        .expect("not in a callback");
    costs
}

#[test]
fn ten_thousand_partitions_cost_no_more_a_record_than_a_hundred() {
    const NAME: &str = "scale::ten_thousand_partitions_cost_no_more_a_record_than_a_hundred";
    if !is_own_process(NAME) {
        return;
    }
    let few = costs(100);
    let many = costs(10_000);
    println!("figures: ns a record, delivered and out of time: {few:?} at 100, {many:?} at 10,000");
    for (few, many) in few.into_iter().zip(many) {
        // In a debug build on a busy machine; what grows with the square is a hundred times dearer.
        assert!(
            many < 8 * few + 20_000,
            "{many} ns a record, {few} ns with 100 partitions"
        );
    }
}

#[test]
fn sixty_four_threads_share_a_producer_at_no_more_than_the_cost_of_eight() {
    const RECORDS: usize = 64 * 500;
    let cost = |threads: usize| {
        let cluster = cluster(2, 8);
        cluster.keep_records(false);
        let producer = plain(&cluster);
        delivered(&send(&producer, 0, "first"));
        let start = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let producer = &producer;
                scope.spawn(move || {
                    let sends =
                        (0..RECORDS / threads).map(|_| send(producer, thread as i32 % 8, "v"));
                    all_delivered(&sends.collect::<Vec<_>>());
                });
            }
        });
        let total: i64 = (0..8)
            .map(|partition| cluster.end_offset("t", partition))
            .sum();
        assert_eq!(total, RECORDS as i64 + 1);
        eventually("all bytes are back", || producer.buffered_bytes() == 0);
        start.elapsed()
    };
    let (few, many) = (cost(8), cost(64));
    assert!(
        many < 5 * few + Duration::from_secs(1),
        "{many:?}, and {few:?} with 8 threads"
    );
}

#[test]
fn fifty_producers_in_a_process_have_their_few_threads_each() {
    if !is_own_process("scale::fifty_producers_in_a_process_have_their_few_threads_each") {
        return;
    }
    let cluster = cluster(2, 2);
    let producers: Vec<_> = (0..50).map(|_| plain(&cluster)).collect();
    let sends = producers
        .iter()
        .flat_map(|one| [0, 1].map(|partition| send(one, partition, "v")));
    all_delivered(&sends.collect::<Vec<_>>());
    // Cluster, expiry, and for each broker a sender and a receiver.
    assert_eq!(threads(), 50 * (2 + 2 * 2));
    drop(producers);
    eventually("they end", || threads() == 0);
}

#[test]
fn brokers_that_lead_nothing_in_use_are_left_alone() {
    if !is_own_process("scale::brokers_that_lead_nothing_in_use_are_left_alone") {
        return;
    }
    let cluster = MockCluster::start(60);
    cluster.auto_create(None);
    cluster.create_topic("t", 3);
    let producer = plain(&cluster);
    all_delivered(&[0, 1, 2].map(|partition| send(&producer, partition, "v")));
    let leaders: BTreeSet<i32> = (0..3)
        .map(|partition| cluster.leader("t", partition))
        .collect();
    let produced = count_of(&cluster, Api::Produce);
    let produced: BTreeSet<i32> = produced.iter().map(|request| request.node).collect();
    assert_eq!(produced, leaders);
    // One more for metadata, with the broker that answered first.
    assert_eq!(cluster.connections().len(), 4);
    assert_eq!(threads(), 2 + 2 * 3);
}

/// Metadata that is refreshed again and again, and connections that break now and then: what a
/// producer does in days.
#[test]
fn hundreds_of_refreshes_and_connections_leave_nothing_behind() {
    if !is_own_process("scale::hundreds_of_refreshes_and_connections_leave_nothing_behind") {
        return;
    }
    let cluster = cluster(2, 20);
    cluster.keep_records(false);
    let config = config(&cluster).metadata_max_age(Duration::from_millis(4));
    let producer = producer(config.idempotence(true).retries(99));
    let days = |refreshes: u64| {
        let end = producer.metrics().metadata_requests + refreshes;
        for turn in 0.. {
            if producer.metrics().metadata_requests >= end {
                break;
            }
            all_delivered(&rounds(&producer, 20, 1));
            if turn % 10 == 0 {
                cluster.disconnect(turn / 10 % 2 + 1);
            }
            cluster.forget_requests();
        }
        resident()
    };
    let early = days(150);
    let late = days(300);
    println!("figures: {early} bytes after 150 refreshes, {late} after 450");
    assert!(late < early + (1 << 20), "{} bytes more", late - early);
    // Cluster, expiry, and for each broker a sender and, unless it was just cut off, a receiver.
    eventually("no thread is left behind", || threads() <= 2 + 2 * 2);
    assert_eq!(producer.metrics().unknown + producer.metrics().failed, 0);
}
