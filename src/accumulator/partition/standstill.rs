//! Why batches did not leave.

use crate::accumulator::ready::ReadyQueue;
use crate::error::{Error, ErrorKind, Outcome};
use crate::sync::Arc;

/// What kept batches from leaving.
pub(crate) struct Standstill {
    pub(super) queue: Option<Arc<ReadyQueue>>,
    pub(super) last_error: Option<Error>,
}

impl Standstill {
    /// The error of batches that ran out of time, or that the close of the producer overtook.
    pub(crate) fn error(&self, kind: ErrorKind, what: &str, fate: Fate) -> Error {
        let Fate {
            attempts,
            outcome,
            on_wire,
        } = fate;
        let trouble = self.queue.as_ref().and_then(|queue| queue.trouble());
        let phase = match (&self.queue, attempts) {
            _ if on_wire => "sent, waiting for the acknowledgement".to_string(),
            (None, 0) => "never sent: the partition has no leader".to_string(),
            (None, _) => "waiting to be sent again: the partition has no leader".to_string(),
            (Some(queue), 0) => format!("never sent: waiting for broker {}", queue.broker_id()),
            (Some(queue), _) => format!("waiting to be sent again to broker {}", queue.broker_id()),
        };
        let error = Error::new(kind, format!("{what}; {phase}; attempts: {attempts}"));
        let error = error.with_outcome(outcome).with_attempts(attempts);
        match trouble.or_else(|| self.last_error.clone()) {
            Some(cause) => error.with_cause(cause),
            None => error,
        }
    }
}

/// How far a batch came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) attempts: u32,
    pub(crate) outcome: Outcome,
    pub(crate) on_wire: bool,
}
