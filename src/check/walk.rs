//! The way to one broker: name, TCP, TLS, versions, SASL, metadata.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use crate::config::{Mechanism, SecurityProtocol};
use crate::conn::{Address, Connection, Interrupt, Step};
use crate::error::{Error, ErrorKind};
use crate::sync::thread;
use crate::time::{Deadline, human, now};
use crate::wire::metadata::{MetadataRequest, MetadataResponse};
use crate::wire::produce::ProduceRequest;

use super::report::{CheckStage, Finding, Verdict};
use super::{Check, requirements};

/// A broker that told its metadata.
pub(super) struct Arrival {
    pub(super) address: Address,
    pub(super) connection: Connection,
    /// Whom the connection leads to; `None` if the application made it, through a proxy perhaps.
    pub(super) peer: Option<SocketAddr>,
    pub(super) metadata: MetadataResponse,
    pub(super) metadata_version: i16,
}

/// Where the way ended.
pub(super) struct Lost {
    pub(super) stage: CheckStage,
    pub(super) error: Error,
    /// What the name was found to be.
    pub(super) found: Vec<SocketAddr>,
}

impl Check<'_> {
    /// Goes the whole way; `tell` hears of every stage that is passed.
    pub(super) fn walk(
        &self,
        address: &Address,
        topics: &[&str],
        deadline: Deadline,
        mut tell: impl FnMut(Finding),
    ) -> Result<Arrival, Lost> {
        let mut found = Vec::new();
        let looked_up = self.find(address, deadline, &mut tell);
        let arrived = looked_up.and_then(|addresses| {
            found = addresses;
            let (connection, peer) = self.connect(address, found.clone(), deadline, &mut tell)?;
            self.ask(connection, peer, topics, deadline, &mut tell)
        });
        arrived.map_err(|(stage, error)| Lost {
            stage,
            error,
            found,
        })
    }

    fn find(
        &self,
        address: &Address,
        deadline: Deadline,
        tell: &mut impl FnMut(Finding),
    ) -> Result<Vec<SocketAddr>, (CheckStage, Error)> {
        let stage = CheckStage::Dns;
        if self.config.dialer.is_some() {
            let text = "the application's dialer is handed the name and connects";
            tell(Finding::new(stage, Verdict::Skipped, text));
            return Ok(Vec::new());
        }
        if let Ok(ip) = address.host.parse() {
            tell(Finding::new(stage, Verdict::Ok, "an address, not a name"));
            return Ok(vec![SocketAddr::new(ip, address.port)]);
        }
        let found = look_up(address, self.interrupt, deadline).map_err(|error| (stage, error))?;
        let ips: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
        tell(Finding::new(stage, Verdict::Ok, listed(&ips)));
        Ok(found)
    }

    fn connect(
        &self,
        address: &Address,
        found: Vec<SocketAddr>,
        deadline: Deadline,
        tell: &mut impl FnMut(Finding),
    ) -> Result<(Connection, Option<SocketAddr>), (CheckStage, Error)> {
        let (mut stage, mut peer) = (CheckStage::Tcp, None);
        let has_tls = self.config.security_protocol.has_tls();
        let mut made = |step| {
            let passed = |text: String| Finding::new(stage, Verdict::Ok, text);
            match step {
                Step::Connected(to) => {
                    tell(passed(format!("connected to {to}")));
                    peer = Some(to);
                    stage = match has_tls {
                        true => CheckStage::Tls,
                        false => CheckStage::ApiVersions,
                    };
                }
                Step::Encrypted => {
                    tell(self.encrypted(address));
                    stage = CheckStage::ApiVersions;
                }
                Step::VersionsKnown => stage = CheckStage::Sasl,
            }
        };
        let connector = self.connector;
        let opened = connector.open_watched(address, found, self.interrupt, deadline, &mut made);
        match opened {
            Ok(connection) => {
                let peer = peer.filter(|_| self.config.dialer.is_none());
                Ok((connection, peer))
            }
            Err(error) => Err((stage, error)),
        }
    }

    fn ask(
        &self,
        mut connection: Connection,
        peer: Option<SocketAddr>,
        topics: &[&str],
        deadline: Deadline,
        tell: &mut impl FnMut(Finding),
    ) -> Result<Arrival, (CheckStage, Error)> {
        let at = |stage| move |error| (stage, error);
        let produce = connection.version::<ProduceRequest>();
        let produce = produce.map_err(at(CheckStage::ApiVersions))?;
        let metadata_version = connection.version::<MetadataRequest>();
        let metadata_version = metadata_version.map_err(at(CheckStage::ApiVersions))?;
        let unmet = requirements(self.config, topics, &connection, produce);
        if unmet.is_empty() {
            let text = format!("Produce version {produce}, Metadata version {metadata_version}");
            tell(Finding::new(CheckStage::ApiVersions, Verdict::Ok, text));
        }
        unmet.into_iter().for_each(&mut *tell);
        self.authenticated().map(&mut *tell);

        let request = MetadataRequest {
            topics: Some(topics.iter().map(|topic| (*topic).to_owned()).collect()),
            allow_auto_topic_creation: false,
            include_operations: true,
        };
        let stage = CheckStage::Metadata;
        let metadata = connection.call(&request, deadline).map_err(at(stage))?;
        if !metadata.error.is_ok() {
            let code = metadata.error;
            let text = format!("{code}: {}", code.meaning());
            let error = Error::new(ErrorKind::Broker, text).with_code(code.0);
            return Err((stage, error));
        }
        tell(Finding::new(stage, Verdict::Ok, summary(&metadata)));
        Ok(Arrival {
            address: connection.address().clone(),
            connection,
            peer,
            metadata,
            metadata_version,
        })
    }

    fn encrypted(&self, address: &Address) -> Finding {
        let stage = CheckStage::Tls;
        if self.config.tls.verify_host_name {
            let text = format!("the certificate is trusted and is for {}", address.host);
            return Finding::new(stage, Verdict::Ok, text);
        }
        let text = "the certificate is trusted, but may be anybody's: \
            ssl.endpoint.identification.algorithm is empty";
        Finding::new(stage, Verdict::Warning, text)
            .advise("set ssl.endpoint.identification.algorithm=https")
    }

    fn authenticated(&self) -> Option<Finding> {
        let sasl = self.config.sasl.as_ref()?;
        let stage = CheckStage::Sasl;
        let mechanism = sasl.mechanism();
        let protocol = self.config.security_protocol;
        if mechanism == Mechanism::Plain && protocol == SecurityProtocol::SaslPlaintext {
            let text = "authenticated with PLAIN; the password crosses the network unencrypted";
            let finding = Finding::new(stage, Verdict::Warning, text);
            return Some(finding.advise("use SASL_SSL, or a SCRAM mechanism"));
        }
        if !protocol.has_sasl() {
            return None;
        }
        let text = format!("authenticated with {}", mechanism.name());
        Some(Finding::new(stage, Verdict::Ok, text))
    }
}

