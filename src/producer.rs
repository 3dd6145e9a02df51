//! The producer: the index of what it can do.

use std::fmt;
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::accumulator::topic::{Topic, View};
use crate::accumulator::{Accumulator, Wait};
use crate::broker::{Brokers, Core};
use crate::callbacks::CallbackQueue;
use crate::cluster::{PartitionInfo, Updater, Wishes};
use crate::config::Config;
use crate::conn::{Connector, Interrupt};
use crate::delivery::{Deliveries, Delivery, RecordMetadata};
use crate::error::{Error, ErrorKind};
use crate::expiry::Expiry;
use crate::latch::Latch;
use crate::metrics::{Metrics, MetricsSnapshot};
use crate::partitioner::TopicView;
use crate::record::Record;
use crate::shutdown::{CloseReport, Shutdown};
use crate::sync::Arc;
use crate::time::{self, Deadline};

/// What a callback costs beyond its own size: its place in the batch's list and its allocation.
const CALLBACK_OVERHEAD: usize = 128;

/// Sends records to a Kafka cluster. Cheap to clone, and to be shared by any number of threads.
///
/// Nothing touches the network before the first send. One thread per broker sends, one per
/// connection receives; one fetches metadata, one keeps the time limits, and one runs callbacks.
/// When the last clone is dropped, the producer closes as [`close`](Self::close) does.
#[derive(Clone)]
pub struct Producer(Arc<Handle>);

struct Handle {
    core: Arc<Core>,
    callbacks: Arc<CallbackQueue>,
    expiry: Arc<Expiry>,
    is_closed: AtomicBool,
    shutdown: Shutdown,
}

impl Producer {
    /// A producer with these settings. It does not wait for the network, and succeeds with all
    /// brokers down.
    ///
    /// # Errors
    /// Settings that clash or cannot work: [`ErrorKind::Config`], naming the setting, its value and
    /// what to do.
    pub fn new(config: Config) -> Result<Self, Error> {
        let config = config.validate()?;
        let connector = Connector::new(&config)?;
        let callbacks = Arc::new(CallbackQueue::default());
        let core = Arc::new(Core {
            accumulator: Accumulator::new(&config, callbacks.clone()),
            connector,
            wishes: Wishes::default(),
            metrics: Metrics::default(),
            brokers: Brokers::default(),
            running: Arc::new(Latch::default()),
            config,
        });
        let expiry = Arc::new(Expiry::default());
        let interrupt = Arc::new(Interrupt::default());
        let shutdown = Shutdown::new(
            core.clone(),
            callbacks.clone(),
            expiry.clone(),
            interrupt.clone(),
        );
        let updater = Updater::new(core.clone(), interrupt);
        let (time_keeper, kept) = (expiry.clone(), core.clone());
        let started = shutdown
            .start("milena-cluster", move || updater.run())
            .and_then(|()| shutdown.start("milena-expiry", move || time_keeper.run(&kept)));
        if let Err(error) = started {
            shutdown.close(Duration::ZERO);
            return Err(error);
        }
        let is_closed = AtomicBool::new(false);
        Ok(Self(Arc::new(Handle {
            core,
            callbacks,
            expiry,
            is_closed,
            shutdown,
        })))
    }

    /// Hands a record to the sender threads.
    ///
    /// It blocks for at most `max.block.ms` in all: while the topic is not known yet, and while the
    /// buffer is full. Whatever goes wrong comes through the delivery; a record that a full buffer
    /// refused was not sent. Inside a callback it does not wait for room, since the callbacks
    /// behind it hold it.
    pub fn send(&self, record: Record<'_>) -> Delivery {
        let sent = self.append(&record, self.patience());
        sent.unwrap_or_else(|error| self.failed(record.topic, error))
    }

