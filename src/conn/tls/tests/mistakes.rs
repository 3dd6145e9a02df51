//! Brokers with certificates that somebody got wrong, and brokers that close without a word.

use rustls::pki_types::ServerName;
use socket2::SockRef;

use super::*;
use crate::config::{KeyStore, SaslConfig, Secret, TokenRefresh};

const ROOT: &str = include_str!("../../../../tests/pem/mistakes/root.pem");
const MIDDLE: &str = include_str!("../../../../tests/pem/mistakes/middle.pem");
const EXPIRED_MIDDLE: &str = include_str!("../../../../tests/pem/mistakes/middle-expired.pem");

/// The file of that name, in front of those that the broker sends along.
macro_rules! mistake {
    ($name:literal $(, $above:expr)*) => {{
        let (certificate, key) = certificate!($name);
        (certificate.to_owned() $(+ $above)*, key)
    }};
}

/// What a client says that logs in by SASL, once the broker's side is seen to have read nothing.
fn refused(
    trusted: &str,
    (chain, key): &(String, &str),
    host: &str,
    versions: TlsVersions,
) -> String {
    let config = server_config((chain, key), versions, false);
    let (mut address, thread) = tls_peer(
        config,
        |socket| socket,
        |stream| stream.read(&mut [0; 1]).unwrap_err(),
    );
    // Connected to by address, whatever the name.
    let socket = TcpStream::connect(("127.0.0.1", address.port)).unwrap();
    address.host = host.into();
    let tls = TlsConfig {
        truststore: Some(PemSource::Inline(trusted.into())),
        ..TlsConfig::default()
    };
    let sasl = SaslConfig::Plain {
        username: "alice".into(),
        password: Secret::new("hush"),
    };
    let dialer = tcp::Dialer::default();
    let sasl = Some((&sasl, TokenRefresh::default(), None));
    let connector =
        Connector::with("tester", SecurityProtocol::SaslSsl, dialer, &tls, sasl).unwrap();
    let peer = socket.peer_addr().unwrap();
    let interrupt = Interrupt::default();
    let opened = connector.set_up(
        &address,
        socket.into(),
        peer,
        &interrupt,
        patience(),
        &mut |_| (),
    );
    let error = opened.unwrap_err();
    let received = thread.join().unwrap().to_string();
    assert!(received.contains("CertificateUnknown"), "{received}");
    assert!(error.kind() == ErrorKind::Tls && error.is_lasting());
    error.to_string()
}

#[test]
fn each_mistake_is_told_with_all_that_the_certificate_says_and_what_to_do() {
    let above_root = [
        "its names are localhost, 127.0.0.1; its subject is CN=localhost, O=milena tests; ",
        "it is valid from 2020-01-01 00:00 UTC to 2126-01-01 00:00 UTC; ",
    ];
    for (trusted, shown, host, says) in [
        (
            ROOT,
            mistake!("mistakes/self-signed"),
            "localhost",
            &[
                "CN=localhost, O=milena tests signed itself; trusted are those of \
                 ssl.truststore.certificates; ",
                above_root[0],
                "its issuer is CN=localhost, O=milena tests; ",
                above_root[1],
                "; if it is the right one, set ssl.truststore.location to a PEM file with it",
            ][..],
        ),
        (
            CA,
            mistake!("mistakes/below-middle", MIDDLE),
            "localhost",
            &[
                "it is not signed by an authority that is trusted: CN=localhost, O=milena tests \
                 was issued by CN=milena middle, O=milena tests, that one by CN=milena root, \
                 O=milena tests; trusted",
                above_root[0],
                "its issuer is CN=milena middle, O=milena tests; ",
                above_root[1],
                "with the certificate of the issuer",
            ],
        ),
        (
            ROOT,
            mistake!("mistakes/below-middle"),
            "localhost",
            &[
                "was issued by CN=milena middle, O=milena tests; trusted are",
                above_root[0],
                "or let the broker send that along if it is an intermediate one",
            ],
        ),
        (
            ROOT,
            mistake!("mistakes/below-expired", EXPIRED_MIDDLE),
            "localhost",
            &[
                "that of CN=milena middle of once, O=milena tests, which it depends on: it \
                 expired on 2021-01-01 00:00 UTC, now is 2",
                above_root[0],
                above_root[1],
                "the broker needs a new one",
            ],
        ),
        (
            ROOT,
            mistake!("mistakes/common-name-only"),
            "localhost",
            &[
                "it is not for localhost; its names are none (a common name does not count); its \
                 subject is CN=localhost, O=milena tests; its issuer is CN=milena root, O=milena \
                 tests; it is valid from ",
                "advertised.listeners say: put one of its names there, or give the broker a \
                 certificate with the subject alternative name DNS:localhost",
            ],
        ),
        (
            ROOT,
            mistake!("mistakes/no-address"),
            "127.0.0.1",
            &[
                "it is not for 127.0.0.1; its names are localhost, *.example.org; its subject is ",
                "with the subject alternative name IP:127.0.0.1",
            ],
        ),
        (
            ROOT,
            mistake!("mistakes/idn"),
            "::2",
            &[
                "it is not for ::2; its names are xn--bcher-kva.example, kafka_1, ::1; ",
                "with the subject alternative name IP:::2",
            ],
        ),
        (
            ROOT,
            mistake!("mistakes/client-usage"),
            "localhost",
            &[
                "its extended key usage does not have serverAuth; ",
                above_root[0],
                "the broker needs another one",
            ],
        ),
    ] {
        for versions in [ONLY_1_2, ONLY_1_3] {
            let text = refused(trusted, &shown, host, versions);
            let place = "TLS handshake: the broker's certificate is refused: ";
            for says in says.iter().chain([&place]) {
                assert!(text.contains(says), "no {says:?} in: {text}");
            }
        }
    }
}

