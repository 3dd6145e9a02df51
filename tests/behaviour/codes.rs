//! Every error code in answer to a produce request: what becomes of the record, of its neighbours,
//! and of the log.

use milena::mock::{Api, MockCluster, On};
use milena::{Acks, Delivery, Error, Outcome, Producer, RecordMetadata};

use crate::oracle::assert_exactly_once;
use crate::support::{
    SOON, all_delivered, cluster, config, delivered, eventually, exactly_once, failed, produced,
    producer, result, send, values,
};

/// What a code says of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// It is in the log.
    Written,
    /// It is not, and never will be.
    Refused,
    /// It is not, and may be sent again.
    NotYet,
    /// Nobody knows, and it may be sent again.
    Perhaps,
    /// Nobody knows, and there is no use in sending it again.
    Doubtful,
    /// It is not, because its sequence is not the next.
    OutOfOrder,
    /// The broker does not know the producer any more.
    Forgotten,
}

use Says::{Doubtful, Forgotten, NotYet, OutOfOrder, Perhaps, Refused, Written};

/// With acks=all.
fn says(code: i16) -> Says {
    match code {
        0 | 46 => Written,
        10 | 17 | 18 | 21 | 29 | 31 | 32 | 35 | 43 | 44 | 47 | 48 | 49 | 53 | 76 | 87 | 90
        | 120 => Refused,
        2 | 5 | 19 | 51 | 72 | 74 | 75 | 89 | 100 | 103 => NotYet,
        3 | 6 | 7 | 9 | 13 | 20 | 56 => Perhaps,
        14 | 15 | 16 | 41 | 70 | 71 | 78 | 80 | 83 | 84 | 88 | 106 | 122 | 123 | 133 => Perhaps,
        45 => OutOfOrder,
        59 => Forgotten,
        _ => Doubtful,
    }
}

/// Every code that has a name, and some that have none. A partition of `t` belongs to each.
fn codes() -> impl Iterator<Item = (i32, i16)> {
    (0..).zip((-1..=133).chain([134, 9999, -42, i16::MAX, i16::MIN]))
}

/// A cluster with a partition for each code.
fn cluster_for_codes() -> MockCluster {
    cluster(1, codes().count() as i32)
}

fn on(cluster: &MockCluster, partition: i32) -> On<'_> {
    cluster.on(Api::Produce).partition("t", partition)
}

/// The next request of `partition` is answered with `code`. The broker has appended the batch if
/// `is_appended`.
fn answers(on: On<'_>, code: i16, is_appended: bool) {
    let on = match is_appended {
        true => on.after_handling(),
        false => on,
    };
    on.error(code);
}

/// Whether a broker that answers with `code` may have appended the batch, must have, or cannot.
fn appends(code: i16) -> &'static [bool] {
    match says(code) {
        Written => &[true],
        Perhaps | Doubtful => &[false, true],
        Refused | NotYet | OutOfOrder | Forgotten => &[false],
    }
}

/// How many requests had a batch of `partition`.
fn attempts(cluster: &MockCluster, partition: i32) -> usize {
    let requests = produced(cluster).into_iter();
    let batches = requests.flat_map(|request| request.batches().to_vec());
    batches.filter(|batch| batch.partition == partition).count()
}

#[track_caller]
fn fails_with(delivery: &Delivery, code: i16, outcome: Outcome) {
    let error = failed(delivery);
    assert_eq!(
        (error.code(), error.outcome()),
        (Some(code), outcome),
        "{error}"
    );
}

fn outcome(says: Says) -> Option<Outcome> {
    match says {
        Written | NotYet | Perhaps | OutOfOrder | Forgotten => None,
        Refused => Some(Outcome::NotWritten),
        Doubtful => Some(Outcome::Unknown),
    }
}

