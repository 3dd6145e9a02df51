//! Connections that hang, break, lie or are refused.

use std::time::Duration;

use milena::mock::{Api, MockCluster, On};
use milena::{Acks, ErrorKind, Outcome, Producer, SecurityProtocol};

use crate::support::{
    SOON, WITHOUT_SASL, all_delivered, assert_contiguous, cluster, config, delivered, exactly_once,
    failed, numbers, plain, produced, producer, send, send_numbers, values,
};

/// Longer than a connection may rest without being looked at before it is used.
const REST: Duration = Duration::from_millis(50);

#[test]
fn an_answer_that_does_not_come_is_unknown_and_the_next_record_finds_a_new_connection() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(200);
    let producer = producer(config(&cluster).request_timeout(limit));
    delivered(&send(&producer, 0, "0"));
    cluster.on(Api::Produce).never_answer();
    let error = failed(&send(&producer, 0, "lost"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::Unknown)
    );
    let text = error.to_string();
    assert!(
        text.contains("200 ms") && text.contains(&cluster.address(1)),
        "{text}"
    );
    delivered(&send(&producer, 0, "1"));
    assert_eq!(values(&cluster, 0), numbers(0..2));
    let nodes = produced(&cluster)
        .into_iter()
        .map(|request| request.connection);
    let connections: Vec<_> = nodes.collect();
    assert!(connections[1] != connections[2], "{connections:?}");
}

#[test]
fn a_black_hole_is_left_as_soon_as_it_answers() {
    for is_frozen in [false, true] {
        let cluster = cluster(1, 1);
        let config = config(&cluster).request_timeout(Duration::from_millis(100));
        let producer = producer(config.idempotence(true).batch_size(0));
        delivered(&send(&producer, 0, "0"));
        match is_frozen {
            true => cluster.freeze_broker(1),
            false => cluster.mute_broker(1),
        }
        let deliveries = send_numbers(&producer, 0, 1..20);
        assert!(
            deliveries[0]
                .wait_timeout(Duration::from_millis(300))
                .is_none()
        );
        cluster.thaw_broker(1);
        all_delivered(&deliveries);
        assert_eq!(values(&cluster, 0), numbers(0..20));
        assert_contiguous(&cluster);
    }
}

#[test]
fn answers_may_come_byte_by_byte() {
    let cluster = cluster(1, 1);
    for api in WITHOUT_SASL {
        cluster
            .on(api)
            .always()
            .in_pieces(1, Duration::ZERO)
            .answer();
    }
    let producer = exactly_once(&cluster);
    all_delivered(&send_numbers(&producer, 0, 0..20));
    assert_eq!(values(&cluster, 0), numbers(0..20));
}

/// Broker 1 spoils one answer: its connection is closed, all its records are sent once in the end,
/// and the connection to broker 2 is the first and only one.
#[track_caller]
fn spoil(script: impl FnOnce(On<'_>)) {
    let cluster = cluster(2, 2);
    let producer = exactly_once(&cluster);
    all_delivered(&[send(&producer, 0, "0"), send(&producer, 1, "0")]);
    script(cluster.on(Api::Produce).node(1).skip(1));
    let mut deliveries = send_numbers(&producer, 0, 1..20);
    deliveries.extend(send_numbers(&producer, 1, 1..20));
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 0), numbers(0..20));
    assert_eq!(values(&cluster, 1), numbers(0..20));
    assert_contiguous(&cluster);
    let used = |node: i32| {
        let requests = produced(&cluster).into_iter();
        let mut used: Vec<_> = requests
            .filter(|request| request.node == node)
            .map(|request| request.connection)
            .collect();
        used.dedup();
        used.len()
    };
    assert_eq!((used(1), used(2)), (2, 1));
}

#[test]
fn an_answer_to_another_request_closes_the_connection() {
    spoil(|on| drop(on.wrong_correlation_id(1)));
    spoil(|on| drop(on.wrong_correlation_id(-1)));
}

#[test]
fn half_an_answer_closes_the_connection() {
    for bytes in [0, 3, 4, 7, 30] {
        spoil(|on| drop(on.cut(bytes)));
    }
}

