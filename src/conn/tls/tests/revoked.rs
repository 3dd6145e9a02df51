//! Lists of revoked certificates: who is refused, and what is said of lists that do not help.

use std::fs;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateRevocationListDer, ServerName, UnixTime};

use super::clients::File;
use super::*;
use crate::config::Secret;
use crate::time::now;

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/pem/crl-", $name))
    };
}

const AUTHORITY: &str = pem!("ca.pem");
/// Of the authority: the broker `revoked` and the authority `middle`.
const BOTH_REVOKED: &str = pem!("both.crl");
const NONE_REVOKED: &str = pem!("none.crl");
const EXPIRED: &str = pem!("expired.crl");
/// Of the authority `middle`: nobody.
const OF_MIDDLE: &str = pem!("behind.crl");

fn with(list: &File, verify_host_name: bool) -> TlsConfig {
    TlsConfig {
        truststore: Some(PemSource::Inline(Secret::new(AUTHORITY))),
        crl: Some(list.0.clone()),
        verify_host_name,
        ..TlsConfig::default()
    }
}

/// What a client with these settings says of a broker that shows these certificates.
fn verdict(tls: &TlsConfig, chain: &[&str]) -> Result<(), String> {
    let der = |pem: &&str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let chain: Vec<_> = chain.iter().map(der).collect();
    let verifier = settings::verifier(tls, &provider(None).unwrap()).unwrap();
    let now = UnixTime::now();
    let verified = verifier.verify_server_cert(&chain[0], &chain[1..], &name(), &[], now);
    verified.map(drop).map_err(told)
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

fn told(error: rustls::Error) -> String {
    format!("{:?}", explain::broken(&error, &[], None))
}

/// What a connection at that time says of the broker `revoked`.
fn shaken(tls: &Tls, at: std::time::Instant) -> Result<(), String> {
    let config = server_config(certificate!("crl-revoked"), ONLY_1_3, false);
    let mut server = ServerConnection::new(config).unwrap();
    let rustls = tls.0.at(at).rustls.clone();
    let mut client = ClientConnection::new(rustls, name()).unwrap();
    while client.is_handshaking() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut bytes.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        bytes.clear();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        client.read_tls(&mut bytes.as_slice()).unwrap();
        client.process_new_packets().map_err(told)?;
    }
    Ok(())
}

#[test]
fn who_is_on_a_list_is_refused_and_who_is_on_none_is_not_known_to_be_good() {
    let (kept, revoked) = (pem!("kept.pem"), pem!("revoked.pem"));
    let behind = [pem!("behind.pem"), pem!("middle.pem")];
    let joined = |lists: [&str; 2]| lists.concat();
    let cases: [(String, &[&str], Option<&str>); 9] = [
        (BOTH_REVOKED.into(), &[kept], None),
        (NONE_REVOKED.into(), &[revoked], None),
        (BOTH_REVOKED.into(), &[revoked], Some("it is revoked: ")),
        (
            EXPIRED.into(),
            &[kept],
            Some("expired on 2021-01-01 00:00 UTC, now is "),
        ),
        (
            OF_MIDDLE.into(),
            &[kept],
            Some("ssl.crl.location has no list of its issuer"),
        ),
        (
            NONE_REVOKED.into(),
            &behind,
            Some("ssl.crl.location has no list of its issuer"),
        ),
        // A list of the authority above is not needed, and counts if there is one.
        (OF_MIDDLE.into(), &behind, None),
        (joined([OF_MIDDLE, NONE_REVOKED]), &behind, None),
        (
            joined([OF_MIDDLE, BOTH_REVOKED]),
            &behind,
            Some("it is revoked: "),
        ),
    ];
    for (lists, chain, says) in cases {
        let file = File::new("lists.crl", &lists);
        for verify_host_name in [true, false] {
            match (verdict(&with(&file, verify_host_name), chain), says) {
                (Ok(()), None) => {}
                (Err(text), Some(says)) => assert!(text.contains(says), "{text}"),
                (found, expected) => panic!("{found:?}, not {expected:?}"),
            }
        }
    }
    // Other faults are still those that are told.
    let file = File::new("lists-others.crl", BOTH_REVOKED);
    let text = verdict(&with(&file, true), &[certificate!("good").0]).unwrap_err();
    assert!(
        text.contains("not signed by an authority that is trusted"),
        "{text}"
    );
}

