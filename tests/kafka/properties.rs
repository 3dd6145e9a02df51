//! What stands in the `server.properties` of a node.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::certificates::{self, PASSWORD};
use super::cluster::Builder;

/// User names and passwords that every SASL listener knows.
pub(crate) const USERS: [(&str, &str); 2] = [("alice", "alice-secret"), ("bob", "bob-secret")];

/// The inter-broker listener: plain text, also for admin calls and reading back, never advertised
/// elsewhere.
const INTERNAL: &str = "REPL";

/// A listener for clients, named like its security protocol but for the one that asks for client
/// certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Listener {
    Plaintext,
    Ssl,
    /// SSL that asks for a client certificate, whose CN is then the principal.
    Mtls,
    SaslPlaintext,
    SaslSsl,
}

impl Listener {
    pub(crate) const ALL: [Self; 5] = [
        Self::Plaintext,
        Self::Ssl,
        Self::Mtls,
        Self::SaslPlaintext,
        Self::SaslSsl,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mtls => "MTLS",
            _ => self.protocol(),
        }
    }

    /// As `security.protocol` spells it.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl | Self::Mtls => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    pub(crate) fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::Mtls | Self::SaslSsl)
    }

    pub(crate) fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// What clients connect to by default: certificates are for `localhost`.
    pub(super) fn host(self) -> &'static str {
        if self.has_tls() {
            "localhost"
        } else {
            "127.0.0.1"
        }
    }
}

/// The ports of one node.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) internal: u16,
    pub(super) controller: u16,
    pub(super) clients: BTreeMap<Listener, u16>,
}

