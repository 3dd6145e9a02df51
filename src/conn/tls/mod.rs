//! TLS by rustls: settings, the handshake, and records in both directions at once.

mod asked;
mod encrypted;
mod explain;
mod identity;
mod pem;
mod pkcs8;
mod refusal;
mod revocation;
mod roots;
mod settings;
mod suites;
mod verifier;
mod x509;

#[cfg(all(test, any(feature = "tls-graviola", feature = "tls-ring")))]
mod tests;

use std::io::{IoSlice, Read, Write};
use std::net::TcpStream;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ProtocolVersion, SupportedProtocolVersion};

use crate::config::{TlsConfig, TlsVersions};
use crate::error::{Error, ErrorKind};
use crate::sync::{Arc, Mutex};
use crate::time::{Deadline, now};

use super::buffer::Buffer;
use super::diagnosis::Broken;
use super::stranger::FIRST_BYTES;
use super::tcp::{self, Timeout};

use self::identity::Shown;

/// How much goes through the lock at a time: few, large writes to the socket, and the reader waits
/// no longer than for that.
const ENCRYPTED_AT_ONCE_BYTES: usize = 64 << 10;
/// How many slices rustls looks at for that.
const SLICES_AT_ONCE: usize = 1024;

/// What makes all TLS connections of a producer.
#[derive(Debug)]
pub(super) struct Tls(settings::Current);

impl Tls {
    pub(super) fn new(config: &TlsConfig) -> Result<Self, Error> {
        settings::Current::load(config).map(Self)
    }

    /// The client certificate that a broker is shown if it asks for one, for messages.
    pub(super) fn certificate(&self) -> Option<String> {
        let settings = self.0.at(now());
        settings.shown.as_ref().map(|shown| shown.text.clone())
    }

    /// Shakes hands with the broker at the other end, which has to prove that it is `host`.
    pub(super) fn handshake(
        &self,
        socket: &TcpStream,
        host: &str,
        deadline: Deadline,
    ) -> Result<Session, Broken> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Broken::tls(explain::unnameable(host)))?;
        let settings = self.0.at(now());
        let shown = settings.shown.clone();
        let mut connection = ClientConnection::new(settings.rustls.clone(), name)
            .map_err(|error| explain::broken(&error, &[], shown.as_deref()))?;
        connection.set_buffer_limit(Some(ENCRYPTED_AT_ONCE_BYTES));
        asked::forget();
        shake_hands(&mut connection, socket, shown.as_deref(), deadline)?;
        // With TLS 1.2 the broker has said by now what it thinks of the certificate.
        let is_open = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let doubt = match is_open {
            true => asked::doubt(shown.as_deref()),
            false => None,
        };
        Ok(Session {
            connection: Mutex::new(connection),
            shown,
            doubt,
        })
    }
}

/// An established TLS connection, which one thread writes and another reads.
///
/// The lock is held while bytes are encrypted or decrypted, never while a socket is waited for, so
/// neither direction holds up the other. Only the writer takes records out, which keeps them in the
/// order of their sequence numbers; what the reader causes (the answer to a key update) goes out in
/// front of the next write, as RFC 8446, 4.6.3 wants.
#[derive(Debug)]
pub(super) struct Session {
    connection: Mutex<ClientConnection>,
    /// Whose certificate the broker was shown if it asked. With TLS 1.3 it says what it thinks of
    /// that behind the handshake.
    shown: Option<Arc<Shown>>,
    doubt: Option<String>,
}

