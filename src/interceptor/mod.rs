//! The application's hooks on every record: before it is sent, and once its end is known.

mod chain;
mod record;

use std::fmt;

use crate::delivery::RecordMetadata;
use crate::error::Error;

pub(crate) use chain::{Chain, Registered, Uncounted};
pub use record::InterceptedRecord;
pub(crate) use record::KeptHeaders;

/// Sees every record on its way, may change or refuse it, and is told what became of it: Java's
/// `ProducerInterceptor`. [`Config::interceptor`](crate::Config::interceptor) adds one.
///
/// Each record of `send`, `send_with`, `send_all` and `try_send`, typed or not, is shown once to
/// [`on_send`](Self::on_send), on the thread that sends, and told once to
/// [`on_acknowledgement`](Self::on_acknowledgement), on the producer's callback thread.
/// Interceptors are called in the order in which they were added, and each sees what those before
/// it have made of the record.
///
/// A panic harms nobody: it is logged, once for each interceptor and method, and the record goes on
/// as it was before. In Java the same holds for exceptions.
///
/// What a record leaves behind for `on_acknowledgement`, its headers included, is counted in
/// `buffer.memory` as callbacks are. A producer without interceptors pays nothing for them.
///
/// # A header for each record
///
/// ```
/// # let cluster = milena::mock::MockCluster::start(1);
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use milena::{Config, InterceptError, InterceptedRecord, Interceptor, Producer, Record};
///
/// #[derive(Debug, Default)]
/// struct Trace(AtomicU64);
///
/// impl Interceptor for Trace {
///     fn on_send(&self, record: &mut InterceptedRecord<'_>) -> Result<(), InterceptError> {
///         if !record.headers().any(|(name, _)| name == "trace") {
///             let id = self.0.fetch_add(1, Ordering::Relaxed);
///             record.add_header("trace", id.to_string());
///         }
///         Ok(())
///     }
/// }
///
/// let producer = Producer::new(Config::new(cluster.bootstrap()).interceptor(Trace::default()))?;
/// producer.send(Record::to("orders").value("3 apples")).wait()?;
/// assert_eq!(cluster.records("orders", 0)[0].headers[0].0, "trace");
/// # Ok::<(), milena::Error>(())
/// ```
///
/// # Counting failures
///
/// ```
/// # let cluster = milena::mock::MockCluster::start(1);
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use milena::{Acknowledgement, Config, Interceptor, Producer, Record};
///
/// #[derive(Debug)]
/// struct Failures(Arc<AtomicU64>);
///
/// impl Interceptor for Failures {
///     fn on_acknowledgement(&self, told: &Acknowledgement<'_>) {
///         if let Err(error) = told.result() {
///             println!("lost a record for {}: {error}", told.topic());
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let failures = Arc::new(AtomicU64::new(0));
/// let config = Config::new(cluster.bootstrap()).interceptor(Failures(failures.clone()));
/// let producer = Producer::new(config)?;
/// drop(producer.send(Record::to("not a name")));
/// producer.flush()?; // waits for the interceptors too
/// assert_eq!(failures.load(Ordering::Relaxed), 1);
/// # Ok::<(), milena::Error>(())
/// ```
pub trait Interceptor: Send + Sync + fmt::Debug {
    /// Looks at a record that is being sent, and changes it if need be. Defaults to nothing.
    ///
    /// It runs before the partition is chosen, possibly on many threads at once. Other than in Java
    /// it sees keys and values as bytes: serializers run before it. It should be quick, and must
    /// not send through the same producer, which would call it again.
    ///
    /// A record that [`try_send`](crate::Producer::try_send) hands back is the one that was given,
    /// without the changes; each try is shown and told. A producer that is closed, or that belongs
    /// to another process, shows its interceptors nothing more.
    ///
    /// # Errors
    ///
    /// The record is not sent: it fails alone, with
    /// [`ErrorKind::Application`](crate::ErrorKind::Application) and the text of this error, and no
    /// interceptor behind this one sees it. Java's interceptors cannot do that: what they throw is
    /// logged, and the record is sent.
    fn on_send(&self, record: &mut InterceptedRecord<'_>) -> Result<(), InterceptError> {
        let _ = record;
        Ok(())
    }

    /// Is told what became of a record, before the record's own callback. Defaults to nothing.
    ///
    /// Also of a record that failed before it had a batch: that an interceptor refused, that
    /// `try_send` handed back, or that never came to `on_send` because its serializer failed. One
    /// thread makes all these calls, and those of callbacks, one after the other: a slow one delays
    /// the others and nothing else. What is forbidden in a callback is forbidden here. Who waits
    /// for the delivery may see the result before this call.
    ///
    /// When the buffer is full, and this method is so far behind that 1,000 refused records wait to
    /// be told besides, further records fail as [`BufferFull`](crate::ErrorKind::BufferFull)
    /// without being shown or told.
    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        let _ = acknowledgement;
    }

    /// The last call, once for each producer, when that is closed and everything is told. Defaults
    /// to nothing.
    ///
    /// It runs on the callback thread too, and [`close`](crate::Producer::close) waits for it
    /// within its time-out. Only a thread that is inside `send` at that moment may still be in
    /// `on_send`.
    fn close(&self) {}
}

/// What an interceptor may refuse a record with: the application's own error.
pub type InterceptError = Box<dyn std::error::Error + Send + Sync>;

/// What became of a record, for [`Interceptor::on_acknowledgement`].
#[derive(Clone, Copy, Debug)]
pub struct Acknowledgement<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) headers: &'a KeptHeaders,
    pub(crate) result: &'a Result<RecordMetadata, Error>,
}

impl<'a> Acknowledgement<'a> {
    /// The topic, after all interceptors.
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// The partition. `None` if the record failed before one was chosen, unless it named one.
    pub fn partition(&self) -> Option<i32> {
        self.partition
    }

    /// The headers in order, after all interceptors (KIP-512); a value of `None` is null.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> {
        self.headers.iter()
    }

    /// The metadata, or why the record failed.
    pub fn result(&self) -> Result<&'a RecordMetadata, &'a Error> {
        self.result.as_ref()
    }
}
