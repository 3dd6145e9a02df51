//! The table of Java's keys, and names that are not in it.

use super::super::keys::{KEYS, Treatment};
use super::super::security_keys::SECURITY_KEYS;
use super::Config;
use super::{config, refusal, with};

use Outcome::{Refused, Used, Warned};

/// What becomes of a key with a value that is not its default.
#[derive(Debug, PartialEq)]
enum Outcome {
    Used,
    Warned,
    Refused,
}

#[test]
fn every_key_of_javas_producer_is_used_warned_about_or_refused() {
    assert_eq!(JAVA.len(), 120);
    for (key, value, expected) in JAVA {
        let outcome = match config().set(key, value) {
            Ok(config) if config.warnings().is_empty() => Used,
            Ok(config) => {
                let [warning] = config.warnings() else {
                    panic!("{key}: {:?}", config.warnings());
                };
                assert!(
                    warning.starts_with(&format!("{key} has no effect: ")),
                    "{warning}"
                );
                assert!(!warning.contains("hush"), "{warning}");
                Warned
            }
            Err(error) => {
                let error = error.to_string();
                assert!(error.starts_with(&format!("{key}: ")), "{error}");
                assert!(!error.contains("hush"), "{error}");
                Refused
            }
        };
        assert_eq!(outcome, *expected, "{key}");
    }
}

#[test]
fn no_key_is_known_beyond_javas_but_those_named_here() {
    let others = [
        "allow.auto.create.topics",
        "enable.gapless.guarantee",
        "full.buffer.policy",
        "key.serializer.encoding",
        "serializer.encoding",
        "ssl.crl.location",
        "value.serializer.encoding",
    ];
    for (key, _) in KEYS.iter().chain(SECURITY_KEYS) {
        let is_java = JAVA.iter().any(|(name, ..)| name == key);
        assert!(is_java || others.contains(key), "{key}");
    }
    assert_eq!(KEYS.len() + SECURITY_KEYS.len(), JAVA.len() + others.len());
}

#[test]
fn values_that_ask_for_what_happens_anyway_pass_in_silence() {
    let mut count = 0;
    for (key, treatment) in KEYS.iter().chain(SECURITY_KEYS) {
        if let Treatment::Ignored { fine, .. } | Treatment::Refused { fine, .. } = treatment {
            for value in fine.iter() {
                let value = value.to_ascii_uppercase();
                assert!(with(key, &value).warnings().is_empty(), "{key}={value}");
                count += 1;
            }
        }
    }
    assert!(count > 20);
}

#[test]
fn families_of_keys_are_treated_by_their_prefix() {
    assert!(refusal("config.providers.file.class", "x").contains("is a class of Java"));
    let warned = with("metrics.context.team", "payments");
    assert!(warned.warnings()[0].starts_with("metrics.context.team has no effect"));
}

#[test]
fn an_unknown_key_proposes_the_one_that_was_meant() {
    for (key, meant) in [
        ("linger", "linger.ms"),
        ("linger.m", "linger.ms"),
        ("Linger.MS", "linger.ms"),
        ("bootstrap.server", "bootstrap.servers"),
        ("bootstrap_servers", "bootstrap.servers"),
        ("ack", "acks"),
        ("batchsize", "batch.size"),
        ("request.timeout", "request.timeout.ms"),
        (
            "max.in.flight.requests",
            "max.in.flight.requests.per.connection",
        ),
        ("compresion.type", "compression.type"),
        ("sasl.jaas.conf", "sasl.jaas.config"),
        ("ssl.trustore.location", "ssl.truststore.location"),
        ("security.protocl", "security.protocol"),
        ("delivery-timeout-ms", "delivery.timeout.ms"),
    ] {
        let expected = format!("unknown setting {key:?}: did you mean {meant}?");
        assert_eq!(refusal(key, "x"), expected);
    }
    assert_eq!(
        refusal("group.id", "x"),
        r#"unknown setting "group.id": Kafka's producer has none of this name"#
    );
}

#[test]
fn other_clients_names_are_answered_with_javas() {
    for (key, part) in [
        ("metadata.broker.list", "Java's is bootstrap.servers"),
        ("queue.buffering.max.ms", "Java's is linger.ms"),
        ("message.timeout.ms", "default 300000 there, 120000 here"),
        ("request.required.acks", "Java's is acks"),
        ("message.max.bytes", "Java's is max.request.size"),
        ("message.send.max.retries", "Java's is retries"),
        (
            "queue.buffering.max.kbytes",
            "in bytes, not KiB; default 1 GiB",
        ),
        ("queue.buffering.max.messages", "bytes instead of messages"),
        ("compression.codec", "Java's is compression.type"),
        ("sasl.mechanisms", "Java's is sasl.mechanism"),
        ("sasl.username", "sasl.jaas.config"),
        ("sasl.password", "sasl.jaas.config"),
        ("ssl.ca.location", "ssl.truststore.location"),
        (
            "enable.ssl.certificate.verification",
            "ssl.truststore.location",
        ),
        ("partitioner", "the same key goes to another partition"),
        ("block.on.buffer.full", "max.block.ms"),
        ("statistics.interval.ms", "leave it out"),
    ] {
        let error = refusal(key, "hush");
        assert!(error.starts_with(&format!("{key}: ")), "{error}");
        assert!(error.contains(part) && !error.contains("hush"), "{error}");
    }
}