fn summary(metadata: &MetadataResponse) -> String {
    let brokers = metadata.brokers.len();
    match &metadata.cluster_id {
        Some(id) => format!("cluster {id} with {brokers} brokers"),
        None => format!("a cluster with {brokers} brokers"),
    }
}

/// The first few of many.
pub(super) fn listed<T: ToString>(all: &[T]) -> String {
    const SHOWN_MAX: usize = 5;
    let shown: Vec<String> = all.iter().take(SHOWN_MAX).map(T::to_string).collect();
    match all.len().saturating_sub(SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Looks a name up on a thread of its own, which outlives this call where the system's resolver
/// takes longer than the deadline.
fn look_up(
    address: &Address,
    interrupt: &Interrupt,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, Error> {
    /// How long it takes to see that the producer was closed.
    const GLANCE: Duration = Duration::from_millis(100);
    let (answer, answers) = mpsc::sync_channel(1);
    let (host, port) = (address.host.clone(), address.port);
    let lookup = thread::Builder::new()
        .name("milena-lookup".into())
        .spawn(move || {
            let found = (host.as_str(), port).to_socket_addrs();
            let found = found.map(|all| all.collect::<Vec<_>>());
            // Nobody may be waiting any more.
            let _ = answer.send(found);
        });
    let failed = |text: String| Error::new(ErrorKind::Connection, text);
    lookup.map_err(|error| failed(format!("no thread to look the name up: {error}")))?;
    loop {
        let left = deadline.left(now());
        match answers.recv_timeout(left.min(GLANCE)) {
            Ok(Ok(mut found)) => {
                found.dedup();
                return match found.is_empty() {
                    true => Err(failed("the name has no address".into())),
                    false => Ok(found),
                };
            }
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(failed(
                    "the lookup of the name ended without an answer".into(),
                ));
            }
            Err(mpsc::RecvTimeoutError::Timeout) if interrupt.has_fired() => {
                return Err(Error::closed());
            }
            Err(mpsc::RecvTimeoutError::Timeout) if left.is_zero() => {
                let text = format!("no answer within {}", human(deadline.limit()));
                return Err(Error::new(ErrorKind::TimedOut, text));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
    }
}
