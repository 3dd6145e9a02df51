//! What a TLS failure means, for a person.

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use crate::error::ErrorKind;

use super::super::diagnosis::{Broken, peer_text};
use super::super::stranger::stranger;
use super::identity::Shown;

/// The failure in words. `first` is how the peer began, if that is known and the handshake goes on;
/// `shown` is the client certificate, if there is one.
pub(super) fn broken(error: &Error, first: &[u8], shown: Option<&Shown>) -> Broken {
    let (kind, text) = match error {
        Error::InvalidMessage(_) if !first.is_empty() && !is_tls(first) => {
            (ErrorKind::Tls, not_tls(first))
        }
        Error::AlertReceived(alert) => of_alert(*alert, shown),
        Error::InvalidCertificate(why) => (
            ErrorKind::Tls,
            format!(
                "the broker's certificate is refused: {}",
                of_certificate(why)
            ),
        ),
        Error::PeerIncompatible(why) => (ErrorKind::Tls, incompatible(why)),
        Error::DecryptError => (ErrorKind::Tls, not_decrypted(shown)),
        other => (ErrorKind::Tls, peer_text(&other.to_string())),
    };
    Broken::Tls(kind, text)
}

/// Old brokers (2.8 with Java 17) send the alert of a client certificate that they miss or refuse
/// so that nobody can decrypt it.
fn not_decrypted(shown: Option<&Shown>) -> String {
    let damaged = "a TLS record was damaged or forged on the way, or the broker";
    match shown {
        None => format!(
            "{damaged} asks for a client certificate, and this client has none \
             (ssl.keystore.location is not set)"
        ),
        Some(shown) => format!("{damaged} refuses the client certificate of {}", shown.text),
    }
}

/// A host that no certificate can be for.
pub(super) fn unnameable(host: &str) -> String {
    let text = format!("{host:?} cannot be the name in a certificate");
    match host.is_ascii() {
        true => text,
        false => format!("{text}: write it in its ASCII form, which begins with xn--"),
    }
}

/// The broker closed in the handshake, or before it began. `doubt` is what it may have against us.
pub(super) fn closed(first: &[u8], doubt: Option<String>) -> Broken {
    if !is_tls(first) {
        return Broken::Closed {
            inside_frame: false,
        };
    }
    let doubt = doubt.unwrap_or_else(|| "its log may say why".into());
    let text = format!("the broker closed the connection in the middle, without a word: {doubt}");
    Broken::Tls(ErrorKind::Connection, text)
}

fn is_tls(first: &[u8]) -> bool {
    matches!(first, [0x14..=0x17, 0x03, ..])
}

fn not_tls(first: &[u8]) -> String {
    match stranger(first) {
        Some(other) => format!("the peer speaks {other}, not TLS: is this the right port?"),
        None if first.starts_with(&[0]) => "the peer did not answer with TLS, but with what may \
            be a frame of Kafka: is this a plain-text listener?"
            .into(),
        None => "the peer did not answer with TLS: is this a plain-text listener?".into(),
    }
}

/// What the broker refuses us for.
fn of_alert(alert: AlertDescription, shown: Option<&Shown>) -> (ErrorKind, String) {
    use AlertDescription as Alert;
    let name = format!("TLS alert {} ({alert:?})", u8::from(alert));
    if let Some(text) = shown.and_then(|shown| of_certificate_shown(alert, shown)) {
        return (ErrorKind::Authentication, format!("{text}: {name}"));
    }
    match alert {
        // Without a certificate of ours none can be bad: it is missing.
        Alert::CertificateRequired | Alert::BadCertificate | Alert::NoCertificate => (
            ErrorKind::Authentication,
            format!(
                "the broker asks for a client certificate (ssl.client.auth=required), and this \
                 client has none (ssl.keystore.location is not set): {name}"
            ),
        ),
        Alert::HandshakeFailure => (
            ErrorKind::Tls,
            match shown {
                None => format!(
                    "the broker has no TLS cipher in common with this client, or asks for a client \
                     certificate, and this client has none: {name}"
                ),
                Some(shown) => format!(
                    "the broker has no TLS cipher in common with this client, or does not take \
                     its certificate, {}: {name}",
                    shown.text
                ),
            },
        ),
        Alert::ProtocolVersion => (
            ErrorKind::Tls,
            format!("the broker speaks none of the versions of ssl.enabled.protocols: {name}"),
        ),
        Alert::UnrecognisedName => (
            ErrorKind::Tls,
            format!("the broker does not know the host name it was called by: {name}"),
        ),
        _ => (ErrorKind::Tls, format!("the broker refused: {name}")),
    }
}

/// What a broker has against the certificate that it was shown; `None` if that is not the matter.
fn of_certificate_shown(alert: AlertDescription, shown: &Shown) -> Option<String> {
    use AlertDescription as Alert;
    let may_be_dates = matches!(
        alert,
        Alert::CertificateUnknown | Alert::CertificateExpired | Alert::BadCertificate
    );
    // Java's brokers do not tell a date that has passed from an issuer that is not known.
    if let Some(fault) = shown.fault().filter(|_| may_be_dates) {
        let shown = &shown.text;
        return Some(format!(
            "the broker refuses the client certificate, which {fault}: {shown}"
        ));
    }
    let shown = &shown.text;
    Some(match alert {
        Alert::UnknownCA | Alert::CertificateUnknown => format!(
            "the broker does not trust the client certificate of {shown}: is its issuer in the \
             broker's trust store?"
        ),
        Alert::CertificateExpired => {
            format!("to the broker, the client certificate has expired, is a clock wrong? {shown}")
        }
        Alert::CertificateRevoked => {
            format!("to the broker, the client certificate is revoked: {shown}")
        }
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::AccessDenied
        | Alert::DecryptError => {
            format!("the broker refuses the client certificate of {shown}")
        }
        Alert::CertificateRequired | Alert::NoCertificate => format!(
            "the broker takes no signature by the key of the client certificate, so it was not \
             shown that of {shown}"
        ),
        _ => return None,
    })
}

