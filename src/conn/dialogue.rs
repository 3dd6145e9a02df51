//! Both directions of a connection in the hands of one thread: a request, then its answer.

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind};
use crate::time::Deadline;
use crate::wire::{self, Request};

use super::diagnosis::{Stage, at};
use super::{ANSWER_BYTES_MIN, Address, ReadHalf, WriteHalf};

/// The halves of a connection on which no answer is due.
pub(super) struct Dialogue<'a> {
    pub(super) write: &'a mut WriteHalf,
    pub(super) read: &'a mut ReadHalf,
}

impl Dialogue<'_> {
    /// Sends a request and waits for its answer. After an error the connection is of no more use.
    pub(super) fn call_as<R: Request>(
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
    pub(super) fn exchange<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        stage: Stage,
        deadline: Deadline,
    ) -> Result<(i32, &[u8]), Error> {
        let id = self.write.next_correlation_id();
        let header = wire::HeaderFacts {
            correlation_id: id,
            client_id: &self.write.client_id,
        };
        // A login's holds a password.
        let frame = Zeroizing::new(wire::frame(request, version, header));
        let answer = self.round(&frame, ANSWER_BYTES_MIN, stage, deadline)?;
        Ok((id, answer))
    }

    /// Sends bytes and waits for a frame.
    pub(super) fn round(
        &mut self,
        bytes: &[u8],
        answer_bytes_min: usize,
        stage: Stage,
        deadline: Deadline,
    ) -> Result<&[u8], Error> {
        let written = match self.write.outgoing.write(&[bytes], deadline) {
            // Who closed before the request was out may have said why.
            Err(unwritten) if !unwritten.broken.is_closed() => Err(unwritten.broken),
            _ => Ok(()),
        };
        let incoming = &mut self.read.incoming;
        let answer = written.and_then(|()| incoming.read_frame(answer_bytes_min, deadline));
        let link = &self.write.link;
        answer.map_err(|broken| {
            link.shutdown();
            link.error(stage, broken, deadline)
        })
    }

    /// An answer that could be read and is the one to request `id`.
    pub(super) fn checked<R: Request>(
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
        self.write.shutdown();
        let error = Error::new(ErrorKind::Protocol, text);
        Err(at(self.address(), stage, error))
    }

    /// The highest version of a request that the broker and this client both speak.
    pub(super) fn version<R: Request>(&self) -> Result<i16, Error> {
        self.write.version::<R>()
    }

    pub(super) fn address(&self) -> &Address {
        &self.write.link.address
    }
}
