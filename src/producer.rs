//! The producer: the index of what it can do.

mod append;
mod check;
mod handle;
mod intercept;
mod resume;
mod topics;
mod try_send;

use std::fmt;
use std::mem::size_of;
use std::time::Duration;

use crate::accumulator::{Accumulator, Wait};
use crate::broker::{Brokers, Core};
use crate::callbacks::CallbackQueue;
use crate::cluster::{PartitionInfo, Updater, Wishes};
use crate::config::Config;
use crate::conn::{Connector, Interrupt};
use crate::delivery::{Deliveries, Delivery, RecordMetadata};
use crate::error::{Error, ErrorKind};
use crate::expiry::Expiry;
use crate::interceptor::Chain;
use crate::latch::Latch;
use crate::metrics::MetricsSnapshot;
use crate::record::Record;
use crate::shutdown::{CloseReport, Shutdown};
use crate::sync::Arc;
use crate::sync::atomic::AtomicBool;
use crate::time::Deadline;

use handle::Handle;
use intercept::HandedOver;
pub use try_send::TrySendError;

/// What a callback costs beyond its own size: its place in the batch's list and its allocation.
const CALLBACK_OVERHEAD: usize = 128;

/// Sends records to a Kafka cluster. Cheap to clone, and to be shared by any number of threads.
///
/// Nothing touches the network before the first send. One thread per broker sends, one per
/// connection receives; one fetches metadata, one keeps the time limits, and one runs callbacks.
/// When the last clone is dropped, the producer closes as [`close`](Self::close) does.
///
/// The [guide](crate::guide) tells what is guaranteed, what blocks, and what errors mean.
#[derive(Clone)]
pub struct Producer(Arc<Handle>);

