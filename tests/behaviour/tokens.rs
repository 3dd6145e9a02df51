//! SASL OAUTHBEARER: where tokens come from, how long they last, and what brokers say of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime};

use milena::mock::{Api, MockCluster};
use milena::{
    Config, Error, ErrorKind, Outcome, Record, SecurityProtocol, Token, TokenSource,
    UnsecuredTokens,
};

use crate::support::{
    HOUR, SOON, all_delivered, cluster, config, delivered, eventually, failed, numbers, producer,
    send, values,
};

type Given = Result<Token, Box<dyn std::error::Error + Send + Sync>>;
type Source = fn() -> Given;

/// `{"alg":"none"}`, and `{"sub":"alice","exp":4102444800}`, which is the year 2100.
const ALICES: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.";

/// The same for bob.
const BOBS: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJleHAiOjQxMDI0NDQ4MDB9.";

/// Less than any limit of the tests that have to run into one.
const SHORT: Duration = Duration::from_millis(300);

fn secured(brokers: i32) -> MockCluster {
    let cluster = cluster(brokers, brokers);
    cluster.sasl_oauthbearer();
    cluster
}

fn to(cluster: &MockCluster) -> Config {
    config(cluster).security_protocol(SecurityProtocol::SaslPlaintext)
}

/// Counts how often a source is asked.
#[derive(Clone, Default)]
struct Asked(Arc<AtomicUsize>);

