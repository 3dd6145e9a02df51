//! Connections to brokers: TCP, TLS, version negotiation and SASL, then frames in both directions.
//!
//! Everything blocks, and everything has a deadline that holds for the whole call, however slowly
//! the peer drips its bytes. Errors say the broker, the stage, what happened, and what it may mean.

mod base64;
mod buffer;
mod diagnosis;
mod dialogue;
mod egress;
mod halves;
mod interrupt;
mod link;
#[cfg(test)]
pub(crate) mod names;
mod oidc;
mod principal;
mod refusals;
mod sasl;
mod session;
mod stranger;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_absent.rs"]
mod tls;
mod versions;

#[cfg(test)]
mod tests;

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::config::{Config, SaslConfig, SecurityProtocol, TlsConfig, TokenRefresh};
use crate::credentials::AnyCredentialSource;
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::time::{Deadline, now};
use crate::wire::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::wire::codes::Code;
use crate::wire::{self, Request};

use self::diagnosis::{FRAME_BYTES_MAX, OPENING_BYTES_MAX, Stage, ZOOKEEPER, at, interrupted};
use self::dialogue::Dialogue;
use self::link::{Incoming, Link, Outgoing};
use self::refusals::Refusals;
use self::session::Session;
use self::stranger::is_zookeeper;
use self::versions::{Negotiation, negotiate};

pub(crate) use self::halves::{ReadHalf, WriteFailed, WriteHalf};
pub(crate) use self::interrupt::Interrupt;
pub(crate) use self::sasl::Identity;
#[cfg(all(fuzzing, feature = "scram"))]
pub(crate) use self::sasl::converse;
pub(crate) use self::session::Due;
pub(crate) use crate::config::Address;

/// The least that an answer has: its correlation id.
const ANSWER_BYTES_MIN: usize = 4;

/// How long a connection waits for what it is to authenticate anew with: while it does, nothing is
/// sent on it.
const PREPARING_MAX: Duration = Duration::from_millis(50);

/// Makes connections as the settings say; one serves all threads of a producer.
#[derive(Debug)]
pub(crate) struct Connector {
    client_id: Arc<str>,
    security: SecurityProtocol,
    dialer: tcp::Dialer,
    /// The application's, instead of ours.
    egress: Option<egress::Egress>,
    tls: Option<tls::Tls>,
    sasl: Option<sasl::Sasl>,
    refusals: Refusals,
}

