//! Topics that are unknown, late, denied or growing, and how often the cluster is asked.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use milena::mock::{Api, MockCluster};
use milena::{Config, ErrorKind, Outcome, Producer, Record};

use crate::support::{
    HOUR, NOT_LEADER, PROMISED, SOON, cluster, config, count_of, delivered, eventually, failed,
    plain, produced, producer, result, send,
};

const TOPIC_AUTHORIZATION_FAILED: i16 = 29;

fn to_missing(producer: &Producer) -> milena::Delivery {
    producer.send(Record::to("missing").value("v"))
}

#[test]
fn an_unknown_topic_fails_after_max_block_and_is_asked_for_with_pauses() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(1000);
    let config = config(&cluster).retry_backoff(Duration::from_millis(100));
    let producer = producer(config.retry_backoff_max(limit).max_block(limit));
    let start = Instant::now();
    let error = to_missing(&producer)
        .try_get()
        .expect("done")
        .expect_err("no topic");
    assert!(
        (limit..limit + PROMISED).contains(&start.elapsed()),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::UnknownTopic, Outcome::NotWritten)
    );
    let text = error.to_string();
    assert!(
        text.contains("topic missing") && text.contains("max.block.ms = 1 s"),
        "{text}"
    );
    assert!(text.contains("UNKNOWN_TOPIC_OR_PARTITION"), "{text}");
    // 100, 200, 400 and 800 ms, less 20 %.
    let asked = count_of(&cluster, Api::Metadata).len();
    assert!((2..=6).contains(&asked), "{asked} requests");
}

#[test]
fn many_who_wait_for_a_topic_do_not_ask_more_often() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(600);
    let config = config(&cluster).retry_backoff(Duration::from_millis(100));
    let producer = producer(config.retry_backoff_max(limit).max_block(limit));
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| failed(&to_missing(&producer)));
        }
    });
    let asked = count_of(&cluster, Api::Metadata).len();
    assert!(
        asked <= 9,
        "{asked} requests in {limit:?} with pauses of 100 ms and more"
    );
}

#[test]
fn a_send_waits_for_a_topic_that_appears() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).max_block(HOUR));
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| to_missing(&producer));
        let asked = |cluster: &MockCluster| count_of(cluster, Api::Metadata).len() >= 3;
        assert!(cluster.wait_for(SOON, asked));
        assert!(!sending.is_finished());
        cluster.create_topic("missing", 1);
        delivered(&sending.join().expect("no panic"));
    });
}

#[test]
fn a_topic_is_created_where_the_cluster_does_that_and_only_then() {
    let cluster = cluster(1, 1);
    cluster.auto_create(Some(3));
    let strict = producer(
        config(&cluster)
            .allow_auto_create_topics(false)
            .max_block(Duration::from_millis(100)),
    );
    assert_eq!(failed(&to_missing(&strict)).kind(), ErrorKind::UnknownTopic);
    let producer = plain(&cluster);
    delivered(&to_missing(&producer));
    assert_eq!(producer.partitions_for("missing").expect("known").len(), 3);
}

#[test]
fn with_max_block_zero_the_topic_is_fetched_behind_the_sends() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).max_block(Duration::ZERO));
    let first = send(&producer, 0, "v").try_get().expect("it did not wait");
    assert!(first.expect_err("not known yet").is_retriable());
    eventually("the topic is known", || {
        result(&send(&producer, 0, "v")).is_ok()
    });
}

#[test]
fn try_send_gives_the_record_back_until_the_topic_is_known() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    let refused = producer
        .try_send(Record::to("t").value("v"))
        .expect_err("unknown");
    assert_eq!(refused.error().kind(), ErrorKind::TopicNotReady);
    let mut record = refused.into_record();
    assert_eq!(record.value_bytes(), Some(&b"v"[..]));
    let start = Instant::now();
    let delivery = loop {
        match producer.try_send(record) {
            Ok(delivery) => break delivery,
            Err(refused) => record = refused.into_record(),
        }
        assert!(start.elapsed() < SOON, "the topic was not asked for");
        std::thread::yield_now();
    };
    delivered(&delivery);
}

#[test]
fn a_topic_without_partitions_is_asked_for_again() {
    let cluster = cluster(1, 1);
    let empty = cluster
        .on(Api::Metadata)
        .topic("t")
        .times(2)
        .no_partitions();
    delivered(&send(&plain(&cluster), 0, "v"));
    assert_eq!(empty.hits(), 2);
}

#[test]
fn a_denied_topic_fails_at_once_and_works_once_it_is_allowed() {
    let cluster = cluster(1, 1);
    let denial = cluster.on(Api::Metadata).topic("t").always();
    let denial = denial.error(TOPIC_AUTHORIZATION_FAILED);
    let producer = producer(config(&cluster).max_block(HOUR));
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Authorization, Some(29))
    );
    assert_eq!(error.outcome(), Outcome::NotWritten);
    denial.cancel();
    // An answer from before may still be on its way.
    eventually("it is allowed", || result(&send(&producer, 0, "v")).is_ok());
}

