//! A provider's token endpoint, asked with the grant of client credentials (RFC 6749, 4.4), as
//! Java's `ClientCredentialsJwtRetriever` does (KIP-768).

use std::fmt::Write;
use std::io::IoSlice;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::config::{EndpointConfig, Secret, SecurityProtocol};
use crate::conn::Interrupt;
use crate::conn::base64;
use crate::conn::buffer::Buffer;
use crate::conn::diagnosis::{Broken, Stage, peer_text};
use crate::conn::tcp::{self, Dialer, Timeout};
use crate::conn::tls::{Session, Tls};
use crate::error::{Error, ErrorKind};
use crate::time::{Deadline, human, now};

use super::http::{Answer, Malformed, Reader};
use super::json::Object;

/// Where tokens are asked for, and the request that asks.
#[derive(Debug)]
pub(super) struct Endpoint {
    config: EndpointConfig,
    request: Secret,
    dialer: Dialer,
    tls: Option<Tls>,
}

impl Endpoint {
    pub(super) fn new(config: &EndpointConfig) -> Result<Self, Error> {
        let tls =
            match config.url.is_https {
                true => Some(Tls::new(&config.tls).map_err(|error| {
                    error.context(format_args!("token endpoint {}", config.url))
                })?),
                false => None,
            };
        Ok(Self {
            config: config.clone(),
            request: Secret::new(request(config)),
            dialer: Dialer::default(),
            tls,
        })
    }

    /// Asks for a token; what may pass is tried again, as often and as long as Java does.
    pub(super) fn token(&self) -> Result<String, Error> {
        let window = Deadline::within(self.config.retry_backoff_max);
        let mut pause = self.config.retry_backoff;
        loop {
            let (error, may_pass) = match self.ask() {
                Ok(token) => return Ok(token),
                Err(Failure::Lasting(error)) => (error, false),
                Err(Failure::Passing(error)) => (error, true),
            };
            let error = error.context(format_args!("token endpoint {}", self.config.url));
            let wait = pause.min(window.left(now()));
            if !may_pass || wait.is_zero() {
                return Err(error);
            }
            log::debug!("{error}; asking again in {}", human(wait));
            thread::sleep(wait);
            pause = pause.saturating_mul(2);
        }
    }

    fn ask(&self) -> Result<String, Failure> {
        let mut peer = self.connect()?;
        let answer = peer.exchange(self.request.expose().as_bytes(), self.config.read_timeout)?;
        judge(&answer, self.config.client_secret.expose())
    }

    fn connect(&self) -> Result<Peer, Failure> {
        let address = &self.config.url.address;
        let deadline = Deadline::within(self.config.connect_timeout);
        let dialed = self
            .dialer
            .connect(address, &Interrupt::default(), deadline);
        let (socket, peer) = dialed.map_err(|error| {
            Failure::Passing(error.without_context(&format!("broker {address}")))
        })?;
        let session = match &self.tls {
            None => None,
            Some(tls) => {
                let shaken = tls.handshake(&socket, &address.host, deadline);
                Some(shaken.map_err(|broken| {
                    self.dialer.note_failure(address, peer);
                    self.no_tls(broken, deadline)
                })?)
            }
        };
        Ok(Peer {
            socket,
            session,
            timeouts: <[Timeout; 2]>::default(),
        })
    }

    fn no_tls(&self, broken: Broken, deadline: Deadline) -> Failure {
        if broken.is_closed() {
            let text = "the connection was closed in the TLS handshake: is this an http:// port?";
            return Failure::passing(ErrorKind::Connection, text);
        }
        let address = &self.config.url.address;
        let security = SecurityProtocol::Ssl;
        let error = broken.explain(address, security, Stage::TlsHandshake, deadline);
        let kind = error.kind();
        let error = error.without_context(&format!("broker {address}"));
        // What TLS has to say is about brokers elsewhere, and about their settings.
        let text = error
            .to_string()
            .replace("the broker", "the endpoint")
            .replace(
                "is this the port of a Kafka broker?",
                "is this an http:// port?",
            )
            .replace(
                "ssl.truststore.location",
                "ssl.truststore.location among the options of sasl.jaas.config",
            );
        let error = Error::new(kind, text);
        match kind {
            ErrorKind::Tls | ErrorKind::Authentication => Failure::Lasting(error),
            _ => Failure::Passing(error),
        }
    }
}

/// Why there is no token.
#[derive(Debug)]
enum Failure {
    /// Trying again may help.
    Passing(Error),
    /// Somebody has to mend something first.
    Lasting(Error),
}

impl Failure {
    fn passing(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self::Passing(Error::new(kind, text))
    }

    fn lasting(text: impl Into<String>) -> Self {
        Self::Lasting(Error::new(ErrorKind::Authentication, text))
    }
}

/// The connection, which carries one request.
struct Peer {
    socket: TcpStream,
    session: Option<Session>,
    /// Of writes and reads.
    timeouts: [Timeout; 2],
}

