//! TLS against rustls servers with certificates of tests/pem.

use std::io::{self, Read, Write};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::super::tests::*;
use super::*;
use crate::config::{PemSource, SecurityProtocol};
use crate::conn::{Address, Connector, Interrupt};
use crate::wire::metadata::{MetadataRequest, MetadataResponse};

const CA: &str = include_str!("../../../tests/pem/ca.pem");

macro_rules! certificate {
    ($name:literal) => {
        (
            include_str!(concat!("../../../tests/pem/", $name, ".pem")),
            include_str!(concat!("../../../tests/pem/", $name, ".key")),
        )
    };
}

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
    let provider = provider().unwrap();
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(asked).unwrap())
        .unwrap();
    let builder = match asks_for_certificate {
        false => builder.with_no_client_auth(),
        true => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(CA.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
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

/// What a client says of a server with this certificate. The server must not see a byte of the protocol.
fn refusal(connector: &Connector, certificate: (&str, &str)) -> Error {
    let config = server_config(certificate, BOTH, false);
    let (address, thread) = tls_peer(config, |socket| socket, |stream| {
        stream.read(&mut [0; 1]).unwrap_err()
    });
    let error = open(connector, &address).unwrap_err();
    thread.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.to_string().contains("TLS handshake: "), "{error}");
    error
}

fn metadata() -> MetadataRequest {
    MetadataRequest {
        topics: None,
        allow_auto_topic_creation: false,
    }
}

#[test]
fn both_versions_work_by_name_and_by_address() {
    for versions in [ONLY_1_2, ONLY_1_3] {
        for host in ["localhost", "127.0.0.1"] {
            let (mut address, thread) = tls_peer(good(versions), |socket| socket, |stream| {
                serve_versions(stream);
                serve::<MetadataRequest>(stream, |_| MetadataResponse::default());
                stream.conn.server_name().map(str::to_owned)
            });
            address.host = host.into();
            let mut connection = open(&trusting(), &address).unwrap();
            assert!(!connection.has_hung_up());
            connection.call(&metadata(), patience()).unwrap();
            let name = thread.join().unwrap();
            assert_eq!(name, (host == "localhost").then(|| host.to_owned()));
        }
    }
}

#[test]
fn a_certificate_that_is_not_good_says_why() {
    let by_name = trusting();
    let table = [
        (
            certificate!("expired"),
            "the broker's certificate is refused: it expired on 2021-01-01 00:00 UTC, now is ",
        ),
        (certificate!("future"), "it is valid from 2125-01-01 00:00 UTC on, now is "),
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
             ssl.truststore.certificates; set ssl.truststore.location"
        ),
        "{text}"
    );
}

#[test]
fn a_certificate_that_is_itself_trusted_is_good_while_its_dates_and_names_are() {
    let itself = certificate!("itself");
    let config = server_config(itself, BOTH, false);
    let (address, thread) = tls_peer(config, |socket| socket, |stream| serve_versions(stream));
    open(&client(itself.0, true, BOTH), &address).unwrap();
    thread.join().unwrap();
    let expired = certificate!("itself-expired");
    let text = refusal(&client(expired.0, true, BOTH), expired).to_string();
    assert!(text.contains("it expired on 2021-01-01"), "{text}");
    let config = server_config(itself, BOTH, false);
    let (mut address, thread) = tls_peer(config, |socket| socket, |stream| {
        stream.read(&mut [0; 1]).unwrap_err()
    });
    address.host = "127.0.0.1".into();
    let error = open(&client(itself.0, true, BOTH), &address).unwrap_err();
    assert!(error.to_string().contains("it is not for 127.0.0.1"), "{error}");
    thread.join().unwrap();
}

#[test]
fn leaving_the_name_out_leaves_the_rest_of_the_verification_in() {
    let nameless = client(CA, false, BOTH);
    let config = server_config(certificate!("other-name"), BOTH, false);
    let (address, thread) = tls_peer(config, |socket| socket, |stream| serve_versions(stream));
    open(&nameless, &address).unwrap();
    thread.join().unwrap();
    let expired = refusal(&nameless, certificate!("expired"));
    assert!(expired.to_string().contains("it expired on"), "{expired}");
    let untrusting = client(certificate!("itself").0, false, BOTH);
    let unknown = refusal(&untrusting, certificate!("good"));
    assert!(unknown.to_string().contains("not signed by an authority"), "{unknown}");
}

