//! Settings from environment variables, of which the tests bring their own.

use std::ffi::OsString;

use super::*;

fn of(variables: &[(&str, &str)]) -> Result<Config, Error> {
    let variables = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    config().apply_variables("KAFKA_", variables)
}

#[test]
fn variables_are_settings_in_upper_case_with_underscores() {
    let config = of(&[
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1,b:2"),
        ("KAFKA_MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION", "2"),
        ("KAFKA_TOPIC_MY__LOG___1_COMPRESSION_TYPE", "none"),
        ("OTHER_ACKS", "all"),
        ("kafka_acks", "all"),
    ])
    .unwrap();
    assert_eq!(config.bootstrap_servers.len(), 2);
    assert_eq!((config.max_in_flight, config.acks), (2, Acks::Leader));
    assert!(
        config.topics.contains_key("my-log_1"),
        "{:?}",
        config.topics
    );
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    let text = config.explained(|_| Ok(())).to_string();
    assert!(
        text.contains("environment variable KAFKA_BOOTSTRAP_SERVERS"),
        "{text}"
    );
}

#[test]
fn a_value_that_is_wrong_names_its_variable() {
    for (name, value, expected) in [
        (
            "KAFKA_ACKS",
            "2",
            "environment variable KAFKA_ACKS: acks: \"2\" is not one of 0, 1, all, -1",
        ),
        (
            "KAFKA_LINGER",
            "5",
            "environment variable KAFKA_LINGER: there is no setting linger: did you mean \
             KAFKA_LINGER_MS, linger.ms?",
        ),
        (
            "KAFKA_COMPRESION_TYPE",
            "lz4",
            "environment variable KAFKA_COMPRESION_TYPE: there is no setting compresion.type: did \
             you mean KAFKA_COMPRESSION_TYPE, compression.type?",
        ),
    ] {
        assert_eq!(of(&[(name, value)]).unwrap_err().to_string(), expected);
    }
    let missing = Config::with_defaults().apply_variables("KAFKA_", std::iter::empty());
    assert!(missing.unwrap().with_servers().is_err());
    let from_env = Config::from_env("MILENA_TESTS_HAVE_NONE_")
        .unwrap_err()
        .to_string();
    assert!(
        from_env.contains("MILENA_TESTS_HAVE_NONE_BOOTSTRAP_SERVERS"),
        "{from_env}"
    );
    let empty = config().set_env("").unwrap_err().to_string();
    assert!(
        empty.starts_with("the prefix of environment variables is empty"),
        "{empty}"
    );
}

#[test]
fn variables_that_are_no_settings_are_ignored_with_the_reason() {
    // Of Kafka's scripts, of Kubernetes for a service of this name, of brokers, of the program.
    for name in [
        "HOME",
        "OPTS",
        "HEAP_OPTS",
        "JMX_PORT",
        "JMX_OPTS",
        "LOG4J_OPTS",
        "GC_LOG_OPTS",
        "DEBUG",
        "VERSION",
        "CLUSTER_ID",
        "PORT",
        "SERVICE_HOST",
        "SERVICE_PORT",
        "PORT_9092_TCP",
        "PORT_9092_TCP_ADDR",
        "PORT_9092_TCP_PROTO",
        "BROKER_ID",
        "NODE_ID",
        "LISTENERS",
        "ADVERTISED_LISTENERS",
        "LOG_DIRS",
        "ZOOKEEPER_CONNECT",
        "MESSAGE_MAX_BYTES",
        "PROCESS_ROLES",
        "SASL_ENABLED_MECHANISMS",
        "SSL_CLIENT_AUTH",
        "GROUP_ID",
        "TOPIC",
        "TOPIC_NAME",
        "CLIENT_USERS",
        "INTER_BROKER_LISTENER_NAME",
        "acks",
        "",
        "ÄCKS",
        "USER",
    ] {
        let name = format!("KAFKA_{name}");
        let config = of(&[(&name, "hush")]).unwrap();
        let [warning] = config.warnings() else {
            panic!("{name}: {:?}", config.warnings());
        };
        let start = format!("environment variable {name} is ignored: ");
        assert!(
            warning.starts_with(&start) && !warning.contains("hush"),
            "{warning}"
        );
    }
    let foreign = of(&[("KAFKA_MESSAGE_TIMEOUT_MS", "1")]).unwrap();
    assert!(foreign.warnings()[0].contains("Java's is delivery.timeout.ms"));
}

#[test]
fn providers_come_first_among_variables_too() {
    let config = of(&[
        ("KAFKA_CLIENT_ID", "${env:CARGO_PKG_NAME}"),
        ("KAFKA_CONFIG_PROVIDERS", "env"),
    ]);
    assert_eq!(config.unwrap().client_id, "milena");
}

#[cfg(unix)]
#[test]
fn names_and_values_that_are_no_text_are_told_apart() {
    use std::os::unix::ffi::OsStringExt;
    let broken = || OsString::from_vec(b"KAFKA_\xff".to_vec());
    let value = [("KAFKA_CLIENT_ID".into(), broken())].into_iter();
    let error = config().apply_variables("KAFKA_", value).unwrap_err();
    let expected = "environment variable KAFKA_CLIENT_ID: its value is not UTF-8";
    assert_eq!(error.to_string(), expected);
    let name = [(broken(), "x".into())].into_iter();
    assert!(config().apply_variables("KAFKA_", name).is_ok());
}
