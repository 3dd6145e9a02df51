//! Mistakes about logins: what is said of them, to whom, how often they are tried, and that they
//! can be mended at the broker.

use std::time::{Duration, Instant};

use milena::mock::{Api, MockCluster};
use milena::{Config, Error, ErrorKind, Outcome, Producer, SecurityProtocol};

use crate::support::{
    SOON, cluster, config, count_of, delivered, failed, produced, producer, send, values,
};
use crate::watch;

const PASSWORD: &str = "s3cret-h1dden";

/// A mistake, what is said of it, and what mends it at the broker.
struct Mistake {
    broker: fn(&MockCluster),
    client: fn(Config) -> Config,
    stage: &'static str,
    code: Option<i16>,
    says: &'static str,
    mend: fn(&MockCluster),
}

fn alice(cluster: &MockCluster) {
    cluster.sasl_plain("alice", PASSWORD);
}

fn alice_by_plain(config: Config) -> Config {
    config.sasl_plain("alice", PASSWORD)
}

const BY_PLAIN: [Mistake; 3] = [
    Mistake {
        broker: |cluster| cluster.sasl_plain("alice", "another h1dden"),
        client: alice_by_plain,
        stage: "SASL authentication",
        code: Some(58),
        says: "the broker refused user \"alice\" (PLAIN): ",
        mend: alice,
    },
    Mistake {
        broker: |cluster| cluster.sasl_plain("bob", PASSWORD),
        client: alice_by_plain,
        stage: "SASL authentication",
        code: Some(58),
        says: "the broker refused user \"alice\" (PLAIN): ",
        mend: alice,
    },
    Mistake {
        broker: |_| {},
        client: alice_by_plain,
        stage: "SASL handshake",
        code: Some(34),
        says: "this listener does not use SASL: security.protocol should be PLAINTEXT or SSL",
        mend: alice,
    },
];

#[cfg(feature = "scram")]
const BY_SCRAM: [Mistake; 5] = [
    Mistake {
        broker: |cluster| cluster.sasl_scram("alice", "another h1dden"),
        client: |config| config.sasl_scram_sha_256("alice", PASSWORD),
        stage: "SASL authentication",
        code: Some(58),
        says: "the broker refused user \"alice\" (SCRAM-SHA-256): ",
        mend: |cluster| cluster.sasl_scram("alice", PASSWORD),
    },
    Mistake {
        broker: |cluster| cluster.sasl_scram("bob", PASSWORD),
        client: |config| config.sasl_scram_sha_512("alice", PASSWORD),
        stage: "SASL authentication",
        code: Some(58),
        says: "the broker refused user \"alice\" (SCRAM-SHA-512): ",
        mend: |cluster| cluster.sasl_scram("alice", PASSWORD),
    },
    Mistake {
        broker: |cluster| cluster.sasl_scram("alice", PASSWORD),
        client: alice_by_plain,
        stage: "SASL handshake",
        code: Some(33),
        says: "sasl.mechanism is PLAIN, which this listener does not offer; it offers \
            SCRAM-SHA-256, SCRAM-SHA-512",
        mend: alice,
    },
    Mistake {
        broker: alice,
        client: |config| config.sasl_scram_sha_512("alice", PASSWORD),
        stage: "SASL handshake",
        code: Some(33),
        says: "sasl.mechanism is SCRAM-SHA-512, which this listener does not offer; it offers \
            PLAIN",
        mend: |cluster| cluster.sasl_scram("alice", PASSWORD),
    },
    Mistake {
        broker: |cluster| {
            cluster.sasl_scram("alice", PASSWORD);
            cluster.sasl_scram_iterations(100_000_000);
        },
        client: |config| config.sasl_scram_sha_256("alice", PASSWORD),
        stage: "SASL authentication",
        code: None,
        says: "login of user \"alice\" (SCRAM-SHA-256): the broker asks for 100000000 iterations",
        mend: |cluster| cluster.sasl_scram_iterations(4096),
    },
];

#[test]
fn a_login_that_is_refused_fails_all_who_wait_at_once_and_is_mended_at_the_broker() {
    all_are_told_and_mended(&BY_PLAIN);
}

#[cfg(feature = "scram")]
#[test]
fn the_same_holds_for_scram() {
    all_are_told_and_mended(&BY_SCRAM);
}

