//! The requests that a connection has not answered yet: the bounded channel between its sender and
//! its receiver.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::accumulator::batch::Batch;
use crate::conn::ReadHalf;
use crate::error::Error;
use crate::sync::{Condvar, Mutex};
use crate::time::{self, Deadline};

/// At most `max` un-answered requests, in the order in which they were written. Kafka answers in
/// that order, so the queue replaces a map by correlation id.
///
/// The sender waits for a free slot *before* it takes batches, so they go on filling while the
/// connection is busy; it announces a request, writes it, and deposits what it wrote. The receiver
/// reads the answer meanwhile. Once the connection is dead, the receiver goes on taking until the
/// sender closes the window: so nothing that is deposited in between is lost.
///
/// The sender may borrow the receiver's half of the connection, to authenticate anew on it: it gets
/// it once everything is answered, and announces nothing before it has given it back.
pub(crate) struct Window<Reader = ReadHalf> {
    max: usize,
    state: Mutex<State<Reader>>,
    changed: Condvar,
}

struct State<Reader> {
    /// Requests announced and not yet read by the receiver, with the moment at which their answer
    /// is overdue.
    announced: VecDeque<Deadline>,
    /// Requests announced and not yet finished.
    un_answered: usize,
    written: VecDeque<InFlight>,
    loan: Loan<Reader>,
    /// Something arrived that nobody asked for.
    is_spoilt: bool,
    dead: Option<Error>,
    is_closed: bool,
}

/// Where the reading half of the connection is.
enum Loan<Reader> {
    /// With the receiver, which uses it.
    None,
    /// There still, but the sender wants it.
    Wanted,
    /// On its way to the sender.
    Given(Reader),
    /// With the sender.
    Taken,
    /// On its way back.
    Returned(Reader),
}

/// What a receiver has to do next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    /// To read an answer, which is overdue behind the deadline.
    Read(Deadline),
    /// To lend the reader to the sender.
    Lend,
    /// Nothing, but more may come soon: to wait at the socket, where the next answer wakes it up,
    /// and not the announcement too.
    Listen,
}

/// What a receiver does where it has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ear {
    /// It sleeps.
    Shut,
    /// It may [listen](Task::Listen).
    Open,
    /// It sleeps, and has heard something: an answer, or the end of the connection.
    Heard,
}

/// A request that was written.
pub(crate) struct InFlight {
    pub(crate) correlation_id: i32,
    pub(crate) version: i16,
    pub(crate) batches: Vec<Batch>,
}

impl<Reader> State<Reader> {
    fn has_slot(&self, max: usize) -> bool {
        self.un_answered < max
    }
}