/// The SASL mechanisms that brokers are set up for. SCRAM users are made when KRaft's storage is;
/// brokers with ZooKeeper have none but those of [`super::Cluster::set_scram`].
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// The properties of node `id`, as the text of a file.
pub(super) fn node(
    builder: &Builder,
    id: i32,
    ports: &[Ports],
    zookeeper: Option<u16>,
    data: &Path,
) -> String {
    let mut all = Properties::default();
    all.set("log.dirs", data.display());
    limits(&mut all, builder);
    listeners(&mut all, builder, id, ports);
    match zookeeper {
        Some(port) => {
            all.set("broker.id", id);
            all.set("zookeeper.connect", format!("127.0.0.1:{port}"));
            all.set("zookeeper.session.timeout.ms", 4000);
        }
        None => quorum(&mut all, id, ports),
    }
    if builder.has_tls() {
        tls(&mut all, builder);
    }
    if builder.has_sasl() {
        sasl(&mut all, builder);
    }
    if builder.authorizer {
        let class = match zookeeper {
            Some(_) => "kafka.security.authorizer.AclAuthorizer",
            None => "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        };
        all.set("authorizer.class.name", class);
        // The nodes themselves and the rig's tools come through the internal listener, without a
        // name.
        all.set("super.users", "User:ANONYMOUS");
        all.set("allow.everyone.if.no.acl.found", false);
    }
    for (key, value) in &builder.properties {
        all.set(key, value.replace("{node}", &id.to_string()));
    }
    all.text()
}

/// The properties of ZooKeeper, as the text of a file.
pub(super) fn zookeeper(port: u16, data: &Path) -> String {
    let mut all = Properties::default();
    all.set("dataDir", data.display());
    all.set("clientPort", port);
    all.set("clientPortAddress", "127.0.0.1");
    all.set("maxClientCnxns", 0);
    all.set("admin.enableServer", false);
    // Sessions last at least two ticks; with the default of 3 s a killed broker stays registered
    // too long.
    all.set("tickTime", 1000);
    all.text()
}

/// What a client needs to know for a listener, for Java's tools.
pub(super) fn client(listener: Listener, mechanism: &str) -> String {
    let mut all = Properties::default();
    all.set("security.protocol", listener.protocol());
    if listener.has_tls() {
        all.set("ssl.truststore.type", "PEM");
        all.set("ssl.truststore.location", certificates::ca_pem().display());
    }
    if listener.has_sasl() {
        let (user, password) = USERS[0];
        let login = login_module(mechanism);
        all.set("sasl.mechanism", mechanism);
        let jaas = format!("{login} required username=\"{user}\" password=\"{password}\";");
        all.set("sasl.jaas.config", jaas);
    }
    all.text()
}

fn limits(all: &mut Properties, builder: &Builder) {
    let copies = builder.nodes.min(3);
    all.set("default.replication.factor", copies);
    all.set("offsets.topic.replication.factor", copies);
    all.set("offsets.topic.num.partitions", 3);
    all.set("transaction.state.log.replication.factor", copies);
    all.set("transaction.state.log.min.isr", copies.min(2));
    all.set("transaction.state.log.num.partitions", 3);
    all.set("min.insync.replicas", copies.min(2));
    all.set("unclean.leader.election.enable", false);
    all.set("auto.create.topics.enable", false);
    all.set("auto.leader.rebalance.enable", false);
    all.set("group.initial.rebalance.delay.ms", 0);
    all.set("log.cleaner.enable", false);
    // Tests give records times of long ago, which would be deleted half a minute after the start.
    all.set("log.retention.ms", -1);
    all.set("num.network.threads", 2);
    all.set("num.io.threads", 3);
    if builder.nodes > 1 {
        all.set("replica.lag.time.max.ms", 4000);
    }
}

fn listeners(all: &mut Properties, builder: &Builder, id: i32, ports: &[Ports]) {
    let index = usize::try_from(id - 1).expect("node ids start at 1");
    let own = &ports[index];
    let mut bound = vec![format!("{INTERNAL}://127.0.0.1:{}", own.internal)];
    let mut advertised = bound.clone();
    let mut protocols = vec![format!("{INTERNAL}:PLAINTEXT")];
    for (listener, port) in &own.clients {
        let name = listener.name();
        bound.push(format!("{name}://127.0.0.1:{port}"));
        advertised.push(match builder.advertised.get(listener) {
            Some(addresses) => format!("{name}://{}", addresses[index]),
            None => format!("{name}://{}:{port}", listener.host()),
        });
        protocols.push(format!("{name}:{}", listener.protocol()));
    }
    if builder.version.is_kraft() {
        bound.push(format!("CONTROLLER://127.0.0.1:{}", own.controller));
        protocols.push("CONTROLLER:PLAINTEXT".into());
        all.set("controller.listener.names", "CONTROLLER");
    }
    all.set("listeners", bound.join(","));
    all.set("advertised.listeners", advertised.join(","));
    all.set("listener.security.protocol.map", protocols.join(","));
    all.set("inter.broker.listener.name", INTERNAL);
}

fn quorum(all: &mut Properties, id: i32, ports: &[Ports]) {
    let voter = |(node, ports): (i32, &Ports)| format!("{node}@127.0.0.1:{}", ports.controller);
    let voters: Vec<_> = (1..).zip(ports).map(voter).collect();
    all.set("process.roles", "broker,controller");
    all.set("node.id", id);
    all.set("controller.quorum.voters", voters.join(","));
    if ports.len() > 1 {
        all.set("broker.session.timeout.ms", 4000);
        all.set("broker.heartbeat.interval.ms", 500);
        all.set("controller.quorum.election.timeout.ms", 1000);
        all.set("controller.quorum.fetch.timeout.ms", 2000);
    }
}

fn tls(all: &mut Properties, builder: &Builder) {
    all.set("ssl.keystore.type", "PKCS12");
    all.set(
        "ssl.keystore.location",
        builder.certificate.key_store().display(),
    );
    all.set("ssl.keystore.password", PASSWORD);
    all.set("ssl.key.password", PASSWORD);
    all.set("ssl.truststore.type", "PKCS12");
    all.set(
        "ssl.truststore.location",
        certificates::trust_store().display(),
    );
    all.set("ssl.truststore.password", PASSWORD);
    // Else a running broker refuses another certificate than one for the same names.
    all.set("ssl.allow.dn.changes", true);
    all.set("ssl.allow.san.changes", true);
    if builder.listeners.contains(&Listener::Mtls) {
        all.set("listener.name.mtls.ssl.client.auth", "required");
        let rules = "RULE:^CN=([^,]+).*$/$1/,DEFAULT";
        all.set("listener.name.mtls.ssl.principal.mapping.rules", rules);
    }
}

fn sasl(all: &mut Properties, builder: &Builder) {
    all.set("sasl.enabled.mechanisms", MECHANISMS.join(","));
    for listener in &builder.listeners {
        for mechanism in MECHANISMS.iter().filter(|_| listener.has_sasl()) {
            let prefix = format!("listener.name.{}.{mechanism}", listener.name());
            let key = format!("{prefix}.sasl.jaas.config").to_lowercase();
            all.set(&key, login(mechanism));
        }
    }
}

/// What goes into a file for Kafka 0.11, which knows no login settings per listener.
pub(super) fn login_file() -> String {
    let logins = [login("PLAIN"), login("SCRAM-SHA-256")];
    format!("KafkaServer {{ {} }};\n", logins.join(" "))
}

fn login(mechanism: &str) -> String {
    let mut jaas = format!("{} required", login_module(mechanism));
    for (user, password) in USERS.iter().filter(|_| mechanism == "PLAIN") {
        let _ = write!(jaas, " user_{user}=\"{password}\"");
    }
    jaas + ";"
}

fn login_module(mechanism: &str) -> &'static str {
    match mechanism {
        "PLAIN" => "org.apache.kafka.common.security.plain.PlainLoginModule",
        _ => "org.apache.kafka.common.security.scram.ScramLoginModule",
    }
}

/// Later settings replace earlier ones.
#[derive(Default)]
struct Properties(BTreeMap<String, String>);

impl Properties {
    fn set(&mut self, key: &str, value: impl ToString) {
        self.0.insert(key.into(), value.to_string());
    }

    fn text(&self) -> String {
        let lines = self.0.iter().map(|(key, value)| format!("{key}={value}\n"));
        lines.collect()
    }
}
