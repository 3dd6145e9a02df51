//! Certificates of clients that a broker wants, takes, or refuses, and that change under way.

use std::fs;
use std::path::PathBuf;

use milena::ErrorKind::{Authentication, Authorization, Config as Settings};
use milena::Outcome::NotWritten;
use milena::{Config, Producer, Record};

use super::{PATIENCE, config, delivers, is_hidden, logs, refused, says, start};
use crate::crypto::Crypto;
use crate::kafka::{Acl, Cluster, Isolation, Listener, client_pem, until};

/// Two topics of the broker that tests share: alice may write to `NAME-ok` and look at `NAME-deny`.
fn topics(name: &str) -> (&'static Cluster, [String; 2]) {
    let cluster = Cluster::shared();
    let topics = ["ok", "deny"].map(|end| format!("{name}-{end}"));
    for (topic, operation) in topics.iter().zip(["WRITE", "DESCRIBE"]) {
        cluster.create_topic(topic, 1, 1, &[]);
        cluster.allow("User:alice", operation, Acl::Topic(topic));
    }
    (cluster, topics)
}

fn ssl(cluster: &Cluster) -> Config {
    config(cluster.bootstrap(Listener::Mtls), Listener::Mtls)
}

fn content(client: &str) -> String {
    fs::read_to_string(client_pem(client)).expect("read a client's PEM")
}

/// A key store file of the test's own, with what `client` has.
fn key_store(name: &str, client: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content(client)).expect("write a key store");
    path
}