#[test]
fn a_revoked_broker_is_refused_in_the_handshake() {
    let file = File::new("handshake.crl", BOTH_REVOKED);
    let dialer = tcp::Dialer::default();
    let tls = with(&file, true);
    let connector = Connector::with("tester", SecurityProtocol::Ssl, dialer, &tls, None).unwrap();
    let text = certificates::refusal(&connector, certificate!("crl-revoked")).to_string();
    assert!(
        text.contains("the broker's certificate is refused: it is revoked: "),
        "{text}"
    );
    let config = server_config(certificate!("crl-kept"), BOTH, false);
    let (address, thread) = tls_peer(config, |socket| socket, serve_versions);
    open(&connector, &address).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_list_that_changes_is_used_by_the_next_connection_and_a_broken_one_is_not() {
    let file = File::new("changes.crl", NONE_REVOKED);
    let tls = Tls::new(&with(&file, true)).unwrap();
    let mut at = now();
    let mut later = || {
        at += Duration::from_secs(1);
        shaken(&tls, at)
    };
    later().unwrap();
    file.write(BOTH_REVOKED);
    assert!(later().unwrap_err().contains("revoked"));
    for broken in ["", &NONE_REVOKED[..200], AUTHORITY] {
        file.write(broken);
        assert!(later().unwrap_err().contains("revoked"));
    }
    file.write(NONE_REVOKED);
    later().unwrap();
}

#[test]
fn lists_are_pem_or_der_and_what_is_neither_is_told() {
    let file = File::new("forms.crl", "");
    let der = CertificateRevocationListDer::from_pem_slice(BOTH_REVOKED.as_bytes()).unwrap();
    fs::write(&file.0, &der).unwrap();
    assert!(verdict(&with(&file, true), &[pem!("revoked.pem")]).is_err());
    verdict(&with(&file, true), &[pem!("kept.pem")]).unwrap();
    let old = include_bytes!("../../../../tests/pem/crl-version-1.crl");
    for (content, says) in [
        (&b" "[..], "is empty"),
        (b"hello", "no line says BEGIN X509 CRL"),
        (AUTHORITY.as_bytes(), "no line says BEGIN X509 CRL"),
        (&BOTH_REVOKED.as_bytes()[..200], "is damaged"),
        (
            &der[..100],
            "holds a list of revoked certificates that cannot be used: ",
        ),
        (old, "or of version 1, and 2 is read: `openssl ca -gencrl`"),
    ] {
        fs::write(&file.0, content).unwrap();
        let error = Tls::new(&with(&file, true)).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            text.starts_with("ssl.crl.location ") && text.contains(says),
            "{text}"
        );
    }
    fs::remove_file(&file.0).unwrap();
    let text = Tls::new(&with(&file, true)).unwrap_err().to_string();
    assert!(text.contains("cannot be read"), "{text}");
}

#[cfg(feature = "os-roots")]
#[test]
fn what_the_system_trusts_is_looked_at_again() {
    // Either it has certificates, or the error names the setting.
    let tls = TlsConfig {
        truststore: Some(PemSource::System),
        ..TlsConfig::default()
    };
    match Tls::new(&tls) {
        Ok(tls) => {
            let later = now() + Duration::from_secs(1);
            let (before, after) = (tls.0.at(now()), tls.0.at(later));
            assert!(Arc::ptr_eq(&before, &after), "nothing has changed");
        }
        Err(error) => assert!(
            error.to_string().contains("ssl.truststore.type=OS"),
            "{error}"
        ),
    }
}
