//! A batch that its broker refused as too large (KIP-126).

use std::time::Instant;

use crate::accumulator::batch::Batch;
use crate::accumulator::state::{Flight, Rules, Stage, State};

impl State {
    /// Puts the halves of a batch into its place, to be sent one after the other. What comes out is
    /// the caller's to fail: their time has run out, or order forbids it.
    ///
    /// With idempotence the sequences keep the order. Without it, the halves may be sent only if
    /// nothing newer was: a partition that retries has one batch on the wire anyway, and any other
    /// sends a batch that is larger than all before it alone.
    pub(crate) fn split(
        &mut self,
        mut halves: [Batch; 2],
        (rules, now): (&Rules, Instant),
    ) -> Vec<Batch> {
        self.arrived(now);
        let Some(index) = self.flight_of(&halves[0]) else {
            return halves.into();
        };
        if matches!(self.flights[index].stage, Stage::Abandoned) {
            halves.iter_mut().for_each(Batch::leave_result);
            self.bury(index, rules);
            return halves.into();
        }
        self.results.split(halves[0].place);
        let larger = halves[0].plain_len.max(halves[1].plain_len);
        self.size_max = Some(self.size_max.map_or(larger, |max| max.min(larger)));
        let is_newest = self.next_ordinal == halves[0].ordinal + 1;
        if !rules.is_idempotent && !is_newest {
            self.bury(index, rules);
            return halves.into();
        }
        self.flights.remove(index);
        for (at, batch) in (index..).zip(halves) {
            let mut flight = Flight::of(&batch);
            flight.stage = Stage::Waiting(batch);
            self.flights.insert(at, flight);
        }
        Vec::new()
    }
}
