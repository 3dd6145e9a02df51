//! Leaders that move, freeze, refuse or cannot be found.

use std::time::{Duration, Instant};

use milena::mock::{Api, MockCluster, MockRequest};
use milena::{Acks, Config, ErrorKind};

use crate::support::{
    NOT_LEADER, PROMISED, SOON, all_delivered, assert_contiguous, cluster, config, count_of,
    delivered, eventually, exactly_once, failed, numbers, produced, producer, send, send_numbers,
    values, wait_for_produced, wait_for_refreshes,
};

fn retrying(cluster: &MockCluster) -> Config {
    let config = config(cluster).acks(Acks::All).retries(u32::MAX);
    config.batch_size(0)
}

/// The back-off would take longer than the test waits.
#[test]
fn a_leader_that_the_refusal_names_is_followed_without_a_rest() {
    let cluster = cluster(2, 1);
    let config = retrying(&cluster).retry_backoff(3 * SOON);
    let producer = producer(config.retry_backoff_max(3 * SOON));
    delivered(&send(&producer, 0, "0"));
    cluster.move_leader("t", 0, 2);
    all_delivered(&send_numbers(&producer, 0, 1..10));
    let nodes: Vec<_> = produced(&cluster).iter().map(|one| one.node).collect();
    assert_eq!(nodes[..3], [1, 1, 2]);
    assert_eq!(values(&cluster, 0), numbers(0..10));
    producer.close_timeout(Duration::ZERO).expect("closed");
}

/// The old leader has the batches, refuses all of them, and only after the new one is known.
#[test]
fn batches_at_a_deposed_leader_come_to_the_new_one_in_order_and_one_at_a_time() {
    for held in [3, 5] {
        let cluster = cluster(2, 1);
        let config = config(&cluster).metadata_max_age(Duration::from_millis(20));
        let producer = producer(config.idempotence(true).batch_size(0));
        delivered(&send(&producer, 0, "0"));
        let gate = cluster.gate();
        cluster.on(Api::Produce).node(1).hold(&gate).answer();
        let mut deliveries = send_numbers(&producer, 0, 1..held + 1);
        wait_for_produced(&cluster, held + 1);
        cluster.move_leader("t", 0, 2);
        let slow = cluster.on(Api::Produce).node(2).always();
        let slow = slow.delay(Duration::from_millis(20)).answer();
        wait_for_refreshes(&cluster, 3);
        deliveries.extend(send_numbers(&producer, 0, held + 1..9));
        wait_for_refreshes(&cluster, 3);
        assert!(produced(&cluster).iter().all(|request| request.node == 1));
        gate.open();
        all_delivered(&deliveries);
        assert_eq!((slow.hits(), values(&cluster, 0)), (8, numbers(0..9)));
        let moved: Vec<_> = produced(&cluster).split_off(held + 1);
        assert!(moved.iter().all(|request| request.node == 2), "{moved:?}");
        // What was refused goes again alone, lowest first.
        for (sequence, request) in (1..).zip(&moved[..held]) {
            let batch = &request.batches()[0];
            assert_eq!((request.in_flight, batch.base_sequence), (1, sequence));
        }
        assert_contiguous(&cluster);
    }
}

/// It wakes when its batches are in the log of the new leader already.
#[test]
fn a_leader_that_froze_and_was_deposed_adds_nothing_when_it_wakes() {
    let cluster = cluster(2, 1);
    let config = config(&cluster).request_timeout(Duration::from_millis(300));
    let config = config.metadata_max_age(Duration::from_millis(50));
    let producer = producer(config.idempotence(true).batch_size(0));
    delivered(&send(&producer, 0, "0"));
    cluster.mute_broker(1);
    let deliveries = send_numbers(&producer, 0, 1..10);
    wait_for_produced(&cluster, 6);
    cluster.move_leader("t", 0, 2);
    all_delivered(&deliveries);
    cluster.thaw_broker(1);
    all_delivered(&send_numbers(&producer, 0, 10..20));
    assert_eq!(values(&cluster, 0), numbers(0..20));
    assert_contiguous(&cluster);
}

#[test]
fn a_leader_that_froze_may_wake_while_its_requests_wait_in_the_socket() {
    let cluster = cluster(2, 1);
    let config = config(&cluster).request_timeout(Duration::from_millis(300));
    let config = config.metadata_max_age(Duration::from_millis(50));
    let producer = producer(config.idempotence(true).batch_size(0));
    delivered(&send(&producer, 0, "0"));
    cluster.freeze_broker(1);
    let deliveries = send_numbers(&producer, 0, 1..10);
    cluster.move_leader("t", 0, 2);
    delivered(&deliveries[0]);
    cluster.thaw_broker(1);
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 0), numbers(0..10));
    assert_contiguous(&cluster);
}

#[test]
fn ten_partitions_whose_leaders_go_to_and_fro_make_progress() {
    const PARTITIONS: i32 = 10;
    const COUNT: usize = 150;
    for version in [9, 13] {
        let cluster = cluster(2, PARTITIONS);
        cluster.versions(Api::Produce, 3..=version);
        let producer = exactly_once(&cluster);
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let mut deliveries = Vec::new();
                for number in 0..COUNT {
                    for partition in 0..PARTITIONS {
                        deliveries.push(send(&producer, partition, &number.to_string()));
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                all_delivered(&deliveries);
            });
            while !sending.is_finished() {
                for partition in 0..PARTITIONS {
                    let other = 3 - cluster.leader("t", partition);
                    cluster.move_leader("t", partition, other);
                }
                std::thread::sleep(Duration::from_millis(60));
            }
            sending.join().expect("no panic");
        });
        for partition in 0..PARTITIONS {
            assert_eq!(values(&cluster, partition), numbers(0..COUNT));
        }
        assert_contiguous(&cluster);
    }
}

