//! What the tests share.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use milena::mock::{Api, MockBatch, MockCluster, MockRequest};
use milena::{Config, Delivery, Error, Producer, Record, RecordMetadata};

use crate::watch;

/// Enough for whatever should happen soon, on a machine that is busy with other things.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Longer than any test.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// What a delivery may take beyond `delivery.timeout.ms`.
pub(crate) const PROMISED: Duration = Duration::from_secs(1);

pub(crate) const NOT_LEADER: i16 = 6;
pub(crate) const REQUEST_TIMED_OUT: i16 = 7;
pub(crate) const NOT_ENOUGH_REPLICAS: i16 = 19;

/// What an idempotent producer asks, in that order, where no login is wanted.
pub(crate) const WITHOUT_SASL: [Api; 4] = [
    Api::ApiVersions,
    Api::Metadata,
    Api::InitProducerId,
    Api::Produce,
];

/// A cluster whose only topic is `t`.
pub(crate) fn cluster(brokers: i32, partitions: i32) -> MockCluster {
    let cluster = MockCluster::start(brokers);
    cluster.auto_create(None);
    cluster.create_topic("t", partitions);
    cluster
}

/// The defaults with short pauses.
pub(crate) fn config(cluster: &MockCluster) -> Config {
    config_for(cluster.bootstrap())
}

/// The same for these bootstrap servers.
pub(crate) fn config_for(servers: String) -> Config {
    watch::start();
    Config::new(servers)
        .retry_backoff(Duration::from_millis(5))
        .retry_backoff_max(Duration::from_millis(20))
        .reconnect_backoff(Duration::from_millis(5))
        .reconnect_backoff_max(Duration::from_millis(20))
}

pub(crate) fn producer(config: Config) -> Producer {
    watch::look("settings", &format!("{config:?}"));
    let producer = Producer::new(config).expect("settings that fit together");
    watch::look("a producer", &format!("{producer:?}"));
    producer
}

/// A producer with the default settings and short pauses.
pub(crate) fn plain(cluster: &MockCluster) -> Producer {
    producer(config(cluster))
}

/// An idempotent producer that makes a batch of every record.
pub(crate) fn exactly_once(cluster: &MockCluster) -> Producer {
    producer(config(cluster).idempotence(true).batch_size(0))
}

/// Sends a record to a partition of `t`.
pub(crate) fn send(producer: &Producer, partition: i32, value: &str) -> Delivery {
    producer.send(Record::to("t").partition(partition).value(value))
}

/// Sends the numbers of `range` to a partition of `t`.
pub(crate) fn send_numbers(
    producer: &Producer,
    partition: i32,
    range: std::ops::Range<usize>,
) -> Vec<Delivery> {
    range
        .map(|number| send(producer, partition, &number.to_string()))
        .collect()
}

#[track_caller]
pub(crate) fn result(delivery: &Delivery) -> Result<RecordMetadata, Error> {
    let result = delivery.wait_timeout(SOON);
    let result = result.unwrap_or_else(|| panic!("{delivery:?} has no result after {SOON:?}"));
    if let Err(error) = &result {
        watch::look("an error", &format!("{error} {error:?}"));
    }
    result
}

#[track_caller]
pub(crate) fn delivered(delivery: &Delivery) -> RecordMetadata {
    result(delivery).unwrap_or_else(|error| panic!("{delivery:?} failed: {error}"))
}

#[track_caller]
pub(crate) fn all_delivered(deliveries: &[Delivery]) {
    for delivery in deliveries {
        delivered(delivery);
    }
}

#[track_caller]
pub(crate) fn failed(delivery: &Delivery) -> Error {
    match result(delivery) {
        Ok(metadata) => panic!("delivered all the same: {metadata:?}"),
        Err(error) => error,
    }
}

/// The values of a partition of `t`.
pub(crate) fn values(cluster: &MockCluster, partition: i32) -> Vec<String> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let records = cluster.records("t", partition).into_iter();
    records
        .map(|record| record.value.map_or_else(|| "null".into(), text))
        .collect()
}

pub(crate) fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// The produce requests that were read so far.
pub(crate) fn produced(cluster: &MockCluster) -> Vec<MockRequest> {
    count_of(cluster, Api::Produce)
}

pub(crate) fn count_of(cluster: &MockCluster, api: Api) -> Vec<MockRequest> {
    let requests = cluster.requests().into_iter();
    requests.filter(|request| request.is(api)).collect()
}

/// Waits until the cluster has read so many produce requests.
#[track_caller]
pub(crate) fn wait_for_produced(cluster: &MockCluster, count: usize) -> Vec<MockRequest> {
    cluster.wait_for_requests(SOON, |all| {
        all.iter().filter(|one| one.is(Api::Produce)).count() >= count
    });
    produced(cluster)
}

/// Waits for so many more metadata requests.
#[track_caller]
pub(crate) fn wait_for_refreshes(cluster: &MockCluster, count: usize) {
    let before = count_of(cluster, Api::Metadata).len();
    let asked = |cluster: &MockCluster| count_of(cluster, Api::Metadata).len() >= before + count;
    assert!(cluster.wait_for(SOON, asked));
}

/// Waits for what nobody announces.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_met: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_met() {
        assert!(start.elapsed() < SOON, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Per producer id, epoch and partition, the sequences that were sent follow each other from 0.
#[track_caller]
pub(crate) fn assert_contiguous(cluster: &MockCluster) {
    let mut sent: BTreeMap<(i64, i16, i32), BTreeMap<i32, i32>> = BTreeMap::new();
    let requests = produced(cluster);
    let batches = requests.iter().flat_map(MockRequest::batches);
    for batch in batches {
        let MockBatch {
            producer_id,
            producer_epoch,
            partition,
            ..
        } = *batch;
        let of_identity = sent
            .entry((producer_id, producer_epoch, partition))
            .or_default();
        let known = of_identity.insert(batch.base_sequence, batch.records);
        let is_same = known.is_none_or(|records| records == batch.records);
        assert!(is_same, "a sequence was used for another batch: {batch:?}");
    }
    for (identity, batches) in sent {
        let mut next = 0;
        for (base_sequence, records) in batches {
            assert_eq!(base_sequence, next, "a gap in {identity:?}");
            next += records;
        }
    }
}

/// Runs one test in a process of its own. True in that process: the caller goes on with the test.
///
/// For tests that look at what all threads of a process do.
#[track_caller]
pub(crate) fn is_own_process(test: &str) -> bool {
    row_in_own_process(test, 1).is_some()
}

/// Runs one test in a process of its own for each of its rows, one after the other. In such a
/// process: the row's index.
#[track_caller]
pub(crate) fn row_in_own_process(test: &str, rows: usize) -> Option<usize> {
    const MARK: &str = "MILENA_TEST_PROCESS";
    if let Ok(row) = std::env::var(MARK) {
        return Some(row.parse().expect("a number"));
    }
    for row in 0..rows {
        let binary = std::env::current_exe().expect("the test binary has a path");
        let output = std::process::Command::new(binary)
            .args(["--exact", test, "--nocapture"])
            .env(MARK, row.to_string())
            .output()
            .expect("the test binary runs again");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let has_run = text.contains("1 passed");
        assert!(
            output.status.success() && has_run,
            "{test}, row {row}, failed in its process:\n{text}\n{errors}"
        );
        for figures in text.lines().filter(|line| line.starts_with("figures: ")) {
            println!("{figures}");
        }
    }
    None
}
