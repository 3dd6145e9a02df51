//! The endpoint against servers on loopback, in TLS and without.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::config::{Config, SaslConfig, TokenOrigin};
use crate::conn::tls::provider;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};

const CA: &str = include_str!("../../../tests/pem/ca.pem");
const CERTIFICATE: &str = include_str!("../../../tests/pem/good.pem");
const KEY: &str = include_str!("../../../tests/pem/good.key");

const SECRET: &str = "s3cret h1dden";

/// What a server does with one connection.
#[derive(Clone)]
enum Act {
    Answer(String),
    /// Closes without a word.
    Hang,
    /// One byte at a time, with pauses.
    Drip(String),
    /// Says nothing until the client is gone.
    Silence,
}

fn status(status: &str, body: &str) -> Act {
    let length = body.len();
    Act::Answer(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nX: application/json\r\n\r\n{body}"
    ))
}

fn token() -> Act {
    status(
        "200 OK",
        r#"{"access_token":" a.b.c ","expires_in":300,"token_type":"Bearer"}"#,
    )
}

struct Server {
    port: u16,
    requests: mpsc::Receiver<String>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Does one act to each connection, until they are done or nobody connects any more; in TLS
    /// unless `is_bare`.
    fn start(is_bare: bool, acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (sender, requests) = mpsc::channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = thread::spawn(move || {
            let mut acts = acts.into_iter().peekable();
            while acts.peek().is_some() && !over.load(Ordering::Relaxed) {
                let Ok((mut socket, _)) = listener.accept() else {
                    thread::sleep(Duration::from_millis(2));
                    continue;
                };
                let act = acts.next().unwrap();
                socket.set_nonblocking(false).unwrap();
                let limit = Some(Duration::from_secs(20));
                socket.set_read_timeout(limit).unwrap();
                match is_bare {
                    true => serve(&mut socket, &act, &sender),
                    false => {
                        let connection = ServerConnection::new(server_config()).unwrap();
                        serve(&mut StreamOwned::new(connection, socket), &act, &sender);
                    }
                }
            }
        });
        Self {
            port,
            requests,
            is_over,
            thread,
        }
    }

    /// The requests that came.
    fn end(self) -> Vec<String> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.requests.try_iter().collect()
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/token?tenant=h1dden", self.port)
    }
}

fn server_config() -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider(None).unwrap());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    builder
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
        .into()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("Content-Length: "));
    length.is_some_and(|length| length.parse() == Ok(body.len()))
}

/// Reads a request and answers it. A client that does not trust the server, or gives up on it, ends
/// the connection, which is nothing to complain about here.
fn serve(stream: &mut (impl Read + Write), act: &Act, requests: &mpsc::Sender<String>) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !is_whole(&request) {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    requests.send(String::from_utf8(request).unwrap()).unwrap();
    let _ = match act {
        Act::Answer(answer) => stream
            .write_all(answer.as_bytes())
            .and_then(|()| stream.flush()),
        Act::Hang => Ok(()),
        Act::Silence => stream.read(&mut byte).map(drop),
        Act::Drip(answer) => answer.bytes().try_for_each(|byte| {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(&[byte]).and_then(|()| stream.flush())
        }),
    };
}

fn config(url: &str, options: &str) -> Config {
    let ca = CA.replace('\n', "\\n");
    Config::new("localhost:9092")
        .set("security.protocol", "SASL_PLAINTEXT")
        .and_then(|config| config.set("sasl.mechanism", "OAUTHBEARER"))
        .and_then(|config| {
            config.set(
                "sasl.jaas.config",
                &format!(
                    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                     clientId=\"me\" clientSecret=\"{SECRET}\" \
                     ssl.truststore.certificates=\"{ca}\" {options};"
                ),
            )
        })
        .and_then(|config| config.set("sasl.oauthbearer.token.endpoint.url", url))
        .and_then(|config| config.set("sasl.login.connect.timeout.ms", "10000"))
        .and_then(|config| config.set("sasl.login.read.timeout.ms", "700"))
        .and_then(|config| config.set("sasl.login.retry.backoff.ms", "10"))
        .and_then(|config| config.set("sasl.login.retry.backoff.max.ms", "10000"))
        .unwrap()
}

