//! The future of a record: one completion per batch, and a handle per record that points into it.

mod deliveries;
mod done;
mod metadata;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{OnceLock, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::callbacks::CallbackQueue;
use crate::error::Error;
use crate::survive::survive;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Condvar, Mutex};
use crate::time;

pub use deliveries::Deliveries;
pub(crate) use done::{Done, Part};
pub use metadata::{RecordMetadata, TimestampType};

/// The future of one record that was sent.
///
/// It resolves exactly once, no later than `delivery.timeout.ms` after the send: with the record's
/// metadata, or with an error that says whether the record may be in the log. Dropping it changes
/// nothing: the record is sent all the same.
///
/// A thread that waits does not pay `linger.ms`: its batch leaves at once. A `Delivery` is also a
/// [`Future`], so async code can await it.
#[must_use = "a delivery that nobody looks at hides its error: wait for it, or use send_with"]
pub struct Delivery {
    completion: Arc<Completion>,
    slot: Slot,
}

/// What a record needs to read its result from its batch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) index: u32,
    pub(crate) timestamp_ms: i64,
    /// Sizes in bytes; -1 is null.
    pub(crate) key_size: i32,
    pub(crate) value_size: i32,
}

impl Delivery {
    pub(crate) fn new(completion: Arc<Completion>, slot: Slot) -> Self {
        Self { completion, slot }
    }

    /// A delivery that failed before it had a batch.
    pub(crate) fn failed(topic: &str, error: Error, callbacks: &Arc<CallbackQueue>) -> Self {
        let hurry = Weak::<NoHurry>::new();
        let completion = Arc::new(Completion::new(topic.into(), -1, hurry, callbacks));
        completion.resolve(Err(Failure::from(error)));
        let slot = Slot {
            index: 0,
            timestamp_ms: -1,
            key_size: -1,
            value_size: -1,
        };
        Self::new(completion, slot)
    }

    /// Blocks until the record is acknowledged or has failed. It does so within
    /// `delivery.timeout.ms`.
    ///
    /// # Errors
    /// Why the record was not delivered; [`Error::outcome`] tells whether it may be in the log all
    /// the same.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let delivery = producer.send(milena::Record::to("orders").value("3 apples"));
    /// match delivery.wait() {
    ///     Ok(metadata) => println!("partition {}", metadata.partition()),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn wait(&self) -> Result<RecordMetadata, Error> {
        loop {
            if let Some(done) = self.completion.wait(None)? {
                return done.for_record(&self.completion, &self.slot);
            }
        }
    }

    /// Blocks for at most `limit`. `None` means that the record is still on its way.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let delivery = producer.send(milena::Record::to("orders").value("3 apples"));
    /// while delivery.wait_timeout(std::time::Duration::from_secs(1)).is_none() {
    ///     println!("still on its way");
    /// }
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn wait_timeout(&self, limit: Duration) -> Option<Result<RecordMetadata, Error>> {
        match time::after(time::now(), limit) {
            None => Some(self.wait()),
            until => match self.completion.wait(until) {
                Ok(done) => Some(done?.for_record(&self.completion, &self.slot)),
                Err(elsewhere) => Some(Err(elsewhere)),
            },
        }
    }

    /// The result if there is one already.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let delivery = producer.send(milena::Record::to("orders").value("3 apples"));
    /// producer.flush()?;
    /// assert!(delivery.try_get().is_some_and(|result| result.is_ok()));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn try_get(&self) -> Option<Result<RecordMetadata, Error>> {
        self.completion
            .result()
            .map(|done| done.for_record(&self.completion, &self.slot))
    }

    /// True once the result is there.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let delivery = producer.send(milena::Record::to("orders").value("3 apples"));
    /// delivery.wait()?;
    /// assert!(delivery.is_done());
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn is_done(&self) -> bool {
        self.completion.result().is_some()
    }

    /// Calls `callback` with the result on the producer's callback thread, at once if it is there
    /// already.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let delivery = producer.send(milena::Record::to("orders").value("3 apples"));
    /// delivery.on_done(|result| println!("delivered: {}", result.is_ok()));
    /// producer.flush()?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn on_done(self, callback: impl FnOnce(Result<RecordMetadata, Error>) + Send + 'static) {
        match self.completion.check_here() {
            Err(elsewhere) if !self.is_done() => callback(Err(elsewhere)),
            _ => self.attach(Box::new(callback)),
        }
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.completion.topic
    }

    /// `None` if it failed before it had one.
    pub(crate) fn partition(&self) -> Option<i32> {
        Some(self.completion.partition).filter(|partition| *partition >= 0)
    }

    pub(crate) fn attach(&self, run: CallbackFn) {
        self.completion.add_callback(Callback {
            slot: self.slot,
            run,
        });
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("topic", &self.completion.topic)
            .field("partition", &self.completion.partition)
            .field("result", &self.try_get())
            .finish()
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.completion.poll(self.slot.index, context.waker()) {
            Ok(Some(done)) => Poll::Ready(done.for_record(&self.completion, &self.slot)),
            Ok(None) => Poll::Pending,
            Err(elsewhere) => Poll::Ready(Err(elsewhere)),
        }
    }
}

