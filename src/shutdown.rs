//! The threads of a producer, and how they end.

use std::time::{Duration, Instant};

use crate::broker::Core;
use crate::callbacks::CallbackQueue;
use crate::conn::Interrupt;
use crate::delivery::{Completion, Delivery};
use crate::error::{Error, ErrorKind};
use crate::expiry::Expiry;
use crate::interceptor::Chain;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Condvar, Mutex};
use crate::time::{self, Deadline, human};

/// What threads get, beyond the close time-out, to see that their sockets are shut.
const GRACE: Duration = Duration::from_millis(500);

/// What became of a producer's records, counted from its start.
///
/// ```
/// # let cluster = milena::mock::MockCluster::start(1);
/// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
/// let report = producer.close()?;
/// if report.failed + report.unknown > 0 {
///     eprintln!("{} records are lost, {} may be", report.failed, report.unknown);
/// }
/// # Ok::<(), milena::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// Acknowledged; with `acks=0`, written to a socket.
    pub delivered: u64,
    /// Failed, and not in the log.
    pub failed: u64,
    /// Failed, and possibly in the log.
    pub unknown: u64,
}

/// Ends a producer: once, whoever asks.
pub(crate) struct Shutdown {
    core: Arc<Core>,
    callbacks: Arc<CallbackQueue>,
    expiry: Arc<Expiry>,
    interrupt: Arc<Interrupt>,
    interceptors: Option<Arc<Chain>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Closing,
    Closed,
}

impl Shutdown {
    pub(crate) fn new(
        core: Arc<Core>,
        callbacks: Arc<CallbackQueue>,
        expiry: Arc<Expiry>,
        interrupt: Arc<Interrupt>,
        interceptors: Option<Arc<Chain>>,
    ) -> Self {
        let (threads, changed) = (Mutex::default(), Condvar::new());
        let stage = Mutex::new(Stage::Open);
        Self {
            core,
            callbacks,
            expiry,
            interrupt,
            interceptors,
            threads,
            stage,
            changed,
        }
    }

    /// What ends connections when the producer is closed.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Starts one of the producer's own threads.
    pub(crate) fn start(
        &self,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        let running = self.core.running.enter();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            run();
            drop(running);
        });
        let thread = thread.map_err(|error| {
            Error::new(
                ErrorKind::Config,
                format!("cannot start the thread {name}: {error}"),
            )
        })?;
        self.threads.lock().push(thread);
        Ok(())
    }

    /// Sends all that is buffered now, and waits for its end.
    pub(crate) fn flush(&self, deadline: Deadline) -> Result<(), Error> {
        let unsettled = self.core.accumulator.flush();
        let until = deadline.at();
        // A callback that drops the last producer must not wait for itself.
        let with_callbacks = !self.callbacks.is_this_thread();
        let is_left = |completion: &&Arc<Completion>| !completion.wait_end(until, with_callbacks);
        let left = unsettled.iter().filter(is_left).count();
        // Of the callbacks of what is told now, all are in the queue.
        let told = self.callbacks.pushed();
        let limit = human(deadline.limit());
        let late = match left {
            0 if !with_callbacks || self.callbacks.wait_through(told, until) => return Ok(()),
            0 => format!("callbacks are still running after {limit}"),
            left => {
                format!("{left} batches are not settled after {limit}; they are still being sent")
            }
        };
        Err(Error::new(ErrorKind::TimedOut, format!("flush: {late}")))
    }

    /// Flushes for at most `limit`, fails the rest, ends the threads.
    pub(crate) fn close(&self, limit: Duration) -> CloseReport {
        let deadline = Deadline::within(limit);
        if !self.begin(deadline) {
            return self.report();
        }
        let core = &self.core;
        core.wishes.refuse();
        core.accumulator.close();
        let _left = self.flush(deadline);
        self.abandon(deadline);
        self.expiry.close();
        core.wishes.close();
        core.accumulator.identities().close();
        self.interrupt.fire();
        let mut threads = core.brokers.close();
        threads.append(&mut self.threads.lock());
        let grace = time::after(
            deadline.at().unwrap_or_else(time::now).max(time::now()),
            GRACE,
        );
        if core.running.wait(grace) {
            threads.into_iter().for_each(join);
        } else {
            log::warn!(
                "threads of a closed producer are still in a name look-up or a connect; they end \
                 by themselves"
            );
        }
        self.abandon(deadline);
        self.close_interceptors();
        if !self.callbacks.close(grace) {
            log::warn!("callbacks of a closed producer are still running");
        }
        *self.stage.lock() = Stage::Closed;
        self.changed.notify_all();
        self.report()
    }

    /// True for the one caller that is to close; others wait for it.
    fn begin(&self, deadline: Deadline) -> bool {
        let until: Option<Instant> = deadline.at();
        let mut stage = self.stage.lock();
        if *stage == Stage::Open {
            *stage = Stage::Closing;
            return true;
        }
        while *stage == Stage::Closing && !deadline.has_passed(time::now()) {
            stage = self.changed.wait(stage, until);
        }
        false
    }

    fn abandon(&self, deadline: Deadline) {
        let _losses = self.core.accumulator.abandon(deadline.limit());
    }

    /// Behind everything that they are still to be told.
    fn close_interceptors(&self) {
        if let Some(chain) = self.interceptors.clone() {
            let last = Delivery::failed("", Error::closed(), &self.callbacks);
            last.attach(Box::new(move |_| chain.close()));
        }
    }

    fn report(&self) -> CloseReport {
        let totals = self.core.metrics.snapshot(0);
        let (delivered, failed, unknown) = (totals.delivered, totals.failed, totals.unknown);
        CloseReport {
            delivered,
            failed,
            unknown,
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("a thread of the producer panicked; the records that it held have failed");
    }
}
