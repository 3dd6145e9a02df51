//! The two directions of one connection: bytes in plain text or TLS, frames, deadlines.

use std::io::IoSlice;
use std::net::{Shutdown, TcpStream};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::SecurityProtocol;
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::time::{Deadline, now};

use super::buffer::Buffer;
use super::diagnosis::{Broken, FRAME_BYTES_MAX, Stage, interrupted};
use super::stranger::FIRST_BYTES;
use super::tcp::{self, Timeout};
use super::tls::Session;
use super::{Address, Interrupt};

/// What the two directions share.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) address: Address,
    pub(super) security: SecurityProtocol,
    pub(super) socket: Arc<TcpStream>,
    pub(super) session: Option<Session>,
    pub(super) interrupt: Interrupt,
}

impl Link {
    /// Ends the connection; a thread that waits on it returns.
    pub(super) fn shutdown(&self) {
        // It fails only if the connection is gone already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// For idle connections: true if the peer closed, or sent what nobody asked for. With TLS any
    /// bytes count, since those that an idle broker sends are a close or an alert.
    pub(super) fn has_hung_up(&self) -> bool {
        self.interrupt.has_fired() || tcp::has_hung_up(&self.socket)
    }

    pub(super) fn error(&self, stage: Stage, broken: Broken, deadline: Deadline) -> Error {
        if self.interrupt.has_fired() {
            return interrupted(&self.address, stage);
        }
        let broken = self.doubted(stage, broken);
        broken.explain(&self.address, self.security, stage, deadline)
    }

    /// A close in place of the first answer, with what the broker may mean by it.
    fn doubted(&self, stage: Stage, broken: Broken) -> Broken {
        let doubt = self.session.as_ref().and_then(Session::doubt);
        match doubt {
            Some(doubt) if stage == Stage::ApiVersions && broken.is_closed() => Broken::Tls(
                ErrorKind::Connection,
                format!("the broker closed the connection instead of answering: {doubt}"),
            ),
            _ => broken,
        }
    }
}

/// The writing direction.
#[derive(Debug)]
pub(super) struct Outgoing {
    link: Arc<Link>,
    timeout: Timeout,
    /// TLS records on their way; kept for its memory.
    records: Vec<u8>,
    has_failed: bool,
}

/// A write that failed, and how far it came.
#[derive(Debug)]
pub(super) struct Unwritten {
    /// A byte may have left.
    pub(super) started: bool,
    pub(super) broken: Broken,
}

impl Outgoing {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            timeout: Timeout::default(),
            records: Vec::new(),
            has_failed: false,
        }
    }

    /// Writes all parts as one. After a failure the peer cannot tell where the next frame begins,
    /// so all later writes fail too.
    pub(super) fn write(&mut self, parts: &[&[u8]], deadline: Deadline) -> Result<(), Unwritten> {
        let mut written = 0;
        let result = match self.has_failed || self.link.interrupt.has_fired() {
            true => Err(Broken::GivenUp),
            false => self.write_all(parts, deadline, &mut written),
        };
        result.map_err(|broken| {
            self.has_failed = true;
            Unwritten {
                started: written > 0,
                broken,
            }
        })
    }

    fn write_all(
        &mut self,
        parts: &[&[u8]],
        deadline: Deadline,
        written: &mut usize,
    ) -> Result<(), Broken> {
        let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let socket = &self.link.socket;
        let Some(session) = &self.link.session else {
            return tcp::write_all(socket, &mut self.timeout, &mut slices, deadline, written);
        };
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            if deadline.has_passed(now()) {
                return Err(Broken::Late);
            }
            self.records.clear();
            let taken = session.encrypt(rest, &mut self.records)?;
            IoSlice::advance_slices(&mut rest, taken);
            let mut records = [IoSlice::new(&self.records)];
            tcp::write_all(socket, &mut self.timeout, &mut records, deadline, written)?;
        }
        Ok(())
    }
}

/// The least that a socket can be told to wait.
const LAST_LOOK: Duration = Duration::from_millis(1);

/// The reading direction.
#[derive(Debug)]
pub(super) struct Incoming {
    link: Arc<Link>,
    timeout: Timeout,
    /// TLS records as they come from the socket.
    records: Vec<u8>,
    buffer: Buffer,
    /// The largest frame that is taken.
    pub(super) bytes_max: usize,
    /// Length of the frame that the caller looks at.
    lent: usize,
    /// The peer has closed behind what arrived.
    is_at_end: bool,
    /// What went wrong while nobody waited for a frame.
    broken: Option<Broken>,
    has_failed: bool,
}

