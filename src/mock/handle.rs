//! What a test keeps in its hand: a fault that was scripted, and a gate.

use std::fmt;
use std::time::Duration;

use super::state::{GateState, Shared};
use crate::sync::Arc;
use crate::time::Deadline;

/// A fault that was scripted. Dropping it changes nothing.
#[derive(Clone)]
pub struct Fault {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
}

/// Holds requests back until the test opens it, see [`On::hold`](super::On::hold).
///
/// ```
/// use milena::mock::{Api, MockCluster};
///
/// let cluster = MockCluster::start(1);
/// let gate = cluster.gate();
/// cluster.on(Api::Produce).hold(&gate).answer();
/// // Here a producer sends, and `gate.wait_for_held(1, limit)` sees its request come.
/// gate.open();
/// ```
#[derive(Clone)]
pub struct Gate {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
}

impl Fault {
    /// Ends it; requests that it has already met go their way.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// let fault = cluster.on(Api::Produce).always().never_answer();
    /// fault.cancel();
    /// ```
    pub fn cancel(&self) {
        self.shared.update(|state| state.faults.cancel(self.number));
    }

    /// How many requests it has met.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// let fault = cluster.on(Api::Produce).error(6);
    /// assert_eq!(fault.hits(), 0);
    /// ```
    pub fn hits(&self) -> usize {
        self.shared.read(|state| state.faults.hits(self.number))
    }

    /// Waits until it has met so many requests; `false` if `limit` passes first.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// # use std::time::Duration;
    /// let fault = cluster.on(Api::Metadata).error(5);
    /// assert!(!fault.wait_for_hits(1, Duration::from_millis(1))); // Nobody asks here.
    /// ```
    #[must_use]
    pub fn wait_for_hits(&self, hits: usize, limit: Duration) -> bool {
        let until = Deadline::within(limit).at();
        self.shared.poll(until, || self.hits() >= hits)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault").field("hits", &self.hits()).finish()
    }
}

impl Gate {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let number = shared.update(|state| {
            state.gates.push(GateState::default());
            state.gates.len() - 1
        });
        Self {
            shared: Arc::clone(shared),
            number,
        }
    }

    /// Lets everything pass that waits, and that comes later.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// let gate = cluster.gate();
    /// gate.open();
    /// ```
    pub fn open(&self) {
        self.set_open(true);
    }

    /// Holds what comes from now on.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// let gate = cluster.gate();
    /// gate.open();
    /// gate.close();
    /// ```
    pub fn close(&self) {
        self.set_open(false);
    }

    /// How many requests wait.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// let gate = cluster.gate();
    /// cluster.on(Api::Produce).hold(&gate).answer();
    /// assert_eq!(gate.held(), 0); // Nobody sends here.
    /// ```
    pub fn held(&self) -> usize {
        let gate = |gates: &[GateState]| gates.get(self.number).map_or(0, |gate| gate.held);
        self.shared.read(|state| gate(&state.gates))
    }

    /// Waits until so many requests wait; `false` if `limit` passes first.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// let gate = cluster.gate();
    /// # use std::time::Duration;
    /// assert!(!gate.wait_for_held(1, Duration::from_millis(1)));
    /// ```
    #[must_use]
    pub fn wait_for_held(&self, requests: usize, limit: Duration) -> bool {
        let until = Deadline::within(limit).at();
        self.shared.poll(until, || self.held() >= requests)
    }

    fn set_open(&self, is_open: bool) {
        self.shared.update(|state| {
            if let Some(gate) = state.gates.get_mut(self.number) {
                gate.is_open = is_open;
            }
        });
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("held", &self.held()).finish()
    }
}
