//! Carries out what [`decide`] says of a batch whose attempt has ended; the one place where batches
//! go back.

use std::collections::HashSet;
use std::time::Instant;

use super::outcome::{Decision, End, Facts, Policy, acknowledged, decide};
use super::{Broker, Core};
use crate::accumulator::batch::Batch;
use crate::accumulator::ended::GivenUp;
use crate::accumulator::fail_late;
use crate::accumulator::ready::Token;
use crate::accumulator::state::Verdict;
use crate::config::Acks;
use crate::delivery::{Acknowledged, Failure};
use crate::error::Error;
use crate::survive::survive;
use crate::sync::Arc;
use crate::time::{self, Backoff};
use crate::wire::codes::Code;
use crate::wire::produce::ProducePartitionResponse;

/// Ends attempts on one broker.
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
        self.end(batch, &End::Lost(self.broker.without_address(error)), None);
    }

    /// Not a byte of the request was written.
    pub(crate) fn not_sent(&self, batch: Batch, error: &Error) {
        self.end(
            batch,
            &End::NotSent(self.broker.without_address(error)),
            None,
        );
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

    /// The broker will not have us: what waits for it in the token's partition fails. What was
    /// never sent gets no sequence for that.
    pub(crate) fn refused(&self, token: &Token, error: &Error) {
        let error = error
            .clone()
            .context(format!("record for {}", token.partition));
        let id = self.broker.id();
        let given_up = token.partition.refuse(token.ticket, id, &error);
        for batch in given_up.into_iter().flat_map(GivenUp::batches) {
            batch.fail(error.clone());
        }
    }

    /// A panic on the way, of a logger say, spares the batches that are next.
    fn end(&self, batch: Batch, end: &End, reply: Option<&ProducePartitionResponse>) {
        let _ = survive("the end of an attempt", || {
            self.carry_out(batch, end, reply)
        });
    }

    fn carry_out(&self, mut batch: Batch, end: &End, reply: Option<&ProducePartitionResponse>) {
        batch.is_adrift |= matches!(end, End::Lost(_));
        let facts = self.facts(&batch);
        let partition = batch.partition.clone();
        let place = || format!("{} for {partition}", self.broker);
        let now = time::now();
        match decide(end, &facts, &self.policy, (now, jitter(end)), &place) {
            Decision::Deliver => {
                let told = self.acknowledgement(&batch, reply, now);
                partition.settled(batch, Ok(told), now);
            }
            Decision::Fail { refresh, error } => {
                let error = self.core.connector.name_denied(error);
                log::debug!("{error}");
                let failure = failure(&batch, error, reply);
                partition.settled(batch, Err(failure), now);
                self.wish(refresh);
            }
            Decision::Again {
                at,
                refresh,
                may_be_written,
                error,
            } => {
                batch.may_be_written = may_be_written;
                let awaits_view = refresh && matches!(end, End::Answered { .. });
                self.core.metrics.retries.add(1);
                let verdict = Verdict::Again {
                    at,
                    awaits_view,
                    error: error.clone(),
                };
                if let Some(batch) = partition.ended(batch, verdict) {
                    batch.fail(partition.made_anew());
                }
                // Not before: a view that comes between the wish and the batch's return would not
                // free the partition that waits for one, and no other view would be asked for.
                self.wish(refresh);
                log::debug!("to be sent again: {error}");
            }
            Decision::Split(error) => {
                log::debug!("to be sent in halves: {error}");
                partition.split(batch, error);
            }
            Decision::OutOfSequence {
                has_forgotten,
                at,
                error,
            } => {
                self.core.metrics.retries.add(1);
                let verdict = Verdict::OutOfSequence {
                    has_forgotten,
                    at,
                    error: error.clone(),
                };
                if let Some(batch) = partition.ended(batch, verdict) {
                    batch.fail(error.clone());
                }
                log::debug!("out of sequence: {error}");
            }
        }
        if facts.deadline.is_some_and(|deadline| deadline <= now) {
            // It may wait there now, and nobody looks after it.
            fail_late(&partition, now);
        }
    }

    fn acknowledgement(
        &self,
        batch: &Batch,
        reply: Option<&ProducePartitionResponse>,
        now: Instant,
    ) -> Acknowledged {
        // A broker that only recognised the batch does not know its place any more.
        let told = reply.filter(|reply| reply.error.is_ok());
        let (offset, time) = told.map_or((-1, -1), |r| (r.base_offset, r.log_append_time_ms));
        // Where the records keep their own times, a broker that recognises a batch answers with the
        // greatest of them (UnifiedLog.append), as if it were the append time.
        let is_own = batch.attempts > 1 && time == batch.max_timestamp_ms();
        let time = if is_own { -1 } else { time };
        Acknowledged {
            attempts: batch.attempts,
            broker_id: self.broker.id(),
            latency: now.saturating_duration_since(batch.created),
            ..acknowledged(offset, time)
        }
    }

    fn facts(&self, batch: &Batch) -> Facts {
        Facts {
            attempts: batch.attempts.saturating_sub(batch.excused),
            refusals: batch.excused,
            created: batch.created,
            deadline: batch.deadline,
            records: batch.records,
            may_be_written: batch.may_be_written,
            acks_all: self.core.config.acks == Acks::All,
            is_idempotent: self.core.config.idempotence,
        }
    }

    fn wish(&self, refresh: bool) {
        if refresh {
            self.core.wishes.refresh();
        }
    }
}

/// A random number, where one may be needed: to draw it takes longer than all else that an
/// acknowledgement does.
fn jitter(end: &End) -> f64 {
    match end {
        End::Answered { code, .. } if code.is_ok() => 0.0,
        _ => time::jitter(),
    }
}

fn failure(batch: &Batch, error: Error, reply: Option<&ProducePartitionResponse>) -> Failure {
    let error = error.with_attempts(batch.attempts);
    let records = reply.map(|reply| record_errors(reply, batch.records, &error));
    Failure {
        records: records.unwrap_or_default(),
        error,
    }
}

/// The records that the broker blamed (KIP-467), each once; all others failed with the batch.
fn record_errors(
    reply: &ProducePartitionResponse,
    records: u32,
    error: &Error,
) -> Vec<(u32, Error)> {
    let mut seen = HashSet::new();
    let blamed = reply.record_errors.iter().filter_map(|record| {
        let index = u32::try_from(record.batch_index).ok()?;
        if index >= records || !seen.insert(index) {
            return None;
        }
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

#[cfg(test)]
mod tests;