impl<Reader> Window<Reader> {
    pub(crate) fn new(max: usize) -> Self {
        let state = State {
            announced: VecDeque::new(),
            un_answered: 0,
            written: VecDeque::new(),
            loan: Loan::None,
            is_spoilt: false,
            dead: None,
            is_closed: false,
        };
        Self {
            max: max.max(1),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Waits until one more request may be written.
    ///
    /// # Errors
    /// Why the connection died.
    pub(crate) fn wait_for_slot(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(error) = &state.dead {
                return Err(error.clone());
            }
            if state.has_slot(self.max) {
                return Ok(());
            }
            state = self.changed.wait(state, None);
        }
    }

    /// Waits while `count` requests or more are un-answered, but no longer than until `until`.
    pub(crate) fn wait_for_calm(&self, count: usize, until: Option<Instant>) {
        let mut state = self.state.lock();
        while state.un_answered >= count
            && state.dead.is_none()
            && until.is_some_and(|until| until > time::now())
        {
            state = self.changed.wait(state, until);
        }
    }

    /// True if [`wait_for_slot`](Self::wait_for_slot) would return at once.
    #[cfg(test)]
    pub(crate) fn has_slot_or_is_dead(&self) -> bool {
        let state = self.state.lock();
        state.dead.is_some() || state.has_slot(self.max)
    }

    /// A request is about to be written: its answer is due by `deadline`.
    pub(crate) fn announce(&self, deadline: Deadline) {
        let mut state = self.state.lock();
        assert!(state.un_answered < self.max, "a request without a slot");
        state.un_answered += 1;
        state.announced.push_back(deadline);
        drop(state);
        self.changed.notify_all();
    }

    /// The broker reads nothing for so long: what was announced before it said so is answered that
    /// much later (KIP-219).
    pub(crate) fn pause(&self, pause: Duration) {
        let mut state = self.state.lock();
        for deadline in &mut state.announced {
            *deadline = deadline.longer_by(pause);
        }
    }

    /// The announced request was written.
    pub(crate) fn deposit(&self, in_flight: InFlight) {
        let mut state = self.state.lock();
        state.written.push_back(in_flight);
        drop(state);
        self.changed.notify_all();
    }

    /// No more requests will be announced or deposited.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the next request whose answer is to be read, or for the sender to want the reader
    /// once all are; `None` once the window is closed and all are.
    pub(crate) fn next_task(&self, ear: Ear) -> Option<Task> {
        let mut state = self.state.lock();
        loop {
            if let Some(deadline) = state.announced.pop_front() {
                return Some(Task::Read(deadline));
            }
            if state.is_closed {
                return None;
            }
            if matches!(state.loan, Loan::Wanted) {
                return Some(Task::Lend);
            }
            match ear {
                Ear::Open => return Some(Task::Listen),
                Ear::Heard => state.is_spoilt = true,
                Ear::Shut => {}
            }
            state = self.changed.wait(state, None);
        }
    }

    /// Waits until all requests are answered, and takes the reader from the receiver.
    ///
    /// # Errors
    /// Why the connection died.
    pub(crate) fn borrow_reader(&self) -> Result<Reader, Error> {
        self.state.lock().loan = Loan::Wanted;
        self.changed.notify_all();
        let mut state = self.state.lock();
        loop {
            if let Some(error) = &state.dead {
                return Err(error.clone());
            }
            match std::mem::replace(&mut state.loan, Loan::Taken) {
                Loan::Given(reader) => return Ok(reader),
                other => state.loan = other,
            }
            state = self.changed.wait(state, None);
        }
    }

    /// Gives the reader back to the receiver.
    pub(crate) fn return_reader(&self, reader: Reader) {
        self.state.lock().loan = Loan::Returned(reader);
        self.changed.notify_all();
    }

    /// Gives the sender the reader that it wants, and waits for its return; `None` if the window is
    /// closed meanwhile.
    pub(crate) fn lend_reader(&self, reader: Reader) -> Option<Reader> {
        let mut state = self.state.lock();
        assert_eq!(state.un_answered, 0, "an answer is to be read");
        state.loan = Loan::Given(reader);
        drop(state);
        self.changed.notify_all();
        let mut state = self.state.lock();
        loop {
            match std::mem::replace(&mut state.loan, Loan::None) {
                Loan::Returned(reader) => return Some(reader),
                other => state.loan = other,
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state, None);
        }
    }

    /// The oldest written request, once it is deposited; `None` once the window is closed and
    /// empty.
    pub(crate) fn take(&self) -> Option<InFlight> {
        let mut state = self.state.lock();
        loop {
            if let Some(in_flight) = state.written.pop_front() {
                return Some(in_flight);
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state, None);
        }
    }

    /// A taken request is finished: its slot is free.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock();
        state.un_answered -= 1;
        drop(state);
        self.changed.notify_all();
    }

    /// The connection is of no more use; gives the first cause, of which others follow.
    pub(crate) fn die(&self, error: Error) -> Error {
        let mut state = self.state.lock();
        let first = state.dead.get_or_insert(error).clone();
        drop(state);
        self.changed.notify_all();
        first
    }

    pub(crate) fn death(&self) -> Option<Error> {
        self.state.lock().dead.clone()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state.lock().un_answered == 0
    }

    /// True if the broker said something, or hung up, when nothing was asked.
    pub(crate) fn is_spoilt(&self) -> bool {
        self.state.lock().is_spoilt
    }
}

#[cfg(test)]
mod tests;
