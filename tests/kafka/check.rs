//! A check of real brokers: what they let a client see and do is told as it is, and nothing is
//! written.

use std::time::Duration;

use milena::{CheckReport, CheckStage, Config, Finding, Producer, SecurityProtocol, Verdict};

use crate::kafka::{Acl, Certificate, Cluster, Isolation, Listener, USERS, Version};
use crate::kafka::{authority, ca_pem, until};
use crate::relay::Relay;

const LIMIT: Duration = Duration::from_secs(60);
const WRONG: &str = "wr0ng-h1dden-pa55";

fn check(config: Config, topic: &str) -> CheckReport {
    let producer = Producer::new(config.idempotence(true)).expect("settings that can work");
    let report = producer.check(&[topic], LIMIT);
    crate::watch::look("a report", &format!("{report} {report:?}"));
    println!("{report}\n");
    report
}

/// The stage and text of all findings of this verdict, or worse than it.
fn told(report: &CheckReport, verdict: Verdict) -> Vec<(CheckStage, String)> {
    let all = report.findings().iter();
    let found = all.filter(|finding| finding.verdict() == verdict);
    found
        .map(|finding| (finding.stage(), finding.text().to_owned()))
        .collect()
}

#[track_caller]
fn fails(report: &CheckReport, stage: CheckStage, fragments: &[&str]) {
    let failures: Vec<&Finding> = report.failures().collect();
    let [failure] = failures[..] else {
        panic!("{} failures:\n{report}", failures.len());
    };
    assert_eq!(failure.stage(), stage, "{report}");
    let said = failure.to_string();
    for fragment in fragments {
        assert!(said.contains(fragment), "no {fragment:?} in: {said}");
    }
}

#[track_caller]
fn assert_unwritten(cluster: &Cluster, topic: &str) {
    assert_eq!(cluster.read(topic, Isolation::Uncommitted).len(), 0);
}

