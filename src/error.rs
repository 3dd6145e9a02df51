//! The one error type: what went wrong, whether the record may be in the log, and what to do about
//! it.

use std::fmt;
use std::sync::Arc;

/// Why a record, or a call, failed.
///
/// `Display` gives one line for a person: what was being done, the value that was wrong, the last
/// cause with the broker's address, and what to do. The predicates answer a program's questions. An
/// error is cheap to clone: all records of a batch that failed share one.
///
/// ```
/// # let cluster = milena::mock::MockCluster::start(1);
/// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
/// use milena::{Outcome, Record};
///
/// # fn put_aside(_: &str) {}
/// # fn note_doubt(_: &str) {}
/// for order in ["1 apple", "2 pears"] {
///     match producer.send(Record::to("orders").value(order)).wait() {
///         Ok(_) => {}
///         // It is not in the topic: it can be sent again later.
///         Err(error) if error.outcome() == Outcome::NotWritten => put_aside(order),
///         // It may be: sending it again may make a duplicate.
///         Err(_) => note_doubt(order),
///     }
/// }
/// # Ok::<(), milena::Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    outcome: Outcome,
    code: Option<i16>,
    message: String,
    cause: Option<Error>,
    attempts: u32,
}

/// The class of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, a properties file or a credentials file is wrong.
    Config,
    /// A call that is not allowed here, such as `flush` inside a callback.
    Misuse,
    /// The producer is closed, or was closed before the record was delivered.
    Closed,
    /// The producer was made before a `fork`, by the other process: it works there only.
    Forked,
    /// The partition has stopped behind a record that it lost ([`Config::gapless`]).
    ///
    /// [`Config::gapless`]: crate::Config::gapless
    Stopped,
    /// The buffer (`buffer.memory`) had no room within `max.block.ms`.
    BufferFull,
    /// The buffer was full, and the topic's [`FullBuffer`] policy gave the record up.
    ///
    /// [`FullBuffer`]: crate::FullBuffer
    Dropped,
    /// The topic is not known yet, and the call may not wait for it.
    TopicNotReady,
    /// The cluster says that the topic does not exist.
    UnknownTopic,
    /// The topic's name is one that Kafka forbids.
    InvalidTopic,
    /// The partition asked for is not one of the topic's.
    PartitionOutOfRange,
    /// The record is larger than a limit of this client or of the broker.
    RecordTooLarge,
    /// A serializer, partitioner, interceptor, logger or source of tokens of the application failed
    /// or panicked.
    Application,
    /// A time limit passed; the message says the phase, the limit and the last cause.
    TimedOut,
    /// A broker could not be reached, or a connection broke.
    Connection,
    /// TLS could not be established.
    Tls,
    /// The broker refused the credentials or the mechanism.
    Authentication,
    /// The credentials are good but the action is not allowed.
    Authorization,
    /// The broker does not speak a version of the protocol that this client needs.
    UnsupportedVersion,
    /// The peer sent what is not the Kafka protocol.
    Protocol,
    /// The broker refused the records; [`Error::code`] says why.
    Broker,
}

