//! Sequences that were used, lost, refused or outlived: what may follow them.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use milena::mock::{Api, FirstSequence, MockCluster, MockRequest};
use milena::{ErrorKind, Outcome, Record};

use crate::oracle::assert_exactly_once;
use crate::support::{
    NOT_ENOUGH_REPLICAS, NOT_LEADER, PROMISED, REQUEST_TIMED_OUT, SOON, all_delivered, cluster,
    config, count_of, delivered, eventually, exactly_once, failed, numbers, produced, producer,
    result, send, send_numbers, values, wait_for_produced,
};

const AFTER_APPEND: i16 = 20;
const OUT_OF_ORDER: i16 = 45;
const INVALID_RECORD: i16 = 87;

/// The epochs in the log of a partition.
fn epochs(cluster: &MockCluster, partition: i32) -> BTreeSet<i16> {
    let records = cluster.records("t", partition).into_iter();
    records.map(|record| record.producer_epoch).collect()
}

/// The first sequences of the batches of partition 0, as they were sent.
fn sent(requests: &[MockRequest]) -> Vec<(i16, i32)> {
    let batches = requests.iter().flat_map(MockRequest::batches);
    let batches = batches.filter(|batch| batch.partition == 0);
    batches
        .map(|batch| (batch.producer_epoch, batch.base_sequence))
        .collect()
}

