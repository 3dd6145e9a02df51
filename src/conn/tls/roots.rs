//! The certificates that are trusted.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{PemObject, SectionKind};

use crate::config::PemSource;
use crate::error::Error;

use super::pem::{self, Foreign, wrong};

/// What vouches for brokers.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) authorities: RootCertStore,
    /// The same certificates as bytes; a broker may present one of them itself.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// Where they come from, for messages.
    pub(super) origin: String,
}

/// Loads the certificates of the settings, or the built-in ones.
pub(super) fn load(source: Option<&PemSource>) -> Result<Trust, Error> {
    match source {
        None => Ok(Trust {
            authorities: RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
            certificates: Vec::new(),
            origin: "the public authorities that are built in (ssl.truststore.location is not set)"
                .into(),
        }),
        Some(PemSource::Inline(pem)) => parse(
            &pem::unfolded(pem.expose()),
            "ssl.truststore.certificates".into(),
        ),
        Some(PemSource::System) => {
            let (certificates, errors) = system();
            of_system(certificates, &errors)
        }
        Some(PemSource::File(path)) => {
            let origin = format!("ssl.truststore.location {}", path.display());
            parse(&pem::read(path, &origin)?, origin)
        }
    }
}

/// What the operating system trusts, and what went wrong in finding it.
#[cfg(feature = "os-roots")]
pub(super) fn system() -> (Vec<CertificateDer<'static>>, Vec<String>) {
    let found = rustls_native_certs::load_native_certs();
    let errors = found.errors.iter().map(ToString::to_string);
    (found.certs, errors.collect())
}

#[cfg(not(feature = "os-roots"))]
pub(super) fn system() -> (Vec<CertificateDer<'static>>, Vec<String>) {
    let missing = "the cargo feature \"os-roots\" is not built in";
    (Vec::new(), vec![missing.into()])
}

/// Certificates of a system are often old ones that nothing uses; those that cannot be read are
/// left out.
fn of_system(found: Vec<CertificateDer<'static>>, errors: &[String]) -> Result<Trust, Error> {
    const ORIGIN: &str = "the operating system's trust store (ssl.truststore.type=OS)";
    for error in errors {
        log::warn!("{ORIGIN}: {error}");
    }
    let mut authorities = RootCertStore::empty();
    let (count, left_out) = authorities.add_parsable_certificates(found.iter().cloned());
    if count == 0 {
        let why = match (errors.first(), left_out) {
            (Some(error), _) => format!("no certificate was found: {error}"),
            (None, 0) => "it is empty; install the system's certificates (on Debian the package \
                ca-certificates), or set ssl.truststore.location"
                .into(),
            (None, _) => "none of its certificates can be used".into(),
        };
        return Err(wrong(ORIGIN, &format!("vouches for nobody: {why}")));
    }
    log::debug!("{ORIGIN}: {count} certificates, {left_out} are left out");
    Ok(Trust {
        authorities,
        certificates: found,
        origin: ORIGIN.into(),
    })
}

fn parse(pem: &[u8], origin: String) -> Result<Trust, Error> {
    let mut authorities = RootCertStore::empty();
    let mut certificates = Vec::new();
    let (mut found, mut has_key) = (0, false);
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        // The parser's own words may quote the file, and the file may hold a key.
        match section.map_err(|_| wrong(&origin, "is damaged: it is not well-formed PEM"))? {
            (SectionKind::Certificate, der) => {
                found += 1;
                let certificate = CertificateDer::from(der);
                match authorities.add(certificate.clone()) {
                    Ok(()) => certificates.push(certificate),
                    Err(error) => {
                        log::warn!("{origin}: certificate number {found} is left out: {error}");
                    }
                }
            }
            (
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey,
                _,
            ) => {
                has_key = true;
            }
            _ => {}
        }
    }
    if certificates.is_empty() {
        return Err(wrong(&origin, no_certificate(pem, found, has_key)));
    }
    Ok(Trust {
        authorities,
        certificates,
        origin,
    })
}

fn no_certificate(pem: &[u8], found: usize, has_key: bool) -> &'static str {
    if found > 0 {
        return "holds no certificate that can be used";
    }
    if has_key {
        return "holds a private key but no certificate; it should hold certificates only";
    }
    match pem::foreign(pem) {
        Some(Foreign::Empty) => "is empty",
        Some(Foreign::Jks) => {
            "is a Java key store (JKS), not PEM: export its certificates with \
             `keytool -exportcert -rfc`"
        }
        Some(Foreign::Der) => {
            "is a PKCS#12 or DER file, not PEM: convert it, for example with \
             `openssl pkcs12 -nokeys` or `keytool -exportcert -rfc`"
        }
        None => "holds no certificate (no line says BEGIN CERTIFICATE)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const CA: &str = include_str!("../../../tests/pem/ca.pem");
    const KEY: &str = include_str!("../../../tests/pem/good.key");

    fn load_text(pem: &str) -> Result<Trust, Error> {
        load(Some(&PemSource::Inline(pem.into())))
    }

    #[test]
    fn a_truststore_that_cannot_work_is_named_and_never_quoted() {
        let key_line = KEY.lines().nth(1).unwrap();
        let half = &CA[..CA.len() / 2];
        for (pem, says) in [
            ("", "is empty"),
            (" \r\n", "is empty"),
            (KEY, "private key but no certificate"),
            ("hello", "no line says BEGIN CERTIFICATE"),
            (half, "damaged"),
            (&CA.replace("MII", "M*I"), "damaged"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "no certificate that can be used",
            ),
        ] {
            let error = load_text(pem).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(text.contains("ssl.truststore.certificates"), "{text}");
            assert!(text.contains(says) && !text.contains(key_line), "{text}");
        }
    }

    #[test]
    fn a_file_is_named_by_setting_and_path() {
        let missing = load(Some(&PemSource::File("/no/such/ca.pem".into()))).unwrap_err();
        let text = missing.to_string();
        assert!(text.starts_with("ssl.truststore.location /no/such/ca.pem cannot be read"));
        let binary = parse(&[0x30, 0x82, 1, 2, 3], "it".into()).unwrap_err();
        assert!(binary.to_string().contains("PKCS#12"));
    }

    #[test]
    fn the_system_vouches_for_somebody_or_the_error_says_why() {
        let good = CertificateDer::from_pem_slice(CA.as_bytes()).unwrap();
        let bad = CertificateDer::from(vec![1, 2, 3]);
        let trust = of_system(vec![bad.clone(), good.clone()], &["one is odd".into()]).unwrap();
        assert_eq!(trust.authorities.len(), 1);
        assert!(trust.certificates.contains(&good) && trust.origin.contains("type=OS"));
        for (found, errors, says) in [
            (vec![], vec![], "it is empty; install"),
            (
                vec![],
                vec!["no such file".to_owned()],
                "no certificate was found: no such file",
            ),
            (vec![bad], vec![], "none of its certificates can be used"),
        ] {
            let error = of_system(found, &errors).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let text = error.to_string();
            assert!(
                text.contains("vouches for nobody") && text.contains(says),
                "{text}"
            );
        }
        if cfg!(not(feature = "os-roots")) {
            let text = load(Some(&PemSource::System)).unwrap_err().to_string();
            assert!(text.contains("\"os-roots\""), "{text}");
        }
    }

    #[test]
    fn all_authorities_are_loaded_whatever_else_stands_between() {
        let two = format!("subject=/CN=x\n{CA}\n{KEY}{CA}").replace('\n', "\r\n");
        assert_eq!(load_text(&two).unwrap().authorities.len(), 2);
        assert!(load(None).unwrap().authorities.len() > 50);
    }
}
