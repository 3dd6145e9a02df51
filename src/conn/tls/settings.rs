//! What rustls works with, made of the files of the settings, and made anew when these change.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;

use crate::config::{PemSource, TlsConfig};
use crate::error::Error;
use crate::sync::{Arc, Mutex};
use crate::time::now;

use super::identity::Shown;
use super::verifier::Verifier;
use super::{asked, config_error, identity, pem, provider, revocation, roots, suites, versions};

/// How often the files are looked at, at most; only who opens a connection looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The settings that new connections are made with.
#[derive(Debug)]
pub(super) struct Current {
    asked: TlsConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    settings: Arc<Settings>,
    /// Of the files at the last look, whether they were good or not.
    fingerprint: u64,
    looked_at: Instant,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) rustls: Arc<ClientConfig>,
    /// The client certificate, if there is one, for messages.
    pub(super) shown: Option<Arc<Shown>>,
}

impl Current {
    pub(super) fn load(asked: &TlsConfig) -> Result<Self, Error> {
        // What changes between these two is found by the first look.
        let fingerprint = fingerprint(asked);
        let state = State {
            settings: Arc::new(Settings::load(asked)?),
            fingerprint,
            looked_at: now(),
        };
        Ok(Self {
            asked: asked.clone(),
            state: Mutex::new(state),
        })
    }

    /// The settings for a connection that is opened now. Files that have changed and are no good,
    /// or half written, leave the old settings in force.
    pub(super) fn at(&self, now: Instant) -> Arc<Settings> {
        let state = self.state.lock();
        let since = now.saturating_duration_since(state.looked_at);
        if since < LOOK_INTERVAL || !changes(&self.asked) {
            return state.settings.clone();
        }
        let (old, seen) = (state.settings.clone(), state.fingerprint);
        // Others who come meanwhile look themselves: with the old ones, the connection that they
        // open might be the one that the new files are for.
        drop(state);
        let found = fingerprint(&self.asked);
        if found == seen {
            self.state.lock().looked_at = now;
            return old;
        }
        let loaded = Settings::load(&self.asked).map(Arc::new);
        let mut state = self.state.lock();
        (state.looked_at, state.fingerprint) = (now, found);
        if let Ok(new) = &loaded {
            state.settings = new.clone();
        }
        drop(state);
        match loaded {
            Ok(new) => {
                log::info!(
                    "new TLS connections use the files as they are now: {}",
                    new.told()
                );
                new
            }
            Err(error) => {
                log::warn!("new TLS connections go on with the old files: {error}");
                old
            }
        }
    }
}

impl Settings {
    fn load(asked: &TlsConfig) -> Result<Self, Error> {
        if let Some(rustls) = &asked.handed.config {
            return Ok(Self {
                rustls: rustls.clone(),
                shown: rustls
                    .client_auth_cert_resolver
                    .has_certs()
                    .then(Shown::handed),
            });
        }
        let provider =
            suites::restricted(provider(asked.handed.provider.as_ref())?, &asked.suites)?;
        let verifier = verifier(asked, &provider)?;
        let identity = identity::load(&asked.keystore, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(asked.versions)?)
            .map_err(|error| config_error(format!("TLS cannot be set up: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let (shown, certified) = match identity {
            None => (None, None),
            Some(identity) => (Some(identity.shown), Some(identity.certified)),
        };
        let resolver = asked::Resolver(certified.map(SingleCertAndKey::from));
        let rustls = builder.with_client_cert_resolver(Arc::new(resolver));
        Ok(Self {
            rustls: Arc::new(rustls),
            shown,
        })
    }

    fn told(&self) -> &str {
        self.shown
            .as_deref()
            .map_or("no client certificate", |shown| &shown.text)
    }
}

/// Who judges brokers' certificates.
pub(super) fn verifier(
    asked: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier, Error> {
    let trust = roots::load(asked.truststore.as_ref())?;
    let revocation = revocation::load(asked.crl.as_deref(), &trust.authorities, provider)?;
    let algorithms = provider.signature_verification_algorithms;
    Ok(Verifier::new(
        trust,
        revocation,
        asked.verify_host_name,
        algorithms,
    ))
}

/// True if there is something that may change.
fn changes(asked: &TlsConfig) -> bool {
    is_system(asked) || files(asked).next().is_some()
}

fn is_system(asked: &TlsConfig) -> bool {
    matches!(asked.truststore, Some(PemSource::System))
}

fn files(asked: &TlsConfig) -> impl Iterator<Item = &Path> {
    let trust = match &asked.truststore {
        Some(PemSource::File(path)) => Some(path.as_path()),
        _ => None,
    };
    let others = [&asked.keystore.location, &asked.crl];
    let others = others.into_iter().filter_map(Option::as_deref);
    trust.into_iter().chain(others)
}

/// Differs when the content of a file does. Times and lengths are not asked: a new certificate is
/// often as long as the old one, and some file systems count in seconds.
fn fingerprint(asked: &TlsConfig) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in files(asked) {
        pem::bytes(path).ok().hash(&mut hasher);
    }
    if is_system(asked) {
        roots::system().0.hash(&mut hasher);
    }
    hasher.finish()
}