    /// Like [`send`](Self::send), with a callback on the producer's callback thread instead of a
    /// delivery.
    ///
    /// Callbacks of one partition run in the order of its records' results. A slow or panicking
    /// callback delays other callbacks and nothing else; until it has run, it is counted in
    /// `buffer.memory`.
    pub fn send_with<F>(&self, record: Record<'_>, callback: F)
    where
        F: FnOnce(Result<RecordMetadata, Error>) + Send + 'static,
    {
        // One limit for all that it may wait for.
        let patience = self.patience().start_if(true);
        let bytes = size_of::<F>() + CALLBACK_OVERHEAD;
        let delivery = match self.0.core.accumulator.reserve(bytes, patience.wait()) {
            Ok(grant) => {
                let sent = self.append(&record, patience);
                let delivery = sent.unwrap_or_else(|error| self.failed(record.topic, error));
                let run = Box::new(move |result| {
                    callback(result);
                    drop(grant);
                });
                return delivery.attach(run);
            }
            Err(error) => self.failed(record.topic, error),
        };
        delivery.on_done(callback);
    }

    /// Like [`send`](Self::send), but never waits.
    ///
    /// # Errors
    /// The record comes back if it cannot be taken now: the buffer is full, the topic is not known
    /// yet (it is asked for), or the record could never be sent.
    pub fn try_send<'a>(&self, record: Record<'a>) -> Result<Delivery, TrySendError<'a>> {
        let patience = Patience::None("try_send does not wait");
        self.append(&record, patience)
            .map_err(|error| TrySendError { record, error })
    }

    /// Sends many records; [`Deliveries::wait_all`] gives their results in the same order, one
    /// entry a record.
    pub fn send_all<'a>(&self, records: impl IntoIterator<Item = Record<'a>>) -> Deliveries {
        records
            .into_iter()
            .map(|record| self.send(record))
            .collect()
    }

    /// Sends everything that was handed over before this call, and waits until all of it is
    /// delivered or has failed, its callbacks included. `delivery.timeout.ms` bounds the wait.
    ///
    /// # Errors
    /// Called inside a callback, which would wait for itself. That records failed is told by their
    /// deliveries.
    pub fn flush(&self) -> Result<(), Error> {
        self.flush_within(Duration::MAX)
    }

    /// Like [`flush`](Self::flush), for at most `limit`.
    ///
    /// # Errors
    /// As `flush`, and [`ErrorKind::TimedOut`] with the number of batches that are left; they are
    /// still being sent.
    pub fn flush_timeout(&self, limit: Duration) -> Result<(), Error> {
        self.flush_within(limit)
    }

    fn flush_within(&self, limit: Duration) -> Result<(), Error> {
        self.refuse_in_callback("flush")?;
        self.0.shutdown.flush(Deadline::within(limit))
    }

    /// The partitions of a topic, by number. Blocks for at most `max.block.ms` if the topic is not
    /// known yet.
    ///
    /// # Errors
    /// The topic is not known within that time, or may not be used.
    pub fn partitions_for(&self, topic: &str) -> Result<Vec<PartitionInfo>, Error> {
        Record::to(topic).check()?;
        let patience = self.patience();
        let (_, view) = self.topic(topic, patience)?;
        Ok(view.infos.clone())
    }

    /// Totals since the producer was made.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.0.core.metrics.snapshot(self.buffered_bytes())
    }

    /// The bytes of `buffer.memory` in use: batch buffers by their capacity, and callbacks that
    /// have not run.
    pub fn buffered_bytes(&self) -> usize {
        self.0.core.accumulator.budget().used()
    }

    /// Sends what is buffered, waits for it for at most the close time-out
    /// ([`Config::close_timeout`]), then ends all threads and connections. Sends after it fail with
    /// [`ErrorKind::Closed`]. A second call only gives the report.
    ///
    /// # Errors
    /// Called inside a callback, which would wait for itself.
    pub fn close(&self) -> Result<CloseReport, Error> {
        self.close_timeout(self.0.core.config.close_timeout)
    }

    /// Like [`close`](Self::close), for at most `limit`; what is left then has failed, and the
    /// report counts it.
    ///
    /// # Errors
    /// Called inside a callback, which would wait for itself.
    pub fn close_timeout(&self, limit: Duration) -> Result<CloseReport, Error> {
        self.refuse_in_callback("close")?;
        Ok(self.0.close(limit))
    }

    fn refuse_in_callback(&self, call: &str) -> Result<(), Error> {
        if self.0.callbacks.is_this_thread() {
            let message =
                format!("{call} inside a callback would wait for that callback: call it elsewhere");
            return Err(Error::new(ErrorKind::Misuse, message));
        }
        Ok(())
    }

    fn patience(&self) -> Patience {
        match self.0.callbacks.is_this_thread() {
            true => {
                Patience::None("a callback does not wait: what holds the buffer may be behind it")
            }
            false => Patience::Max(self.0.core.config.max_block),
        }
    }

    /// A delivery that has failed already.
    pub(crate) fn failed(&self, topic: &str, error: Error) -> Delivery {
        self.0.core.metrics.failed.add(1);
        Delivery::failed(topic, error, &self.0.callbacks)
    }

    fn append(&self, record: &Record<'_>, patience: Patience) -> Result<Delivery, Error> {
        let Handle { core, expiry, .. } = &*self.0;
        if self.0.is_closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, "the producer is closed"));
        }
        core.accumulator.check_size(record)?;
        let patience = patience.start_if(core.accumulator.topic(record.topic).is_none());
        let (topic, mut view) = self.topic_for(record, patience)?;
        let partition = match record.partition {
            Some(partition) => partition,
            None => {
                let seen = TopicView {
                    topic: record.topic,
                    count: view.partitions.len() as u32,
                    available: &view.available,
                    next: &topic.next,
                };
                core.config
                    .partitioner
                    .choose(&seen, record.key, record.value)?
            }
        };
        let patience = patience.start_if(!has_partition(&view, partition));
        if !has_partition(&view, partition) {
            view = self.grown_topic(record.topic, partition, patience)?;
        }
        let partition = &view.partitions[partition as usize];
        let timestamp_ms = record.timestamp_ms.unwrap_or_else(time::wall_clock_ms);
        let wait = patience.wait();
        let (delivery, is_first) =
            core.accumulator
                .append(partition, record, timestamp_ms, wait)?;
        if is_first {
            expiry.arm();
        }
        Ok(delivery)
    }

    fn topic_for(
        &self,
        record: &Record<'_>,
        patience: Patience,
    ) -> Result<(Arc<Topic>, Arc<View>), Error> {
        if record.partition.is_some() || record.timestamp_ms.is_some() {
            record.check()?;
        }
        if let Some(topic) = self.0.core.accumulator.topic(record.topic) {
            if topic.mark_used() {
                self.0.core.wishes.refresh();
            }
            let view = topic.view();
            return match &view.denied {
                // The cluster thread has only just made it.
                None if view.partitions.is_empty() => self.topic(record.topic, patience),
                None => Ok((topic, view)),
                Some(error) => {
                    self.0.core.wishes.refresh();
                    Err(error.clone())
                }
            };
        }
        record.check()?;
        self.topic(record.topic, patience)
    }

    /// The topic, waiting for its first metadata where that is allowed.
    fn topic(&self, name: &str, patience: Patience) -> Result<(Arc<Topic>, Arc<View>), Error> {
        let core = &self.0.core;
        let patience = patience.start_if(true);
        loop {
            if let Some(topic) = core.accumulator.topic(name) {
                topic.mark_used();
                let view = topic.view();
                if !view.partitions.is_empty() {
                    return Ok((topic, view));
                }
            }
            match patience {
                Patience::None(why) => {
                    core.wishes.want(name);
                    let message = format!(
                        "topic {name} is not known yet, and {why}; its metadata was asked for"
                    );
                    return Err(Error::new(ErrorKind::TopicNotReady, message));
                }
                Patience::Max(limit) => core.wishes.wait_for(name, Deadline::within(limit))?,
                Patience::Until(deadline) => core.wishes.wait_for(name, deadline)?,
            }
        }
    }

    /// A topic that lacks the partition asked for may have grown: the newest metadata decides.
    fn grown_topic(
        &self,
        name: &str,
        partition: i32,
        patience: Patience,
    ) -> Result<Arc<View>, Error> {
        let core = &self.0.core;
        let asked = match patience {
            Patience::None(_) => {
                core.wishes.refresh();
                Ok(())
            }
            Patience::Max(limit) => core.wishes.wait_for(name, Deadline::within(limit)),
            Patience::Until(deadline) => core.wishes.wait_for(name, deadline),
        };
        let view = core
            .accumulator
            .topic(name)
            .map(|topic| topic.view())
            .unwrap_or_default();
        if has_partition(&view, partition) {
            return Ok(view);
        }
        let message = format!(
            "partition {partition} of topic {name} does not exist: the topic has {} partitions, 0 \
             to {}",
            view.partitions.len(),
            view.partitions.len().saturating_sub(1),
        );
        let error = Error::new(ErrorKind::PartitionOutOfRange, message);
        match asked {
            Ok(()) => Err(error),
            Err(cause) if cause.kind() == ErrorKind::Closed => Err(cause),
            Err(cause) => Err(error.with_cause(cause)),
        }
    }
}

