//! Credentials that change while the producer runs, and sources of them that do not work.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use milena::mock::MockCluster;
use milena::{Config, CredentialSource, Credentials, ErrorKind, SecurityProtocol};

use crate::reauthentication::{SHORT_MS, Traffic};
use crate::support::{SOON, cluster, config, delivered, failed, produced, producer, send};

/// What a source gives, or why it has nothing, for the test to change.
#[derive(Clone)]
struct Vault(Arc<Mutex<Result<(String, String), String>>>);

impl Vault {
    fn with(user: &str, password: &str) -> Self {
        let vault = Self(Arc::new(Mutex::new(Err(String::new()))));
        vault.put(user, password);
        vault
    }

    fn put(&self, user: &str, password: &str) {
        *self.0.lock().expect("no panic") = Ok((user.into(), password.into()));
    }

    fn seal(&self, why: &str) {
        *self.0.lock().expect("no panic") = Err(why.into());
    }
}

impl CredentialSource for Vault {
    fn credentials(&self) -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>> {
        let (user, password) = self.0.lock().expect("no panic").clone()?;
        Ok(Credentials::new(user, password))
    }
}

fn secured() -> MockCluster {
    let cluster = cluster(1, 1);
    cluster.sasl_plain("alice", "first");
    cluster
}

fn asking(cluster: &MockCluster, source: impl CredentialSource + 'static) -> Config {
    config(cluster)
        .security_protocol(SecurityProtocol::SaslPlaintext)
        .set("sasl.mechanism", "PLAIN")
        .expect("a mechanism")
        .sasl_credentials(source)
        .max_block(SOON)
}

/// Changes the password at the broker and, a moment later, where the producer has it from.
fn rotates(cluster: &MockCluster, config: Config, change: impl FnOnce()) {
    let mut traffic = Traffic::of(config.idempotence(true));
    traffic.until("a record is there", |producer| {
        producer.metrics().delivered > 0
    });
    cluster.sasl_plain("alice", "second");
    change();
    // The connection that is there stays in, and the next login is with the new password.
    let before = traffic.producer.metrics().reauthentications;
    traffic.until("a session is renewed", |producer| {
        producer.metrics().reauthentications > before
    });
    let metrics = traffic.producer.metrics();
    assert_eq!(
        (metrics.connects, metrics.reauthentication_failures),
        (1, 0)
    );
    cluster.disconnect(1);
    traffic.finish(cluster);
}

#[test]
fn a_source_is_asked_at_every_login_and_a_changed_password_costs_no_record() {
    let cluster = secured();
    cluster.sasl_session_lifetime_ms(SHORT_MS);
    let vault = Vault::with("alice", "first");
    let config = asking(&cluster, vault.clone());
    rotates(&cluster, config, || vault.put("alice", "second"));
}

