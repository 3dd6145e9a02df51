//! A partition that stops at a record that it loses.

use super::Partition;
use crate::accumulator::batch::Batch;
use crate::accumulator::ended::Which;
use crate::accumulator::state::State;
use crate::delivery::Failure;
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;

impl Partition {
    /// Takes records again after one was lost; true if it had stopped. What is still on its way
    /// behind that one has to have ended.
    pub(crate) fn resume(&self) -> bool {
        self.state.lock().results.resume() && self.shared.rules.is_gapless
    }

    /// Why it takes no records, if it has stopped.
    pub(super) fn refuses(&self, state: &State) -> bool {
        state.is_gone || self.shared.rules.is_gapless && state.results.lost().is_some()
    }

    pub(super) fn stopped(&self, state: &State) -> Option<Error> {
        let lost = state
            .results
            .lost()
            .filter(|_| self.shared.rules.is_gapless)?;
        let message = format!(
            "{self} has stopped behind a record that it lost (enable.gapless.guarantee=true): \
             Producer::resume lets it go on",
        );
        Some(Error::new(ErrorKind::Stopped, message).with_cause(lost.clone()))
    }

    /// Fails what waits behind a lost record. The batches that come out are to be dropped outside
    /// the lock.
    pub(super) fn stop(self: &Arc<Self>, state: &mut State) -> Vec<Batch> {
        let Some(error) = self.stopped(state) else {
            return Vec::new();
        };
        let given_up = state.give_up(Which::Waiting, &self.shared.rules, |open| {
            open.close(self.clone())
        });
        let batches: Vec<_> = given_up.batches().collect();
        for batch in &batches {
            let error = error
                .clone()
                .with_outcome(batch.outcome())
                .with_attempts(batch.attempts);
            state.results.put(batch.piece(), Err(Failure::from(error)));
        }
        batches
    }
}