impl Producer {
    /// A producer with these settings. It does not wait for the network, and succeeds with all
    /// brokers down.
    ///
    /// # Errors
    /// Settings that clash or cannot work: [`ErrorKind::Config`], naming the setting, its value and
    /// what to do.
    ///
    /// ```
    /// use milena::{Config, ErrorKind, Producer};
    ///
    /// let producer = Producer::new(Config::new("localhost:9092"))?;
    /// let error = Producer::new(Config::new("localhost")).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn new(config: Config) -> Result<Self, Error> {
        let config = config.validate()?;
        let connector = Connector::new(&config)?;
        let callbacks = Arc::new(CallbackQueue::default());
        let interceptors = Chain::new(&config.interceptors);
        let accumulator = Accumulator::new(&config, callbacks.clone());
        let core = Arc::new(Core {
            metrics: accumulator.metrics().clone(),
            accumulator,
            connector,
            wishes: Wishes::default(),
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
            interceptors.clone(),
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
            interceptors,
            is_closed,
            shutdown,
        })))
    }

    /// Hands a record to the sender threads.
    ///
    /// It blocks for at most `max.block.ms` in all: while the topic is not known yet, and while the
    /// buffer is full. Whatever goes wrong comes through the delivery; a record that a full buffer
    /// refused was not sent. Inside a callback it does not wait: what holds the buffer may be
    /// behind that callback.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// use milena::Record;
    ///
    /// let delivery = producer.send(Record::to("orders").key("customer-7").value("3 apples"));
    /// assert_eq!(delivery.wait()?.offset(), Some(0));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn send(&self, record: Record<'_>) -> Delivery {
        let mut wait = self.patience();
        let sent = match &self.0.interceptors {
            None => self.append(&record, &mut wait),
            Some(_) => self.hand_over(&record, 0, &mut wait).sent,
        };
        match sent {
            Ok(delivery) => delivery,
            Err(error) => self.failed(record.topic, error),
        }
    }

    /// Like [`send`](Self::send), with a callback on the producer's callback thread instead of a
    /// delivery.
    ///
    /// Callbacks of one partition run in the order of its records' results. A slow or panicking
    /// callback delays other callbacks and nothing else; until it has run, it is counted in
    /// `buffer.memory`.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// producer.send_with(milena::Record::to("orders").value("3 apples"), |result| match result {
    ///     Ok(metadata) => println!("in partition {}", metadata.partition()),
    ///     Err(error) => println!("{error}"),
    /// });
    /// producer.flush()?; // waits for the callback too
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn send_with<F>(&self, record: Record<'_>, callback: F)
    where
        F: FnOnce(Result<RecordMetadata, Error>) + Send + 'static,
    {
        let bytes = size_of::<F>() + CALLBACK_OVERHEAD;
        let HandedOver { sent, grant } = self.hand_over(&record, bytes, &mut self.patience());
        let delivery = sent.unwrap_or_else(|error| self.failed(record.topic, error));
        match grant {
            Some(grant) => delivery.attach(Box::new(move |result| {
                callback(result);
                drop(grant);
            })),
            None => delivery.on_done(callback),
        }
    }

    /// Like [`send`](Self::send), but never waits.
    ///
    /// # Errors
    /// The record comes back if it cannot be taken now: the buffer is full, the topic is not known
    /// yet (it is asked for), or the record could never be sent.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let record = milena::Record::to("orders").value("3 apples");
    /// // Nobody has asked the cluster about this topic before.
    /// let refused = producer.try_send(record).unwrap_err();
    /// assert_eq!(refused.error().kind(), milena::ErrorKind::TopicNotReady);
    /// producer.send(refused.into_record()).wait()?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn try_send<'a>(&self, record: Record<'a>) -> Result<Delivery, TrySendError<'a>> {
        let mut wait = Wait::No("try_send does not wait");
        let sent = self.hand_over(&record, 0, &mut wait).sent;
        match sent {
            // It was given up, not refused.
            Err(error) if error.kind() == ErrorKind::Dropped => {
                Ok(self.failed(record.topic, error))
            }
            sent => sent.map_err(|error| TrySendError::new(record, error)),
        }
    }

    /// Sends many records; [`Deliveries::wait_all`] gives their results in the same order, one
    /// entry a record.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let values = ["1 apple", "2 pears"];
    /// let records = values.iter().map(|value| milena::Record::to("orders").value(value));
    /// for result in producer.send_all(records).wait_all() {
    ///     println!("offset {:?}", result?.offset());
    /// }
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn send_all<'a>(&self, records: impl IntoIterator<Item = Record<'a>>) -> Deliveries {
        records
            .into_iter()
            .map(|record| self.send(record))
            .collect()
    }

    /// Sends everything that was handed over before this call, and waits until all of it is
    /// delivered or has failed, its callbacks included. `delivery.timeout.ms` bounds the wait for
    /// results.
    ///
    /// # Errors
    /// Called inside a callback, which would wait for itself. That records failed is told by their
    /// deliveries.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let delivery = producer.send(milena::Record::to("orders").value("3 apples"));
    /// producer.flush()?;
    /// assert!(delivery.is_done());
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn flush(&self) -> Result<(), Error> {
        self.flush_within(Duration::MAX)
    }

    /// Like [`flush`](Self::flush), for at most `limit`.
    ///
    /// # Errors
    /// As `flush`, and [`ErrorKind::TimedOut`] with the number of batches that are left; they are
    /// still being sent.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// producer.flush_timeout(std::time::Duration::from_secs(5))?;
    /// # Ok::<(), milena::Error>(())
    /// ```
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
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// cluster.create_topic("orders", 3);
    /// assert_eq!(producer.partitions_for("orders")?.len(), 3);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn partitions_for(&self, topic: &str) -> Result<Vec<PartitionInfo>, Error> {
        self.0.callbacks.process.check()?;
        Record::to(topic).check()?;
        let view = self.topic(topic, &mut self.patience())?;
        Ok(view.infos.clone())
    }

    /// Totals since the producer was made.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// producer.send(milena::Record::to("orders")).wait()?;
    /// assert_eq!(producer.metrics().delivered, 1);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn metrics(&self) -> MetricsSnapshot {
        self.0.core.metrics.snapshot(self.buffered_bytes())
    }

    /// The bytes of `buffer.memory` in use: batch buffers by their capacity, callbacks that have
    /// not run, and what interceptors are still to be told.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// assert_eq!(producer.buffered_bytes(), 0);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn buffered_bytes(&self) -> usize {
        self.0.core.accumulator.budget().used()
    }

    /// Sends what is buffered, waits for it for at most the close time-out
    /// ([`Config::close_timeout`]), then ends all threads and connections. Sends after it fail with
    /// [`ErrorKind::Closed`], those of all clones too. A second call only gives the report.
    ///
    /// # Errors
    /// Called inside a callback, which would wait for itself.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// drop(producer.send(milena::Record::to("orders").value("nobody waits")));
    /// let report = producer.close()?;
    /// assert_eq!((report.delivered, report.failed, report.unknown), (1, 0, 0));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn close(&self) -> Result<CloseReport, Error> {
        self.close_timeout(self.0.core.config.close_timeout)
    }

    /// Like [`close`](Self::close), for at most `limit`; what is left then has failed, and the
    /// report counts it.
    ///
    /// # Errors
    /// Called inside a callback, which would wait for itself.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let report = producer.close_timeout(std::time::Duration::from_secs(2))?;
    /// assert_eq!(report.failed + report.unknown, 0);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn close_timeout(&self, limit: Duration) -> Result<CloseReport, Error> {
        self.refuse_in_callback("close")?;
        Ok(self.0.close(limit))
    }

    fn refuse_in_callback(&self, call: &str) -> Result<(), Error> {
        self.0.callbacks.process.check()?;
        if self.0.callbacks.is_this_thread() {
            let message =
                format!("{call} inside a callback would wait for that callback: call it elsewhere");
            return Err(Error::new(ErrorKind::Misuse, message));
        }
        Ok(())
    }

    #[inline]
    fn patience(&self) -> Wait {
        match self.0.callbacks.is_this_thread() {
            true => Wait::No("a callback does not wait: what holds the buffer may be behind it"),
            false => Wait::AtMost(self.0.core.config.max_block),
        }
    }

    /// A delivery that has failed already.
    fn failed(&self, topic: &str, error: Error) -> Delivery {
        self.0.core.metrics.failed.add(1);
        Delivery::failed(topic, error, &self.0.callbacks)
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("config", &self.0.core.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