pub(super) fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            format!("it expired on {}, now is {}", date(not_after), date(time))
        }
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "it is valid from {} on, now is {}",
            date(not_before),
            date(time)
        ),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let presented = match presented.is_empty() {
                true => "none (a common name does not count)".into(),
                false => {
                    let names: Vec<_> = presented.iter().map(|name| bare_name(name)).collect();
                    peer_text(&names.join(", "))
                }
            };
            format!(
                "it is not for {}; its names are {presented}; the name asked for is the host that \
                 bootstrap.servers or the broker's advertised.listeners say",
                expected.to_str()
            )
        }
        CertificateError::Revoked => {
            "it is revoked: its issuer's list in ssl.crl.location names it, or an authority \
             between the two"
                .into()
        }
        CertificateError::UnknownRevocationStatus => {
            "whether it is revoked is not known: ssl.crl.location has no list of its issuer \
             that can be used"
                .into()
        }
        CertificateError::ExpiredRevocationListContext { time, next_update } => format!(
            "whether it is revoked is not known: the list of its issuer in ssl.crl.location \
             expired on {}, now is {}",
            date(next_update),
            date(time)
        ),
        CertificateError::Other(other) => match other.0.to_string().as_str() {
            "CaUsedAsEndEntity" => "it is that of an authority, and not itself in \
                ssl.truststore.location"
                .into(),
            "UnsupportedCertVersion" => {
                "it is of an X.509 version before 3, which has no names of \
                hosts"
                    .into()
            }
            text => text.into(),
        },
        other => peer_text(&other.to_string()),
    }
}

/// `kafka-1` from rustls's `DnsName("kafka-1")`.
fn bare_name(shown: &str) -> &str {
    let inner = shown.split_once('(').map_or(shown, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

fn incompatible(error: &PeerIncompatible) -> String {
    match error {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            "the broker speaks none of the versions of ssl.enabled.protocols".into()
        }
        other => format!("the broker's TLS and ours have too little in common: {other:?}"),
    }
}

/// `2026-11-24 04:01 UTC`.
pub(super) fn date(time: &UnixTime) -> String {
    let minutes = time.as_secs() / 60;
    let days = minutes / (24 * 60);
    // Years begin in March here, so that the leap day is their last; 719468 days lie between
    // 0000-03-01 and 1970.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (minutes / 60 % 24, minutes % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            assert_eq!(date(&time), shown);
        }
    }

    #[test]
    fn a_missing_client_certificate_is_a_matter_of_authentication() {
        for alert in [
            AlertDescription::BadCertificate,
            AlertDescription::CertificateRequired,
        ] {
            let (kind, text) = of_alert(alert, None);
            assert_eq!(kind, ErrorKind::Authentication);
            assert!(text.contains("asks for a client certificate"), "{text}");
            assert!(text.contains("ssl.keystore.location is not set"), "{text}");
        }
    }

    #[test]
    fn a_refused_client_certificate_is_named_whatever_the_alert() {
        use AlertDescription as Alert;
        let alice = Shown {
            text: "CN=alice".into(),
            valid: None,
        };
        for (alert, kind, says) in [
            (
                Alert::UnknownCA,
                ErrorKind::Authentication,
                "does not trust",
            ),
            (
                Alert::CertificateUnknown,
                ErrorKind::Authentication,
                "does not trust",
            ),
            (
                Alert::CertificateExpired,
                ErrorKind::Authentication,
                "has expired",
            ),
            (
                Alert::CertificateRevoked,
                ErrorKind::Authentication,
                "is revoked",
            ),
            (Alert::BadCertificate, ErrorKind::Authentication, "refuses"),
            (
                Alert::UnsupportedCertificate,
                ErrorKind::Authentication,
                "refuses",
            ),
            (Alert::AccessDenied, ErrorKind::Authentication, "refuses"),
            (
                Alert::CertificateRequired,
                ErrorKind::Authentication,
                "was not shown",
            ),
            (
                Alert::HandshakeFailure,
                ErrorKind::Tls,
                "no TLS cipher in common",
            ),
        ] {
            let (found, text) = of_alert(alert, Some(&alice));
            assert_eq!(found, kind, "{text}");
            let number = format!("TLS alert {} (", u8::from(alert));
            for says in [says, "CN=alice", &number] {
                assert!(text.contains(says), "no {says:?} in: {text}");
            }
        }
        let (kind, text) = of_alert(Alert::ProtocolVersion, Some(&alice));
        assert!(kind == ErrorKind::Tls && !text.contains("alice"), "{text}");
        // 1970 to 1970, and from 2100 on.
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        for (from, until, says) in [
            (
                0,
                1,
                "which expired on 1970-01-01 00:00 UTC: CN=alice: TLS alert 46",
            ),
            (
                4_107_542_400,
                4_107_542_401,
                "which is not valid before 2100-03-01 00:00 UTC: CN=",
            ),
        ] {
            let late = Shown {
                text: "CN=alice".into(),
                valid: Some((time(from), time(until))),
            };
            let (_, text) = of_alert(Alert::CertificateUnknown, Some(&late));
            assert!(text.contains(says), "{text}");
        }
    }
}