#[test]
fn what_a_refusal_spoilt_is_sent_again_in_order_and_one_by_one() {
    let cluster = cluster(1, 1);
    let producer = exactly_once(&cluster);
    delivered(&send(&producer, 0, "0"));
    let gate = cluster.gate();
    let on = cluster.on(Api::Produce).partition("t", 0);
    on.hold(&gate).error(NOT_ENOUGH_REPLICAS);
    let deliveries = send_numbers(&producer, 0, 1..6);
    wait_for_produced(&cluster, 6);
    gate.open();
    all_delivered(&deliveries);
    let again = &produced(&cluster)[6..];
    assert_eq!(sent(again), [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
    assert!(again.iter().all(|request| request.in_flight == 1));
    assert_eq!(values(&cluster, 0), numbers(0..6));
    assert_exactly_once(&cluster, 0..1);
}

/// The first of two is appended and answered with an error, the second is acknowledged: its result
/// comes behind that of the first, and the first gets the offset that it has had all the time.
#[test]
fn results_come_in_the_order_of_the_records() {
    for code in [REQUEST_TIMED_OUT, AFTER_APPEND, NOT_LEADER] {
        let cluster = cluster(1, 1);
        let producer = exactly_once(&cluster);
        delivered(&send(&producer, 0, "0"));
        let (gate, again) = (cluster.gate(), cluster.gate());
        let on = || cluster.on(Api::Produce).partition("t", 0);
        on().after_handling().hold(&gate).error(code);
        let (note, told) = mpsc::channel();
        for value in ["1", "2", "3"] {
            let (note, record) = (note.clone(), Record::to("t").partition(0).value(value));
            producer.send_with(record, move |result| {
                note.send((value, result)).expect("the test listens");
            });
        }
        wait_for_produced(&cluster, 4);
        let retry = on().skip(2).after_handling().hold(&again).answer();
        gate.open();
        assert!(retry.wait_for_hits(1, SOON), "code {code}");
        let late = Duration::from_millis(50);
        assert!(told.recv_timeout(late).is_err(), "told too early");
        let flush = producer.flush_timeout(Duration::from_millis(1));
        assert!(flush.is_err(), "what is not told is settled");
        again.open();
        for (offset, value) in (1..).zip(["1", "2", "3"]) {
            let (told, result) = told.recv_timeout(SOON).expect("a result");
            let metadata = result.expect("it is in the log");
            assert_eq!((told, metadata.offset()), (value, Some(offset)));
        }
        assert_eq!(values(&cluster, 0), numbers(0..4));
        assert_exactly_once(&cluster, 0..1);
    }
}

#[test]
fn five_lost_answers_cost_nothing_also_where_the_broker_knows_no_offset_any_more() {
    for forgets_offset in [false, true] {
        let cluster = cluster(1, 1);
        let producer = exactly_once(&cluster);
        delivered(&send(&producer, 0, "0"));
        let gate = cluster.gate();
        let on = || cluster.on(Api::Produce).partition("t", 0);
        on().after_handling().hold(&gate).disconnect();
        for _ in 1..5 {
            on().after_handling().disconnect();
        }
        if forgets_offset {
            on().error(46);
        }
        let deliveries = send_numbers(&producer, 0, 1..6);
        wait_for_produced(&cluster, 6);
        gate.open();
        let offsets: Vec<_> = deliveries.iter().map(delivered).collect();
        let offsets: Vec<_> = offsets.iter().map(|metadata| metadata.offset()).collect();
        let first = (!forgets_offset).then_some(1);
        assert_eq!(offsets, [first, Some(2), Some(3), Some(4), Some(5)]);
        assert_eq!(values(&cluster, 0), numbers(0..6));
        assert_exactly_once(&cluster, 0..1);
        assert_eq!(epochs(&cluster, 0).len(), 1);
    }
}

/// franz-go #1217: the sequence of a batch with an unknown outcome went to the next, which the
/// broker then took for the same.
#[test]
fn the_sequence_of_a_batch_that_may_be_written_is_never_used_again() {
    let limit = Duration::from_millis(300);
    for code in [REQUEST_TIMED_OUT, AFTER_APPEND] {
        let cluster = cluster(1, 1);
        let config = config(&cluster).idempotence(true).batch_size(0);
        let producer = producer(config.request_timeout(limit).delivery_timeout(limit));
        delivered(&send(&producer, 0, "0"));
        let fault = cluster.on(Api::Produce).always().after_handling();
        let fault = fault.error(code);
        let error = failed(&send(&producer, 0, "1"));
        assert_eq!(error.outcome(), Outcome::Unknown);
        fault.cancel();
        all_delivered(&send_numbers(&producer, 0, 2..5));
        assert_eq!(values(&cluster, 0), numbers(0..5));
        assert_exactly_once(&cluster, 0..1);
    }
}

/// The broker wants a pause that is longer than the batch's time.
#[test]
fn a_batch_that_was_never_sent_costs_no_sequence_and_no_epoch() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(600);
    let config = config(&cluster).idempotence(true).request_timeout(limit);
    let producer = producer(config.delivery_timeout(limit));
    cluster.on(Api::Produce).throttle(900).answer();
    delivered(&send(&producer, 0, "0"));
    let error = failed(&send(&producer, 0, "never sent"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::NotWritten)
    );
    delivered(&send(&producer, 0, "1"));
    assert_eq!(sent(&produced(&cluster)), [(0, 0), (0, 1)]);
    assert_eq!(values(&cluster, 0), numbers(0..2));
}

/// KAFKA-14034: the first of three is appended and answered with an error, the second is refused
/// for good. The first keeps its identity until it is known, and only then the third gets another.
#[test]
fn a_refusal_for_good_numbers_nothing_anew_that_may_be_written() {
    for code in [REQUEST_TIMED_OUT, AFTER_APPEND, NOT_LEADER] {
        let cluster = cluster(1, 1);
        let producer = exactly_once(&cluster);
        delivered(&send(&producer, 0, "0"));
        let (gate, again) = (cluster.gate(), cluster.gate());
        let on = || cluster.on(Api::Produce).partition("t", 0);
        on().after_handling().hold(&gate).error(code);
        on().error(INVALID_RECORD);
        let deliveries = ["1", "refused", "2"].map(|value| send(&producer, 0, value));
        wait_for_produced(&cluster, 4);
        let retry = on().skip(1).hold(&again).answer();
        gate.open();
        assert!(retry.wait_for_hits(1, SOON), "code {code}");
        assert_eq!(sent(&produced(&cluster)[4..]), [(0, 1)]);
        again.open();
        let [first, second, third] = deliveries;
        assert_eq!(delivered(&first).offset(), Some(1));
        let error = failed(&second);
        assert_eq!(
            (error.code(), error.outcome()),
            (Some(INVALID_RECORD), Outcome::NotWritten)
        );
        assert_eq!(delivered(&third).offset(), Some(2));
        assert_eq!(sent(&produced(&cluster)[5..]), [(1, 0)]);
        assert_eq!(values(&cluster, 0), numbers(0..3));
        assert_exactly_once(&cluster, 0..1);
    }
}

#[test]
fn what_is_behind_a_batch_that_failed_for_good_goes_under_the_next_epoch() {
    let cluster = cluster(1, 1);
    let producer = exactly_once(&cluster);
    delivered(&send(&producer, 0, "0"));
    let gate = cluster.gate();
    let on = cluster.on(Api::Produce).partition("t", 0);
    on.hold(&gate).error(INVALID_RECORD);
    let refused = send(&producer, 0, "refused");
    let deliveries = send_numbers(&producer, 0, 1..5);
    wait_for_produced(&cluster, 6);
    gate.open();
    assert_eq!(failed(&refused).outcome(), Outcome::NotWritten);
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 0), numbers(0..5));
    let anew = sent(&produced(&cluster)[6..]);
    assert_eq!(anew, [(1, 0), (1, 1), (1, 2), (1, 3)]);
    assert_exactly_once(&cluster, 0..1);
}