#[test]
fn every_code_ends_as_the_table_says_for_a_batch_alone() {
    for round in 0..2 {
        let cluster = cluster_for_codes();
        let producer = exactly_once(&cluster);
        for (partition, code) in codes() {
            let Some(is_appended) = appends(code).get(round).copied() else {
                continue;
            };
            answers(on(&cluster, partition), code, is_appended);
            let delivery = send(&producer, partition, "first");
            let wanted = outcome(says(code));
            match wanted {
                None => drop(delivered(&delivery)),
                Some(outcome) => fails_with(&delivery, code, outcome),
            }
            let is_once = wanted.is_some() || says(code) == Written;
            let sent = if is_once { 1 } else { 2 };
            assert_eq!(attempts(&cluster, partition), sent, "code {code}");
            delivered(&send(&producer, partition, "second"));
            let logged: &[&str] = match wanted.is_none() || is_appended {
                true => &["first", "second"],
                false => &["second"],
            };
            assert_eq!(values(&cluster, partition), logged, "code {code}");
            assert_exactly_once(&cluster, partition..partition + 1);
            cluster.forget_requests();
        }
    }
}

/// Five batches are on the wire, and the third has the answer.
#[test]
fn every_code_leaves_the_neighbours_of_its_batch_alone() {
    for round in 0..2 {
        let cluster = cluster_for_codes();
        let producer = exactly_once(&cluster);
        for (partition, code) in codes() {
            let Some(is_appended) = appends(code).get(round).copied() else {
                continue;
            };
            delivered(&send(&producer, partition, "0"));
            let gate = cluster.gate();
            on(&cluster, partition).hold(&gate).answer();
            answers(on(&cluster, partition).skip(1), code, is_appended);
            let sent = ["1", "2", "3", "4", "5"].map(|value| send(&producer, partition, value));
            let all = |cluster: &MockCluster| attempts(cluster, partition) == 6;
            assert!(cluster.wait_for(SOON, all), "code {code}");
            gate.open();
            let [first, second, third, fourth, fifth] = sent;
            let wanted = outcome(says(code));
            match wanted {
                None => drop(delivered(&third)),
                Some(outcome) => fails_with(&third, code, outcome),
            }
            all_delivered(&[first, second, fourth, fifth]);
            let logged: &[&str] = match wanted.is_none() || is_appended {
                true => &["0", "1", "2", "3", "4", "5"],
                false => &["0", "1", "2", "4", "5"],
            };
            assert_eq!(values(&cluster, partition), logged, "code {code}");
            assert_exactly_once(&cluster, partition..partition + 1);
            cluster.forget_requests();
        }
    }
}

/// The connection dies with the first attempt, and the code is the answer to the second.
#[test]
fn every_code_for_a_batch_that_may_be_written_already_ends_as_the_table_says() {
    for was_appended in [false, true] {
        let cluster = cluster_for_codes();
        let producer = exactly_once(&cluster);
        for (partition, code) in codes() {
            let says = says(code);
            if says == OutOfOrder && was_appended {
                // No broker says so of what is the last in its log.
                continue;
            }
            match was_appended {
                true => on(&cluster, partition).after_handling().disconnect(),
                false => on(&cluster, partition).disconnect(),
            };
            answers(on(&cluster, partition), code, says == Written);
            let delivery = send(&producer, partition, "first");
            let fails = matches!(says, Refused | Doubtful | Forgotten);
            match fails {
                true => fails_with(&delivery, code, Outcome::Unknown),
                false => drop(delivered(&delivery)),
            }
            let sent = if fails || says == Written { 2 } else { 3 };
            assert_eq!(attempts(&cluster, partition), sent, "code {code}");
            delivered(&send(&producer, partition, "second"));
            let logged: &[&str] = match !fails || was_appended {
                true => &["first", "second"],
                false => &["second"],
            };
            assert_eq!(values(&cluster, partition), logged, "code {code}");
            assert_exactly_once(&cluster, partition..partition + 1);
            cluster.forget_requests();
        }
    }
}

