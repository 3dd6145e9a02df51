//! The settings of a producer: every default, the setters, Java's names, and the checks across
//! settings.

mod address;
mod advice;
mod effective;
mod environment;
mod explain;
mod file;
mod foreign;
#[cfg(feature = "tls")]
mod handed;
mod jaas;
mod java;
mod keys;
mod librdkafka;
mod look_up;
mod network;
mod oidc;
mod origin;
mod partitions;
mod properties;
mod providers;
mod read_security;
mod reference;
mod reread;
mod secret;
mod security;
mod security_keys;
mod serializers;
mod set;
mod setters;
mod stores;
mod suggest;
mod token_refresh;
mod topic;
mod unsecured;
mod url;
mod validate;
mod validate_security;
mod validate_times;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::compress::{Compression, Levels};
use crate::credentials::AnyCredentialSource;
use crate::dial::RegisteredDialer;
use crate::error::Error;
use crate::interceptor::Registered;
use crate::partitioner::Partitioning;

pub(crate) use address::Address;
pub use explain::Explanation;
#[cfg(feature = "oidc")]
pub(crate) use oidc::EndpointConfig;
pub(crate) use oidc::{OidcConfig, TokenOrigin};
use oidc::{OidcKeys, OidcOptions};
use origin::Origins;
use providers::Providers;
pub(crate) use secret::Secret;
pub(crate) use security::{
    KeyStore, Mechanism, PemSource, SaslConfig, ScramConfig, ScramHash, TlsConfig, TlsVersions,
};
pub use security::{SecurityProtocol, TlsVersion};
pub(crate) use token_refresh::TokenRefresh;
pub use topic::{FullBuffer, TopicConfig};
pub(crate) use topic::{TopicRule, TopicRules};

/// The settings of a producer.
///
/// [`Config::new`] has every default; setters change one setting each and can be chained. Settings
/// can also be given as Apache Kafka's Java producer takes them, by name and text: one by one
/// ([`set`](Config::set)), or as a properties file ([`from_file`](Config::from_file)). All ways can
/// be mixed; what is said last holds.
///
/// Settings are checked when they are given as text, and against each other by `Producer::new`.
/// What was given but has no effect is told by [`warnings`](Config::warnings), and what all of it
/// comes to by [`explain`](Config::explain). `Debug` shows no password.
///
/// ```
/// use std::time::Duration;
/// use milena::{Acks, Config};
///
/// # fn main() -> Result<(), milena::Error> {
/// let config = Config::new("kafka-1:9092,kafka-2:9092")
///     .acks(Acks::All)
///     .linger(Duration::from_millis(5))
///     .set("client.id", "billing")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Config {
    pub(crate) bootstrap_servers: Vec<Address>,
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
    pub(crate) dialer: Option<RegisteredDialer>,
    pub(crate) send_buffer_bytes: Option<usize>,
    pub(crate) receive_buffer_bytes: Option<usize>,
    pub(crate) close_timeout: Duration,
    pub(crate) partitioning: Partitioning,
    pub(crate) interceptors: Vec<Registered>,
    pub(crate) security_protocol: SecurityProtocol,
    pub(crate) tls: TlsConfig,
    pub(crate) sasl: Option<SaslConfig>,
    /// Where user name and password come from at each authentication, if they may change.
    pub(crate) credentials: Option<AnyCredentialSource>,
    pub(crate) token_refresh: TokenRefresh,
    pub(crate) idempotence: bool,
    pub(crate) gapless: bool,
    pub(crate) compression: Compression,
    pub(crate) levels: Levels,
    pub(crate) full_buffer: FullBuffer,
    topics: BTreeMap<String, TopicConfig>,
    oidc: OidcKeys,
    chosen: Chosen,
    origins: Origins,
    providers: Providers,
    warnings: Vec<String>,
}

/// What the user said, where a default, a rule or a check depends on it.
#[derive(Clone, Debug, Default)]
struct Chosen {
    /// Why `bootstrap.servers` could not be read: `Config::new` cannot fail, so `validate` tells.
    bootstrap_error: Option<Error>,
    /// The protocol of a bootstrap server that was written `SASL_SSL://host:port`.
    bootstrap_protocol: Option<SecurityProtocol>,
    /// `ssl.enabled.protocols`
    tls_enabled: TlsVersions,
    /// `ssl.protocol=TLSv1.2`
    tls_1_2_only: bool,
    /// `sasl.mechanism`, whatever the credentials are for.
    mechanism: Option<Mechanism>,
    /// `sasl.jaas.config` with OAuthBearerLoginModule, until the settings are checked.
    oauth_options: Option<OidcOptions>,
}

/// How many replicas must have a record before it counts as delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acks {
    /// None: delivered means written to the socket; no offset is known (`0`).
    None,
    /// The leader alone: a record is lost if the leader dies before a replica has fetched it (`1`).
    Leader,
    /// All in-sync replicas (`all`, `-1`).
    All,
}

impl fmt::Display for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "0",
            Self::Leader => "1",
            Self::All => "all",
        })
    }
}

impl Config {
    /// Settings with every default, for the cluster at `bootstrap_servers` (`host:port,host:port`).
    ///
    /// Name two or three brokers: any one that answers tells of all others. An IPv6 address goes in
    /// brackets, `[::1]:9092`. A listener's prefix (`SASL_SSL://host:9093`) is accepted and has no
    /// effect, as in Java: the protocol is what [`security_protocol`](Self::security_protocol)
    /// says. A mistake in the text is told by `Producer::new`.
    ///
    /// Java's name: `bootstrap.servers`.
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        let mut config = Self::with_defaults();
        let read = config.set_bootstrap_servers(&bootstrap_servers.into());
        config.chosen.bootstrap_error = read.err();
        config.by_code("bootstrap.servers")
    }

    fn with_defaults() -> Self {
        #[cfg(test)]
        crate::watch::start();
        Self {
            bootstrap_servers: Vec::new(),
            client_id: String::new(),
            acks: Acks::Leader,
            retries: 0,
            max_block: Duration::from_secs(60),
            max_in_flight: 5,
            request_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(120),
            linger: Duration::ZERO,
            batch_size: 64 << 10,
            buffer_memory: 32 << 20,
            max_request_size: 1 << 20,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            metadata_max_age: Duration::from_secs(300),
            metadata_max_idle: Duration::from_secs(300),
            allow_auto_create_topics: true,
            connections_max_idle: Some(Duration::from_secs(540)),
            connection_setup_timeout: Duration::from_secs(10),
            connection_setup_timeout_max: Duration::from_secs(30),
            dialer: None,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            close_timeout: Duration::from_secs(30),
            partitioning: Partitioning::DEFAULT,
            interceptors: Vec::new(),
            security_protocol: SecurityProtocol::Plaintext,
            tls: TlsConfig::default(),
            sasl: None,
            credentials: None,
            token_refresh: TokenRefresh::default(),
            idempotence: false,
            gapless: false,
            compression: Compression::None,
            levels: Levels::default(),
            full_buffer: FullBuffer::Block,
            topics: BTreeMap::new(),
            oidc: OidcKeys::default(),
            chosen: Chosen::default(),
            origins: Origins::default(),
            providers: Providers::default(),
            warnings: Vec::new(),
        }
    }

    fn set_bootstrap_servers(&mut self, text: &str) -> Result<(), Error> {
        let servers = address::parse_list(text)?;
        self.chosen.bootstrap_error = None;
        self.chosen.bootstrap_protocol = servers.iter().find_map(|server| server.protocol);
        self.bootstrap_servers = servers.into_iter().map(|server| server.address).collect();
        Ok(())
    }
}
