//! Certificates of the client: which can be used, how brokers are shown them, and what they say.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::config::{KeyStore, Secret};
use crate::time::now;

pub(super) const CLIENT: (&str, &str) = certificate!("client");
const RENEWED: (&str, &str) = certificate!("client-renewed");
const EXPIRED: (&str, &str) = certificate!("client-expired");
const RSA: (&str, &str) = certificate!("client-rsa");
const SEC1_KEY: &str = include_str!("../../../../tests/pem/client-sec1.key");
/// As Java writes it: without the public key.
const BARE_KEY: &str = include_str!("../../../../tests/pem/client-bare.key");
const ENCRYPTED_KEY: &str = include_str!("../../../../tests/pem/client-encrypted.key");

/// As OpenSSL wrote it before PKCS#8.
const OLD_ENCRYPTED_KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n\
    -----END RSA PRIVATE KEY-----\n";

pub(super) fn inline((certificate, key): (&str, &str)) -> KeyStore {
    KeyStore {
        location: None,
        key: Some(Secret::new(key)),
        key_password: None,
        chain: Some(Secret::new(certificate)),
    }
}

pub(super) fn tls(keystore: KeyStore, versions: TlsVersions) -> TlsConfig {
    TlsConfig {
        truststore: Some(PemSource::Inline(CA.into())),
        keystore,
        versions,
        ..TlsConfig::default()
    }
}

fn showing(keystore: KeyStore, versions: TlsVersions) -> Connector {
    let tls = tls(keystore, versions);
    let dialer = tcp::Dialer::default();
    Connector::with("tester", SecurityProtocol::Ssl, dialer, &tls, None).unwrap()
}

/// A file that ends with the test.
pub(super) struct File(pub(super) PathBuf);