fn secured(cluster: &Cluster, user: &str, password: &str) -> Config {
    Config::new(cluster.bootstrap(Listener::SaslSsl))
        .security_protocol(SecurityProtocol::SaslSsl)
        .ssl_truststore_file(ca_pem())
        .sasl_scram_sha_512(user, password)
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn what_acls_allow_is_what_the_check_says() {
    let listeners = [Listener::SaslSsl, Listener::Plaintext];
    let cluster = Cluster::of(Version::V4_3_1).listeners(&listeners);
    let cluster = cluster.authorizer().start();
    cluster.create_topic("t", 2, 1, &[("max.message.bytes", "50000")]);
    let (user, password) = USERS[0];
    let principal = format!("User:{user}");
    let report = || check(secured(&cluster, user, password), "t");

    fails(
        &report(),
        CheckStage::Topic,
        &["TOPIC_AUTHORIZATION_FAILED (29)", "grant"],
    );
    cluster.allow(&principal, "DESCRIBE", Acl::Topic("t"));
    let found = until("the ACL is known", LIMIT, || {
        Some(report()).filter(|found| found.failures().all(|one| one.error().is_some_and(is_29)))
    });
    fails(
        &found,
        CheckStage::Permission,
        &["Write is not granted; the principal is that of user \"alice\" (SCRAM-SHA-512)"],
    );
    cluster.allow(&principal, "WRITE", Acl::Topic("t"));
    let found = until("the ACL is known", LIMIT, || {
        Some(report()).filter(CheckReport::is_ok)
    });
    let skipped = told(&found, Verdict::Skipped);
    let stages: Vec<_> = skipped.iter().map(|(stage, _)| *stage).collect();
    assert_eq!(stages, [CheckStage::Size], "{skipped:?}");
    assert!(skipped[0].1.contains("not permitted"), "{skipped:?}");
    let good = told(&found, Verdict::Ok);
    let unnamed = "leads to a broker; whether it is broker 1 is unknown: not permitted";
    assert!(
        good.iter().any(|(_, text)| text.starts_with(unnamed)),
        "{good:?}"
    );

    cluster.allow(&principal, "DESCRIBE_CONFIGS", Acl::Topic("t"));
    cluster.allow(&principal, "DESCRIBE_CONFIGS", Acl::Cluster);
    let found = until("the ACL is known", LIMIT, || {
        let found = report();
        let is_known = told(&found, Verdict::Skipped).is_empty()
            && told(&found, Verdict::Ok)
                .iter()
                .any(|(_, text)| text == "leads to broker 1");
        is_known.then_some(found)
    });
    let warned = told(&found, Verdict::Warning);
    let stages: Vec<_> = warned.iter().map(|(stage, _)| *stage).collect();
    assert_eq!(
        stages,
        [CheckStage::Size, CheckStage::Durability],
        "{warned:?}"
    );
    assert!(warned[0].1.contains("batches of 50000 bytes"), "{warned:?}");
    assert_unwritten(&cluster, "t");
}

fn is_29(error: &milena::Error) -> bool {
    error.kind() == milena::ErrorKind::Authorization && error.to_string().contains("Write")
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn certificates_logins_and_protocols_fail_at_their_stage() {
    let cluster = Cluster::shared();
    cluster.create_topic("check-login", 1, 1, &[]);
    let (user, password) = USERS[0];
    let report = check(secured(cluster, user, password), "check-login");
    assert!(report.is_ok());
    let report = check(secured(cluster, user, WRONG), "check-login");
    fails(
        &report,
        CheckStage::Sasl,
        &["(SCRAM-SHA-512)", "invalid credentials"],
    );

    let stranger = authority(Certificate::Untrusted);
    let untrusting = secured(cluster, user, password).ssl_truststore_pem(stranger);
    fails(
        &check(untrusting, "check-login"),
        CheckStage::Tls,
        &["ssl.truststore.location"],
    );
    let wrong = secured(cluster, user, password).security_protocol(SecurityProtocol::SaslPlaintext);
    fails(
        &check(wrong, "check-login"),
        CheckStage::ApiVersions,
        &["use SASL_SSL"],
    );
    let plain = Config::new(cluster.bootstrap(Listener::Plaintext));
    let wrong = plain.clone().security_protocol(SecurityProtocol::Ssl);
    fails(&check(wrong, "check-login"), CheckStage::Tls, &["plain"]);
    let without_login = Config::new(cluster.bootstrap(Listener::SaslPlaintext));
    fails(
        &check(without_login, "check-login"),
        CheckStage::Metadata,
        &["SASL"],
    );

    fails(
        &check(plain, "check-absent"),
        CheckStage::Topic,
        &["does not exist", "create it"],
    );
    let plain = Config::new(cluster.bootstrap(Listener::Plaintext));
    fails(
        &check(plain, "check-absent"),
        CheckStage::Topic,
        &["does not exist"],
    );
    assert_unwritten(cluster, "check-login");
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn advertised_addresses_that_lead_to_another_broker_or_to_nobody_are_found_out() {
    let (first, second) = (Relay::start(), Relay::start());
    let advertised = [first.address(), second.address()];
    let cluster = Cluster::of(Version::V4_3_1).nodes(2);
    let cluster = cluster.advertise(Listener::Plaintext, &advertised).start();
    cluster.create_topic("t", 1, 2, &[("min.insync.replicas", "2")]);
    let own = cluster.address(1, Listener::Plaintext);
    // Who comes to a relay without a broker is sent away.
    let report = check(Config::new(own.clone()), "t");
    let failures: Vec<_> = report.failures().map(Finding::broker_id).collect();
    assert_eq!(failures, [Some(1), Some(2)], "{report}");

    first.forward_to(&cluster.address(2, Listener::Plaintext));
    second.forward_to(&cluster.address(1, Listener::Plaintext));
    let report = check(Config::new(own), "t");
    let failures: Vec<_> = report.failures().collect();
    assert_eq!(failures.len(), 2, "{report}");
    for (failure, id) in failures.into_iter().zip([1, 2]) {
        assert_eq!(
            (failure.stage(), failure.broker_id()),
            (CheckStage::Listener, Some(id))
        );
        let said = failure.text();
        assert!(
            said.starts_with("leads to another broker: Unexpected broker id"),
            "{said}"
        );
    }
    assert_unwritten(&cluster, "t");
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_codec_of_the_topics_own_is_warned_of_and_replicas_out_of_sync_fail() {
    let cluster = Cluster::of(Version::V4_3_1).nodes(3).start();
    cluster.create_topic("t", 1, 2, &[("min.insync.replicas", "2")]);
    let replicas = cluster.in_sync("t", 0);
    let leader = cluster.leader_of("t", 0).expect("a leader");
    let config = || Config::new(cluster.address(leader, Listener::Plaintext));
    let report = check(config(), "t");
    assert!(
        report.is_ok() && told(&report, Verdict::Warning).is_empty(),
        "{report}"
    );
    cluster.alter_topic("t", &[("compression.type", "gzip")]);
    let warned = until("the broker knows the codec", LIMIT, || {
        let warned = told(&check(config(), "t"), Verdict::Warning);
        (!warned.is_empty()).then_some(warned)
    });
    assert_eq!(warned[0].0, CheckStage::Topic, "{warned:?}");
    assert!(
        warned[0]
            .1
            .contains("compression.type is gzip, the producer's none"),
        "{warned:?}"
    );
    assert_unwritten(&cluster, "t");

    let other = replicas.into_iter().find(|node| *node != leader);
    cluster.kill(other.expect("two replicas"));
    let said = until("the replica is out of sync", LIMIT, || {
        let failed = told(&check(config(), "t"), Verdict::Failure);
        failed
            .into_iter()
            .find(|(stage, _)| *stage == CheckStage::Durability)
    });
    let text = "fewer replicas are in sync than min.insync.replicas=2 in partition 0";
    assert!(said.1.starts_with(text), "{said:?}");
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn old_brokers_are_checked_as_far_as_they_tell() {
    for (version, unknown) in [
        (Version::V2_8_2, &[][..]),
        (
            Version::V2_1_1,
            &[CheckStage::Permission, CheckStage::Permission],
        ),
        (
            Version::V0_11_0_3,
            &[
                CheckStage::Permission,
                CheckStage::Permission,
                CheckStage::Size,
            ],
        ),
    ] {
        let cluster = Cluster::of(version).start();
        cluster.create_topic("t", 1, 1, &[]);
        let plain = || Config::new(cluster.bootstrap(Listener::Plaintext));
        let report = check(plain(), "t");
        assert!(report.is_ok(), "{version}:\n{report}");
        let skipped = told(&report, Verdict::Skipped);
        let stages: Vec<_> = skipped.iter().map(|(stage, _)| *stage).collect();
        assert_eq!(stages, unknown, "{version}:\n{report}");
        fails(
            &check(plain(), "absent"),
            CheckStage::Topic,
            &["does not exist"],
        );
        assert_unwritten(&cluster, "t");
    }
}
