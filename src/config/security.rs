//! Settings of TLS and SASL.

use std::fmt;
use std::path::PathBuf;

use crate::config::{OidcConfig, Secret};
use crate::oauth::AnyTokenSource;

/// Whether connections are encrypted, and whether the client names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecurityProtocol {
    /// Neither encryption nor authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL authentication over an unencrypted connection: PLAIN sends the password readable.
    SaslPlaintext,
    /// SASL authentication over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    const ALL: [Self; 4] = [
        Self::Plaintext,
        Self::Ssl,
        Self::SaslPlaintext,
        Self::SaslSsl,
    ];

    /// The protocol of that name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }

    pub(crate) fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    pub(crate) fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2, `TLSv1.2`.
    V1_2,
    /// TLS 1.3, `TLSv1.3`.
    V1_3,
}

/// What `ssl.*` says.
#[derive(Clone, Debug)]
pub(crate) struct TlsConfig {
    /// Trusted certificates; `None` is the built-in web roots.
    pub(crate) truststore: Option<PemSource>,
    /// `ssl.crl.location`
    pub(crate) crl: Option<PathBuf>,
    /// What the client shows of itself.
    pub(crate) keystore: KeyStore,
    pub(crate) versions: TlsVersions,
    /// `ssl.cipher.suites`; none are all that the cryptography has.
    pub(crate) suites: Vec<String>,
    #[cfg(feature = "tls")]
    pub(crate) handed: super::handed::Handed,
    /// False if `ssl.endpoint.identification.algorithm` is empty.
    pub(crate) verify_host_name: bool,
}

impl TlsConfig {
    /// Works with the cryptography that an application handed in for others, and no more of it.
    #[cfg_attr(
        not(feature = "tls"),
        allow(unused_mut, unused_variables, reason = "nothing was")
    )]
    pub(super) fn with_cryptography_of(mut self, others: &Self) -> Self {
        #[cfg(feature = "tls")]
        {
            let handed = &others.handed;
            let whole = handed.config.as_ref();
            let whole = whole.map(|config| config.crypto_provider());
            self.handed.provider = handed.provider.as_ref().or(whole).cloned();
        }
        self
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            truststore: None,
            crl: None,
            keystore: KeyStore::default(),
            versions: TlsVersions::default(),
            suites: Vec::new(),
            #[cfg(feature = "tls")]
            handed: super::handed::Handed::default(),
            verify_host_name: true,
        }
    }
}

/// Where PEM text comes from.
#[derive(Clone)]
pub(crate) enum PemSource {
    /// `ssl.truststore.location`
    File(PathBuf),
    /// `ssl.truststore.certificates`
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "only TLS has it"))]
    Inline(Secret),
    /// `ssl.truststore.type=OS`
    System,
}

impl PemSource {
    /// How to make a PEM file of a Java key store, for errors about one.
    pub(crate) fn how_to_convert(path: &str) -> String {
        format!(
            "convert it with `keytool -list -rfc -keystore {path} > {path}.pem` \
             (or, for PKCS12, `openssl pkcs12 -in {path} -nokeys -out {path}.pem`) \
             and set ssl.truststore.type=PEM, ssl.truststore.location={path}.pem"
        )
    }
}

impl fmt::Debug for PemSource {
    /// Certificates are no secret, but a private key may have been pasted along with them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline(_) => f.write_str("Inline([hidden])"),
            Self::System => f.write_str("System"),
        }
    }
}

/// The client's private key and certificates: in one file, or as text. Checked settings have one of
/// these, or none.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyStore {
    /// `ssl.keystore.location`
    pub(crate) location: Option<PathBuf>,
    /// `ssl.keystore.key`
    pub(crate) key: Option<Secret>,
    /// `ssl.key.password`
    pub(crate) key_password: Option<Secret>,
    /// `ssl.keystore.certificate.chain`; hidden, since a key may have been pasted along.
    pub(crate) chain: Option<Secret>,
}

impl KeyStore {
    pub(super) fn is_set(&self) -> bool {
        self.location.is_some() || self.key.is_some() || self.chain.is_some()
    }