/// A directory that is gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("milena-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn put(&self, password: &str) {
        // As whoever changes secrets should do it: nobody reads half of one.
        let (new, file) = (self.0.join("new"), self.0.join("password"));
        fs::write(&new, format!("{password}\n")).expect("a file");
        fs::rename(new, file).expect("a file");
    }

    fn settings(&self, cluster: &MockCluster) -> Config {
        let reference = format!("${{dir:{}:password}}", self.0.display());
        let text = format!(
            "bootstrap.servers={}\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
             config.providers=dir\nsasl.jaas.config=\
             org.apache.kafka.common.security.plain.PlainLoginModule required \
             username=\"alice\" password=\"{reference}\";\nreconnect.backoff.max.ms=20\n\
             reconnect.backoff.ms=5\nretry.backoff.ms=5\n",
            cluster.bootstrap()
        );
        Config::from_properties(&text).expect("good properties")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_password_in_a_file_that_is_changed_costs_no_record() {
    let directory = Directory::new("rotated");
    directory.put("first");
    let cluster = secured();
    cluster.sasl_session_lifetime_ms(SHORT_MS);
    let config = directory.settings(&cluster);
    rotates(&cluster, config, || directory.put("second"));
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_records_wait_for_it() {
    let directory = Directory::new("missing");
    directory.put("first");
    let cluster = secured();
    let limit = Duration::from_millis(400);
    let config = directory.settings(&cluster);
    let config = config.delivery_timeout(limit).request_timeout(limit);
    let producer = producer(config.linger(Duration::ZERO));
    delivered(&send(&producer, 0, "v"));
    fs::remove_file(directory.0.join("password")).expect("it is there");
    cluster.disconnect(1);
    let error = loop {
        // The first may still have been written to the connection that is gone.
        let error = failed(&send(&producer, 0, "lost"));
        if error.to_string().contains("sasl.jaas.config") {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let named = format!("${{dir:{}:password}}", directory.0.display());
    assert!(error.to_string().contains(&named), "{error}");
    assert!(!error.to_string().contains("first"), "{error}");
    directory.put("first");
    delivered(&send(&producer, 0, "w"));
}

#[test]
fn after_a_refusal_the_source_is_asked_again() {
    let cluster = secured();
    let vault = Vault::with("alice", "wrong");
    let producer = producer(asking(&cluster, vault.clone()));
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(
        error.to_string().contains("user \"alice\" (PLAIN)"),
        "{error}"
    );
    vault.put("alice", "first");
    delivered(&send(&producer, 0, "v"));
}

#[test]
fn a_source_that_has_nothing_costs_time_and_no_record() {
    let cluster = secured();
    let panics = || -> Result<Credentials, _> { panic!("no\nnetwork") };
    let sealed = Vault::with("alice", "first");
    sealed.seal("the vault is sealed");
    let unusable = Vault::with("alice", "\0h1dden");
    let rows: [(Config, &str); 3] = [
        (
            asking(&cluster, sealed),
            "the credential source failed: the vault is sealed",
        ),
        (
            asking(&cluster, panics),
            "the credential source panicked: no network",
        ),
        (
            asking(&cluster, unusable),
            "the credential source gave what cannot be used: the SASL PLAIN password holds a NUL",
        ),
    ];
    for (config, says) in rows {
        let producer = producer(config.max_block(Duration::from_secs(2)));
        let error = failed(&send(&producer, 0, "v"));
        assert!(!error.to_string().contains("h1dden"), "{error}");
        assert!(error.to_string().contains(says), "no {says:?} in: {error}");
    }
    let vault = Vault::with("alice", "first");
    vault.seal("not yet");
    let producer = producer(asking(&cluster, vault.clone()));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| delivered(&send(&producer, 0, "v")));
        std::thread::sleep(Duration::from_millis(50));
        vault.put("alice", "first");
        waits.join().expect("it is delivered");
    });
}

/// The old session holds until the new login is ready.
#[test]
fn a_slow_source_holds_up_no_record_while_the_session_lasts() {
    let cluster = secured();
    cluster.sasl_session_lifetime_ms(6000);
    let (asked, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let source = {
        let (asked, answered) = (asked.clone(), answered.clone());
        move || {
            let turn = asked.fetch_add(1, Ordering::SeqCst);
            if turn >= 2 {
                std::thread::sleep(Duration::from_millis(120));
            }
            answered.fetch_add(1, Ordering::SeqCst);
            Ok(Credentials::new("alice", "first"))
        }
    };
    let mut traffic = Traffic::of(asking(&cluster, source).idempotence(true));
    traffic.until("the source is asked again", |_| {
        asked.load(Ordering::SeqCst) > 2
    });
    let before = produced(&cluster).len();
    traffic.until("it answers", |_| answered.load(Ordering::SeqCst) > 2);
    let meanwhile = produced(&cluster).len() - before;
    assert!(meanwhile > 1, "{meanwhile} requests in 120 ms");
    traffic.until("the session is renewed", |producer| {
        producer.metrics().reauthentications > 0
    });
    traffic.finish(&cluster);
}

/// Kafka would refuse another user on the old connection.
#[test]
fn another_user_logs_in_on_another_connection() {
    let cluster = secured();
    cluster.sasl_plain("bob", "b");
    cluster.sasl_session_lifetime_ms(SHORT_MS);
    let vault = Vault::with("alice", "first");
    let mut traffic = Traffic::of(asking(&cluster, vault.clone()).idempotence(true));
    traffic.until("a record is there", |producer| {
        producer.metrics().delivered > 0
    });
    let before = traffic.producer.metrics();
    vault.put("bob", "b");
    traffic.until("bob is in", |producer| {
        producer.metrics().connects > before.connects
    });
    let metrics = traffic.producer.metrics();
    assert_eq!(metrics.reauthentication_failures, 0);
    traffic.finish(&cluster);
}
