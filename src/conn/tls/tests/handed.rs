//! What an application may choose of TLS: cipher suites, the cryptography, or all of it; and that
//! connections go on with the sessions of others.

use rustls::{ClientConfig, HandshakeKind};

use super::*;

fn with(change: impl FnOnce(&mut TlsConfig)) -> Result<Connector, Error> {
    let mut tls = TlsConfig {
        truststore: Some(PemSource::Inline(CA.into())),
        ..TlsConfig::default()
    };
    change(&mut tls);
    let dialer = tcp::Dialer::default();
    Connector::with("tester", SecurityProtocol::Ssl, dialer, &tls, None)
}

/// The suite of a connection to a server that has all of them.
fn suite(connector: &Connector) -> String {
    let (address, thread) = tls_peer(
        good(BOTH),
        |socket| socket,
        |stream| {
            serve_versions(stream);
            let suite = stream.conn.negotiated_cipher_suite().unwrap();
            suite.suite().as_str().unwrap().to_owned()
        },
    );
    open(connector, &address).unwrap();
    thread.join().unwrap()
}

fn only(suites: &[&str]) -> Result<Connector, Error> {
    with(|tls| tls.suites = suites.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn a_connection_has_one_of_the_cipher_suites_that_were_named() {
    for (asked, found) in [
        ("TLS_AES_128_GCM_SHA256", "TLS13_AES_128_GCM_SHA256"),
        ("tls_aes_256_gcm_sha384", "TLS13_AES_256_GCM_SHA384"),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ),
    ] {
        assert_eq!(suite(&only(&[asked]).unwrap()), found);
    }
}

#[test]
fn a_cipher_suite_that_is_not_there_is_an_error_that_lists_those_that_are() {
    let error = only(&["TLS_AES_128_GCM_SHA256", "TLS_RSA_WITH_RC4_128_MD5"]).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Config);
    for says in [
        "ssl.cipher.suites: \"TLS_RSA_WITH_RC4_128_MD5\" is not among",
        "TLS_AES_128_GCM_SHA256, ",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    ] {
        assert!(text.contains(says), "no {says:?} in: {text}");
    }
    let of_1_2 = with(|tls| {
        tls.suites = vec!["TLS_AES_128_GCM_SHA256".into()];
        tls.versions = ONLY_1_2;
    });
    let text = of_1_2.unwrap_err().to_string();
    assert!(text.contains("TLS cannot be set up"), "{text}");
}

#[test]
fn no_suite_in_common_with_the_broker_says_so() {
    let few = CryptoProvider {
        cipher_suites: provider(None)
            .unwrap()
            .cipher_suites
            .iter()
            .filter(|suite| suite.suite() == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256)
            .copied()
            .collect(),
        ..(*provider(None).unwrap()).clone()
    };
    let config = server_of(few.into(), certificate!("good"), ONLY_1_3, None);
    let (address, thread) = tls_peer(
        config,
        |socket| socket,
        |stream| {
            let refused = stream.read(&mut [0; 1]).unwrap_err();
            drain(&mut stream.sock);
            refused
        },
    );
    let error = open(&only(&["TLS_AES_256_GCM_SHA384"]).unwrap(), &address).unwrap_err();
    assert!(
        error.to_string().contains("no TLS cipher in common"),
        "{error}"
    );
    thread.join().unwrap();
}

#[test]
fn the_cryptography_that_was_handed_in_is_the_one_in_use() {
    let one = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".to_owned();
    let narrow = suites::restricted(provider(None).unwrap(), std::slice::from_ref(&one)).unwrap();
    let connector = with(|tls| tls.handed.provider = Some(narrow));
    assert_eq!(suite(&connector.unwrap()), one);
}

/// Its verifier is the application's, which trusts nobody here.
#[test]
fn a_whole_configuration_of_rustls_is_used_as_it_is() {
    let whole = |roots| {
        ClientConfig::builder_with_provider(provider(None).unwrap())
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    };
    let using = |roots| {
        let mut tls = TlsConfig::default();
        tls.handed.config = Some(whole(roots).into());
        let dialer = tcp::Dialer::default();
        Connector::with("tester", SecurityProtocol::Ssl, dialer, &tls, None).unwrap()
    };
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(CA.as_bytes()).unwrap())
        .unwrap();
    assert!(suite(&using(roots)).starts_with("TLS_ECDHE_"));
    let (address, thread) = tls_peer(
        good(BOTH),
        |socket| socket,
        |stream| stream.read(&mut [0; 1]).unwrap_err(),
    );
    let error = open(&using(RootCertStore::empty()), &address).unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    thread.join().unwrap();
}

/// The second connection of a producer skips the certificates: a ticket of the first vouches.
#[test]
fn connections_resume_the_session_of_an_earlier_one() {
    for versions in [ONLY_1_2, ONLY_1_3] {
        let (connector, config) = (trusting(), good(versions));
        let kinds = [(); 2].map(|()| {
            let (address, thread) = tls_peer(
                config.clone(),
                |socket| socket,
                |stream| {
                    serve_versions(stream);
                    drain(stream);
                    stream.conn.handshake_kind()
                },
            );
            // The ticket of TLS 1.3 comes with the first answer.
            drop(open(&connector, &address).unwrap());
            thread.join().unwrap()
        });
        let expected = [HandshakeKind::Full, HandshakeKind::Resumed].map(Some);
        assert_eq!(kinds, expected, "{versions:?}");
    }
}

#[cfg(feature = "tls-graviola")]
#[test]
fn a_cpu_that_the_default_cryptography_does_not_run_on_is_told_the_ways_out() {
    let text = unserved(&["adx", "avx2"]);
    for says in [
        "this CPU lacks adx, avx2",
        "\"tls-ring\"",
        "Config::crypto_provider",
    ] {
        assert!(text.contains(says), "no {says:?} in: {text}");
    }
}