#[test]
fn every_code_ends_as_the_table_says_without_idempotence_and_retries() {
    for round in 0..2 {
        let cluster = cluster_for_codes();
        let producer = producer(config(&cluster).acks(Acks::All));
        for (partition, code) in codes() {
            let Some(is_appended) = appends(code).get(round).copied() else {
                continue;
            };
            answers(on(&cluster, partition), code, is_appended);
            let delivery = send(&producer, partition, "first");
            match says(code) {
                Written => drop(delivered(&delivery)),
                Refused | NotYet | OutOfOrder | Forgotten => {
                    fails_with(&delivery, code, Outcome::NotWritten);
                }
                Perhaps | Doubtful => fails_with(&delivery, code, Outcome::Unknown),
            }
            assert_eq!(attempts(&cluster, partition), 1, "code {code}");
            assert_eq!(values(&cluster, partition).len(), usize::from(is_appended));
            cluster.forget_requests();
        }
    }
}

/// Requests on the wire are retries + 1, and what may be in the log is Unknown. With idempotence
/// only another attempt can tell, so the limit does not count for it.
#[test]
fn at_the_limit_of_retries_an_unknown_outcome_is_told_as_such() {
    for retries in [0, 3] {
        let cluster = cluster(1, 1);
        let producer = producer(config(&cluster).acks(Acks::All).retries(retries));
        let fault = cluster.on(Api::Produce).always().after_handling();
        let fault = fault.error(7);
        let error = failed(&send(&producer, 0, "v"));
        let sent = retries as usize + 1;
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!((produced(&cluster).len(), fault.hits()), (sent, sent));
        let said = match retries {
            0 => "not sent again because retries is 0".to_string(),
            _ => format!("given up after {sent} attempts, retries is {retries}"),
        };
        assert!(error.to_string().contains(&said), "{error}");
    }
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).idempotence(true).retries(1));
    let on = cluster.on(Api::Produce).times(5).after_handling();
    let fault = on.error(7);
    delivered(&send(&producer, 0, "v"));
    assert_eq!((fault.hits(), produced(&cluster).len()), (5, 6));
    assert_eq!(values(&cluster, 0), ["v"]);
    assert_exactly_once(&cluster, 0..1);
}

/// A request with a batch for each partition of `partitions`, the first after some that went alone.
fn in_one_request(
    cluster: &MockCluster,
    producer: &Producer,
    partitions: i32,
    script: impl FnOnce(),
) -> Vec<Result<RecordMetadata, Error>> {
    (0..partitions).for_each(|partition| drop(delivered(&send(producer, partition, "0"))));
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let first = send(producer, 0, "1");
    assert!(gate.wait_for_held(1, SOON));
    script();
    let before = produced(cluster).len();
    let places = 0..partitions;
    let deliveries: Vec<_> = places.map(|place| send(producer, place, "2")).collect();
    gate.open();
    delivered(&first);
    let results = deliveries.iter().map(result).collect();
    let request = &produced(cluster)[before];
    assert_eq!(request.batches().len(), partitions as usize);
    results
}

#[test]
fn each_partition_of_an_answer_is_seen_to_alone() {
    let cluster = cluster(1, 4);
    let config = config(&cluster).idempotence(true).max_in_flight(1);
    let producer = producer(config);
    let script = || {
        for (partition, code) in [(1, 6), (2, 10), (3, 9999)] {
            on(&cluster, partition).error(code);
        }
    };
    let results = in_one_request(&cluster, &producer, 4, script);
    assert!(results[0].is_ok() && results[1].is_ok());
    let errors = results[2..].iter().map(|result| result.as_ref().err());
    let errors: Vec<_> = errors.map(|error| error.map(Error::outcome)).collect();
    assert_eq!(errors, [Some(Outcome::NotWritten), Some(Outcome::Unknown)]);
    let logged = |partition| values(&cluster, partition);
    assert_eq!(
        (logged(0), logged(1).len()),
        (vec!["0".into(), "1".into(), "2".into()], 2)
    );
    assert_eq!((logged(2).len(), logged(3).len()), (1, 1));
    assert_exactly_once(&cluster, 0..4);
}

