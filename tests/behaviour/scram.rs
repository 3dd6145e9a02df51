//! SASL SCRAM: who gets in, and what is said of brokers that do not play by the rules.

use std::time::Duration;

use milena::mock::{Api, MockCluster};
use milena::{Config, ErrorKind, Outcome, Producer, SecurityProtocol};

use crate::support::{
    SOON, all_delivered, cluster, config, delivered, eventually, failed, numbers, produced,
    producer, send, values,
};

const PASSWORD: &str = "s3cret-h1dden";

fn secured() -> MockCluster {
    let cluster = cluster(1, 1);
    cluster.sasl_scram("alice", PASSWORD);
    cluster
}

fn to(cluster: &MockCluster) -> Config {
    let config = config(cluster).security_protocol(SecurityProtocol::SaslPlaintext);
    config.max_block(SOON)
}

fn alice(cluster: &MockCluster) -> Producer {
    producer(to(cluster).sasl_scram_sha_256("alice", PASSWORD))
}

/// The error of a record, which says what a person needs to know, and no secret.
#[track_caller]
fn refused(producer: &Producer, fragments: &[&str]) {
    let error = failed(&send(producer, 0, "v"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Authentication, Outcome::NotWritten),
        "{error}"
    );
    assert!(!error.is_retriable());
    let text = error.to_string();
    for fragment in fragments {
        assert!(text.contains(fragment), "no {fragment:?} in: {text}");
    }
    let shown = format!("{error} {error:?} {producer:?}");
    assert!(!shown.contains("h1dden"), "{shown}");
}

#[test]
fn both_mechanisms_let_in_who_knows_the_password() {
    let (name, password) = ("a=b,c \u{e4}", "p,=\u{20ac} h1dden");
    let cluster = secured();
    cluster.sasl_scram(name, password);
    let producers = [
        alice(&cluster),
        producer(to(&cluster).sasl_scram_sha_512("alice", PASSWORD)),
        producer(to(&cluster).sasl_scram_sha_256(name, password)),
        producer(to(&cluster).sasl_scram_sha_512(name, password)),
    ];
    for producer in &producers {
        delivered(&send(producer, 0, "v"));
    }
    assert_eq!(values(&cluster, 0).len(), producers.len());
}

#[test]
fn properties_of_java_do_the_same() {
    let cluster = secured();
    let text = format!(
        "bootstrap.servers={}\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
         username=\"alice\" password=\"{PASSWORD}\";\n",
        cluster.bootstrap()
    );
    let config = Config::from_properties(&text).expect("good properties");
    delivered(&send(&producer(config), 0, "v"));
}

#[test]
fn a_delegation_token_is_no_user_and_a_user_no_token() {
    let cluster = secured();
    cluster.sasl_delegation_token("id", PASSWORD);
    let token = producer(to(&cluster).sasl_delegation_token("id", PASSWORD));
    delivered(&send(&token, 0, "v"));
    let user = producer(to(&cluster).sasl_scram_sha_256("id", PASSWORD));
    refused(&user, &["the broker refused user \"id\" (SCRAM-SHA-256): "]);
    let token = producer(to(&cluster).sasl_delegation_token("alice", PASSWORD));
    refused(
        &token,
        &["refused delegation token \"alice\" (SCRAM-SHA-256): "],
    );
}

