//! Carries out what [`decide`] says of a batch whose attempt has ended; the one place where batches
//! go back.

use super::outcome::{Decision, End, Facts, Policy, acknowledged, decide};
use super::{Broker, Core};
use crate::accumulator::batch::Batch;
use crate::accumulator::state::Verdict;
use crate::config::Acks;
use crate::delivery::{Failure, Resolution};
use crate::error::{Error, Outcome};
use crate::sync::Arc;
use crate::time::{self, Backoff};
use crate::wire::codes::Code;
use crate::wire::produce::ProducePartitionResponse;

/// Ends attempts on one broker.
#[derive(Clone)]
pub(crate) struct Settle {
    core: Arc<Core>,
    broker: Arc<Broker>,
    policy: Policy,
}

impl Settle {
    pub(crate) fn new(core: Arc<Core>, broker: Arc<Broker>) -> Self {
        let config = &core.config;
        let policy = Policy {
            // Without an acknowledgement there is nothing to learn from, and nothing to send again.
            retries: if config.acks == Acks::None {
                0
            } else {
                config.retries
            },
            delivery_timeout: config.delivery_timeout,
            backoff: Backoff {
                base: config.retry_backoff,
                max: config.retry_backoff_max,
            },
        };
        Self {
            core,
            broker,
            policy,
        }
    }

    /// The broker's answer for `batch`.
    pub(crate) fn answered(&self, batch: Batch, reply: &ProducePartitionResponse) {
        let end = End::Answered {
            code: reply.error,
            message: reply.error_message.clone(),
        };
        self.end(batch, &end, Some(reply));
    }

    /// The connection broke, or the answer lacked the partition.
    pub(crate) fn lost(&self, batch: Batch, error: &Error) {
        self.end(batch, &End::Lost(error.clone()), None);
    }

    /// Not a byte of the request was written.
    pub(crate) fn not_sent(&self, batch: Batch, error: &Error) {
        self.end(batch, &End::NotSent(error.clone()), None);
    }

    /// The request was written, and with acks=0 that is all there is.
    pub(crate) fn written(&self, batch: Batch) {
        self.end(
            batch,
            &End::Answered {
                code: Code::NONE,
                message: None,
            },
            None,
        );
    }

    /// The broker will not have us; nothing was written.
    pub(crate) fn refused(&self, batch: Batch, error: &Error) {
        let error = error
            .clone()
            .context(format!("record for {}", batch.partition));
        let error = error.with_outcome(batch.outcome());
        self.settle(batch, Err(Failure::from(error)));
    }

    fn end(&self, mut batch: Batch, end: &End, reply: Option<&ProducePartitionResponse>) {
        let facts = Facts {
            attempts: batch.attempts,
            created: batch.created,
            may_be_written: batch.may_be_written,
            acks_all: self.core.config.acks == Acks::All,
            is_idempotent: self.core.config.idempotence,
        };
        let partition = batch.partition.clone();
        let place = || format!("{} for {partition}", self.broker);
        let now = time::now();
        match decide(end, &facts, &self.policy, (now, time::jitter()), &place) {
            Decision::Deliver => {
                let (offset, time) =
                    reply.map_or((-1, -1), |r| (r.base_offset, r.log_append_time_ms));
                self.settle(batch, Ok(acknowledged(offset, time)));
            }
            Decision::Fail { refresh, error } => {
                log::debug!("{error}");
                let records = reply.map_or_else(Vec::new, |reply| record_errors(reply, &error));
                self.wish(refresh);
                self.settle(batch, Err(Failure { error, records }));
            }
            Decision::Again {
                at,
                refresh,
                may_be_written,
                error,
            } => {
                log::debug!("to be sent again: {error}");
                batch.may_be_written = may_be_written;
                let awaits_view = refresh && matches!(end, End::Answered { .. });
                self.core.metrics.retries.add(1);
                self.wish(refresh);
                drop(partition.ended(
                    batch,
                    Verdict::Again {
                        at,
                        awaits_view,
                        error,
                    },
                ));
            }
            Decision::OutOfSequence {
                has_forgotten,
                error,
            } => {
                log::debug!("out of sequence: {error}");
                self.core.metrics.retries.add(1);
                let verdict = Verdict::OutOfSequence {
                    has_forgotten,
                    error: error.clone(),
                };
                if let Some(batch) = partition.ended(batch, verdict) {
                    let error = error.with_outcome(batch.outcome());
                    self.resolve(batch, Err(Failure::from(error)));
                }
            }
        }
    }

    fn settle(&self, batch: Batch, resolution: Resolution) {
        let verdict = if resolution.is_ok() {
            Verdict::Acked
        } else {
            Verdict::Failed
        };
        let partition = batch.partition.clone();
        if let Some(batch) = partition.ended(batch, verdict) {
            self.resolve(batch, resolution);
        }
    }

    /// Tells the application, if the batch's time has not done so before. The batch's memory is
    /// free, and counted so, before anybody sees the result.
    fn resolve(&self, batch: Batch, resolution: Resolution) {
        let metrics = &self.core.metrics;
        let counter = match &resolution {
            Ok(_) => &metrics.delivered,
            Err(failure) if failure.error.outcome() == Outcome::NotWritten => &metrics.failed,
            Err(_) => &metrics.unknown,
        };
        let records = u64::from(batch.records);
        batch
            .free()
            .resolve_and(resolution, || counter.add(records));
    }

    fn wish(&self, refresh: bool) {
        if refresh {
            self.core.wishes.refresh();
        }
    }
}

/// The records that the broker blamed (KIP-467); all others failed with the batch.
fn record_errors(reply: &ProducePartitionResponse, error: &Error) -> Vec<(u32, Error)> {
    let blamed = reply.record_errors.iter().filter_map(|record| {
        let index = u32::try_from(record.batch_index).ok()?;
        let text = record.message.as_deref().unwrap_or("no reason was given");
        Some((
            index,
            error
                .clone()
                .context(format!("this record was refused ({text:?})")),
        ))
    });
    blamed.collect()
}
