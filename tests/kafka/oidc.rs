//! SASL OAUTHBEARER by settings alone, against a real broker that verifies signed tokens as one in
//! production does, with Java's `OAuthBearerValidatorCallbackHandler`.
//!
//! `pem/alice.jwt` is signed by the key of `pem/jwks.json`, whose private part nobody has; it holds
//! until the year 2100.

#[cfg(feature = "oidc")]
use std::io::{BufRead, BufReader, Read, Write};
#[cfg(feature = "oidc")]
use std::net::TcpListener;
#[cfg(feature = "oidc")]
use std::thread;
use std::time::Duration;

use milena::{Config, ErrorKind, Producer, Record};

use crate::kafka::{Cluster, Consumed, Isolation, Listener, Version};

#[cfg(feature = "oidc")]
const TOKEN: &str = include_str!("../pem/alice.jwt");
const TOKEN_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pem/alice.jwt");
const KEYS: &str = concat!("file:", env!("CARGO_MANIFEST_DIR"), "/tests/pem/jwks.json");
const MODULE: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

fn start() -> Cluster {
    let prefix = "listener.name.sasl_plaintext.oauthbearer.";
    let key = |name: &str| format!("{prefix}{name}");
    let cluster = Cluster::of(Version::V4_3_1)
        .listeners(&[Listener::SaslPlaintext])
        .property("sasl.enabled.mechanisms", "OAUTHBEARER")
        .property(&key("sasl.jaas.config"), &format!("{MODULE} required;"))
        .property(
            &key("sasl.server.callback.handler.class"),
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
        )
        .property(&key("sasl.oauthbearer.jwks.endpoint.url"), KEYS)
        .property(&key("sasl.oauthbearer.expected.audience"), "kafka")
        .property(
            &key("sasl.oauthbearer.expected.issuer"),
            "https://idp.test/",
        )
        .start();
    cluster.create_topic("t", 1, 1, &[]);
    cluster
}

fn config(cluster: &Cluster, url: &str) -> Config {
    let settings = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "OAUTHBEARER"),
        ("sasl.oauthbearer.token.endpoint.url", url),
    ];
    let config = Config::new(cluster.bootstrap(Listener::SaslPlaintext));
    let config = config.max_block(Duration::from_secs(60));
    let set = |config: Config, (key, value): (&str, &str)| config.set(key, value);
    settings
        .into_iter()
        .try_fold(config, set)
        .expect("settings that are known")
}

fn send(config: Config, value: &str) -> Result<(), milena::Error> {
    let producer = Producer::new(config)?;
    producer.send(Record::to("t").value(value)).wait().map(drop)
}

/// A provider that gives one token, whoever asks.
#[cfg(feature = "oidc")]
fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!(
        "http://{}/token",
        listener.local_addr().expect("its own address")
    );
    thread::spawn(move || -> std::io::Result<()> {
        let (socket, _) = listener.accept()?;
        let mut reader = BufReader::new(socket);
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line)?;
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        reader.read_exact(&mut vec![0; length])?;
        let body = format!(
            r#"{{"access_token":"{}","token_type":"Bearer"}}"#,
            TOKEN.trim()
        );
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        reader.get_mut().write_all((head + &body).as_bytes())
    });
    url
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn signed_tokens_of_settings_get_in_and_others_do_not() {
    let cluster = start();
    let file = format!("file:{TOKEN_FILE}");
    send(config(&cluster, &file), "of a file").expect("a good token");
    #[cfg_attr(not(feature = "oidc"), allow(unused_mut))]
    let mut sent = vec!["of a file"];
    #[cfg(feature = "oidc")]
    {
        let config = config(&cluster, &provider())
            .set("sasl.oauthbearer.client.credentials.client.id", "me")
            .and_then(|config| {
                let key = "sasl.oauthbearer.client.credentials.client.secret";
                config.set(key, "secret")
            });
        send(config.expect("good settings"), "of an endpoint").expect("a good token");
        sent.push("of an endpoint");
    }
    let read = cluster.read("t", Isolation::Committed);
    assert_eq!(read.iter().map(Consumed::text).collect::<Vec<_>>(), sent);

    let jaas = format!("{MODULE} required unsecuredLoginStringClaim_sub=\"alice\";");
    let config = Config::new(cluster.bootstrap(Listener::SaslPlaintext))
        .set("security.protocol", "SASL_PLAINTEXT")
        .and_then(|config| config.set("sasl.mechanism", "OAUTHBEARER"))
        .and_then(|config| config.set("sasl.jaas.config", &jaas));
    let error = send(config.expect("good settings"), "v").expect_err("nobody signed it");
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(error.to_string().contains("invalid_token"), "{error}");
}
