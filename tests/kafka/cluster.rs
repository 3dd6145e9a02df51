//! A cluster of one or more brokers, from what a test asks for to its end.

use std::collections::BTreeMap;
use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, Once};
use std::thread;
use std::time::Duration;

use super::admin::Admin;
use super::certificates::Certificate;
use super::node::{Failure, Node};
use super::ports::{free_ports, listens};
use super::process::{Process, create, java};
use super::properties::{self, Listener, Ports};
use super::{Version, home, until};

/// What a cluster is to be like. See [`Cluster::of`].
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    pub(super) version: Version,
    pub(super) nodes: u16,
    pub(super) listeners: Vec<Listener>,
    pub(super) properties: Vec<(String, String)>,
    pub(super) advertised: BTreeMap<Listener, Vec<String>>,
    pub(super) certificate: Certificate,
    pub(super) authorizer: bool,
    features: Vec<(String, i16)>,
}

impl Builder {
    /// How many nodes, with ids from 1. Defaults to 1.
    pub(crate) fn nodes(mut self, nodes: u16) -> Self {
        self.nodes = nodes;
        self
    }

    /// The listeners for clients. Defaults to PLAINTEXT alone.
    pub(crate) fn listeners(mut self, listeners: &[Listener]) -> Self {
        self.listeners = listeners.to_vec();
        self
    }

    /// A broker property, which wins over the rig's own. `{node}` in the value stands for the
    /// node's id.
    pub(crate) fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.push((key.into(), value.into()));
        self
    }

    /// The finalized level of a feature such as `transaction.version`; KRaft only.
    pub(crate) fn feature(mut self, name: &str, level: i16) -> Self {
        self.features.push((name.into(), level));
        self
    }

    /// The `host:port` that each node tells clients of this listener to connect to: proxies of the
    /// test, say. They reach the broker at [`Cluster::address`].
    pub(crate) fn advertise(mut self, listener: Listener, addresses: &[String]) -> Self {
        self.advertised.insert(listener, addresses.to_vec());
        self
    }

    /// What the TLS listeners show. Defaults to [`Certificate::Good`].
    pub(crate) fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// Lets nobody do anything without [`Cluster::allow`], but for `User:ANONYMOUS`, who may do
    /// everything: that is who comes through PLAINTEXT and SSL without a certificate. Needs Kafka
    /// 2.4.
    pub(crate) fn authorizer(mut self) -> Self {
        self.authorizer = true;
        self
    }

    /// Starts the nodes and returns when each of them answers.
    pub(crate) fn start(self) -> Cluster {
        crate::watch::start();
        self.check();
        for _ in 0..5 {
            let cluster = Cluster::new(self.clone());
            match cluster.launch() {
                Ok(()) => return cluster,
                Err(Failure::PortTaken) => {}
                Err(failure) => panic!("Kafka {} did not start: {failure}", self.version),
            }
        }
        panic!("no ports stayed free while Kafka {} started", self.version);
    }

    pub(super) fn has_tls(&self) -> bool {
        self.listeners.iter().any(|listener| listener.has_tls())
    }

    pub(super) fn has_sasl(&self) -> bool {
        self.listeners.iter().any(|listener| listener.has_sasl())
    }

    fn check(&self) {
        let kraft = self.version.is_kraft();
        assert!(kraft || self.features.is_empty(), "features need KRaft");
        assert!(
            kraft || !self.authorizer || self.version == Version::V2_8_2,
            "authorizers of this version have other names"
        );
        for addresses in self.advertised.values() {
            assert_eq!(
                addresses.len(),
                usize::from(self.nodes),
                "one address a node"
            );
        }
    }
}

/// Running brokers; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Cluster {
    builder: Builder,
    directory: PathBuf,
    ports: Vec<Ports>,
    nodes: Vec<Node>,
    zookeeper_port: Option<u16>,
    zookeeper: Mutex<Option<Process>>,
    pub(super) admin: Mutex<Option<Admin>>,
}

impl Cluster {
    /// A cluster to be: one node with a PLAINTEXT listener, no automatic topic creation.
    pub(crate) fn of(version: Version) -> Builder {
        Builder {
            version,
            nodes: 1,
            listeners: vec![Listener::Plaintext],
            properties: Vec::new(),
            advertised: BTreeMap::new(),
            certificate: Certificate::Good,
            authorizer: false,
            features: Vec::new(),
        }
    }

