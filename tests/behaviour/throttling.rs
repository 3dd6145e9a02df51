//! Brokers that ask for a pause, in any answer and of any length.

use std::time::{Duration, Instant};

use milena::mock::Api;
use milena::{ErrorKind, Outcome};

use crate::support::{
    HOUR, PROMISED, SOON, WITHOUT_SASL, cluster, config, count_of, delivered, eventually, failed,
    plain, producer, send,
};

const NO_TIME: i32 = -1;

#[test]
fn a_pause_counts_for_no_request_time_out_and_nothing_is_sent_in_it() {
    let cluster = cluster(1, 1);
    let (pause, request) = (Duration::from_millis(600), Duration::from_millis(200));
    cluster.on(Api::Produce).throttle(600).answer();
    let producer = producer(config(&cluster).request_timeout(request));
    let start = Instant::now();
    delivered(&send(&producer, 0, "asked to pause"));
    delivered(&send(&producer, 0, "after the pause"));
    assert!(start.elapsed() >= pause, "{:?}", start.elapsed());
    assert_eq!(count_of(&cluster, Api::Produce).len(), 2);
    assert_eq!(
        (producer.metrics().retries, producer.metrics().connects),
        (0, 1)
    );
}

/// What was on its way when the broker asked for the pause is read behind it.
#[test]
fn a_pause_counts_for_no_time_out_of_requests_that_are_on_their_way() {
    let cluster = cluster(1, 2);
    let request = Duration::from_millis(600);
    let gate = cluster.gate();
    let first = cluster.on(Api::Produce);
    first.hold(&gate).throttle(2000).answer();
    cluster.on(Api::Produce).delay(request * 2).answer();
    let producer = producer(config(&cluster).request_timeout(request));
    let held = send(&producer, 0, "asked to pause");
    let written = |count| producer.metrics().requests == count;
    eventually("the first is written", || written(1));
    let behind = send(&producer, 1, "behind it");
    eventually("the second is written", || written(2));
    gate.open();
    delivered(&held);
    delivered(&behind);
    assert_eq!(
        (producer.metrics().retries, producer.metrics().connects),
        (0, 1)
    );
}

#[test]
fn a_pause_of_less_than_nothing_is_none() {
    let cluster = cluster(1, 1);
    for api in WITHOUT_SASL {
        cluster.on(api).always().throttle(NO_TIME).answer();
    }
    let producer = producer(config(&cluster).idempotence(true));
    (0..3).for_each(|_| drop(delivered(&send(&producer, 0, "v"))));
    assert_eq!(producer.metrics().throttle_ms, 0);
}

/// A broker that throttles what is not Produce does so for its own good: these requests are rare.
#[test]
fn a_long_pause_in_other_answers_holds_up_no_record() {
    for api in [Api::ApiVersions, Api::Metadata, Api::InitProducerId] {
        let cluster = cluster(1, 1);
        cluster.on(api).always().throttle(i32::MAX).answer();
        let producer = producer(config(&cluster).idempotence(true).max_block(SOON));
        delivered(&send(&producer, 0, "v"));
        delivered(&send(&producer, 0, "w"));
    }
}

#[test]
fn records_that_a_pause_outlasts_fail_in_time_and_are_not_in_the_log() {
    for pause in [5000, i32::MAX] {
        let cluster = cluster(2, 2);
        cluster.on(Api::Produce).node(1).throttle(pause).answer();
        let limit = Duration::from_millis(200);
        let config = config(&cluster)
            .request_timeout(limit)
            .delivery_timeout(limit);
        let producer = producer(config.retries(9).max_block(HOUR));
        delivered(&send(&producer, 0, "asked to pause"));
        let start = Instant::now();
        let held_back: Vec<_> = (0..3).map(|_| send(&producer, 0, "too late")).collect();
        for delivery in &held_back {
            let error = failed(delivery);
            let told = (error.kind(), error.outcome());
            assert_eq!(told, (ErrorKind::TimedOut, Outcome::NotWritten), "{error}");
        }
        assert!(start.elapsed() < limit + PROMISED, "{:?}", start.elapsed());
        delivered(&send(&producer, 1, "another broker"));
        let start = Instant::now();
        let report = producer.close_timeout(limit).expect("not in a callback");
        assert!(start.elapsed() < limit + PROMISED, "{:?}", start.elapsed());
        assert_eq!((report.delivered, report.failed, report.unknown), (2, 3, 0));
        assert_eq!(cluster.end_offset("t", 0), 1);
    }
}

#[test]
fn the_metric_adds_up_all_pauses() {
    let cluster = cluster(1, 1);
    cluster.on(Api::Produce).times(3).throttle(7).answer();
    let producer = plain(&cluster);
    (0..4).for_each(|_| drop(delivered(&send(&producer, 0, "v"))));
    assert_eq!(producer.metrics().throttle_ms, 21);
}
