//! Exactly once, in order: producer ids, epochs, sequences.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use milena::mock::{Api, FirstSequence, MockCluster};
use milena::{ErrorKind, Outcome, Record};

use crate::oracle::assert_exactly_once;
use crate::support::{
    HOUR, NOT_ENOUGH_REPLICAS, NOT_LEADER, PROMISED, REQUEST_TIMED_OUT, SOON, all_delivered,
    cluster, config, count_of, delivered, eventually, exactly_once, failed, numbers, produced,
    producer, result, send, send_numbers, values, wait_for_produced,
};

/// Long enough for what is answered at once.
const SHORT: Duration = Duration::from_millis(300);

/// The identities that the logged records of a partition carry.
fn identities(cluster: &MockCluster, partition: i32) -> BTreeSet<(i64, i16)> {
    let records = cluster.records("t", partition).into_iter();
    records
        .map(|record| (record.producer_id, record.producer_epoch))
        .collect()
}

#[test]
fn a_lost_answer_makes_no_duplicate() {
    let cluster = cluster(1, 2);
    let producer = exactly_once(&cluster);
    let hidden = [3, 5, 9].map(|skip| {
        let on = cluster.on(Api::Produce).skip(skip).after_handling();
        on.disconnect()
    });
    let mut deliveries = send_numbers(&producer, 0, 0..60);
    deliveries.extend(send_numbers(&producer, 1, 0..60));
    all_delivered(&deliveries);
    assert!(hidden.iter().all(|fault| fault.hits() == 1));
    for partition in [0, 1] {
        assert_eq!(values(&cluster, partition), numbers(0..60));
        assert_eq!(identities(&cluster, partition).len(), 1);
    }
    assert_exactly_once(&cluster, 0..2);
    assert_eq!(count_of(&cluster, Api::InitProducerId).len(), 1);
}

#[test]
fn an_error_after_the_append_makes_no_duplicate() {
    let cluster = cluster(1, 1);
    let producer = exactly_once(&cluster);
    for code in [REQUEST_TIMED_OUT, 20, NOT_LEADER] {
        let on = cluster.on(Api::Produce).partition("t", 0).skip(2);
        on.after_handling().error(code);
    }
    all_delivered(&send_numbers(&producer, 0, 0..40));
    assert_eq!(values(&cluster, 0), numbers(0..40));
    assert_exactly_once(&cluster, 0..1);
}

#[test]
fn five_batches_of_a_partition_are_on_the_wire_once_it_is_proven() {
    let cluster = cluster(1, 1);
    let producer = exactly_once(&cluster);
    let first = cluster.gate();
    cluster
        .on(Api::Produce)
        .after_handling()
        .hold(&first)
        .answer();
    let mut deliveries = send_numbers(&producer, 0, 0..10);
    assert!(first.wait_for_held(1, SOON));
    let second = cluster.gate();
    cluster.on(Api::Produce).hold(&second).answer();
    first.open();
    wait_for_produced(&cluster, 6);
    second.open();
    deliveries.extend(send_numbers(&producer, 0, 10..20));
    all_delivered(&deliveries);
    let in_flight: Vec<_> = produced(&cluster).iter().map(|one| one.in_flight).collect();
    // A broker takes any first sequence: until it has, the second waits (KAFKA-15591).
    assert_eq!(in_flight[..2], [1, 1]);
    assert_eq!(in_flight.iter().max(), Some(&5));
    assert_eq!(values(&cluster, 0), numbers(0..20));
}

#[test]
fn a_refused_first_batch_is_not_overtaken() {
    let rules = [FirstSequence::Any, FirstSequence::ZeroInNewLog];
    let codes = [NOT_LEADER, NOT_ENOUGH_REPLICAS];
    for (code, rule) in codes
        .into_iter()
        .flat_map(|code| rules.map(|rule| (code, rule)))
    {
        let cluster = cluster(2, 1);
        cluster.set_first_sequence(rule);
        let producer = exactly_once(&cluster);
        cluster.on(Api::Produce).partition("t", 0).error(code);
        all_delivered(&send_numbers(&producer, 0, 0..10));
        assert_eq!(values(&cluster, 0), numbers(0..10));
        // The same for the first batch at another leader.
        cluster.move_leader("t", 0, 2);
        cluster
            .on(Api::Produce)
            .node(2)
            .partition("t", 0)
            .error(code);
        all_delivered(&send_numbers(&producer, 0, 10..20));
        assert_eq!(values(&cluster, 0), numbers(0..20));
        assert_exactly_once(&cluster, 0..1);
    }
}

