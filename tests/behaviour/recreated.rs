//! Topics that are deleted and made anew under their name while records are on their way.

use std::time::{Duration, Instant};

use milena::mock::{Api, FirstSequence, MockCluster};
use milena::{Acks, Outcome, Producer};

use crate::oracle::assert_exactly_once;
use crate::support::{
    PROMISED, SOON, all_delivered, cluster, config, delivered, failed, numbers, produced, producer,
    result, send, send_numbers, values,
};

const LIMIT: Duration = Duration::from_secs(2);

/// The newest Produce version that names topics, and one that has their ids.
const VERSIONS: [i16; 2] = [12, 13];

/// A producer of batches with one record, after it has sent 0 to 4, to a broker of this version.
fn started(version: i16, is_idempotent: bool) -> (MockCluster, Producer) {
    let cluster = cluster(1, 1);
    cluster.versions(Api::Produce, 3..=version);
    let config = config(&cluster).batch_size(0).request_timeout(LIMIT / 2);
    let config = config.delivery_timeout(LIMIT).idempotence(is_idempotent);
    let config = match is_idempotent {
        true => config,
        false => config.acks(Acks::All).retries(u32::MAX),
    };
    let producer = producer(config);
    all_delivered(&send_numbers(&producer, 0, 0..5));
    (cluster, producer)
}

fn make_anew(cluster: &MockCluster) {
    cluster.delete_topic("t");
    cluster.create_topic("t", 1);
}

/// The request is under way when the topic is deleted, and comes to the new one.
#[test]
fn records_that_the_old_topic_did_not_get_go_to_the_new_one() {
    for version in VERSIONS {
        for rule in [FirstSequence::Any, FirstSequence::ZeroInNewLog] {
            let (cluster, producer) = started(version, true);
            cluster.set_first_sequence(rule);
            let gate = cluster.gate();
            cluster.on(Api::Produce).hold(&gate).answer();
            let start = Instant::now();
            let deliveries = send_numbers(&producer, 0, 5..8);
            assert!(gate.wait_for_held(1, SOON));
            make_anew(&cluster);
            gate.open();
            all_delivered(&deliveries);
            all_delivered(&send_numbers(&producer, 0, 8..20));
            assert!(start.elapsed() < LIMIT + PROMISED);
            assert_eq!(values(&cluster, 0), numbers(5..20), "version {version}");
            assert_exactly_once(&cluster, 0..1);
            assert!(produced(&cluster).len() < 40, "it goes round and round");
        }
    }
}

/// The old topic has the record, and its answer is lost: with ids, nobody can tell any more.
#[test]
fn a_record_that_the_old_topic_may_have_is_unknown_and_those_behind_it_go_on() {
    for version in VERSIONS {
        for rule in [FirstSequence::Any, FirstSequence::ZeroInNewLog] {
            let (cluster, producer) = started(version, true);
            cluster.set_first_sequence(rule);
            let gate = cluster.gate();
            let on = cluster.on(Api::Produce).after_handling();
            on.hold(&gate).disconnect();
            let doubtful = send(&producer, 0, "doubtful");
            assert!(gate.wait_for_held(1, SOON));
            let start = Instant::now();
            make_anew(&cluster);
            gate.open();
            let result = result(&doubtful);
            let copies = |value: &str| values(&cluster, 0).iter().filter(|v| *v == value).count();
            match &result {
                Ok(_) => assert_eq!((version, copies("doubtful")), (12, 1)),
                Err(error) => {
                    assert_eq!((error.outcome(), copies("doubtful")), (Outcome::Unknown, 0));
                    let text = error.to_string();
                    assert!(version == 12 || text.contains("made anew"), "{text}");
                }
            }
            all_delivered(&send_numbers(&producer, 0, 5..10));
            assert!(start.elapsed() < LIMIT + PROMISED);
            let mut logged = values(&cluster, 0);
            logged.retain(|value| value != "doubtful");
            assert_eq!(logged, numbers(5..10), "version {version}");
            assert_exactly_once(&cluster, 0..1);
        }
    }
}

/// Between batches nothing is lost, and the new log begins with sequence 0 of a fresh epoch.
#[test]
fn a_new_topic_begins_with_a_fresh_epoch() {
    let (cluster, producer) = started(13, true);
    cluster.set_first_sequence(FirstSequence::ZeroInNewLog);
    make_anew(&cluster);
    delivered(&send(&producer, 0, "5"));
    let records = cluster.records("t", 0);
    assert_eq!((records.len(), records[0].sequence), (1, 0));
    assert_eq!(records[0].producer_epoch, 1);
    assert_exactly_once(&cluster, 0..1);
}

/// Without idempotence a retry may make a copy anyway.
#[test]
fn without_idempotence_retries_go_to_the_new_topic() {
    for version in VERSIONS {
        let (cluster, producer) = started(version, false);
        let gate = cluster.gate();
        let on = cluster.on(Api::Produce).after_handling();
        on.hold(&gate).disconnect();
        let deliveries = send_numbers(&producer, 0, 5..8);
        assert!(gate.wait_for_held(1, SOON));
        make_anew(&cluster);
        gate.open();
        all_delivered(&deliveries);
        assert_eq!(values(&cluster, 0), numbers(5..8), "version {version}");
    }
}

/// It is deleted for good: its records have their time, and no more.
#[test]
fn a_topic_that_does_not_come_back_costs_its_records_their_time() {
    for version in VERSIONS {
        let (cluster, producer) = started(version, true);
        cluster.delete_topic("t");
        let start = Instant::now();
        let deliveries = send_numbers(&producer, 0, 5..8);
        for delivery in &deliveries {
            failed(delivery);
        }
        assert!(start.elapsed() < LIMIT + PROMISED);
        assert!(produced(&cluster).len() < 400, "no pause between attempts");
    }
}
