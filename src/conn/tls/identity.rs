//! The certificate that this client shows to brokers, and the key that proves it.

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey};

use crate::config::{KeyStore, Secret};
use crate::error::Error;
use crate::sync::Arc;
use crate::time::wall_clock_ms;

use super::explain::date;
use super::pem::{self, Foreign, wrong};
use super::{encrypted, pkcs8, x509};

const KEY: &str = "ssl.keystore.key";
const CHAIN: &str = "ssl.keystore.certificate.chain";

/// A certificate chain with the key of its first certificate.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) shown: Arc<Shown>,
}

/// A client certificate, for messages.
#[derive(Debug)]
pub(super) struct Shown {
    /// Whose it is, since when, until when, and where it comes from.
    pub(super) text: String,
    pub(super) valid: Option<(UnixTime, UnixTime)>,
}

impl Shown {
    /// That of a configuration which the application made.
    pub(super) fn handed() -> Arc<Self> {
        Arc::new(Self {
            text: "the application (Config::rustls)".into(),
            valid: None,
        })
    }

    /// What is wrong with its dates now.
    pub(super) fn fault(&self) -> Option<String> {
        let (from, until) = self.valid?;
        let now = u64::try_from(wall_clock_ms() / 1000).unwrap_or_default();
        if until.as_secs() < now {
            Some(format!("expired on {}", date(&until)))
        } else if from.as_secs() > now {
            Some(format!("is not valid before {}", date(&from)))
        } else {
            None
        }
    }
}

/// Loads what the settings name; `None` if they name nothing. What brokers may refuse is warned
/// about.
pub(super) fn load(store: &KeyStore, provider: &CryptoProvider) -> Result<Option<Identity>, Error> {
    let password = store.key_password.as_ref();
    let identity = match store {
        KeyStore {
            location: Some(path),
            ..
        } => {
            let origin = format!("ssl.keystore.location {}", path.display());
            let pem = pem::read(path, &origin)?;
            let key = private_key(&pem, password, &origin)?;
            certified(key, certificates(&pem, &origin)?, provider, [&origin; 2])?
        }
        KeyStore {
            key: Some(key),
            chain: Some(chain),
            ..
        } => {
            let key = private_key(&pem::unfolded(key.expose()), password, KEY)?;
            let chain = certificates(&pem::unfolded(chain.expose()), CHAIN)?;
            certified(key, chain, provider, [KEY, CHAIN])?
        }
        _ => return Ok(None),
    };
    Ok(Some(identity))
}

/// The only private key. The words of the parser are left out of errors, as they may quote it.
fn private_key(
    pem: &[u8],
    password: Option<&Secret>,
    origin: &str,
) -> Result<PrivateKeyDer<'static>, Error> {
    if holds(pem, "4,ENCRYPTED") {
        let what = format!(
            "holds a private key that is encrypted as before PKCS#8: {}",
            encrypted::REMEDY
        );
        return Err(wrong(origin, &what));
    }
    let mut keys = Vec::new();
    for section in sections(pem) {
        let (kind, der) = section.map_err(|()| damaged(origin))?;
        keys.extend(PrivateKeyDer::from_pem(kind, der));
    }
    let is_encrypted = keys.is_empty();
    if is_encrypted {
        for section in sections(&encrypted::relabelled(pem)) {
            let (_, der) = section.map_err(|()| damaged(origin))?;
            keys.push(encrypted::decrypted(&der, password).map_err(|what| wrong(origin, &what))?);
        }
    }
    let count = keys.len();
    match keys.pop() {
        Some(key) if count == 1 => {
            if password.is_some() && !is_encrypted {
                log::warn!("ssl.key.password has no effect: {origin} holds a key as it is");
            }
            Ok(key)
        }
        Some(_) => Err(wrong(
            origin,
            &format!("holds {count} private keys; keep that of the certificate"),
        )),
        None => Err(wrong(origin, &no_key(pem))),
    }
}

fn certificates(pem: &[u8], origin: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut certificates = Vec::new();
    for section in sections(pem) {
        if let (SectionKind::Certificate, der) = section.map_err(|()| damaged(origin))? {
            certificates.push(CertificateDer::from(der));
        }
    }
    match certificates.is_empty() {
        true => Err(wrong(
            origin,
            "holds no certificate (no line says BEGIN CERTIFICATE); the client's belongs there, \
             followed by that of its issuer",
        )),
        false => Ok(certificates),
    }
}

fn sections(pem: &[u8]) -> impl Iterator<Item = Result<(SectionKind, Vec<u8>), ()>> {
    <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).map(|section| section.map_err(drop))
}

fn holds(pem: &[u8], text: &str) -> bool {
    let mut windows = pem.windows(text.len());
    windows.any(|window| window == text.as_bytes())
}

fn damaged(origin: &str) -> Error {
    wrong(origin, "is damaged: it is not well-formed PEM")
}