impl Peer {
    /// The answer to a request, whole within the limit however slowly it drips.
    fn exchange(&mut self, request: &[u8], limit: Duration) -> Result<Answer, Failure> {
        let deadline = Deadline::within(limit);
        self.write(request, deadline)
            .map_err(|broken| failed(broken, limit))?;
        let mut reader = Reader::default();
        let mut arrived = Buffer::default();
        loop {
            let is_open = self.read(&mut arrived, deadline);
            let is_open = is_open.map_err(|broken| failed(broken, limit))?;
            let bytes = arrived.filled();
            let fed = reader.feed(bytes);
            let is_whole =
                fed.map_err(|Malformed(what)| Failure::passing(ErrorKind::Protocol, what))?;
            if is_whole || !is_open {
                return reader
                    .end()
                    .map_err(|Malformed(what)| Failure::passing(ErrorKind::Connection, what));
            }
            let count = bytes.len();
            arrived.consume(count);
        }
    }

    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<(), Broken> {
        let [timeout, _] = &mut self.timeouts;
        let mut rest = [IoSlice::new(bytes)];
        let Some(session) = &self.session else {
            return tcp::write_all(&self.socket, timeout, &mut rest, deadline, &mut 0);
        };
        let mut rest = rest.as_mut_slice();
        let mut records = Vec::new();
        while !rest.is_empty() {
            let taken = session.encrypt(rest, &mut records)?;
            IoSlice::advance_slices(&mut rest, taken);
        }
        let mut records = [IoSlice::new(&records)];
        tcp::write_all(&self.socket, timeout, &mut records, deadline, &mut 0)
    }

    /// Waits for bytes; false at their end.
    fn read(&mut self, into: &mut Buffer, deadline: Deadline) -> Result<bool, Broken> {
        let [_, timeout] = &mut self.timeouts;
        let Some(session) = &self.session else {
            let count = tcp::read(&self.socket, timeout, into.room(), deadline)?;
            into.arrived(count);
            return Ok(count > 0);
        };
        let mut records = vec![0; 16 << 10];
        let count = tcp::read(&self.socket, timeout, &mut records, deadline)?;
        let is_open = session.decrypt(records.get(..count).unwrap_or_default(), into)?;
        Ok(is_open && count > 0)
    }
}

fn failed(broken: Broken, limit: Duration) -> Failure {
    let (kind, text) = match broken {
        Broken::Late => (
            ErrorKind::TimedOut,
            format!(
                "no whole answer within {} (sasl.login.read.timeout.ms)",
                human(limit)
            ),
        ),
        Broken::Io(error) => (ErrorKind::Connection, error.to_string()),
        Broken::Tls(kind, text) => (kind, text.replace("the broker", "the endpoint")),
        _ => (
            ErrorKind::Connection,
            "it closed the connection instead of answering".into(),
        ),
    };
    Failure::passing(kind, text)
}

/// The statuses behind which Java tries no more.
const LASTING: [u16; 17] = [
    400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 414, 415, 501, 505,
];

fn judge(answer: &Answer, secret: &str) -> Result<String, Failure> {
    let text = String::from_utf8_lossy(&answer.body);
    let object = Object::parse(&text).ok();
    let status = answer.status;
    let said = || said(object.as_ref(), secret);
    if status != 200 && status != 201 {
        let text = format!("HTTP status {status}{}", said());
        return Err(match status {
            // Where it leads, nobody vouches for it.
            300..400 => Failure::lasting(format!("{text}: redirections are not followed")),
            _ if LASTING.contains(&status) => Failure::lasting(text),
            _ => Failure::passing(ErrorKind::Connection, text),
        });
    }
    if answer.body.is_empty() {
        let text = format!("HTTP status {status}, but the answer is empty");
        return Err(Failure::passing(ErrorKind::Protocol, text));
    }
    let Some(object) = &object else {
        return Err(Failure::lasting("its answer is no JSON object"));
    };
    // As Java, also for a provider that has only the other.
    let mut tokens = ["access_token", "id_token"].into_iter();
    let token = tokens.find_map(|name| object.text(name).filter(|token| !token.trim().is_empty()));
    token
        .map(|token| token.trim().to_owned())
        .ok_or_else(|| Failure::lasting(format!("its answer has no access_token{}", said())))
}

/// What an answer without token says of itself (RFC 6749, 5.2), in other words that some have too.
fn said(object: Option<&Object>, secret: &str) -> String {
    let Some(object) = object else {
        return String::new();
    };
    let field = |names: [&str; 2]| names.into_iter().find_map(|name| object.text(name));
    let error = field(["error", "errorCode"]);
    let description = field(["error_description", "errorSummary"]);
    let text: Vec<&str> = error.into_iter().chain(description).collect();
    match text.join(" - ") {
        text if text.is_empty() => text,
        text if text.contains(secret) => ": [hidden, as it holds the client secret]".into(),
        text => format!(": {}", peer_text(&text)),
    }
}

fn request(config: &EndpointConfig) -> String {
    let mut body = "grant_type=client_credentials".to_owned();
    if !config.scope.is_empty() {
        body.push_str("&scope=");
        body.push_str(&encoded(&config.scope));
    }
    let (id, secret) = (config.client_id.as_str(), config.client_secret.expose());
    let credentials = match config.is_urlencoded {
        true => format!("{}:{}", encoded(id), encoded(secret)),
        false => format!("{id}:{secret}"),
    };
    let lines = [
        format!("POST {} HTTP/1.1", config.url.target()),
        format!("Host: {}", config.url.authority()),
        format!(
            "Authorization: Basic {}",
            base64::encode(credentials.as_bytes())
        ),
        "Accept: application/json".into(),
        "Accept-Encoding: identity".into(),
        "Content-Type: application/x-www-form-urlencoded".into(),
        format!("Content-Length: {}", body.len()),
        "Cache-Control: no-cache".into(),
        concat!("User-Agent: milena/", env!("CARGO_PKG_VERSION")).into(),
        "Connection: close".into(),
    ];
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

/// As a form has it (`application/x-www-form-urlencoded`).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            // Writing to a string cannot fail.
            byte => write!(encoded, "%{byte:02X}").unwrap_or_default(),
        }
    }
    encoded
}

#[cfg(all(test, any(feature = "tls-graviola", feature = "tls-ring")))]
#[path = "tests.rs"]
mod tests;
