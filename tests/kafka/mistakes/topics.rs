//! Topics that are not there, or not for this user.

use std::time::Duration;

use milena::ErrorKind::{Authorization, InvalidTopic, PartitionOutOfRange, UnknownTopic};
use milena::Outcome::NotWritten;
use milena::mock::{Api, MockCluster};
use milena::{Config, Record};

use super::{config, delivers, plain, refused, says, start};
use crate::kafka::{Acl, Cluster, Listener, USERS, Version, until};

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_topic_that_does_not_exist_is_named_and_others_work() {
    let cluster = Cluster::shared();
    cluster.create_topic("known", 1, 1, &[]);
    let config = plain(cluster.bootstrap(Listener::Plaintext));
    let producer = start(config.max_block(Duration::from_millis(1500)));
    delivers(&producer, "known");
    let error = refused(&producer, Record::to("misspelt").value("v"));
    let fragments = [
        "topic misspelt is not known",
        "waited max.block.ms = 1.5 s",
        "UNKNOWN_TOPIC_OR_PARTITION (3)",
        "misspelt",
    ];
    says(&error, UnknownTopic, NotWritten, &fragments);
    assert_eq!(error.code(), Some(3));
    delivers(&producer, "known");
    cluster.create_topic("misspelt", 1, 1, &[]);
    delivers(&producer, "misspelt");
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_topic_name_that_kafka_forbids_is_refused_with_what_is_wrong() {
    let cluster = Cluster::shared();
    cluster.create_topic("well-named", 1, 1, &[]);
    let producer = start(plain(cluster.bootstrap(Listener::Plaintext)));
    let long = "x".repeat(250);
    for (name, what) in [
        ("two words", "\"two words\" contains ' ', Kafka allows a-z"),
        ("tïpi", "\"tïpi\" contains 'ï'"),
        ("..", "\"..\" is one that Kafka forbids"),
        ("", "is empty"),
        (&long, "is 250 bytes long, Kafka allows 249"),
    ] {
        let error = refused(&producer, Record::to(name).value("v"));
        says(&error, InvalidTopic, NotWritten, &["the topic name ", what]);
    }
    delivers(&producer, "well-named");
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_partition_that_the_topic_lacks_is_refused_with_those_it_has() {
    let cluster = Cluster::shared();
    cluster.create_topic("two", 2, 1, &[]);
    let producer = start(plain(cluster.bootstrap(Listener::Plaintext)));
    let error = refused(&producer, Record::to("two").partition(2).value("v"));
    let fragments = ["partition 2 of topic two does not exist: the topic has 2 partitions, 0 to 1"];
    says(&error, PartitionOutOfRange, NotWritten, &fragments);
    let error = refused(&producer, Record::to("two").partition(-1).value("v"));
    says(&error, PartitionOutOfRange, NotWritten, &["-1"]);
    delivers(&producer, "two");
    cluster.add_partitions("two", 3);
    let grown = producer.send(Record::to("two").partition(2).value("v"));
    assert_eq!(
        grown.wait().expect("a partition that is new").partition(),
        2
    );
}

fn restricted() -> Cluster {
    let builder = Cluster::of(Version::V4_3_1).listeners(&[Listener::SaslPlaintext]);
    let cluster = builder.authorizer().start();
    for topic in ["hidden", "readable", "open"] {
        cluster.create_topic(topic, 1, 1, &[]);
    }
    cluster
}

fn by_user(cluster: &Cluster, (name, password): (&str, &str)) -> Config {
    let servers = cluster.bootstrap(Listener::SaslPlaintext);
    config(servers, Listener::SaslPlaintext).sasl_plain(name, password)
}

/// Metadata refuses "hidden", only Produce refuses "readable".
#[test]
#[ignore = "needs Java: run tests/run"]
fn a_topic_that_is_denied_is_named_and_others_work_and_an_acl_mends_it() {
    let cluster = restricted();
    cluster.allow("User:alice", "DESCRIBE", Acl::Topic("readable"));
    cluster.allow("User:alice", "WRITE", Acl::Topic("open"));
    for idempotence in [false, true] {
        let producer = start(by_user(&cluster, USERS[0]).idempotence(idempotence));
        delivers(&producer, "open");
        for topic in ["hidden", "readable"] {
            let error = refused(&producer, Record::to(topic).value("v"));
            let fragments = [
                topic,
                "TOPIC_AUTHORIZATION_FAILED (29)",
                "grant it Write",
                "the principal is that of user \"alice\" (PLAIN)",
            ];
            says(&error, Authorization, NotWritten, &fragments);
            assert_eq!(error.code(), Some(29));
            delivers(&producer, "open");
        }
        if idempotence {
            for topic in ["hidden", "readable"] {
                cluster.allow("User:alice", "WRITE", Acl::Topic(topic));
                until("the ACL counts", super::PATIENCE, || {
                    producer.send(Record::to(topic).value("v")).wait().ok()
                });
            }
        }
    }
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn idempotence_without_the_right_to_it_says_what_to_grant() {
    let cluster = restricted();
    cluster.allow("User:bob", "DESCRIBE", Acl::Topic("open"));
    let producer = start(by_user(&cluster, USERS[1]).idempotence(true));
    let error = refused(&producer, Record::to("open").value("v"));
    let fragments = [
        "record for open-0",
        "CLUSTER_AUTHORIZATION_FAILED (31)",
        "IdempotentWrite",
        "enable.idempotence=false",
        "the principal is that of user \"bob\" (PLAIN)",
    ];
    says(&error, Authorization, NotWritten, &fragments);
    cluster.allow("User:bob", "WRITE", Acl::Topic("open"));
    until("the ACL counts", super::PATIENCE, || {
        producer.send(Record::to("open").value("v")).wait().ok()
    });
}

/// The same without Java; the records fail when the answer comes, not when their time is over.
#[test]
fn a_denied_producer_id_fails_records_at_once_and_a_granted_one_takes_the_next() {
    let cluster = MockCluster::start(1);
    cluster.create_topic("t", 2);
    let denied = cluster.on(Api::InitProducerId).always().error(31);
    let config = plain(cluster.bootstrap()).idempotence(true);
    let producer = start(config.delivery_timeout(Duration::from_secs(3600)));
    for partition in [0, 1] {
        let error = refused(&producer, Record::to("t").partition(partition).value("v"));
        let place = format!("record for t-{partition}");
        says(
            &error,
            Authorization,
            NotWritten,
            &[&place, "a producer id"],
        );
    }
    assert_eq!(producer.buffered_bytes(), 0);
    denied.cancel();
    delivers(&producer, "t");
}