#[test]
fn garbage_closes_the_connection() {
    spoil(|on| drop(on.garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n")));
    spoil(|on| drop(on.garbage(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])));
    spoil(|on| drop(on.garbage(&[0xff; 64])));
    spoil(|on| drop(on.garbage(&[0, 0, 0, 0])));
    spoil(|on| drop(on.body(|_| vec![0xff; 40])));
    spoil(|on| drop(on.body(|_| Vec::new())));
}

/// The answer is well formed and names no partition at all.
#[test]
fn an_answer_without_the_partition_is_no_acknowledgement() {
    let cluster = cluster(1, 1);
    cluster.versions(Api::Produce, 3..=3);
    let producer = producer(config(&cluster).acks(Acks::All));
    cluster.on(Api::Produce).body(|_| vec![0; 8]);
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Protocol, Outcome::Unknown)
    );
}

#[test]
fn a_connection_that_the_broker_closed_while_it_rested_costs_no_record() {
    for acks in [Acks::None, Acks::Leader] {
        let cluster = cluster(1, 1);
        let producer = producer(config(&cluster).acks(acks));
        delivered(&send(&producer, 0, "0"));
        cluster.wait_for_records("t", 0, 1, SOON);
        cluster.disconnect(1);
        std::thread::sleep(REST);
        delivered(&send(&producer, 0, "1"));
        cluster.wait_for_records("t", 0, 2, SOON);
        assert_eq!(values(&cluster, 0), numbers(0..2));
    }
}

#[test]
fn a_connection_that_rests_for_long_is_closed_and_opened_again() {
    let cluster = cluster(1, 1);
    let idle = Duration::from_millis(100);
    let producer = producer(config(&cluster).connections_max_idle(idle));
    delivered(&send(&producer, 0, "0"));
    let is_over = |cluster: &MockCluster| {
        let all = cluster.connections();
        all.iter().all(|connection| !connection.is_open)
    };
    assert!(
        cluster.wait_for(SOON, is_over),
        "{:?}",
        cluster.connections()
    );
    delivered(&send(&producer, 0, "1"));
    assert_eq!(values(&cluster, 0), numbers(0..2));
}

#[test]
fn a_broker_may_restart_on_its_port() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    delivered(&send(&producer, 0, "0"));
    cluster.stop_broker(1);
    std::thread::sleep(REST);
    let meanwhile = send(&producer, 0, "1");
    cluster.start_broker(1);
    delivered(&meanwhile);
    delivered(&send(&producer, 0, "2"));
    assert_eq!(values(&cluster, 0), numbers(0..3));
}

fn with_password(cluster: &MockCluster, password: &str) -> Producer {
    cluster.sasl_plain("alice", "s3cret");
    let config = config(cluster).sasl_plain("alice", password);
    producer(
        config
            .security_protocol(SecurityProtocol::SaslPlaintext)
            .max_block(SOON),
    )
}

#[test]
fn sasl_plain_lets_in_who_knows_the_password() {
    let cluster = cluster(2, 2);
    let producer = with_password(&cluster, "s3cret");
    all_delivered(&[send(&producer, 0, "v"), send(&producer, 1, "v")]);
}

#[test]
fn a_wrong_password_fails_at_once_and_is_not_shown() {
    let cluster = cluster(1, 1);
    let producer = with_password(&cluster, "hunter2");
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Authentication, Outcome::NotWritten)
    );
    assert!(!error.is_retriable());
    let text = format!("{error} {error:?} {producer:?}");
    assert!(
        text.contains("alice") && text.contains(&cluster.address(1)),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
    assert!(produced(&cluster).is_empty());
}

#[test]
fn a_password_that_is_changed_fails_the_next_connection_and_may_be_changed_back() {
    let cluster = cluster(1, 1);
    let producer = with_password(&cluster, "s3cret");
    delivered(&send(&producer, 0, "v"));
    cluster.sasl_plain("alice", "another");
    cluster.disconnect(1);
    std::thread::sleep(REST);
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Authentication, Outcome::NotWritten)
    );
    cluster.sasl_plain("alice", "s3cret");
    delivered(&send(&producer, 0, "v"));
}

#[test]
fn a_broker_before_0_11_is_refused_with_the_version_that_is_needed() {
    let cluster = cluster(1, 1);
    cluster.versions(Api::Produce, 0..=2);
    let error = failed(&send(&plain(&cluster), 0, "v"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::UnsupportedVersion, Outcome::NotWritten)
    );
    assert!(error.to_string().contains("0.11"), "{error}");
}

#[test]
fn every_version_of_produce_delivers() {
    for version in 3..=13 {
        let cluster = cluster(1, 2);
        cluster.versions(Api::Produce, 0..=version);
        let producer = exactly_once(&cluster);
        all_delivered(&[send(&producer, 0, "0"), send(&producer, 1, "0")]);
        let requests = produced(&cluster);
        assert!(
            requests.iter().all(|request| request.version == version),
            "{requests:?}"
        );
    }
}