#[test]
fn no_version_in_common_names_the_setting() {
    for (ours, theirs) in [(ONLY_1_2, ONLY_1_3), (ONLY_1_3, ONLY_1_2)] {
        let (address, thread) = tls_peer(good(theirs), |socket| socket, |stream| {
            stream.read(&mut [0; 1]).unwrap_err()
        });
        let error = open(&client(CA, true, ours), &address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.to_string().contains("ssl.enabled.protocols"), "{error}");
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
        let (address, thread) = tls_peer(config, |socket| socket, |stream| {
            // With TLS 1.3 the client is done with the handshake before the server misses the certificate.
            let refused = stream.read(&mut [0; 1]).unwrap_err();
            let _ = stream.conn.write_tls(&mut stream.sock);
            drain(&mut stream.sock);
            refused
        });
        let error = open(&trusting(), &address).unwrap_err();
        thread.join().unwrap();
        assert!(error.to_string().contains("client certificate"), "{error}");
        if versions == ONLY_1_3 {
            assert_eq!(error.kind(), ErrorKind::Authentication);
        }
    }
}

#[test]
fn a_plain_text_listener_is_recognised() {
    let table: [(&[u8], ErrorKind, &str); 4] = [
        (b"", ErrorKind::Connection, "is this a plain-text listener? security.protocol is SSL"),
        (b"HTTP/1.1 400 Bad Request\r\n", ErrorKind::Tls, "the peer speaks HTTP, not TLS"),
        (&[0, 0, 0, 10, 0, 0, 0, 0, 0, 35], ErrorKind::Tls, "is this a plain-text listener?"),
        (&[0x15, 3, 3, 0, 2, 2, 70], ErrorKind::Tls, "none of the versions of ssl.enabled"),
    ];
    for (bytes, kind, says) in table {
        let (address, thread) = peer(move |mut socket| {
            socket.read_exact(&mut [0; 100]).unwrap();
            socket.write_all(bytes).unwrap();
        });
        let error = open(&trusting(), &address).unwrap_err();
        let text = error.to_string();
        assert!(error.kind() == kind && text.contains(says), "{text}");
        thread.join().unwrap();
    }
}

#[test]
fn a_plain_text_client_at_a_tls_listener_is_told() {
    let (address, thread) = tls_peer(good(BOTH), |socket| socket, |stream| {
        stream.read(&mut [0; 1]).unwrap_err();
        let _ = stream.conn.write_tls(&mut stream.sock);
        drain(&mut stream.sock);
    });
    let error = open(&plaintext(), &address).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("answered with a TLS alert: this is a TLS port"), "{text}");
    thread.join().unwrap();
}

