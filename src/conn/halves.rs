//! A connection in two halves: one thread writes requests, another reads answers.

use std::time::{Duration, Instant};

use crate::error::Error;
use crate::sync::Arc;
use crate::time::Deadline;
use crate::wire::Request;

use super::ANSWER_BYTES_MIN;
use super::diagnosis::Stage;
use super::link::{Incoming, Link, Outgoing};
use super::session::{Due, Session};
use super::versions::Versions;

/// The half that writes.
#[derive(Debug)]
pub(crate) struct WriteHalf {
    pub(super) link: Arc<Link>,
    pub(super) outgoing: Outgoing,
    pub(super) versions: Arc<Versions>,
    pub(super) client_id: Arc<str>,
    pub(super) next_correlation_id: i32,
    pub(super) session: Session,
    /// Who logged in, if the mechanism says a name.
    pub(super) user: Option<String>,
}

/// A request that was not written whole.
#[derive(Debug)]
pub(crate) struct WriteFailed {
    /// False if certainly no byte of it left.
    pub(crate) started: bool,
    pub(crate) error: Error,
}

impl WriteHalf {
    /// Writes all parts, one behind the other. After a failure so do all later calls: the peer
    /// could not tell where the next request begins. The connection is the caller's to shut down,
    /// once the reader can learn the cause.
    pub(crate) fn write(&mut self, parts: &[&[u8]], deadline: Deadline) -> Result<(), WriteFailed> {
        let written = self.outgoing.write(parts, deadline);
        written.map_err(|unwritten| WriteFailed {
            started: unwritten.started,
            error: self.link.error(Stage::Write, unwritten.broken, deadline),
        })
    }

    /// The highest version of a request that the broker and this client both speak.
    pub(super) fn version<R: Request>(&self) -> Result<i16, Error> {
        self.versions.common::<R>(&self.link.address)
    }

    /// What the session of the connection needs before the next request.
    pub(crate) fn due(&self, now: Instant) -> Due {
        self.session.due(now)
    }

    /// A number for the next request.
    pub(crate) fn next_correlation_id(&mut self) -> i32 {
        let id = self.next_correlation_id;
        self.next_correlation_id = id.wrapping_add(1);
        id
    }

    /// To ask while no answer is due: true if the broker closed, or sent what nobody asked for.
    pub(crate) fn has_hung_up(&mut self) -> bool {
        self.link.has_hung_up()
    }

    /// Ends the connection, and a read that waits in the other half with it.
    pub(crate) fn shutdown(&self) {
        self.link.shutdown();
    }
}

/// The half that reads.
#[derive(Debug)]
pub(crate) struct ReadHalf {
    pub(super) link: Arc<Link>,
    pub(super) incoming: Incoming,
}

impl ReadHalf {
    /// The next frame without its length. After a failure there is no next frame.
    pub(crate) fn read_frame(&mut self, deadline: Deadline) -> Result<&[u8], Error> {
        let link = &self.link;
        self.incoming
            .read_frame(ANSWER_BYTES_MIN, deadline)
            .map_err(|broken| link.error(Stage::Read, broken, deadline))
    }

    /// Waits for something to arrive, for at most `limit`; true if it did. What it was, the next
    /// frame tells.
    pub(crate) fn listen(&mut self, limit: Duration) -> bool {
        self.incoming.listen(Deadline::within(limit))
    }

    /// Ends the connection, and a write that waits in the other half with it.
    pub(crate) fn shutdown(&self) {
        self.link.shutdown();
    }
}
