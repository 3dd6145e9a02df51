//! Connections to brokers: TCP, TLS, version negotiation and SASL, then frames in both directions.
//!
//! Everything blocks, and everything has a deadline that holds for the whole call, however slowly
//! the peer drips its bytes. Errors say the broker, the stage, what happened, and what it may mean.

mod base64;
mod buffer;
mod diagnosis;
mod halves;
mod interrupt;
mod link;
#[cfg(test)]
pub(crate) mod names;
mod oidc;
mod sasl;
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
use std::time::Instant;

use crate::config::{Config, SaslConfig, SecurityProtocol, TlsConfig, TokenRefresh};
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::time::Deadline;
use crate::wire::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::wire::codes::Code;
use crate::wire::{self, Request};

use self::diagnosis::{
    FRAME_BYTES_MAX, OPENING_BYTES_MAX, Stage, at, interrupted, uses_sasl, uses_tls,
};
use self::link::{Incoming, Link, Outgoing};
use self::versions::{Negotiation, Versions, negotiate};

pub(crate) use self::halves::{ReadHalf, WriteFailed, WriteHalf};
pub(crate) use self::interrupt::Interrupt;
#[cfg(all(fuzzing, feature = "scram"))]
pub(crate) use self::sasl::converse;
pub(crate) use crate::config::Address;

/// The least that an answer has: its correlation id.
const ANSWER_BYTES_MIN: usize = 4;

/// Makes connections as the settings say; one serves all threads of a producer.
#[derive(Debug)]
pub(crate) struct Connector {
    client_id: Arc<str>,
    security: SecurityProtocol,
    dialer: tcp::Dialer,
    tls: Option<tls::Tls>,
    sasl: Option<sasl::Sasl>,
}

impl Connector {
    /// Loads certificates and finds out whether this build can do what the settings ask for.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let dialer = tcp::Dialer::new(config.send_buffer_bytes, config.receive_buffer_bytes)?;
        Self::with(
            &config.client_id,
            config.security_protocol,
            dialer,
            &config.tls,
            config
                .sasl
                .as_ref()
                .map(|sasl| (sasl, config.token_refresh)),
        )
    }

    fn with(
        client_id: &str,
        security: SecurityProtocol,
        dialer: tcp::Dialer,
        tls: &TlsConfig,
        sasl: Option<(&SaslConfig, TokenRefresh)>,
    ) -> Result<Self, Error> {
        let tls = match uses_tls(security) {
            true => Some(tls::Tls::new(tls)?),
            false => None,
        };
        let sasl = match (uses_sasl(security), sasl) {
            (false, _) => None,
            (true, Some((sasl, refresh))) => Some(sasl::Sasl::new(sasl, refresh, security)?),
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
            tls,
            sasl,
        })
    }

    /// Connects, shakes hands, asks for the versions and authenticates, all before the deadline.
    pub(crate) fn open(
        &self,
        address: &Address,
        interrupt: &Interrupt,
        deadline: Deadline,
    ) -> Result<Connection, Error> {
        let (socket, peer) = self.dialer.connect(address, interrupt, deadline)?;
        let opened = self.set_up(address, Arc::new(socket), peer, interrupt, deadline);
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
        }
        let mut connection = Connection::new(Arc::new(link), self.client_id.clone());
        connection.negotiate(deadline)?;
        if let Some(sasl) = &self.sasl {
            connection.expires_at = sasl::authenticate(&mut connection, sasl, deadline)?;
        }
        connection.incoming.bytes_max = FRAME_BYTES_MAX;
        log::debug!("connected to broker {address} at {peer}");
        Ok(connection)
    }
}

/// An established connection that one thread uses, one request at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    link: Arc<Link>,
    outgoing: Outgoing,
    incoming: Incoming,
    versions: Arc<Versions>,
    client_id: Arc<str>,
    next_correlation_id: i32,
    expires_at: Option<Instant>,
    has_answered: bool,
}

impl Connection {
    fn new(link: Arc<Link>, client_id: Arc<str>) -> Self {
        let mut incoming = Incoming::new(link.clone());
        incoming.bytes_max = OPENING_BYTES_MAX;
        Self {
            outgoing: Outgoing::new(link.clone()),
            incoming,
            link,
            versions: Arc::default(),
            client_id,
            next_correlation_id: 0,
            expires_at: None,
            has_answered: false,
        }
    }

