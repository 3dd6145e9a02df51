//! What a broken connection means: from what the socket said and the peer sent to a sentence for a
//! person.

use std::fmt;
use std::io;

use crate::config::SecurityProtocol;
use crate::error::{Error, ErrorKind};
use crate::time::{Deadline, human, now};

use super::Address;
use super::stranger::stranger;

/// The largest frame that a broker may send.
pub(super) const FRAME_BYTES_MAX: usize = 64 << 20;

/// The same of a peer that has not shown yet that it is a broker, and the right one: what it sends
/// takes some times its size once it is read.
pub(super) const OPENING_BYTES_MAX: usize = 2 << 20;

/// What the connection was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Resolve,
    Connect,
    TlsHandshake,
    ApiVersions,
    SaslHandshake,
    SaslAuthentication,
    /// The first request behind the set-up, by name: the first that a broker refuses for lack of
    /// SASL.
    FirstRequest(&'static str),
    Request(&'static str),
    Read,
    Write,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::TlsHandshake => "TLS handshake",
            Self::ApiVersions => "ApiVersions",
            Self::SaslHandshake => "SASL handshake",
            Self::SaslAuthentication => "SASL authentication",
            Self::FirstRequest(name) | Self::Request(name) => name,
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(super) enum Broken {
    /// The deadline passed.
    Late,
    /// The peer ended the stream, in a frame or between two.
    Closed {
        inside_frame: bool,
    },
    /// The stream ended without TLS having closed: by a crash, or by somebody between us and the
    /// peer.
    Cut,
    /// An earlier failure left the stream at an unknown place.
    GivenUp,
    Io(io::Error),
    /// The first bytes of what cannot be a frame, its length included.
    NotAFrame {
        first: Vec<u8>,
        bytes_max: usize,
    },
    /// The TLS layer says why.
    Tls(ErrorKind, String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Self::Closed {
                inside_frame: false,
            },
            _ => Self::Io(error),
        }
    }
}

impl Broken {
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "only TLS has it"))]
    pub(super) fn tls(text: String) -> Self {
        Self::Tls(ErrorKind::Tls, text)
    }

    /// True if the peer ended the connection, with or without manners.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Cut)
    }

    /// The error for users.
    pub(super) fn explain(
        self,
        address: &Address,
        security: SecurityProtocol,
        stage: Stage,
        deadline: Deadline,
    ) -> Error {
        let (kind, text) = match self {
            Self::Late => (ErrorKind::TimedOut, late(security, stage, deadline)),
            Self::Closed { inside_frame: true } => (
                ErrorKind::Connection,
                "the connection ended inside an answer".into(),
            ),
            Self::Closed {
                inside_frame: false,
            } => (ErrorKind::Connection, closed(security, stage)),
            Self::Cut => (
                ErrorKind::Connection,
                "the connection was cut: it ended without a TLS close".into(),
            ),
            Self::GivenUp => (
                ErrorKind::Connection,
                "the connection was given up after an earlier failure".into(),
            ),
            Self::Io(error) => (ErrorKind::Connection, io_text(&error)),
            Self::NotAFrame { first, bytes_max } => {
                // A port that speaks TLS goes on doing so: the setting is wrong.
                let kind = match is_tls(security, &first) {
                    true => ErrorKind::Tls,
                    false => ErrorKind::Protocol,
                };
                (kind, not_a_frame(security, &first, bytes_max))
            }
            Self::Tls(kind, text) => (kind, text),
        };
        at(address, stage, Error::new(kind, text))
    }
}

/// Says where an error happened.
pub(super) fn at(address: &Address, stage: Stage, error: Error) -> Error {
    error.context(format_args!("broker {address}: {stage}"))
}

/// The error of everything behind `Interrupt::fire`.
pub(super) fn interrupted(address: &Address, stage: Stage) -> Error {
    let error = Error::new(
        ErrorKind::Closed,
        "interrupted, the connection is being closed",
    );
    at(address, stage, error)
}

/// The name of a security protocol as configurations spell it.
pub(super) fn protocol_name(security: SecurityProtocol) -> &'static str {
    match security {
        SecurityProtocol::Plaintext => "PLAINTEXT",
        SecurityProtocol::Ssl => "SSL",
        SecurityProtocol::SaslPlaintext => "SASL_PLAINTEXT",
        SecurityProtocol::SaslSsl => "SASL_SSL",
    }
}

