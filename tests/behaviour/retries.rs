//! What is sent again, how often, and what is told of a record that failed.

use std::time::{Duration, Instant};

use milena::mock::{Api, MockCluster, On};
use milena::{Acks, Error, ErrorKind, Outcome, Producer};

use crate::support::{
    NOT_ENOUGH_REPLICAS, NOT_LEADER, PROMISED, REQUEST_TIMED_OUT, SOON, all_delivered, cluster,
    config, delivered, eventually, failed, plain, produced, producer, send, send_numbers, values,
};

const NOT_ENOUGH_REPLICAS_AFTER_APPEND: i16 = 20;

fn with_acks_all(cluster: &MockCluster, retries: u32) -> Producer {
    producer(config(cluster).acks(Acks::All).retries(retries))
}

/// Sends one record into a fault, without retries.
fn fail_once(script: impl FnOnce(On<'_>)) -> (Error, MockCluster) {
    let cluster = cluster(1, 1);
    let producer = with_acks_all(&cluster, 0);
    script(cluster.on(Api::Produce).partition("t", 0));
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!((produced(&cluster).len(), error.attempts()), (1, 1));
    (error, cluster)
}

#[test]
fn without_retries_a_refused_record_is_not_written() {
    let (error, cluster) = fail_once(|on| drop(on.error(NOT_ENOUGH_REPLICAS)));
    assert_eq!(
        (error.code(), error.outcome()),
        (Some(19), Outcome::NotWritten)
    );
    assert!(error.is_retriable());
    let text = error.to_string();
    assert!(
        text.contains("not sent again because retries is 0"),
        "{text}"
    );
    assert!(
        text.contains("t-0") && text.contains(&cluster.address(1)),
        "{text}"
    );
    assert!(values(&cluster, 0).is_empty());
}

#[test]
fn an_error_after_the_append_leaves_the_outcome_unknown() {
    for code in [
        NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        REQUEST_TIMED_OUT,
        NOT_LEADER,
    ] {
        let (error, cluster) = fail_once(|on| drop(on.after_handling().error(code)));
        assert_eq!(
            (error.code(), error.outcome()),
            (Some(code), Outcome::Unknown)
        );
        assert_eq!(values(&cluster, 0), ["v"]);
    }
}

#[test]
fn a_lost_answer_leaves_the_outcome_unknown() {
    let (error, cluster) = fail_once(|on| drop(on.after_handling().disconnect()));
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(values(&cluster, 0), ["v"]);
    let (error, cluster) = fail_once(|on| drop(on.disconnect()));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Connection, Outcome::Unknown)
    );
    assert!(values(&cluster, 0).is_empty());
}

#[test]
fn a_refusal_that_stays_is_not_retried() {
    let cluster = cluster(1, 1);
    let producer = with_acks_all(&cluster, 10);
    for (code, kind) in [
        (10, ErrorKind::RecordTooLarge),
        (29, ErrorKind::Authorization),
    ] {
        cluster.forget_requests();
        cluster.on(Api::Produce).partition("t", 0).error(code);
        let error = failed(&send(&producer, 0, "v"));
        assert_eq!((error.kind(), error.code()), (kind, Some(code)));
        assert_eq!(error.outcome(), Outcome::NotWritten);
        assert_eq!(produced(&cluster).len(), 1);
    }
    delivered(&send(&producer, 0, "v"));
}

#[test]
fn retries_count_the_requests_that_follow_the_first() {
    let cluster = cluster(1, 1);
    let producer = with_acks_all(&cluster, 3);
    cluster.on(Api::Produce).times(4).error(NOT_ENOUGH_REPLICAS);
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(produced(&cluster).len(), 4);
    assert!(
        error.to_string().contains("given up after 4 attempts"),
        "{error}"
    );
    assert_eq!(error.attempts(), 4);
    cluster.on(Api::Produce).times(3).error(NOT_ENOUGH_REPLICAS);
    let start = Instant::now();
    let metadata = delivered(&send(&producer, 0, "v"));
    assert_eq!(produced(&cluster).len(), 8);
    assert_eq!((metadata.attempts(), metadata.broker_id()), (4, 1));
    // Three pauses of 5 ms, less 20 %, which double.
    let pauses = Duration::from_millis(4 + 8 + 16);
    assert!((pauses..=start.elapsed()).contains(&metadata.latency()));
}

/// An attempt whose fate is unknown is not forgotten by a later one that was refused.
#[test]
fn what_may_be_written_once_stays_unknown() {
    let cluster = cluster(1, 1);
    let producer = with_acks_all(&cluster, 1);
    cluster.on(Api::Produce).after_handling().disconnect();
    cluster.on(Api::Produce).error(NOT_ENOUGH_REPLICAS);
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(
        (error.code(), error.outcome()),
        (Some(19), Outcome::Unknown)
    );
    assert_eq!(values(&cluster, 0), ["v"]);
}

