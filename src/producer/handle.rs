//! The one producer behind all its clones.

use std::time::Duration;

use crate::accumulator::last;
use crate::broker::Core;
use crate::callbacks::CallbackQueue;
use crate::expiry::Expiry;
use crate::interceptor::Chain;
use crate::shutdown::{CloseReport, Shutdown};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};

/// What the clones of a producer share. The last of them closes it.
pub(super) struct Handle {
    pub(super) core: Arc<Core>,
    pub(super) callbacks: Arc<CallbackQueue>,
    pub(super) expiry: Arc<Expiry>,
    /// `None` if there are none.
    pub(super) interceptors: Option<Arc<Chain>>,
    pub(super) is_closed: AtomicBool,
    pub(super) shutdown: Shutdown,
}

impl Handle {
    pub(super) fn close(&self, limit: Duration) -> CloseReport {
        self.is_closed.store(true, Ordering::Release);
        last::forget();
        self.shutdown.close(limit)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // In a fork there is no thread to join, and the sockets are the other process's.
        if self.callbacks.process.check().is_err() {
            return;
        }
        let before = self.core.metrics.snapshot(0);
        let report = self.close(self.core.config.close_timeout);
        let (failed, unknown) = (
            report.failed - before.failed,
            report.unknown - before.unknown,
        );
        if failed + unknown > 0 {
            log::error!(
                "a producer was dropped with records on their way: {failed} were not written, \
                 {unknown} may have been"
            );
        }
    }
}
