//! What a broker holds its clients to: rates, connections, rest.

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use milena::ErrorKind::TimedOut;
use milena::{Config, Producer, Record};

use crate::kafka::{Cluster, Isolation, Listener, Version, until};
use crate::load::config;

const PATIENCE: Duration = Duration::from_secs(60);
/// How long the broker lets a connection rest.
const IDLE: Duration = Duration::from_secs(5);

/// The broker of the tests that do not change its settings; it ends with the process.
fn cluster() -> &'static Cluster {
    static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
        Cluster::of(Version::V4_3_1)
            .listeners(&[Listener::Plaintext, Listener::SaslPlaintext])
            .property("connections.max.idle.ms", &IDLE.as_millis().to_string())
            .start()
    });
    &CLUSTER
}

fn start(config: Config) -> Producer {
    Producer::new(config).expect("settings that can work")
}

fn texts(cluster: &Cluster, topic: &str) -> Vec<String> {
    let read = cluster.read(topic, Isolation::Committed);
    read.iter().map(|record| record.text().to_owned()).collect()
}

/// A broker answers a client above its rate at once, with how long to pause, and reads nothing of
/// it meanwhile: what was sent before the answer came waits for longer than a request may take.
#[test]
#[ignore = "needs Java: run tests/run"]
fn a_rate_slows_down_and_costs_no_record_and_no_connection() {
    const RATE: usize = 100_000;
    const COUNT: usize = 26;
    const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
    let cluster = cluster();
    let slow = |listener, entity: (&str, &str), topic: &str| {
        cluster.create_topic(topic, 1, 1, &[]);
        cluster.set_quota(entity, "producer_byte_rate", Some(RATE as f64));
        let config = config(cluster, listener)
            .client_id("slow")
            .request_timeout(REQUEST_TIMEOUT)
            .batch_size(RATE / 2);
        let producer = start(config.idempotence(true));
        // The broker counts eleven seconds together, so these are at 1.2 times the rate.
        let filler = "x".repeat(RATE / 2 - 1000);
        let sent: Vec<_> = (0..COUNT)
            .map(|number| format!("{number} {filler}"))
            .collect();
        let records = sent.iter().map(|text| Record::to(topic).value(text));
        for result in producer.send_all(records).wait_all() {
            result.unwrap_or_else(|error| panic!("{topic}: {error}"));
        }
        let seen = producer.metrics();
        assert!(
            seen.throttle_ms > REQUEST_TIMEOUT.as_millis() as u64 * 2,
            "{topic}: {seen:?}"
        );
        assert_eq!((seen.connects, seen.retries), (1, 0), "{topic}: {seen:?}");

        // What is sent in the pause is delivered by the close.
        let last = producer.send(Record::to(topic).value("last"));
        let report = producer.close().expect("a report");
        let found = (report.delivered, report.failed, report.unknown);
        assert_eq!(found, (COUNT as u64 + 1, 0, 0), "{topic}");
        last.wait().expect("the last record");
        let read = texts(cluster, topic);
        assert_eq!(read[..COUNT], sent, "{topic}");
        assert_eq!(read[COUNT..], ["last"], "{topic}");
    };
    thread::scope(|scope| {
        scope.spawn(|| slow(Listener::Plaintext, ("client-id", "slow"), "slow-client"));
        scope.spawn(|| slow(Listener::SaslPlaintext, ("user", "alice"), "slow-user"));
    });
}

