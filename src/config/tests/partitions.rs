//! Tests of the settings that say which partition a record goes to.

use super::*;
use crate::partitioner::{PartitionerChoice, PartitionerKind as Kind};

fn kind(config: &Config) -> Kind {
    match config.partitioning.choice {
        PartitionerChoice::Kind(kind) => kind,
        PartitionerChoice::Custom(_) => panic!("a custom partitioner"),
    }
}

#[test]
fn partitioners_are_named_as_in_java_and_librdkafka_or_refused_with_all_names() {
    let java = "org.apache.kafka.clients.producer";
    for (name, expected) in [
        (String::new(), Kind::Default),
        (
            format!("{java}.internals.DefaultPartitioner"),
            Kind::Default,
        ),
        (format!("{java}.RoundRobinPartitioner"), Kind::RoundRobin),
        ("uniform-sticky".into(), Kind::UniformSticky),
        ("consistent_random".into(), Kind::ConsistentRandom),
        ("fnv1a".into(), Kind::Fnv1a),
    ] {
        assert_eq!(kind(&with("partitioner.class", &name)), expected);
        assert_eq!(kind(&config().partitioner_kind(expected)), expected);
    }
    assert_eq!(kind(&config().round_robin()), Kind::RoundRobin);
    let error = refusal("partitioner.class", "com.example.Mine");
    let names = "RoundRobinPartitioner, uniform-sticky, random, consistent, consistent_random, \
                 murmur2, murmur2_random, fnv1a, fnv1a_random;";
    assert!(
        error.contains("com.example.Mine") && error.contains(names),
        "{error}"
    );
}

#[test]
fn the_settings_of_uniform_sticky_are_read() {
    let text = "bootstrap.servers=a:1
        partitioner.class=uniform-sticky
        partitioner.adaptive.partitioning.enable=true
        partitioner.availability.timeout.ms=250
        partitioner.ignore.keys=true
        partitioner.rack.aware=true
        client.rack=zone-b
        linger.ms=20";
    let read = Config::from_properties(text).unwrap().validate().unwrap();
    assert!(read.warnings().is_empty(), "{:?}", read.warnings());
    let ms = Duration::from_millis;
    let typed = config()
        .partitioner_kind(Kind::UniformSticky)
        .adaptive_partitioning(true)
        .partitioner_availability_timeout(ms(250))
        .ignore_keys(true)
        .rack_aware(true)
        .client_rack("zone-b")
        .linger(ms(20))
        .validate()
        .unwrap();
    for config in [read, typed] {
        let found = config.partitioning;
        assert!(found.sticky.is_adaptive && found.ignores_keys && found.is_rack_aware);
        assert_eq!(found.sticky.availability_timeout, ms(250));
        assert_eq!((found.rack.as_str(), found.sticky.stay), ("zone-b", ms(40)));
    }
    assert!(config().partitioning.sticky.is_adaptive);
    assert!(
        !config()
            .adaptive_partitioning(false)
            .partitioning
            .sticky
            .is_adaptive
    );
    for key in [
        "partitioner.adaptive.partitioning.enable",
        "partitioner.ignore.keys",
        "partitioner.rack.aware",
    ] {
        assert!(refusal(key, "7").contains("neither true nor false"));
    }
    let key = "partitioner.availability.timeout.ms";
    assert!(refusal(key, "-1").contains("out of range"));
}

#[test]
fn what_does_not_apply_to_the_partitioner_is_told() {
    const ADAPTIVE: &str = "partitioner.adaptive.partitioning.enable";
    const TIMEOUT: &str = "partitioner.availability.timeout.ms";
    const IGNORE: &str = "partitioner.ignore.keys";
    const RACKS: &str = "partitioner.rack.aware";
    type Row = (
        &'static str,
        &'static [(&'static str, &'static str)],
        Option<&'static str>,
    );
    let rows: [Row; 14] = [
        ("consistent", &[(IGNORE, "true")], Some(IGNORE)),
        ("murmur2_random", &[(IGNORE, "true")], Some(IGNORE)),
        ("", &[(IGNORE, "true")], None),
        ("uniform-sticky", &[(IGNORE, "true")], None),
        ("random", &[(IGNORE, "true")], None),
        ("", &[(ADAPTIVE, "true")], Some(ADAPTIVE)),
        ("", &[(ADAPTIVE, "false")], None),
        ("fnv1a", &[(TIMEOUT, "5")], Some(TIMEOUT)),
        ("fnv1a", &[(TIMEOUT, "0")], None),
        (
            "uniform-sticky",
            &[(TIMEOUT, "5"), (ADAPTIVE, "false")],
            Some(TIMEOUT),
        ),
        ("uniform-sticky", &[(TIMEOUT, "5")], None),
        ("", &[(RACKS, "true"), ("client.rack", "a")], Some(RACKS)),
        (
            "uniform-sticky",
            &[(RACKS, "true"), ("client.rack", "a")],
            None,
        ),
        (
            "uniform-sticky",
            &[("client.rack", "a")],
            Some("client.rack"),
        ),
    ];
    for (class, settings, warned) in rows {
        let mut config = with("partitioner.class", class);
        for (key, value) in settings {
            config = config.set(key, value).unwrap();
        }
        let config = config.validate().unwrap();
        let warnings = config.warnings();
        assert_eq!(
            warnings.len(),
            usize::from(warned.is_some()),
            "{class}: {warnings:?}"
        );
        if let (Some(key), [warning]) = (warned, warnings) {
            assert!(
                warning.starts_with(&format!("{key} has no effect: ")),
                "{warning}"
            );
        }
    }
}

/// As Java's: ConfigException.
#[test]
fn rack_awareness_without_a_rack_is_an_error() {
    for rack in ["", " "] {
        let config = config().client_rack(rack).rack_aware(true);
        let error = config.validate().unwrap_err();
        assert!(error.to_string().contains("needs client.rack"), "{error}");
    }
}
