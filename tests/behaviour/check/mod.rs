//! What a check says of clusters that work, and of those that do not: stage, broker, what to do.

mod listeners;
mod topics;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use milena::mock::{Api, MockCluster};
use milena::{
    CheckReport, CheckStage, Compression, Config, ErrorKind, Finding, Producer, Record,
    SecurityProtocol, Verdict,
};

use crate::proxy::BlackHole;
use crate::support::{SOON, cluster, config, config_for, count_of, producer};
use crate::watch;

const PASSWORD: &str = "s3cret-h1dden";

fn check(config: Config) -> CheckReport {
    let report = producer(config).check(&["t"], SOON);
    watch::look("a report", &format!("{report} {report:?}"));
    report
}

/// A cluster with nothing to complain about.
fn good() -> MockCluster {
    let cluster = cluster(3, 3);
    cluster.set_min_isr("t", 2);
    cluster
}

fn safe(cluster: &MockCluster) -> Config {
    config(cluster).idempotence(true)
}

/// The only finding that is neither good nor skipped, by its verdict, stage and text.
#[track_caller]
fn only(report: &CheckReport, verdict: Verdict, stage: CheckStage, fragments: &[&str]) -> Finding {
    let bad = report.findings().iter();
    let bad: Vec<_> = bad
        .filter(|one| one.verdict() >= Verdict::Warning)
        .collect();
    let [finding] = bad[..] else {
        panic!("{} findings:\n{report}", bad.len());
    };
    assert_eq!(
        (finding.verdict(), finding.stage()),
        (verdict, stage),
        "{report}"
    );
    assert_eq!(report.is_ok(), verdict != Verdict::Failure, "{report}");
    let said = format!("{finding}");
    for fragment in fragments {
        assert!(said.contains(fragment), "no {fragment:?} in: {said}");
    }
    assert!(finding.advice().is_some(), "nothing to do: {said}");
    assert!(report.to_string().contains(finding.text()), "{report}");
    finding.clone()
}

#[track_caller]
fn fails(report: &CheckReport, stage: CheckStage, fragments: &[&str]) -> Finding {
    only(report, Verdict::Failure, stage, fragments)
}

#[track_caller]
fn warns(report: &CheckReport, stage: CheckStage, fragments: &[&str]) -> Finding {
    only(report, Verdict::Warning, stage, fragments)
}

#[test]
fn a_good_cluster_passes_every_stage_and_is_only_read() {
    let cluster = good();
    cluster.auto_create(Some(1));
    let producer = producer(safe(&cluster));
    let report = producer.check(&["t"], SOON);
    let bad = report.findings().iter();
    let bad = bad.filter(|finding| finding.verdict() != Verdict::Ok);
    assert_eq!(bad.count(), 0, "{report}");
    let mut stages: Vec<_> = report.findings().iter().map(Finding::stage).collect();
    stages.sort_unstable();
    stages.dedup();
    let expected = [
        CheckStage::Dns,
        CheckStage::Tcp,
        CheckStage::ApiVersions,
        CheckStage::Metadata,
        CheckStage::Listener,
        CheckStage::Topic,
        CheckStage::Permission,
        CheckStage::Size,
        CheckStage::Durability,
    ];
    assert_eq!(stages, expected, "{report}");
    let ids: Vec<_> = report
        .findings()
        .iter()
        .filter_map(Finding::broker_id)
        .collect();
    assert_eq!(ids, [1, 2, 3]);

    // A topic that is not there stays so, although both sides would create it.
    let report = producer.check(&["absent"], SOON);
    warns(
        &report,
        CheckStage::Topic,
        &["does not exist yet; the first send creates it"],
    );
    warns(
        &producer.check(&["absent"], SOON),
        CheckStage::Topic,
        &["does not exist yet"],
    );

    for api in [Api::Produce, Api::InitProducerId] {
        assert_eq!(count_of(&cluster, api).len(), 0, "{api:?}");
    }
    assert_eq!(cluster.end_offset("t", 0), 0);
    let all_closed = |cluster: &MockCluster| {
        let connections = cluster.connections();
        connections.len() == 9 && connections.iter().all(|one| !one.is_open)
    };
    assert!(
        cluster.wait_for(SOON, all_closed),
        "{:?}",
        cluster.connections()
    );
}