/// The refused batch is the first of five on the wire; the other four come out of order.
#[test]
fn what_is_out_of_order_behind_a_refusal_is_sent_again_behind_it() {
    let cluster = cluster(1, 1);
    let producer = exactly_once(&cluster);
    delivered(&send(&producer, 0, "0"));
    let gate = cluster.gate();
    let on = cluster.on(Api::Produce).partition("t", 0);
    let refusal = on.hold(&gate).error(NOT_ENOUGH_REPLICAS);
    let deliveries = send_numbers(&producer, 0, 1..10);
    wait_for_produced(&cluster, 6);
    gate.open();
    all_delivered(&deliveries);
    assert_eq!((refusal.hits(), values(&cluster, 0)), (1, numbers(0..10)));
    assert_exactly_once(&cluster, 0..1);
    assert_eq!(identities(&cluster, 0).len(), 1);
}

#[test]
fn a_broker_that_has_forgotten_the_producer_costs_nothing() {
    const UNKNOWN_PRODUCER_ID: i16 = 59;
    let cluster = cluster(1, 1);
    let producer = exactly_once(&cluster);
    all_delivered(&send_numbers(&producer, 0, 0..5));
    cluster.forget_producers("t", 0);
    all_delivered(&send_numbers(&producer, 0, 5..10));
    cluster.forget_producers("t", 0);
    // So a broker before 2.5 answers all that it has not seen the beginning of.
    let on = cluster.on(Api::Produce).partition("t", 0);
    on.times(5).error(UNKNOWN_PRODUCER_ID);
    all_delivered(&send_numbers(&producer, 0, 10..15));
    assert_eq!(values(&cluster, 0), numbers(0..15));
    assert_exactly_once(&cluster, 0..1);
}

#[test]
fn a_log_that_has_lost_its_end_is_written_on() {
    const OUT_OF_ORDER: i16 = 45;
    let cluster = cluster(1, 1);
    let producer = exactly_once(&cluster);
    all_delivered(&send_numbers(&producer, 0, 0..5));
    cluster
        .on(Api::Produce)
        .partition("t", 0)
        .error(OUT_OF_ORDER);
    all_delivered(&send_numbers(&producer, 0, 5..10));
    assert_eq!(values(&cluster, 0), numbers(0..10));
    assert_eq!(identities(&cluster, 0).len(), 2);
    assert_exactly_once(&cluster, 0..1);
}

#[test]
fn a_producer_id_is_asked_for_until_a_broker_has_one() {
    let cluster = cluster(2, 1);
    let loading = cluster.on(Api::InitProducerId).error(14);
    let absent = cluster.on(Api::InitProducerId).times(2).error(15);
    let moved = cluster.on(Api::InitProducerId).error(16);
    let unknown = cluster.on(Api::InitProducerId).times(2).error(-1);
    let hang_up = cluster.on(Api::InitProducerId).disconnect();
    let slow = cluster.on(Api::InitProducerId).delay(SHORT).answer();
    let producer = exactly_once(&cluster);
    delivered(&send(&producer, 0, "v"));
    let hits = [loading, absent, moved, unknown, hang_up, slow].map(|fault| fault.hits());
    assert_eq!(hits, [1, 2, 1, 2, 1, 1]);
}

#[test]
fn records_that_wait_for_a_producer_id_have_their_time_too() {
    for is_silent in [false, true] {
        let cluster = cluster(1, 1);
        let on = cluster.on(Api::InitProducerId).always();
        let fault = match is_silent {
            true => on.never_answer(),
            false => on.error(-1),
        };
        let config = config(&cluster).idempotence(true);
        let limits = config.request_timeout(SHORT).delivery_timeout(2 * SHORT);
        let producer = producer(limits);
        let start = Instant::now();
        let error = failed(&send(&producer, 0, "v"));
        assert!(start.elapsed() < 2 * SHORT + PROMISED);
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::TimedOut, Outcome::NotWritten)
        );
        fault.cancel();
        eventually("a producer id", || result(&send(&producer, 0, "w")).is_ok());
        assert_eq!(values(&cluster, 0), ["w"]);
    }
}

#[test]
fn a_denied_producer_id_says_what_to_grant_and_may_be_granted_later() {
    let cluster = cluster(1, 1);
    let denial = cluster.on(Api::InitProducerId).always().error(31);
    let producer = exactly_once(&cluster);
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Authorization, Some(31))
    );
    assert_eq!(error.outcome(), Outcome::NotWritten);
    assert!(error.to_string().contains("IdempotentWrite"), "{error}");
    assert!(produced(&cluster).is_empty());
    denial.cancel();
    eventually("a producer id", || result(&send(&producer, 0, "w")).is_ok());
    assert_eq!(values(&cluster, 0), ["w"]);
}

