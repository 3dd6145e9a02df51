//! TLS and SASL that do not fit the listener.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use milena::ErrorKind::{Authentication, Tls};
use milena::Outcome::NotWritten;
use milena::mock::MockCluster;
use milena::{Error, Producer, Record};

use super::{config, delivers, is_hidden, logs, refused, says, start};
use crate::crypto::Crypto;
use crate::kafka::{Certificate, Cluster, Listener, USERS, Version, until};
use crate::relay::Relay;

const PASSWORD: &str = "wr0ng-h1dden-pa55";

fn send(producer: &Producer) -> Error {
    refused(producer, Record::to("t").value("v"))
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn bad_certificates_are_told_apart_and_a_good_one_mends_it() {
    let elsewhere = Relay::at(Ipv4Addr::new(127, 0, 0, 2));
    let builder = Cluster::of(Version::V4_3_1).listeners(&[Listener::Ssl, Listener::SaslSsl]);
    let cluster = builder
        .advertise(Listener::SaslSsl, &[elsewhere.address()])
        .start();
    elsewhere.forward_to(&cluster.address(1, Listener::SaslSsl));
    cluster.create_topic("t", 1, 1, &[]);
    a_name_that_is_advertised_wrongly_is_told(&cluster, &elsewhere.address());
    let address = cluster.bootstrap(Listener::Ssl);
    let mut producers = Vec::new();
    for (certificate, fragments) in [
        (
            Certificate::Untrusted,
            &[
                "unknown CA",
                "CN=localhost",
                "ssl.truststore.location",
                "ca.pem",
            ][..],
        ),
        (
            Certificate::Expired,
            &["it expired on 20", " UTC, now is 20"],
        ),
        (
            Certificate::WrongHost,
            &[
                "it is not for localhost",
                "its names are elsewhere.test",
                "advertised.listeners",
            ],
        ),
    ] {
        cluster.show_certificate(certificate);
        for crypto in Crypto::ALL {
            let (producer, error) = until("it is shown", super::PATIENCE, || {
                let producer = start(crypto.of(config(&address, Listener::Ssl)));
                let error = producer.send(Record::to("t").value("v")).wait().err()?;
                let is_shown = error.to_string().contains(fragments[0]);
                is_shown.then_some((producer, error))
            });
            says(&error, Tls, NotWritten, fragments);
            // It may be shown from the second connection on, which is the records'.
            let what = "TLS handshake: the broker's certificate is refused";
            says(&error, Tls, NotWritten, &[&address, what]);
            producers.push(producer);
        }
    }
    cluster.show_certificate(Certificate::Good);
    for producer in &producers {
        until("it is shown", super::PATIENCE, || {
            producer.send(Record::to("t").value("v")).wait().ok()
        });
        delivers(producer, "t");
    }
}

/// The bootstrap address is in the certificate, the one that the broker then says is not.
fn a_name_that_is_advertised_wrongly_is_told(cluster: &Cluster, advertised: &str) {
    for crypto in Crypto::ALL {
        let address = cluster.address(1, Listener::SaslSsl);
        let config = crypto.of(config(address, Listener::SaslSsl));
        let producer = start(config.sasl_plain(USERS[0].0, USERS[0].1));
        let place = format!("broker 1 ({advertised}): TLS handshake: ");
        let fragments = [
            &*place,
            "it is not for 127.0.0.2; its names are localhost, 127.0.0.1",
            "advertised.listeners",
        ];
        says(&send(&producer), Tls, NotWritten, &fragments);
    }
}

#[test]
#[cfg(any(feature = "tls-graviola", feature = "tls-ring"))]
fn a_trust_store_that_cannot_be_used_is_refused_at_once() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join("empty-trust-store.pem");
    std::fs::write(&file, "").expect("write an empty file");
    let missing = directory.join("no-such-trust-store.pem");
    let config =
        || milena::Config::new("localhost:1").security_protocol(milena::SecurityProtocol::Ssl);
    for (path, what) in [
        (file.as_path(), "is empty"),
        (missing.as_path(), "cannot be read: No such file"),
        (directory, "cannot be read: Is a directory"),
    ] {
        let error = Producer::new(config().ssl_truststore_file(path)).expect_err("no trust store");
        let place = format!("ssl.truststore.location {}", path.display());
        says(
            &error,
            milena::ErrorKind::Config,
            NotWritten,
            &[&place, what],
        );
    }
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_wrong_password_is_told_in_the_brokers_words_and_shown_nowhere() {
    let cluster = Cluster::shared();
    for (listener, user) in [
        (Listener::SaslPlaintext, "alice"),
        (Listener::SaslSsl, "alice"),
        (Listener::SaslSsl, "nobody"),
    ] {
        let config = config(cluster.bootstrap(listener), listener).sasl_plain(user, PASSWORD);
        let shown = format!("{config:?} {config:#?}");
        assert!(!shown.contains(PASSWORD), "{shown}");
        let producer = start(config);
        let error = send(&producer);
        let place = format!(
            "broker {}: SASL authentication: ",
            cluster.bootstrap(listener)
        );
        let fragments = [
            &*place,
            &format!("user {user:?} (PLAIN)"),
            "Authentication failed: Invalid username or password",
        ];
        says(&error, Authentication, NotWritten, &fragments);
        assert_eq!(error.code(), Some(58));
        is_hidden(PASSWORD, &producer, &error);
        let told = |line: &String| line.contains(&format!("refused user {user:?}"));
        assert!(logs().iter().any(told), "the log does not tell");
    }
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_right_password_is_shown_nowhere_either() {
    const RIGHT: &str = "r1ght-h1dden-pa55";
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    let jaas = format!("{plain} user_carol=\"{RIGHT}\";");
    let cluster = Cluster::of(Version::V4_3_1)
        .listeners(&[Listener::SaslSsl])
        .property("listener.name.sasl_ssl.plain.sasl.jaas.config", &jaas)
        .start();
    cluster.create_topic("t", 1, 1, &[]);
    let config = config(cluster.bootstrap(Listener::SaslSsl), Listener::SaslSsl);
    let login = format!("{plain} username=\"carol\" password=\"{RIGHT}\";");
    let config = config.set("sasl.mechanism", "PLAIN").expect("a mechanism");
    let config = config.set("sasl.jaas.config", &login).expect("a login");
    let producer = start(config);
    delivers(&producer, "t");
    let error = refused(&producer, Record::to("t").partition(9).value("v"));
    is_hidden(RIGHT, &producer, &error);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_mechanism_that_is_not_offered_lists_those_that_are() {
    let cluster = Cluster::of(Version::V4_3_1)
        .listeners(&[Listener::SaslPlaintext])
        .property("sasl.enabled.mechanisms", "SCRAM-SHA-256,SCRAM-SHA-512")
        .start();
    let address = cluster.bootstrap(Listener::SaslPlaintext);
    let config = config(&address, Listener::SaslPlaintext).sasl_plain("alice", PASSWORD);
    let producer = start(config);
    let error = send(&producer);
    let fragments = [
        &format!("broker {address}: SASL handshake: "),
        "sasl.mechanism is PLAIN, which this listener does not offer",
        "SCRAM-SHA-256",
        "SCRAM-SHA-512",
    ];
    says(&error, Authentication, NotWritten, &fragments);
    is_hidden(PASSWORD, &producer, &error);
}

/// A program that sends on and on with a wrong password must not hammer the broker, which counts
/// such attempts, and may lock the account.
#[test]
#[ignore = "needs Java: run tests/run"]
fn refused_credentials_are_tried_no_faster_than_the_back_off() {
    const BACKOFF: Duration = Duration::from_millis(500);
    let relay = Relay::before(&Cluster::shared().bootstrap(Listener::SaslPlaintext));
    let config = config(relay.address(), Listener::SaslPlaintext).sasl_plain("alice", PASSWORD);
    let producer = start(config.retry_backoff(BACKOFF));
    let start = Instant::now();
    let mut refusals = 0;
    let count = until("some attempts were made", super::PATIENCE, || {
        says(&send(&producer), Authentication, NotWritten, &["alice"]);
        refusals += 1;
        let count = relay.count();
        (count > 4).then_some(count)
    });
    let pauses = start.elapsed().as_millis() / (BACKOFF.as_millis() * 4 / 5);
    assert!(
        u128::from(count) <= pauses + 1,
        "{count} connections in {:?} for {refusals} records",
        start.elapsed()
    );
}

/// Other than at the start, the brokers' own connections meet the refusal.
#[test]
fn a_password_that_is_changed_under_way_fails_records_until_it_is_right_again() {
    const BACKOFF: Duration = Duration::from_millis(200);
    let cluster = MockCluster::start(1);
    cluster.create_topic("t", 1);
    cluster.sasl_plain("alice", PASSWORD);
    let config = config(cluster.bootstrap(), Listener::SaslPlaintext)
        .sasl_plain("alice", PASSWORD)
        .retries(10)
        .retry_backoff(BACKOFF)
        .reconnect_backoff(BACKOFF);
    let producer = start(config);
    delivers(&producer, "t");
    cluster.sasl_plain("alice", "another");
    cluster.disconnect(1);
    let (start, before) = (Instant::now(), cluster.connections().len());
    for number in 0..8 {
        let error = send(&producer);
        // The first may have been written to the connection that was closed just then.
        let outcome = match number {
            0 => error.outcome(),
            _ => NotWritten,
        };
        let place = format!("record for t-0: broker 1 ({}): ", cluster.bootstrap());
        says(&error, Authentication, outcome, &[&place, "user \"alice\""]);
        is_hidden(PASSWORD, &producer, &error);
    }
    let count = cluster.connections().len() - before;
    let pauses = start.elapsed().as_millis() / (BACKOFF.as_millis() * 4 / 5);
    // One connection of the sender and one for metadata.
    assert!(
        count as u128 <= 2 * (pauses + 1),
        "{count} in {pauses} pauses"
    );
    cluster.sasl_plain("alice", PASSWORD);
    until("the password is right", super::PATIENCE, || {
        producer.send(Record::to("t").value("v")).wait().ok()
    });
    delivers(&producer, "t");
}
