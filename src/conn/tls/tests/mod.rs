//! TLS against rustls servers with certificates of tests/pem.

use std::io::{self, Read, Write};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::super::diagnosis::Stage;
use super::super::tests::*;
use super::*;
use crate::config::{PemSource, SecurityProtocol};
use crate::conn::{Address, Connector, Interrupt};
use crate::wire::metadata::{MetadataRequest, MetadataResponse};

const CA: &str = include_str!("../../../../tests/pem/ca.pem");

macro_rules! certificate {
    ($name:literal) => {
        (
            include_str!(concat!("../../../../tests/pem/", $name, ".pem")),
            include_str!(concat!("../../../../tests/pem/", $name, ".key")),
        )
    };
}

// Behind the macro, which they use.
mod certificates;
mod clients;
mod encrypted;
mod handed;
mod mistakes;
mod revoked;
mod streams;

type Stream<S> = StreamOwned<ServerConnection, S>;

const BOTH: TlsVersions = TlsVersions {
    v1_2: true,
    v1_3: true,
};
const ONLY_1_2: TlsVersions = TlsVersions {
    v1_2: true,
    v1_3: false,
};
const ONLY_1_3: TlsVersions = TlsVersions {
    v1_2: false,
    v1_3: true,
};

fn client(truststore: &str, verify_host_name: bool, versions: TlsVersions) -> Connector {
    let tls = TlsConfig {
        truststore: Some(PemSource::Inline(truststore.into())),
        versions,
        verify_host_name,
        ..TlsConfig::default()
    };
    let dialer = tcp::Dialer::default();
    Connector::with("tester", SecurityProtocol::Ssl, dialer, &tls, None).unwrap()
}

fn trusting() -> Connector {
    client(CA, true, BOTH)
}

fn server_config(
    (certificate, key): (&str, &str),
    asked: TlsVersions,
    asks_for_certificate: bool,
) -> Arc<ServerConfig> {
    server_asking(
        (certificate, key),
        asked,
        asks_for_certificate.then_some(CA),
    )
}

/// A server that asks for certificates of `clients`, an authority.
fn server_asking(
    (certificate, key): (&str, &str),
    asked: TlsVersions,
    clients: Option<&str>,
) -> Arc<ServerConfig> {
    server_of(provider(None).unwrap(), (certificate, key), asked, clients)
}

fn server_of(
    provider: Arc<CryptoProvider>,
    (certificate, key): (&str, &str),
    asked: TlsVersions,
    clients: Option<&str>,
) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(asked).unwrap())
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_slice(clients.as_bytes()).unwrap())
                .unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    builder.with_single_cert(chain, key).unwrap().into()
}

/// A server whose socket goes through `wrap`.
fn tls_peer<S: Read + Write, T: Send + 'static>(
    config: Arc<ServerConfig>,
    wrap: impl FnOnce(TcpStream) -> S + Send + 'static,
    script: impl FnOnce(&mut Stream<S>) -> T + Send + 'static,
) -> (Address, JoinHandle<T>) {
    peer(move |socket| {
        socket.set_nodelay(true).unwrap();
        let connection = ServerConnection::new(config).unwrap();
        script(&mut StreamOwned::new(connection, wrap(socket)))
    })
}

fn good(versions: TlsVersions) -> Arc<ServerConfig> {
    server_config(certificate!("good"), versions, false)
}

fn metadata() -> MetadataRequest {
    MetadataRequest {
        topics: None,
        allow_auto_topic_creation: false,
        include_operations: false,
    }
}