#[test]
fn a_batch_that_moves_to_a_broker_with_an_older_version_keeps_its_bytes() {
    let cluster = cluster(2, 1);
    cluster.versions_of(2, Api::Produce, 3..=7);
    let producer = exactly_once(&cluster);
    delivered(&send(&producer, 0, "0"));
    let gate = cluster.gate();
    cluster.on(Api::Produce).node(1).hold(&gate).answer();
    let deliveries = send_numbers(&producer, 0, 1..4);
    wait_for_produced(&cluster, 4);
    cluster.move_leader("t", 0, 2);
    gate.open();
    all_delivered(&deliveries);
    let crcs = |requests: &[MockRequest]| -> Vec<u32> {
        let batches = requests.iter().flat_map(MockRequest::batches);
        batches.map(|batch| batch.crc).collect()
    };
    let requests = produced(&cluster);
    let versions: Vec<_> = requests.iter().map(|one| one.version).collect();
    assert_eq!(versions, [13, 13, 13, 13, 7, 7, 7]);
    assert_eq!(crcs(&requests[1..4]), crcs(&requests[4..]));
    assert_eq!(values(&cluster, 0), numbers(0..4));
}

/// Metadata names a leader that refuses, again and again.
#[test]
fn records_wait_while_every_broker_says_that_it_does_not_lead() {
    let cluster = cluster(2, 1);
    let pause = Duration::from_millis(50);
    let config = config(&cluster)
        .retry_backoff(pause)
        .retry_backoff_max(pause);
    let config = config.metadata_max_age(Duration::from_secs(3600));
    let producer = producer(config.idempotence(true).batch_size(0));
    delivered(&send(&producer, 0, "0"));
    let before = count_of(&cluster, Api::Metadata).len();
    let refusal = cluster.on(Api::Produce).always().error(NOT_LEADER);
    let start = Instant::now();
    let deliveries = send_numbers(&producer, 0, 1..10);
    assert!(refusal.wait_for_hits(8, SOON));
    let most = 2 + start.elapsed().as_millis() as usize / 40;
    let asked = count_of(&cluster, Api::Metadata).len() - before;
    let sent = refusal.hits();
    assert!((2..=most).contains(&asked), "{asked} metadata requests");
    assert!(sent <= most + 5, "{sent} produce requests");
    refusal.cancel();
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 0), numbers(0..10));
    // If it lasts, the record's time ends it.
    let limit = Duration::from_millis(300);
    let config = retrying(&cluster)
        .request_timeout(limit)
        .delivery_timeout(limit);
    cluster.on(Api::Produce).always().error(NOT_LEADER);
    let (producer, start) = (crate::support::producer(config), Instant::now());
    let error = failed(&send(&producer, 0, "v"));
    assert!(start.elapsed() < limit + PROMISED, "{:?}", start.elapsed());
    assert!(error.to_string().contains("NOT_LEADER"), "{error}");
}

/// The batch is sent again, and the cluster is asked who leads.
#[test]
fn every_refusal_that_speaks_of_leadership_is_retried_after_a_look_at_the_cluster() {
    for (code, name) in [
        (5, "LEADER_NOT_AVAILABLE"),
        (NOT_LEADER, "NOT_LEADER_OR_FOLLOWER"),
        (9, "REPLICA_NOT_AVAILABLE"),
        (56, "KAFKA_STORAGE_ERROR"),
        (74, "FENCED_LEADER_EPOCH"),
        (75, "UNKNOWN_LEADER_EPOCH"),
    ] {
        let cluster = cluster(1, 1);
        let producer = producer(retrying(&cluster));
        delivered(&send(&producer, 0, "0"));
        // It waits for metadata, and so for what the first send may have asked for.
        let nowhere = failed(&send(&producer, 7, "nowhere"));
        assert_eq!(nowhere.kind(), ErrorKind::PartitionOutOfRange, "{nowhere}");
        let asked = count_of(&cluster, Api::Metadata).len();
        cluster.on(Api::Produce).partition("t", 0).error(code);
        delivered(&send(&producer, 0, "1"));
        let asked = count_of(&cluster, Api::Metadata).len() - asked;
        assert_eq!((asked, values(&cluster, 0)), (1, numbers(0..2)), "{name}");
    }
}

/// With acks=0 nothing is answered: the old leader hangs up, and that is all it says.
#[test]
fn without_answers_a_hang_up_is_reason_enough_to_look_for_the_leader() {
    let cluster = cluster(2, 1);
    let config = config(&cluster).metadata_max_age(Duration::from_secs(3600));
    let producer = producer(config.acks(Acks::None));
    delivered(&send(&producer, 0, "before"));
    cluster.wait_for_records("t", 0, 1, SOON);
    cluster.move_leader("t", 0, 2);
    eventually("records reach the new leader", || {
        delivered(&send(&producer, 0, "after"));
        let requests = produced(&cluster);
        requests.last().is_some_and(|request| request.node == 2)
    });
}