/// At the same time, as each has its pause of a second.
fn all_are_told_and_mended(mistakes: &[Mistake]) {
    std::thread::scope(|scope| {
        for mistake in mistakes {
            scope.spawn(|| is_told_and_mended(mistake));
        }
    });
}

fn is_told_and_mended(mistake: &Mistake) {
    let cluster = cluster(1, 1);
    (mistake.broker)(&cluster);
    let to = config(&cluster).security_protocol(SecurityProtocol::SaslPlaintext);
    // Whoever waits for that long was not told at once.
    let to = to
        .max_block(SOON * 3)
        .delivery_timeout(SOON * 3)
        .request_timeout(SOON);
    let producer = producer((mistake.client)(to));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let error = failed(&send(&producer, 0, "v"));
                is_told(mistake, &cluster, &error);
            });
        }
    });
    // Who comes later is told with the next try.
    is_told(mistake, &cluster, &failed(&send(&producer, 0, "v")));
    assert!(start.elapsed() < SOON, "{}", mistake.says);
    let tries = count_of(&cluster, Api::SaslHandshake).len() as u64;
    assert!(
        tries <= 1 + start.elapsed().as_secs(),
        "{tries} tries: {}",
        mistake.says
    );
    assert!(produced(&cluster).is_empty());
    (mistake.mend)(&cluster);
    is_back(&producer);
    assert!(values(&cluster, 0).contains(&"mended".to_owned()));
}

fn is_told(mistake: &Mistake, cluster: &MockCluster, error: &Error) {
    let text = error.to_string();
    watch::look("an error", &format!("{text} {error:?}"));
    assert_eq!(
        (error.kind(), error.outcome(), error.code()),
        (ErrorKind::Authentication, Outcome::NotWritten, mistake.code),
        "{text}"
    );
    assert!(!error.is_retriable(), "{text}");
    let place = format!(
        "broker {}: {}: {}",
        cluster.address(1),
        mistake.stage,
        mistake.says
    );
    assert!(text.contains(&place), "no {place:?} in: {text}");
}

/// A broker that refused is tried again a second later.
fn is_back(producer: &Producer) {
    let start = Instant::now();
    while let Err(error) = crate::support::result(&send(producer, 0, "mended")) {
        assert!(start.elapsed() < SOON, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// None of these says that the credentials are wrong: the broker may come to itself.
#[test]
fn a_login_that_ends_without_a_word_is_tried_again_and_said_to_be_so() {
    type Fault = fn(&MockCluster);
    type Settings = fn(Config) -> Config;
    let table: [(Fault, Settings, &str); 3] = [
        (
            |cluster| drop(cluster.on(Api::SaslHandshake).always().cut(0)),
            alice_by_plain,
            "SASL handshake: the broker closed the connection",
        ),
        (
            |cluster| drop(cluster.on(Api::SaslAuthenticate).always().disconnect()),
            alice_by_plain,
            "SASL authentication: the broker closed the connection instead of answering",
        ),
        (
            |_| {},
            |config| config.security_protocol(SecurityProtocol::Plaintext),
            "does this listener ask for SASL? security.protocol is PLAINTEXT",
        ),
    ];
    for (fault, client, says) in table {
        let cluster = cluster(1, 1);
        alice(&cluster);
        fault(&cluster);
        let to = config(&cluster).security_protocol(SecurityProtocol::SaslPlaintext);
        let producer = producer(client(to.max_block(Duration::from_millis(400))));
        let error = failed(&send(&producer, 0, "v"));
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::TimedOut, Outcome::NotWritten),
            "{error}"
        );
        assert!(
            error.is_retriable() && error.to_string().contains(says),
            "{error}"
        );
        assert!(cluster.connections().len() > 2, "tried once: {says}");
    }
}

#[test]
fn a_connection_that_the_broker_drops_behind_the_handshake_costs_no_record() {
    let cluster = cluster(1, 1);
    alice(&cluster);
    let fault = cluster.on(Api::SaslAuthenticate).times(3).disconnect();
    let to = config(&cluster).security_protocol(SecurityProtocol::SaslPlaintext);
    let producer = producer(alice_by_plain(to.max_block(SOON)));
    delivered(&send(&producer, 0, "v"));
    assert_eq!(fault.hits(), 3);
}
