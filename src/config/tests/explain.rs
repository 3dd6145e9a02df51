//! What `explain` shows, without the checks of TLS and SASL that need a build with them.

use std::time::Duration;

use super::super::effective::EFFECTIVE;
use super::super::explain::Explanation;
use super::{Acks, Config, FullBuffer, SecurityProtocol, TlsVersion, TopicConfig, config, with};
use crate::compress::Compression;
use crate::interceptor::Interceptor;
use crate::partitioner::{PartitionQuery, Partitioner, PartitionerKind};

const JAAS: &str = "x.PlainLoginModule required username=\"alice\" password=\"hush\";";

#[derive(Debug)]
struct First;

impl Partitioner for First {
    fn partition(
        &self,
        _: &PartitionQuery<'_>,
    ) -> Result<i32, Box<dyn std::error::Error + Send + Sync>> {
        Ok(0)
    }
}

#[derive(Debug)]
struct Watcher;

impl Interceptor for Watcher {}

pub(super) fn explain(config: &Config) -> Explanation {
    config.explained(|_| Ok(()))
}

/// Value and origin of one setting.
fn shown(config: &Config, key: &str) -> String {
    let text = explain(config).to_string();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("{key} is not in\n{text}"));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_setting_is_there_with_its_default_and_javas() {
    let explained = explain(&config());
    assert!(explained.advice().is_empty(), "{:?}", explained.advice());
    assert!(explained.error().is_none());
    let text = explained.to_string();
    assert_eq!(text.lines().count(), EFFECTIVE.len() + 1);
    for (key, value, _) in &EFFECTIVE[1..] {
        let start = format!("{} default", value(&config())).replace("  ", " ");
        assert!(shown(&config(), key).starts_with(&start), "{key}");
    }
    for (key, expected) in [
        ("bootstrap.servers", "localhost:9092 set in code"),
        ("acks", "1 default; Java's is all"),
        ("retries", "0 default; Java's is 2147483647"),
        ("enable.idempotence", "false default; Java's is true"),
        ("linger.ms", "0 default; Java's is 5"),
        ("request.timeout.ms", "30000 default"),
        ("client.id", "producer-N default"),
        ("full.buffer.policy", "block default"),
        ("Config::close_timeout", "30000 default"),
    ] {
        assert_eq!(shown(&config(), key), expected);
    }
}

#[test]
fn a_dialer_is_told_by_its_type() {
    struct Tunnel;

    impl crate::dial::Dial for Tunnel {
        fn dial(&self, _: &str, _: u16, _: Duration) -> std::io::Result<std::net::TcpStream> {
            Err(std::io::ErrorKind::Unsupported.into())
        }
    }

    let told = shown(&config().dialer(Tunnel), "Config::dialer");
    assert!(told.ends_with("::Tunnel set in code"), "{told}");
    assert!(!explain(&config()).to_string().contains("dialer"));
}

