//! Everything a user gets wrong, or a cluster denies him: what the error says, and that the
//! producer goes on. `--nocapture` shows all texts.

use std::error::Error as _;
use std::net::TcpListener;
use std::time::Duration;

use milena::{Config, Error, ErrorKind, Outcome, Producer, Record, SecurityProtocol};

use crate::kafka::{Listener, ca_pem};
use crate::watch::{self, kept as logs};

mod client_certificates;
mod listeners;
mod outages;
mod records;
mod security;
mod topics;

/// Long enough for whatever is not refused.
const PATIENCE: Duration = Duration::from_secs(30);

/// A producer's settings for a listener, but for credentials.
fn config(servers: impl Into<String>, listener: Listener) -> Config {
    watch::keep();
    let protocol = match listener {
        Listener::Plaintext => SecurityProtocol::Plaintext,
        Listener::Ssl | Listener::Mtls => SecurityProtocol::Ssl,
        Listener::SaslPlaintext => SecurityProtocol::SaslPlaintext,
        Listener::SaslSsl => SecurityProtocol::SaslSsl,
    };
    let config = Config::new(servers)
        .security_protocol(protocol)
        .max_block(PATIENCE);
    match listener {
        Listener::Ssl | Listener::Mtls | Listener::SaslSsl => config.ssl_truststore_file(ca_pem()),
        Listener::Plaintext | Listener::SaslPlaintext => config,
    }
}

fn plain(servers: impl Into<String>) -> Config {
    config(servers, Listener::Plaintext)
}

fn start(config: Config) -> Producer {
    Producer::new(config).expect("settings that can work")
}

/// The error of a record that cannot be delivered.
#[track_caller]
fn refused(producer: &Producer, record: Record<'_>) -> Error {
    let result = producer.send(record).wait();
    result.expect_err("a record that cannot be delivered")
}

/// The record that shows that the producer still works.
#[track_caller]
fn delivers(producer: &Producer, topic: &str) {
    let result = producer.send(Record::to(topic).value("good")).wait();
    if let Err(error) = result {
        panic!("{topic}: {error}");
    }
}

/// Checks what a person needs to read, and what a program may ask.
#[track_caller]
fn says(error: &Error, kind: ErrorKind, outcome: Outcome, fragments: &[&str]) {
    let text = error.to_string();
    watch::look("an error", &format!("{text} {error:?}"));
    let found = (error.kind(), error.outcome());
    println!("{found:?}: {text}");
    assert_eq!(found, (kind, outcome), "{text}");
    for fragment in fragments {
        assert!(text.contains(fragment), "no {fragment:?} in: {text}");
    }
    let is_line = !text.ends_with('.') && !text.contains('\n');
    assert!(is_line && text.len() < 1500, "not one sentence: {text}");
}

/// Asserts that `secret` is in nothing that a user or a log file sees.
#[track_caller]
fn is_hidden(secret: &str, producer: &Producer, error: &Error) {
    let mut shown = vec![format!("{producer:?} {error} {error:?} {error:#?}")];
    let mut source = error.source();
    while let Some(cause) = source {
        shown.push(format!("{cause} {cause:?}"));
        source = cause.source();
    }
    let logs = logs();
    assert!(!logs.is_empty(), "nothing was logged");
    for text in shown.iter().chain(logs.iter()) {
        assert!(!text.contains(secret), "shows the secret: {text}");
    }
}

/// An address where nobody listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port's address");
    address.to_string()
}
