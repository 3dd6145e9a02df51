//! Whether a broker's certificate is good.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::refusal::Presented;
use super::revocation::Revocation;
use super::roots::Trust;

/// Verifies as rustls does, with three differences: the name can be left out (an empty
/// `ssl.endpoint.identification.algorithm`), a broker may present a certificate of the trust store
/// itself, as it may to Java, and who is refused is told with all that the certificate says.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    revocation: Option<Revocation>,
    verifies_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(
        trust: Trust,
        revocation: Option<Revocation>,
        verifies_name: bool,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self {
            trust,
            revocation,
            verifies_name,
            algorithms,
        }
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        self.verify_chain(end_entity, &parsed, intermediates, host, now)?;
        match self.verifies_name {
            true => verify_server_name(&parsed, host),
            false => Ok(()),
        }
    }

    fn verify_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let result = verify_server_cert_signed_by_trust_anchor(
            parsed,
            &self.trust.authorities,
            intermediates,
            now,
            self.algorithms.all,
        );
        match result {
            Err(error) if is_authority(&error) && self.trust.certificates.contains(end_entity) => {
                Ok(())
            }
            Ok(()) => match &self.revocation {
                Some(lists) => lists.verify(end_entity, intermediates, server_name, now),
                None => Ok(()),
            },
            other => other,
        }
    }
}

/// True if all that is wrong is that the broker presents the certificate of an authority (`openssl
/// req -x509` makes such). The verification has checked the dates by then; the test with an expired
/// one holds that.
fn is_authority(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            other.0.to_string() == "CaUsedAsEndEntity"
        }
        _ => false,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verify(end_entity, intermediates, server_name, now);
        verified
            .map(|()| ServerCertVerified::assertion())
            .map_err(|error| {
                let presented = Presented {
                    end_entity,
                    intermediates,
                    host: server_name,
                    trusted: &self.trust.origin,
                };
                presented.refused(error)
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
