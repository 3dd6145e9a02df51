//! SASL SCRAM against real brokers: records arrive, and refusals are told in their words.

use std::time::Duration;

use milena::{Config, Error, ErrorKind, Outcome, Producer, Record, SecurityProtocol};

use crate::crypto::Crypto;
use crate::kafka::{Cluster, Consumed, Isolation, Listener, USERS, Version, ca_pem, until};
use crate::load::{load, read_numbers};

const PATIENCE: Duration = Duration::from_secs(60);
const WRONG: &str = "wr0ng-h1dden-pa55";

/// Every mechanism behind every protocol.
const WAYS: [(Listener, Setter); 4] = [
    (Listener::SaslSsl, Config::sasl_scram_sha_256),
    (Listener::SaslSsl, Config::sasl_scram_sha_512),
    (Listener::SaslPlaintext, Config::sasl_scram_sha_256),
    (Listener::SaslPlaintext, Config::sasl_scram_sha_512),
];

type Setter = fn(Config, &'static str, &'static str) -> Config;

fn config(cluster: &Cluster, listener: Listener) -> Config {
    let config = Config::new(cluster.bootstrap(listener)).max_block(PATIENCE);
    match listener {
        Listener::SaslSsl => config
            .security_protocol(SecurityProtocol::SaslSsl)
            .ssl_truststore_file(ca_pem()),
        _ => config.security_protocol(SecurityProtocol::SaslPlaintext),
    }
}

fn refused(config: Config) -> Error {
    let producer = Producer::new(config).expect("settings that can work");
    let delivery = producer.send(Record::to("t").value("v"));
    let error = delivery.wait().expect_err("nobody may get in so");
    let shown = format!("{producer:?} {error} {error:?}");
    assert!(!shown.contains(WRONG), "{shown}");
    println!("{error}");
    error
}

