//! Sessions that end (KIP-368), and passwords that change, under load: connections go on, and no
//! record is lost or there twice.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use milena::{Config, Credentials, SecurityProtocol};

use crate::kafka::{Cluster, Listener, USERS, Version, ca_pem, until};
use crate::load::{
    assert_once_in_order, assert_sequences, await_delivered, await_more, read_numbers, steady,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Between two records.
const PACE: Duration = Duration::from_millis(1);
const CHANGED: &str = "another-h1dden-pa55";

fn with_sessions(version: Version, session: Duration) -> Cluster {
    let listeners = [Listener::SaslPlaintext, Listener::SaslSsl];
    let cluster = Cluster::of(version)
        .listeners(&listeners)
        .property(
            "connections.max.reauth.ms",
            &session.as_millis().to_string(),
        )
        .start();
    if version == Version::V2_8_2 {
        cluster.set_scram(USERS[0].0, USERS[0].1);
    }
    cluster
}

fn to(cluster: &Cluster, listener: Listener) -> Config {
    let config = Config::new(cluster.bootstrap(listener)).max_block(PATIENCE);
    let config = config.idempotence(true).batch_size(2048);
    match listener {
        Listener::SaslSsl => config
            .security_protocol(SecurityProtocol::SaslSsl)
            .ssl_truststore_file(ca_pem()),
        _ => config.security_protocol(SecurityProtocol::SaslPlaintext),
    }
}

/// Sends for a while; the connection for records is the same all the time.
fn is_kept(cluster: &Cluster, topic: &str, config: Config, (limit, least): (Duration, u64)) {
    cluster.create_topic(topic, 1, 1, &[]);
    let told = steady(config, topic, PACE, |producer| {
        await_delivered(producer, 1);
        thread::sleep(limit);
        let metrics = producer.metrics();
        println!("{topic}: {metrics:?}");
        assert!(metrics.reauthentications >= least, "{metrics:?}");
        assert_eq!(
            (
                metrics.connects,
                metrics.reauthentication_failures,
                metrics.retries
            ),
            (1, 0, 0),
            "{metrics:?}"
        );
    });
    assert_once_in_order(&told, told.len() as u64);
    let read = read_numbers(cluster, topic);
    assert!(told == read, "{topic}: a record is lost or there twice");
    assert_sequences(cluster, topic, 1);
}

/// PLAIN and both kinds of SCRAM at the same time.
fn sessions_are_renewed(version: Version, session: Duration, run: (Duration, u64)) {
    let cluster = with_sessions(version, session);
    let (user, password) = USERS[0];
    let (clear, tls) = (Listener::SaslPlaintext, Listener::SaslSsl);
    let rows = [
        ("plain", to(&cluster, tls).sasl_plain(user, password)),
        (
            "scram-256",
            to(&cluster, clear).sasl_scram_sha_256(user, password),
        ),
        (
            "scram-512",
            to(&cluster, tls).sasl_scram_sha_512(user, password),
        ),
    ];
    thread::scope(|scope| {
        for (topic, config) in rows {
            let cluster = &cluster;
            scope.spawn(move || is_kept(cluster, topic, config, run));
        }
    });
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn sessions_of_ten_seconds_are_renewed_for_a_minute_on_one_connection() {
    let session = Duration::from_secs(10);
    sessions_are_renewed(Version::V4_3_1, session, (Duration::from_secs(60), 6));
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn sessions_are_renewed_at_old_brokers_too() {
    let session = Duration::from_secs(4);
    sessions_are_renewed(Version::V2_8_2, session, (Duration::from_secs(13), 3));
}

/// Changes the password at the broker, and then, by `change`, where the producer has it from.
fn rotates(cluster: &Cluster, topic: &str, user: &str, config: Config, change: impl FnOnce()) {
    cluster.create_topic(topic, 1, 1, &[]);
    let told = steady(config, topic, PACE, |producer| {
        await_delivered(producer, 50);
        cluster.set_scram(user, CHANGED);
        change();
        let before = producer.metrics();
        until("sessions begin with the new password", PATIENCE, || {
            let metrics = producer.metrics();
            let logins = metrics.reauthentications + metrics.connects;
            (logins >= before.reauthentications + before.connects + 2).then_some(())
        });
        await_more(producer, 50);
        println!("{topic}: {:?}", producer.metrics());
    });
    assert_once_in_order(&told, told.len() as u64);
    let read = read_numbers(cluster, topic);
    assert!(told == read, "{topic}: a record is lost or there twice");
}

/// By a source in Rust, and by a reference to a file.
#[test]
#[ignore = "needs Java: run tests/run"]
fn a_password_that_is_rotated_under_load_costs_no_record() {
    let cluster = with_sessions(Version::V4_3_1, Duration::from_secs(3));
    let (user, password) = USERS[0];
    let held = Arc::new(Mutex::new(password));
    let source = {
        let held = held.clone();
        move || Ok(Credentials::new(user, *held.lock().expect("no panic")))
    };
    let asking = to(&cluster, Listener::SaslPlaintext)
        .set("sasl.mechanism", "SCRAM-SHA-512")
        .expect("a mechanism")
        .sasl_credentials(source);
    let changed = || *held.lock().expect("no panic") = CHANGED;
    rotates(&cluster, "source", user, asking, changed);

    let (user, password) = USERS[1];
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rotated-password.properties");
    let put = |password: &str| {
        let new = file.with_extension("new");
        fs::write(&new, format!("of.bob={password}\n")).expect("a file");
        fs::rename(new, &file).expect("a file");
    };
    put(password);
    let jaas = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required \
         username=\"{user}\" password=\"${{file:{}:of.bob}}\";",
        file.display()
    );
    let reading = to(&cluster, Listener::SaslPlaintext)
        .set("config.providers", "file")
        .and_then(|config| config.set("sasl.mechanism", "SCRAM-SHA-256"))
        .and_then(|config| config.set("sasl.jaas.config", &jaas))
        .expect("good settings");
    rotates(&cluster, "file", user, reading, || put(CHANGED));
}