#[test]
fn a_piece_of_a_value_that_stands_where_a_key_does_is_not_repeated() {
    let base64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    for (key, value) in [
        ("hush", ""),
        ("username=\"hush\"", ""),
        (
            "org.apache.PlainLoginModule required password=\"hush\";",
            "",
        ),
        (base64, ""),
        (base64, "hush"),
        ("-----BEGIN", "PRIVATE KEY hush"),
        ("", "hush"),
    ] {
        let error = refusal(key, value);
        assert!(
            !error.contains("hush") && !error.contains("MIIE"),
            "{error}"
        );
    }
    let error = refusal("hush", "");
    assert!(error.contains("must end in a backslash"), "{error}");
    // A name that may well be one is shown, its value never is.
    assert!(!refusal("pasword", "hush").contains("hush"));
}

#[test]
fn a_value_that_went_to_the_wrong_key_is_not_repeated() {
    let jaas = "x.PlainLoginModule required username=\"alice\" password=\"wonder\";";
    for key in [
        "sasl.mechanism",
        "acks",
        "linger.ms",
        "security.protocol",
        "key.serializer",
    ] {
        let error = refusal(key, jaas);
        assert!(
            error.contains("not shown") && !error.contains("wonder"),
            "{error}"
        );
    }
}

#[test]
fn an_error_keeps_the_settings_of_a_clone() {
    let before = config().set("acks", "all").unwrap();
    let _: Result<Config, _> = before.clone().set("acks", "seven");
    assert_eq!(before.acks, super::Acks::All);
}

const JAAS: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required \
     username=\"alice\" password=\"hush\";";

