//! The requests that a connection has not answered yet: the bounded channel between its sender and
//! its receiver.

use std::collections::VecDeque;

use crate::accumulator::batch::Batch;
use crate::error::Error;
use crate::sync::{Condvar, Mutex};
use crate::time::Deadline;

/// At most `max` un-answered requests, in the order in which they were written. Kafka answers in
/// that order, so the queue replaces a map by correlation id.
///
/// The sender waits for a free slot *before* it takes batches, so they go on filling while the
/// connection is busy; it announces a request, writes it, and deposits what it wrote. The receiver
/// reads the answer meanwhile. Once the connection is dead, the receiver goes on taking until the
/// sender closes the window: so nothing that is deposited in between is lost.
pub(crate) struct Window {
    max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Requests announced and not yet read by the receiver, with the moment at which their answer
    /// is overdue.
    announced: VecDeque<Deadline>,
    /// Requests announced and not yet finished.
    un_answered: usize,
    written: VecDeque<InFlight>,
    dead: Option<Error>,
    is_closed: bool,
}

/// A request that was written.
pub(crate) struct InFlight {
    pub(crate) correlation_id: i32,
    pub(crate) version: i16,
    pub(crate) batches: Vec<Batch>,
}

impl Window {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            state: Mutex::default(),
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
            if state.un_answered < self.max {
                return Ok(());
            }
            state = self.changed.wait(state, None);
        }
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

    /// Waits for the next request whose answer is to be read; `None` once the window is closed and
    /// all are.
    pub(crate) fn next_announced(&self) -> Option<Deadline> {
        let mut state = self.state.lock();
        loop {
            if let Some(deadline) = state.announced.pop_front() {
                return Some(deadline);
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

    /// The connection is of no more use.
    pub(crate) fn die(&self, error: Error) {
        let mut state = self.state.lock();
        state.dead.get_or_insert(error);
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn death(&self) -> Option<Error> {
        self.state.lock().dead.clone()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state.lock().un_answered == 0
    }
}