#[test]
fn a_topic_that_is_denied_later_fails_its_sends_until_it_is_allowed() {
    let cluster = cluster(1, 1);
    let config = config(&cluster).metadata_max_age(Duration::from_millis(20));
    let producer = producer(config);
    delivered(&send(&producer, 0, "v"));
    let denial = cluster.on(Api::Metadata).topic("t").always();
    let denial = denial.error(TOPIC_AUTHORIZATION_FAILED);
    eventually("the denial is known", || {
        let result = result(&send(&producer, 0, "v"));
        result.is_err_and(|error| error.kind() == ErrorKind::Authorization)
    });
    denial.cancel();
    eventually("it is allowed again", || {
        result(&send(&producer, 0, "v")).is_ok()
    });
}

#[test]
fn a_topic_that_grows_is_used_whole() {
    let cluster = cluster(2, 1);
    let config = config(&cluster).metadata_max_age(Duration::from_millis(20));
    let producer = producer(config);
    delivered(&send(&producer, 0, "v"));
    cluster.add_partitions("t", 4);
    eventually("all partitions are used", || {
        delivered(&producer.send(Record::to("t").value("v")));
        (0..4).all(|partition| cluster.end_offset("t", partition) > 0)
    });
    let infos = producer.partitions_for("t").expect("known");
    let leaders: Vec<_> = infos
        .iter()
        .map(|info| (info.partition(), info.leader()))
        .collect();
    let truth = (0..4).map(|index| (index, Some(cluster.leader("t", index))));
    assert_eq!(leaders, truth.collect::<Vec<_>>());
}

#[test]
fn a_partition_that_was_added_is_looked_for_and_one_that_was_not_is_out_of_range() {
    let cluster = cluster(1, 2);
    let producer = plain(&cluster);
    delivered(&send(&producer, 0, "v"));
    cluster.add_partitions("t", 4);
    delivered(&send(&producer, 3, "v"));
    let error = failed(&send(&producer, 4, "v"));
    assert_eq!(error.kind(), ErrorKind::PartitionOutOfRange);
    assert!(
        error.to_string().contains("has 4 partitions, 0 to 3"),
        "{error}"
    );
    assert_eq!(
        failed(&send(&producer, -1, "v")).kind(),
        ErrorKind::PartitionOutOfRange
    );
}

#[test]
fn a_bootstrap_server_that_is_dead_is_passed_over() {
    let cluster = cluster(1, 1);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = taken.local_addr().expect("bound");
    drop(taken);
    // Whichever is asked first.
    for _ in 0..4 {
        let servers = format!("{dead},{}", cluster.bootstrap());
        let producer = producer(Config::new(servers).max_block(SOON));
        delivered(&send(&producer, 0, "v"));
    }
}

#[test]
fn with_no_server_the_error_names_them_and_their_causes() {
    let cluster = cluster(2, 1);
    (1..=2).for_each(|node| cluster.stop_broker(node));
    let limit = Duration::from_millis(100);
    let producer = producer(config(&cluster).max_block(limit));
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::NotWritten)
    );
    let text = error.to_string();
    let has_both = (1..=2).all(|node| text.contains(&cluster.address(node)));
    assert!(has_both && text.contains("max.block.ms = 100 ms"), "{text}");
}

#[test]
fn a_topic_that_was_made_anew_is_followed() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).retries(u32::MAX));
    delivered(&send(&producer, 0, "old"));
    cluster.delete_topic("t");
    cluster.create_topic("t", 1);
    delivered(&send(&producer, 0, "new"));
    assert_eq!(crate::support::values(&cluster, 0), ["new"]);
}

#[test]
fn a_broker_that_misleads_is_not_asked_in_a_hurry() {
    let cluster = cluster(2, 1);
    let pause = Duration::from_millis(100);
    let config = config(&cluster)
        .retry_backoff(pause)
        .retry_backoff_max(pause);
    let limit = Duration::from_millis(600);
    let config = config.request_timeout(limit).delivery_timeout(limit);
    let producer = producer(config.retries(u32::MAX));
    cluster.on(Api::Produce).always().error(NOT_LEADER);
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(error.outcome(), Outcome::NotWritten);
    let (asked, sent) = (
        count_of(&cluster, Api::Metadata).len(),
        produced(&cluster).len(),
    );
    // 600 ms hold seven pauses of 80 ms.
    assert!(
        asked <= 10 && sent <= 9,
        "{asked} metadata and {sent} produce requests"
    );
}