impl Session {
    /// What a broker may mean that closes this connection before it has answered anything: where it
    /// resets the connection behind its alert, some systems throw the alert away.
    pub(super) fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    /// Encrypts a first part of `slices` into `records`, and says how many bytes those were.
    pub(super) fn encrypt(
        &self,
        slices: &[IoSlice<'_>],
        records: &mut Vec<u8>,
    ) -> Result<usize, Broken> {
        let first = slices.get(..SLICES_AT_ONCE).unwrap_or(slices);
        let mut connection = self.connection.lock();
        let taken = connection.writer().write_vectored(first)?;
        while connection.wants_write() {
            connection.write_tls(records)?;
        }
        match taken {
            0 => Err(Broken::tls("no bytes can be sent any more".into())),
            _ => Ok(taken),
        }
    }

    /// Decrypts what arrived; false if the peer has closed behind it.
    pub(super) fn decrypt(&self, mut records: &[u8], into: &mut Buffer) -> Result<bool, Broken> {
        let mut connection = self.connection.lock();
        loop {
            let state = connection
                .process_new_packets()
                .map_err(|error| explain::broken(&error, &[], self.shown.as_deref()))?;
            let mut left = state.plaintext_bytes_to_read();
            while left > 0 {
                let count = connection.reader().read(into.room())?;
                into.arrived(count);
                left = left.saturating_sub(count.max(1));
            }
            if state.peer_has_closed() {
                return Ok(false);
            }
            if records.is_empty() {
                return Ok(true);
            }
            connection.read_tls(&mut records)?;
        }
    }
}

fn shake_hands(
    connection: &mut ClientConnection,
    socket: &TcpStream,
    shown: Option<&Shown>,
    deadline: Deadline,
) -> Result<(), Broken> {
    let (mut read_timeout, mut write_timeout) = (Timeout::default(), Timeout::default());
    let mut room = [0; 4 << 10];
    // How the peer began, which says what it is if it does not speak TLS.
    let mut first = Vec::new();
    let closed = |first: &[u8]| explain::closed(first, asked::doubt(shown));
    let mut is_cut = false;
    loop {
        match flush(connection, socket, &mut write_timeout, deadline) {
            // Who closed before all was out may have said why.
            Err(broken) if broken.is_closed() => is_cut = true,
            flushed => flushed?,
        }
        if !connection.is_handshaking() && !is_cut {
            return Ok(());
        }
        let count = match tcp::read(socket, &mut read_timeout, &mut room, deadline) {
            Err(broken) if broken.is_closed() => 0,
            count => count?,
        };
        if count == 0 {
            return Err(closed(&first));
        }
        let mut arrived = room.get(..count).unwrap_or_default();
        let wanted = FIRST_BYTES.saturating_sub(first.len()).min(count);
        first.extend_from_slice(arrived.get(..wanted).unwrap_or_default());
        while !arrived.is_empty() {
            if connection.read_tls(&mut arrived)? == 0 {
                return Err(closed(&first));
            }
            if let Err(error) = connection.process_new_packets() {
                // The alert tells the broker's log why; whether it gets there changes nothing here.
                let _ = flush(connection, socket, &mut write_timeout, deadline);
                return Err(explain::broken(&error, &first, shown));
            }
        }
    }
}

fn flush(
    connection: &mut ClientConnection,
    socket: &TcpStream,
    timeout: &mut Timeout,
    deadline: Deadline,
) -> Result<(), Broken> {
    let mut records = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut records)?;
    }
    let mut slices = [IoSlice::new(&records)];
    tcp::write_all(socket, timeout, &mut slices, deadline, &mut 0)
}

/// The cryptography: what was handed in, else that of the process, else what the features of this
/// crate bring.
pub(super) fn provider(handed: Option<&Arc<CryptoProvider>>) -> Result<Arc<CryptoProvider>, Error> {
    let chosen = handed.cloned();
    if let Some(provider) = chosen.or_else(|| CryptoProvider::get_default().cloned()) {
        return Ok(provider);
    }
    #[cfg(feature = "tls-graviola")]
    {
        let missing = missing_cpu_features();
        if missing.is_empty() {
            return Ok(Arc::new(rustls_graviola::default_provider()));
        }
        if cfg!(not(feature = "tls-ring")) {
            return Err(config_error(unserved(&missing)));
        }
    }
    #[cfg(feature = "tls-ring")]
    return Ok(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(feature = "tls-ring"))]
    Err(config_error(
        "TLS has no cryptography: build with the cargo feature \"tls-graviola\" or \"tls-ring\", \
         or hand in a rustls CryptoProvider by Config::crypto_provider"
            .into(),
    ))
}

/// What to say on a CPU that the default cryptography does not run on.
#[cfg(feature = "tls-graviola")]
fn unserved(missing: &[&str]) -> String {
    format!(
        "this CPU lacks {}, which the TLS cryptography of the cargo feature \"tls-graviola\" \
         needs: build with the feature \"tls-ring\" (which needs a C compiler), or hand in a \
         rustls CryptoProvider by Config::crypto_provider",
        missing.join(", ")
    )
}

/// What graviola would panic about at its first use.
#[cfg(feature = "tls-graviola")]
fn missing_cpu_features() -> Vec<&'static str> {
    macro_rules! missing {
        ($detected:ident: $($name:tt)*) => {
            [$(($name, std::arch::$detected!($name))),*]
        };
    }
    #[cfg(target_arch = "x86_64")]
    let features = missing!(is_x86_feature_detected:
        "aes" "pclmulqdq" "bmi1" "bmi2" "adx" "avx" "avx2");
    #[cfg(target_arch = "aarch64")]
    let features = missing!(is_aarch64_feature_detected: "neon" "aes" "pmull" "sha2");
    features
        .into_iter()
        .filter(|(_, is_there)| !is_there)
        .map(|(name, _)| name)
        .collect()
}

fn versions(asked: TlsVersions) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    let mut versions = Vec::new();
    if asked.v1_3 {
        versions.push(&rustls::version::TLS13);
    }
    if asked.v1_2 {
        versions.push(&rustls::version::TLS12);
    }
    if versions.is_empty() {
        let text = "ssl.enabled.protocols holds neither TLSv1.2 nor TLSv1.3";
        return Err(config_error(text.into()));
    }
    Ok(versions)
}

fn config_error(text: String) -> Error {
    Error::new(ErrorKind::Config, text)
}

#[cfg(all(test, not(any(feature = "tls-graviola", feature = "tls-ring"))))]
#[test]
fn tls_without_cryptography_names_the_features() {
    let error = provider(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error
            .to_string()
            .contains("\"tls-graviola\" or \"tls-ring\"")
    );
}
