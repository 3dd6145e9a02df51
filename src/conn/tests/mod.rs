//! Tests against real sockets: a thread plays the broker by a script.

mod dialing;
mod egress;
mod frames;
mod opening;
mod strangers;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::config::TlsVersions;
use crate::wire::api_versions::ApiRange;
use crate::wire::metadata::MetadataRequest;
use crate::wire::produce::ProduceRequest;
use crate::wire::sasl_authenticate::SaslAuthenticateRequest;
use crate::wire::sasl_handshake::SaslHandshakeRequest;
use crate::wire::{Reader, RequestHeader};

use super::*;

/// Long enough for any machine; only a failing test waits for it.
pub(super) fn patience() -> Deadline {
    Deadline::within(Duration::from_secs(30))
}

/// For what must run into its deadline.
pub(super) fn soon() -> Deadline {
    Deadline::within(Duration::from_millis(150))
}

/// Plays the broker for one connection.
pub(super) fn peer<T: Send + 'static>(
    script: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (Address, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || script(listener.accept().unwrap().0));
    (Address::new("localhost", port), thread)
}

pub(super) fn no_tls() -> TlsConfig {
    TlsConfig {
        truststore: None,
        versions: TlsVersions {
            v1_2: true,
            v1_3: true,
        },
        verify_host_name: true,
        ..TlsConfig::default()
    }
}

pub(super) fn connector(security: SecurityProtocol, sasl: Option<&SaslConfig>) -> Connector {
    let dialer = tcp::Dialer::default();
    let sasl = sasl.map(|sasl| (sasl, TokenRefresh::default(), None));
    Connector::with("tester", security, dialer, &no_tls(), sasl).unwrap()
}

pub(super) fn plaintext() -> Connector {
    connector(SecurityProtocol::Plaintext, None)
}

pub(super) fn open(connector: &Connector, address: &Address) -> Result<Connection, Error> {
    connector.open(address, &Interrupt::default(), patience())
}

/// A link to a scripted peer, without any set-up.
pub(super) fn link<T: Send + 'static>(
    script: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (Arc<Link>, JoinHandle<T>) {
    let (address, thread) = peer(script);
    let socket = Arc::new(TcpStream::connect(("127.0.0.1", address.port)).unwrap());
    let interrupt = Interrupt::default();
    assert!(interrupt.covers(&socket));
    let link = Link {
        address,
        security: SecurityProtocol::Plaintext,
        socket,
        session: None,
        interrupt,
    };
    (Arc::new(link), thread)
}

/// A request as the broker sees it: its header and the body behind it.
pub(super) fn receive(stream: &mut impl Read) -> Option<(RequestHeader, Vec<u8>)> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).ok()?;
    let mut reader = Reader::new(&frame);
    let header = RequestHeader::decode(&mut reader).unwrap();
    Some((header, reader.rest().to_vec()))
}

/// Receives a request of this type, and answers it.
pub(super) fn serve<R: Request>(
    stream: &mut (impl Read + Write),
    response: impl FnOnce(R) -> R::Response,
) -> RequestHeader {
    let (header, body) = receive(stream).expect("a request");
    assert_eq!(header.api_key, R::KEY);
    let version = header.api_version;
    let request = R::decode(&mut Reader::new(&body), version).unwrap();
    answer::<R>(stream, &header, &response(request), version);
    header
}

pub(super) fn answer<R: Request>(
    stream: &mut impl Write,
    header: &RequestHeader,
    response: &R::Response,
    version: i16,
) {
    let mut out = Vec::new();
    wire::put_response_frame::<R>(&mut out, response, version, header.correlation_id);
    // The client may have closed, which its side of the test shows.
    let _ = stream.write_all(&out);
    let _ = stream.flush();
}

/// The frame of a request, for tests that write it themselves.
pub(super) fn frame<R: Request>(request: &R, version: i16, correlation_id: i32) -> Vec<u8> {
    let header = wire::HeaderFacts {
        correlation_id,
        client_id: "tester",
    };
    wire::frame(request, version, header)
}

/// What a broker of today speaks of the APIs here.
pub(super) fn ranges() -> Vec<ApiRange> {
    fn all<R: Request>() -> ApiRange {
        ApiRange {
            key: R::KEY,
            min: *R::VERSIONS.start(),
            max: *R::VERSIONS.end(),
        }
    }
    vec![
        all::<ProduceRequest>(),
        all::<MetadataRequest>(),
        all::<ApiVersionsRequest>(),
        all::<SaslHandshakeRequest>(),
        all::<SaslAuthenticateRequest>(),
    ]
}

/// Answers ApiVersions as a broker of today.
pub(super) fn serve_versions(stream: &mut (impl Read + Write)) {
    serve_these_versions(stream, ranges());
}

pub(super) fn serve_these_versions(stream: &mut (impl Read + Write), apis: Vec<ApiRange>) {
    serve::<ApiVersionsRequest>(stream, |_| ApiVersionsResponse {
        apis,
        ..ApiVersionsResponse::default()
    });
}

/// Reads until the client has closed.
pub(super) fn drain(stream: &mut impl Read) -> usize {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes.len()
}
