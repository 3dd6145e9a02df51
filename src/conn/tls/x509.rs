//! The names and dates in a certificate, for messages. What counts for security is read by rustls.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rustls::pki_types::UnixTime;

use super::super::diagnosis::peer_text;

/// Whom a certificate is for and who issued it, as `CN=..., O=...`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) subject: String,
    pub(super) issuer: String,
    /// From when and until when it is valid.
    pub(super) valid: Option<(UnixTime, UnixTime)>,
    /// The hosts that it is for: names and addresses.
    pub(super) hosts: Vec<String>,
}

impl Names {
    /// The hosts, for messages.
    pub(super) fn hosts_text(&self) -> String {
        match self.hosts.is_empty() {
            true => "none (a common name does not count)".into(),
            false => peer_text(&self.hosts.join(", ")),
        }
    }
}

/// The names, or `None` if this is not a certificate.
pub(super) fn names(der: &[u8]) -> Option<Names> {
    let (_, issuer, validity) = element(issuer_on(der)?)?;
    let (_, dates, subject) = element(validity)?;
    let (_, subject, key) = element(subject)?;
    let (_, _, behind_key) = element(key)?;
    Some(Names {
        subject: name(subject),
        issuer: name(issuer),
        valid: valid_between(dates),
        hosts: extension(behind_key, &[0x55, 0x1d, 0x11]).map_or(Vec::new(), hosts),
    })
}

/// The public key with its algorithm, a SubjectPublicKeyInfo.
pub(super) fn public_key(der: &[u8]) -> Option<&[u8]> {
    let (_, _, validity) = element(issuer_on(der)?)?;
    let subject = element(validity)?.2;
    let key = element(subject)?.2;
    whole(key).map(|(key, _)| key)
}

/// What is in a certificate from the issuer on.
fn issuer_on(der: &[u8]) -> Option<&[u8]> {
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(der)?;
    let (_, body, _) = element(certificate)?;
    let (tag, _, behind_version) = element(body)?;
    let serial_number = if tag == VERSION { behind_version } else { body };
    let algorithm = element(serial_number)?.2;
    Some(element(algorithm)?.2)
}

fn valid_between(dates: &[u8]) -> Option<(UnixTime, UnixTime)> {
    let (kind, from, rest) = element(dates)?;
    let from = time(kind, from)?;
    let (kind, until, _) = element(rest)?;
    Some((from, time(kind, until)?))
}

/// `YYMMDDHHMMSSZ`, years from 1950 to 2049, or `YYYYMMDDHHMMSSZ` (RFC 5280, 4.1.2.5).
fn time(kind: u8, text: &[u8]) -> Option<UnixTime> {
    const UTC_TIME: u8 = 0x17;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let year_digits = if kind == UTC_TIME { 2 } else { 4 };
    let number = |at: usize, digits: usize| text.get(at..at + digits)?.parse::<u64>().ok();
    let part = |index: usize| number(year_digits + 2 * index, 2);
    let year = match number(0, year_digits)? {
        year if kind != UTC_TIME => year,
        year if year < 50 => 2000 + year,
        year => 1900 + year,
    };
    let (month, day) = (part(0)?, part(1)?);
    let is_date = year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
    let seconds = (part(2)? * 60 + part(3)?) * 60 + part(4)?;
    is_date.then(|| {
        let days = days_since_1970(year, month, day);
        UnixTime::since_unix_epoch(Duration::from_secs(days * 24 * 60 * 60 + seconds))
    })
}

/// Years begin in March here, so that the leap day is their last; 719468 days lie between
/// 0000-03-01 and 1970.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    (365 * year + year / 4 + year / 400 + day_of_year) - year / 100 - 719_468
}

fn name(mut sets: &[u8]) -> String {
    let mut parts = Vec::new();
    while let Some((_, mut set, rest)) = element(sets) {
        while let Some((_, attribute, others)) = element(set) {
            parts.extend(attribute_text(attribute));
            set = others;
        }
        sets = rest;
    }
    match parts.is_empty() {
        true => "a certificate without a name".into(),
        false => peer_text(&parts.join(", ")),
    }
}

fn attribute_text(attribute: &[u8]) -> Option<String> {
    let (_, id, value) = element(attribute)?;
    let label = match id {
        [0x55, 0x04, 0x03] => "CN",
        [0x55, 0x04, 0x0a] => "O",
        [0x55, 0x04, 0x0b] => "OU",
        _ => return None,
    };
    let (_, text, _) = element(value)?;
    Some(format!("{label}={}", String::from_utf8_lossy(text)))
}

