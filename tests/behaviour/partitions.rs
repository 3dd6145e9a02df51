//! Which partition records go to: Java's sticky choice, racks, and topics whose number of
//! partitions changes.

use std::sync::Mutex;
use std::time::Duration;

use milena::mock::{Api, MockCluster, MockRequest};
use milena::{
    Config, Delivery, ErrorKind, Outcome, PartitionQuery, PartitionerKind, Producer, Record,
};

use crate::support::{
    HOUR, SOON, all_delivered, cluster, config, delivered, eventually, failed, is_own_process,
    plain, produced, producer, send, values,
};

fn sticky(cluster: &MockCluster) -> Config {
    config(cluster).partitioner_kind(PartitionerKind::UniformSticky)
}

/// Sends so many records without a key.
fn send_keyless(producer: &Producer, count: usize) -> Vec<Delivery> {
    let one = |_| producer.send(Record::to("t").value(&[b'v'; 100]));
    (0..count).map(one).collect()
}

/// Sends a record to wherever its key belongs.
fn send_key(producer: &Producer, key: &str, value: &str) -> Delivery {
    producer.send(Record::to("t").key(key).value(value))
}

/// A key of partition `partition` of `count`.
fn key_for(partition: i32, count: u32) -> String {
    let is_its = |key: &String| {
        let query = PartitionQuery::new("t", count, &[]);
        query.with_key(key.as_bytes()).hashed_partition() == Some(partition)
    };
    let mut keys = (0..).map(|number| format!("key-{number}"));
    keys.find(is_its).expect("some key")
}

/// What the round-robin of the default makes of the same records is the other half of the test.
#[test]
fn records_without_a_key_fill_batches_if_they_stay_with_a_partition() {
    let cluster = cluster(2, 8);
    let limits = |config: Config| {
        config
            .batch_size(4096)
            .linger(HOUR)
            .delivery_timeout(2 * HOUR)
    };
    let producer = producer(limits(sticky(&cluster)));
    let deliveries = send_keyless(&producer, 1000);
    // Full batches leave without lingering.
    let is_near_the_end = |cluster: &MockCluster| {
        let requests = produced(cluster);
        let batches = requests.iter().flat_map(MockRequest::batches);
        batches.map(|batch| batch.records).sum::<i32>() > 1000 - 40
    };
    assert!(cluster.wait_for(SOON, is_near_the_end));
    producer.flush().expect("no callback");
    all_delivered(&deliveries);
    let requests = produced(&cluster);
    let mut sizes: Vec<i32> = requests
        .iter()
        .flat_map(MockRequest::batches)
        .map(|batch| batch.records)
        .collect();
    assert_eq!(sizes.iter().sum::<i32>(), 1000);
    sizes.sort_unstable();
    // 4096 bytes are 37 of these records; the last batch has what is left.
    assert!(sizes[1..].iter().all(|size| *size >= 36), "{sizes:?}");
    let used = (0..8).filter(|partition| cluster.end_offset("t", *partition) > 0);
    assert!(used.count() >= 4, "27 batches in 8 partitions");
}

/// Without the time-out, the frozen partitions keep a weight of one each, so that no round of this
/// many records gets past them.
#[test]
fn a_broker_that_takes_nothing_gets_nothing_after_the_availability_time_out() {
    let cluster = cluster(2, 4);
    let timed = sticky(&cluster).partitioner_availability_timeout(Duration::from_millis(50));
    let producer = producer(timed.batch_size(0).close_timeout(Duration::ZERO));
    all_delivered(&send_keyless(&producer, 20));
    cluster.freeze_broker(2);
    drop(send_keyless(&producer, 200));
    eventually("a thousand records avoid the frozen broker", || {
        let deliveries = send_keyless(&producer, 1000);
        let mut all = deliveries.iter();
        all.all(|delivery| delivery.wait_timeout(Duration::from_secs(1)).is_some())
    });
    // A key belongs where it belongs.
    let keyed = send_key(&producer, &key_for(1, 4), "v");
    assert_eq!(cluster.leader("t", 1), 2);
    cluster.thaw_broker(2);
    assert_eq!(delivered(&keyed).partition(), 1);
}

#[test]
fn records_without_a_key_go_to_the_own_rack_while_it_has_a_leader() {
    let cluster = cluster(2, 4);
    cluster.set_rack(1, "zone-a");
    cluster.set_rack(2, "zone-b");
    let near = sticky(&cluster).rack_aware(true).client_rack("zone-b");
    let producer = producer(near.batch_size(0).retries(1000));
    let leaders = |count| {
        let deliveries = send_keyless(&producer, count);
        let partitions = deliveries.iter().map(|one| delivered(one).partition());
        let mut leaders: Vec<i32> = partitions.map(|one| cluster.leader("t", one)).collect();
        leaders.sort_unstable();
        leaders.dedup();
        leaders
    };
    assert_eq!(leaders(100), [2]);
    assert_eq!(
        delivered(&send_key(&producer, &key_for(0, 4), "v")).partition(),
        0
    );
    cluster.stop_broker(2);
    eventually("the other rack takes them", || {
        let delivery = &send_keyless(&producer, 1)[0];
        delivery.wait_timeout(Duration::from_millis(100)).is_some()
    });
    assert_eq!(leaders(100), [1]);
    cluster.start_broker(2);
    // Who waits for it makes the producer look.
    delivered(&send_key(&producer, &key_for(1, 4), "v"));
    eventually("the own rack takes them again", || leaders(1) == [2]);
    assert_eq!(leaders(100), [2]);
}

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Warnings;