/// librdkafka numbered the other partitions' batches anew when one ran out of time, those included
/// that were in the log already (its issue 4953).
#[test]
fn a_partition_out_of_time_makes_no_duplicate_in_another() {
    let cluster = cluster(2, 2);
    let limit = Duration::from_millis(1500);
    let config = config(&cluster).idempotence(true).batch_size(0);
    let producer = producer(config.request_timeout(limit).delivery_timeout(limit));
    delivered(&send(&producer, 0, "0"));
    delivered(&send(&producer, 1, "0"));
    let gate = cluster.gate();
    let refusal = cluster.on(Api::Produce).partition("t", 0).always();
    let refusal = refusal.error(NOT_ENOUGH_REPLICAS);
    let expiring = send(&producer, 0, "expires");
    assert!(expiring.wait_timeout(limit / 2).is_none());
    let hidden = cluster.on(Api::Produce).node(2).after_handling();
    hidden.hold(&gate).disconnect();
    let deliveries = send_numbers(&producer, 1, 1..4);
    assert!(gate.wait_for_held(1, SOON));
    // Its time passes while it waits or while it is on the wire.
    assert!(failed(&expiring).is_retriable());
    // In that case the refusal still has to meet it.
    eventually("every request was read", || {
        produced(&cluster).len() as u64 == producer.metrics().requests
    });
    refusal.cancel();
    delivered(&send(&producer, 0, "1"));
    gate.open();
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 0), numbers(0..2));
    assert_eq!(values(&cluster, 1), numbers(0..4));
    assert_eq!(
        (identities(&cluster, 0).len(), identities(&cluster, 1).len()),
        (2, 1)
    );
}

/// The batch is in the log, its time passes, and only then is the next one sent.
#[test]
fn a_batch_that_ran_out_of_time_is_neither_repeated_nor_in_the_way() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(300);
    let config = config(&cluster).idempotence(true).batch_size(0);
    let producer = producer(config.request_timeout(limit).delivery_timeout(limit));
    delivered(&send(&producer, 0, "0"));
    cluster.on(Api::Produce).after_handling().never_answer();
    let error = failed(&send(&producer, 0, "1"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::Unknown)
    );
    eventually("the next", || result(&send(&producer, 0, "2")).is_ok());
    let logged = values(&cluster, 0);
    let ones = logged.iter().filter(|value| *value == "1").count();
    assert_eq!(
        (ones, logged.last().map(String::as_str)),
        (1, Some("2")),
        "{logged:?}"
    );
}

#[test]
fn a_batch_that_is_too_large_for_the_broker_fails_alone() {
    let cluster = cluster(1, 1);
    cluster.set_max_message_bytes("t", 500);
    let producer = exactly_once(&cluster);
    delivered(&send(&producer, 0, "0"));
    let before = send_numbers(&producer, 0, 1..5);
    let large = send(&producer, 0, &"x".repeat(600));
    let behind = send_numbers(&producer, 0, 5..20);
    let error = failed(&large);
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::RecordTooLarge, Outcome::NotWritten)
    );
    all_delivered(&before);
    all_delivered(&behind);
    assert_eq!(values(&cluster, 0), numbers(0..20));
    assert_exactly_once(&cluster, 0..1);
}

/// Refusals, lost answers and hang-ups in turn, on several brokers and partitions.
#[test]
fn each_record_is_once_in_the_log_whatever_happens_on_the_way() {
    let cluster = cluster(3, 6);
    let producer = producer(config(&cluster).idempotence(true).batch_size(200));
    for node in 1..=3 {
        let shift = node as usize;
        let on = || cluster.on(Api::Produce).node(node);
        on().skip(4 + shift).after_handling().disconnect();
        on().skip(3).disconnect();
        on().skip(5 + shift).cut(9);
        on().skip(2).wrong_correlation_id(1);
        on().skip(6).after_handling().disconnect();
    }
    for partition in 0..6 {
        let on = || cluster.on(Api::Produce).partition("t", partition);
        on().skip(7).times(2).error(NOT_ENOUGH_REPLICAS);
        on().skip(5).after_handling().error(REQUEST_TIMED_OUT);
        on().skip(3).error(NOT_LEADER);
    }
    let mut deliveries = Vec::new();
    for number in 0..400 {
        for partition in 0..6 {
            deliveries.push(send(&producer, partition, &number.to_string()));
        }
    }
    all_delivered(&deliveries);
    for partition in 0..6 {
        assert_eq!(
            values(&cluster, partition),
            numbers(0..400),
            "partition {partition}"
        );
    }
    assert_exactly_once(&cluster, 0..6);
}

/// The answer to the second attempt has the greatest time of the batch in place of an append time.
#[test]
fn a_lost_answer_does_not_change_the_records_times() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).idempotence(true).linger(HOUR));
    cluster.on(Api::Produce).after_handling().disconnect();
    let times = [1000, 3000, 2000];
    let timed = times.map(|ms| Record::to("t").timestamp_ms(ms));
    let deliveries = timed.map(|record| producer.send(record));
    producer.flush_timeout(SOON).expect("flushed");
    let told = deliveries.each_ref().map(|it| delivered(it).timestamp_ms());
    assert_eq!(told, times);
    assert_eq!(produced(&cluster).len(), 2);
}