/// What an answer says of a partition: its index, a code, an offset.
type Word = (i32, i16, i64);

/// A Produce answer of version 3.
fn answer_3(topics: &[(&str, &[Word])]) -> Vec<u8> {
    let mut bytes = (topics.len() as i32).to_be_bytes().to_vec();
    for (name, partitions) in topics {
        bytes.extend((name.len() as i16).to_be_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend((partitions.len() as i32).to_be_bytes());
        for (index, code, offset) in *partitions {
            bytes.extend(index.to_be_bytes());
            bytes.extend(code.to_be_bytes());
            bytes.extend(offset.to_be_bytes());
            bytes.extend((-1_i64).to_be_bytes());
        }
    }
    bytes.extend(0_i32.to_be_bytes());
    bytes
}

/// The first word counts, what is missing is unknown, and what was never asked for is nobody's.
#[test]
fn an_answer_that_lacks_repeats_or_invents_partitions_settles_each_once() {
    let cluster = cluster(1, 3);
    cluster.versions(Api::Produce, 3..=3);
    let config = config(&cluster).idempotence(true).max_in_flight(1);
    let producer = producer(config);
    let script = || {
        let answer = answer_3(&[
            (
                "t",
                &[
                    (0, 0, 2),
                    (0, 10, -1),
                    (7, 0, 0),
                    (-1, 3, 0),
                    (1, 9999, -1),
                    (1, 0, 1),
                ],
            ),
            ("never heard of", &[(0, 0, 5), (2, 10, -1)]),
        ]);
        let on = cluster.on(Api::Produce).after_handling();
        on.body(move |_| answer.clone());
    };
    let results = in_one_request(&cluster, &producer, 3, script);
    let first = results[0].as_ref().expect("its first word was good");
    assert_eq!(first.offset(), Some(2));
    let second = results[1].as_ref().expect_err("its first word was bad");
    assert_eq!(
        (second.code(), second.outcome()),
        (Some(9999), Outcome::Unknown)
    );
    let third = results[2].as_ref().expect("it was sent again");
    assert_eq!(third.offset(), Some(1), "the place of the first copy");
    let metrics = producer.metrics();
    assert_eq!((metrics.delivered, metrics.unknown), (6, 1));
    let requests = produced(&cluster);
    let last = requests.last().expect("requests").batches();
    assert_eq!(
        last.iter().map(|batch| batch.partition).collect::<Vec<_>>(),
        [2]
    );
    for partition in 0..3 {
        assert_eq!(
            values(&cluster, partition).last().map(String::as_str),
            Some("2")
        );
    }
    assert_exactly_once(&cluster, 0..3);
}

/// Without acks a broker says nothing; a connection on which it does is replaced, at the risk of
/// what is on its way there.
#[test]
fn an_answer_that_nobody_asked_for_disturbs_nothing() {
    let cluster = cluster(1, 1);
    cluster.versions(Api::Produce, 3..=3);
    let producer = producer(config(&cluster).acks(Acks::None).batch_size(0));
    let on = cluster.on(Api::Produce).times(3).after_handling();
    let fault = on.body(|_| answer_3(&[("t", &[(0, 10, -1)])]));
    for number in 0..10 {
        delivered(&send(&producer, 0, &number.to_string()));
    }
    let last = || values(&cluster, 0).pop().is_some_and(|value| value == "9");
    eventually("the last record", last);
    let logged = values(&cluster, 0);
    assert!(logged.is_sorted_by(|one, next| one < next), "{logged:?}");
    assert_eq!((fault.hits(), producer.metrics().failed), (3, 0));
}