/// One record each way by each cryptography, of which all arrive.
fn records_arrive(cluster: &Cluster, topic: &str, user: (&'static str, &'static str)) {
    cluster.create_topic(topic, 1, 1, &[]);
    let mut sent = Vec::new();
    let ways = WAYS
        .into_iter()
        .flat_map(|way| Crypto::ALL.iter().map(move |crypto| (way, crypto)));
    for (number, ((listener, set), crypto)) in ways.enumerate() {
        let config = crypto.of(config(cluster, listener));
        let config = set(config, user.0, user.1).idempotence(true);
        let producer = Producer::new(config).expect("a producer");
        let text = format!("{} {} {number}", listener.name(), crypto.name);
        let result = producer.send(Record::to(topic).value(&text)).wait();
        result.unwrap_or_else(|error| panic!("{text}: {error}"));
        sent.push(text);
    }
    let read = cluster.read(topic, Isolation::Committed);
    assert_eq!(read.iter().map(Consumed::text).collect::<Vec<_>>(), sent);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn records_arrive_by_both_mechanisms_and_protocols() {
    records_arrive(Cluster::shared(), "scram", USERS[0]);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn records_arrive_at_old_brokers_too() {
    for version in [Version::V2_8_2, Version::V2_1_1, Version::V0_11_0_3] {
        let listeners = [Listener::SaslPlaintext, Listener::SaslSsl];
        let cluster = Cluster::of(version).listeners(&listeners).start();
        cluster.set_scram(USERS[0].0, USERS[0].1);
        records_arrive(&cluster, "scram", USERS[0]);
    }
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn names_and_passwords_of_any_characters_get_in() {
    let (cluster, user) = (Cluster::shared(), ("d=o,ra", "p=\u{e4} ,\u{20ac}'\"\\"));
    cluster.create_topic("any-name", 1, 1, &[]);
    cluster.set_scram(user.0, user.1);
    until("the broker knows the user", PATIENCE, || {
        let config = config(cluster, Listener::SaslPlaintext).sasl_scram_sha_256(user.0, user.1);
        let producer = Producer::new(config).expect("a producer");
        producer.send(Record::to("any-name").value("v")).wait().ok()
    });
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_wrong_password_and_an_unknown_user_are_told_in_the_brokers_words() {
    let cluster = Cluster::shared();
    for user in [USERS[0].0, "mallory"] {
        for ((listener, set), crypto) in WAYS.into_iter().zip(Crypto::ALL.iter().cycle()) {
            let config = set(crypto.of(config(cluster, listener)), user, WRONG);
            let error = refused(config);
            let found = (error.kind(), error.outcome(), error.code());
            assert_eq!(
                found,
                (ErrorKind::Authentication, Outcome::NotWritten, Some(58))
            );
            let text = error.to_string();
            let place = format!(
                "broker {}: SASL authentication: ",
                cluster.bootstrap(listener)
            );
            let who = format!("the broker refused user {user:?} (SCRAM-SHA-");
            let said = "due to invalid credentials with SASL mechanism SCRAM-SHA-";
            for fragment in [&place, &who, said] {
                assert!(text.contains(fragment), "no {fragment:?} in: {text}");
            }
        }
    }
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_delegation_token_gets_in_and_a_mechanism_that_is_not_offered_names_the_others() {
    let cluster = Cluster::of(Version::V4_3_1)
        .listeners(&[Listener::SaslSsl])
        .property("sasl.enabled.mechanisms", "SCRAM-SHA-256")
        .property("delegation.token.secret.key", "the rig's own")
        .start();
    cluster.create_topic("t", 1, 1, &[]);
    let (id, hmac) = cluster.create_token();
    let token = || config(&cluster, Listener::SaslSsl).sasl_delegation_token(&*id, &*hmac);
    until("the broker knows the token", PATIENCE, || {
        let producer = Producer::new(token()).expect("a producer");
        producer.send(Record::to("t").value("v")).wait().ok()
    });

    let error = refused(config(&cluster, Listener::SaslSsl).sasl_scram_sha_512("alice", WRONG));
    let says = "SASL handshake: sasl.mechanism is SCRAM-SHA-512, which this listener does not \
        offer; it offers SCRAM-SHA-256";
    assert!(error.to_string().ends_with(says), "{error}");
    let error = refused(config(&cluster, Listener::SaslSsl).sasl_delegation_token(&*id, WRONG));
    let says = format!("the broker refused delegation token {id:?} (SCRAM-SHA-256)");
    assert!(error.to_string().contains(&says), "{error}");
}

/// Sessions of two seconds: a producer under load logs in again and again.
#[test]
#[ignore = "needs Java: run tests/run"]
fn a_password_that_is_changed_under_way_fails_records_until_it_is_right_again() {
    const SESSION: Duration = Duration::from_secs(2);
    let cluster = Cluster::of(Version::V4_3_1)
        .listeners(&[Listener::SaslSsl])
        .property("connections.max.reauth.ms", "2000")
        .start();
    let (user, password) = USERS[0];
    let config = || config(&cluster, Listener::SaslSsl).sasl_scram_sha_512(user, password);

    // While the password stays, the ends of sessions cost no record.
    cluster.create_topic("load", 1, 1, &[]);
    let patient = config().idempotence(true);
    let told = load(patient, "load", 1000, |_| std::thread::sleep(SESSION * 2));
    assert!(
        told == read_numbers(&cluster, "load"),
        "a record is lost or there twice"
    );

    cluster.create_topic("t", 1, 1, &[]);
    let producer = Producer::new(config()).expect("a producer");
    let send = || producer.send(Record::to("t").value("v")).wait();
    send().unwrap_or_else(|error| panic!("{error}"));
    cluster.set_scram(user, WRONG);
    let error = until("the session is over", PATIENCE, || send().err());
    let found = (error.kind(), error.code());
    assert_eq!(found, (ErrorKind::Authentication, Some(58)), "{error}");
    let says = format!("the broker refused user {user:?} (SCRAM-SHA-512): ");
    assert!(error.to_string().contains(&says), "{error}");
    cluster.set_scram(user, password);
    until("the password is right", PATIENCE, || send().ok());
}