impl Asked {
    /// The number of this time, from 1.
    fn count(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn alices() -> Given {
    UnsecuredTokens::new("alice").token()
}

/// Says what it should, and no token.
#[track_caller]
fn assert_told(error: &Error, says: &str) {
    let text = error.to_string();
    assert!(text.contains(says), "no {says:?} in: {text}");
    let shown = format!("{text} {error:?}");
    assert!(
        !shown.contains("eyJ") && !shown.contains("h1dden"),
        "{shown}"
    );
}

#[test]
fn a_token_lets_in_whom_it_is_for_and_carries_its_extensions() {
    for versions in [0..=0, 0..=1] {
        let cluster = secured(1);
        cluster.versions(Api::SaslHandshake, versions);
        let tokens = UnsecuredTokens::new("alice")
            .extension("traceId", "1 2")
            .extension("logicalCluster", "lkc-h1dden");
        let config = to(&cluster).sasl_oauthbearer(tokens.clone());
        let producer = producer(config.clone());
        delivered(&send(&producer, 0, "v"));
        let extensions = [("logicalCluster", "lkc-h1dden"), ("traceId", "1 2")];
        let extensions = extensions.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let login = ("alice".to_owned(), extensions.to_vec());
        let logins = cluster.sasl_oauthbearer_logins();
        assert!(!logins.is_empty() && logins.iter().all(|one| *one == login));
        let shown = format!("{config:?} {producer:?} {tokens:?} {:?}", tokens.token());
        assert!(
            !shown.contains("eyJ") && !shown.contains("h1dden"),
            "{shown}"
        );
    }
}

#[test]
fn all_connections_share_a_token_and_one_without_an_end_is_asked_for_each_time() {
    for has_end in [true, false] {
        let cluster = secured(3);
        let asked = Asked::default();
        let counted = asked.clone();
        let producer = producer(to(&cluster).sasl_oauthbearer(move || {
            counted.count();
            let token = Token::new(ALICES);
            Ok(match has_end {
                true => token.expires_at(SystemTime::now() + HOUR),
                false => token,
            })
        }));
        for partition in 0..3 {
            delivered(&send(&producer, partition, "v"));
        }
        let logins = cluster.sasl_oauthbearer_logins().len();
        assert!(logins >= 3, "{logins}");
        match has_end {
            true => assert_eq!(asked.times(), 1),
            false => assert_eq!(asked.times(), logins),
        }
    }
}

/// Each token is for another principal. The source fails while the first one holds.
#[test]
fn tokens_are_replaced_under_traffic_and_no_record_is_lost_or_comes_twice() {
    let cluster = secured(1);
    let asked = Asked::default();
    let counted = asked.clone();
    let config = to(&cluster)
        .idempotence(true)
        .sasl_login_refresh_window_factor(0.5)
        .sasl_oauthbearer(move || match counted.count() {
            2 => Err("no network".into()),
            number => UnsecuredTokens::new(format!("alice-{number}"))
                .lifetime(Duration::from_millis(800))
                .token(),
        });
    let producer = producer(config);
    let (start, mut sent) = (Instant::now(), 0);
    let mut deliveries = Vec::new();
    while asked.times() < 5 {
        assert!(start.elapsed() < SOON, "tokens are not replaced");
        deliveries.push(send(&producer, 0, &sent.to_string()));
        sent += 1;
        if sent % 20 == 0 {
            delivered(&deliveries[sent - 1]);
        }
    }
    all_delivered(&deliveries);
    assert_eq!(values(&cluster, 0), numbers(0..sent));
    let logins = cluster.sasl_oauthbearer_logins();
    let has = |number: usize| {
        let principal = format!("alice-{number}");
        logins.iter().any(|login| login.0 == principal)
    };
    assert!(has(1) && !has(2) && has(3) && has(4), "{logins:?}");
}

/// Brokers refuse to renew the session of one principal for another.
#[test]
fn a_principal_that_changes_gets_a_connection_of_its_own_and_no_record_fails() {
    let cluster = secured(1);
    cluster.sasl_session_lifetime_ms(1500);
    let asked = Asked::default();
    let counted = asked.clone();
    let config = to(&cluster)
        .idempotence(true)
        .sasl_oauthbearer(move || match counted.count() {
            1 | 2 => Ok(Token::new(ALICES)),
            _ => Ok(Token::new(BOBS)),
        });
    let producer = producer(config);
    let (start, mut sent) = (Instant::now(), 0);
    let is_bobs = |login: &(String, _)| login.0 == "bob";
    while !cluster.sasl_oauthbearer_logins().iter().any(is_bobs) {
        assert!(start.elapsed() < SOON, "bob never gets in");
        delivered(&send(&producer, 0, &sent.to_string()));
        sent += 1;
    }
    delivered(&send(&producer, 0, &sent.to_string()));
    assert_eq!(values(&cluster, 0), numbers(0..sent + 1));
}

#[test]
fn a_slow_source_holds_up_no_one_beyond_the_limits_and_is_asked_once() {
    let cluster = secured(1);
    let (open, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let asked = Asked::default();
    let slow = |asked: Asked| {
        let gate = gate.clone();
        move || {
            asked.count();
            let _ = gate.lock().unwrap().recv();
            alices()
        }
    };
    let config = to(&cluster).sasl_oauthbearer(slow(asked.clone()));
    let limited = config.connection_setup_timeout(SHORT / 3).max_block(SHORT);
    let limited = producer(limited);
    let error = failed(&send(&limited, 0, "v"));
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_told(&error, "the token source gave nothing within 100 ms");

    // Nobody waits for it in a close either, whatever the limits.
    let hanging = Asked::default();
    let config = to(&cluster).sasl_oauthbearer(slow(hanging.clone()));
    let patient = producer(config.connection_setup_timeout(HOUR).max_block(HOUR));
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(&patient, 0, "w"));
        eventually("the source is asked", || hanging.times() == 1);
        let start = Instant::now();
        let report = patient.close_timeout(SHORT).unwrap();
        assert_eq!(report.delivered, 0);
        assert!(start.elapsed() < SOON);
        let error = failed(&sender.join().unwrap());
        assert_eq!(error.kind(), ErrorKind::Closed);
    });

    drop(open);
    delivered(&send(&limited, 0, "v"));
    assert_eq!(asked.times(), 1, "what came late was used");
}

