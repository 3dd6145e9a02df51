//! What metadata says of topics when it is wrong, late, contradictory, or about very many of them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use milena::mock::Api;
use milena::{Delivery, ErrorKind, Outcome, Producer, Record};

use crate::support::{
    HOUR, NOT_LEADER, PROMISED, SOON, all_delivered, assert_contiguous, cluster, config, count_of,
    delivered, eventually, exactly_once, failed, numbers, plain, produced, producer, result, send,
    send_numbers, values, wait_for_refreshes,
};

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const LEADER_NOT_AVAILABLE: i16 = 5;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;

#[test]
fn a_partition_without_a_leader_keeps_its_keys_and_holds_up_no_other() {
    let cluster = cluster(2, 4);
    let producer = producer(config(&cluster).metadata_max_age(Duration::from_millis(20)));
    let send_keys = || -> Vec<Delivery> {
        let keys = (0..40).map(|key| key.to_string());
        keys.map(|key| producer.send(Record::to("t").key(&key).value(&key)))
            .collect()
    };
    let partitions = |deliveries: &[Delivery]| -> Vec<i32> {
        let all = deliveries.iter().map(delivered);
        all.map(|metadata| metadata.partition()).collect()
    };
    let homes = partitions(&send_keys());
    let absent = cluster.on(Api::Metadata).partition("t", 0).always();
    let absent = absent.error(LEADER_NOT_AVAILABLE);
    eventually("the leader is gone", || {
        let infos = producer.partitions_for("t").expect("known");
        infos[0].leader().is_none()
    });
    let deliveries = send_keys();
    let mut waiting = 0;
    for (delivery, home) in deliveries.iter().zip(&homes) {
        match home {
            0 => waiting += 1,
            _ => drop(delivered(delivery)),
        }
    }
    wait_for_refreshes(&cluster, 3);
    let is_waiting = |delivery: &&Delivery| delivery.try_get().is_none();
    assert!(waiting > 0 && deliveries.iter().filter(is_waiting).count() == waiting);
    absent.cancel();
    assert_eq!(partitions(&deliveries), homes);
}

/// Metadata shows leader -1 and epoch -1.
#[test]
fn a_leader_that_is_missing_for_long_is_waited_for() {
    let cluster = cluster(1, 1);
    let absent = cluster.on(Api::Metadata).partition("t", 0).times(8);
    let absent = absent.error(LEADER_NOT_AVAILABLE);
    let producer = exactly_once(&cluster);
    all_delivered(&send_numbers(&producer, 0, 0..10));
    assert_eq!((absent.hits(), values(&cluster, 0)), (8, numbers(0..10)));
}

#[test]
fn a_topic_that_is_gone_for_a_while_goes_on_where_it_was() {
    let cluster = cluster(1, 1);
    let config = config(&cluster).metadata_max_age(Duration::from_millis(20));
    let producer = producer(config.idempotence(true).batch_size(0));
    all_delivered(&send_numbers(&producer, 0, 0..5));
    let gone = cluster.on(Api::Metadata).topic("t").times(2);
    let gone = gone.error(UNKNOWN_TOPIC_OR_PARTITION);
    let mut sent = 5;
    let mut deliveries = Vec::new();
    while gone.hits() < 2 {
        deliveries.extend(send_numbers(&producer, 0, sent..sent + 1));
        sent += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    deliveries.extend(send_numbers(&producer, 0, sent..sent + 5));
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 0), numbers(0..sent + 5));
    assert_contiguous(&cluster);
    let records = cluster.records("t", 0).into_iter();
    let epochs: BTreeSet<_> = records.map(|record| record.producer_epoch).collect();
    assert_eq!(epochs.len(), 1);
}

/// By name and by id, with a batch on the wire and others behind it.
#[test]
fn a_topic_that_is_made_anew_below_a_producer_ends_in_time() {
    for version in [9, 12, 13] {
        let cluster = cluster(1, 1);
        cluster.versions(Api::Produce, 3..=version);
        let limit = Duration::from_secs(2);
        let config = config(&cluster)
            .request_timeout(limit)
            .delivery_timeout(limit);
        let producer = producer(config.idempotence(true).batch_size(0));
        all_delivered(&send_numbers(&producer, 0, 0..5));
        let gate = cluster.gate();
        cluster.on(Api::Produce).hold(&gate).answer();
        let start = Instant::now();
        let deliveries = send_numbers(&producer, 0, 5..15);
        assert!(gate.wait_for_held(1, SOON));
        cluster.delete_topic("t");
        cluster.create_topic("t", 1);
        gate.open();
        let results: Vec<_> = deliveries.iter().map(result).collect();
        assert!(start.elapsed() < limit + PROMISED, "{:?}", start.elapsed());
        let logged = values(&cluster, 0);
        for (number, result) in (5..).zip(&results) {
            let copies = logged.iter().filter(|one| **one == number.to_string());
            let count = copies.count();
            match result {
                Ok(_) => assert_eq!(count, 1, "version {version}: {number}"),
                Err(error) if error.outcome() == Outcome::NotWritten => assert_eq!(count, 0),
                Err(_) => assert!(count <= 1),
            }
        }
        let in_order: Vec<usize> = logged.iter().flat_map(|value| value.parse()).collect();
        assert!(in_order.is_sorted(), "version {version}: {logged:?}");
        eventually("the new topic takes records", || {
            result(&send(&producer, 0, "new")).is_ok()
        });
    }
}