/// No byte was written, so it is no retry.
#[test]
fn records_wait_for_a_broker_that_is_down_also_without_retries() {
    let cluster = cluster(2, 2);
    let producer = plain(&cluster);
    delivered(&send(&producer, 0, "learns the leaders"));
    cluster.freeze_metadata();
    cluster.stop_broker(2);
    let waiting = send(&producer, 1, "v");
    let tries = || producer.metrics().connect_failures;
    eventually("attempts to connect", || tries() >= 3);
    assert!(waiting.try_get().is_none());
    delivered(&send(&producer, 0, "the other broker is not waited for"));
    cluster.start_broker(2);
    delivered(&waiting);
}

#[test]
fn with_every_broker_down_a_record_fails_in_time_and_says_why() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(300);
    let config = config(&cluster).retries(u32::MAX).request_timeout(limit);
    let producer = producer(config.delivery_timeout(limit));
    producer.partitions_for("t").expect("the leader is known");
    cluster.stop_broker(1);
    let start = Instant::now();
    let error = failed(&send(&producer, 0, "v"));
    assert!(start.elapsed() < limit + PROMISED, "{:?}", start.elapsed());
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::NotWritten)
    );
    assert_eq!(error.attempts(), 0);
    let text = error.to_string();
    assert!(text.contains("delivery.timeout.ms = 300 ms"), "{text}");
    assert!(
        text.contains("last cause") && text.contains(&cluster.address(1)),
        "{text}"
    );
}

#[test]
fn a_refusal_without_end_costs_few_requests_and_ends_in_time() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(1000);
    let config = config(&cluster).retry_backoff(Duration::from_millis(100));
    let config = config.retry_backoff_max(Duration::from_millis(1000));
    let config = config.request_timeout(limit).delivery_timeout(limit);
    let producer = producer(config.retries(u32::MAX).acks(Acks::All));
    cluster.on(Api::Produce).always().error(NOT_ENOUGH_REPLICAS);
    let start = Instant::now();
    let error = failed(&send(&producer, 0, "v"));
    assert!(start.elapsed() < limit + PROMISED, "{:?}", start.elapsed());
    // Its time passes while it waits, or at the last refusal.
    let is_last = error.code() == Some(NOT_ENOUGH_REPLICAS);
    assert!(error.kind() == ErrorKind::TimedOut || is_last, "{error}");
    assert!(error.to_string().contains("NOT_ENOUGH_REPLICAS"), "{error}");
    // 100, 200, 400 and 800 ms, less 20 %.
    let requests = produced(&cluster).len();
    assert!((2..=5).contains(&requests), "{requests} requests");
}

/// Every state of a cluster, and a promise: a result comes `delivery.timeout.ms` + 1 s after the
/// send, and `NotWritten` is not in the log.
#[test]
fn every_record_has_a_result_in_time_whatever_the_cluster_does() {
    let limit = Duration::from_millis(250);
    let states: [fn(&MockCluster); 6] = [
        |cluster| cluster.freeze_broker(1),
        |cluster| cluster.mute_broker(1),
        |cluster| cluster.stop_broker(1),
        |cluster| drop(cluster.on(Api::Produce).always().disconnect()),
        |cluster| {
            drop(
                cluster
                    .on(Api::Produce)
                    .always()
                    .after_handling()
                    .disconnect(),
            )
        },
        |cluster| {
            drop(
                cluster
                    .on(Api::Produce)
                    .always()
                    .after_handling()
                    .error(NOT_LEADER),
            )
        },
    ];
    for (index, state) in states.into_iter().enumerate() {
        for is_idempotent in [false, true] {
            let cluster = cluster(1, 2);
            let config = config(&cluster)
                .request_timeout(limit)
                .delivery_timeout(limit);
            let config = config.acks(Acks::All).idempotence(is_idempotent);
            let producer = producer(config.retries(u32::MAX).batch_size(0));
            delivered(&send(&producer, 0, "before"));
            state(&cluster);
            let start = Instant::now();
            let mut deliveries = send_numbers(&producer, 0, 0..5);
            deliveries.extend(send_numbers(&producer, 1, 0..5));
            let errors: Vec<Error> = deliveries.iter().map(failed).collect();
            let took = start.elapsed();
            assert!(took < limit + PROMISED, "state {index}: {took:?}");
            cluster.cancel_faults();
            for (place, error) in errors.iter().enumerate() {
                let logged = values(&cluster, place as i32 / 5);
                let value = (place % 5).to_string();
                let is_unwritten = error.outcome() == Outcome::NotWritten;
                assert!(
                    !(is_unwritten && logged.contains(&value)),
                    "state {index}: {error}"
                );
            }
            // Connections have some bytes until their requests are out of time too.
            eventually("memory is free", || producer.buffered_bytes() == 0);
            producer.close_timeout(Duration::ZERO).expect("closed");
        }
    }
}

#[test]
fn one_partitions_refusal_holds_up_no_other() {
    let cluster = cluster(1, 2);
    let producer = with_acks_all(&cluster, u32::MAX);
    let refusal = cluster.on(Api::Produce).partition("t", 0).always();
    let refusal = refusal.error(NOT_ENOUGH_REPLICAS);
    let stuck = send(&producer, 0, "stuck");
    assert!(refusal.wait_for_hits(2, SOON));
    all_delivered(&send_numbers(&producer, 1, 0..20));
    assert!(stuck.try_get().is_none());
    refusal.cancel();
    delivered(&stuck);
}
