//! What the clients of the run did and were told, with times.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use milena::{Error, ErrorKind, Outcome, RecordMetadata};

use super::stamp::Stamp;

/// One record from the call of `send` to its result. Times count from the start of the run.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) stamp: Stamp,
    pub(super) invoked: Duration,
    pub(super) returned: Duration,
    /// The first result.
    pub(super) resolution: Option<Resolution>,
    pub(super) results: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Resolution {
    pub(super) at: Duration,
    /// The place of the result among all results of the run.
    pub(super) place: u64,
    pub(super) told: Told,
}

/// What the producer said of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// At which partition and offset.
    Delivered(i32, Option<i64>),
    NotWritten(ErrorKind, String),
    Unknown(ErrorKind, String),
}

#[derive(Debug)]
pub(super) struct History {
    start: Instant,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    operations: Vec<Operation>,
    results: u64,
}

impl History {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            entries: Mutex::default(),
        }
    }

    /// Right before `send`; gives the number of the operation.
    pub(super) fn invoke(&self, stamp: Stamp) -> usize {
        let invoked = self.start.elapsed();
        let operations = &mut self.entries().operations;
        operations.push(Operation {
            stamp,
            invoked,
            returned: invoked,
            resolution: None,
            results: 0,
        });
        operations.len() - 1
    }

    /// Right after `send`.
    pub(super) fn returned(&self, operation: usize) {
        let now = self.start.elapsed();
        self.entries().operations[operation].returned = now;
    }

    /// In the callback.
    pub(super) fn resolve(&self, operation: usize, result: Result<RecordMetadata, Error>) {
        let at = self.start.elapsed();
        let told = match result {
            Ok(metadata) => Told::Delivered(metadata.partition(), metadata.offset()),
            Err(error) => match error.outcome() {
                Outcome::NotWritten => Told::NotWritten(error.kind(), error.to_string()),
                _ => Told::Unknown(error.kind(), error.to_string()),
            },
        };
        let mut entries = self.entries();
        entries.results += 1;
        let place = entries.results;
        let operation = &mut entries.operations[operation];
        operation.results += 1;
        operation
            .resolution
            .get_or_insert(Resolution { at, place, told });
    }

    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn take(&self) -> Vec<Operation> {
        std::mem::take(&mut self.entries().operations)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().expect("no panic with the history")
    }
}
