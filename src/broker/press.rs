//! Where batches are compressed: on the sender's thread, with others beside it where a request has
//! much to compress.
//!
//! Callers are not held up by it, whichever of them fills a batch, and the batches of several
//! partitions are compressed at the same time.

use std::num::NonZero;
use std::thread;

use crate::accumulator::batch::Batch;
use crate::compress::{Compression, Compressor, Levels};
use crate::error::{Error, ErrorKind};
use crate::sync::Mutex;

/// What is worth a thread of its own, which takes some 20 us to start: lz4 compresses it in 100 us,
/// zstd in 300, gzip in 1300 (src/compress/tests/place.rs).
const BYTES_PER_LANE: usize = 128 << 10;
/// The first Produce version in which brokers take zstd (KIP-110).
const ZSTD_PRODUCE: i16 = 7;

/// What one sender compresses with.
pub(super) struct Press {
    levels: Levels,
    /// The states of the codecs, one for each thread; the sender's own is the first.
    lanes: Vec<Compressor>,
}

impl Press {
    pub(super) fn new(levels: Levels) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            levels,
            lanes: (0..cores).map(|_| Compressor::default()).collect(),
        }
    }

    /// Compresses the batches of a request for which the configuration says so.
    pub(super) fn pack(&mut self, batches: &mut [Batch]) {
        let plain = batches.iter().filter(|batch| batch.is_to_pack());
        let bytes: usize = plain.map(|batch| batch.bytes.len()).sum();
        if bytes == 0 {
            return;
        }
        let levels = &self.levels;
        let count = (bytes / BYTES_PER_LANE).clamp(1, self.lanes.len());
        let left = Mutex::new(batches.iter_mut());
        let next = || left.lock().next();
        let work = |lane: &mut Compressor| {
            while let Some(batch) = next() {
                batch.pack(lane, levels);
            }
        };
        let Some((own, others)) = self.lanes[..count].split_first_mut() else {
            return;
        };
        thread::scope(|scope| {
            for lane in others {
                let thread = thread::Builder::new().name("milena-press".into());
                // A thread that does not start leaves its share to the others.
                let _ = thread.spawn_scoped(scope, || work(lane));
            }
            work(own);
        });
    }
}

/// Why a broker whose newest Produce version is `version` cannot have such batches.
pub(super) fn refusal(compression: Compression, version: i16) -> Option<Error> {
    let is_too_old = compression == Compression::Zstd && version < ZSTD_PRODUCE;
    is_too_old.then(|| {
        let message = format!(
            "compression.type=zstd needs Kafka 2.1 or later, and this broker is older (its newest \
             Produce version is {version}, {ZSTD_PRODUCE} has zstd): choose gzip, snappy or lz4"
        );
        Error::new(ErrorKind::UnsupportedVersion, message)
    })
}
