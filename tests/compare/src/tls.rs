//! rustls with the certificates of the tests: both ends, and a front that deciphers for the mock.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

/// Who signed the broker's certificate.
pub(crate) const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pem/ca.pem");
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pem/good.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pem/good.key");

type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) fn server() -> Result<Arc<ServerConfig>, Failure> {
    let chain = CertificateDer::pem_file_iter(CERTIFICATE)?.collect::<Result<_, _>>()?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls_graviola::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(KEY)?)?;
    Ok(Arc::new(config))
}

/// What a program writes to whose bytes rustls enciphers.
pub(crate) fn connect(
    socket: TcpStream,
) -> Result<rustls::StreamOwned<ClientConnection, TcpStream>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(CA)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls_graviola::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost")?;
    let connection = ClientConnection::new(Arc::new(config), name)?;
    Ok(rustls::StreamOwned::new(connection, socket))
}

/// Takes connections for as long as the process lives.
pub(crate) fn front(listener: TcpListener, behind: String, config: Arc<ServerConfig>) {
    for socket in listener.incoming().flatten() {
        let (behind, config) = (behind.clone(), config.clone());
        thread::spawn(move || {
            if let Err(error) = forward(socket, &behind, config) {
                eprintln!("the TLS front: {error}");
            }
        });
    }
}

/// Both directions of one connection, on two threads that share its ciphers.
fn forward(mut socket: TcpStream, behind: &str, config: Arc<ServerConfig>) -> Result<(), Failure> {
    let plain = TcpStream::connect(behind)?;
    for one in [&socket, &plain] {
        one.set_nodelay(true)?;
    }
    let mut connection = ServerConnection::new(config)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    let connection = Mutex::new(connection);
    thread::scope(|scope| {
        let back = scope.spawn(|| answers(&socket, &plain, &connection));
        let there = requests(&socket, &plain, &connection);
        // Who is behind answers what it still has to, hangs up as well, and the other thread ends.
        let _ = plain.shutdown(Shutdown::Write);
        let back = back.join().unwrap_or(Ok(()));
        there.and(back)
    })?;
    Ok(())
}

const PIECE_BYTES: usize = 256 << 10;

fn requests(
    mut socket: &TcpStream,
    mut plain: &TcpStream,
    connection: &Mutex<ServerConnection>,
) -> io::Result<()> {
    let (mut enciphered, mut text) = (vec![0; PIECE_BYTES], Vec::new());
    // The handshake may have read the beginning of the first request.
    let mut count = 0;
    loop {
        let mut rest = &enciphered[..count];
        let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        let has_closed = loop {
            let state = connection.process_new_packets().map_err(io::Error::other)?;
            let start = text.len();
            text.resize(start + state.plaintext_bytes_to_read(), 0);
            connection.reader().read_exact(&mut text[start..])?;
            if rest.is_empty() || state.peer_has_closed() {
                break state.peer_has_closed();
            }
            connection.read_tls(&mut rest)?;
        };
        drop(connection);
        plain.write_all(&text)?;
        text.clear();
        if has_closed {
            return Ok(());
        }
        count = socket.read(&mut enciphered)?;
        if count == 0 {
            return Ok(());
        }
    }
}

fn answers(
    mut socket: &TcpStream,
    mut plain: &TcpStream,
    connection: &Mutex<ServerConnection>,
) -> io::Result<()> {
    let mut text = vec![0; PIECE_BYTES];
    loop {
        let count = plain.read(&mut text)?;
        if count == 0 {
            return socket.shutdown(Shutdown::Both).or(Ok(()));
        }
        let mut enciphered = Vec::new();
        let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.writer().write_all(&text[..count])?;
        while connection.wants_write() {
            connection.write_tls(&mut enciphered)?;
        }
        drop(connection);
        socket.write_all(&enciphered)?;
    }
}