#[test]
fn a_name_that_cannot_be_looked_up_fails_at_dns() {
    let report = check(config_for("no-such-host.invalid:9092".into()));
    let finding = fails(&report, CheckStage::Dns, &["bootstrap.servers"]);
    assert_eq!(finding.broker(), Some("no-such-host.invalid:9092"));
    assert_eq!(finding.topic(), None);
    let skipped = |stage, text: &str| {
        let mut all = report.findings().iter();
        all.any(|one| one.stage() == stage && one.text().contains(text))
    };
    assert!(
        skipped(CheckStage::Topic, "no broker told of it"),
        "{report}"
    );
    assert!(
        skipped(CheckStage::Listener, "no bootstrap server told"),
        "{report}"
    );
}

#[test]
fn a_port_that_nobody_listens_at_and_one_that_swallows_everything_fail_at_tcp() {
    let report = check(config_for("127.0.0.1:1".into()));
    let finding = fails(
        &report,
        CheckStage::Tcp,
        &["connection refused", "is the broker running"],
    );
    assert_eq!(
        finding.error().map(|error| error.kind()),
        Some(ErrorKind::Connection)
    );

    let hole = BlackHole::open();
    let limit = Duration::from_millis(600);
    let start = Instant::now();
    let report = producer(config_for(hole.address.to_string())).check(&["t"], limit);
    assert!(start.elapsed() < SOON / 2, "{:?}", start.elapsed());
    let finding = fails(&report, CheckStage::Tcp, &["no answer within", "firewalls"]);
    assert!(finding.error().is_some_and(|error| error.is_timeout()));
}

#[test]
fn every_bootstrap_server_is_looked_at_and_one_that_works_is_enough_for_the_rest() {
    let cluster = good();
    let servers = format!("127.0.0.1:1,{}", cluster.address(2));
    let report = check(config_for(servers).idempotence(true));
    let finding = fails(&report, CheckStage::Tcp, &["connection refused"]);
    assert_eq!(finding.broker(), Some("127.0.0.1:1"));
    let led = "3 partitions, all with a leader";
    assert!(
        report.findings().iter().any(|one| one.text() == led),
        "{report}"
    );
}

/// Answers every connection with these bytes, until the test process ends.
fn server_that_says(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.expect("a connection");
            let _ = socket.read(&mut [0; 1024]);
            let _ = socket.write_all(bytes);
        }
    });
    address
}

#[test]
fn a_server_of_another_kind_fails_where_kafka_would_answer() {
    let http = server_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let report = check(config_for(http));
    fails(
        &report,
        CheckStage::ApiVersions,
        &["speaks HTTP", "a listener of a Kafka broker"],
    );

    let tls = server_that_says(b"\x15\x03\x03\x00\x02\x02\x46");
    let report = check(config_for(tls));
    fails(
        &report,
        CheckStage::ApiVersions,
        &["this is a TLS port", "PLAINTEXT"],
    );
}

#[cfg(feature = "tls")]
#[test]
fn tls_to_a_plain_text_listener_fails_at_tls() {
    let plain = server_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let report = check(config_for(plain).security_protocol(SecurityProtocol::Ssl));
    fails(
        &report,
        CheckStage::Tls,
        &["HTTP", "security.protocol has to be that of the listener"],
    );
}

#[test]
fn logins_fail_at_sasl_with_the_brokers_text_and_without_the_password() {
    let cluster = good();
    cluster.sasl_plain("alice", "right");
    let to = || safe(&cluster).security_protocol(SecurityProtocol::SaslPlaintext);
    let report = check(to().sasl_plain("alice", PASSWORD));
    let failures: Vec<_> = report.failures().collect();
    assert_eq!(
        failures.len(),
        3,
        "one for each bootstrap server:\n{report}"
    );
    for failure in failures {
        assert_eq!(failure.stage(), CheckStage::Sasl);
        let said = failure.to_string();
        assert!(
            said.contains("the broker refused user \"alice\" (PLAIN)"),
            "{said}"
        );
        assert!(!said.contains("h1dden"), "{said}");
    }
    let report = check(to().sasl_plain("alice", "right"));
    let warned = report
        .warnings()
        .filter(|one| one.stage() == CheckStage::Sasl);
    assert_eq!(warned.count(), 3, "the password is unencrypted:\n{report}");
    assert!(report.is_ok(), "{report}");

    // Without a login, the first request that needs one fails.
    let report = check(config_for(cluster.address(1)));
    fails(
        &report,
        CheckStage::Metadata,
        &["does this listener ask for SASL?"],
    );
}

