//! Batches that will not be delivered, taken out of their partition.

use super::{Partition, Standstill};
use crate::accumulator::ended::{GivenUp, Which};
use crate::accumulator::state::State;
use crate::error::Error;
use crate::sync::Arc;

impl Partition {
    /// Takes batches out, with why they waited. `lost` tells in short what has become of them.
    pub(crate) fn give_up(
        self: &Arc<Self>,
        which: Which,
        lost: impl FnOnce() -> Error,
    ) -> (GivenUp, Standstill) {
        let identity_trouble = self.shared.identities.trouble();
        let mut state = self.state.lock();
        let given_up = self.take_out(&mut state, which, lost);
        let standstill = Standstill {
            queue: state.route.as_ref().map(|route| route.queue.clone()),
            last_error: identity_trouble.or_else(|| state.last_error.clone()),
        };
        self.unlock_and_tell(state);
        (given_up, standstill)
    }

    /// Takes out what waits here for `broker_id`, if `ticket` is valid, because that broker will
    /// not have it: `lost` tells why.
    pub(crate) fn refuse(
        self: &Arc<Self>,
        ticket: u64,
        broker_id: i32,
        lost: &Error,
    ) -> Option<GivenUp> {
        let mut state = self.state.lock();
        if !state.is_valid(ticket, broker_id) {
            return None;
        }
        let given_up = self.take_out(&mut state, Which::Waiting, || lost.clone());
        self.unlock_and_tell(state);
        Some(given_up)
    }

    /// The same, under the lock.
    fn take_out(
        self: &Arc<Self>,
        state: &mut State,
        which: Which,
        lost: impl FnOnce() -> Error,
    ) -> GivenUp {
        let given_up = state.give_up(which, &self.shared.rules, |open| open.close(self.clone()));
        if given_up.is_any() {
            state.results.lose(lost);
        }
        given_up
    }
}
