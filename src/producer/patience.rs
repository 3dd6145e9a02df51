//! How long a caller waits.

use std::time::Duration;

use crate::accumulator::Wait;
use crate::time::Deadline;

/// How long a send may wait; the clock is read only once something has to be waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    None(&'static str),
    Max(Duration),
    Until(Deadline),
}

impl Patience {
    pub(super) fn start_if(self, waits: bool) -> Self {
        match self {
            Self::Max(limit) if waits => Self::Until(Deadline::within(limit)),
            patience => patience,
        }
    }

    pub(super) fn wait(self) -> Wait {
        match self {
            Self::None(why) => Wait::No(why),
            Self::Max(limit) => Wait::AtMost(limit),
            Self::Until(deadline) => Wait::Until(deadline),
        }
    }
}
