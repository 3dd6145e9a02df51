//! A connection that sends requests as they are and waits for each answer.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::bytes::{In, Out};

/// A kind of request: its key, and the first version with tagged fields.
pub(super) struct Api(pub(super) i16, pub(super) i16);

pub(super) const PRODUCE: Api = Api(0, 9);
pub(super) const FETCH: Api = Api(1, 12);
pub(super) const METADATA: Api = Api(3, 9);
pub(super) const FIND_COORDINATOR: Api = Api(10, 3);
pub(super) const SASL_HANDSHAKE: Api = Api(17, i16::MAX);
pub(super) const API_VERSIONS: Api = Api(18, 3);
pub(super) const INIT_PRODUCER_ID: Api = Api(22, 2);
pub(super) const SASL_AUTHENTICATE: Api = Api(36, 2);
/// What no broker knows.
pub(super) const NONSENSE: Api = Api(999, i16::MAX);

/// Beyond what a busy machine needs.
const LIMIT: Duration = Duration::from_secs(30);
const CORRELATION_ID: i32 = 77;

#[derive(Debug)]
pub(super) struct Connection(TcpStream);

/// The body of an answer.
pub(super) struct Answer {
    bytes: Vec<u8>,
    flexible: bool,
}

impl Answer {
    pub(super) fn body(&self) -> In<'_> {
        In {
            bytes: &self.bytes,
            flexible: self.flexible,
        }
    }
}

impl Connection {
    pub(super) fn open(address: &str) -> Self {
        let socket = TcpStream::connect(address).expect("a broker listens");
        socket.set_read_timeout(Some(LIMIT)).expect("a time-out");
        socket.set_nodelay(true).expect("no delay");
        Self(socket)
    }

    pub(super) fn send(&mut self, api: &Api, version: i16, body: impl FnOnce(&mut Out)) {
        let mut out = Out::default();
        out.i16(api.0);
        out.i16(version);
        out.i32(CORRELATION_ID);
        out.string(Some("agreement"));
        out.flexible = version >= api.1;
        out.tags();
        body(&mut out);
        self.send_frame(&out.bytes);
    }

    /// Sends a length and these bytes. A broker that hangs up meanwhile is seen by who reads.
    pub(super) fn send_frame(&mut self, bytes: &[u8]) {
        let mut frame = (bytes.len() as i32).to_be_bytes().to_vec();
        frame.extend_from_slice(bytes);
        self.send_raw(&frame);
    }

    pub(super) fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Sends a request and waits for its answer; `None` if the broker hangs up.
    pub(super) fn call(
        &mut self,
        api: &Api,
        version: i16,
        body: impl FnOnce(&mut Out),
    ) -> Option<Answer> {
        self.send(api, version, body);
        let frame = self.frame()?;
        // The answer to ApiVersions never has tags in its header (KIP-511).
        let flexible = version >= api.1;
        let mut input = In {
            bytes: &frame,
            flexible: flexible && api.0 != API_VERSIONS.0,
        };
        assert_eq!(input.i32(), CORRELATION_ID);
        input.tags();
        Some(Answer {
            bytes: input.bytes.to_vec(),
            flexible,
        })
    }

    /// The next frame without its length; `None` if the broker hangs up.
    pub(super) fn frame(&mut self) -> Option<Vec<u8>> {
        let mut len = [0; 4];
        self.exact(&mut len)?;
        let mut frame = vec![0; i32::from_be_bytes(len) as usize];
        self.exact(&mut frame)?;
        Some(frame)
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.0.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error) => {
                let silent = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                assert!(!silent.contains(&error.kind()), "no answer in {LIMIT:?}");
                None
            }
        }
    }
}