impl Incoming {
    pub(super) fn new(link: Arc<Link>) -> Self {
        /// One TLS record of the largest size, and a bit.
        const RECORDS_ROOM: usize = 17 << 10;
        let records = match link.session {
            Some(_) => vec![0; RECORDS_ROOM],
            None => Vec::new(),
        };
        Self {
            link,
            timeout: Timeout::default(),
            records,
            buffer: Buffer::default(),
            bytes_max: FRAME_BYTES_MAX,
            lent: 0,
            is_at_end: false,
            broken: None,
            has_failed: false,
        }
    }

    /// The next frame without its length. `bytes_min` is the least that makes sense.
    pub(super) fn read_frame(
        &mut self,
        bytes_min: usize,
        deadline: Deadline,
    ) -> Result<&[u8], Broken> {
        self.buffer.consume(std::mem::take(&mut self.lent));
        let end = match self.has_failed || self.link.interrupt.has_fired() {
            true => Err(Broken::GivenUp),
            false => match self.broken.take() {
                Some(broken) => Err(broken),
                None => self.await_frame(bytes_min, deadline),
            },
        };
        let end = end.inspect_err(|_| self.has_failed = true)?;
        self.lent = end;
        Ok(self.buffer.filled().get(4..end).unwrap_or_default())
    }

    /// Waits until something arrives, or until `deadline`; true if it did. A failure is that of
    /// the next frame.
    pub(super) fn listen(&mut self, deadline: Deadline) -> bool {
        self.buffer.consume(std::mem::take(&mut self.lent));
        let has_heard = |this: &Self| this.holds_more() || this.broken.is_some();
        if !has_heard(self) && !self.has_failed {
            match self.fill(deadline) {
                Ok(()) | Err(Broken::Late) => {}
                Err(broken) => self.broken = Some(broken),
            }
        }
        has_heard(self)
    }

    /// True if bytes, or the end, have arrived that no call has read.
    pub(super) fn holds_more(&self) -> bool {
        self.is_at_end || self.buffer.filled().len() > self.lent
    }

    /// Free room, for tests of what a peer can make us allocate.
    #[cfg(test)]
    pub(super) fn room(&mut self) -> usize {
        self.buffer.room().len()
    }

    /// Waits until a whole frame is there, and says where it ends.
    fn await_frame(&mut self, bytes_min: usize, deadline: Deadline) -> Result<usize, Broken> {
        let mut is_late = false;
        loop {
            let filled = self.buffer.filled();
            let end = frame_end(filled, bytes_min..=self.bytes_max)?;
            if let Some(end) = end.filter(|end| *end <= filled.len()) {
                return Ok(end);
            }
            match self.fill(deadline) {
                // A process that was stopped goes on behind the deadline, with the answer in its
                // socket: one look at what is there.
                Err(Broken::Late) if !is_late => {
                    is_late = true;
                    self.fill(Deadline::within(LAST_LOOK))?;
                }
                filled => filled?,
            }
        }
    }

    /// Waits for more bytes. What came in front of the end is still to be read; behind it there is
    /// nothing to wait for.
    fn fill(&mut self, deadline: Deadline) -> Result<(), Broken> {
        if self.is_at_end {
            let inside_frame = !self.buffer.filled().is_empty();
            return Err(Broken::Closed { inside_frame });
        }
        let socket = &self.link.socket;
        let Some(session) = &self.link.session else {
            let room = self.buffer.room();
            let count = tcp::read(socket, &mut self.timeout, room, deadline)?;
            self.buffer.arrived(count);
            self.is_at_end = count == 0;
            return Ok(());
        };
        let count = tcp::read(socket, &mut self.timeout, &mut self.records, deadline)?;
        if count == 0 {
            return Err(Broken::Cut);
        }
        let records = self.records.get(..count).unwrap_or_default();
        self.is_at_end = !session.decrypt(records, &mut self.buffer)?;
        Ok(())
    }
}

/// Where the first frame ends, if its length is there.
fn frame_end(filled: &[u8], fits: RangeInclusive<usize>) -> Result<Option<usize>, Broken> {
    let Some(&length) = filled.first_chunk() else {
        return Ok(None);
    };
    match usize::try_from(i32::from_be_bytes(length)) {
        Ok(length) if fits.contains(&length) => Ok(Some(4 + length)),
        _ => {
            let first = filled.get(..FIRST_BYTES).unwrap_or(filled);
            Err(Broken::NotAFrame {
                first: first.to_vec(),
                bytes_max: *fits.end(),
            })
        }
    }
}