#[rustfmt::skip] // one key, one line
const JAVA: &[(&str, &str, Outcome)] = &[
    ("bootstrap.servers", "a:1", Used),
    ("client.dns.lookup", "7", Warned),
    ("buffer.memory", "1", Used),
    ("buffer.memory.allocation.strategy", "7", Warned),
    ("retries", "1", Used),
    ("acks", "all", Used),
    ("compression.type", "zstd", Used),
    ("compression.gzip.level", "7", Used),
    ("compression.lz4.level", "9", Used),
    ("compression.zstd.level", "3", Used),
    ("batch.size", "1", Used),
    ("partitioner.adaptive.partitioning.enable", "false", Used),
    ("partitioner.availability.timeout.ms", "7", Used),
    ("partitioner.ignore.keys", "true", Used),
    ("partitioner.rack.aware", "true", Used),
    ("linger.ms", "1", Used),
    ("delivery.timeout.ms", "1", Used),
    ("client.id", "x", Used),
    ("client.rack", "7", Used),
    ("send.buffer.bytes", "1", Used),
    ("receive.buffer.bytes", "1", Used),
    ("max.request.size", "1", Used),
    ("reconnect.backoff.ms", "1", Used),
    ("reconnect.backoff.max.ms", "1", Used),
    ("retry.backoff.ms", "1", Used),
    ("retry.backoff.max.ms", "1", Used),
    ("bootstrap.resolve.timeout.ms", "7", Warned),
    ("enable.metrics.push", "7", Warned),
    ("max.block.ms", "1", Used),
    ("request.timeout.ms", "1", Used),
    ("metadata.max.age.ms", "1", Used),
    ("metadata.max.idle.ms", "5000", Used),
    ("metrics.sample.window.ms", "7", Warned),
    ("metrics.num.samples", "7", Warned),
    ("metrics.recording.level", "7", Warned),
    ("metric.reporters", "7", Warned),
    ("max.in.flight.requests.per.connection", "1", Used),
    ("key.serializer", "org.apache.kafka.common.serialization.StringSerializer", Used),
    ("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer", Used),
    ("socket.connection.setup.timeout.ms", "1", Used),
    ("socket.connection.setup.timeout.max.ms", "1", Used),
    ("connections.max.idle.ms", "1", Used),
    ("partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner", Used),
    ("interceptor.classes", "com.example.Audit", Refused),
    ("security.protocol", "SASL_SSL", Used),
    ("security.providers", "com.example.Fips", Refused),
    ("enable.idempotence", "false", Used),
    ("transaction.timeout.ms", "7", Warned),
    ("transactional.id", "orders", Refused),
    ("transaction.two.phase.commit.enable", "true", Refused),
    ("metadata.recovery.strategy", "7", Warned),
    ("metadata.recovery.rebootstrap.trigger.ms", "7", Warned),
    ("metadata.cluster.check.enable", "7", Warned),
    ("config.providers", "env", Used),
    ("ssl.protocol", "TLSv1.3", Used),
    ("ssl.provider", "BCFIPS", Refused),
    ("ssl.cipher.suites", "TLS_AES_256_GCM_SHA384", Used),
    ("ssl.enabled.protocols", "TLSv1.2,TLSv1.3", Used),
    ("ssl.keystore.type", "PEM", Used),
    ("ssl.keystore.location", "me.pem", Used),
    ("ssl.keystore.password", "hush", Refused),
    ("ssl.key.password", "hush", Used),
    ("ssl.keystore.key", "-----BEGIN PRIVATE KEY-----", Used),
    ("ssl.keystore.certificate.chain", "-----BEGIN CERTIFICATE-----", Used),
    ("ssl.truststore.certificates", "-----BEGIN CERTIFICATE-----", Used),
    ("ssl.truststore.type", "PEM", Used),
    ("ssl.truststore.location", "ca.pem", Used),
    ("ssl.truststore.password", "hush", Warned),
    ("ssl.keymanager.algorithm", "7", Warned),
    ("ssl.trustmanager.algorithm", "7", Warned),
    ("ssl.endpoint.identification.algorithm", "https", Used),
    ("ssl.secure.random.implementation", "7", Warned),
    ("ssl.engine.factory.class", "com.example.Engine", Refused),
    ("sasl.kerberos.service.name", "7", Warned),
    ("sasl.kerberos.kinit.cmd", "7", Warned),
    ("sasl.kerberos.ticket.renew.window.factor", "7", Warned),
    ("sasl.kerberos.ticket.renew.jitter", "7", Warned),
    ("sasl.kerberos.min.time.before.relogin", "7", Warned),
    ("sasl.login.refresh.window.factor", "0.7", Used),
    ("sasl.login.refresh.window.jitter", "0.2", Used),
    ("sasl.login.refresh.min.period.seconds", "7", Used),
    ("sasl.login.refresh.buffer.seconds", "7", Used),
    ("sasl.mechanism", "PLAIN", Used),
    ("sasl.jaas.config", JAAS, Used),
    ("sasl.client.callback.handler.class", "com.example.H", Refused),
    ("sasl.login.callback.handler.class", "com.example.H", Refused),
    ("sasl.login.class", "com.example.Login", Refused),
    ("sasl.login.connect.timeout.ms", "7", Used),
    ("sasl.login.read.timeout.ms", "7", Used),
    ("sasl.login.retry.backoff.max.ms", "7", Used),
    ("sasl.login.retry.backoff.ms", "7", Used),
    ("sasl.oauthbearer.jwt.retriever.class", "FileJwtRetriever", Used),
    ("sasl.oauthbearer.jwt.validator.class", "ClientJwtValidator", Used),
    ("sasl.oauthbearer.scope", "7", Used),
    ("sasl.oauthbearer.client.credentials.client.id", "7", Used),
    ("sasl.oauthbearer.client.credentials.client.secret", "hush", Used),
    ("sasl.oauthbearer.assertion.algorithm", "7", Warned),
    ("sasl.oauthbearer.assertion.claim.aud", "7", Warned),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", "7", Warned),
    ("sasl.oauthbearer.assertion.claim.iss", "7", Warned),
    ("sasl.oauthbearer.assertion.claim.jti.include", "7", Warned),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", "7", Warned),
    ("sasl.oauthbearer.assertion.claim.sub", "7", Warned),
    ("sasl.oauthbearer.assertion.file", "7", Refused),
    ("sasl.oauthbearer.assertion.private.key.file", "7", Refused),
    ("sasl.oauthbearer.assertion.private.key.passphrase", "hush", Refused),
    ("sasl.oauthbearer.assertion.template.file", "7", Refused),
    ("sasl.oauthbearer.scope.claim.name", "7", Used),
    ("sasl.oauthbearer.sub.claim.name", "7", Used),
    ("sasl.oauthbearer.token.endpoint.url", "https://idp/token", Used),
    ("sasl.oauthbearer.jwks.endpoint.url", "7", Warned),
    ("sasl.oauthbearer.jwks.endpoint.refresh.ms", "7", Warned),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "7", Warned),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "7", Warned),
    ("sasl.oauthbearer.clock.skew.seconds", "7", Warned),
    ("sasl.oauthbearer.allow.unverified.audience", "7", Warned),
    ("sasl.oauthbearer.expected.audience", "7", Warned),
    ("sasl.oauthbearer.allow.unverified.issuer", "7", Warned),
    ("sasl.oauthbearer.expected.issuer", "7", Warned),
    ("sasl.oauthbearer.header.urlencode", "true", Used),
];
