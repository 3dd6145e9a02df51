//! Checks of settings against each other.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn complaint(config: Config) -> String {
    config.validate().unwrap_err().to_string()
}

/// The settled settings, which must have exactly one warning.
fn settled(config: Config, warning: &str) -> Config {
    let config = config.validate().unwrap();
    assert_eq!(config.warnings(), [warning]);
    config
}

#[test]
fn a_chosen_delivery_timeout_must_hold_lingering_and_one_request() {
    let config = || config().linger(SECOND).request_timeout(2 * SECOND);
    assert!(config().delivery_timeout(3 * SECOND).validate().is_ok());
    let short = config().delivery_timeout(Duration::from_millis(2999));
    assert_eq!(
        complaint(short),
        "delivery.timeout.ms: 3.0 s is less than linger.ms (1 s) + request.timeout.ms (2 s): \
         raise it to 3 s or lower those"
    );
}

#[test]
fn a_default_delivery_timeout_gives_way() {
    let config = settled(
        config().request_timeout(150 * SECOND),
        "delivery.timeout.ms is raised to linger.ms (0 ms) + request.timeout.ms (150 s)",
    );
    assert_eq!(config.delivery_timeout, 150 * SECOND);
    let forever = super::config().linger(Duration::MAX).validate().unwrap();
    assert_eq!(forever.delivery_timeout, Duration::MAX);
}

#[test]
fn a_reconnect_back_off_without_its_maximum_is_constant() {
    let config = |base| config().reconnect_backoff(base);
    for base in [Duration::from_millis(7), 7 * SECOND] {
        let config = config(base).validate().unwrap();
        assert_eq!(config.reconnect_backoff_max, base);
        assert!(config.warnings().is_empty());
    }
    let both = config(SECOND).reconnect_backoff_max(3 * SECOND);
    assert_eq!(both.validate().unwrap().reconnect_backoff_max, 3 * SECOND);
}

#[test]
fn a_maximum_below_its_base_holds() {
    let one = settled(
        config().retry_backoff(5 * SECOND),
        "retry.backoff.ms is above retry.backoff.max.ms, which holds: it never grows",
    );
    assert_eq!((one.retry_backoff, one.retry_backoff_max), (SECOND, SECOND));
    let two = settled(
        config()
            .reconnect_backoff(5 * SECOND)
            .reconnect_backoff_max(2 * SECOND),
        "reconnect.backoff.ms is above reconnect.backoff.max.ms, which holds: it never grows",
    );
    assert_eq!(two.reconnect_backoff, 2 * SECOND);
    let three = settled(
        config().connection_setup_timeout(31 * SECOND),
        "socket.connection.setup.timeout.ms is above socket.connection.setup.timeout.max.ms, \
         which holds: it never grows",
    );
    assert_eq!(three.connection_setup_timeout, 30 * SECOND);
}

#[test]
fn pauses_of_zero_are_allowed_with_a_warning() {
    settled(
        config().retry_backoff(Duration::ZERO),
        "retry.backoff.ms is 0: failed attempts are repeated without a pause",
    );
    settled(
        config().reconnect_backoff(Duration::ZERO),
        "reconnect.backoff.ms is 0: failed attempts are repeated without a pause",
    );
}

#[test]
fn values_that_make_no_sense_are_errors() {
    let zero = Duration::ZERO;
    for (config, expected) in [
        (
            config().buffer_memory(0),
            "buffer.memory: 0 leaves no room for any record",
        ),
        (
            config().max_request_size(0),
            "max.request.size: 0 leaves no room for any record",
        ),
        (
            config().max_in_flight(0),
            "max.in.flight.requests.per.connection: 0 lets nothing be sent, 1 is the least",
        ),
        (
            config().send_buffer_bytes(0),
            "send.buffer.bytes: 0 is no size for a buffer",
        ),
        (
            config().receive_buffer_bytes(0),
            "receive.buffer.bytes: 0 is no size for a buffer",
        ),
        (
            config().request_timeout(zero),
            "request.timeout.ms: no broker answers in no time",
        ),
        (
            config().request_timeout(Duration::MAX),
            "request.timeout.ms: 18446744073709551616.0 s is too long, the protocol takes \
             2147483647 ms",
        ),
        (
            config().metadata_max_age(zero),
            "metadata.max.age.ms: 0 would ask for metadata without a pause",
        ),
        (
            config().metadata_max_idle(SECOND),
            "metadata.max.idle.ms: 1 s is too short, 5000 (5 s) is the least",
        ),
        (
            config().connections_max_idle(zero),
            "connections.max.idle.ms: 0 would close every connection at once; -1 is never",
        ),
        (
            config().connection_setup_timeout(zero),
            "socket.connection.setup.timeout.ms: 0 leaves no time to connect",
        ),
        (
            config().connection_setup_timeout_max(zero),
            "socket.connection.setup.timeout.ms: 0 leaves no time to connect",
        ),
    ] {
        assert_eq!(complaint(config), expected);
    }
}