#[cfg(feature = "scram")]
#[test]
fn a_mechanism_that_is_not_offered_fails_at_sasl_and_names_those_that_are() {
    let cluster = good();
    cluster.sasl_plain("alice", "right");
    let to = config_for(cluster.address(1)).security_protocol(SecurityProtocol::SaslPlaintext);
    let report = check(to.sasl_scram_sha_256("alice", PASSWORD));
    let says = [
        "which this listener does not offer; it offers PLAIN",
        "sasl.mechanism has to be",
    ];
    fails(&report, CheckStage::Sasl, &says);
}

#[test]
fn what_the_brokers_version_lacks_for_the_settings_fails_at_api_versions() {
    let cluster = good();
    let to = || config_for(cluster.address(1)).idempotence(true);
    cluster.versions_of(1, Api::Produce, 3..=6);
    let report = check(to().compression(Compression::Zstd));
    fails(
        &report,
        CheckStage::ApiVersions,
        &["zstd", "this one speaks 6", "upgrade the broker"],
    );
    cluster.versions_of(1, Api::Produce, 0..=2);
    let report = check(to());
    let finding = fails(&report, CheckStage::ApiVersions, &["Produce versions 0-2"]);
    let kind = finding.error().map(|error| error.kind());
    assert_eq!(kind, Some(ErrorKind::UnsupportedVersion));
}

#[test]
fn time_that_is_over_and_a_name_that_no_topic_has_are_told() {
    let cluster = good();
    let report = producer(safe(&cluster)).check(&["t"], Duration::ZERO);
    let dns = report
        .findings()
        .iter()
        .filter(|one| one.stage() == CheckStage::Dns);
    assert!(dns.clone().count() == 3 && dns.clone().all(|one| one.text().contains("0 ms")));
    let report = producer(safe(&cluster)).check(&["b/ad", "t"], SOON);
    let mut failures = report.failures();
    let finding = failures.next().expect("a failure");
    assert_eq!(
        (finding.stage(), finding.topic()),
        (CheckStage::Topic, Some("b/ad"))
    );
    assert!(
        finding.text().contains("contains '/'") && failures.next().is_none(),
        "{report}"
    );
}

#[test]
fn a_producer_that_is_closed_or_closes_ends_the_check() {
    let cluster = good();
    let producer = producer(safe(&cluster));
    let gate = cluster.gate();
    cluster.on(Api::Metadata).always().hold(&gate).answer();
    let report = std::thread::scope(|scope| {
        let checking = scope.spawn(|| producer.check(&["t"], SOON));
        let has_asked = |cluster: &MockCluster| count_of(cluster, Api::Metadata).len() == 1;
        assert!(cluster.wait_for(SOON, has_asked));
        producer.close_timeout(Duration::ZERO).expect("a report");
        checking.join().expect("no panic")
    });
    for report in [report, producer.check(&["t"], SOON)] {
        let failure = report.failures().next().expect("a failure");
        assert_eq!(failure.stage(), CheckStage::Producer, "{report}");
        assert_eq!(
            failure.error().map(|error| error.kind()),
            Some(ErrorKind::Closed)
        );
    }
}

#[test]
fn a_check_does_not_disturb_the_records_of_the_same_producer() {
    let cluster = good();
    let producer: Producer = producer(safe(&cluster));
    for _ in 0..3 {
        let delivery = producer.send(Record::to("t").value("v"));
        assert!(producer.check(&["t"], SOON).is_ok());
        assert!(delivery.wait().is_ok());
    }
    assert_eq!(producer.close().expect("a report").delivered, 3);
}