/// A close with a limit does not wait for the end of the pause.
#[test]
#[ignore = "needs Java: run tests/run"]
fn a_share_of_the_brokers_time_slows_down_and_a_close_need_not_wait() {
    let cluster = cluster();
    cluster.create_topic("busy", 1, 1, &[]);
    let quota = ("client-id", "busy");
    cluster.set_quota(quota, "request_percentage", Some(0.01));
    let producer = start(config(cluster, Listener::Plaintext).client_id("busy"));
    let mut sent = 0;
    until("the share is used up", PATIENCE, || {
        let delivery = producer.send(Record::to("busy").value(&sent.to_string()));
        delivery.wait().unwrap_or_else(|error| panic!("{error}"));
        sent += 1;
        (producer.metrics().throttle_ms > 500).then_some(())
    });
    let late = producer.send(Record::to("busy").value(&sent.to_string()));
    let report = producer.close_timeout(Duration::ZERO).expect("a report");
    assert_eq!(report.delivered + report.failed + report.unknown, sent + 1);
    let is_there = late.wait().is_ok();
    let read = texts(cluster, "busy");
    assert!(read.len() as u64 >= sent + u64::from(is_there));
    let numbers: Vec<_> = (0..read.len()).map(|number| number.to_string()).collect();
    assert_eq!(read, numbers);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_record_after_the_broker_closed_what_rested_needs_no_retry() {
    let cluster = cluster();
    cluster.create_topic("rested", 1, 1, &[]);
    let producers: Vec<_> = [Listener::Plaintext, Listener::SaslPlaintext]
        .into_iter()
        .flat_map(|listener| {
            let config = || config(cluster, listener);
            let once = config().retries(0).idempotence(false);
            [once, config().idempotence(true)].map(start)
        })
        .collect();
    let send = || {
        for producer in &producers {
            let delivery = producer.send(Record::to("rested").value("v"));
            delivery.wait().unwrap_or_else(|error| panic!("{error}"));
        }
    };
    send();
    thread::sleep(IDLE + Duration::from_secs(1));
    send();
    for producer in &producers {
        let seen = producer.metrics();
        let found = (seen.connects, seen.connect_failures, seen.retries);
        assert_eq!(found, (2, 0, 0), "closed once, and opened again: {seen:?}");
    }
    let read = cluster.read("rested", Isolation::Committed);
    assert_eq!(read.len(), 2 * producers.len());
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn connections_that_the_broker_has_too_many_of_are_told_and_tried_again_with_pauses() {
    const SOON: Duration = Duration::from_secs(2);
    let cluster = Cluster::of(Version::V4_3_1).start();
    cluster.create_topic("t", 1, 1, &[]);
    cluster.create_topic("crowd", 1, 1, &[]);
    let address = cluster.bootstrap(Listener::Plaintext);
    let old = start(config(&cluster, Listener::Plaintext));
    let send = |producer: &Producer| producer.send(Record::to("t").value("v")).wait();
    send(&old).expect("a record before there is a limit");

    // The rig's own connection counts as well, so there is no room for any other.
    cluster.alter_broker(1, &[("max.connections.per.ip", "1")]);
    let (new, error) = until("the limit is there", PATIENCE, || {
        let config = config(&cluster, Listener::Plaintext).max_block(SOON);
        let new = start(config.delivery_timeout(SOON).request_timeout(SOON));
        send(&new).err().map(|error| (new, error))
    });
    println!("{error}");
    assert_eq!(error.kind(), TimedOut, "{error}");
    for says in [&*address, "ApiVersions: ", "max.connections.per.ip"] {
        assert!(error.to_string().contains(says), "no {says:?} in: {error}");
    }
    assert!(error.is_retriable(), "{error}");
    send(&old).expect("connections that are there stay");
    let tries = new.metrics().connect_failures;
    assert!(tries < 100, "{tries} attempts in {SOON:?}");
    cluster.alter_broker(1, &[("max.connections.per.ip", "1000")]);
    until("there is room", PATIENCE, || send(&new).ok());

    // One connection a second; what comes sooner is accepted and closed later, without a word.
    let entity = ("ip", "127.0.0.1");
    cluster.set_quota(entity, "connection_creation_rate", Some(1.0));
    let crowd: Vec<_> = (0..4)
        .map(|_| start(config(&cluster, Listener::Plaintext).max_block(PATIENCE)))
        .collect();
    let deliveries = crowd
        .iter()
        .map(|producer| producer.send(Record::to("crowd").value("v")));
    for delivery in deliveries.collect::<Vec<_>>() {
        delivery.wait().unwrap_or_else(|error| panic!("{error}"));
    }
    cluster.set_quota(entity, "connection_creation_rate", None);
    assert_eq!(texts(&cluster, "crowd"), ["v"; 4]);
}
