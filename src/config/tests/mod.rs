//! Tests of the settings, by what the user reads.

mod address;
mod advice;
mod environment;
mod explain;
mod jaas;
mod keys;
mod oauth;
mod partitions;
mod properties;
mod providers;
mod sasl;
mod security;
mod table;
mod validate;
mod values;

use super::*;

fn config() -> Config {
    Config::new("localhost:9092")
}

/// The settings after one key.
fn with(key: &str, value: &str) -> Config {
    config()
        .set(key, value)
        .unwrap_or_else(|error| panic!("{key}={value}: {error}"))
}

/// The text of the error for one key.
fn refusal(key: &str, value: &str) -> String {
    match config().set(key, value) {
        Ok(_) => panic!("{key}={value} passed"),
        Err(error) => {
            assert_eq!(error.kind(), crate::error::ErrorKind::Config);
            error.to_string()
        }
    }
}

#[test]
fn an_untouched_config_has_the_defaults_of_the_contract() {
    let config = config().validate().unwrap();
    let second = Duration::from_secs(1);
    assert_eq!(config.bootstrap_servers[0].to_string(), "localhost:9092");
    assert_eq!((config.acks, config.retries), (Acks::Leader, 0));
    assert_eq!((config.max_block, config.max_in_flight), (60 * second, 5));
    assert_eq!(config.request_timeout, 30 * second);
    assert_eq!(config.delivery_timeout, 120 * second);
    assert_eq!((config.linger, config.batch_size), (Duration::ZERO, 65536));
    assert_eq!(config.buffer_memory, 33_554_432);
    assert_eq!(config.max_request_size, 1_048_576);
    assert_eq!(config.retry_backoff, second / 10);
    assert_eq!(config.retry_backoff_max, second);
    assert_eq!(config.reconnect_backoff, second / 20);
    assert_eq!(config.reconnect_backoff_max, second);
    assert_eq!(config.metadata_max_age, 300 * second);
    assert_eq!(config.metadata_max_idle, 300 * second);
    assert!(config.allow_auto_create_topics);
    assert_eq!(config.connections_max_idle, Some(540 * second));
    assert_eq!(config.connection_setup_timeout, 10 * second);
    assert_eq!(config.connection_setup_timeout_max, 30 * second);
    assert_eq!(config.send_buffer_bytes, None);
    assert_eq!(config.receive_buffer_bytes, None);
    assert_eq!(config.close_timeout, 30 * second);
    assert_eq!(config.security_protocol, SecurityProtocol::Plaintext);
    assert!(config.sasl.is_none() && config.tls.truststore.is_none());
    assert!(!config.tls.keystore.is_set());
    assert!(config.tls.verify_host_name && config.tls.versions == TlsVersions::default());
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}

#[test]
fn every_typed_setter_sets_its_own_field_and_passes_validation() {
    let ms = Duration::from_millis;
    let config = config()
        .acks(Acks::All)
        .retries(7)
        .idempotence(false)
        .max_block(ms(1))
        .max_in_flight(2)
        .request_timeout(ms(3))
        .delivery_timeout(ms(40))
        .close_timeout(ms(5))
        .linger(ms(6))
        .batch_size(70)
        .buffer_memory(8000)
        .max_request_size(900)
        .retry_backoff(ms(10))
        .retry_backoff_max(ms(11))
        .reconnect_backoff(ms(12))
        .reconnect_backoff_max(ms(13))
        .client_id("me")
        .metadata_max_age(ms(14))
        .metadata_max_idle(ms(15_000))
        .allow_auto_create_topics(false)
        .connections_max_idle(ms(16))
        .connection_setup_timeout(ms(17))
        .connection_setup_timeout_max(ms(18))
        .send_buffer_bytes(19)
        .receive_buffer_bytes(20)
        .security_protocol(SecurityProtocol::SaslSsl)
        .ssl_truststore_pem("pem")
        .ssl_truststore_file("ca.pem")
        .ssl_keystore_pem("key", "chain")
        .ssl_keystore_file("me.pem")
        .ssl_versions(&[TlsVersion::V1_2])
        .ssl_verify_host_name(false)
        .sasl_plain("alice", "wonder")
        .validate()
        .unwrap();
    assert_eq!((config.acks, config.retries), (Acks::All, 7));
    assert_eq!((config.max_block, config.max_in_flight), (ms(1), 2));
    assert_eq!(config.request_timeout, ms(3));
    assert_eq!(config.delivery_timeout, ms(40));
    assert_eq!((config.close_timeout, config.linger), (ms(5), ms(6)));
    assert_eq!((config.batch_size, config.buffer_memory), (70, 8000));
    assert_eq!(config.max_request_size, 900);
    assert_eq!(config.retry_backoff, ms(10));
    assert_eq!(config.retry_backoff_max, ms(11));
    assert_eq!(config.reconnect_backoff, ms(12));
    assert_eq!(config.reconnect_backoff_max, ms(13));
    assert_eq!(config.client_id, "me");
    assert_eq!(config.metadata_max_age, ms(14));
    assert_eq!(config.metadata_max_idle, ms(15_000));
    assert!(!config.allow_auto_create_topics);
    assert_eq!(config.connections_max_idle, Some(ms(16)));
    assert_eq!(config.connection_setup_timeout, ms(17));
    assert_eq!(config.connection_setup_timeout_max, ms(18));
    assert_eq!(config.send_buffer_bytes, Some(19));
    assert_eq!(config.receive_buffer_bytes, Some(20));
    assert!(
        matches!(&config.tls.truststore, Some(PemSource::File(path)) if path.ends_with("ca.pem"))
    );
    assert!(config.tls.versions.v1_2 && !config.tls.versions.v1_3);
    assert!(!config.tls.verify_host_name);
    let Some(SaslConfig::Plain { username, password }) = &config.sasl else {
        panic!("no credentials");
    };
    assert_eq!((username.as_str(), password.expose()), ("alice", "wonder"));
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}
