//! Lists of revoked certificates.

use std::path::Path;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::{CertRevocationListError, CertificateError, Error as Refusal, RootCertStore};

use crate::error::Error;
use crate::sync::Arc;

use super::pem::{self, Foreign, wrong};

/// Looks certificates up in the lists of `ssl.crl.location`.
#[derive(Debug)]
pub(super) struct Revocation {
    /// Wants a list of the issuer of the broker's certificate, as OpenSSL does.
    broker: Arc<WebPkiServerVerifier>,
    /// Goes through the authorities in between too, where there is a list.
    chain: Arc<WebPkiServerVerifier>,
}

/// Loads the file, if there is one.
pub(super) fn load(
    path: Option<&Path>,
    authorities: &RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Revocation>, Error> {
    let Some(path) = path else {
        return Ok(None);
    };
    let origin = format!("ssl.crl.location {}", path.display());
    let lists = lists(&pem::read(path, &origin)?).map_err(|what| wrong(&origin, what))?;
    let authorities = Arc::new(authorities.clone());
    let builder = || {
        WebPkiServerVerifier::builder_with_provider(authorities.clone(), provider.clone())
            .with_crls(lists.clone())
            .enforce_revocation_expiration()
    };
    let unusable = |error| wrong(&origin, &unusable(&error));
    Ok(Some(Revocation {
        broker: builder()
            .only_check_end_entity_revocation()
            .build()
            .map_err(unusable)?,
        chain: builder()
            .allow_unknown_revocation_status()
            .build()
            .map_err(unusable)?,
    }))
}

fn lists(bytes: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, &'static str> {
    match pem::foreign(bytes) {
        Some(Foreign::Empty) => return Err("is empty"),
        Some(Foreign::Der) => return Ok(vec![bytes.to_vec().into()]),
        Some(Foreign::Jks) => return Err("is a Java key store (JKS), and no list"),
        None => {}
    }
    let mut lists = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        let (kind, der) = section.map_err(|_| "is damaged: it is not well-formed PEM")?;
        if kind == SectionKind::Crl {
            lists.push(der.into());
        }
    }
    match lists.is_empty() {
        true => Err("holds no list of revoked certificates (no line says BEGIN X509 CRL)"),
        false => Ok(lists),
    }
}

fn unusable(error: &VerifierBuilderError) -> String {
    let why = match error {
        VerifierBuilderError::InvalidCrl(
            CertRevocationListError::ParseError | CertRevocationListError::UnsupportedCrlVersion,
        ) => "it is damaged, or of version 1, and 2 is read: `openssl ca -gencrl` makes it where \
            its configuration has a crlnumber"
            .into(),
        VerifierBuilderError::InvalidCrl(CertRevocationListError::UnsupportedDeltaCrl) => {
            "it only has what changed since another, and whole ones are read".into()
        }
        other => other.to_string(),
    };
    format!("holds a list of revoked certificates that cannot be used: {why}")
}

impl Revocation {
    /// Refuses a chain that leads to a trusted authority, if a certificate in it is revoked.
    pub(super) fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        for verifier in [&self.broker, &self.chain] {
            let verified =
                verifier.verify_server_cert(end_entity, intermediates, server_name, &[], now);
            match verified {
                // Names come last, and are for somebody else to judge.
                Ok(_)
                | Err(Refusal::InvalidCertificate(
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                )) => {}
                Err(Refusal::InvalidCertRevocationList(what)) => {
                    log::warn!("ssl.crl.location: a list of an issuer cannot be used: {what:?}");
                    return Err(CertificateError::UnknownRevocationStatus.into());
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }
}