#[test]
fn names_and_addresses_of_every_form_are_found_in_a_good_certificate() {
    let (chain, key) = mistake!("mistakes/idn");
    let tls = TlsConfig {
        truststore: Some(PemSource::Inline(ROOT.into())),
        ..TlsConfig::default()
    };
    let tls = Tls::new(&tls).unwrap();
    for (host, sent) in [
        ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
        ("XN--BCHER-KVA.Example", Some("xn--bcher-kva.example")),
        ("xn--bcher-kva.example.", Some("xn--bcher-kva.example")),
        ("kafka_1", Some("kafka_1")),
        // Names of hosts only (RFC 6066, 3).
        ("::1", None),
    ] {
        let config = server_config((&chain, key), BOTH, false);
        let (address, thread) = tls_peer(
            config,
            |socket| socket,
            |stream| {
                stream.conn.complete_io(&mut stream.sock).unwrap();
                stream
                    .conn
                    .server_name()
                    .map(|name| name.to_ascii_lowercase())
            },
        );
        let socket = TcpStream::connect(("127.0.0.1", address.port)).unwrap();
        let shaken = tls.handshake(&socket, host, patience());
        assert!(shaken.is_ok(), "{host}: {shaken:?}");
        assert_eq!(thread.join().unwrap().as_deref(), sent, "{host}");
    }
    let (address, _) = peer(drop);
    let socket = TcpStream::connect(("127.0.0.1", address.port)).unwrap();
    for (host, says) in [
        (
            "b\u{fc}cher.example",
            "in its ASCII form, which begins with xn--",
        ),
        ("kafka 1", "\"kafka 1\" cannot be the name in a certificate"),
    ] {
        assert!(ServerName::try_from(host).is_err());
        let broken = tls.handshake(&socket, host, patience()).unwrap_err();
        let error = broken.explain(&address, SecurityProtocol::Ssl, Stage::TlsHandshake, soon());
        let text = error.to_string();
        assert!(text.contains(says), "{text}");
    }
}

fn alice() -> KeyStore {
    let (certificate, key) = certificate!("client");
    KeyStore {
        key: Some(Secret::new(key)),
        key_password: None,
        chain: Some(Secret::new(certificate)),
        ..KeyStore::default()
    }
}

fn showing(keystore: KeyStore) -> Connector {
    let tls = TlsConfig {
        truststore: Some(PemSource::Inline(CA.into())),
        keystore,
        ..TlsConfig::default()
    };
    let dialer = tcp::Dialer::default();
    Connector::with("tester", SecurityProtocol::Ssl, dialer, &tls, None).unwrap()
}

/// A server that takes any certificate of the authority of the clients, and none as well.
fn curious(versions: TlsVersions) -> Arc<ServerConfig> {
    let mut roots = RootCertStore::empty();
    let authority = include_bytes!("../../../../tests/pem/client-ca.pem");
    let authority = CertificateDer::from_pem_slice(authority).unwrap();
    roots.add(authority).unwrap();
    let provider = provider(None).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
        .allow_unauthenticated()
        .build()
        .unwrap();
    let (certificate, key) = certificate!("good");
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    ServerConfig::builder_with_provider(self::provider(None).unwrap())
        .with_protocol_versions(&self::versions(versions).unwrap())
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            chain,
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap()
        .into()
}

fn reset(socket: &TcpStream) {
    let at_once = Some(std::time::Duration::ZERO);
    SockRef::from(socket).set_linger(at_once).unwrap();
}