/// Nobody asks the cluster between the denial and the send that comes later than the back-off.
#[test]
fn a_topic_that_is_allowed_again_fails_no_further_send() {
    let cluster = cluster(1, 1);
    let pause = Duration::from_millis(50);
    let config = config(&cluster).metadata_max_age(HOUR);
    let producer = producer(config.max_block(HOUR).retry_backoff(pause));
    for _ in 0..5 {
        delivered(&send(&producer, 0, "before"));
        let denial = cluster.on(Api::Metadata).topic("t").always();
        let denial = denial.error(TOPIC_AUTHORIZATION_FAILED);
        // It makes the client look for the leader.
        cluster.on(Api::Produce).error(NOT_LEADER);
        eventually("the denial is known", || {
            result(&send(&producer, 0, "v")).is_err_and(|e| e.kind() == ErrorKind::Authorization)
        });
        // The failed send has asked for news; they come before the topic is allowed.
        std::thread::sleep(2 * pause);
        denial.cancel();
        std::thread::sleep(2 * pause);
        delivered(&send(&producer, 0, "after"));
    }
}

#[test]
fn a_denied_topic_fails_at_once_however_long_a_send_may_wait_and_disturbs_no_other() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).max_block(HOUR));
    let denial = cluster.on(Api::Metadata).topic("secret").always();
    denial.error(TOPIC_AUTHORIZATION_FAILED);
    for (topic, kind) in [
        ("secret", ErrorKind::Authorization),
        ("no/topic", ErrorKind::InvalidTopic),
    ] {
        for _ in 0..3 {
            let error = failed(&producer.send(Record::to(topic).value("v")));
            assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NotWritten));
            delivered(&send(&producer, 0, "v"));
        }
    }
}

/// Old brokers, so that refusals name no leader and metadata has to.
#[test]
fn ten_thousand_partitions_that_move_at_once_cost_few_requests() {
    const PARTITIONS: i32 = 10_000;
    let cluster = cluster(2, PARTITIONS);
    cluster.versions(Api::Produce, 3..=9);
    (0..PARTITIONS).for_each(|partition| cluster.move_leader("t", partition, 1));
    let pause = Duration::from_millis(100);
    let config = config(&cluster)
        .retry_backoff(pause)
        .retry_backoff_max(pause);
    // Some two hundred requests, and as many refusals.
    let config = config.max_request_size(16 * 1024).batch_size(1024);
    let producer = producer(config.retries(u32::MAX).linger(Duration::from_millis(200)));
    let to_all = |producer: &Producer| -> Vec<Delivery> {
        let all = 0..PARTITIONS;
        all.map(|partition| send(producer, partition, "v"))
            .collect()
    };
    let first = to_all(&producer);
    producer.flush().expect("flushed");
    all_delivered(&first);
    (0..PARTITIONS).for_each(|partition| cluster.move_leader("t", partition, 2));
    let (start, before) = (Instant::now(), count_of(&cluster, Api::Metadata).len());
    let second = to_all(&producer);
    producer.flush().expect("flushed");
    all_delivered(&second);
    let asked = count_of(&cluster, Api::Metadata).len() - before;
    let most = 2 + start.elapsed().as_millis() as usize / 80;
    assert!(asked <= most, "{asked} requests in {:?}", start.elapsed());
}

#[test]
fn metadata_that_takes_long_delays_no_record_of_a_topic_that_is_known() {
    let cluster = cluster(1, 1);
    cluster.create_topic("other", 1);
    let producer = plain(&cluster);
    delivered(&send(&producer, 0, "0"));
    let gate = cluster.gate();
    cluster.on(Api::Metadata).hold(&gate).answer();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| delivered(&producer.send(Record::to("other").value("v"))));
        assert!(gate.wait_for_held(1, SOON));
        for number in 1..20 {
            delivered(&send(&producer, 0, &number.to_string()));
        }
        assert!(!other.is_finished());
        gate.open();
        other.join().expect("no panic");
    });
    assert_eq!(values(&cluster, 0), numbers(0..20));
}