/// The value of the extension with that id; `rest` is what follows the key in a certificate.
fn extension<'a>(mut rest: &'a [u8], id: &[u8]) -> Option<&'a [u8]> {
    const EXTENSIONS: u8 = 0xa3;
    const OCTET_STRING: u8 = 0x04;
    let all = loop {
        let (tag, content, behind) = element(rest)?;
        if tag == EXTENSIONS {
            break content;
        }
        rest = behind;
    };
    let (_, mut extensions, _) = element(all)?;
    loop {
        let (_, extension, others) = element(extensions)?;
        let (_, found, mut fields) = element(extension)?;
        while let Some((tag, value, behind)) = element(fields).filter(|_| found == id) {
            if tag == OCTET_STRING {
                return Some(value);
            }
            // Whether it is critical stands in front.
            fields = behind;
        }
        extensions = others;
    }
}

/// The DNS names and IP addresses of a subjectAltName (RFC 5280, 4.2.1.6).
fn hosts(names: &[u8]) -> Vec<String> {
    const DNS_NAME: u8 = 0x82;
    const IP_ADDRESS: u8 = 0x87;
    let mut names = element(names).map_or(&[][..], |(_, names, _)| names);
    let mut hosts = Vec::new();
    while let Some((tag, name, others)) = element(names) {
        match (tag, name.len()) {
            (DNS_NAME, _) => hosts.push(String::from_utf8_lossy(name).into_owned()),
            (IP_ADDRESS, 4) => {
                let name = <[u8; 4]>::try_from(name);
                hosts.extend(name.map(|bytes| Ipv4Addr::from(bytes).to_string()));
            }
            (IP_ADDRESS, 16) => {
                let name = <[u8; 16]>::try_from(name);
                hosts.extend(name.map(|bytes| Ipv6Addr::from(bytes).to_string()));
            }
            _ => {}
        }
        names = others;
    }
    hosts
}

/// The first DER element with its tag and length, and what follows it.
pub(super) fn whole(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let behind = element(input)?.2;
    Some((input.get(..input.len() - behind.len())?, behind))
}

/// Splits the first DER element off: its tag, its content, what follows it.
pub(super) fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x83 => {
            let mut length = 0;
            for _ in 0x80..first {
                let (&byte, behind) = rest.split_first()?;
                length = length << 8 | usize::from(byte);
                rest = behind;
            }
            length
        }
        _ => return None,
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::super::explain::date;
    use super::*;

    #[test]
    fn times_of_both_forms_are_read_and_damaged_ones_are_not() {
        const UTC: u8 = 0x17;
        const LONG: u8 = 0x18;
        for (kind, text, expected) in [
            (UTC, "491231235959Z", Some("2049-12-31 23:59 UTC")),
            (UTC, "700101000000Z", Some("1970-01-01 00:00 UTC")),
            (UTC, "000229120000Z", Some("2000-02-29 12:00 UTC")),
            (UTC, "500101000000Z", None),
            (LONG, "20500301000500Z", Some("2050-03-01 00:05 UTC")),
            (LONG, "99991231235959Z", Some("9999-12-31 23:59 UTC")),
            (LONG, "20501301000500Z", None),
            (LONG, "20500300000500Z", None),
            (LONG, "205003010005Z", None),
            (LONG, "+0500301000500Z", None),
            (LONG, "20500301000500", None),
            (LONG, "2050030100050\u{e9}Z", None),
            (LONG, "", None),
        ] {
            let read = time(kind, text.as_bytes()).map(|time| date(&time));
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn names_are_found_and_no_cut_certificate_panics() {
        let pem = include_bytes!("../../../tests/pem/good.pem");
        let der = CertificateDer::from_pem_slice(pem).unwrap();
        let found = names(&der).unwrap();
        assert_eq!(found.subject, "CN=localhost, O=milena tests");
        assert_eq!(found.issuer, "CN=milena test authority, O=milena tests");
        let dates = found.valid.map(|(from, until)| (date(&from), date(&until)));
        let expected = ("2020-01-01 00:00 UTC", "2126-01-01 00:00 UTC");
        assert_eq!(dates, Some((expected.0.into(), expected.1.into())));
        assert_eq!(found.hosts, ["localhost", "127.0.0.1"]);
        let pem = include_bytes!("../../../tests/pem/mistakes/idn.pem");
        let der = CertificateDer::from_pem_slice(pem).unwrap();
        let hosts = names(&der).unwrap().hosts;
        assert_eq!(hosts, ["xn--bcher-kva.example", "kafka_1", "::1"]);
        for end in 0..der.len() {
            assert!(names(&der[..end]).is_none() && public_key(&der[..end]).is_none());
        }
        for at in 0..der.len() {
            let mut damaged = der.to_vec();
            damaged[at] ^= 0xff;
            let _ = (names(&damaged), public_key(&damaged));
        }
    }
}
