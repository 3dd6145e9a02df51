//! SASL OAUTHBEARER by settings alone: tokens of a file, of a provider's endpoint, and unsecured
//! ones. The endpoint's own faults, and TLS, are in src/conn/oidc/tests.

use std::fs;
use std::path::PathBuf;

use milena::mock::MockCluster;
use milena::{Config, Error, ErrorKind, Producer};

use crate::support::{SOON, cluster, config, delivered, eventually, failed, producer, send};

/// `{"alg":"none"}`, and `{"sub":"alice","exp":4102444800}`, which is the year 2100.
const ALICES: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.";
/// The same for bob.
const BOBS: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJleHAiOjQxMDI0NDQ4MDB9.";
/// It ended in 2001.
const OLD: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvbGQiLCJleHAiOjEwMDAwMDAwMDB9.";

const MODULE: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

fn secured() -> MockCluster {
    let cluster = cluster(1, 1);
    cluster.sasl_oauthbearer();
    cluster
}

fn to(cluster: &MockCluster, settings: &[(&str, &str)]) -> Config {
    let usual = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "OAUTHBEARER"),
    ];
    let config = config(cluster).max_block(SOON);
    let mut all = usual.iter().chain(settings);
    all.try_fold(config, |config, (key, value)| config.set(key, value))
        .expect("settings that are known")
}

fn principals(cluster: &MockCluster) -> Vec<String> {
    let logins = cluster.sasl_oauthbearer_logins().into_iter();
    let mut principals: Vec<String> = logins.map(|(principal, _)| principal).collect();
    principals.dedup();
    principals
}

/// The error of a record, which holds no token and no secret.
#[track_caller]
fn told(producer: &Producer, says: &str) -> Error {
    let error = failed(&send(producer, 0, "v"));
    let text = format!("{error} {error:?} {producer:?}");
    assert!(text.contains(says), "no {says:?} in: {text}");
    assert!(!text.contains("eyJ") && !text.contains("h1dden"), "{text}");
    error
}

/// A file of a test's own, which is gone with it.
struct TokenFile(PathBuf);

