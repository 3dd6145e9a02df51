//! The process that a producer belongs to: neither its threads nor its connections live on in a
//! fork.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::error::{Error, ErrorKind, Outcome};

/// The process in which a producer was made.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    /// When it was last looked at, by the wall clock.
    looked_ms: AtomicI64,
}

impl Default for Process {
    /// The one that runs.
    fn default() -> Self {
        Self {
            id: std::process::id(),
            looked_ms: AtomicI64::new(i64::MIN),
        }
    }
}

impl Process {
    /// Refuses what is asked in another process than the one that made the producer.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let here = std::process::id();
        if here == self.id {
            return Ok(());
        }
        let message = format!(
            "this is process {here}, a fork of process {} that made the producer and alone has its \
             threads and connections: make a producer after the fork, in the process that uses it",
            self.id,
        );
        Err(Error::new(ErrorKind::Forked, message))
    }

    /// The same, for what is done for every record: it asks the system once in a millisecond. A
    /// fork takes longer than what is left of that, or all but, unless the clock was kept by a
    /// thread that the fork has not (see `Clock`): then up to 15 records slip through. What slips
    /// through is refused where its delivery is waited for.
    #[inline]
    pub(crate) fn check_at(&self, now_ms: i64) -> Result<(), Error> {
        if self.looked_ms.load(Ordering::Relaxed) == now_ms {
            return Ok(());
        }
        self.check()?;
        self.looked_ms.store(now_ms, Ordering::Relaxed);
        Ok(())
    }

    /// The result here of a record that was sent before the fork, or that slipped through.
    pub(crate) fn check_sent(&self) -> Result<(), Error> {
        self.check().map_err(|error| {
            error
                .context("the record's result comes in the other process")
                .with_outcome(Outcome::Unknown)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_is_told_apart_at_most_a_millisecond_late() {
        let process = Process::default();
        assert!(process.check().is_ok() && process.check_sent().is_ok());
        assert!(process.check_at(1).is_ok());
        let forked = Process {
            id: std::process::id() + 1,
            looked_ms: AtomicI64::new(1),
        };
        assert!(forked.check_at(1).is_ok());
        let refused = forked.check_at(2).expect_err("another process");
        assert_eq!(refused.kind(), ErrorKind::Forked);
        assert_eq!(refused.outcome(), Outcome::NotWritten);
        let sent = forked.check_sent().expect_err("another process");
        assert_eq!(sent.outcome(), Outcome::Unknown);
    }
}
