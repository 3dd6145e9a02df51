//! Leaders that die, move or hang while records flow.

use std::time::Duration;

use milena::{Acks, Config};

use crate::kafka::{Cluster, Version, until};
use crate::load::{
    assert_none_missing, assert_once_in_order, assert_sequences, await_delivered, await_more, load,
    patient, read_numbers,
};

const PARTITIONS: i32 = 3;
/// Before the leader is disturbed.
const BEFORE: u64 = 200_000;
const LEAST: u64 = 1_000_000;
const LIMIT: Duration = Duration::from_secs(60);

#[test]
#[ignore = "needs Java: run tests/run"]
fn records_follow_a_leader_that_dies_moves_or_hangs() {
    let cluster = Cluster::of(Version::V4_3_1).nodes(3).start();
    let retrying = || patient(&cluster).acks(Acks::All);
    let idempotent = || patient(&cluster).idempotence(true);

    let told = under_death(&cluster, retrying(), "death-retries");
    none_missing(&cluster, "death-retries", told.len());
    let told = under_moves(&cluster, retrying(), "moves-retries");
    none_missing(&cluster, "moves-retries", told.len());

    for (topic, told) in [
        ("death", under_death(&cluster, idempotent(), "death")),
        ("moves", under_moves(&cluster, idempotent(), "moves")),
        ("pause", under_pause(&cluster, idempotent(), "pause")),
    ] {
        let found = read_numbers(&cluster, topic);
        assert_once_in_order(&found, told.len() as u64);
        assert!(told == found, "{topic}: an offset is not as told");
        let batches = assert_sequences(&cluster, topic, PARTITIONS);
        println!("{topic}: {} records in {batches} batches", told.len());
    }
}

fn under_death(cluster: &Cluster, config: Config, topic: &str) -> Vec<(i32, i64, u64)> {
    cluster.create_topic(topic, PARTITIONS, 3, &[]);
    all_in_sync(cluster, topic);
    let leader = cluster.leader_of(topic, 0).expect("a leader");
    let told = load(config, topic, LEAST, |producer| {
        await_delivered(producer, BEFORE);
        cluster.kill(leader);
        until("another node leads", LIMIT, || {
            cluster.leader_of(topic, 0).filter(|&other| other != leader)
        });
        await_more(producer, BEFORE);
        assert!(producer.metrics().retries > 0);
    });
    cluster.restart(leader);
    all_in_sync(cluster, topic);
    told
}

/// The leader of partition 0 stops, as when its disk hangs, and comes back when another leads.
fn under_pause(cluster: &Cluster, config: Config, topic: &str) -> Vec<(i32, i64, u64)> {
    cluster.create_topic(topic, PARTITIONS, 3, &[]);
    all_in_sync(cluster, topic);
    let leader = cluster.leader_of(topic, 0).expect("a leader");
    let config = config.request_timeout(Duration::from_secs(2));
    let told = load(config, topic, LEAST, |producer| {
        await_delivered(producer, BEFORE);
        cluster.pause(leader);
        until("another node leads", LIMIT, || {
            cluster.leader_of(topic, 0).filter(|&other| other != leader)
        });
        await_more(producer, BEFORE);
        cluster.resume(leader);
        await_more(producer, BEFORE);
        assert!(producer.metrics().retries > 0);
    });
    all_in_sync(cluster, topic);
    told
}

/// The leader of partition 0 moves to each node.
fn under_moves(cluster: &Cluster, config: Config, topic: &str) -> Vec<(i32, i64, u64)> {
    cluster.create_topic(topic, PARTITIONS, 3, &[]);
    all_in_sync(cluster, topic);
    load(config, topic, LEAST, |producer| {
        await_delivered(producer, BEFORE);
        for node in 1..=3 {
            cluster.move_leader(topic, 0, node);
            await_more(producer, BEFORE);
        }
        assert!(producer.metrics().retries > 0);
    })
}

fn none_missing(cluster: &Cluster, topic: &str, count: usize) {
    let again = assert_none_missing(&read_numbers(cluster, topic), count as u64);
    println!("{topic}: {again} of {count} records came again");
}

fn all_in_sync(cluster: &Cluster, topic: &str) {
    for partition in 0..PARTITIONS {
        until("all nodes are in sync", LIMIT, || {
            (cluster.in_sync(topic, partition) == [1, 2, 3]).then_some(())
        });
    }
}
