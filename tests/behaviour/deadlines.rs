//! Records that must not be sent after a time of their own.

use std::time::{Duration, Instant};

use milena::mock::{Api, MockCluster};
use milena::{Delivery, ErrorKind, Outcome, Producer, Record};

use crate::support::{
    HOUR, SOON, cluster, config, delivered, exactly_once, failed, plain, produced, producer, send,
    values, wait_for_produced,
};

const SHORT: Duration = Duration::from_millis(150);

fn send_by(producer: &Producer, value: &str, left: Duration) -> Delivery {
    let record = Record::to("t").partition(0).value(value);
    producer.send(record.deadline(Instant::now() + left))
}

#[track_caller]
fn late(delivery: &Delivery, outcome: Outcome) {
    let error = failed(delivery);
    assert_eq!(error.outcome(), outcome, "{error}");
    // An answer that came says what kind of error it was.
    let is_told = error.kind() == ErrorKind::TimedOut || error.code().is_some();
    assert!(is_told, "{error:?}");
    assert!(error.to_string().contains("deadline"), "{error}");
}

/// A producer whose first requests, one record each, are held by the broker.
fn held(cluster: &MockCluster, producer: &Producer) -> (milena::mock::Gate, Vec<Delivery>) {
    delivered(&send(producer, 0, "0"));
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let held = (0..5).map(|_| send(producer, 0, "0")).collect();
    wait_for_produced(cluster, 6);
    (gate, held)
}

#[test]
fn a_record_in_time_is_delivered_and_one_that_is_late_already_is_not_sent() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    delivered(&send_by(&producer, "in time", HOUR));
    late(
        &send_by(&producer, "late", Duration::ZERO),
        Outcome::NotWritten,
    );
    delivered(&send(&producer, 0, "next"));
    assert_eq!(values(&cluster, 0), ["in time", "next"]);
    assert_eq!(producer.buffered_bytes(), 0);
}

/// It fails at its deadline, while what is before it in the row has no result yet; its own result
/// is told behind those.
#[test]
fn what_waits_behind_a_slow_broker_is_not_sent_after_its_deadline() {
    for idempotence in [false, true] {
        let cluster = cluster(1, 1);
        let producer = producer(config(&cluster).idempotence(idempotence).batch_size(0));
        let (gate, before) = held(&cluster, &producer);
        let short = send_by(&producer, "late", SHORT);
        let long = send_by(&producer, "in time", HOUR);
        let none = send(&producer, 0, "whenever");
        // Nothing frees a place on the wire before.
        let deadline = Instant::now() + SHORT;
        while Instant::now() < deadline {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        }
        gate.open();
        before.iter().for_each(|delivery| drop(delivered(delivery)));
        late(&short, Outcome::NotWritten);
        delivered(&long);
        delivered(&none);
        let values = values(&cluster, 0);
        assert_eq!(values[6..], ["in time", "whenever"]);
    }
}

#[test]
fn what_lingers_is_not_sent_after_its_deadline() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).linger(HOUR));
    let short = send_by(&producer, "late", SHORT);
    let (sender, told) = std::sync::mpsc::channel();
    short.on_done(move |result| sender.send(result.unwrap_err()).expect("the test listens"));
    let error = told
        .recv_timeout(SOON)
        .expect("it lingers past its deadline");
    assert_eq!(error.outcome(), Outcome::NotWritten);
    producer.flush_timeout(SOON).expect("flushed");
    assert!(produced(&cluster).is_empty());
}

/// An attempt that began in time counts when its answer comes late; a retry does not begin.
#[test]
fn an_answer_after_the_deadline_counts_and_no_attempt_follows_it() {
    for (code, expected) in [
        (0, None),
        (7, Some(Outcome::Unknown)),
        (19, Some(Outcome::NotWritten)),
        (45, Some(Outcome::NotWritten)),
    ] {
        let cluster = cluster(1, 1);
        let producer = exactly_once(&cluster);
        delivered(&send(&producer, 0, "first"));
        let late_answer = cluster.on(Api::Produce).delay(2 * SHORT);
        match code {
            0 => late_answer.answer(),
            code => late_answer.error(code),
        };
        let delivery = send_by(&producer, "v", SHORT);
        match expected {
            None => drop(delivered(&delivery)),
            Some(outcome) => late(&delivery, outcome),
        }
        assert_eq!(produced(&cluster).len(), 2, "code {code}");
        delivered(&send(&producer, 0, "next"));
        assert_eq!(producer.buffered_bytes(), 0);
    }
}

/// With no broker to send to, and with a topic that nobody knows.
#[test]
fn a_deadline_ends_the_wait_for_whatever_a_record_waits_for() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).retries(1000).buffer_memory(2000));
    let unknown = Record::to("nobody-knows").deadline(Instant::now() + SHORT);
    let error = producer.send(unknown).wait().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::UnknownTopic),
        "{error}"
    );
    delivered(&send(&producer, 0, "0"));
    cluster.stop_broker(1);
    let error = failed(&send_by(&producer, "v", SHORT));
    assert!(
        error.to_string().contains("its deadline has passed"),
        "{error}"
    );
    let _fills = send(&producer, 0, &"x".repeat(1000));
    let full = Record::to("t").partition(0).value(&[0; 1500]);
    let error = producer.send(full.deadline(Instant::now() + SHORT)).wait();
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("its deadline passed while it waited for room"),
        "{text}"
    );
    producer.close_timeout(Duration::ZERO).expect("closed");
}

#[test]
fn records_of_about_the_same_deadline_share_a_batch() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).linger(HOUR));
    let start = Instant::now();
    for minutes in [60, 61, 66, 90, 60] {
        let deadline = start + Duration::from_secs(60 * minutes);
        drop(producer.send(Record::to("t").partition(0).deadline(deadline)));
    }
    drop(send(&producer, 0, "none"));
    producer.flush_timeout(SOON).expect("flushed");
    let batches = produced(&cluster)
        .into_iter()
        .flat_map(|one| one.batches().to_vec());
    let sizes: Vec<_> = batches.map(|batch| batch.records).collect();
    assert_eq!(sizes, [3, 1, 1, 1]);
}
