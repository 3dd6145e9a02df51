//! The order of a partition's records, through refusals, lost connections and moved leaders.

use std::time::Duration;

use milena::mock::{Api, MockCluster};
use milena::{Acks, Config, Delivery, Producer};

use crate::oracle::assert_exactly_once;
use crate::support::{
    NOT_ENOUGH_REPLICAS, NOT_LEADER, REQUEST_TIMED_OUT, SOON, all_delivered, cluster, config,
    count_of, delivered, exactly_once, numbers, produced, producer, send, send_numbers, values,
};

fn retrying(cluster: &MockCluster) -> Config {
    let config = config(cluster).acks(Acks::All).retries(u32::MAX);
    config.batch_size(0)
}

/// The numbers of `t`'s partition, of which every one may come again right away.
#[track_caller]
fn assert_in_order(cluster: &MockCluster, partition: i32, count: usize) {
    let mut seen = values(cluster, partition);
    seen.dedup();
    assert_eq!(seen, numbers(0..count), "partition {partition}");
}

fn send_to_all(producer: &Producer, partitions: i32, count: usize) -> Vec<Delivery> {
    let places = (0..count).flat_map(|number| (0..partitions).map(move |one| (number, one)));
    places
        .map(|(number, partition)| send(producer, partition, &number.to_string()))
        .collect()
}

#[test]
fn order_holds_through_refusals() {
    let cluster = cluster(2, 4);
    let producer = producer(retrying(&cluster));
    for (skip, code) in [
        (3, NOT_ENOUGH_REPLICAS),
        (2, NOT_LEADER),
        (4, REQUEST_TIMED_OUT),
    ] {
        for partition in 0..4 {
            let on = cluster.on(Api::Produce).partition("t", partition);
            on.skip(skip + partition as usize).times(2).error(code);
        }
    }
    all_delivered(&send_to_all(&producer, 4, 50));
    for partition in 0..4 {
        assert_eq!(values(&cluster, partition), numbers(0..50));
    }
}

#[test]
fn order_holds_through_lost_connections() {
    let cluster = cluster(2, 4);
    let producer = producer(retrying(&cluster));
    cluster.on(Api::Produce).node(1).skip(5).disconnect();
    cluster
        .on(Api::Produce)
        .node(1)
        .skip(9)
        .after_handling()
        .disconnect();
    cluster.on(Api::Produce).node(2).skip(7).cut(6);
    cluster
        .on(Api::Produce)
        .node(2)
        .skip(3)
        .after_handling()
        .disconnect();
    all_delivered(&send_to_all(&producer, 4, 50));
    (0..4).for_each(|partition| assert_in_order(&cluster, partition, 50));
}

/// The refusal names the new leader, so that metadata is not needed.
#[test]
fn a_moved_leader_is_followed_where_the_refusal_points() {
    let cluster = cluster(2, 1);
    let producer = producer(retrying(&cluster));
    delivered(&send(&producer, 0, "0"));
    cluster.freeze_metadata();
    cluster.move_leader("t", 0, 2);
    all_delivered(&send_numbers(&producer, 0, 1..30));
    assert_eq!(values(&cluster, 0), numbers(0..30));
    let refused = produced(&cluster).into_iter().skip(1);
    assert_eq!(refused.filter(|request| request.node == 1).count(), 1);
}

#[test]
fn a_moved_leader_is_found_by_metadata_alone() {
    let cluster = cluster(2, 1);
    cluster.versions(Api::Produce, 3..=9);
    let producer = producer(retrying(&cluster));
    delivered(&send(&producer, 0, "0"));
    cluster.move_leader("t", 0, 2);
    all_delivered(&send_numbers(&producer, 0, 1..30));
    assert_eq!(values(&cluster, 0), numbers(0..30));
}

#[test]
fn stale_metadata_is_asked_again_until_it_is_right() {
    let cluster = cluster(2, 1);
    cluster.versions(Api::Produce, 3..=9);
    let producer = producer(retrying(&cluster));
    delivered(&send(&producer, 0, "0"));
    cluster.freeze_metadata();
    cluster.move_leader("t", 0, 2);
    let deliveries = send_numbers(&producer, 0, 1..10);
    let asked = |cluster: &MockCluster| count_of(cluster, Api::Metadata).len() >= 4;
    assert!(cluster.wait_for(SOON, asked));
    assert!(deliveries[0].try_get().is_none());
    cluster.release_metadata();
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 0), numbers(0..10));
}

#[test]
fn records_wait_through_a_spell_without_a_leader() {
    let cluster = cluster(2, 2);
    let producer = producer(retrying(&cluster));
    delivered(&send(&producer, 1, "0"));
    cluster.stop_broker(2);
    let deliveries = send_numbers(&producer, 1, 1..20);
    let asked = count_of(&cluster, Api::Metadata).len();
    let asks = |cluster: &MockCluster| count_of(cluster, Api::Metadata).len() >= asked + 3;
    assert!(cluster.wait_for(SOON, asks));
    all_delivered(&send_numbers(&producer, 0, 0..20));
    cluster.move_leader("t", 1, 1);
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 1), numbers(0..20));
}

#[test]
fn a_leader_that_moves_again_and_again_costs_no_record_and_no_order() {
    let cluster = cluster(3, 3);
    let producer = exactly_once(&cluster);
    let mut deliveries = Vec::new();
    for round in 0..30 {
        for partition in 0..3 {
            let numbers = round * 5..round * 5 + 5;
            deliveries.extend(send_numbers(&producer, partition, numbers));
        }
        let moved = round as i32 % 3;
        let next = cluster.leader("t", moved) % 3 + 1;
        cluster.move_leader("t", moved, next);
    }
    all_delivered(&deliveries);
    for partition in 0..3 {
        assert_eq!(values(&cluster, partition), numbers(0..150));
    }
    assert_exactly_once(&cluster, 0..3);
}

/// The new leader gets nothing while the old one may still append what it was sent.
#[test]
fn nothing_goes_to_a_new_leader_while_the_old_one_has_not_answered() {
    let cluster = cluster(2, 1);
    let gate = cluster.gate();
    let config = retrying(&cluster).metadata_max_age(Duration::from_millis(50));
    let producer = producer(config);
    delivered(&send(&producer, 0, "0"));
    cluster
        .on(Api::Produce)
        .node(1)
        .after_handling()
        .hold(&gate)
        .answer();
    let mut deliveries = vec![send(&producer, 0, "1")];
    assert!(gate.wait_for_held(1, SOON));
    cluster.move_leader("t", 0, 2);
    deliveries.extend(send_numbers(&producer, 0, 2..6));
    let asked = count_of(&cluster, Api::Metadata).len();
    let knows = |cluster: &MockCluster| count_of(cluster, Api::Metadata).len() >= asked + 3;
    assert!(cluster.wait_for(SOON, knows));
    assert!(produced(&cluster).iter().all(|request| request.node == 1));
    gate.open();
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 0), numbers(0..6));
}