/// Sources that fail may do better in a moment, so that a record waits as long as it may. Tokens
/// that cannot be used need a person.
#[test]
fn a_source_that_gives_no_usable_token_is_told_of_and_can_be_mended() {
    use ErrorKind::{Authentication, TimedOut};
    let rows: [(Source, ErrorKind, &str); 6] = [
        (
            || Err("no\nnetwork".into()),
            TimedOut,
            "SASL authentication: the token source failed: no network",
        ),
        (
            || std::panic::resume_unwind(Box::new("out of luck")),
            TimedOut,
            "SASL authentication: the token source panicked: out of luck",
        ),
        (
            || Ok(Token::new(ALICES).expires_at(SystemTime::UNIX_EPOCH)),
            Authentication,
            "the token source gave a token that cannot be used: it expired ",
        ),
        (
            || Ok(Token::new("Bearer h1dden")),
            Authentication,
            "a token that cannot be used: the token is empty or has characters",
        ),
        (
            || Ok(Token::new(ALICES).extension("auth", "h1dden")),
            Authentication,
            "the name of an extension is \"auth\"",
        ),
        (
            || Ok(Token::new(ALICES).extension("trace", "h1dden\x01")),
            Authentication,
            "the value of the extension \"trace\" is empty or not printable",
        ),
    ];
    for (number, (bad, kind, says)) in rows.into_iter().enumerate() {
        let cluster = secured(1);
        let is_mended = Arc::new(AtomicBool::new(false));
        let mended = is_mended.clone();
        let config = to(&cluster).sasl_oauthbearer(move || match mended.load(Ordering::SeqCst) {
            true => alices(),
            false => bad(),
        });
        let producer = producer(config.max_block(SHORT));
        let error = failed(&send(&producer, 0, "v"));
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NotWritten));
        assert_told(&error, says);
        assert!(cluster.sasl_oauthbearer_logins().is_empty());
        if number > 2 {
            // Each refusal of a token has to rest for a second.
            continue;
        }
        is_mended.store(true, Ordering::SeqCst);
        eventually("the record is delivered", || {
            producer.send(Record::to("t").value("v")).wait().is_ok()
        });
    }
}

#[test]
fn what_a_broker_has_against_a_token_is_told_and_the_token_is_not() {
    let insufficient = r#"{"status":"insufficient_scope", "scope":"produce"}"#;
    let echo = format!("I do not like {ALICES}");
    let rows: [(Option<&str>, Source, &str); 5] = [
        (
            None,
            || Ok(Token::new("h1dden")),
            "the broker refused the token (OAUTHBEARER): invalid_token",
        ),
        (
            Some(insufficient),
            alices,
            "the broker refused the token of \"alice\" (OAUTHBEARER): insufficient_scope, it asks \
             for the scope produce",
        ),
        (
            Some("\x1b[1m no JSON"),
            || Ok(Token::new(ALICES)),
            "the broker refused the token (OAUTHBEARER):  [1m no JSON",
        ),
        (
            Some("{}"),
            || Ok(Token::new(ALICES)),
            "the broker refused the token (OAUTHBEARER): no status given",
        ),
        (
            Some(&echo),
            || Ok(Token::new(ALICES)),
            "the broker refused the token (OAUTHBEARER): [hidden, as it holds the token]",
        ),
    ];
    for versions in [0..=0, 0..=1] {
        let code = (versions.end() == &1).then_some(58);
        for (refusal, source, says) in rows {
            let cluster = secured(1);
            cluster.versions(Api::SaslHandshake, versions.clone());
            cluster.sasl_oauthbearer_refusal(refusal);
            let producer = producer(to(&cluster).max_block(SOON).sasl_oauthbearer(source));
            let error = failed(&send(&producer, 0, "v"));
            assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
            assert_eq!((error.code(), error.outcome()), (code, Outcome::NotWritten));
            assert!(!error.is_retriable());
            assert_told(&error, says);
            if refusal == Some(insufficient) {
                cluster.sasl_oauthbearer_refusal(None);
                delivered(&send(&producer, 0, "v"));
            }
        }
    }
}

/// A token that was good before may have been withdrawn: that is no reason to fail a record.
#[test]
fn an_earlier_token_that_is_refused_is_replaced_before_any_record_fails() {
    let cluster = secured(1);
    let asked = Asked::default();
    let counted = asked.clone();
    let config = to(&cluster).idempotence(true).sasl_oauthbearer(move || {
        let scopes: &[&str] = match counted.count() {
            1 => &[],
            _ => &["produce"],
        };
        UnsecuredTokens::new("alice").scope(scopes).token()
    });
    let producer = producer(config);
    delivered(&send(&producer, 0, "v"));
    cluster.sasl_oauthbearer_scope(Some("produce"));
    cluster.stop_broker(1);
    cluster.start_broker(1);
    let logins = cluster.sasl_oauthbearer_logins().len();
    delivered(&send(&producer, 0, "v"));
    assert_eq!(asked.times(), 2);
    assert!(cluster.sasl_oauthbearer_logins().len() > logins);
}