/// Whichever broker has the question, it is put to another one once its time is over.
#[test]
fn metadata_that_hangs_at_one_broker_is_asked_of_another() {
    let cluster = cluster(3, 3);
    let limit = Duration::from_millis(200);
    let config = config(&cluster).request_timeout(limit).max_block(SOON);
    let producer = producer(config.connection_setup_timeout(limit));
    delivered(&send(&producer, 0, "v"));
    let asked = count_of(&cluster, Api::Metadata);
    let dead = asked.last().expect("a question").node;
    cluster.mute_broker(dead);
    cluster.create_topic("later", 3);
    let alive = (0..3).find(|partition| cluster.leader("later", *partition) != dead);
    let partition = alive.expect("three brokers lead three partitions");
    delivered(&producer.send(Record::to("later").partition(partition).value("v")));
    let last = count_of(&cluster, Api::Metadata);
    assert!(last.last().is_some_and(|request| request.node != dead));
    producer.close_timeout(Duration::ZERO).expect("closed");
}

#[test]
fn refusals_of_two_kinds_in_turn_have_no_more_time_than_one() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(600);
    let config = config(&cluster)
        .request_timeout(limit)
        .delivery_timeout(limit);
    let producer = producer(config.idempotence(true));
    delivered(&send(&producer, 0, "before"));
    for _ in 0..500 {
        for code in [UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER] {
            cluster.on(Api::Produce).partition("t", 0).error(code);
        }
    }
    let start = Instant::now();
    let error = failed(&send(&producer, 0, "v"));
    assert!(start.elapsed() < limit + PROMISED, "{:?}", start.elapsed());
    let is_named = ["UNKNOWN_TOPIC", "NOT_LEADER"].map(|name| error.to_string().contains(name));
    assert!(is_named.contains(&true), "{error}");
    let sent = produced(&cluster).len();
    assert!((4..=130).contains(&sent), "{sent} requests");
    cluster.cancel_faults();
    eventually("it recovers", || result(&send(&producer, 0, "v")).is_ok());
}

/// The answer shows addresses that nobody can have.
#[test]
fn a_broker_at_an_impossible_address_leads_nothing_until_it_has_a_better_one() {
    let long = "x".repeat(30_000);
    for (host, port) in [
        ("127.0.0.1", 0),
        ("127.0.0.1", -1),
        ("127.0.0.1", 70_000),
        ("", 9092),
        (&long[..], 9092),
        ("no such host", 9092),
    ] {
        let cluster = cluster(2, 2);
        cluster.advertise(2, host, port);
        let producer = plain(&cluster);
        let waiting = send(&producer, 1, "v");
        all_delivered(&send_numbers(&producer, 0, 0..5));
        wait_for_refreshes(&cluster, 3);
        assert!(waiting.try_get().is_none(), "{host} {port}");
        let (host, port) = cluster.address(2).split_once(':').map_or_else(
            || panic!("an address has a port"),
            |(host, port)| (host.to_owned(), port.parse().expect("a number")),
        );
        cluster.advertise(2, &host, port);
        delivered(&waiting);
    }
}

/// The threads of this process that send or receive for a producer.
#[cfg(target_os = "linux")]
fn threads(of: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux shows them");
    let names = tasks.flatten().map(|task| {
        let name = std::fs::read_to_string(task.path().join("comm"));
        name.unwrap_or_default()
    });
    names.filter(|name| name.starts_with(of)).count()
}

#[test]
#[cfg(target_os = "linux")]
fn a_broker_that_left_the_cluster_has_no_thread_until_it_is_back() {
    if !crate::support::is_own_process(
        "topics::a_broker_that_left_the_cluster_has_no_thread_until_it_is_back",
    ) {
        return;
    }
    let cluster = cluster(3, 3);
    let config = config(&cluster).metadata_max_age(Duration::from_millis(20));
    let producer = producer(config.idempotence(true));
    let to_all = |value: &str| {
        let all = [0, 1, 2].map(|partition| send(&producer, partition, value));
        all_delivered(&all);
    };
    for round in ["0", "1", "2"] {
        to_all(round);
        assert_eq!((threads("milena-send-3"), threads("milena-recv-3")), (1, 1));
        cluster.stop_broker(3);
        let meanwhile = send(&producer, 2, "meanwhile");
        cluster.move_leader("t", 2, 1);
        delivered(&meanwhile);
        eventually("its threads end", || {
            threads("milena-send-3") + threads("milena-recv-3") == 0
        });
        assert_eq!(threads("milena-send-"), 2);
        cluster.start_broker(3);
        cluster.move_leader("t", 2, 3);
    }
    to_all("3");
    let expected = ["0", "meanwhile", "1", "meanwhile", "2", "meanwhile", "3"];
    assert_eq!(values(&cluster, 2), expected);
    assert_contiguous(&cluster);
}

#[test]
#[cfg(target_os = "linux")]
fn a_broker_that_leads_nothing_has_no_thread() {
    if !crate::support::is_own_process("topics::a_broker_that_leads_nothing_has_no_thread") {
        return;
    }
    let cluster = cluster(20, 3);
    let producer = plain(&cluster);
    all_delivered(&[0, 1, 2].map(|partition| send(&producer, partition, "v")));
    assert_eq!((threads("milena-send-"), threads("milena-recv-")), (3, 3));
    // One more for metadata.
    assert_eq!(cluster.connections().len(), 4);
}