#[test]
fn a_handshake_that_stalls_ends_with_the_deadline_or_an_interrupt() {
    let (address, thread) = peer(|mut socket| drain(&mut socket));
    let interrupt = Interrupt::default();
    let error = trusting().open(&address, &interrupt, soon()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("TLS handshake: no answer within"), "{error}");
    assert!(thread.join().unwrap() > 0);
    let fuse = interrupt.clone();
    let (address, thread) = peer(move |mut socket| {
        socket.read_exact(&mut [0; 100]).unwrap();
        fuse.fire();
        socket
    });
    let error = trusting().open(&address, &interrupt, patience()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    thread.join().unwrap();
}

/// Sends one byte at a time.
struct Drip(TcpStream);

impl Read for Drip {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Drip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes.get(..1).unwrap_or_default())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn records_that_drip_in_are_put_together() {
    let (address, thread) = tls_peer(good(BOTH), Drip, |stream| {
        serve_versions(stream);
        serve::<MetadataRequest>(stream, |_| MetadataResponse::default());
    });
    let mut connection = open(&trusting(), &address).unwrap();
    connection.call(&metadata(), patience()).unwrap();
    thread.join().unwrap();
}

/// Keeps the first `left` bytes of what is sent while there is a limit.
struct Cut {
    socket: TcpStream,
    left: Option<usize>,
}

impl Read for Cut {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(into)
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let kept = self.left.unwrap_or(bytes.len()).min(bytes.len());
        self.socket.write_all(&bytes[..kept])?;
        self.left = self.left.map(|left| left - kept);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_cut_anywhere_in_an_answer_is_never_an_answer() {
    for left in [0, 1, 4, 5, 6, 20, 30] {
        let wrap = |socket| Cut { socket, left: None };
        let (address, thread) = tls_peer(good(BOTH), wrap, move |stream| {
            serve_versions(stream);
            stream.sock.left = Some(left);
            serve::<MetadataRequest>(stream, |_| MetadataResponse::default());
        });
        let mut connection = open(&trusting(), &address).unwrap();
        let error = connection.call(&metadata(), patience()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        let text = error.to_string();
        assert!(text.contains("it ended without a TLS close"), "{text}");
        thread.join().unwrap();
    }
}

#[test]
fn a_close_in_place_of_an_answer_is_an_error_and_at_rest_a_hang_up() {
    for answers_half in [false, true] {
        let (address, thread) = tls_peer(good(BOTH), |socket| socket, move |stream| {
            serve_versions(stream);
            receive(stream).unwrap();
            if answers_half {
                stream.write_all(&[0, 0, 0, 9, 1]).unwrap();
            }
            stream.conn.send_close_notify();
            stream.flush().unwrap();
            // The socket stays open: the close of TLS alone has to do.
            drain(&mut stream.sock);
        });
        let mut connection = open(&trusting(), &address).unwrap();
        let error = connection.call(&metadata(), patience()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert_eq!(error.to_string().contains("inside an answer"), answers_half);
        drop(connection);
        thread.join().unwrap();
    }
    let (address, thread) = tls_peer(good(BOTH), |socket| socket, |stream| {
        serve_versions(stream);
        receive(stream).unwrap();
        answer_metadata_and_close(stream);
        drain(&mut stream.sock);
    });
    let mut connection = open(&trusting(), &address).unwrap();
    let (mut writer, mut reader) = {
        assert!(!connection.has_hung_up());
        connection.split()
    };
    let frame = crate::wire::frame(&metadata(), 13, writer.next_correlation_id(), "tester");
    writer.write(&[&frame], patience()).unwrap();
    // The answer came before the close, so it is one.
    reader.read_frame(patience()).unwrap();
    assert_eq!(reader.read_frame(patience()).unwrap_err().kind(), ErrorKind::Connection);
    reader.shutdown();
    assert!(writer.has_hung_up());
    thread.join().unwrap();
}

fn answer_metadata_and_close(stream: &mut Stream<TcpStream>) {
    let header = crate::wire::RequestHeader {
        api_key: 3,
        api_version: 13,
        correlation_id: 1,
        client_id: None,
    };
    answer::<MetadataRequest>(stream, &header, &MetadataResponse::default(), 13);
    stream.conn.send_close_notify();
    stream.flush().unwrap();
}

#[test]
fn large_frames_go_both_ways_at_once_through_key_updates() {
    const ROUNDS: u8 = 60;
    const BYTES: usize = 300 << 10;
    let (address, thread) = tls_peer(good(ONLY_1_3), |socket| socket, |stream| {
        serve_versions(stream);
        let mut frame = vec![0; 4 + BYTES];
        for round in 0..ROUNDS {
            stream.read_exact(&mut frame).unwrap();
            assert!(frame[4..].iter().all(|byte| *byte == round));
            if round % 10 == 5 {
                stream.conn.refresh_traffic_keys().unwrap();
            }
            stream.write_all(&frame).unwrap();
            stream.flush().unwrap();
        }
    });
    let (mut writer, mut reader) = open(&trusting(), &address).unwrap().split();
    let reading = std::thread::spawn(move || {
        for round in 0..ROUNDS {
            let frame = reader.read_frame(patience()).unwrap();
            assert!(frame.len() == BYTES && frame.iter().all(|byte| *byte == round));
        }
    });
    for round in 0..ROUNDS {
        let body = vec![round; BYTES];
        let (head, tail) = body.split_at(61);
        let length = (BYTES as u32).to_be_bytes();
        writer.write(&[&length, head, &[], tail], patience()).unwrap();
    }
    reading.join().unwrap();
    thread.join().unwrap();
}
