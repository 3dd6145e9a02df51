//! Which certificates are taken, and what is said of those that are not.

use super::*;

/// What a client says of a server with this certificate. The server must not see a byte of the
/// protocol.
pub(super) fn refusal(connector: &Connector, certificate: (&str, &str)) -> Error {
    let config = server_config(certificate, BOTH, false);
    let (address, thread) = tls_peer(
        config,
        |socket| socket,
        |stream| stream.read(&mut [0; 1]).unwrap_err(),
    );
    let error = open(connector, &address).unwrap_err();
    thread.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.to_string().contains("TLS handshake: "), "{error}");
    error
}

#[test]
fn a_certificate_that_is_not_good_says_why() {
    let by_name = trusting();
    let table = [
        (
            certificate!("expired"),
            "the broker's certificate is refused: it expired on 2021-01-01 00:00 UTC, now is ",
        ),
        (
            certificate!("future"),
            "it is valid from 2125-01-01 00:00 UTC on, now is ",
        ),
        (
            certificate!("other-name"),
            "it is not for localhost; its names are kafka-7.example.com, *.example.org",
        ),
        (
            certificate!("itself"),
            "it is that of an authority, and not itself in ssl.truststore.location",
        ),
    ];
    for (certificate, says) in table {
        let text = refusal(&by_name, certificate).to_string();
        assert!(text.contains(says), "{text}");
    }
    let other_trust = client(certificate!("itself").0, true, BOTH);
    let text = refusal(&other_trust, certificate!("good")).to_string();
    assert!(
        text.contains(
            "not signed by an authority that is trusted: CN=localhost, O=milena tests was issued \
             by CN=milena test authority, O=milena tests; trusted are those of \
             ssl.truststore.certificates; its names are localhost, 127.0.0.1; its subject is"
        ),
        "{text}"
    );
}

#[test]
fn a_certificate_that_is_itself_trusted_is_good_while_its_dates_and_names_are() {
    let itself = certificate!("itself");
    let config = server_config(itself, BOTH, false);
    let (address, thread) = tls_peer(config, |socket| socket, serve_versions);
    open(&client(itself.0, true, BOTH), &address).unwrap();
    thread.join().unwrap();
    let expired = certificate!("itself-expired");
    let text = refusal(&client(expired.0, true, BOTH), expired).to_string();
    assert!(text.contains("it expired on 2021-01-01"), "{text}");
    let config = server_config(itself, BOTH, false);
    let (mut address, thread) = tls_peer(
        config,
        |socket| socket,
        |stream| stream.read(&mut [0; 1]).unwrap_err(),
    );
    address.host = "127.0.0.1".into();
    let error = open(&client(itself.0, true, BOTH), &address).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("for 127.0.0.1; its names are localhost;"),
        "{error}"
    );
    thread.join().unwrap();
}

/// The names of the certificate are kafka-7.example.com and *.example.org; its CN is localhost.
#[test]
fn names_are_compared_as_rfc_6125_says() {
    for (host, is_good) in [
        ("kafka-7.example.com", true),
        ("KAFKA-7.Example.COM", true),
        ("kafka-7.example.com.", true),
        ("a.example.org", true),
        ("A.EXAMPLE.ORG", true),
        ("a.b.example.org", false),
        ("example.org", false),
        (".example.org", false),
        ("kafka-7.example.com.example.net", false),
        ("xkafka-7.example.com", false),
        ("localhost", false),
        ("127.0.0.1", false),
    ] {
        let config = server_config(certificate!("other-name"), BOTH, false);
        let (address, thread) = tls_peer(
            config,
            |socket| socket,
            |stream| {
                // The client may refuse, which its side shows.
                let _ = stream.conn.complete_io(&mut stream.sock);
            },
        );
        let tls = TlsConfig {
            truststore: Some(PemSource::Inline(CA.into())),
            versions: BOTH,
            verify_host_name: true,
            ..TlsConfig::default()
        };
        let socket = TcpStream::connect(("127.0.0.1", address.port)).unwrap();
        let shaken = Tls::new(&tls).unwrap().handshake(&socket, host, patience());
        assert_eq!(shaken.is_ok(), is_good, "{host}: {shaken:?}");
        drop(socket);
        thread.join().unwrap();
    }
}

#[test]
fn leaving_the_name_out_leaves_the_rest_of_the_verification_in() {
    let nameless = client(CA, false, BOTH);
    let config = server_config(certificate!("other-name"), BOTH, false);
    let (address, thread) = tls_peer(config, |socket| socket, serve_versions);
    open(&nameless, &address).unwrap();
    thread.join().unwrap();
    let expired = refusal(&nameless, certificate!("expired"));
    assert!(expired.to_string().contains("it expired on"), "{expired}");
    let untrusting = client(certificate!("itself").0, false, BOTH);
    let unknown = refusal(&untrusting, certificate!("good"));
    assert!(
        unknown.to_string().contains("not signed by an authority"),
        "{unknown}"
    );
}

#[test]
fn no_version_in_common_names_the_setting() {
    for (ours, theirs) in [(ONLY_1_2, ONLY_1_3), (ONLY_1_3, ONLY_1_2)] {
        let (address, thread) = tls_peer(
            good(theirs),
            |socket| socket,
            |stream| stream.read(&mut [0; 1]).unwrap_err(),
        );
        let error = open(&client(CA, true, ours), &address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(
            error.to_string().contains("ssl.enabled.protocols"),
            "{error}"
        );
        thread.join().unwrap();
    }
    let neither = TlsVersions {
        v1_2: false,
        v1_3: false,
    };
    assert_eq!(versions(neither).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn a_broker_that_asks_for_a_certificate_says_so() {
    for versions in [ONLY_1_2, ONLY_1_3] {
        let config = server_config(certificate!("good"), versions, true);
        let (address, thread) = tls_peer(
            config,
            |socket| socket,
            |stream| {
                // With TLS 1.3 the client is done with the handshake before the server misses the
                // certificate.
                let refused = stream.read(&mut [0; 1]).unwrap_err();
                let _ = stream.conn.write_tls(&mut stream.sock);
                drain(&mut stream.sock);
                refused
            },
        );
        let error = open(&trusting(), &address).unwrap_err();
        thread.join().unwrap();
        assert!(error.to_string().contains("client certificate"), "{error}");
        if versions == ONLY_1_3 {
            assert_eq!(error.kind(), ErrorKind::Authentication);
        }
    }
}