/// The result of a batch, shared by the deliveries of all its records.
pub(crate) struct Completion {
    topic: Arc<str>,
    partition: i32,
    hurry: Weak<dyn Hurry>,
    callbacks: Arc<CallbackQueue>,
    /// Set under the lock of `state`, and read without it: once for each record, by whoever looks.
    result: OnceLock<Done>,
    state: Mutex<State>,
    changed: Condvar,
    /// Everybody has been told, or will be by the callback thread.
    is_told: AtomicBool,
}

/// Whoever can send a batch ahead of its linger.
pub(crate) trait Hurry: Send + Sync {
    /// Somebody waits for `completion`.
    fn hurry(self: Arc<Self>, completion: &Completion);
}

/// For a completion that has no batch to hurry.
pub(crate) struct NoHurry;

impl Hurry for NoHurry {
    fn hurry(self: Arc<Self>, _: &Completion) {}
}

pub(crate) type Resolution = Result<Acknowledged, Failure>;

/// What the acknowledgement of a batch says, and how it came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) base_offset: Option<i64>,
    pub(crate) log_append_time_ms: Option<i64>,
    pub(crate) attempts: u32,
    pub(crate) broker_id: i32,
    /// From the opening of the batch on.
    pub(crate) latency: Duration,
}

/// Why a batch failed, and its records for reasons of their own (KIP-467).
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) records: Vec<(u32, Error)>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            records: Vec::new(),
        }
    }
}

/// A callback with what it needs to read its record's result.
pub(crate) struct Callback {
    pub(crate) slot: Slot,
    pub(crate) run: CallbackFn,
}

pub(crate) type CallbackFn = Box<dyn FnOnce(Result<RecordMetadata, Error>) + Send>;

enum State {
    Pending {
        callbacks: Vec<Callback>,
        /// The newest of each record.
        wakers: BTreeMap<u32, Waker>,
    },
    Done {
        callbacks_left: bool,
        /// While the callbacks from before the result are being queued: those that come meanwhile.
        late: Option<Vec<Callback>>,
    },
}

impl Completion {
    pub(crate) fn new(
        topic: Arc<str>,
        partition: i32,
        hurry: Weak<dyn Hurry>,
        callbacks: &Arc<CallbackQueue>,
    ) -> Self {
        Self {
            topic,
            partition,
            hurry,
            callbacks: callbacks.clone(),
            result: OnceLock::new(),
            state: Mutex::new(State::Pending {
                callbacks: Vec::new(),
                wakers: BTreeMap::new(),
            }),
            changed: Condvar::new(),
            is_told: AtomicBool::new(false),
        }
    }

    /// Gives all records of the batch their result. Only the first call counts; true if this was
    /// it.
    pub(crate) fn resolve(self: &Arc<Self>, resolution: Resolution) -> bool {
        self.resolve_and(resolution, || ())
    }

