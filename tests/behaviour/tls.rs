//! What producers say of brokers that refuse them by TLS: with TLS 1.3, behind the handshake.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use milena::rustls::pki_types::pem::PemObject;
use milena::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use milena::rustls::server::WebPkiClientVerifier;
use milena::rustls::version::{TLS12, TLS13};
use milena::rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};
use milena::{Config, ErrorKind, Outcome, SecurityProtocol};

use crate::support::{SOON, config_for, failed, producer, send};

/// A file of tests/pem.
macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../pem/", $name))
    };
}

/// A broker that asks for a client certificate. Its port; it ends with the tests.
fn asking(version: &'static SupportedProtocolVersion) -> u16 {
    let provider = Arc::new(rustls_graviola::default_provider());
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut clients = RootCertStore::empty();
    clients.add(certificate(pem!("client-ca.pem"))).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(clients.into(), provider.clone()).build();
    let key = PrivateKeyDer::from_pem_slice(pem!("good.key").as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(vec![certificate(pem!("good.pem"))], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, socket.unwrap());
            let refused = stream.read(&mut [0]).unwrap_err();
            assert!(!refused.to_string().contains("timed out"), "{refused}");
            // The alert, in front of a reset: what the client sent is not read.
            let _ = stream.conn.write_tls(&mut stream.sock);
        }
    });
    port
}

fn refused(config: Config, says: &[&str]) {
    let started = Instant::now();
    let producer = producer(config.max_block(SOON));
    let error = failed(&send(&producer, 0, "v"));
    let text = error.to_string();
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Authentication, Outcome::NotWritten),
        "{text}"
    );
    assert!(!error.is_retriable());
    for says in says {
        assert!(text.contains(says), "no {says:?} in: {text}");
    }
    assert!(started.elapsed() < SOON, "not at once");
}

#[test]
fn sends_that_wait_fail_at_once_where_the_client_certificate_is_missing_or_refused() {
    for (version, stage) in [(&TLS12, "TLS handshake"), (&TLS13, "ApiVersions")] {
        let port = asking(version);
        let place = format!("broker localhost:{port}: {stage}: ");
        let config = || {
            config_for(format!("localhost:{port}"))
                .security_protocol(SecurityProtocol::Ssl)
                .set("ssl.truststore.certificates", pem!("ca.pem"))
                .unwrap()
        };
        if version.version == TLS13.version {
            refused(
                config(),
                &[
                    &place,
                    "the broker asks for a client certificate (ssl.client.auth=required), and this \
                     client has none (ssl.keystore.location is not set): TLS alert 116",
                ],
            );
        }
        for (chain, key, says) in [
            (
                pem!("itself.pem"),
                pem!("itself.key"),
                "the broker does not trust the client certificate of CN=localhost, O=milena tests, \
                 issued by CN=localhost",
            ),
            (
                pem!("client-expired.pem"),
                pem!("client-expired.key"),
                "the broker refuses the client certificate, which expired on 2021-01-01",
            ),
        ] {
            let config = config().set("ssl.keystore.key", key);
            let config = config.and_then(|it| it.set("ssl.keystore.certificate.chain", chain));
            refused(config.unwrap(), &[&place, says]);
        }
    }
}