    /// One node of the newest version with all listeners, for all tests of this process that only
    /// need a broker. Everybody may do everything with what has no ACL. It ends with the process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Cluster> = LazyLock::new(|| {
            Cluster::of(Version::V4_3_1)
                .listeners(&Listener::ALL)
                .authorizer()
                .property("allow.everyone.if.no.acl.found", "true")
                .start()
        });
        &SHARED
    }

    /// `bootstrap.servers` for clients of a listener.
    pub(crate) fn bootstrap(&self, listener: Listener) -> String {
        if let Some(addresses) = self.builder.advertised.get(&listener) {
            return addresses.join(",");
        }
        let ids = 1..=i32::from(self.builder.nodes);
        let addresses: Vec<_> = ids.map(|node| self.address(node, listener)).collect();
        addresses.join(",")
    }

    /// `host:port` where a node really listens.
    pub(crate) fn address(&self, node: i32, listener: Listener) -> String {
        let port = self.ports[index(node)].clients.get(&listener);
        let port = port.unwrap_or_else(|| panic!("no listener {}", listener.name()));
        format!("{}:{port}", listener.host())
    }

    pub(crate) fn version(&self) -> Version {
        self.builder.version
    }

    /// SIGKILL; the process is gone when this returns.
    pub(crate) fn kill(&self, node: i32) {
        self.node(node).kill();
    }

    /// SIGSTOP: connections stay, nothing is answered.
    pub(crate) fn pause(&self, node: i32) {
        self.node(node).signal("STOP");
    }

    /// SIGCONT.
    pub(crate) fn resume(&self, node: i32) {
        self.node(node).signal("CONT");
    }

    /// SIGTERM, an orderly shutdown; the process is gone when this returns.
    pub(crate) fn terminate(&self, node: i32) {
        self.node(node).terminate();
    }

    /// Starts a node again with its ports and data, after killing it if it still runs; returns when
    /// it answers.
    pub(crate) fn restart(&self, node: i32) {
        let node = self.node(node);
        node.kill();
        until(
            "a node has restarted",
            Duration::from_secs(60),
            || match node.start() {
                Ok(()) => Some(()),
                Err(Failure::PortTaken | Failure::StillRegistered) => None,
                Err(failure) => panic!("did not restart: {failure}"),
            },
        );
    }

    /// Changes what the TLS listeners of a running cluster show to new connections; needs Kafka
    /// 3.7.
    pub(crate) fn show_certificate(&self, certificate: Certificate) {
        let location = certificate.key_store().display().to_string();
        for listener in self
            .builder
            .listeners
            .iter()
            .filter(|listener| listener.has_tls())
        {
            let name = listener.name().to_lowercase();
            let key = format!("listener.name.{name}.ssl.keystore.location");
            for node in 1..=i32::from(self.builder.nodes) {
                self.alter_broker(node, &[(&key, &location)]);
            }
        }
    }

    /// `bootstrap.servers` of the listener that only the rig's tools use.
    pub(super) fn internal(&self) -> String {
        let addresses: Vec<_> = self
            .ports
            .iter()
            .map(|ports| format!("127.0.0.1:{}", ports.internal))
            .collect();
        addresses.join(",")
    }

    /// The address of ZooKeeper, if the brokers are of before 2.7, whose SCRAM users only it knows.
    pub(super) fn old_zookeeper(&self) -> Option<String> {
        let is_old = matches!(self.version(), Version::V2_1_1 | Version::V0_11_0_3);
        let port = self.zookeeper_port.filter(|_| is_old)?;
        Some(format!("127.0.0.1:{port}"))
    }

    /// The data directory of a node.
    pub(super) fn data(&self, node: i32) -> PathBuf {
        self.node(node).data()
    }

    /// A path in the cluster's directory that nothing else uses.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}-{}", number()))
    }

    fn node(&self, node: i32) -> &Node {
        &self.nodes[index(node)]
    }

    fn new(builder: Builder) -> Self {
        let directory = fresh_directory();
        let version = builder.version;
        let per_node = 2 + builder.listeners.len();
        let count = per_node * usize::from(builder.nodes) + 1;
        let mut free = free_ports(count).into_iter();
        let mut port = || free.next().expect("as many ports as asked for");
        let ports: Vec<_> = (0..builder.nodes)
            .map(|_| Ports {
                internal: port(),
                controller: port(),
                clients: builder
                    .listeners
                    .iter()
                    .map(|listener| (*listener, port()))
                    .collect(),
            })
            .collect();
        let node = |(id, ports): (i32, &Ports)| {
            let place = directory.join(format!("node-{id}"));
            Node::new(id, version, place, ports.internal)
        };
        let nodes = (1..).zip(&ports).map(node).collect();
        let zookeeper_port = (!version.is_kraft()).then(port);
        let (zookeeper, admin) = (Mutex::new(None), Mutex::new(None));
        Self {
            builder,
            directory,
            ports,
            nodes,
            zookeeper_port,
            zookeeper,
            admin,
        }
    }

    fn launch(&self) -> Result<(), Failure> {
        if let Some(port) = self.zookeeper_port {
            *self.zookeeper.lock().expect("a fresh lock") = Some(self.start_zookeeper(port));
        }
        thread::scope(|scope| {
            let starts: Vec<_> = (1..)
                .zip(&self.nodes)
                .map(|(id, node)| scope.spawn(move || self.first(id, node)))
                .collect();
            let ended = starts.into_iter().map(|start| match start.join() {
                Ok(ended) => ended,
                Err(panic) => resume_unwind(panic),
            });
            // All of them are awaited before the first failure counts.
            ended.collect::<Vec<_>>().into_iter().collect()
        })
    }

    fn first(&self, id: i32, node: &Node) -> Result<(), Failure> {
        let features = &self.builder.features;
        let zookeeper = self.zookeeper_port;
        let text = properties::node(&self.builder, id, &self.ports, zookeeper, &node.data());
        let sasl = self.builder.has_sasl();
        node.prepare(&text, features, sasl);
        node.start()
    }

    fn start_zookeeper(&self, port: u16) -> Process {
        let directory = self.directory.join("zookeeper");
        fs::create_dir_all(&directory).expect("create ZooKeeper's directory");
        let file = directory.join("zookeeper.properties");
        fs::write(&file, properties::zookeeper(port, &directory.join("data")))
            .expect("write zookeeper.properties");
        let log = create(&directory.join("zookeeper.log"));
        let mut command = java(self.builder.version, "WARN");
        command
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(file);
        command
            .stdout(log.try_clone().expect("share a log file"))
            .stderr(log);
        let mut process = Process::spawn(&mut command);
        let what = format!("ZooKeeper listens, see {}", directory.display());
        until(&what, Duration::from_secs(60), || {
            assert!(
                process.ended().is_none(),
                "ZooKeeper ended, see {}",
                directory.display()
            );
            listens(port).then_some(())
        });
        process
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.clear();
        if let Ok(zookeeper) = self.zookeeper.get_mut() {
            *zookeeper = None;
        }
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.directory);
            // Succeeds for the last cluster of the process.
            let _ = self.directory.parent().map(fs::remove_dir);
        }
    }
}

fn index(node: i32) -> usize {
    usize::try_from(node - 1).expect("node ids start at 1")
}

fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// `run/PROCESS/TEST-NUMBER`; what processes that ended have left there is removed first.
fn fresh_directory() -> PathBuf {
    static CLEANED: Once = Once::new();
    let all = home().join("run");
    CLEANED.call_once(|| remove_left(&all));
    let thread = thread::current();
    let test = thread.name().unwrap_or("unnamed").replace("::", ".");
    let own = all
        .join(std::process::id().to_string())
        .join(format!("{test}-{}", number()));
    fs::create_dir_all(&own).expect("create a directory in target/kafka/run");
    own
}

fn remove_left(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let process = entry.file_name();
        let mut alive = Command::new("sh");
        alive
            .args(["-c", "kill -0 \"$1\" 2>/dev/null", "sh"])
            .arg(&process);
        let is_own = process == *std::process::id().to_string();
        if is_own || !alive.status().is_ok_and(|status| status.success()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