    /// The highest version of a request that the broker and this client both speak.
    pub(crate) fn version<R: Request>(&self) -> Result<i16, Error> {
        self.versions.common::<R>(&self.link.address)
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
        let response = self.call_as(request, version, stage, deadline)?;
        self.has_answered = true;
        Ok(response)
    }

    /// True if an idle connection is gone: the broker closed it, or sent what nobody asked for.
    pub(crate) fn has_hung_up(&mut self) -> bool {
        self.incoming.holds_more() || self.link.has_hung_up()
    }

    pub(crate) fn address(&self) -> &Address {
        &self.link.address
    }

    /// When a new connection should take over because the broker ends this one's session (KIP-368);
    /// some time ahead of the end. `None` is never.
    pub(crate) fn expires_at(&self) -> Option<Instant> {
        self.expires_at
    }

    /// Halves for one thread that writes and one that reads.
    pub(crate) fn split(self) -> (WriteHalf, ReadHalf) {
        let writer = WriteHalf {
            link: self.link.clone(),
            outgoing: self.outgoing,
            next_correlation_id: self.next_correlation_id,
        };
        let reader = ReadHalf {
            link: self.link,
            incoming: self.incoming,
        };
        (writer, reader)
    }

    fn negotiate(&mut self, deadline: Deadline) -> Result<(), Error> {
        let request = ApiVersionsRequest {
            client_software_name: "milena".into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
        };
        let mut version = *ApiVersionsRequest::VERSIONS.end();
        loop {
            let (id, frame) = self.exchange(&request, version, Stage::ApiVersions, deadline)?;
            let decoded = decode_api_versions(frame, version);
            let response = self.checked::<ApiVersionsRequest>(id, decoded, Stage::ApiVersions)?;
            match negotiate(version, response) {
                Negotiation::Done(versions) => {
                    self.versions = Arc::new(versions);
                    return Ok(());
                }
                Negotiation::AskWith(lower) => version = lower,
                Negotiation::Refused(error) => {
                    return Err(at(&self.link.address, Stage::ApiVersions, error));
                }
            }
        }
    }

    fn call_as<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        stage: Stage,
        deadline: Deadline,
    ) -> Result<R::Response, Error> {
        let (id, frame) = self.exchange(request, version, stage, deadline)?;
        let decoded = wire::decode_response::<R>(frame, version);
        self.checked::<R>(id, decoded, stage)
    }

    /// Sends a request; the answer comes as bytes, with the correlation id that it should have.
    fn exchange<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        stage: Stage,
        deadline: Deadline,
    ) -> Result<(i32, &[u8]), Error> {
        let id = self.next_correlation_id;
        self.next_correlation_id = id.wrapping_add(1);
        let header = wire::HeaderFacts {
            correlation_id: id,
            client_id: &self.client_id,
        };
        let frame = wire::frame(request, version, header);
        let answer = self.round(&frame, ANSWER_BYTES_MIN, stage, deadline)?;
        Ok((id, answer))
    }

    /// Sends bytes and waits for a frame.
    fn round(
        &mut self,
        bytes: &[u8],
        answer_bytes_min: usize,
        stage: Stage,
        deadline: Deadline,
    ) -> Result<&[u8], Error> {
        let written = match self.outgoing.write(&[bytes], deadline) {
            // Who closed before the request was out may have said why.
            Err(unwritten) if !unwritten.broken.is_closed() => Err(unwritten.broken),
            _ => Ok(()),
        };
        let incoming = &mut self.incoming;
        let answer = written.and_then(|()| incoming.read_frame(answer_bytes_min, deadline));
        answer.map_err(|broken| {
            self.link.shutdown();
            self.link.error(stage, broken, deadline)
        })
    }

    /// An answer that could be read and is the one to request `id`.
    fn checked<R: Request>(
        &self,
        id: i32,
        decoded: Result<(i32, R::Response), wire::Malformed>,
        stage: Stage,
    ) -> Result<R::Response, Error> {
        let text = match decoded {
            Ok((answered, response)) if answered == id => return Ok(response),
            Ok((answered, _)) => format!("the answer is to request {answered}, not {id}"),
            Err(malformed) => format!("the answer cannot be read: {malformed}"),
        };
        self.link.shutdown();
        let error = Error::new(ErrorKind::Protocol, text);
        Err(at(&self.link.address, stage, error))
    }
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