/// What is known of a record that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The record is not in the log and never will be: sending it again makes no duplicate.
    NotWritten,
    /// The record may be in the log: the acknowledgement was lost or never came.
    Unknown,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            outcome: Outcome::NotWritten,
            code: None,
            message: message.into(),
            cause: None,
            attempts: 0,
        }))
    }

    /// The error of whatever is asked of a producer that was closed.
    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the producer is closed")
    }

    pub(crate) fn with_code(self, code: i16) -> Self {
        self.edit(|inner| inner.code = Some(code))
    }

    pub(crate) fn with_outcome(self, outcome: Outcome) -> Self {
        self.edit(|inner| inner.outcome = outcome)
    }

    pub(crate) fn with_attempts(self, attempts: u32) -> Self {
        self.edit(|inner| inner.attempts = attempts)
    }

    /// Adds what led to it; shown behind the message, and given as
    /// [`source`](std::error::Error::source).
    pub(crate) fn with_cause(self, cause: Error) -> Self {
        self.edit(|inner| inner.cause = Some(cause))
    }

    /// Puts `context: ` before the message: where it happened, once that is known.
    pub(crate) fn context(self, context: impl fmt::Display) -> Self {
        self.edit(|inner| inner.message = format!("{context}: {}", inner.message))
    }

    /// Puts what else is known behind the message.
    pub(crate) fn note(self, note: impl fmt::Display) -> Self {
        self.edit(|inner| inner.message = format!("{}; {note}", inner.message))
    }

    /// Takes `context` from the front of the message again, for a text that names the place itself.
    pub(crate) fn without_context(self, context: &str) -> Self {
        match self.0.message.strip_prefix(context) {
            Some(rest) => {
                let rest = rest.trim_start_matches([':', ' ']).to_owned();
                self.edit(|inner| inner.message = rest)
            }
            None => self,
        }
    }

    fn edit(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::try_unwrap(self.0).unwrap_or_else(|shared| Inner {
            kind: shared.kind,
            outcome: shared.outcome,
            code: shared.code,
            message: shared.message.clone(),
            cause: shared.cause.clone(),
            attempts: shared.attempts,
        });
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// The class of the error.
    ///
    /// ```
    /// let error = milena::Config::new("kafka-1:9092").set("acks", "2").unwrap_err();
    /// assert_eq!(error.kind(), milena::ErrorKind::Config);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The error code of the Kafka protocol, where a broker sent one.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// cluster.create_topic("orders", 1); cluster.set_max_message_bytes("orders", 100); let error =
    /// producer.send(milena::Record::to("orders").value(&[0; 1000])).wait().unwrap_err();
    /// assert_eq!(error.code(), Some(10)); // MESSAGE_TOO_LARGE
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn code(&self) -> Option<i16> {
        self.0.code
    }

    /// Whether the record may be in the log. Errors of calls that send nothing say
    /// [`Outcome::NotWritten`].
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// cluster.create_topic("orders", 1);
    /// let record = milena::Record::to("orders").partition(7);
    /// let error = producer.send(record).wait().unwrap_err();
    /// assert_eq!(error.outcome(), milena::Outcome::NotWritten);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// How often the record's batch had been sent when it failed: 0 if it never was, and for errors
    /// of calls that send nothing.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # cluster.create_topic("orders", 1);
    /// # cluster.set_max_message_bytes("orders", 100);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// use milena::Record;
    ///
    /// // The broker refuses it once, and that is final.
    /// let refused = producer.send(Record::to("orders").value(&[0; 1000])).wait().unwrap_err();
    /// assert_eq!(refused.attempts(), 1);
    /// // This client refuses it itself.
    /// let refused = producer.send(Record::to("not a name")).wait().unwrap_err();
    /// assert_eq!(refused.attempts(), 0);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// True if the same send may well succeed later without any change to the program, the settings
    /// or the cluster's configuration: brokers down, time-outs, a full buffer.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// use milena::Record;
    ///
    /// // The topic is new to the producer, and `try_send` may not wait for the cluster.
    /// let refused = producer.try_send(Record::to("orders")).unwrap_err();
    /// assert!(refused.error().is_retriable());
    /// let error = producer.send(Record::to("not a name")).wait().unwrap_err();
    /// assert!(!error.is_retriable());
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn is_retriable(&self) -> bool {
        match self.kind() {
            ErrorKind::BufferFull
            | ErrorKind::TopicNotReady
            | ErrorKind::TimedOut
            | ErrorKind::Connection => true,
            ErrorKind::Broker | ErrorKind::UnknownTopic => self
                .code()
                .is_some_and(|code| crate::wire::codes::Code::from(code).is_retriable()),
            _ => false,
        }
    }

    /// True if waiting and trying again does not mend it: somebody must change credentials,
    /// certificates or versions.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Authentication | ErrorKind::Tls | ErrorKind::UnsupportedVersion
        )
    }

    /// True if this producer can send nothing more: a new one is needed.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// producer.close()?;
    /// let error = producer.send(milena::Record::to("orders")).wait().unwrap_err();
    /// assert!(error.is_fatal());
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn is_fatal(&self) -> bool {
        matches!(self.kind(), ErrorKind::Closed | ErrorKind::Forked)
    }

    /// True if a time limit passed, a full buffer's included.
    ///
    /// ```
    /// use std::time::Duration;
    /// use milena::{Config, Producer, Record};
    ///
    /// // Nobody listens there.
    /// let config = Config::new("127.0.0.1:1").max_block(Duration::from_millis(10));
    /// let error = Producer::new(config)?.send(Record::to("orders")).wait().unwrap_err();
    /// assert!(error.is_timeout());
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind(), ErrorKind::TimedOut | ErrorKind::BufferFull)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(test)]
        crate::watch::look("an error", &self.0.message);
        f.write_str(&self.0.message)?;
        match &self.0.cause {
            Some(cause) => write!(f, "; last cause: {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug
            .field("kind", &self.0.kind)
            .field("outcome", &self.0.outcome);
        if let Some(code) = self.0.code {
            debug.field("code", &code);
        }
        debug.field("message", &self.to_string()).finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .cause
            .as_ref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_cause_and_keeps_its_facts_when_shared() {
        let cause = Error::new(ErrorKind::Connection, "connection refused")
            .context("broker 2 (kafka-2:9092)");
        let bare = cause.clone().without_context("broker 2 (kafka-2:9092)");
        assert_eq!(bare.to_string(), "connection refused");
        assert_eq!(
            bare.without_context("broker").to_string(),
            "connection refused"
        );
        let error = Error::new(ErrorKind::TimedOut, "record for orders-3 not delivered")
            .with_outcome(Outcome::Unknown)
            .with_attempts(3)
            .with_cause(cause);
        let shared = error.clone();
        let edited = error.with_code(7);
        assert_eq!((edited.code(), shared.code()), (Some(7), None));
        assert_eq!((edited.outcome(), edited.attempts()), (Outcome::Unknown, 3));
        assert_eq!(
            edited.to_string(),
            "record for orders-3 not delivered; last cause: broker 2 (kafka-2:9092): connection \
             refused"
        );
        assert!(edited.is_timeout() && edited.is_retriable() && !edited.is_fatal());
    }

    #[test]
    fn predicates_follow_the_class_and_for_a_brokers_refusal_its_code() {
        use ErrorKind::*;
        let all = [
            Config,
            Misuse,
            Closed,
            Forked,
            Stopped,
            BufferFull,
            TopicNotReady,
            UnknownTopic,
            InvalidTopic,
            PartitionOutOfRange,
            RecordTooLarge,
            Application,
            TimedOut,
            Connection,
            Tls,
            Authentication,
            Authorization,
            UnsupportedVersion,
            Protocol,
            Broker,
        ];
        for kind in all {
            let error = Error::new(kind, "");
            let retriable = [BufferFull, TopicNotReady, TimedOut, Connection];
            assert_eq!(error.is_retriable(), retriable.contains(&kind), "{kind:?}");
            let lasting = [Tls, Authentication, UnsupportedVersion];
            assert_eq!(error.is_lasting(), lasting.contains(&kind), "{kind:?}");
            let fatal = [Closed, Forked];
            assert_eq!(error.is_fatal(), fatal.contains(&kind), "{kind:?}");
            assert_eq!(
                error.is_timeout(),
                [BufferFull, TimedOut].contains(&kind),
                "{kind:?}"
            );
            let follows_code = [Broker, UnknownTopic].contains(&kind);
            let transient = error.clone().with_code(19).is_retriable();
            assert_eq!(
                transient,
                retriable.contains(&kind) || follows_code,
                "{kind:?}"
            );
            let permanent = error.with_code(87).is_retriable();
            assert_eq!(permanent, retriable.contains(&kind), "{kind:?}");
        }
    }
}