fn no_key(pem: &[u8]) -> String {
    let foreign = match pem::foreign(pem) {
        Some(Foreign::Empty) => return "is empty".into(),
        Some(Foreign::Jks) => "is a Java key store (JKS)",
        Some(Foreign::Der) => "is a PKCS#12 or DER file",
        None => return "holds no private key (no line says BEGIN PRIVATE KEY)".into(),
    };
    let conversion = KeyStore::how_to_convert("keystore");
    format!("{foreign}, not PEM: {conversion}")
}

/// Checks that key and certificates belong together. `origins` are where both come from.
fn certified(
    key: PrivateKeyDer<'static>,
    chain: Vec<CertificateDer<'static>>,
    provider: &CryptoProvider,
    origins: [&str; 2],
) -> Result<Identity, Error> {
    let [of_key, of_chain] = origins;
    let names: Vec<_> = chain.iter().map(|der| x509::names(der)).collect();
    let subject = |index: usize| match names.get(index) {
        Some(Some(names)) => names.subject.as_str(),
        _ => "somebody whose name cannot be read",
    };
    let unfit = || {
        format!(
            "holds the certificate of {}, which the private key does not fit: both have to be of \
             one pair",
            subject(0)
        )
    };
    let key = match loaded(key, &chain, provider) {
        Ok(key) => key,
        Err(Unloaded::Unfit) => return Err(wrong(of_chain, &unfit())),
        Err(Unloaded::Unknown) => {
            let what = "holds a private key that cannot be used: RSA from 2048 bits on, EC on \
                P-256 or P-384, and Ed25519 can";
            return Err(wrong(of_key, what));
        }
    };
    if !chain.first().is_some_and(|first| fits(&key, first)) {
        let what = match chain.iter().position(|other| fits(&key, other)) {
            Some(index) => format!(
                "holds the certificates in the wrong order: the private key is that of number {} \
                 ({}), which has to come first, followed by that of its issuer",
                index + 1,
                subject(index)
            ),
            None => unfit(),
        };
        return Err(wrong(of_chain, &what));
    }
    let shown = told(names, of_chain);
    let certified = CertifiedKey::new(chain, key);
    Ok(Identity {
        certified: Arc::new(certified),
        shown: Arc::new(shown),
    })
}

/// Why a key cannot be loaded.
enum Unloaded {
    Unknown,
    /// It has no public key with it, and that of no certificate fits.
    Unfit,
}

/// The key for the cryptography in use. Where that wants to see the public key and the file does
/// not have it, it is the certificate's.
fn loaded(
    key: PrivateKeyDer<'static>,
    chain: &[CertificateDer<'static>],
    provider: &CryptoProvider,
) -> Result<Arc<dyn SigningKey>, Unloaded> {
    let bare = match &key {
        PrivateKeyDer::Pkcs8(bare) => Some(bare.clone_key()),
        _ => None,
    };
    let load = |key| provider.key_provider.load_private_key(key).ok();
    if let Some(key) = load(key) {
        return Ok(key);
    }
    let bare = bare.ok_or(Unloaded::Unknown)?;
    let mut unloaded = Unloaded::Unknown;
    for certified in chain.iter().filter_map(|der| x509::public_key(der)) {
        let Some(full) = pkcs8::with_public_key(bare.secret_pkcs8_der(), certified) else {
            continue;
        };
        match load(PrivatePkcs8KeyDer::from(full).into()) {
            Some(key) => return Ok(key),
            None => unloaded = Unloaded::Unfit,
        }
    }
    Err(unloaded)
}

/// True if the certificate is of this key, or the cryptography does not tell. Rustls compares the
/// same, but only reads certificates of X.509 version 3, and brokers take older ones.
fn fits(key: &Arc<dyn SigningKey>, certificate: &[u8]) -> bool {
    key.public_key()
        .is_none_or(|public| x509::public_key(certificate) == Some(public.as_ref()))
}

/// Says whose certificate it is, and warns of what brokers may refuse it for.
fn told(names: Vec<Option<x509::Names>>, origin: &str) -> Shown {
    for (index, pair) in names.windows(2).enumerate() {
        if let [Some(this), Some(next)] = pair
            && this.issuer != next.subject
        {
            log::warn!(
                "{origin}: certificate number {} should be that of {}, who issued the one before \
                 it; it is that of {}",
                index + 2,
                this.issuer,
                next.subject
            );
        }
    }
    let Some(Some(first)) = names.into_iter().next() else {
        return Shown {
            text: format!("somebody whose name cannot be read ({origin})"),
            valid: None,
        };
    };
    let dates = first.valid.map_or(String::new(), |(from, until)| {
        format!(", valid from {} to {}", date(&from), date(&until))
    });
    let shown = Shown {
        text: format!(
            "{}, issued by {}{dates} ({origin})",
            first.subject, first.issuer
        ),
        valid: first.valid,
    };
    if let Some(fault) = shown.fault() {
        let subject = first.subject;
        log::warn!("{origin}: the client certificate of {subject} {fault}: brokers will refuse it");
    }
    shown
}
