//! A record that comes back.

use std::fmt;

use crate::error::Error;
use crate::record::Record;

/// A record that [`Producer::try_send`](crate::Producer::try_send) could not take now, with the
/// reason.
///
/// ```
/// # let cluster = milena::mock::MockCluster::start(1);
/// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
/// let record = milena::Record::to("orders").value("3 apples");
/// if let Err(refused) = producer.try_send(record) {
///     println!("not now: {}", refused.error());
///     let (record, _) = refused.into_parts();
///     producer.send(record).wait()?;
/// }
/// # Ok::<(), milena::Error>(())
/// ```
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
