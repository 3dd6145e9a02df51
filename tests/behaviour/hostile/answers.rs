//! Answers that can be read, and whose numbers cannot be.

use std::time::Duration;

use milena::mock::{Api, MockCluster};
use milena::{Acks, Delivery, ErrorKind, Outcome, Producer};

use super::{asking, told};
use crate::support::{
    cluster, config, delivered, failed, produced, producer, result, send, send_numbers, values,
};

const INVALID_RECORD: i16 = 87;

/// The answer for one partition, in version 8.
#[derive(Clone)]
struct Answer {
    topic: &'static str,
    partition: i32,
    error: i16,
    base_offset: i64,
    log_append_time_ms: i64,
    record_errors: Vec<i32>,
}

const GOOD: Answer = Answer {
    topic: "t",
    partition: 0,
    error: 0,
    base_offset: 7,
    log_append_time_ms: -1,
    record_errors: Vec::new(),
};

impl Answer {
    /// The body of a response with these, each in a topic of its own.
    fn body(all: &[Self]) -> Vec<u8> {
        let count = |len: usize| i32::try_from(len).expect("few").to_be_bytes();
        let mut body = count(all.len()).to_vec();
        for answer in all {
            body.extend([0, answer.topic.len() as u8]);
            body.extend(answer.topic.as_bytes());
            body.extend(count(1));
            body.extend(answer.partition.to_be_bytes());
            body.extend(answer.error.to_be_bytes());
            body.extend(answer.base_offset.to_be_bytes());
            body.extend(answer.log_append_time_ms.to_be_bytes());
            body.extend(i64::MIN.to_be_bytes());
            body.extend(count(answer.record_errors.len()));
            for index in &answer.record_errors {
                body.extend(index.to_be_bytes());
                body.extend([0, 5]);
                body.extend(b"wrong");
            }
            body.extend([0xff, 0xff]);
        }
        body.extend([0xff; 4]);
        body
    }
}

/// Sends ten records in one batch, to which this is the answer. Afterwards the broker behaves.
fn ten(answers: &[Answer]) -> Vec<Delivery> {
    let cluster = cluster(1, 1);
    cluster.versions(Api::Produce, 3..=8);
    let config = config(&cluster).linger(Duration::from_millis(50));
    let producer = producer(config.acks(Acks::All));
    let body = Answer::body(answers);
    let fault = cluster
        .on(Api::Produce)
        .always()
        .body(move |_| body.clone());
    let deliveries = send_numbers(&producer, 0, 0..10);
    deliveries
        .iter()
        .for_each(|delivery| drop(result(delivery)));
    assert_eq!(produced(&cluster).len(), 1, "one batch");
    fault.cancel();
    delivered(&send(&producer, 0, "good"));
    assert_eq!(values(&cluster, 0), ["good"]);
    deliveries
}

#[test]
fn offsets_and_times_that_cannot_be_are_not_made_up() {
    for (base_offset, log_append_time_ms) in [
        (i64::MAX, i64::MIN),
        (i64::MAX - 5, i64::MAX),
        (-2, -2),
        (i64::MIN, 0),
    ] {
        let answer = Answer {
            base_offset,
            log_append_time_ms,
            ..GOOD
        };
        for (index, delivery) in (0..).zip(ten(&[answer])) {
            let metadata = delivered(&delivery);
            let known = (base_offset >= 0).then(|| base_offset.saturating_add(index));
            assert_eq!(metadata.offset(), known);
            match log_append_time_ms {
                0.. => assert_eq!(metadata.timestamp_ms(), log_append_time_ms),
                // The record's own: of this century.
                _ => assert!(metadata.timestamp_ms() > 1_000_000_000_000),
            }
        }
    }
}

#[test]
fn the_answer_for_another_partition_acknowledges_nothing() {
    for (topic, partition) in [("t", -1), ("t", i32::MAX), ("t", 1), ("u", 0), ("", 0)] {
        let other = Answer {
            topic,
            partition,
            ..GOOD
        };
        for delivery in ten(&[other.clone(), other]) {
            let error = failed(&delivery);
            let (kind, outcome) = (error.kind(), error.outcome());
            assert_eq!((kind, outcome), (ErrorKind::Protocol, Outcome::Unknown));
            assert!(
                error.to_string().contains("lacks this partition"),
                "{error}"
            );
        }
    }
}

#[test]
fn of_two_answers_for_a_partition_the_first_counts() {
    let refusal = Answer {
        error: INVALID_RECORD,
        ..GOOD
    };
    for delivery in ten(&[GOOD, refusal.clone()]) {
        delivered(&delivery);
    }
    for delivery in ten(&[refusal, GOOD]) {
        assert_eq!(failed(&delivery).code(), Some(INVALID_RECORD));
    }
}

#[test]
fn records_that_are_blamed_without_being_there_are_passed_over() {
    let answer = Answer {
        error: INVALID_RECORD,
        base_offset: -1,
        record_errors: vec![-1, i32::MAX, 3, i32::MIN, 3, 10],
        ..GOOD
    };
    for (index, delivery) in ten(&[answer]).iter().enumerate() {
        let error = failed(delivery);
        assert_eq!(error.code(), Some(INVALID_RECORD));
        assert_eq!(error.outcome(), Outcome::NotWritten);
        assert_eq!(error.to_string().contains("wrong"), index == 3, "{error}");
    }
}

#[test]
fn a_code_that_kafka_does_not_have_is_shown() {
    for error in [i16::MAX, i16::MIN, 1000] {
        for delivery in ten(&[Answer { error, ..GOOD }]) {
            assert_eq!(failed(&delivery).code(), Some(error));
        }
    }
}

/// The answer to InitProducerId, in version 0.
fn identity(cluster: &MockCluster, producer_id: i64, epoch: i16) -> (Producer, Vec<u8>) {
    cluster.versions(Api::InitProducerId, 0..=0);
    let id = producer_id.to_be_bytes();
    let body = [&[0; 6][..], &id, &epoch.to_be_bytes()].concat();
    (producer(asking(cluster, Api::InitProducerId)), body)
}

#[test]
fn a_producer_id_that_cannot_be_is_asked_for_again() {
    for (producer_id, epoch) in [(-1, 0), (-1, -1), (5, -1), (i64::MIN, i16::MIN)] {
        let cluster = cluster(1, 1);
        let (producer, body) = identity(&cluster, producer_id, epoch);
        let fault = cluster.on(Api::InitProducerId).always();
        let fault = fault.body(move |_| body.clone());
        let error = told(&producer);
        let says = format!("the broker gave id {producer_id} and epoch {epoch}");
        assert!(error.to_string().contains(&says), "{error}");
        assert_eq!(error.outcome(), Outcome::NotWritten);
        assert!(produced(&cluster).is_empty());
        let waiting = send(&producer, 0, "good");
        fault.cancel();
        delivered(&waiting);
        assert_eq!(values(&cluster, 0), ["good"]);
    }
}
