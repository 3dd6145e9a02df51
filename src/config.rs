//! The settings of a producer (skeleton: the fields are agreed, the rest is being written).

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;

/// The settings of a producer.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) bootstrap_servers: Vec<String>,
    pub(crate) client_id: String,
    pub(crate) acks: Acks,
    pub(crate) retries: u32,
    pub(crate) max_block: Duration,
    pub(crate) max_in_flight: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) delivery_timeout: Duration,
    pub(crate) linger: Duration,
    pub(crate) batch_size: usize,
    pub(crate) buffer_memory: usize,
    pub(crate) max_request_size: usize,
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    pub(crate) reconnect_backoff: Duration,
    pub(crate) reconnect_backoff_max: Duration,
    pub(crate) metadata_max_age: Duration,
    pub(crate) metadata_max_idle: Duration,
    pub(crate) allow_auto_create_topics: bool,
    pub(crate) connections_max_idle: Option<Duration>,
    pub(crate) connection_setup_timeout: Duration,
    pub(crate) connection_setup_timeout_max: Duration,
    pub(crate) send_buffer_bytes: Option<usize>,
    pub(crate) receive_buffer_bytes: Option<usize>,
    pub(crate) close_timeout: Duration,
    pub(crate) partitioner: crate::partitioner::PartitionerChoice,
    pub(crate) security_protocol: SecurityProtocol,
    pub(crate) tls: TlsConfig,
    pub(crate) sasl: Option<SaslConfig>,
}

/// How many replicas must have a record before it counts as delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acks {
    /// None: delivered means written to the socket; no offset is known.
    None,
    /// The leader alone.
    Leader,
    /// All in-sync replicas (`all`, `-1`).
    All,
}

/// `security.protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecurityProtocol {
    /// Neither encryption nor authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL authentication over an unencrypted connection.
    SaslPlaintext,
    /// SASL authentication over TLS.
    SaslSsl,
}

/// What `ssl.*` says.
#[derive(Clone, Debug)]
pub(crate) struct TlsConfig {
    /// Trusted certificates; `None` is the built-in web roots.
    pub(crate) truststore: Option<PemSource>,
    pub(crate) versions: TlsVersions,
    /// False if `ssl.endpoint.identification.algorithm` is empty.
    pub(crate) verify_host_name: bool,
}

/// Where PEM text comes from.
#[derive(Clone, Debug)]
pub(crate) enum PemSource {
    /// `ssl.truststore.location`
    File(PathBuf),
    /// `ssl.truststore.certificates`
    Inline(String),
}

/// `ssl.enabled.protocols`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TlsVersions {
    pub(crate) v1_2: bool,
    pub(crate) v1_3: bool,
}

/// `sasl.*`, the mechanism with its credentials.
#[derive(Clone, Debug)]
pub(crate) enum SaslConfig {
    Plain { username: String, password: Secret },
}

/// Text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Config {
    pub(crate) fn bootstrap_addresses(&self) -> Vec<crate::conn::Address> {
        todo!()
    }
    /// Settings with every default, for the cluster at `bootstrap_servers` (`host:port,host:port`).
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        let _ = bootstrap_servers.into();
        todo!("config helper")
    }

    /// Cross checks; called by `Producer::new`.
    pub(crate) fn validate(self) -> Result<Self, Error> {
        todo!("config helper")
    }
}