impl TokenFile {
    fn new(name: &str) -> Self {
        let name = format!("milena-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn write(&self, content: impl AsRef<[u8]>) {
        fs::write(&self.0, content).expect("a directory for temporary files");
    }

    fn url(&self) -> String {
        format!("file:{}", self.0.display())
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_file_gives_the_token_and_is_read_again_when_that_is_refused() {
    let cluster = secured();
    let file = TokenFile::new("token");
    file.write(format!("{ALICES}\n"));
    let jaas = format!("{MODULE} required extension_logicalCluster=\"lkc\";");
    let producer = producer(to(
        &cluster,
        &[
            ("sasl.oauthbearer.token.endpoint.url", &file.url()),
            ("sasl.jaas.config", &jaas),
        ],
    ));
    delivered(&send(&producer, 0, "v"));
    assert_eq!(principals(&cluster), ["alice"]);
    let (_, extensions) = cluster.sasl_oauthbearer_logins().remove(0);
    assert_eq!(extensions, [("logicalCluster".into(), "lkc".into())]);

    cluster.sasl_oauthbearer_refusal(Some(r#"{"status":"invalid_token"}"#));
    cluster.disconnect(1);
    let is_refused = |whose: &str| {
        let refused = send(&producer, 0, "v").wait().err().map(|e| e.to_string());
        refused.is_some_and(|text| text.contains("invalid_token") && text.contains(whose))
    };
    eventually("a refusal of the token", || is_refused("alice"));
    file.write(BOBS);
    // A connection may still be on its way with what was there before.
    eventually("a refusal of the new token", || is_refused("bob"));
    cluster.sasl_oauthbearer_refusal(None);
    eventually("a login with the new token", || {
        send(&producer, 0, "v").wait().is_ok()
    });
    assert_eq!(principals(&cluster), ["alice", "bob"]);
}

#[test]
fn a_file_without_a_usable_token_is_told_and_can_be_mended() {
    for (name, content, kind, says) in [
        ("absent", None, ErrorKind::Config, "cannot be read"),
        ("empty", Some(" \n"), ErrorKind::Authentication, "is empty"),
        (
            "password",
            Some("h1dden"),
            ErrorKind::Authentication,
            "it is no JSON web token, which has three parts",
        ),
        ("old", Some(OLD), ErrorKind::Authentication, "it expired"),
    ] {
        let cluster = secured();
        let file = TokenFile::new(name);
        if let Some(content) = content {
            file.write(content);
        }
        let settings = [("sasl.oauthbearer.token.endpoint.url", file.url())];
        let settings = settings.each_ref().map(|(key, url)| (*key, url.as_str()));
        let producer = producer(to(&cluster, &settings).max_block(SOON / 20));
        let error = told(&producer, says);
        let causes = format!("{error}");
        assert!(causes.contains(&file.0.display().to_string()), "{causes}");
        assert!(error.kind() == kind || error.is_timeout(), "{error:?}");
        file.write(ALICES);
        eventually("a login with the token that is there now", || {
            send(&producer, 0, "v").wait().is_ok()
        });
    }
}

#[test]
fn unsecured_tokens_are_made_of_javas_options() {
    let cluster = secured();
    cluster.sasl_oauthbearer_scope(Some("produce"));
    let jaas = format!(
        "{MODULE} required unsecuredLoginStringClaim_sub=\"alice\" \
         unsecuredLoginListClaim_scope=\"|describe|produce\" unsecuredLoginExtension_trace=\"7\";"
    );
    let producer = producer(to(&cluster, &[("sasl.jaas.config", &jaas)]));
    delivered(&send(&producer, 0, "v"));
    let login = cluster.sasl_oauthbearer_logins().remove(0);
    assert_eq!(login, ("alice".into(), vec![("trace".into(), "7".into())]));
}

#[cfg(feature = "oidc")]
mod endpoint {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::{self, JoinHandle};

    use super::*;

    /// A provider that gives alice's token to whoever knows the secret, once it is well.
    struct Provider {
        url: String,
        is_well: Arc<AtomicBool>,
        is_over: Arc<AtomicBool>,
        thread: Option<JoinHandle<()>>,
    }

    impl Provider {
        fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("its own address");
            let [is_well, is_over] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
            let (well, over) = (is_well.clone(), is_over.clone());
            let thread = thread::spawn(move || {
                for socket in listener.incoming().flatten() {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    // A client that is gone by now has no use for an answer.
                    let _ = answer(socket, well.load(Ordering::SeqCst));
                }
            });
            Self {
                url: format!("http://{address}/token"),
                is_well,
                is_over,
                thread: Some(thread),
            }
        }
    }

    impl Drop for Provider {
        fn drop(&mut self) {
            self.is_over.store(true, Ordering::SeqCst);
            let address = self.url.trim_start_matches("http://");
            let _ = TcpStream::connect(address.trim_end_matches("/token"));
            if let Some(thread) = self.thread.take() {
                thread.join().expect("a provider without panic");
            }
        }
    }

    fn answer(socket: TcpStream, is_well: bool) -> std::io::Result<()> {
        let mut reader = BufReader::new(socket);
        let (mut length, mut is_known) = (0, false);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.parse().expect("a length");
            }
            // `me:h1dden`
            is_known |= line == "Authorization: Basic bWU6aDFkZGVu";
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        assert_eq!(body, b"grant_type=client_credentials&scope=kafka");
        let (status, body) = match is_known && is_well {
            true => ("200 OK", format!(r#"{{"access_token":"{ALICES}"}}"#)),
            false => ("401 Unauthorized", r#"{"error":"invalid_client"}"#.into()),
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        reader.get_mut().write_all(answer.as_bytes())
    }

    #[test]
    fn an_endpoint_gives_the_token_once_it_takes_the_client() {
        let (cluster, provider) = (secured(), Provider::start());
        let producer = producer(to(
            &cluster,
            &[
                ("sasl.oauthbearer.token.endpoint.url", &provider.url),
                ("sasl.oauthbearer.client.credentials.client.id", "me"),
                (
                    "sasl.oauthbearer.client.credentials.client.secret",
                    "h1dden",
                ),
                ("sasl.oauthbearer.scope", "kafka"),
            ],
        ));
        let error = told(&producer, "HTTP status 401: invalid_client");
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(error.to_string().contains(&provider.url), "{error}");
        provider.is_well.store(true, Ordering::SeqCst);
        eventually("a login with the endpoint's token", || {
            send(&producer, 0, "v").wait().is_ok()
        });
        assert_eq!(principals(&cluster), ["alice"]);
    }

    #[test]
    fn an_endpoint_that_nobody_answers_at_is_the_cause_that_is_told() {
        let cluster = secured();
        let url = {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            format!(
                "http://{}/token",
                listener.local_addr().expect("its own address")
            )
        };
        let producer = producer(
            to(
                &cluster,
                &[
                    ("sasl.oauthbearer.token.endpoint.url", &url),
                    ("sasl.oauthbearer.client.credentials.client.id", "me"),
                    (
                        "sasl.oauthbearer.client.credentials.client.secret",
                        "h1dden",
                    ),
                    ("sasl.login.retry.backoff.max.ms", "100"),
                ],
            )
            .max_block(SOON / 10),
        );
        let error = told(&producer, "connection refused");
        assert!(error.to_string().contains(&url), "{error}");
    }
}