    /// The same; `count` runs, if this is the first call, before anybody can see the result.
    pub(crate) fn resolve_and(
        self: &Arc<Self>,
        result: impl Into<Done>,
        count: impl FnOnce(),
    ) -> bool {
        let mut state = self.state.lock();
        let State::Pending { callbacks, wakers } = &mut *state else {
            return false;
        };
        let (callbacks, wakers) = (std::mem::take(callbacks), std::mem::take(wakers));
        count();
        let is_first = self.result.set(result.into()).is_ok();
        debug_assert!(is_first, "a batch that is pending had a result");
        *state = State::Done {
            callbacks_left: !callbacks.is_empty(),
            late: (!callbacks.is_empty()).then(Vec::new),
        };
        drop(state);
        self.changed.notify_all();
        for waker in wakers.into_values() {
            // It runs on the thread that settles batches, which is to survive an executor's
            // mistake.
            let _ = survive("the waker of a task that awaits a delivery", || {
                waker.wake()
            });
        }
        self.queue(callbacks);
        self.is_told.store(true, Ordering::Release);
        true
    }

    /// Queues callbacks, and behind them those that have come meanwhile.
    fn queue(self: &Arc<Self>, mut callbacks: Vec<Callback>) {
        if callbacks.is_empty() {
            return;
        }
        while !callbacks.is_empty() {
            self.callbacks.push(self.clone(), callbacks);
            callbacks = match &mut *self.state.lock() {
                State::Done { late, .. } => {
                    let more = late.take().unwrap_or_default();
                    *late = (!more.is_empty()).then(Vec::new);
                    more
                }
                State::Pending { .. } => Vec::new(),
            };
        }
        self.changed.notify_all();
    }

    /// False while its result is on the way to those who want it.
    pub(crate) fn is_told(&self) -> bool {
        self.is_told.load(Ordering::Acquire)
    }

    pub(crate) fn add_callback(self: &Arc<Self>, callback: Callback) {
        let mut state = self.state.lock();
        if let State::Pending { callbacks, .. }
        | State::Done {
            late: Some(callbacks),
            ..
        } = &mut *state
        {
            callbacks.push(callback);
            return;
        }
        drop(state);
        self.callbacks.push(self.clone(), vec![callback]);
    }

    /// The callbacks that were there when the result came have run.
    pub(crate) fn callbacks_have_run(&self) {
        if let State::Done { callbacks_left, .. } = &mut *self.state.lock() {
            *callbacks_left = false;
        }
        self.changed.notify_all();
    }

    pub(crate) fn result(&self) -> Option<&Done> {
        self.result.get()
    }

    /// Waits for the result, and for the callbacks that want it if asked. False if `until` passed
    /// first.
    pub(crate) fn wait_end(&self, until: Option<Instant>, with_callbacks: bool) -> bool {
        let mut state = self.state.lock();
        loop {
            if let State::Done {
                callbacks_left,
                late,
                ..
            } = &*state
                && !(with_callbacks && (*callbacks_left || late.is_some()))
            {
                return true;
            }
            if until.is_some_and(|until| until <= time::now()) {
                return false;
            }
            state = self.changed.wait(state, until);
        }
    }

    /// `None` if `until` passed first; the error of a fork, where nobody will ever resolve it.
    fn wait(&self, until: Option<Instant>) -> Result<Option<&Done>, Error> {
        if let Some(done) = self.result() {
            return Ok(Some(done));
        }
        self.check_here()?;
        self.hurry_up();
        let mut state = self.state.lock();
        while let State::Pending { .. } = &*state {
            if until.is_some_and(|until| until <= time::now()) {
                return Ok(None);
            }
            state = self.changed.wait(state, until);
        }
        Ok(self.result())
    }

    fn poll(&self, index: u32, waker: &Waker) -> Result<Option<&Done>, Error> {
        // What belongs to an executor is cloned and dropped outside the lock.
        let waker = waker.clone();
        let _older = match &mut *self.state.lock() {
            State::Done { .. } => return Ok(self.result()),
            State::Pending { wakers, .. } => wakers.insert(index, waker),
        };
        self.check_here()?;
        self.hurry_up();
        Ok(None)
    }

    /// An error in a fork.
    fn check_here(&self) -> Result<(), Error> {
        self.callbacks.process.check_sent()
    }

    fn hurry_up(&self) {
        if let Some(partition) = self.hurry.upgrade() {
            partition.hurry(self);
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.result();
        write!(f, "Completion({}-{}: {done:?})", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests;
