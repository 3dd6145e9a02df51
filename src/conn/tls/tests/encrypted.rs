//! Private keys that are encrypted, as openssl writes them.

use super::clients::{CLIENT, hides, inline, tls};
use super::*;
use crate::config::Secret;

macro_rules! key {
    ($name:literal) => {
        include_str!(concat!(
            "../../../../tests/pem/client-encrypted",
            $name,
            ".key"
        ))
    };
}

fn loaded(key: &str, password: Option<&str>) -> Result<Tls, Error> {
    let mut store = inline((CLIENT.0, key));
    store.key_password = password.map(Secret::new);
    Tls::new(&tls(store, BOTH))
}

#[track_caller]
fn refused(key: &str, password: Option<&str>, says: &str) {
    let error = loaded(key, password).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        text.starts_with("ssl.keystore.key holds ") && text.contains(says),
        "{says}: {text}"
    );
    hides(&format!("{text} {error:?}"), key);
    assert!(!text.contains("hush"), "{text}");
}

#[cfg(feature = "encrypted-keys")]
#[test]
fn a_key_that_openssl_encrypted_is_opened_by_its_password() {
    for key in [key!(""), key!("-aes128"), key!("-scrypt")] {
        loaded(key, Some("hush")).unwrap();
        refused(key, Some("wrong-hush"), "ssl.key.password does not open");
        refused(key, None, "set ssl.key.password");
    }
    for other_lines in ["\r\n", " "] {
        let key = key!("").replace('\n', other_lines);
        loaded(&key, Some("hush")).unwrap();
    }
    // A password for a key that has none.
    loaded(CLIENT.1, Some("hush")).unwrap();
}

#[cfg(feature = "encrypted-keys")]
#[test]
fn old_ways_of_encryption_are_told_how_to_be_replaced() {
    for key in [key!("-des3"), key!("-pbes1")] {
        refused(key, Some("hush"), "openssl pkcs8 -topk8 -v2 aes-256-cbc");
    }
}

#[cfg(feature = "encrypted-keys")]
#[test]
fn two_keys_are_one_too_many_and_a_damaged_one_is_said_to_be() {
    let key = key!("");
    refused(&format!("{key}{key}"), Some("hush"), "holds 2 private keys");
    let garbage =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    refused(garbage, Some("hush"), "in a way that is not read here");
    for end in 1..key.len() {
        // Whatever is left of it, no panic.
        let _ = loaded(&key[..end], Some("hush"));
    }
}

/// What the work is to be stands in the file, where anything may stand.
#[cfg(feature = "encrypted-keys")]
#[test]
fn a_key_that_asks_for_too_much_work_is_refused_at_once() {
    use rustls::pki_types::pem::{PemObject, SectionKind};

    use super::super::encrypted::{decrypted, relabelled};

    let der = |key: &str| {
        let bare = relabelled(key.as_bytes());
        let (_, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(&bare).unwrap();
        der
    };
    let place = |der: &[u8], of: &[u8]| der.windows(of.len()).position(|part| part == of).unwrap();
    let mut slow = der(key!(""));
    // 2048 iterations become 2,147,483,647: two bytes more, in each element around them too.
    let at = place(&slow, &[2, 2, 8, 0]);
    slow.splice(at..at + 4, [2, 4, 0x7f, 0xff, 0xff, 0xff]);
    for length in [2, 4, 17, 19, 32] {
        slow[length] += 2;
    }
    // 16 MiB become 254, and one round 127.
    let (mut wide, mut long) = (der(key!("-scrypt")), der(key!("-scrypt")));
    let at = place(&wide, &[2, 1, 8, 2, 1, 1]);
    (wide[at + 2], long[at + 5]) = (127, 127);
    for (der, says) in [
        (slow, "asks for 2147483647 iterations"),
        (wide, "scrypt asks for more than 64 MiB"),
        (long, "or 16 rounds"),
    ] {
        let text = decrypted(&der, Some(&Secret::new("hush"))).unwrap_err();
        assert!(text.contains(says), "{text}");
    }
}

#[cfg(not(feature = "encrypted-keys"))]
#[test]
fn without_its_feature_an_encrypted_key_is_an_error_that_names_it() {
    refused(key!(""), Some("hush"), "\"encrypted-keys\"");
}
