//! Logins that a broker breaks off, ends, or cannot finish.

use std::sync::Mutex;
use std::time::Duration;

use milena::mock::{Api, MockCluster};
use milena::{Config, SecurityProtocol};

use crate::support::{
    SOON, cluster, config, delivered, failed, is_own_process, numbers, produced, producer, send,
    values,
};

const PASSWORD: &str = "h1dden-pa55";

fn with_login(cluster: &MockCluster) -> Config {
    cluster.sasl_plain("alice", PASSWORD);
    config(cluster)
        .sasl_plain("alice", PASSWORD)
        .security_protocol(SecurityProtocol::SaslPlaintext)
        .max_block(SOON)
}

/// Kafka 0.11 closes the connection when it refuses credentials, and so does any broker that goes
/// down: it is tried again, and not a wrong password for ever.
#[test]
fn a_login_that_is_broken_off_is_tried_again() {
    for api in [Api::SaslHandshake, Api::SaslAuthenticate] {
        for after_handling in [false, true] {
            let cluster = cluster(1, 1);
            let producer = producer(with_login(&cluster));
            let on = cluster.on(api).times(6);
            let fault = match after_handling {
                false => on.disconnect(),
                true => on.cut(5),
            };
            delivered(&send(&producer, 0, "v"));
            assert_eq!(fault.hits(), 6);
            assert_eq!(values(&cluster, 0), ["v"]);
        }
    }
}

/// The answer to SaslAuthenticate, in version 2.
fn session(lifetime_ms: i64) -> Vec<u8> {
    [&[0, 0, 0, 1][..], &lifetime_ms.to_be_bytes(), &[0]].concat()
}

#[test]
fn a_session_that_ends_costs_connections_and_no_record() {
    for lifetime_ms in [1, 40] {
        let (connections, _) = during(lifetime_ms);
        assert!(connections > 1, "{lifetime_ms} ms: one session for all");
    }
    for lifetime_ms in [0, -1, i64::MIN, i64::MAX, 3_600_000] {
        let (connections, hits) = during(lifetime_ms);
        assert_eq!(connections, 1, "{lifetime_ms} ms");
        assert_eq!(hits, 2, "one login for metadata, one for records");
    }
}

/// Sends for a while; the number of connections that records came on, and of logins.
fn during(lifetime_ms: i64) -> (usize, usize) {
    const RECORDS: usize = 30;
    let cluster = cluster(1, 1);
    let logins = cluster.on(Api::SaslAuthenticate).after_handling().always();
    let logins = logins.body(move |_| session(lifetime_ms));
    let producer = producer(with_login(&cluster).idempotence(true));
    for number in 0..RECORDS {
        delivered(&send(&producer, 0, &number.to_string()));
        std::thread::sleep(Duration::from_millis(4));
    }
    assert_eq!(values(&cluster, 0), numbers(0..RECORDS));
    let requests = produced(&cluster).into_iter();
    let mut used: Vec<usize> = requests.map(|request| request.connection).collect();
    used.dedup();
    (used.len(), logins.hits())
}

#[test]
fn what_a_broker_says_of_a_login_is_told_in_one_line() {
    let cluster = cluster(1, 1);
    let producer = producer(with_login(&cluster));
    let said = format!("no\r\n\x1b[31m{}", "x".repeat(1 << 20));
    let length = said.len() + 1;
    let varint = [
        length as u8 | 0x80,
        (length >> 7) as u8 | 0x80,
        (length >> 14) as u8,
    ];
    let body = [&[0, 58], &varint[..], said.as_bytes(), &[1], &[0; 9]].concat();
    let fault = cluster.on(Api::SaslAuthenticate).always();
    let fault = fault.body(move |_| body.clone());
    let error = failed(&send(&producer, 0, "v"));
    let text = error.to_string();
    assert_eq!(error.code(), Some(58), "{text}");
    assert!(
        text.len() < 1000 && !text.contains(char::is_control),
        "{text}"
    );
    fault.cancel();
    delivered(&send(&producer, 0, "v"));
}

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Warnings;

impl log::Log for Warnings {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        WARNINGS.lock().expect("no panic").push(line);
    }

    fn flush(&self) {}
}

#[test]
fn a_password_in_plain_text_is_warned_about_and_in_no_line_of_the_log() {
    if !is_own_process(
        "hostile::security::a_password_in_plain_text_is_warned_about_and_in_no_line_of_the_log",
    ) {
        return;
    }
    log::set_logger(&Warnings).expect("the only logger of this process");
    log::set_max_level(log::LevelFilter::Trace);
    let cluster = cluster(1, 1);
    let producer = producer(with_login(&cluster));
    delivered(&send(&producer, 0, "v"));
    producer.close().expect("nothing is left");
    let lines = WARNINGS.lock().expect("no panic");
    let warns = |line: &&String| {
        line.starts_with("WARN") && line.contains("\"alice\" crosses the network unencrypted")
    };
    assert_eq!(lines.iter().filter(warns).count(), 1, "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains(PASSWORD)),
        "{lines:?}"
    );
}
