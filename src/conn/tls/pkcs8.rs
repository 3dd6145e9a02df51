//! Private keys on elliptic curves as Java writes them: without the public key that ring wants.

use super::x509::{element, whole};

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const BIT_STRING: u8 = 0x03;
const PUBLIC_KEY: u8 = 0xa1;

/// The key with the public key of a certificate (a SubjectPublicKeyInfo) added. `None` if it has
/// one, or is of another kind than the certificate's. Whether both fit shows when the result is
/// loaded.
pub(super) fn with_public_key(key: &[u8], certified: &[u8]) -> Option<Vec<u8>> {
    let (_, key, _) = element(key)?;
    let (version, rest) = whole(key)?;
    let (algorithm, rest) = whole(rest)?;
    let (_, inner, _) = element(rest)?;
    let (SEQUENCE, inner, _) = element(inner)? else {
        return None;
    };
    let (_, rest) = whole(inner)?;
    let (_, mut rest) = whole(rest)?;
    while let Some((tag, _, others)) = element(rest) {
        if tag == PUBLIC_KEY {
            return None;
        }
        rest = others;
    }
    let (_, certified, _) = element(certified)?;
    let (certified_algorithm, public) = whole(certified)?;
    let (tag, _, _) = element(public)?;
    if certified_algorithm != algorithm || tag != BIT_STRING {
        return None;
    }
    let inner = [inner, &wrap(PUBLIC_KEY, public)?].concat();
    let inner = wrap(OCTET_STRING, &wrap(SEQUENCE, &inner)?)?;
    wrap(SEQUENCE, &[version, algorithm, &inner].concat())
}

/// A DER element of less than 64 KiB.
fn wrap(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(content.len()).ok()?.to_be_bytes();
    let head: &[u8] = match (high, low) {
        (0, 0..=0x7f) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    Some([head, content].concat())
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

    use super::super::x509::public_key;
    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../tests/pem/client.pem");
    const KEY: &[u8] = include_bytes!("../../../tests/pem/client.key");
    const BARE_KEY: &[u8] = include_bytes!("../../../tests/pem/client-bare.key");

    #[test]
    fn a_key_without_its_public_key_becomes_that_of_openssl() {
        let key = |pem| PrivatePkcs8KeyDer::from_pem_slice(pem).unwrap();
        let (full, bare) = (key(KEY), key(BARE_KEY));
        let (full, bare) = (full.secret_pkcs8_der(), bare.secret_pkcs8_der());
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
        let public = public_key(&certificate).unwrap();
        assert_eq!(with_public_key(bare, public).as_deref(), Some(full));
        assert_eq!(with_public_key(full, public), None);
        for end in 0..bare.len() {
            assert_eq!(with_public_key(&bare[..end], public), None);
        }
        for end in 0..public.len() {
            assert_eq!(with_public_key(bare, &public[..end]), None);
        }
    }
}
