//! SASL OAUTHBEARER against real brokers, with the unsecured tokens that they take by default.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use milena::{
    Config, ErrorKind, Outcome, Producer, Record, SecurityProtocol, Token, TokenSource,
    UnsecuredTokens,
};

use crate::kafka::{Cluster, Consumed, Isolation, Listener, Version, ca_pem};
use crate::load::{read_numbers, steady};

const PATIENCE: Duration = Duration::from_secs(60);

/// `{"alg":"none"}` and `{"sub":"alice","exp":1000000000}`, which is the year 2001.
const EXPIRED: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6MTAwMDAwMDAwMH0.";
/// The same signed with `HS256`, or so it says.
const SIGNED: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTAwMDAwMDAwMH0.c2ln";

/// The listener with TLS asks for a scope.
fn start(version: Version) -> Cluster {
    let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
        unsecuredLoginStringClaim_sub=\"admin\"";
    let listeners = [Listener::SaslPlaintext, Listener::SaslSsl];
    let mut builder = Cluster::of(version)
        .listeners(&listeners)
        .property("sasl.enabled.mechanisms", "OAUTHBEARER")
        // Without it, brokers of 2.8 tell of no end.
        .property("connections.max.reauth.ms", "3600000");
    for (listener, validator) in [
        (Listener::SaslPlaintext, ""),
        (
            Listener::SaslSsl,
            " unsecuredValidatorRequiredScope=\"produce\"",
        ),
    ] {
        let name = listener.name().to_lowercase();
        let key = format!("listener.name.{name}.oauthbearer.sasl.jaas.config");
        builder = builder.property(&key, &format!("{module}{validator};"));
    }
    let cluster = builder.start();
    cluster.create_topic("t", 1, 1, &[]);
    cluster
}

fn config(cluster: &Cluster, listener: Listener) -> Config {
    let config = Config::new(cluster.bootstrap(listener)).max_block(PATIENCE);
    match listener {
        Listener::SaslSsl => config
            .security_protocol(SecurityProtocol::SaslSsl)
            .ssl_truststore_file(ca_pem()),
        _ => config.security_protocol(SecurityProtocol::SaslPlaintext),
    }
}

fn alice() -> UnsecuredTokens {
    UnsecuredTokens::new("alice").scope(&["describe", "produce"])
}

fn records_arrive(cluster: &Cluster) {
    let mut sent = Vec::new();
    for listener in [Listener::SaslPlaintext, Listener::SaslSsl] {
        let tokens = alice().extension("traceId", "123");
        let config = config(cluster, listener).sasl_oauthbearer(tokens);
        let producer = Producer::new(config.idempotence(true)).expect("a producer");
        let text = listener.name().to_owned();
        let result = producer.send(Record::to("t").value(&text)).wait();
        result.unwrap_or_else(|error| panic!("{text}: {error}"));
        sent.push(text);
    }
    let read = cluster.read("t", Isolation::Committed);
    assert_eq!(read.iter().map(Consumed::text).collect::<Vec<_>>(), sent);
}

fn bad_tokens_are_told(cluster: &Cluster) {
    let listener = Listener::SaslPlaintext;
    for (listener, token, says) in [
        (
            listener,
            Token::new(EXPIRED).principal("alice"),
            "the broker refused the token of \"alice\" (OAUTHBEARER): invalid_token",
        ),
        (
            listener,
            Token::new(SIGNED),
            "the broker refused the token (OAUTHBEARER): invalid_token",
        ),
        (
            listener,
            Token::new("garbage"),
            "the broker refused the token (OAUTHBEARER): invalid_token",
        ),
        (
            Listener::SaslSsl,
            UnsecuredTokens::new("bob").token().expect("a token"),
            "the broker refused the token of \"bob\" (OAUTHBEARER): insufficient_scope, it asks \
             for the scope [produce]",
        ),
    ] {
        let source = move || Ok(token.clone());
        let config = config(cluster, listener).sasl_oauthbearer(source);
        let producer = Producer::new(config).expect("settings that can work");
        let error = producer.send(Record::to("t").value("v")).wait();
        let error = error.expect_err("nobody may get in so");
        println!("{error}");
        let found = (error.kind(), error.outcome(), error.code());
        let expected = (ErrorKind::Authentication, Outcome::NotWritten, Some(58));
        assert_eq!(found, expected, "{error}");
        let place = format!(
            "broker {}: SASL authentication: ",
            cluster.bootstrap(listener)
        );
        for fragment in [&*place, says] {
            let text = error.to_string();
            assert!(text.contains(fragment), "no {fragment:?} in: {text}");
        }
        let shown = format!("{producer:?} {error} {error:?}");
        assert!(
            !shown.contains("eyJ") && !shown.contains("garbage"),
            "{shown}"
        );
    }
}

/// Tokens of three seconds, which the broker takes for the ends of sessions.
fn tokens_that_end_cost_no_record(cluster: &Cluster) {
    cluster.create_topic("load", 1, 1, &[]);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let config = config(cluster, Listener::SaslSsl)
        .idempotence(true)
        .sasl_oauthbearer(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            alice().lifetime(Duration::from_secs(3)).token()
        });
    let told = steady(config, "load", Duration::from_millis(1), |_| {
        std::thread::sleep(Duration::from_secs(10));
    });
    assert!(
        told == read_numbers(cluster, "load"),
        "a record is lost or there twice"
    );
    let times = asked.load(Ordering::SeqCst);
    assert!((3..=12).contains(&times), "{times} tokens for 10 s");
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn tokens_get_in_are_refused_and_end_at_kafka_4_3() {
    let cluster = start(Version::V4_3_1);
    records_arrive(&cluster);
    bad_tokens_are_told(&cluster);
    tokens_that_end_cost_no_record(&cluster);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn tokens_get_in_are_refused_and_end_at_kafka_2_8() {
    let cluster = start(Version::V2_8_2);
    records_arrive(&cluster);
    bad_tokens_are_told(&cluster);
    tokens_that_end_cost_no_record(&cluster);
}