/// The last epoch is 32767: after that comes another producer id.
#[test]
fn after_the_last_epoch_another_producer_id_is_asked_for() {
    let cluster = cluster(1, 1);
    cluster.versions(Api::InitProducerId, 0..=1);
    // No throttling, no error, producer id 7, epoch 32766.
    let answer = [&[0; 6][..], &7_i64.to_be_bytes(), &32766_i16.to_be_bytes()].concat();
    cluster
        .on(Api::InitProducerId)
        .body(move |_| answer.clone());
    let producer = exactly_once(&cluster);
    for number in 0..3 {
        delivered(&send(&producer, 0, &number.to_string()));
        cluster.on(Api::Produce).error(INVALID_RECORD);
        failed(&send(&producer, 0, "refused"));
    }
    delivered(&send(&producer, 0, "3"));
    let records = cluster.records("t", 0).into_iter();
    let identities = records.map(|record| (record.producer_id, record.producer_epoch));
    let identities: Vec<_> = identities.collect();
    assert_eq!(identities, [(7, 32766), (7, 32767), (1000, 0), (1000, 1)]);
    assert_eq!(count_of(&cluster, Api::InitProducerId).len(), 2);
    assert_exactly_once(&cluster, 0..1);
}

/// A broker looks at the size before it looks for a duplicate.
#[test]
fn a_batch_that_became_too_large_after_it_was_written_is_unknown() {
    let cluster = cluster(1, 1);
    let producer = exactly_once(&cluster);
    let gate = cluster.gate();
    let on = cluster.on(Api::Produce).after_handling();
    on.hold(&gate).disconnect();
    let delivery = send(&producer, 0, &"x".repeat(100));
    assert!(gate.wait_for_held(1, SOON));
    cluster.set_max_message_bytes("t", 120);
    gate.open();
    let error = failed(&delivery);
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::RecordTooLarge, Outcome::Unknown)
    );
    delivered(&send(&producer, 0, "1"));
    assert_eq!(values(&cluster, 0).len(), 2);
    assert_exactly_once(&cluster, 0..1);
}

#[test]
fn a_broker_that_lost_what_it_knew_of_the_producer_gets_the_rest_once() {
    for rule in [FirstSequence::Any, FirstSequence::ZeroInNewLog] {
        let cluster = cluster(1, 1);
        cluster.set_first_sequence(rule);
        let producer = exactly_once(&cluster);
        all_delivered(&send_numbers(&producer, 0, 0..100));
        cluster.forget_producers("t", 0);
        all_delivered(&send_numbers(&producer, 0, 100..120));
        assert_eq!(values(&cluster, 0), numbers(0..120));
        assert_exactly_once(&cluster, 0..1);
    }
}

/// librdkafka until 1.9.0 dropped its sequences with the metadata, and the broker took what came
/// then for copies.
#[test]
fn sequences_outlive_a_spell_without_a_leader_or_a_topic() {
    let cluster = cluster(2, 2);
    let producer = exactly_once(&cluster);
    all_delivered(&send_numbers(&producer, 1, 0..5));
    cluster.stop_broker(2);
    let mut deliveries = send_numbers(&producer, 1, 5..7);
    let asked = |more: usize| {
        let known = count_of(&cluster, Api::Metadata).len();
        let has_asked =
            |cluster: &MockCluster| count_of(cluster, Api::Metadata).len() >= known + more;
        assert!(cluster.wait_for(SOON, has_asked));
    };
    asked(2);
    let vanished = cluster.on(Api::Metadata).times(2).topic("t").error(3);
    assert!(vanished.wait_for_hits(2, SOON));
    cluster.start_broker(2);
    deliveries.extend(send_numbers(&producer, 1, 7..20));
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 1), numbers(0..20));
    assert_eq!(epochs(&cluster, 1).len(), 1);
    assert_exactly_once(&cluster, 0..2);
}

