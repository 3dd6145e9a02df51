//! The two names in a certificate, for messages. What counts for security is read by rustls.

use super::super::diagnosis::peer_text;

/// Whom a certificate is for and who issued it, as `CN=..., O=...`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) subject: String,
    pub(super) issuer: String,
}

/// The names, or `None` if this is not a certificate.
pub(super) fn names(der: &[u8]) -> Option<Names> {
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(der)?;
    let (_, body, _) = element(certificate)?;
    let (tag, _, behind_version) = element(body)?;
    let serial_number = if tag == VERSION { behind_version } else { body };
    let algorithm = element(serial_number)?.2;
    let issuer = element(algorithm)?.2;
    let (_, issuer, validity) = element(issuer)?;
    let subject = element(validity)?.2;
    let (_, subject, _) = element(subject)?;
    Some(Names {
        subject: name(subject),
        issuer: name(issuer),
    })
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

/// Splits the first DER element off: its tag, its content, what follows it.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
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

    use super::*;

    #[test]
    fn names_are_found_and_no_cut_certificate_panics() {
        let pem = include_bytes!("../../../tests/pem/good.pem");
        let der = CertificateDer::from_pem_slice(pem).unwrap();
        let found = names(&der).unwrap();
        assert_eq!(found.subject, "CN=localhost, O=milena tests");
        assert_eq!(found.issuer, "CN=milena test authority, O=milena tests");
        for end in 0..der.len() {
            assert_eq!(names(&der[..end]), None);
        }
        for at in 0..der.len() {
            let mut damaged = der.to_vec();
            damaged[at] ^= 0xff;
            let _ = names(&damaged);
        }
    }
}
