//! Admin calls, by way of `Tool.java`: one JVM a cluster, started at the first call.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::cluster::Cluster;
use super::process::{Process, java, run};
use super::properties;
use super::{Listener, Version, once, source};

/// Beyond the time limit that Tool.java keeps by itself.
const ANSWER_LIMIT: Duration = Duration::from_secs(180);

/// What [`Cluster::allow`] gives access to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Acl<'a> {
    Topic(&'a str),
    TransactionalId(&'a str),
    Group(&'a str),
    Cluster,
}

impl Cluster {
    /// Creates a topic, with configs such as `("max.message.bytes", "2000")`; returns when each
    /// partition has a leader.
    pub(crate) fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        replication: i16,
        configs: &[(&str, &str)],
    ) {
        let (partitions, replication) = (partitions.to_string(), replication.to_string());
        let configs = pairs(configs);
        let mut words = vec!["create", name, &partitions, &replication];
        words.extend(configs.iter().map(String::as_str));
        self.ask(&words);
    }

    pub(crate) fn delete_topic(&self, name: &str) {
        self.ask(&["delete", name]);
    }

    /// Adds partitions until there are `total`.
    pub(crate) fn add_partitions(&self, topic: &str, total: i32) {
        self.ask(&["grow", topic, &total.to_string()]);
    }

    /// The node that leads a partition now, as the brokers alive see it.
    pub(crate) fn leader_of(&self, topic: &str, partition: i32) -> Option<i32> {
        let answer = self.ask(&["leader", topic, &partition.to_string()]);
        number(&answer[0]).filter(|node| *node >= 0)
    }

    /// The nodes that are in sync with the leader of a partition, itself included, in order of
    /// their ids.
    pub(crate) fn in_sync(&self, topic: &str, partition: i32) -> Vec<i32> {
        let answer = self.ask(&["in-sync", topic, &partition.to_string()]);
        let mut nodes: Vec<_> = answer.iter().filter_map(|node| number(node)).collect();
        nodes.sort_unstable();
        nodes
    }

    /// Makes `node`, which has a replica and is in sync, the leader; returns when it leads.
    pub(crate) fn move_leader(&self, topic: &str, partition: i32, node: i32) {
        self.ask(&["move", topic, &partition.to_string(), &node.to_string()]);
    }

    /// Changes configs of a topic; needs Kafka 2.3.
    pub(crate) fn alter_topic(&self, topic: &str, configs: &[(&str, &str)]) {
        let configs = pairs(configs);
        let mut words = vec!["alter", "TOPIC", topic];
        words.extend(configs.iter().map(String::as_str));
        self.ask(&words);
    }

    /// Changes configs of a running broker.
    pub(crate) fn alter_broker(&self, node: i32, configs: &[(&str, &str)]) {
        let (node, configs) = (node.to_string(), pairs(configs));
        let mut words = vec!["alter", "BROKER", &*node];
        words.extend(configs.iter().map(String::as_str));
        self.ask(&words);
    }

    /// Lets a principal such as `User:alice` do an operation such as `WRITE`; needs the builder's
    /// `authorizer`.
    pub(crate) fn allow(&self, principal: &str, operation: &str, resource: Acl<'_>) {
        let (kind, name) = match resource {
            Acl::Topic(name) => ("TOPIC", name),
            Acl::TransactionalId(name) => ("TRANSACTIONAL_ID", name),
            Acl::Group(name) => ("GROUP", name),
            Acl::Cluster => ("CLUSTER", "kafka-cluster"),
        };
        self.ask(&["allow", principal, operation, kind, name]);
    }

    /// Sets a quota such as `producer_byte_rate`, or takes it away, for an entity such as
    /// `("client-id", "slow")` or `("user", "alice")`; needs Kafka 2.6.
    pub(crate) fn set_quota(&self, entity: (&str, &str), quota: &str, value: Option<f64>) {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        self.ask(&["quota", entity.0, entity.1, quota, &value]);
    }

    /// Sets the password of a user for both mechanisms of SCRAM; the user may be new.
    pub(crate) fn set_scram(&self, user: &str, password: &str) {
        let Some(zookeeper) = self.old_zookeeper() else {
            self.ask(&["scram", user, password]);
            return;
        };
        let credentials = ["SCRAM-SHA-256", "SCRAM-SHA-512"]
            .map(|mechanism| format!("{mechanism}=[iterations=4096,password={password}]"));
        let mut command = java(self.version(), "WARN");
        command
            .args(["kafka.admin.ConfigCommand", "--zookeeper", &zookeeper])
            .args(["--alter", "--add-config", &credentials.join(",")])
            .args(["--entity-type", "users", "--entity-name", user]);
        let output = run(&mut command, &self.scratch("scram"), ANSWER_LIMIT);
        assert!(output.status.success(), "set SCRAM: {}", output.stderr);
    }

    /// The id and the HMAC of a new delegation token of `USERS[0]`; needs the builder's property
    /// `delegation.token.secret.key` and a SASL_SSL listener.
    pub(crate) fn create_token(&self) -> (String, String) {
        let place = self.scratch("token");
        let config = place.with_extension("properties");
        let text = properties::client(Listener::SaslSsl, "SCRAM-SHA-256");
        fs::write(&config, text).expect("write the properties");
        let mut command = java(self.version(), "ERROR");
        command
            .arg("org.apache.kafka.tools.DelegationTokenCommand")
            .args(["--bootstrap-server", &self.bootstrap(Listener::SaslSsl)])
            .args([
                "--create",
                "--max-life-time-period",
                "-1",
                "--command-config",
            ])
            .arg(&config);
        let output = run(&mut command, &place, ANSWER_LIMIT);
        let shown = String::from_utf8_lossy(&output.stdout);
        let line = shown.lines().rev().find(|line| !line.trim().is_empty());
        let mut words = line.unwrap_or_default().split_whitespace();
        let mut word = || words.next().map(str::to_owned);
        let token = word().zip(word());
        token.unwrap_or_else(|| panic!("no token: {shown} {}", output.stderr))
    }

    /// What a consumer group has committed: topic, partition, offset.
    pub(crate) fn committed(&self, group: &str) -> Vec<(String, i32, i64)> {
        let answer = self.ask(&["committed", group]);
        let line = |line: &String| {
            let mut words = line.split('\t');
            let topic = words.next()?.to_owned();
            Some((topic, number(words.next()?)?, number(words.next()?)?))
        };
        let mut offsets: Vec<_> = answer.iter().filter_map(line).collect();
        offsets.sort_unstable();
        offsets
    }

    /// The finalized level of a feature, 0 where it is not set.
    pub(crate) fn feature_level(&self, name: &str) -> i16 {
        number(&self.ask(&["feature", name])[0]).expect("a feature level")
    }

    /// One command of Tool.java; panics with the command when it failed.
    pub(super) fn ask(&self, words: &[&str]) -> Vec<String> {
        self.try_ask(words)
            .unwrap_or_else(|error| panic!("cannot {}: {error}", words.join(" ")))
    }

    /// The same, with what Tool.java said when it failed.
    pub(super) fn try_ask(&self, words: &[&str]) -> Result<Vec<String>, String> {
        let mut left = match words {
            // A question may be put again: the node that was asked may hang.
            ["leader" | "in-sync" | "committed" | "feature", ..] => 5,
            _ => 0,
        };
        loop {
            let answer = self
                .admin()
                .get_or_insert_with(|| Admin::start(self))
                .ask(words);
            match answer {
                Err(error) if left > 0 && error.contains("TimeoutException") => left -= 1,
                answer => return answer,
            }
        }
    }

    /// A failed command leaves the JVM ready for the next one.
    fn admin(&self) -> MutexGuard<'_, Option<Admin>> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The JVM that runs Tool.java.
#[derive(Debug)]
pub(super) struct Admin {
    process: Process,
    lines: Receiver<String>,
}

impl Admin {
    fn start(cluster: &Cluster) -> Self {
        let version = cluster.version().tools();
        let classes = compile(version);
        let mut command = java(version, "OFF");
        command
            .args([
                "-cp",
                &format!("{}:{}", classes.display(), version.class_path()),
            ])
            .args(["Tool", &cluster.internal()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::spawn(&mut command);
        let stdout = process.child().stdout.take().expect("stdout is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut read = BufReader::new(stdout).lines().map_while(Result::ok);
            read.try_for_each(|line| sender.send(line).ok())
        });
        Self { process, lines }
    }

    fn ask(&mut self, words: &[&str]) -> Result<Vec<String>, String> {
        let mut input = self.process.child().stdin.as_ref().expect("stdin is piped");
        let line = words.join("\t") + "\n";
        input
            .write_all(line.as_bytes())
            .map_err(|e| format!("Tool.java ended: {e}"))?;
        let mut answer = Vec::new();
        loop {
            let line = self
                .lines
                .recv_timeout(ANSWER_LIMIT)
                .map_err(|e| e.to_string())?;
            match (line.strip_prefix('='), line.strip_prefix("error ")) {
                (Some(word), _) => answer.push(word.to_owned()),
                (_, Some(error)) => return Err(error.to_owned()),
                _ if line == "ok" => return Ok(answer),
                _ => {}
            }
        }
    }
}

/// The directory with the classes of Tool.java, compiled against the clients of `version`.
fn compile(version: Version) -> std::path::PathBuf {
    let file = source("Tool.java");
    let text = fs::read_to_string(&file).expect("read Tool.java");
    let jars = version.class_path();
    once(&format!("tool-{version}"), &text, |directory: &Path| {
        let mut javac = Command::new("javac");
        javac
            .args(["-nowarn", "-cp", &jars, "-d"])
            .arg(directory)
            .arg(&file);
        let output = javac.output().expect("start javac; tests/run installs it");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "cannot compile Tool.java:\n{errors}"
        );
    })
}

fn pairs(configs: &[(&str, &str)]) -> Vec<String> {
    configs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect()
}

fn number<T: std::str::FromStr>(word: &str) -> Option<T> {
    word.parse().ok()
}