impl log::Log for Warnings {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.level() == log::Level::Warn {
            let mut warnings = WARNINGS.lock().expect("no panic");
            warnings.push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn warnings() -> Vec<String> {
    WARNINGS.lock().expect("no panic").clone()
}

/// Makes the producer see the newest metadata, by naming a partition that only that has.
fn see_partition(producer: &Producer, partition: i32) {
    delivered(&send(producer, partition, "seen"));
}

#[test]
fn who_sends_with_keys_is_warned_once_for_each_change_of_a_topics_partitions() {
    if !is_own_process(
        "partitions::who_sends_with_keys_is_warned_once_for_each_change_of_a_topics_partitions",
    ) {
        return;
    }
    log::set_logger(&Warnings).expect("the only logger of this process");
    log::set_max_level(log::LevelFilter::Trace);
    for (kind, has_key, is_warned) in [
        (PartitionerKind::Default, true, true),
        (PartitionerKind::Fnv1aRandom, true, true),
        (PartitionerKind::Default, false, false),
        (PartitionerKind::RoundRobin, true, false),
    ] {
        WARNINGS.lock().expect("no panic").clear();
        let cluster = cluster(1, 2);
        let producer = producer(config(&cluster).partitioner_kind(kind).retries(1000));
        let record = Record::to("t").value("v");
        let record = if has_key { record.key("k") } else { record };
        delivered(&producer.send(record));
        assert_eq!(warnings(), [""; 0]);
        cluster.add_partitions("t", 6);
        see_partition(&producer, 5);
        see_partition(&producer, 4);
        let grown = warnings();
        assert_eq!(grown.len(), usize::from(is_warned), "{kind}: {grown:?}");
        if let [warning] = &grown[..] {
            let start = "topic t has 6 partitions and had 2: partitions were added, or";
            assert!(
                warning.starts_with(start) && warning.contains("keys move"),
                "{warning}"
            );
            assert!(
                warning.contains("flush before partitions are added"),
                "{warning}"
            );
        }
        cluster.delete_topic("t");
        cluster.create_topic("t", 1);
        eventually("the producer sees the new topic", || {
            send(&producer, 0, "v").wait_timeout(SOON);
            producer.partitions_for("t").is_ok_and(|all| all.len() == 1)
        });
        let shrunk = &warnings()[grown.len()..];
        assert_eq!(shrunk.len(), usize::from(is_warned), "{kind}: {shrunk:?}");
        if let [warning] = shrunk {
            let start = "topic t has 1 partitions and had 6: it was deleted and made anew;";
            assert!(warning.starts_with(start), "{warning}");
        }
    }
}

/// The rule of the guide: what is in a partition stays there, what comes later follows the new
/// count, and a partition that is named is that one.
#[test]
fn a_topic_that_grows_moves_the_keys_of_later_records_only() {
    let cluster = cluster(1, 2);
    let producer = plain(&cluster);
    delivered(&send(&producer, 0, "first"));
    // One that is elsewhere after the change.
    let key = key_for(1, 2);
    let moved = |count| PartitionQuery::new("t", count, &[]).with_key(key.as_bytes());
    let count = (3..50).find(|count| moved(*count).hashed_partition() != Some(1));
    let count = count.expect("it moves");
    let there = moved(count).hashed_partition().expect("a key");
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let named = send(&producer, 1, "named");
    assert!(gate.wait_for_held(1, SOON));
    let before = send_key(&producer, &key, "before");
    cluster.add_partitions("t", count as i32);
    let grown = send(&producer, count as i32 - 1, "grown");
    let after = send_key(&producer, &key, "after");
    let named_after = send(&producer, 1, "named after");
    gate.open();
    for (delivery, partition) in [
        (&named, 1),
        (&before, 1),
        (&grown, count as i32 - 1),
        (&after, there),
        (&named_after, 1),
    ] {
        assert_eq!(delivered(delivery).partition(), partition);
    }
    assert_eq!(values(&cluster, 1), ["named", "before", "named after"]);
}

#[test]
fn records_of_a_partition_that_the_new_topic_lacks_fail_and_later_ones_follow_their_keys() {
    let cluster = cluster(2, 4);
    let limit = Duration::from_millis(1500);
    let config = config(&cluster).request_timeout(Duration::from_secs(1));
    let producer = producer(config.retries(1000).delivery_timeout(limit));
    delivered(&send(&producer, 0, "first"));
    // It has no leader, so what is for it waits.
    cluster.stop_broker(2);
    let key = key_for(3, 4);
    let waiting = send_key(&producer, &key, "waiting");
    cluster.delete_topic("t");
    cluster.create_topic("t", 1);
    eventually("the producer sees the new topic", || {
        producer.partitions_for("t").is_ok_and(|all| all.len() == 1)
    });
    assert_eq!(
        delivered(&send_key(&producer, &key, "later")).partition(),
        0
    );
    let error = failed(&waiting);
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::NotWritten)
    );
    let error = failed(&send(&producer, 3, "named"));
    assert_eq!(error.kind(), ErrorKind::PartitionOutOfRange);
}