/// An I/O error in our form: lower case, without the number where the words say it all.
pub(super) fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::HostUnreachable => "no route to the host".into(),
        io::ErrorKind::NetworkUnreachable => "the network is unreachable".into(),
        io::ErrorKind::TimedOut => "no answer".into(),
        _ => error.to_string(),
    }
}

/// Text of a peer, for a message: one line, no control characters, and an end.
pub(super) fn peer_text(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    let mut shown: String = text
        .chars()
        .take(CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

fn late(security: SecurityProtocol, stage: Stage, deadline: Deadline) -> String {
    let limit = human(deadline.limit());
    let elapsed = human(deadline.elapsed(now()));
    match stage {
        Stage::Write => format!("not all bytes were taken within {limit} ({elapsed} passed)"),
        Stage::Resolve | Stage::Connect => format!("no connection within {limit}"),
        Stage::ApiVersions | Stage::TlsHandshake => format!(
            "no answer within {limit} ({elapsed} passed): does the broker hang, or is this a \
             listener that is not {}, or no broker at all?",
            protocol_name(security)
        ),
        _ => format!("no answer within {limit} ({elapsed} passed)"),
    }
}

/// What answers like ZooKeeper.
pub(super) const ZOOKEEPER: &str = "the peer speaks the protocol of ZooKeeper, not of Kafka: \
    bootstrap.servers names brokers, whose port is often 9092, and not ZooKeeper (2181)";

/// Brokers do not say so.
const TOO_MANY: &str = "or are there more connections than the broker's max.connections.per.ip and \
    connection_creation_rate allow?";

/// The stream ended where no frame had begun. The stage tells what the peer may not have liked.
fn closed(security: SecurityProtocol, stage: Stage) -> String {
    let name = protocol_name(security);
    match stage {
        Stage::TlsHandshake => format!(
            "the peer closed the connection during the TLS handshake: is this a plain-text \
             listener? security.protocol is {name}; {TOO_MANY}"
        ),
        Stage::ApiVersions if !security.has_tls() => format!(
            "the peer closed the connection instead of answering: is this a TLS listener? \
             security.protocol is {name}; {}; or ZooKeeper, which closes so too; {TOO_MANY}",
            use_tls(security)
        ),
        Stage::FirstRequest(_) if !security.has_sasl() => format!(
            "the broker closed the connection instead of answering the first request: does this \
             listener ask for SASL? security.protocol is {name}"
        ),
        Stage::SaslAuthentication => "the broker closed the connection instead of answering; \
            brokers before Apache Kafka 1.0 do so if the credentials are wrong"
            .into(),
        _ => "the broker closed the connection".into(),
    }
}

fn not_a_frame(security: SecurityProtocol, bytes: &[u8], bytes_max: usize) -> String {
    let name = protocol_name(security);
    match bytes {
        _ if is_tls(security, bytes) => {
            let what = if bytes.first() == Some(&0x15) {
                "alert"
            } else {
                "handshake"
            };
            format!(
                "the peer answered with a TLS {what}: this is a TLS port, but security.protocol \
                 is {name}; {}",
                use_tls(security)
            )
        }
        _ => match stranger(bytes) {
            Some(other) => format!(
                "the peer speaks {other}, not the Kafka protocol: is this the port of a Kafka \
                 broker?"
            ),
            None => not_a_length(bytes, bytes_max),
        },
    }
}

/// An alert or a handshake of TLS where plain text was due.
fn is_tls(security: SecurityProtocol, bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, ..]) && !security.has_tls()
}

fn not_a_length(bytes: &[u8], bytes_max: usize) -> String {
    let length = bytes
        .first_chunk()
        .map_or(0, |&length| i32::from_be_bytes(length));
    if (0..4).contains(&length) {
        return format!("the peer sent a frame of {length} bytes, too short for an answer");
    }
    format!(
        "the peer sent a frame length of {length}, the limit is {bytes_max}: is this the \
         port of a Kafka broker?"
    )
}

fn use_tls(security: SecurityProtocol) -> &'static str {
    match security {
        SecurityProtocol::SaslPlaintext => "use SASL_SSL",
        _ => "use SSL or SASL_SSL",
    }
}