/// Whatever it is sent, the broker says that it is out of order.
#[test]
fn a_broker_that_refuses_every_epoch_gets_few_requests() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(1000);
    let config = config(&cluster).retry_backoff(Duration::from_millis(100));
    let config = config.idempotence(true).retry_backoff_max(limit);
    let producer = producer(config.request_timeout(limit).delivery_timeout(limit));
    let fault = cluster.on(Api::Produce).always().error(OUT_OF_ORDER);
    let start = Instant::now();
    let error = failed(&send(&producer, 0, "v"));
    assert!(start.elapsed() < limit + PROMISED);
    assert_eq!(error.outcome(), Outcome::NotWritten, "{error}");
    assert!(error.to_string().contains("OUT_OF_ORDER"), "{error}");
    // 100, 200, 400 and 800 ms, less 20 %.
    let requests = produced(&cluster).len();
    assert!((2..=5).contains(&requests), "{requests} requests");
    fault.cancel();
    delivered(&send(&producer, 0, "0"));
    assert_eq!(values(&cluster, 0), ["0"]);
}

/// Its time passes on the wire, and the answer comes later: it counts for the sequence, and for
/// the memory, and not for the application.
#[test]
fn an_answer_that_comes_after_the_time_of_its_batch_settles_the_sequence_only() {
    for is_appended in [true, false] {
        let cluster = cluster(1, 1);
        let limit = Duration::from_millis(600);
        let config = config(&cluster).idempotence(true).batch_size(0);
        let producer = producer(config.request_timeout(limit).delivery_timeout(limit));
        delivered(&send(&producer, 0, "0"));
        let gate = cluster.gate();
        let refusal = cluster.on(Api::Produce).always();
        let refusal = refusal.error(NOT_ENOUGH_REPLICAS);
        let late = send(&producer, 0, "1");
        assert!(late.wait_timeout(limit / 2).is_none());
        // Its last attempt begins now, and has its own limit.
        let on = cluster.on(Api::Produce).skip(1).hold(&gate);
        match is_appended {
            true => on.after_handling().answer(),
            false => on.error(NOT_ENOUGH_REPLICAS),
        };
        refusal.cancel();
        cluster.on(Api::Produce).error(NOT_ENOUGH_REPLICAS);
        let error = failed(&late);
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::TimedOut, Outcome::Unknown)
        );
        assert_eq!((gate.held(), producer.metrics().unknown), (1, 1));
        assert!(producer.buffered_bytes() > 0, "the connection has it");
        gate.open();
        eventually("memory is free", || producer.buffered_bytes() == 0);
        assert!(result(&late).is_err(), "two results");
        delivered(&send(&producer, 0, "2"));
        let metrics = producer.metrics();
        assert_eq!((metrics.delivered, metrics.unknown), (2, 1));
        let logged: &[&str] = match is_appended {
            true => &["0", "1", "2"],
            false => &["0", "2"],
        };
        assert_eq!(values(&cluster, 0), logged);
        let expected = if is_appended { 1 } else { 2 };
        assert_eq!(epochs(&cluster, 0).len(), expected, "{is_appended}");
        assert_exactly_once(&cluster, 0..1);
    }
}

#[test]
fn two_producers_of_one_partition_do_not_disturb_each_other() {
    let cluster = cluster(1, 1);
    let producers = [(); 2].map(|()| exactly_once(&cluster));
    for skip in [3, 6, 10] {
        let on = || cluster.on(Api::Produce).skip(skip);
        on().after_handling().disconnect();
        on().error(NOT_ENOUGH_REPLICAS);
        on().after_handling().error(REQUEST_TIMED_OUT);
    }
    let mut deliveries = Vec::new();
    for number in 0..50 {
        for (name, producer) in ["a", "b"].iter().zip(&producers) {
            deliveries.push(send(producer, 0, &format!("{name}{number}")));
        }
    }
    all_delivered(&deliveries);
    let logged = values(&cluster, 0);
    for name in ["a", "b"] {
        let own = logged.iter().filter(|value| value.starts_with(name));
        let wanted: Vec<_> = (0..50).map(|number| format!("{name}{number}")).collect();
        assert_eq!(own.cloned().collect::<Vec<_>>(), wanted);
    }
    assert_exactly_once(&cluster, 0..1);
}
