//! A batch that its broker refused as too large.

use super::Partition;
use crate::accumulator::batch::Batch;
use crate::delivery::Failure;
use crate::error::Error;
use crate::sync::Arc;
use crate::time;

/// Why records of a refused batch are not sent in smaller ones.
const OUT_OF_ORDER: &str = "newer records of the partition were sent already, and halves of the \
    batch would come behind them; enable.idempotence=true can send them in order";

impl Partition {
    /// Sends the records of a batch in two; `refusal` tells why.
    pub(crate) fn split(self: &Arc<Self>, mut batch: Batch, refusal: Error) {
        let now = time::now();
        let halves = match batch.halve() {
            Ok(halves) => halves,
            Err(why) => {
                let failure = Failure::from(refusal.context(why));
                return self.settled(batch, Err(failure), now);
            }
        };
        let mut state = self.state.lock();
        state.last_error = Some(refusal.clone());
        let refused = state.split(halves, (&self.shared.rules, now));
        self.unlock_and_tell(state);
        if refused.is_empty() {
            self.shared.metrics.splits.add(1);
        }
        for batch in refused {
            batch.fail(refusal.clone().context(OUT_OF_ORDER));
        }
    }
}
