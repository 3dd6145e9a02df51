//! Every security protocol at every listener.

use std::thread;
use std::time::Duration;

use milena::ErrorKind::{self, Authentication, TimedOut, Tls};
use milena::Outcome::NotWritten;
use milena::Record;

use super::{PATIENCE, config, refused, says, start};
use crate::crypto::Crypto;
use crate::kafka::{Cluster, Listener, USERS, Version, until};

const SOON: Duration = Duration::from_secs(2);
const CLIENTS: [Listener; 4] = [
    Listener::Plaintext,
    Listener::Ssl,
    Listener::SaslPlaintext,
    Listener::SaslSsl,
];

#[test]
#[ignore = "needs Java: run tests/run"]
fn each_protocol_at_each_other_listener_names_the_setting() {
    let old = Cluster::of(Version::V2_8_2).listeners(&Listener::ALL);
    let old = old.start();
    thread::scope(|scope| {
        for cluster in [Cluster::shared(), &old] {
            for (client, listener) in pairs() {
                scope.spawn(move || {
                    for crypto in Crypto::ALL {
                        mistake(cluster, client, listener, *crypto);
                    }
                });
            }
        }
    });
}

fn pairs() -> impl Iterator<Item = (Listener, Listener)> {
    let with = |listener| CLIENTS.map(|client| (client, listener));
    let all = Listener::ALL.into_iter().flat_map(with);
    all.filter(|(client, listener)| client != listener)
}

fn mistake(cluster: &Cluster, client: Listener, listener: Listener, crypto: Crypto) {
    let address = cluster.bootstrap(listener);
    let (kind, says_so) = expected(cluster.version(), client, listener);
    let mut config = crypto.of(config(&address, client));
    if client.has_sasl() {
        config = config.sasl_plain(USERS[0].0, USERS[0].1);
    }
    // What may be mended is tried until then, which a slow machine may need for the first time.
    if kind == TimedOut {
        config = config.max_block(SOON);
    }
    let place = format!("broker {address}: ");
    let error = until("the broker has answered", PATIENCE, || {
        let error = refused(&start(config.clone()), Record::to("t").value("v"));
        error.to_string().contains(&place).then_some(error)
    });
    print!("{}: ", crypto.name);
    says(&error, kind, NotWritten, &[&place, &says_so]);
}

/// What the settings' protocol and the listener's make of each other.
fn expected(version: Version, client: Listener, listener: Listener) -> (ErrorKind, String) {
    let (name, wants) = (client.protocol(), listener.protocol());
    match (client.has_tls(), listener.has_tls()) {
        (true, false) => {
            let text = "TLS handshake: the peer closed the connection during the TLS handshake: \
                is this a plain-text listener? security.protocol is";
            (TimedOut, format!("{text} {name}"))
        }
        (false, true) => {
            let text = "this is a TLS port, but security.protocol is";
            (Tls, format!("{text} {name}; use "))
        }
        // Its alert cannot be decrypted, by OpenSSL either.
        _ if listener == Listener::Mtls && version == Version::V2_8_2 => {
            let text = "or the broker asks for a client certificate, and this client has none \
                (ssl.keystore.location is not set)";
            (Tls, text.into())
        }
        _ if listener == Listener::Mtls => {
            let text = "the broker asks for a client certificate (ssl.client.auth=required), and \
                this client has none (ssl.keystore.location is not set): TLS alert";
            (Authentication, text.into())
        }
        _ if client.has_sasl() => {
            let text = "SASL handshake: this listener does not use SASL: security.protocol should \
                be PLAINTEXT or SSL";
            (Authentication, text.into())
        }
        _ => {
            assert!(wants.starts_with("SASL"), "{name} fits {wants}");
            let text = "Metadata: the broker closed the connection instead of answering the first \
                request: does this listener ask for SASL? security.protocol is";
            (TimedOut, format!("{text} {name}"))
        }
    }
}
