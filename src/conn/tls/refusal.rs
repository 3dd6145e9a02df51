//! Why a broker's certificate is refused, with all that it says of itself and what to do.

use std::fmt;

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, OtherError};

use crate::sync::Arc;

use super::explain::{self, date};
use super::x509::{self, Names};

/// How many certificates of a chain are told.
const CHAIN_SHOWN_MAX: usize = 8;

/// What a broker has shown, and what was expected of it.
pub(super) struct Presented<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) host: &'a ServerName<'a>,
    /// Where the certificates of the authorities come from.
    pub(super) trusted: &'a str,
}

impl Presented<'_> {
    /// The error of the verification in words for a person.
    pub(super) fn refused(&self, error: Error) -> Error {
        match error {
            Error::InvalidCertificate(why) => {
                let refusal = OtherError(Arc::new(Refusal(self.text(&why))));
                Error::InvalidCertificate(CertificateError::Other(refusal))
            }
            other => other,
        }
    }

    fn text(&self, why: &CertificateError) -> String {
        let (what, advice) = (self.what(why), self.advice(why));
        let Some(names) = x509::names(self.end_entity) else {
            return format!("{what}; its names and dates cannot be read; {advice}");
        };
        let dates = names.valid.map_or("unknown".into(), |(from, until)| {
            format!("from {} to {}", date(&from), date(&until))
        });
        format!(
            "{what}; its names are {}; its subject is {}; its issuer is {}; it is valid {dates}; \
             {advice}",
            names.hosts_text(),
            names.subject,
            names.issuer
        )
    }

    fn what(&self, why: &CertificateError) -> String {
        let above = match why {
            CertificateError::ExpiredContext { not_after, .. } => {
                self.above(|(_, until)| until == *not_after)
            }
            CertificateError::NotValidYetContext { not_before, .. } => {
                self.above(|(from, _)| from == *not_before)
            }
            CertificateError::UnknownIssuer => return self.unknown_issuer(),
            CertificateError::NotValidForNameContext { .. } => {
                return format!("it is not for {}", self.host.to_str());
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                return "its extended key usage does not have serverAuth".into();
            }
            _ => None,
        };
        let said = explain::of_certificate(why);
        match above {
            None => said,
            Some(names) => format!("that of {}, which it depends on: {said}", names.subject),
        }
    }

    fn advice(&self, why: &CertificateError) -> String {
        match why {
            CertificateError::NotValidForNameContext { .. } => {
                let kind = match self.host {
                    ServerName::IpAddress(_) => "IP",
                    _ => "DNS",
                };
                let host = self.host.to_str();
                format!(
                    "the name asked for is the host that bootstrap.servers or the broker's \
                     advertised.listeners say: put one of its names there, or give the broker a \
                     certificate with the subject alternative name {kind}:{host}"
                )
            }
            CertificateError::UnknownIssuer => match self.is_self_signed() {
                true => "if it is the right one, set ssl.truststore.location to a PEM file with \
                         it"
                .into(),
                false => "set ssl.truststore.location to a PEM file with the certificate of the \
                          issuer, or let the broker send that along if it is an intermediate one"
                    .into(),
            },
            CertificateError::NotValidYetContext { .. } => {
                "is the clock of this machine wrong, or that of the issuer's?".into()
            }
            CertificateError::ExpiredContext { .. } => {
                "the broker needs a new one, unless the clock of this machine is wrong".into()
            }
            CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => {
                "put the newest list of its issuer into that file".into()
            }
            _ => "the broker needs another one".into(),
        }
    }

    /// The first certificate above the broker's own whose dates are these, unless its own are.
    fn above(&self, is_it: impl Fn((UnixTime, UnixTime)) -> bool) -> Option<Names> {
        let has_dates = |names: &Names| names.valid.is_some_and(&is_it);
        if x509::names(self.end_entity).is_some_and(|own| has_dates(&own)) {
            return None;
        }
        let above = self.intermediates.iter().filter_map(|der| x509::names(der));
        above.into_iter().find(has_dates)
    }

    fn is_self_signed(&self) -> bool {
        x509::names(self.end_entity).is_some_and(|names| names.issuer == names.subject)
    }

    fn unknown_issuer(&self) -> String {
        let mut text = "it is not signed by an authority that is trusted: ".to_owned();
        match x509::names(self.end_entity) {
            None => text.push_str("its issuer cannot be read"),
            Some(names) if names.issuer == names.subject => {
                text.push_str(&format!("{} signed itself", names.subject));
            }
            Some(names) => {
                text.push_str(&format!("{} was issued by {}", names.subject, names.issuer));
                let mut above: Vec<_> = self
                    .intermediates
                    .iter()
                    .take(CHAIN_SHOWN_MAX)
                    .filter_map(|der| x509::names(der))
                    .collect();
                // Each is used once, so that no circle is walked for ever.
                let mut issuer = names.issuer;
                while let Some(at) = above.iter().position(|next| next.subject == issuer) {
                    let next = above.swap_remove(at);
                    if next.issuer == next.subject {
                        break;
                    }
                    text.push_str(&format!(", that one by {}", next.issuer));
                    issuer = next.issuer;
                }
            }
        }
        format!("{text}; trusted are those of {}", self.trusted)
    }
}

/// The text, as rustls takes it along.
#[derive(Debug)]
struct Refusal(String);

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