fn endpoint(config: Config) -> Endpoint {
    let config = config.validate().unwrap();
    match config.sasl {
        Some(SaslConfig::Oidc(settings)) => match &settings.origin {
            TokenOrigin::Endpoint(asked) => Endpoint::new(asked).unwrap(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// What a server that does this to each connection leads to, and how often it was asked.
fn outcome(is_bare: bool, acts: Vec<Act>, options: &str) -> (Result<String, Error>, Vec<String>) {
    let server = Server::start(is_bare, acts);
    let url = match is_bare {
        true => server.url().replace("https:", "http:"),
        false => server.url(),
    };
    let asked = endpoint(config(&url, options)).token();
    (asked, server.end())
}

#[track_caller]
fn no_secret(text: &str) {
    assert!(
        !text.contains("h1dden") && !text.contains("aDFkZGVu"),
        "{text}"
    );
}

#[test]
fn a_token_is_asked_for_as_the_rfc_says() {
    for is_bare in [false, true] {
        let (asked, requests) = outcome(is_bare, vec![token()], "scope=\"a b/c\"");
        assert_eq!(asked.unwrap(), "a.b.c");
        let [request] = requests.as_slice() else {
            panic!("{requests:?}");
        };
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "grant_type=client_credentials&scope=a+b%2Fc");
        let mut lines = head.lines();
        assert_eq!(lines.next(), Some("POST /token?tenant=h1dden HTTP/1.1"));
        let credentials = base64::encode(format!("me:{SECRET}").as_bytes());
        for line in [
            format!("Authorization: Basic {credentials}"),
            "Content-Type: application/x-www-form-urlencoded".into(),
            format!("Content-Length: {}", body.len()),
            "Connection: close".into(),
        ] {
            assert!(
                head.lines().any(|other| other == line),
                "no {line} in {head}"
            );
        }
    }
}

#[test]
fn credentials_are_encoded_for_those_who_want_it() {
    let server = Server::start(false, vec![token()]);
    let config = config(&server.url(), "");
    let config = config
        .set("sasl.oauthbearer.header.urlencode", "true")
        .unwrap();
    let id = "sasl.oauthbearer.client.credentials.client.id";
    let config = config.set(id, "m:e").unwrap();
    endpoint(config).token().unwrap();
    let request = server.end().concat();
    let credentials = base64::encode(b"m%3Ae:s3cret+h1dden");
    assert!(
        request.contains(&format!("Basic {credentials}\r\n")),
        "{request}"
    );
}

#[test]
fn what_may_pass_is_tried_again_as_java_does() {
    let failures = [
        Act::Hang,
        status("500 Internal", ""),
        status("503 Busy", "try later"),
        status("429 Slow", "{}"),
        status("200 OK", ""),
        Act::Answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".into()),
        Act::Answer("SSH-2.0-x\r\n".into()),
        Act::Silence,
    ];
    for failure in failures {
        let (asked, requests) = outcome(false, vec![failure, token()], "");
        assert_eq!(asked.unwrap(), "a.b.c");
        assert_eq!(requests.len(), 2);
    }
}

#[test]
fn what_is_in_the_way_is_said_without_secrets() {
    let huge = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(600 << 10));
    let refused = r#"{"error":"invalid_client","error_description":"unknown\nclient"}"#;
    let echo = format!(r#"{{"error":"x","error_description":"no {SECRET}"}}"#);
    let long = format!(r#"{{"error":"{}"}}"#, "e".repeat(10_000));
    for (answer, kind, says) in [
        (
            status("401 Unauthorized", refused),
            ErrorKind::Authentication,
            "HTTP status 401: invalid_client - unknown client",
        ),
        (
            status("400 Bad", "<html>"),
            ErrorKind::Authentication,
            "HTTP status 400",
        ),
        (
            status("403 No", r#"{"errorCode":"E7","errorSummary":"locked"}"#),
            ErrorKind::Authentication,
            "HTTP status 403: E7 - locked",
        ),
        (
            status("404 Not Found", ""),
            ErrorKind::Authentication,
            "HTTP status 404",
        ),
        (
            status("400 Bad", &echo),
            ErrorKind::Authentication,
            "hidden",
        ),
        (
            status("400 Bad", &long),
            ErrorKind::Authentication,
            "eee...",
        ),
        (
            Act::Answer(
                "HTTP/1.1 302 Found\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n".into(),
            ),
            ErrorKind::Authentication,
            "redirections are not followed",
        ),
        (
            status("200 OK", "token=h1dden"),
            ErrorKind::Authentication,
            "no JSON object",
        ),
        (
            status("200 OK", "{}"),
            ErrorKind::Authentication,
            "no access_token",
        ),
        (
            status("200 OK", r#"{"access_token":7,"error":"odd"}"#),
            ErrorKind::Authentication,
            "no access_token: odd",
        ),
        (
            status("200 OK", r#"{"access_token":" "}"#),
            ErrorKind::Authentication,
            "no access_token",
        ),
    ] {
        let (asked, requests) = outcome(false, vec![answer], "");
        let error = asked.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(text.contains(says), "{text}, not {says}");
        assert!(
            text.starts_with("token endpoint https://localhost:"),
            "{text}"
        );
        assert!(text.len() < 500, "{text}");
        no_secret(&text);
        assert_eq!(requests.len(), 1);
    }
    let (asked, _) = outcome(true, vec![status("200 OK", &huge), token()], "");
    assert_eq!(
        asked.unwrap(),
        "a.b.c",
        "a huge answer is given up, and asked for again"
    );
}

#[test]
fn a_token_may_come_in_chunks_and_under_another_name() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        10\r\n{\"id_token\":\"a.b\r\n4\r\n.c\"}\r\n0\r\n\r\n";
    let (asked, _) = outcome(false, vec![Act::Answer(chunked.into())], "");
    assert_eq!(asked.unwrap(), "a.b.c");
}

/// The fault stays, so that the last attempt's error is told.
#[test]
fn faults_that_stay_are_told_when_time_is_up() {
    for (fault, kind, says) in [
        (
            Act::Silence,
            ErrorKind::TimedOut,
            "no whole answer within 700 ms",
        ),
        (
            Act::Drip(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1000))),
            ErrorKind::TimedOut,
            "no whole answer within 700 ms (sasl.login.read.timeout.ms)",
        ),
        (
            status("502 Bad", "{}"),
            ErrorKind::Connection,
            "HTTP status 502",
        ),
        (status("200 OK", ""), ErrorKind::Protocol, "empty"),
        (
            Act::Hang,
            ErrorKind::Connection,
            "closed the connection instead of answering",
        ),
    ] {
        let server = Server::start(true, vec![fault; 10]);
        let url = server.url().replace("https:", "http:");
        let started = Instant::now();
        let config = config(&url, "").set("sasl.login.retry.backoff.max.ms", "30");
        let error = endpoint(config.unwrap()).token().unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(text.contains(says), "{text}, not {says}");
        assert!(started.elapsed() < Duration::from_secs(10), "{text}");
        no_secret(&text);
    }
}

#[test]
fn who_cannot_be_reached_or_trusted_is_named() {
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = config(&format!("https://localhost:{unused}/t"), "");
    let config = config.set("sasl.login.retry.backoff.max.ms", "30");
    let error = endpoint(config.unwrap()).token();
    let text = error.unwrap_err().to_string();
    assert!(text.contains("connection refused"), "{text}");
    assert!(
        text.starts_with(&format!(
            "token endpoint https://localhost:{unused}/t: connect: "
        )),
        "{text}"
    );

    // As in Java, what vouches for brokers does not vouch for the endpoint.
    let server = Server::start(false, vec![token()]);
    let config = self::config(&server.url(), "");
    let config = config.set("ssl.truststore.certificates", CA).unwrap();
    let jaas = format!(
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
         clientId=\"me\" clientSecret=\"{SECRET}\";"
    );
    let error = endpoint(config.set("sasl.jaas.config", &jaas).unwrap())
        .token()
        .unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Tls, "{text}");
    assert!(
        text.contains("the endpoint's certificate is refused"),
        "{text}"
    );
    assert!(text.contains("option"), "{text}");
    no_secret(&text);

    // Plain text where TLS was expected.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 100]);
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let url = format!("https://localhost:{port}/t");
    let text = endpoint(self::config(&url, ""))
        .token()
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("TLS handshake: the peer speaks HTTP")
            && text.contains("not TLS: is this an http:// port?"),
        "{text}"
    );
    peer.join().unwrap();
}