impl Connector {
    /// Loads certificates and finds out whether this build can do what the settings ask for.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let dialer = tcp::Dialer::new(config.send_buffer_bytes, config.receive_buffer_bytes)?;
        let ours = Self::with(
            &config.client_id,
            config.security_protocol,
            dialer,
            &config.tls,
            config
                .sasl
                .as_ref()
                .map(|sasl| (sasl, config.token_refresh, config.credentials.clone())),
        )?;
        Ok(Self {
            egress: config.dialer.clone().map(egress::Egress::new),
            ..ours
        })
    }

    fn with(
        client_id: &str,
        security: SecurityProtocol,
        dialer: tcp::Dialer,
        tls: &TlsConfig,
        sasl: Option<(&SaslConfig, TokenRefresh, Option<AnyCredentialSource>)>,
    ) -> Result<Self, Error> {
        let tls = match security.has_tls() {
            true => Some(tls::Tls::new(tls)?),
            false => None,
        };
        let sasl = match (security.has_sasl(), sasl) {
            (false, _) => None,
            (true, Some((sasl, refresh, asked))) => {
                Some(sasl::Sasl::new(sasl, refresh, asked, security)?)
            }
            (true, None) => {
                let text = "security.protocol asks for SASL, but sasl.mechanism and its \
                    credentials are not set";
                return Err(Error::new(ErrorKind::Config, text));
            }
        };
        Ok(Self {
            client_id: client_id.into(),
            security,
            dialer,
            egress: None,
            tls,
            sasl,
            refusals: Refusals::default(),
        })
    }

    /// Connects, shakes hands, asks for the versions and authenticates, all before the deadline.
    pub(crate) fn open(
        &self,
        address: &Address,
        interrupt: &Interrupt,
        deadline: Deadline,
    ) -> Result<Connection, Error> {
        self.open_watched(address, Vec::new(), interrupt, deadline, &mut |_| {})
    }

    /// The same, and tells each step that has been made. What the name was found to be may be known
    /// already.
    pub(crate) fn open_watched(
        &self,
        address: &Address,
        found: Vec<SocketAddr>,
        interrupt: &Interrupt,
        deadline: Deadline,
        made: &mut dyn FnMut(Step),
    ) -> Result<Connection, Error> {
        let dialer = &self.dialer;
        let (socket, peer) = match &self.egress {
            None if found.is_empty() => dialer.connect(address, interrupt, deadline)?,
            None => dialer.connect_any(address, found, interrupt, deadline)?,
            Some(egress) => {
                let adopt = |socket: &TcpStream| self.dialer.adopt(socket);
                egress.connect(address, interrupt, deadline, adopt)?
            }
        };
        made(Step::Connected(peer));
        let opened = self.set_up(address, Arc::new(socket), peer, interrupt, deadline, made);
        self.refusals.note(address, &opened, now());
        // Another address of the same name may do better next time.
        opened.inspect_err(|_| self.dialer.note_failure(address, peer))
    }

    fn set_up(
        &self,
        address: &Address,
        socket: Arc<TcpStream>,
        peer: SocketAddr,
        interrupt: &Interrupt,
        deadline: Deadline,
        made: &mut dyn FnMut(Step),
    ) -> Result<Connection, Error> {
        if !interrupt.covers(&socket) {
            return Err(interrupted(address, Stage::Connect));
        }
        let mut link = Link {
            address: address.clone(),
            security: self.security,
            socket,
            session: None,
            interrupt: interrupt.clone(),
        };
        if let Some(tls) = &self.tls {
            let session = tls
                .handshake(&link.socket, &address.host, deadline)
                .map_err(|broken| link.error(Stage::TlsHandshake, broken, deadline))?;
            link.session = Some(session);
            made(Step::Encrypted);
        }
        let mut connection = Connection::new(Arc::new(link), self.client_id.clone());
        connection.negotiate(deadline)?;
        made(Step::VersionsKnown);
        if let Some(sasl) = &self.sasl {
            let identity = sasl.identity(&connection.write.link, deadline)?;
            let session = sasl::authenticate(connection.dialogue(), &identity, deadline)?;
            connection.write.session = session;
            connection.write.user = identity.user().map(str::to_owned);
        }
        connection.read.incoming.bytes_max = FRAME_BYTES_MAX;
        log::debug!("connected to broker {address} at {peer}");
        Ok(connection)
    }

    /// What to authenticate anew with on a connection whose session nears its end. Without it, the
    /// connection goes on until its session ends, or is due to be replaced.
    pub(crate) fn prepare(&self, write: &mut WriteHalf) -> Option<Identity> {
        let deadline = Deadline::within(PREPARING_MAX);
        match self.sasl.as_ref()?.identity(&write.link, deadline) {
            Ok(identity) if identity.user() == write.user.as_deref() => Some(identity),
            Ok(_) => {
                log::debug!(
                    "broker {}: another user logs in from now on",
                    write.link.address
                );
                write.session.end(now());
                None
            }
            Err(error) => {
                log::debug!("no re-authentication yet: {error}");
                write.session.postpone(now());
                None
            }
        }
    }

    /// Authenticates anew on a connection on which no answer is due (KIP-368). After an error it is
    /// of no more use.
    pub(crate) fn renew(
        &self,
        write: &mut WriteHalf,
        read: &mut ReadHalf,
        identity: &Identity,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let address = write.link.address.clone();
        let started = now();
        let renewed = sasl::authenticate(Dialogue { write, read }, identity, deadline);
        let renewed = renewed.map_err(|error| {
            let error = not_renewed(&address, error);
            match error.kind() == ErrorKind::Authentication && identity.user().is_none() {
                true => not_lasting(error),
                false => error,
            }
        });
        self.refusals.note(&address, &renewed, now());
        write.session = renewed?.renewed(started);
        log::debug!("authenticated anew at broker {address}");
        Ok(())
    }

    /// What the broker said if it refused our credentials a moment ago, and until when it is to be
    /// left alone.
    pub(crate) fn refusal(&self, address: &Address) -> Option<(Instant, Error)> {
        self.refusals.of(address, now())
    }
}

/// How far the set-up of a connection has come. Behind the last step only SASL can be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Connected(SocketAddr),
    Encrypted,
    VersionsKnown,
}

/// An established connection that one thread uses, one request at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    write: WriteHalf,
    read: ReadHalf,
    has_answered: bool,
}

impl Connection {
    fn new(link: Arc<Link>, client_id: Arc<str>) -> Self {
        let mut incoming = Incoming::new(link.clone());
        incoming.bytes_max = OPENING_BYTES_MAX;
        let read = ReadHalf {
            link: link.clone(),
            incoming,
        };
        let write = WriteHalf {
            outgoing: Outgoing::new(link.clone()),
            link,
            versions: Arc::default(),
            client_id,
            next_correlation_id: 0,
            session: Session::default(),
            user: None,
        };
        Self {
            write,
            read,
            has_answered: false,
        }
    }

