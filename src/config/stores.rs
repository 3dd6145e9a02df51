//! What vouches for brokers besides a file of authorities: the system's, and lists of revoked
//! certificates.

use std::path::Path;

use crate::config::validate::wrong;
use crate::config::value::Setting;
use crate::config::{Config, PemSource};
use crate::error::Error;

impl Config {
    /// Trusts the authorities that the operating system trusts. Replaces
    /// [`ssl_truststore_file`](Self::ssl_truststore_file) and
    /// [`ssl_truststore_pem`](Self::ssl_truststore_pem).
    ///
    /// On Linux these are OpenSSL's, and the variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name
    /// others; on macOS and Windows they are those of the key chain and of the certificate store. A
    /// store without certificates is an error of `Producer::new`. New connections see what has
    /// changed in it.
    ///
    /// Defaults to Mozilla's list, which is built in. Needs the feature `os-roots`.
    ///
    /// The setting's name: `ssl.truststore.type=OS`. Java knows `KeychainStore` and `Windows-ROOT`
    /// there, and librdkafka has `ssl.ca.location=probe`.
    ///
    /// ```
    /// use milena::{Config, SecurityProtocol};
    ///
    /// let config = Config::new("kafka-1:9093")
    ///     .security_protocol(SecurityProtocol::Ssl)
    ///     .ssl_truststore_os();
    /// ```
    pub fn ssl_truststore_os(mut self) -> Self {
        self.tls.truststore = Some(PemSource::System);
        self.origins.forget("ssl.truststore.location");
        self.origins.forget("ssl.truststore.certificates");
        self.by_code("ssl.truststore.type")
    }

    /// A file with lists of revoked certificates (CRL), as PEM, any number of them, or one as DER.
    ///
    /// A broker whose certificate is on one is refused. So is one of whose issuer the file has no
    /// list, or one that has expired: what is not known to be good does not pass, as in librdkafka.
    /// Authorities between the broker's certificate and the trusted one are looked up where the
    /// file has a list of their issuer. New connections see a file that has changed.
    ///
    /// Defaults to none: nothing is known to be revoked. Certificates that are themselves in the
    /// trust store are not looked up.
    ///
    /// librdkafka's name, taken by [`set`](Self::set) too: `ssl.crl.location`. Java has none.
    ///
    /// ```
    /// use milena::{Config, SecurityProtocol};
    ///
    /// let config = Config::new("kafka-1:9093")
    ///     .security_protocol(SecurityProtocol::Ssl)
    ///     .ssl_truststore_file("/etc/kafka/ca.pem")
    ///     .ssl_crl_file("/etc/kafka/ca-crl.pem");
    /// ```
    pub fn ssl_crl_file(mut self, path: impl AsRef<Path>) -> Self {
        self.tls.crl = Some(path.as_ref().to_owned());
        self.by_code("ssl.crl.location")
    }

    pub(super) fn read_crl_location(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.tls.crl = (!setting.value.is_empty()).then(|| setting.value.into());
        Ok(())
    }

    pub(super) fn read_truststore_type(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        let is_system = matches!(self.tls.truststore, Some(PemSource::System));
        if setting.is("PEM") {
            if is_system {
                self.tls.truststore = None;
            }
            Ok(())
        } else if setting.is("OS") {
            if self.tls.truststore.is_some() && !is_system {
                return Err(setting.refused(
                    "ssl.truststore.location or ssl.truststore.certificates is set too; keep one \
                     of them",
                ));
            }
            self.tls.truststore = Some(PemSource::System);
            Ok(())
        } else if setting.is("JKS") || setting.is("PKCS12") {
            Err(setting.wrong(&format!(
                "is a format of Java's, and this producer reads PEM: {}",
                PemSource::how_to_convert("truststore")
            )))
        } else {
            Err(setting.wrong("is neither PEM nor OS"))
        }
    }

    /// Refuses a file or text where the system's store was asked for.
    pub(super) fn no_system_store(&self, setting: &Setting<'_>) -> Result<(), Error> {
        match self.tls.truststore {
            Some(PemSource::System) => {
                Err(setting.refused("ssl.truststore.type is OS; keep one of them"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_stores(&self) -> Result<(), Error> {
        match self.tls.truststore {
            Some(PemSource::System) if cfg!(not(feature = "os-roots")) => Err(wrong(
                "ssl.truststore.type is OS: build milena with its feature \"os-roots\"",
            )),
            _ => Ok(()),
        }
    }
}
