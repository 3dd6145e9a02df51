//! What a client has to do for the loads.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::cells::Cell;
use crate::payload::Payload;

pub(crate) trait Client: Sync {
    /// Sends the records of these numbers as fast as it can, sees each one's result, and says how
    /// many were acknowledged.
    fn throughput(&self, payload: &Payload, records: u64) -> u64;

    /// Waits for the record; each of the threads has its number.
    fn send_and_wait(&self, thread: usize, value: &[u8]) -> bool;

    /// Notes the time from `due` until the acknowledgement.
    fn send_timed(&self, value: &[u8], due: Instant);

    /// The times that were noted, in microseconds; a failed record has none.
    fn take_times(&self) -> Vec<u32>;

    /// Runs on a thread of the application while other threads wait, for clients that need one.
    fn serve(&self, _stop: &AtomicBool) {}

    /// Bytes and requests that were sent for `records` records, if the client can tell.
    fn sent(&self, records: u64) -> Option<Sent>;
}

pub(crate) struct Sent {
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
}

/// What a client is made of.
pub(crate) struct Target<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) bootstrap: &'a str,
    /// The file with the certificate of whoever signed the broker's.
    pub(crate) tls_ca: Option<&'a str>,
}

pub(crate) const BATCH_BYTES: usize = 1_000_000;
pub(crate) const BUFFER_BYTES: usize = 64 << 20;
pub(crate) const LINGER: Duration = Duration::from_millis(5);

/// Nothing that is waited for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
