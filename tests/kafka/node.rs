//! One broker: its storage, its process, and what can be done to it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ports::answers;
use super::process::{Process, create, java, run, tail};
use super::properties::{self, USERS};
use super::{Version, until};

const START_LIMIT: Duration = Duration::from_secs(120);

/// The base64 form of 16 bytes that every cluster here goes by.
const CLUSTER_ID: &str = "bWlsZW5hLXRlc3QtcmlnMQ";

/// Why a broker did not start.
#[derive(Debug)]
pub(super) enum Failure {
    /// Somebody else got the port first.
    PortTaken,
    /// ZooKeeper has not yet forgotten the killed broker.
    StillRegistered,
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortTaken => f.write_str("its port is taken"),
            Self::StillRegistered => f.write_str("ZooKeeper takes it for running"),
            Self::Other(log) => f.write_str(log),
        }
    }
}

#[derive(Debug)]
pub(super) struct Node {
    id: i32,
    version: Version,
    /// Holds `server.properties`, `data` and the logs.
    directory: PathBuf,
    port: u16,
    starts: AtomicU32,
    process: Mutex<Option<Process>>,
}

impl Node {
    pub(super) fn new(id: i32, version: Version, directory: PathBuf, port: u16) -> Self {
        let starts = AtomicU32::new(0);
        Self {
            id,
            version,
            directory,
            port,
            starts,
            process: Mutex::new(None),
        }
    }

    /// Writes the properties, and what KRaft wants on the disk before the first start.
    pub(super) fn prepare(&self, properties: &str, features: &[(String, i16)], scram: bool) {
        fs::create_dir_all(&self.directory).expect("create the directory of a node");
        fs::write(self.properties(), properties).expect("write server.properties");
        if !self.version.is_kraft() {
            return;
        }
        let mut format = java(self.version, "WARN");
        format
            .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
            .arg(self.properties());
        for (feature, level) in features {
            format.args(["--feature", &format!("{feature}={level}")]);
        }
        for (user, password) in USERS.iter().filter(|_| scram) {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                let credential = format!("{mechanism}=[name={user},password={password}]");
                format.args(["--add-scram", &credential]);
            }
        }
        let output = run(&mut format, &self.directory.join("format"), START_LIMIT);
        output.expect("format the storage of a node");
    }

    /// Starts the process and returns when the broker says that it is up and answers a request.
    pub(super) fn start(&self) -> Result<(), Failure> {
        let number = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        let log = self.directory.join(format!("start-{number}.log"));
        let file = create(&log);
        let mut command = java(self.version, "INFO");
        if self.version == Version::V0_11_0_3 {
            let login = self.directory.join("login.conf");
            fs::write(&login, properties::login_file()).expect("write login.conf");
            command.arg(format!(
                "-Djava.security.auth.login.config={}",
                login.display()
            ));
        }
        // Brokers read keys for tokens only from places that their own command line allows.
        let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pem/jwks.json");
        for (what, place) in [("urls", format!("file:{keys}")), ("files", keys.to_owned())] {
            command.arg(format!(
                "-Dorg.apache.kafka.sasl.oauthbearer.allowed.{what}={place}"
            ));
        }
        command.arg("kafka.Kafka").arg(self.properties());
        command
            .stdout(file.try_clone().expect("share a log file"))
            .stderr(file);
        let mut process = Process::spawn(&mut command);
        let what = format!("node {} is up, see {}", self.id, log.display());
        let ended = until(&what, START_LIMIT, || match process.ended() {
            Some(status) => Some(Some(status)),
            None => (is_up(&log) && answers(self.port)).then_some(None),
        });
        match ended {
            Some(status) => Err(self.failure(status, &log)),
            None => {
                *self.process() = Some(process);
                Ok(())
            }
        }
    }

    /// SIGKILL: the process is gone when this returns.
    pub(super) fn kill(&self) {
        *self.process() = None;
    }

    /// SIGTERM, with which Kafka moves its leaders away first; returns when the process is gone.
    pub(super) fn terminate(&self) {
        self.signal("TERM");
        let what = format!("node {} has shut down", self.id);
        until(&what, START_LIMIT, || match &mut *self.process() {
            Some(process) => process.ended().map(|_| ()),
            None => Some(()),
        });
        self.kill();
    }

    pub(super) fn signal(&self, name: &str) {
        let process = self.process();
        let process = process.as_ref();
        process
            .unwrap_or_else(|| panic!("node {} does not run", self.id))
            .signal(name);
    }

    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn properties(&self) -> PathBuf {
        self.directory.join("server.properties")
    }

    /// A test that panicked elsewhere leaves nothing inconsistent here.
    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self, status: ExitStatus, log: &Path) -> Failure {
        let text = read(log);
        if text.contains("Address already in use") {
            Failure::PortTaken
        } else if text.contains("already registered") || text.contains("NodeExists") {
            Failure::StillRegistered
        } else {
            let Self { id, version, .. } = self;
            let end = tail(&text);
            Failure::Other(format!(
                "node {id} of Kafka {version} ended with {status}:\n{end}"
            ))
        }
    }
}

/// KRaft and ZooKeeper brokers end their start with different words.
fn is_up(log: &Path) -> bool {
    let log = read(log);
    log.contains("Kafka Server started") || log.contains("started (kafka.server.KafkaServer)")
}

fn read(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}
