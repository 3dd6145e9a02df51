//! An imitated connection: requests go one way and answers the other, in order, until it is cut.

use std::collections::VecDeque;

use crate::accumulator::batch::Batch;
use crate::broker::settle::Settle;
use crate::broker::tests::reset;
use crate::broker::window::{Ear, InFlight, Window};
use crate::conn::WriteFailed;
use crate::error::Error;
use crate::sync::{Arc, Condvar, Mutex};
use crate::wire::produce::ProducePartitionResponse;

/// What a broker sees of a batch.
#[derive(Clone)]
pub(super) struct Copy {
    pub(super) identity: (i64, i16),
    pub(super) base_sequence: i32,
    pub(super) records: u32,
    /// Which batch it is a copy of.
    pub(super) original: usize,
}

impl Copy {
    pub(super) fn of(batch: &Batch) -> Self {
        let identity = batch.stamp.identity;
        Self {
            identity: (identity.producer_id, identity.epoch),
            base_sequence: batch.stamp.base_sequence,
            records: batch.records,
            original: Arc::as_ptr(&batch.completion) as usize,
        }
    }
}

/// The window, and the socket that it counts for.
pub(super) struct Line {
    pub(super) window: Window<()>,
    socket: Mutex<Socket>,
    changed: Condvar,
}

#[derive(Default)]
struct Socket {
    requests: VecDeque<(i32, Vec<Copy>)>,
    answers: VecDeque<(i32, Vec<ProducePartitionResponse>)>,
    is_cut: bool,
}

impl Line {
    pub(super) fn new(window_max: usize) -> Arc<Self> {
        Arc::new(Self {
            window: Window::new(window_max),
            socket: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Writes a request; of one that fails, the broker may see all the same what was written.
    pub(super) fn write(&self, id: i32, copies: Vec<Copy>) -> Result<(), WriteFailed> {
        let mut socket = self.socket.lock();
        if socket.is_cut {
            return Err(WriteFailed {
                started: false,
                error: reset(),
            });
        }
        socket.requests.push_back((id, copies));
        drop(socket);
        self.changed.notify_all();
        Ok(())
    }

    /// Ends reads and writes. What is under way still reaches the broker.
    pub(super) fn cut(&self) {
        self.socket.lock().is_cut = true;
        self.changed.notify_all();
    }

    fn read(&self) -> Result<(i32, Vec<ProducePartitionResponse>), Error> {
        let mut socket = self.socket.lock();
        loop {
            if socket.is_cut {
                return Err(reset());
            }
            if let Some(answer) = socket.answers.pop_front() {
                return Ok(answer);
            }
            socket = self.changed.wait(socket, None);
        }
    }

    /// The broker's end: answers each request by `process`, until the connection is cut and empty.
    pub(super) fn serve(&self, process: impl Fn(Copy) -> ProducePartitionResponse) {
        while let Some((id, copies)) = self.next_request() {
            let answers = copies.into_iter().map(&process).collect();
            self.socket.lock().answers.push_back((id, answers));
            self.changed.notify_all();
        }
    }

    fn next_request(&self) -> Option<(i32, Vec<Copy>)> {
        let mut socket = self.socket.lock();
        loop {
            if let Some(request) = socket.requests.pop_front() {
                return Some(request);
            }
            if socket.is_cut {
                return None;
            }
            socket = self.changed.wait(socket, None);
        }
    }

    /// The sender's part: announces, writes and deposits; the error comes with the batches that
    /// were not written.
    pub(super) fn send(
        &self,
        id: i32,
        batches: Vec<Batch>,
    ) -> Result<(), (Vec<Batch>, WriteFailed)> {
        self.window
            .announce(crate::time::Deadline::within(super::world::HOUR));
        let copies = batches.iter().map(Copy::of).collect();
        if let Err(failed) = self.write(id, copies) {
            self.window.die(failed.error.clone());
            return Err((batches, failed));
        }
        self.window.deposit(InFlight {
            correlation_id: id,
            version: 9,
            batches,
        });
        Ok(())
    }

    /// The receiver's part, as `Receiver::run` does it.
    pub(super) fn receive(&self, settle: &Settle) {
        let error = loop {
            if self.window.next_task(Ear::Shut).is_none() {
                return;
            }
            match self.read() {
                Err(error) => break error,
                Ok((id, answers)) => {
                    let Some(in_flight) = self.window.take() else {
                        return;
                    };
                    assert_eq!(in_flight.correlation_id, id, "answers come in order");
                    for (batch, answer) in in_flight.batches.into_iter().zip(answers) {
                        settle.answered(batch, &answer);
                    }
                    self.window.finish();
                }
            }
        };
        self.window.die(error.clone());
        self.cut();
        while let Some(in_flight) = self.window.take() {
            for batch in in_flight.batches {
                settle.lost(batch, &error);
            }
            self.window.finish();
        }
    }
}