#[test]
fn sizes_are_settled_against_each_other() {
    let batch = settled(
        config().batch_size(2 << 20),
        "batch.size counts as 1048576, which is max.request.size",
    );
    assert_eq!(batch.batch_size, 1 << 20);
    settled(
        config().buffer_memory(1000).batch_size(100),
        "buffer.memory 1000 is less than max.request.size 1048576: such a record never fits",
    );
    let many = settled(
        config().max_in_flight(usize::MAX),
        "max.in.flight.requests.per.connection counts as 1000, more help nothing",
    );
    assert_eq!(many.max_in_flight, 1000);
    let large = config()
        .max_request_size(usize::MAX)
        .buffer_memory(usize::MAX);
    let large = settled(
        large,
        "max.request.size counts as 2146435071, the most that a request can have",
    );
    assert!(large.max_request_size < i32::MAX as usize);
}

#[test]
fn idempotence_implies_acks_all_and_retries_and_says_what_clashes() {
    let settled = config()
        .idempotence(true)
        .validate()
        .expect("nothing clashes");
    assert_eq!(
        (settled.acks, settled.retries),
        (Acks::All, i32::MAX as u32)
    );
    let bounded = config()
        .idempotence(true)
        .retries(3)
        .validate()
        .expect("3 is no clash");
    assert_eq!(bounded.retries, 3);
    for (key, value) in [
        ("acks", "1"),
        ("acks", "0"),
        ("retries", "0"),
        ("max.in.flight.requests.per.connection", "6"),
    ] {
        let text = complaint(with(key, value).idempotence(true));
        let start = format!("{key}={value} clashes with enable.idempotence=true: ");
        assert!(text.starts_with(&start), "{text}");
    }
    let gapless = with("enable.gapless.guarantee", "true");
    for (key, value, is_allowed) in [
        ("full.buffer.policy", "drop-oldest", false),
        ("topic.a.b.full.buffer.policy", "drop-newest", false),
        ("topic.a.b.full.buffer.policy", "fail", true),
    ] {
        let config = gapless.clone().idempotence(true).set(key, value);
        let Err(error) = config.expect("a known key").validate() else {
            assert!(is_allowed, "{key}={value}");
            continue;
        };
        let text = error.to_string();
        let parts = [
            &format!("{key}={value} drops records"),
            "enable.gapless.guarantee=true",
        ];
        assert!(
            !is_allowed && parts.iter().all(|part| text.contains(part)),
            "{text}"
        );
    }
    assert!(gapless.clone().idempotence(true).validate().is_ok());
    let text = complaint(gapless);
    let start = "enable.gapless.guarantee=true needs enable.idempotence=true: ";
    assert!(text.starts_with(start), "{text}");
    assert!(with("acks", "-1").idempotence(true).validate().is_ok());
    assert!(with("enable.idempotence", "FALSE").validate().is_ok());
}

#[test]
fn producers_without_a_client_id_get_different_ones() {
    let config = config();
    let ids = [config.clone(), config].map(|config| config.validate().unwrap().client_id);
    assert!(ids.iter().all(|id| id.starts_with("producer-")) && ids[0] != ids[1]);
    assert_eq!(with("client.id", "").validate().unwrap().client_id, "");
    let long = super::config().client_id("x".repeat(32768));
    assert_eq!(
        complaint(long),
        "client.id: 32768 bytes are too many, the protocol takes 32767"
    );
}