/// After SaslHandshake in version 0 tokens travel without a header.
#[test]
fn a_broker_of_0_11_speaks_scram_too() {
    let cluster = secured();
    cluster.versions(Api::SaslHandshake, 0..=0);
    delivered(&send(&alice(&cluster), 0, "v"));
    // That broker hangs up on a wrong password as if it went down, so it is tried again.
    let soon = Duration::from_secs(3);
    let wrong = to(&cluster).sasl_scram_sha_512("alice", "wrong h1dden");
    let wrong = producer(wrong.max_block(soon));
    let error = failed(&send(&wrong, 0, "v"));
    let text = error.to_string();
    assert!(
        text.contains("brokers before Apache Kafka 1.0 do so if"),
        "{text}"
    );
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_told_in_the_brokers_words() {
    let cluster = secured();
    for (config, who) in [
        (
            to(&cluster).sasl_scram_sha_256("alice", "wrong h1dden"),
            "user \"alice\" (SCRAM-SHA-256)",
        ),
        (
            to(&cluster).sasl_scram_sha_512("mallory", PASSWORD),
            "user \"mallory\" (SCRAM-SHA-512)",
        ),
    ] {
        let place = format!("broker {}: SASL authentication: ", cluster.address(1));
        let said = format!("the broker refused {who}: invalid credentials for SCRAM");
        refused(&producer(config), &[&place, &said]);
    }
    assert!(produced(&cluster).is_empty());
}

#[test]
fn there_is_no_way_down_to_plain() {
    let cluster = cluster(1, 1);
    cluster.sasl_plain("alice", PASSWORD);
    let says =
        "sasl.mechanism is SCRAM-SHA-256, which this listener does not offer; it offers PLAIN";
    refused(&alice(&cluster), &[says]);
    let cluster = secured();
    let plain = producer(to(&cluster).sasl_plain("alice", PASSWORD));
    refused(
        &plain,
        &["does not offer; it offers SCRAM-SHA-256, SCRAM-SHA-512"],
    );
}

#[test]
fn too_few_and_too_many_iterations_are_refused_at_once() {
    let cluster = secured();
    for (iterations, says) in [
        (
            0,
            "asks for 0 iterations, and at least 4096 keep the password safe",
        ),
        (4095, "asks for 4095 iterations, and at least 4096"),
        (
            100_000_000,
            "asks for 100000000 iterations, and no more than 1000000 are done",
        ),
    ] {
        cluster.sasl_scram_iterations(iterations);
        refused(
            &alice(&cluster),
            &["login of user \"alice\" (SCRAM-SHA-256): ", says],
        );
    }
    assert!(produced(&cluster).is_empty());
}

/// The answer to SaslAuthenticate, in version 2.
fn answer(auth_bytes: &str) -> Vec<u8> {
    let length = auth_bytes.len() as u8 + 1;
    assert!(length < 0x80, "one byte");
    [&[0, 0, 0, length], auth_bytes.as_bytes(), &[0; 9]].concat()
}

#[test]
fn a_broker_that_cannot_prove_itself_gets_no_record() {
    let cluster = secured();
    for (said, says) in [
        (
            "v=upcqc4UuJzM9FODpWoSzyu0ftpwiE6M3CW3qpbJuWmc=",
            "the broker's signature is wrong: it does not know the password",
        ),
        ("v=", "the broker's signature is wrong"),
        ("", "it has no signature, v="),
        ("e=unknown-user", "the broker refused: unknown-user"),
    ] {
        cluster.sasl_scram_proof(Some(said));
        let producer = alice(&cluster);
        refused(
            &producer,
            &["login of user \"alice\" (SCRAM-SHA-256): ", says],
        );
        assert!(produced(&cluster).is_empty());
    }
    cluster.sasl_scram_proof(None);
    delivered(&send(&alice(&cluster), 0, "v"));
}

#[test]
fn a_first_answer_that_breaks_the_rules_ends_the_login() {
    for (said, says) in [
        (
            "r=foreign,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "nonce does not continue ours",
        ),
        (
            "garbage",
            "the broker's message cannot be read: it does not begin with a nonce",
        ),
        ("", "the broker's message cannot be read"),
        ("e=other-error", "the broker refused: other-error"),
    ] {
        let cluster = secured();
        let answer = answer(said);
        let lie = cluster.on(Api::SaslAuthenticate).always();
        let lie = lie.body(move |_| answer.clone());
        let producer = alice(&cluster);
        refused(
            &producer,
            &["login of user \"alice\" (SCRAM-SHA-256): ", says],
        );
        assert!(produced(&cluster).is_empty());
        lie.cancel();
        delivered(&send(&producer, 0, "v"));
    }
}

#[test]
fn a_session_is_renewed_on_its_connection_by_all_steps_of_a_login() {
    let cluster = secured();
    cluster.sasl_session_lifetime_ms(1500);
    let producer = producer(
        to(&cluster)
            .sasl_scram_sha_512("alice", PASSWORD)
            .idempotence(true),
    );
    let mut sent = Vec::new();
    eventually("a session is renewed", || {
        sent.push(send(&producer, 0, &sent.len().to_string()));
        producer.metrics().reauthentications > 0
    });
    all_delivered(&sent);
    assert_eq!(values(&cluster, 0), numbers(0..sent.len()));
}

#[test]
fn a_password_that_is_changed_fails_new_connections_until_it_is_right_again() {
    let cluster = secured();
    let producer = alice(&cluster);
    delivered(&send(&producer, 0, "v"));
    cluster.sasl_scram("alice", "another");
    // The connection that is there stays in.
    delivered(&send(&producer, 0, "v"));
    cluster.stop_broker(1);
    cluster.start_broker(1);
    // The first may still have been written to the connection that is gone.
    let says = "the broker refused user \"alice\" (SCRAM-SHA-256)";
    let mut errors = (0..10).map(|_| failed(&send(&producer, 0, "v")));
    let told = errors.find(|error| error.to_string().contains(says));
    let told = told.map(|error| error.kind());
    assert_eq!(told, Some(ErrorKind::Authentication));
    cluster.sasl_scram("alice", PASSWORD);
    delivered(&send(&producer, 0, "v"));
}