    /// How to make a PEM file of a Java key store, for errors about one.
    pub(crate) fn how_to_convert(path: &str) -> String {
        format!(
            "convert it with `openssl pkcs12 -in {path} -nodes -out {path}.pem` (a JKS store first \
             with `keytool -importkeystore -srckeystore {path} -destkeystore {path}.p12 \
             -deststoretype PKCS12`) and set ssl.keystore.type=PEM, \
             ssl.keystore.location={path}.pem"
        )
    }
}

/// `ssl.enabled.protocols`, less what `ssl.protocol` excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TlsVersions {
    pub(crate) v1_2: bool,
    pub(crate) v1_3: bool,
}

impl TlsVersions {
    const NONE: Self = Self {
        v1_2: false,
        v1_3: false,
    };

    pub(super) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    fn with(mut self, version: TlsVersion) -> Self {
        match version {
            TlsVersion::V1_2 => self.v1_2 = true,
            TlsVersion::V1_3 => self.v1_3 = true,
        }
        self
    }
}

impl Default for TlsVersions {
    fn default() -> Self {
        Self {
            v1_2: true,
            v1_3: true,
        }
    }
}

impl FromIterator<TlsVersion> for TlsVersions {
    fn from_iter<I: IntoIterator<Item = TlsVersion>>(versions: I) -> Self {
        versions.into_iter().fold(Self::NONE, Self::with)
    }
}

/// `sasl.*`, the mechanism with its credentials.
#[derive(Clone, Debug)]
pub(crate) enum SaslConfig {
    Plain {
        username: String,
        password: Secret,
    },
    Scram(ScramConfig),
    OauthBearer(AnyTokenSource),
    /// The same, with a source that settings describe.
    Oidc(Box<OidcConfig>),
}

impl SaslConfig {
    pub(crate) fn mechanism(&self) -> Mechanism {
        match self {
            Self::Plain { .. } => Mechanism::Plain,
            Self::Scram(scram) => Mechanism::Scram(scram.hash),
            Self::OauthBearer(_) | Self::Oidc(_) => Mechanism::OauthBearer,
        }
    }

    /// User name and password, where the mechanism has them.
    pub(crate) fn user(&self) -> Option<(&str, &Secret)> {
        match self {
            Self::Plain { username, password } => Some((username, password)),
            Self::Scram(scram) => Some((&scram.username, &scram.password)),
            Self::OauthBearer(_) | Self::Oidc(_) => None,
        }
    }
}

/// The credentials of SCRAM.
#[derive(Clone, Debug)]
pub(crate) struct ScramConfig {
    pub(crate) hash: ScramHash,
    pub(crate) username: String,
    pub(crate) password: Secret,
    /// `tokenauth=true`: the user name is the id of a delegation token, and the password its HMAC.
    pub(crate) is_token: bool,
}

/// `sasl.mechanism`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Plain,
    Scram(ScramHash),
    OauthBearer,
}

impl Mechanism {
    pub(super) const ALL: [Self; 4] = [
        Self::Plain,
        Self::Scram(ScramHash::Sha256),
        Self::Scram(ScramHash::Sha512),
        Self::OauthBearer,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(hash) => hash.name(),
            Self::OauthBearer => "OAUTHBEARER",
        }
    }

    pub(super) fn is_built_in(self) -> bool {
        match self {
            Self::Plain | Self::OauthBearer => true,
            Self::Scram(_) => cfg!(feature = "scram"),
        }
    }

    /// The class of Java's that `sasl.jaas.config` has to name.
    pub(super) fn login_module(self) -> &'static str {
        match self {
            Self::Plain => "org.apache.kafka.common.security.plain.PlainLoginModule",
            Self::Scram(_) => "org.apache.kafka.common.security.scram.ScramLoginModule",
            Self::OauthBearer => {
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
            }
        }
    }
}

/// The hash of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScramHash {
    Sha256,
    Sha512,
}

impl ScramHash {
    /// That of the mechanism.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }
}