/// A line of the key of a client.
fn secret(client: &str) -> String {
    let line = content(client).lines().nth(1).map(str::to_owned);
    line.expect("a key has lines")
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn the_name_in_the_certificate_is_who_writes_and_mistakes_are_told_apart() {
    let (cluster, [ok, deny]) = topics("named");
    let address = cluster.bootstrap(Listener::Mtls);
    for crypto in Crypto::ALL {
        let alice = crypto.of(ssl(cluster).ssl_keystore_file(client_pem("alice")));
        let alice = start(alice);
        delivers(&alice, &ok);
        let mallory = start(ssl(cluster).ssl_keystore_file(client_pem("mallory")));
        for (who, producer, topic) in [("alice", &alice, &deny), ("mallory", &mallory, &ok)] {
            let error = refused(producer, Record::to(topic).value("v"));
            let principal = format!("the client certificate of CN={who}, issued by CN=milena");
            let fragments = [
                topic,
                "TOPIC_AUTHORIZATION_FAILED (29)",
                "grant it Write",
                &principal,
            ];
            says(&error, Authorization, NotWritten, &fragments);
            assert_eq!(error.code(), Some(29));
            is_hidden(&secret(who), producer, &error);
        }

        let none = start(crypto.of(ssl(cluster)));
        let missing = "the broker asks for a client certificate (ssl.client.auth=required), and \
            this client has none (ssl.keystore.location is not set): TLS alert";
        let error = refused(&none, Record::to(&ok).value("v"));
        says(&error, Authentication, NotWritten, &[&address, missing]);
        strangers_are_told_why(cluster, &ok, *crypto);
    }
    let told = |line: &String| line.contains("the client certificate of CN=alice expired on 20");
    assert!(logs().iter().any(told), "the log does not tell");

    let (key, _) = content("alice").split_once("-----BEGIN CERT").map_or_else(
        || panic!("no certificate behind the key"),
        |(key, rest)| (key.to_owned(), rest.len()),
    );
    let unfit = ssl(cluster).ssl_keystore_pem(&key, content("mallory"));
    let error = Producer::new(unfit).expect_err("the key is another one's");
    let text = "ssl.keystore.certificate.chain holds the certificate of CN=mallory, which the \
        private key does not fit";
    says(&error, Settings, NotWritten, &[text]);
    let fit = start(ssl(cluster).ssl_keystore_pem(&key, content("alice")));
    delivers(&fit, &ok);
    let read = cluster.read(&ok, Isolation::Committed);
    assert_eq!(read.len(), Crypto::ALL.len() + 1);
}

/// Certificates that the broker does not take, with either version of TLS.
fn strangers_are_told_why(cluster: &Cluster, topic: &str, crypto: Crypto) {
    let address = cluster.bootstrap(Listener::Mtls);
    for version in ["TLSv1.2", "TLSv1.3"] {
        for (client, what) in [
            (
                "stranger",
                "does not trust the client certificate of CN=alice, issued by CN=unknown CA",
            ),
            ("late-alice", "UTC: CN=alice, issued by CN=milena"),
        ] {
            let path = client_pem(client);
            let config = ssl(cluster).set("ssl.enabled.protocols", version);
            let config = config.expect("a version").ssl_keystore_file(&path);
            let producer = start(crypto.of(config));
            let error = refused(&producer, Record::to(topic).value("v"));
            let place = format!("ssl.keystore.location {}", path.display());
            let fragments = [
                &address,
                what,
                "client certificate",
                "valid from 20",
                &place,
                "TLS alert",
            ];
            says(&error, Authentication, NotWritten, &fragments);
            is_hidden(&secret(client), &producer, &error);
        }
    }
}

/// The key of alice, locked by OpenSSL with `hush`, in front of her certificate.
#[cfg(feature = "encrypted-keys")]
fn locked() -> String {
    let output = std::process::Command::new("openssl")
        .args([
            "pkcs8",
            "-topk8",
            "-v2",
            "aes-256-cbc",
            "-passout",
            "pass:hush",
            "-in",
        ])
        .arg(client_pem("alice"))
        .output()
        .expect("start openssl; tests/run installs it");
    assert!(output.status.success(), "{output:?}");
    let key = String::from_utf8(output.stdout).expect("PEM is text");
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    let content = content("alice");
    let certificates = content
        .find("-----BEGIN CERTIFICATE")
        .expect("a certificate");
    let certificates = content[certificates..].split("-----BEGIN PRIVATE").next();
    key + certificates.unwrap_or_default()
}

#[cfg(feature = "encrypted-keys")]
#[test]
#[ignore = "needs Java: run tests/run"]
fn a_key_that_openssl_locked_proves_itself_with_its_password() {
    let (cluster, [ok, _]) = topics("locked");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("locked.pem");
    fs::write(&path, locked()).expect("write a key store");
    for crypto in Crypto::ALL {
        let config = crypto.of(ssl(cluster).ssl_keystore_file(&path));
        delivers(&start(config.clone().ssl_key_password("hush")), &ok);
        let without = Producer::new(config.clone()).unwrap_err();
        assert!(
            without.to_string().contains("ssl.key.password"),
            "{without}"
        );
        let wrong = Producer::new(config.ssl_key_password("hunter2")).unwrap_err();
        let text = wrong.to_string();
        assert!(
            text.contains("ssl.key.password") && text.contains("locked.pem"),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_refused_certificate_is_mended_by_a_new_file_under_the_running_producer() {
    let (cluster, [ok, _]) = topics("mended");
    let path = key_store("mended.pem", "stranger");
    let producer = start(ssl(cluster).ssl_keystore_file(&path));
    let error = refused(&producer, Record::to(&ok).value("v"));
    says(&error, Authentication, NotWritten, &["does not trust"]);
    let good = content("alice");
    fs::write(&path, &good[..good.len() / 2]).expect("write half a key store");
    let warned = format!(
        "go on with the old files: ssl.keystore.location {}",
        path.display()
    );
    let warnings = || logs().iter().filter(|line| line.contains(&warned)).count();
    for _ in 0..2 {
        until("the broken file is found", PATIENCE, || {
            refused(&producer, Record::to(&ok).value("v"));
            (warnings() > 0).then_some(())
        });
    }
    fs::write(&path, good).expect("write a key store");
    until("the file is read", PATIENCE, || {
        producer.send(Record::to(&ok).value("v")).wait().ok()
    });
    delivers(&producer, &ok);
    assert_eq!(warnings(), 1);
    is_hidden(&secret("alice"), &producer, &error);
}

#[test]
#[cfg(any(feature = "tls-graviola", feature = "tls-ring"))]
fn what_a_broker_may_refuse_a_certificate_for_is_warned_about_at_once() {
    const KEY: &str = include_str!("../../pem/client.key");
    const ALICE: &str = include_str!("../../pem/client.pem");
    const OTHER: &str = include_str!("../../pem/client-renewed.pem");
    const LATE_KEY: &str = include_str!("../../pem/client-expired.key");
    const LATE: &str = include_str!("../../pem/client-expired.pem");
    for (key, chain, warning) in [
        (
            KEY,
            format!("{ALICE}{OTHER}"),
            "ssl.keystore.certificate.chain: certificate number 2 should be that of CN=milena \
             client authority, O=milena tests, who issued the one before it; it is that of \
             CN=alice renewed, O=milena tests",
        ),
        (
            LATE_KEY,
            LATE.to_owned(),
            "ssl.keystore.certificate.chain: the client certificate of CN=alice, O=milena tests \
             expired on 2021-01-01 00:00 UTC: brokers will refuse it",
        ),
    ] {
        let config = config("localhost:1", Listener::Plaintext);
        let config = config.security_protocol(milena::SecurityProtocol::Ssl);
        drop(start(config.ssl_keystore_pem(key, chain)));
        let told = |line: &String| line.ends_with(warning);
        assert!(logs().iter().any(told), "not told: {warning}");
    }
}