fn has_partition(view: &View, partition: i32) -> bool {
    usize::try_from(partition).is_ok_and(|index| index < view.partitions.len())
}

/// How long a send may wait; the clock is read only once something has to be waited for.
#[derive(Clone, Copy, Debug)]
enum Patience {
    None(&'static str),
    Max(Duration),
    Until(Deadline),
}

impl Patience {
    fn start_if(self, waits: bool) -> Self {
        match self {
            Self::Max(limit) if waits => Self::Until(Deadline::within(limit)),
            patience => patience,
        }
    }

    fn wait(self) -> Wait {
        match self {
            Self::None(why) => Wait::No(why),
            Self::Max(limit) => Wait::AtMost(limit),
            Self::Until(deadline) => Wait::Until(deadline),
        }
    }
}

impl Handle {
    fn close(&self, limit: Duration) -> CloseReport {
        self.is_closed.store(true, Ordering::Release);
        self.shutdown.close(limit)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
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

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("config", &self.0.core.config)
            .finish_non_exhaustive()
    }
}

/// A record that [`Producer::try_send`] could not take now, with the reason.
#[derive(Clone)]
pub struct TrySendError<'a> {
    record: Record<'a>,
    error: Error,
}

impl<'a> TrySendError<'a> {
    pub(crate) fn new(record: Record<'a>, error: Error) -> Self {
        Self { record, error }
    }

    /// Why it was not taken.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The record, as it was handed in.
    pub fn into_record(self) -> Record<'a> {
        self.record
    }

    /// The record and the reason.
    pub fn into_parts(self) -> (Record<'a>, Error) {
        (self.record, self.error)
    }
}

impl fmt::Debug for TrySendError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySendError")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TrySendError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for TrySendError<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<TrySendError<'_>> for Error {
    fn from(refused: TrySendError<'_>) -> Self {
        refused.error
    }
}

#[cfg(test)]
mod tests;