/// Where the alert is lost, or never was sent, the broker's question is all that is known.
#[test]
fn a_close_without_a_word_behind_a_question_for_a_certificate_says_what_it_may_mean() {
    const NONE: &str = "the broker closed the connection instead of answering: the broker asked \
        for a client certificate, and this client has none (ssl.keystore.location is not set)";
    const ALICE: &str = "asked for a client certificate: does it not take that of CN=alice, \
        O=milena tests, issued by CN=milena client authority, O=milena tests, valid from 2020";
    let closes = |config: Arc<ServerConfig>, resets: bool, keystore: KeyStore| {
        let (address, thread) = tls_peer(
            config,
            |socket| socket,
            move |stream| {
                receive(stream).unwrap();
                if resets {
                    reset(&stream.sock);
                }
            },
        );
        let error = open(&showing(keystore), &address).unwrap_err();
        thread.join().unwrap();
        assert_eq!(error.kind(), ErrorKind::Connection);
        error.to_string()
    };
    for resets in [false, true] {
        let text = closes(curious(ONLY_1_3), resets, KeyStore::default());
        assert!(text.contains(NONE), "{text}");
        let text = closes(curious(ONLY_1_3), resets, alice());
        assert!(text.contains(ALICE), "{text}");
        // With TLS 1.2 the handshake has settled it.
        for config in [good(ONLY_1_3), curious(ONLY_1_2)] {
            let text = closes(config, resets, alice());
            assert!(!text.contains("certificate"), "{text}");
        }
    }
}

#[test]
fn a_close_in_the_middle_of_a_handshake_is_no_plain_text_listener() {
    for (config, says) in [
        (good(ONLY_1_2), "without a word: its log may say why"),
        (
            curious(ONLY_1_2),
            "without a word: the broker asked for a client certificate, and this client has none",
        ),
    ] {
        let (address, thread) = peer(move |mut socket| {
            let mut connection = ServerConnection::new(config).unwrap();
            connection.read_tls(&mut socket).unwrap();
            connection.process_new_packets().unwrap();
            connection.write_tls(&mut socket).unwrap();
            socket.shutdown(std::net::Shutdown::Write).unwrap();
            drain(&mut socket);
        });
        let error = open(&trusting(), &address).unwrap_err();
        thread.join().unwrap();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(
            text.contains("TLS handshake: the broker closed the connection in the middle")
                && text.contains(says)
                && !text.contains("plain-text"),
            "{text}"
        );
    }
}

/// The client cannot write any more, and what it has to say is not out: still it hears the broker.
#[test]
fn an_alert_is_heard_where_nothing_can_be_written_any_more() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::new("localhost", listener.local_addr().unwrap().port());
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let ends = client.try_clone().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_nodelay(true).unwrap();
        let mut connection = ServerConnection::new(good(ONLY_1_2)).unwrap();
        connection.read_tls(&mut socket).unwrap();
        connection.process_new_packets().unwrap();
        ends.shutdown(std::net::Shutdown::Write).unwrap();
        connection.write_tls(&mut socket).unwrap();
        // Most likely the client meets its own end first; the outcome is the same.
        std::thread::sleep(std::time::Duration::from_millis(50));
        socket.write_all(&[0x15, 3, 3, 0, 2, 2, 80]).unwrap();
        drain(&mut socket);
    });
    let tls = TlsConfig {
        truststore: Some(PemSource::Inline(CA.into())),
        ..TlsConfig::default()
    };
    let tls = Tls::new(&tls).unwrap();
    let broken = tls.handshake(&client, "localhost", patience()).unwrap_err();
    drop(client);
    let error = broken.explain(&address, SecurityProtocol::Ssl, Stage::TlsHandshake, soon());
    let text = error.to_string();
    assert!(text.contains("TLS alert 80 (InternalError)"), "{text}");
    thread.join().unwrap();
}

/// Other systems throw away what came in front of a reset.
#[cfg(target_os = "linux")]
#[test]
fn an_alert_in_front_of_a_reset_is_heard() {
    for _ in 0..20 {
        let config = server_config(certificate!("good"), ONLY_1_3, true);
        let (address, thread) = tls_peer(
            config,
            |socket| socket,
            |stream| {
                let refused = stream.read(&mut [0; 1]).unwrap_err();
                let _ = stream.conn.write_tls(&mut stream.sock);
                reset(&stream.sock);
                refused
            },
        );
        let error = open(&trusting(), &address).unwrap_err();
        thread.join().unwrap();
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        let text = error.to_string();
        assert!(text.contains("ApiVersions: the broker asks for"), "{text}");
    }
}