#[test]
fn a_value_is_shown_with_who_said_it_last() {
    let text = "\n\nbootstrap.servers=a:1\nacks=all\nlinger.ms=1\nretries=4\n";
    let name = format!("milena-explain-{}.properties", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    let from_file = Config::from_file(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let line = |number: u32| format!("{}:{number}", path.display());
    assert_eq!(shown(&from_file, "acks"), format!("all {}", line(4)));
    let config = from_file
        .set("linger.ms", "2")
        .and_then(|config| config.set_properties("# more\nbatch.size=7"))
        .unwrap()
        .retries(u32::MAX)
        .max_block(Duration::from_micros(1500));
    for (key, expected) in [
        ("acks", format!("all {}", line(4))),
        ("linger.ms", "2 set in code, as text".into()),
        ("batch.size", "7 line 2".into()),
        ("retries", "4294967295 set in code".into()),
        ("max.block.ms", "1.5 set in code".into()),
    ] {
        assert_eq!(shown(&config, key), expected);
    }
    // The later setter replaces the other trust store.
    let pem = with("ssl.truststore.location", "ca.pem").ssl_truststore_pem("x");
    assert_eq!(shown(&pem, "ssl.truststore.location"), "(none) default");
    let pem = with("ssl.keystore.location", "me.pem").ssl_keystore_pem("x", "y");
    assert_eq!(shown(&pem, "ssl.keystore.location"), "(none) default");
    assert_eq!(shown(&pem, "ssl.keystore.key"), "[hidden] set in code");
    let file = pem.ssl_keystore_file("me.pem");
    assert_eq!(shown(&file, "ssl.keystore.key"), "(none) default");
    assert_eq!(shown(&file, "ssl.keystore.location"), "me.pem set in code");
}

#[test]
fn what_follows_from_other_settings_names_them() {
    let ms = Duration::from_millis;
    for (config, key, expected) in [
        (
            config().idempotence(true),
            "acks",
            "all because of enable.idempotence=true",
        ),
        (
            config().idempotence(true),
            "retries",
            "2147483647 because of enable.idempotence=true",
        ),
        (
            config().idempotence(true).retries(3),
            "retries",
            "3 set in code",
        ),
        (
            config().idempotence(true).acks(Acks::All),
            "acks",
            "all set in code",
        ),
        (
            config().batch_size(2 << 20),
            "batch.size",
            "1048576 because of max.request.size",
        ),
        (
            config().linger(ms(200_000)),
            "delivery.timeout.ms",
            "230000 because of linger.ms and request.timeout.ms",
        ),
        (
            config().reconnect_backoff(ms(7)),
            "reconnect.backoff.max.ms",
            "7 because of reconnect.backoff.ms, set alone",
        ),
        (
            config().retry_backoff(ms(5000)),
            "retry.backoff.ms",
            "1000 because of retry.backoff.max.ms",
        ),
        (
            config().zstd_level(19),
            "compression.zstd.level",
            "4 because of the codec, which has no other",
        ),
        (
            config().max_in_flight(5000),
            "max.in.flight.requests.per.connection",
            "1000 because of what helps",
        ),
    ] {
        assert_eq!(shown(&config, key), expected, "{key}");
    }
}

#[test]
fn the_values_are_those_that_a_producer_works_with() {
    for config in [
        config(),
        config()
            .idempotence(true)
            .reconnect_backoff(Duration::from_secs(9)),
        config()
            .batch_size(9 << 20)
            .linger(Duration::from_secs(300)),
        with("compression.zstd.level", "22").client_id("me"),
    ] {
        let explained = explain(&config).to_string();
        let worked_with = format!("{:?}", config.validate().unwrap());
        for line in explained.lines().take_while(|line| !line.is_empty()) {
            let mut words = line.split_whitespace();
            let (key, value) = (words.next().unwrap(), words.next().unwrap());
            let same = format!("{key:?}: \"{value}");
            assert!(
                worked_with.contains(&same),
                "{same} is not in {worked_with}"
            );
        }
    }
}

#[test]
fn a_value_stays_in_its_line() {
    let config = config().client_id("x\nacks  all  default");
    let expected = r#""x\nacks all default" set in code"#;
    assert_eq!(shown(&config, "client.id"), expected);
}

#[test]
fn settings_of_a_topic_are_lines_of_their_own() {
    let config = with("topic.a.b.compression.type", "none").topic(
        "log",
        TopicConfig::new().full_buffer(FullBuffer::DropOldest),
    );
    assert_eq!(
        shown(&config, "topic.a.b.compression.type"),
        "none set in code, as text"
    );
    assert_eq!(
        shown(&config, "topic.log.full.buffer.policy"),
        "drop-oldest set in code"
    );
    let text = explain(&config).to_string();
    assert!(!text.contains("topic.log.compression"), "{text}");
}

#[test]
fn no_secret_is_shown() {
    let config = with("sasl.jaas.config", JAAS)
        .set("sasl.mechanism", "PLAIN")
        .unwrap()
        .security_protocol(SecurityProtocol::SaslSsl)
        .ssl_truststore_pem("-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----");
    let expected = "PlainLoginModule, user name \"alice\", password [hidden] set in code, as text";
    assert_eq!(shown(&config, "sasl.jaas.config"), expected);
    assert_eq!(
        shown(&config, "ssl.truststore.certificates"),
        "[hidden] set in code"
    );
    let explained = explain(&config);
    assert!(!format!("{explained} {explained:?} {config:?}").contains("hush"));
    // Any text is a client id.
    let mistaken = with("client.id", JAAS);
    let told = format!("{} {mistaken:?}", explain(&mistaken));
    assert!(
        told.contains("client.id") && !told.contains("hush"),
        "{told}"
    );
}

#[test]
fn settings_that_clash_are_shown_with_the_error_of_new() {
    let config = with("retries", "0").idempotence(true);
    let explained = explain(&config);
    let error = config.clone().validate().unwrap_err().to_string();
    assert_eq!(explained.error().unwrap().to_string(), error);
    let first = format!("no producer can be made of these settings: {error}");
    assert_eq!(explained.to_string().lines().next(), Some(first.as_str()));
    // What only a build can tell comes from the caller.
    let beyond = Config::new("a:1").explained(|_| config.clone().validate().map(drop));
    assert!(beyond.error().is_some());
}

#[test]
fn warnings_are_part_of_the_advice() {
    let config = with("metrics.num.samples", "3").batch_size(2 << 20);
    let explained = explain(&config);
    let [ignored, counts] = explained.advice() else {
        panic!("{:?}", explained.advice());
    };
    assert!(ignored.starts_with("metrics.num.samples has no effect: "));
    assert!(counts.starts_with("batch.size counts as 1048576"));
    let text = explained.to_string();
    assert!(
        text.contains(&format!("\nto know:\n- {ignored}\n- {counts}\n")),
        "{text}"
    );
    assert_eq!(config.warnings().len(), 1, "explaining changes nothing");
}

#[test]
fn every_setter_is_known_by_the_names_of_its_settings() {
    let ms = Duration::from_millis;
    #[rustfmt::skip]
    let rows = [
        (config().acks(Acks::All), "acks"),
        (config().retries(1), "retries"),
        (config().idempotence(true), "enable.idempotence"),
        (config().gapless(true), "enable.gapless.guarantee"),
        (config().max_block(ms(1)), "max.block.ms"),
        (config().max_in_flight(1), "max.in.flight.requests.per.connection"),
        (config().request_timeout(ms(1)), "request.timeout.ms"),
        (config().delivery_timeout(ms(1)), "delivery.timeout.ms"),
        (config().close_timeout(ms(1)), "Config::close_timeout"),
        (config().linger(ms(1)), "linger.ms"),
        (config().batch_size(1), "batch.size"),
        (config().buffer_memory(1), "buffer.memory"),
        (config().full_buffer(FullBuffer::Fail), "full.buffer.policy"),
        (config().max_request_size(1), "max.request.size"),
        (config().compression(Compression::Gzip), "compression.type"),
        (config().gzip_level(1), "compression.gzip.level"),
        (config().lz4_level(1), "compression.lz4.level"),
        (config().zstd_level(1), "compression.zstd.level"),
        (config().round_robin(), "partitioner.class"),
        (config().partitioner_kind(PartitionerKind::Random), "partitioner.class"),
        (config().partitioner(First), "partitioner.class"),
        (config().ignore_keys(true), "partitioner.ignore.keys"),
        (config().adaptive_partitioning(false), "partitioner.adaptive.partitioning.enable"),
        (
            config().partitioner_availability_timeout(ms(1)),
            "partitioner.availability.timeout.ms",
        ),
        (config().rack_aware(true), "partitioner.rack.aware"),
        (config().client_rack("x"), "client.rack"),
        (config().interceptor(Watcher), "interceptor.classes"),
        (config().retry_backoff(ms(1)), "retry.backoff.ms"),
        (config().retry_backoff_max(ms(1)), "retry.backoff.max.ms"),
        (config().reconnect_backoff(ms(1)), "reconnect.backoff.ms"),
        (config().reconnect_backoff_max(ms(1)), "reconnect.backoff.max.ms"),
        (config().client_id("x"), "client.id"),
        (config().metadata_max_age(ms(1)), "metadata.max.age.ms"),
        (config().metadata_max_idle(ms(1)), "metadata.max.idle.ms"),
        (config().allow_auto_create_topics(false), "allow.auto.create.topics"),
        (config().connections_max_idle(ms(1)), "connections.max.idle.ms"),
        (config().connection_setup_timeout(ms(1)), "socket.connection.setup.timeout.ms"),
        (config().connection_setup_timeout_max(ms(1)), "socket.connection.setup.timeout.max.ms"),
        (config().send_buffer_bytes(1), "send.buffer.bytes"),
        (config().receive_buffer_bytes(1), "receive.buffer.bytes"),
        (config().security_protocol(SecurityProtocol::Ssl), "security.protocol"),
        (config().ssl_truststore_file("x"), "ssl.truststore.location"),
        (config().ssl_truststore_pem("x"), "ssl.truststore.certificates"),
        (config().ssl_keystore_file("x"), "ssl.keystore.location"),
        (
            config().ssl_keystore_pem("x", "y"),
            "ssl.keystore.certificate.chain ssl.keystore.key",
        ),
        (config().ssl_versions(&[TlsVersion::V1_3]), "ssl.enabled.protocols ssl.protocol"),
        (config().ssl_verify_host_name(false), "ssl.endpoint.identification.algorithm"),
        (config().sasl_plain("a", "b"), "sasl.jaas.config sasl.mechanism"),
    ];
    let default = format!("{:?}", config());
    for (config, names) in &rows {
        let all = EFFECTIVE.iter().map(|(key, ..)| *key);
        let all = all
            .skip(1)
            .chain(["Config::close_timeout", "interceptor.classes"]);
        let mut said: Vec<&str> = all.filter(|key| config.is_given(key)).collect();
        said.sort_unstable();
        assert_eq!(said.join(" "), *names);
        assert_ne!(format!("{config:?}"), default, "{names}");
    }
}