impl File {
    pub(super) fn new(name: &str, content: &str) -> Self {
        let name = format!("milena-{}-{name}", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        file.write(content);
        file
    }

    pub(super) fn write(&self, content: &str) {
        fs::write(&self.0, content).unwrap();
    }

    fn store(&self) -> KeyStore {
        KeyStore {
            location: Some(self.0.clone()),
            ..KeyStore::default()
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Asserts that neither the text nor any line of a key in `pem` is in `shown`.
pub(super) fn hides(shown: &str, pem: &str) {
    for key in pem
        .split("-----BEGIN ")
        .filter(|part| part.contains("KEY-----"))
    {
        for line in key.lines().skip(1).filter(|line| line.len() > 8) {
            assert!(!shown.contains(line), "shows a key: {shown}");
        }
    }
}

#[test]
fn a_key_store_that_cannot_work_is_named_and_never_quoted() {
    let (certificate, key) = CLIENT;
    let both = format!("{key}{certificate}");
    let authority = include_str!("../../../../tests/pem/client-ca.pem");
    let no_curve = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (pem, says) in [
        ("".into(), "is empty"),
        (
            "hello".into(),
            "holds no private key (no line says BEGIN PRIVATE KEY)",
        ),
        (certificate.into(), "holds no private key"),
        (
            key.into(),
            "holds no certificate (no line says BEGIN CERTIFICATE)",
        ),
        (
            format!("{key}{both}"),
            "holds 2 private keys; keep that of the certificate",
        ),
        (
            both.replace("MI", "M*"),
            "is damaged: it is not well-formed PEM",
        ),
        (key[..100].into(), "is damaged"),
        (
            format!("{ENCRYPTED_KEY}{certificate}"),
            "holds an encrypted private key",
        ),
        (
            format!("{OLD_ENCRYPTED_KEY}{certificate}"),
            "is encrypted as before PKCS#8: decrypt it with `openssl pkey",
        ),
        (
            format!("{no_curve}{certificate}"),
            "holds a private key that cannot be used",
        ),
        (
            format!("{}{certificate}", RENEWED.1),
            "holds the certificate of CN=alice, O=milena tests, which the private key does not fit",
        ),
        (
            format!("{key}{}", certificate.replace("\nMII", "\nMIA")),
            "which the private key does not fit",
        ),
        (
            format!("{key}{authority}{certificate}"),
            "wrong order: the private key is that of number 2 (CN=alice, O=milena tests)",
        ),
        ("\u{fffd}".into(), "holds no private key"),
    ] {
        let file = File::new("cannot-work.pem", &pem);
        let error = Tls::new(&tls(file.store(), BOTH)).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Config);
        let place = format!("ssl.keystore.location {} ", file.0.display());
        assert!(
            text.starts_with(&place) && text.contains(says),
            "{says}: {text}"
        );
        hides(&format!("{text} {error:?}"), &pem);
    }
    for (bytes, says) in [
        (
            &[0xfe, 0xed, 0xfe, 0xed, 0, 0][..],
            "is a Java key store (JKS), not PEM: convert it with",
        ),
        (
            &[0x30, 0x82, 1, 2, 3],
            "is a PKCS#12 or DER file, not PEM: convert it with",
        ),
    ] {
        let file = File::new("foreign.p12", "");
        fs::write(&file.0, bytes).unwrap();
        let text = Tls::new(&tls(file.store(), BOTH)).unwrap_err().to_string();
        assert!(
            text.contains(says) && text.contains("openssl pkcs12"),
            "{text}"
        );
    }
    let missing = KeyStore {
        location: Some("/no/such/client.pem".into()),
        ..KeyStore::default()
    };
    let text = Tls::new(&tls(missing, BOTH)).unwrap_err().to_string();
    assert!(
        text.starts_with("ssl.keystore.location /no/such/client.pem cannot be read"),
        "{text}"
    );
}

#[test]
fn a_certificate_of_an_old_version_and_one_that_has_expired_are_the_brokers_matter() {
    let old = include_str!("../../../../tests/pem/client-v1.pem");
    for pair in [(old, RSA.1), EXPIRED] {
        Tls::new(&tls(inline(pair), BOTH)).unwrap();
    }
    let other_key = Tls::new(&tls(inline((old, CLIENT.1)), BOTH)).unwrap_err();
    assert!(
        other_key.to_string().contains("does not fit"),
        "{other_key}"
    );
}

#[test]
fn text_in_place_of_a_file_is_named_by_its_own_setting() {
    for (pair, setting) in [
        (
            (CLIENT.0, CLIENT.0),
            "ssl.keystore.key holds no private key",
        ),
        (
            (CLIENT.0, OLD_ENCRYPTED_KEY),
            "ssl.keystore.key holds a private key that is encrypted as before PKCS#8",
        ),
        (
            (CLIENT.0, ENCRYPTED_KEY),
            "ssl.keystore.key holds an encrypted private key",
        ),
        (
            (CLIENT.1, CLIENT.1),
            "ssl.keystore.certificate.chain holds no certificate",
        ),
        (
            (RENEWED.0, BARE_KEY),
            "ssl.keystore.certificate.chain holds the certificate of CN=alice renewed, O=milena \
             tests, which the private key does not fit",
        ),
        (
            (CLIENT.0, RENEWED.1),
            "ssl.keystore.certificate.chain holds the certificate of CN=alice",
        ),
    ] {
        let text = Tls::new(&tls(inline(pair), BOTH)).unwrap_err().to_string();
        assert!(text.starts_with(setting), "{text}");
    }
}

#[test]
fn no_debug_output_shows_a_key() {
    for pair in [CLIENT, (CLIENT.0, SEC1_KEY), RSA] {
        let connector = showing(inline(pair), BOTH);
        let shown = format!("{connector:?} {connector:#?}");
        assert!(shown.contains("CN=alice"), "{shown}");
        hides(&shown, pair.1);
        let der = PrivateKeyDer::from_pem_slice(pair.1.as_bytes()).unwrap();
        let middle = &der.secret_der()[40..48];
        assert!(
            !shown.contains(&format!("{middle:?}").replace(['[', ']'], "")),
            "{shown}"
        );
    }
}

#[test]
fn text_may_stand_on_one_line() {
    let one_line = |pem: &str| pem.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    for fold in [
        &one_line as &dyn Fn(&str) -> String,
        &|pem| pem.replace('\n', ""),
        &|pem| format!("  {}", pem.replace('\n', "\r\n  ")),
    ] {
        for pair in [CLIENT, (CLIENT.0, SEC1_KEY), RSA] {
            let (chain, key) = (fold(pair.0), fold(pair.1));
            let mut config = tls(inline((&format!("{chain}{chain}"), &key)), BOTH);
            config.truststore = Some(PemSource::Inline(Secret::new(fold(CA))));
            let settings = Tls::new(&config).unwrap().0.at(now());
            assert!(
                settings
                    .shown
                    .as_ref()
                    .unwrap()
                    .text
                    .starts_with("CN=alice")
            );
        }
    }
}

/// A server that asks for a certificate of the authority of the clients.
fn asking(versions: TlsVersions) -> Arc<ServerConfig> {
    let authority = include_str!("../../../../tests/pem/client-ca.pem");
    server_asking(certificate!("good"), versions, Some(authority))
}

#[test]
fn keys_of_every_form_are_shown_and_prove_themselves() {
    let joined = |(certificate, key): (&str, &str)| format!("{certificate}\r\n{key}");
    for pair in [CLIENT, (CLIENT.0, SEC1_KEY), (CLIENT.0, BARE_KEY), RSA] {
        let file = File::new("every-form.pem", &joined(pair));
        for (versions, store) in [(ONLY_1_2, file.store()), (ONLY_1_3, inline(pair))] {
            let (address, thread) = tls_peer(
                asking(versions),
                |socket| socket,
                |stream| {
                    serve_versions(stream);
                    stream.conn.peer_certificates().map(<[_]>::to_vec)
                },
            );
            open(&showing(store, versions), &address).unwrap();
            let expected = CertificateDer::from_pem_slice(pair.0.as_bytes()).unwrap();
            assert_eq!(thread.join().unwrap(), Some(vec![expected]));
        }
    }
}

#[test]
fn a_client_certificate_that_is_refused_is_told_with_its_name_and_dates() {
    let foreign = certificate!("itself");
    for versions in [ONLY_1_2, ONLY_1_3] {
        for (pair, says) in [
            (
                foreign,
                "the broker does not trust the client certificate of CN=localhost",
            ),
            (
                EXPIRED,
                "the broker refuses the client certificate, which expired on 2021-01-01 00:00 \
                 UTC: CN=alice, O=milena tests, issued by CN=milena client authority, O=milena \
                 tests, valid from 2020-01-01 00:00 UTC to 2021-01-01 00:00 UTC \
                 (ssl.keystore.certificate.chain): TLS alert 45",
            ),
        ] {
            let (address, thread) = tls_peer(
                asking(versions),
                |socket| socket,
                |stream| {
                    let refused = stream.read(&mut [0; 1]).unwrap_err();
                    let _ = stream.conn.write_tls(&mut stream.sock);
                    drain(&mut stream.sock);
                    refused
                },
            );
            let error = open(&showing(inline(pair), versions), &address).unwrap_err();
            thread.join().unwrap();
            let text = error.to_string();
            assert!(text.contains(says), "{text}");
            assert!(error.kind() == ErrorKind::Authentication && error.is_lasting());
            hides(&format!("{text} {error:?}"), pair.1);
        }
    }
}

/// What a new connection would show at `at`, by the `CN` of its certificate.
fn shown(tls: &Tls, at: std::time::Instant) -> String {
    let settings = tls.0.at(at);
    let shown = settings.shown.as_deref().unwrap();
    let subject = shown.text.split(',').next().unwrap_or_default();
    subject.to_owned()
}

#[test]
fn files_that_change_are_used_by_the_next_connection_and_broken_ones_are_not() {
    let joined = |(certificate, key): (&str, &str)| format!("{certificate}{key}");
    let file = File::new("changes.pem", &joined(CLIENT));
    let trust = File::new("changes-ca.pem", CA);
    let mut config = tls(file.store(), BOTH);
    config.truststore = Some(PemSource::File(trust.0.clone()));
    let tls = Tls::new(&config).unwrap();
    let mut at = now();
    let mut later = || {
        at += Duration::from_secs(1);
        at
    };
    assert_eq!(shown(&tls, later()), "CN=alice");
    file.write(&joined(RENEWED));
    let second = later();
    assert_eq!(shown(&tls, second), "CN=alice renewed");
    // At most once in a second.
    file.write(&joined(CLIENT));
    assert_eq!(
        shown(&tls, second + Duration::from_millis(999)),
        "CN=alice renewed"
    );
    assert_eq!(shown(&tls, later()), "CN=alice");
    let half = joined(RENEWED);
    for broken in [
        &half[..half.len() / 2],
        "",
        CLIENT.0,
        &format!("{}{}", CLIENT.0, RENEWED.1),
    ] {
        file.write(broken);
        assert_eq!(shown(&tls, later()), "CN=alice");
        assert_eq!(shown(&tls, later()), "CN=alice");
    }
    fs::remove_file(&file.0).unwrap();
    assert_eq!(shown(&tls, later()), "CN=alice");
    file.write(&joined(RENEWED));
    assert_eq!(shown(&tls, later()), "CN=alice renewed");
    // The trust store too.
    let before = tls.0.at(later());
    assert!(
        Arc::ptr_eq(&before, &tls.0.at(later())),
        "nothing has changed"
    );
    trust.write("");
    assert!(
        Arc::ptr_eq(&before, &tls.0.at(later())),
        "an empty one is of no use"
    );
    trust.write(certificate!("itself").0);
    assert!(!Arc::ptr_eq(&before, &tls.0.at(later())));
}
