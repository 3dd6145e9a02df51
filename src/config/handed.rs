//! What an application hands in of rustls: its whole configuration of TLS, or the cryptography.

use std::fmt;

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;

use crate::config::Config;
use crate::config::effective::{CRYPTO_PROVIDER, RUSTLS};
use crate::config::validate::wrong;
use crate::error::Error;
use crate::sync::Arc;

/// What was handed in.
#[derive(Clone, Default)]
pub(crate) struct Handed {
    pub(crate) config: Option<Arc<ClientConfig>>,
    pub(crate) provider: Option<Arc<CryptoProvider>>,
}

impl fmt::Debug for Handed {
    /// Their own words are pages long, and their certificates' keys are not ours to show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed")
            .field("config", &self.config.is_some())
            .field("provider", &self.provider.is_some())
            .finish()
    }
}

impl Config {
    /// The setters below that were used.
    pub(super) fn handed(&self) -> impl Iterator<Item = &'static str> + use<> {
        let Handed { config, provider } = &self.tls.handed;
        let config = config.is_some().then_some(RUSTLS);
        let provider = provider.is_some().then_some(CRYPTO_PROVIDER);
        config.into_iter().chain(provider)
    }

    /// Refuses settings that a whole configuration of TLS leaves without effect.
    pub(super) fn check_handed(&mut self) -> Result<(), Error> {
        let Handed { config, provider } = &self.tls.handed;
        if config.is_some() {
            let provider = (CRYPTO_PROVIDER, provider.is_some());
            let mut others = self.tls_settings().into_iter().chain([provider]);
            if let Some((other, _)) = others.find(|(_, is_set)| *is_set) {
                return Err(wrong(format!(
                    "{RUSTLS} is the whole of TLS, and {other} is set too: keep one of them"
                )));
            }
        }
        if !self.security_protocol.has_tls() {
            for what in self.handed() {
                let protocol = self.security_protocol;
                self.note(format!(
                    "{what} has no effect: security.protocol is {protocol}, which has no TLS"
                ));
            }
        }
        Ok(())
    }
}

/// TLS as rustls has it; these two take types of rustls 0.23, which this crate re-exports as
/// `milena::rustls`.
impl Config {
    /// The whole of TLS, for what the `ssl_*` settings cannot say: a verifier or a client
    /// certificate of the application's own, a key in hardware.
    ///
    /// Whoever hands it in answers for it: certificates are verified as it says, names too, and the
    /// files behind it are not read again when they change. Takes effect where
    /// [`security_protocol`](Self::security_protocol) has TLS. Setting any of `ssl.*`, or
    /// [`crypto_provider`](Self::crypto_provider), as well is an error of `Producer::new`.
    ///
    /// Defaults to none: TLS is made of the settings. Needs the feature `tls`.
    ///
    /// Java's name: none; `ssl.engine.factory.class` is the nearest.
    ///
    /// ```
    /// # #[cfg(feature = "tls-graviola")] {
    /// use milena::{Config, SecurityProtocol, rustls};
    /// use rustls::{ClientConfig, RootCertStore};
    ///
    /// # let provider = std::sync::Arc::new(rustls_graviola::default_provider());
    /// let tls = ClientConfig::builder_with_provider(provider)
    ///     .with_safe_default_protocol_versions()
    ///     .expect("the provider has suites for both")
    ///     .with_root_certificates(RootCertStore::empty())
    ///     .with_no_client_auth();
    /// let config = Config::new("kafka-1:9093")
    ///     .security_protocol(SecurityProtocol::Ssl)
    ///     .rustls(tls);
    /// # let _ = config;
    /// # }
    /// ```
    pub fn rustls(mut self, config: impl Into<Arc<ClientConfig>>) -> Self {
        self.tls.handed.config = Some(config.into());
        self.by_code(RUSTLS)
    }

    /// The cryptography of TLS.
    ///
    /// Defaults to the process's (`CryptoProvider::install_default`) if there is one, else to that
    /// of the feature `tls-graviola`, else to that of `tls-ring`. Needs the feature `tls`.
    ///
    /// Java's name: none; `ssl.provider` is the nearest.
    ///
    /// ```
    /// # #[cfg(feature = "tls-graviola")] {
    /// use milena::Config;
    ///
    /// let provider = rustls_graviola::default_provider();
    /// let config = Config::new("kafka-1:9093").crypto_provider(provider);
    /// # let _ = config;
    /// # }
    /// ```
    pub fn crypto_provider(mut self, provider: impl Into<Arc<CryptoProvider>>) -> Self {
        self.tls.handed.provider = Some(provider.into());
        self.by_code(CRYPTO_PROVIDER)
    }
}