    /// The highest version of a request that the broker and this client both speak.
    pub(crate) fn version<R: Request>(&self) -> Result<i16, Error> {
        self.write.version::<R>()
    }

    /// Sends a request and waits for its answer. After an error the connection is of no more use,
    /// unless it is that the broker does not have the request.
    pub(crate) fn call<R: Request>(
        &mut self,
        request: &R,
        deadline: Deadline,
    ) -> Result<R::Response, Error> {
        let stage = match self.has_answered {
            true => Stage::Request(R::NAME),
            false => Stage::FirstRequest(R::NAME),
        };
        let version = self.version::<R>()?;
        let response = self.dialogue().call_as(request, version, stage, deadline)?;
        self.has_answered = true;
        Ok(response)
    }

    /// True if an idle connection is gone: the broker closed it, or sent what nobody asked for.
    pub(crate) fn has_hung_up(&mut self) -> bool {
        self.read.incoming.holds_more() || self.write.has_hung_up()
    }

    pub(crate) fn address(&self) -> &Address {
        &self.write.link.address
    }

    /// Halves for one thread that writes and one that reads.
    pub(crate) fn split(self) -> (WriteHalf, ReadHalf) {
        (self.write, self.read)
    }

    /// Authenticates anew if it is time; false if another connection has to take over.
    pub(crate) fn is_fresh(
        &mut self,
        connector: &Connector,
        deadline: Deadline,
    ) -> Result<bool, Error> {
        match self.write.due(now()) {
            Due::Nothing => return Ok(true),
            Due::Replacement => return Ok(false),
            Due::Renewal => {}
        }
        let (write, read) = (&mut self.write, &mut self.read);
        if let Some(identity) = connector.prepare(write) {
            connector.renew(write, read, &identity, deadline)?;
        }
        Ok(write.due(now()) != Due::Replacement)
    }

    fn dialogue(&mut self) -> Dialogue<'_> {
        Dialogue {
            write: &mut self.write,
            read: &mut self.read,
        }
    }

    fn negotiate(&mut self, deadline: Deadline) -> Result<(), Error> {
        let request = ApiVersionsRequest {
            client_software_name: "milena".into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
        };
        let mut version = *ApiVersionsRequest::VERSIONS.end();
        let mut dialogue = self.dialogue();
        let stage = Stage::ApiVersions;
        loop {
            let (id, frame) = dialogue.exchange(&request, version, stage, deadline)?;
            if is_zookeeper(frame) {
                let error = Error::new(ErrorKind::Protocol, ZOOKEEPER);
                return Err(at(self.address(), stage, error));
            }
            let decoded = decode_api_versions(frame, version);
            let response = dialogue.checked::<ApiVersionsRequest>(id, decoded, stage)?;
            match negotiate(version, response) {
                Negotiation::Done(versions) => {
                    self.write.versions = Arc::new(versions);
                    return Ok(());
                }
                Negotiation::AskWith(lower) => version = lower,
                Negotiation::Refused(error) => return Err(at(self.address(), stage, error)),
            }
        }
    }
}

/// What to say of a re-authentication that failed.
fn not_renewed(address: &Address, error: Error) -> Error {
    let place = format!("broker {address}");
    let error = match error.code() {
        // What this means at the first authentication, a listener without SASL, it cannot mean now.
        Some(code) if code == Code::ILLEGAL_SASL_STATE.0 => {
            let text = "the broker does not take it on this connection now";
            Error::new(ErrorKind::Connection, text).with_code(code)
        }
        _ => error.without_context(&place),
    };
    error.context(format_args!("{place}: re-authentication"))
}

/// Another connection logs in with another token than the one that was refused, which may be good
/// but for somebody else: a session keeps its principal.
fn not_lasting(error: Error) -> Error {
    let text = "the token is refused here, another connection asks the source for a new one";
    Error::new(ErrorKind::Connection, text).with_cause(error)
}

/// A refused version is answered in the form of version 0, whatever was asked.
fn decode_api_versions(
    frame: &[u8],
    version: i16,
) -> Result<(i32, ApiVersionsResponse), wire::Malformed> {
    let mut start = wire::Reader::new(frame);
    start.i32()?;
    let is_refused = start.i16()? == Code::UNSUPPORTED_VERSION.0;
    wire::decode_response::<ApiVersionsRequest>(frame, if is_refused { 0 } else { version })
}
