//! Counters of a producer.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the threads of a producer count, per batch and per request, never per record.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) delivered: Counter,
    pub(crate) failed: Counter,
    pub(crate) unknown: Counter,
    pub(crate) dropped: Counter,
    pub(crate) requests: Counter,
    pub(crate) request_bytes: Counter,
    pub(crate) batches: Counter,
    pub(crate) retries: Counter,
    pub(crate) splits: Counter,
    pub(crate) connects: Counter,
    pub(crate) connect_failures: Counter,
    pub(crate) reauthentications: Counter,
    pub(crate) reauthentication_failures: Counter,
    pub(crate) metadata_requests: Counter,
    pub(crate) throttle_ms: Counter,
}

/// Totals since the producer was made, as [`Producer::metrics`](crate::Producer::metrics) gives
/// them.
///
/// In brackets: the name that Java's producer gives to the same figure.
///
/// ```
/// # let cluster = milena::mock::MockCluster::start(1);
/// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
/// for number in 0..10 {
///     producer.send(milena::Record::to("orders").value(&[number])).wait()?;
/// }
/// let metrics = producer.metrics();
/// assert_eq!((metrics.delivered, metrics.failed, metrics.unknown), (10, 0, 0));
/// println!("{} requests, {} bytes", metrics.requests, metrics.request_bytes);
/// # Ok::<(), milena::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// Records that were acknowledged; with `acks=0`, written to a socket.
    pub delivered: u64,
    /// Records that failed and are not in the log.
    pub failed: u64,
    /// Records that failed and may be in the log all the same.
    pub unknown: u64,
    /// Records that a full buffer dropped, as the topic's [`FullBuffer`](crate::FullBuffer) policy
    /// says; they are among the failed.
    pub dropped: u64,
    /// Bytes that unresolved records hold now (`buffer-total-bytes` less `buffer-available-bytes`).
    pub buffered_bytes: u64,
    /// Produce requests that were written (`request-total`).
    pub requests: u64,
    /// Bytes of those requests (`outgoing-byte-total`).
    pub request_bytes: u64,
    /// Batches in those requests, those sent again included.
    pub batches: u64,
    /// Batches that were put back to be sent again (`record-retry-total`, in batches).
    pub retries: u64,
    /// Batches that a broker refused as too large, and that were sent in halves
    /// (`batch-split-total`).
    pub splits: u64,
    /// Connections for records that were opened (`connection-creation-total`).
    pub connects: u64,
    /// Attempts to connect that failed.
    pub connect_failures: u64,
    /// Times that a connection for records authenticated anew before its session ended
    /// (`successful-reauthentication-total`).
    pub reauthentications: u64,
    /// Times that this failed, and another connection took over
    /// (`failed-reauthentication-total`).
    pub reauthentication_failures: u64,
    /// Metadata requests that were answered.
    pub metadata_requests: u64,
    /// Milliseconds for which brokers asked this client to pause (`produce-throttle-time`, in
    /// total).
    pub throttle_ms: u64,
}

impl Metrics {
    pub(crate) fn snapshot(&self, buffered_bytes: usize) -> MetricsSnapshot {
        MetricsSnapshot {
            delivered: self.delivered.total(),
            failed: self.failed.total(),
            unknown: self.unknown.total(),
            dropped: self.dropped.total(),
            buffered_bytes: buffered_bytes as u64,
            requests: self.requests.total(),
            request_bytes: self.request_bytes.total(),
            batches: self.batches.total(),
            retries: self.retries.total(),
            splits: self.splits.total(),
            connects: self.connects.total(),
            connect_failures: self.connect_failures.total(),
            reauthentications: self.reauthentications.total(),
            reauthentication_failures: self.reauthentication_failures.total(),
            metadata_requests: self.metadata_requests.total(),
            throttle_ms: self.throttle_ms.total(),
        }
    }
}
