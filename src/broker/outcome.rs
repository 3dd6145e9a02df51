//! What an attempt's end means for its batch: pure, values in and a verdict out.

use std::time::{Duration, Instant};

use crate::delivery::Acknowledged;
use crate::error::{Error, ErrorKind, Outcome};
use crate::time::{self, Backoff, human};
use crate::wire::codes::Code;

/// A batch that was damaged on its way so often is damaged before it.
const DAMAGED_ATTEMPTS_MAX: u32 = 5;

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The broker answered.
    Answered { code: Code, message: Option<String> },
    /// No answer came; bytes may have reached the broker.
    Lost(Error),
    /// Nothing was written.
    NotSent(Error),
}

/// What is known of the batch, the attempt included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// How often it was sent, less the attempts that failed only because a batch below had.
    pub(crate) attempts: u32,
    /// The attempts that were refused for their sequence.
    pub(crate) refusals: u32,
    pub(crate) created: Instant,
    /// Not to be sent after it.
    pub(crate) deadline: Option<Instant>,
    pub(crate) records: u32,
    pub(crate) may_be_written: bool,
    pub(crate) acks_all: bool,
    pub(crate) is_idempotent: bool,
}

/// The settings that decide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) retries: u32,
    pub(crate) delivery_timeout: Duration,
    pub(crate) backoff: Backoff,
}

/// What is to be done with the batch.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// It is in the log, or with acks=0 on its way there.
    Deliver,
    /// Send it again, not before `at`.
    Again {
        at: Option<Instant>,
        refresh: bool,
        may_be_written: bool,
        error: Error,
    },
    /// The broker did not append it: its sequence is not the next, or the producer is unknown to
    /// it. If it is sent under a new identity, then not before `at`.
    OutOfSequence {
        has_forgotten: bool,
        at: Option<Instant>,
        error: Error,
    },
    /// It is too large for the broker: its records are to be sent in smaller batches.
    Split(Error),
    /// Its records have failed.
    Fail { refresh: bool, error: Error },
}

/// Decides. `place` names the partition and the broker, for the error's text; `jitter` is a random
/// number in 0..1.
pub(crate) fn decide(
    end: &End,
    facts: &Facts,
    policy: &Policy,
    (now, jitter): (Instant, f64),
    place: &dyn Fn() -> String,
) -> Decision {
    let cause = match end {
        End::Answered { code, .. } if is_delivered(*code) => return Decision::Deliver,
        End::Answered { code, message } => {
            let error = refusal(*code, message.as_deref(), &place());
            let has_forgotten = *code == Code::UNKNOWN_PRODUCER_ID;
            let is_sequence = has_forgotten || *code == Code::OUT_OF_ORDER_SEQUENCE_NUMBER;
            if is_sequence && facts.is_idempotent {
                let pause = policy.backoff.delay(facts.refusals + 1, jitter);
                return Decision::OutOfSequence {
                    has_forgotten,
                    at: time::after(now, pause),
                    error,
                };
            }
            if TOO_LARGE.contains(code) && may_split(facts, policy, now) {
                return Decision::Split(error);
            }
            let unknown = facts.may_be_written || leaves_unknown(*code, facts.acks_all);
            let is_hopeless =
                *code == Code::CORRUPT_MESSAGE && facts.attempts >= DAMAGED_ATTEMPTS_MAX;
            Cause {
                error,
                may_be_written: unknown,
                is_retriable: code.is_retriable() && !is_hopeless,
                refresh: code.refreshes_metadata(),
            }
        }
        End::Lost(error) => Cause {
            error: error.clone().context(place()),
            may_be_written: true,
            is_retriable: true,
            refresh: true,
        },
        End::NotSent(error) => {
            let error = error.clone().context(place());
            let (may_be_written, refresh) = (facts.may_be_written, true);
            return Decision::Again {
                at: None,
                refresh,
                may_be_written,
                error,
            };
        }
    };
    again_or_fail(cause, facts, policy, (now, jitter))
}

/// Why an attempt failed.
struct Cause {
    error: Error,
    may_be_written: bool,
    is_retriable: bool,
    refresh: bool,
}

fn again_or_fail(
    cause: Cause,
    facts: &Facts,
    policy: &Policy,
    (now, jitter): (Instant, f64),
) -> Decision {
    let Cause {
        error,
        may_be_written,
        is_retriable,
        refresh,
    } = cause;
    let pause = policy.backoff.delay(facts.attempts, jitter);
    // A batch that may be in the log is safe to send again, and only that can tell: the limit of
    // attempts does not count for it.
    let may_try = facts.attempts <= policy.retries || facts.is_idempotent && may_be_written;
    if is_retriable && is_in_time(facts, policy, now) && may_try {
        let at = time::after(now, pause);
        return Decision::Again {
            at,
            refresh,
            may_be_written,
            error,
        };
    }
    let outcome = if may_be_written {
        Outcome::Unknown
    } else {
        Outcome::NotWritten
    };
    let error = error.with_outcome(outcome);
    let error = match is_retriable {
        true => error.context(limit_reached(facts, policy, now)),
        false => error,
    };
    Decision::Fail { refresh, error }
}

/// A broker that has the whole batch, because its limit was higher then, does not recognise the
/// halves by their sequences: it would refuse them as out of order.
fn may_split(facts: &Facts, policy: &Policy, now: Instant) -> bool {
    let is_doubtful = facts.is_idempotent && facts.may_be_written;
    facts.records > 1 && !is_doubtful && is_in_time(facts, policy, now)
}

fn is_in_time(facts: &Facts, policy: &Policy, now: Instant) -> bool {
    let timeout = time::after(facts.created, policy.delivery_timeout);
    let mut ends = timeout.into_iter().chain(facts.deadline);
    ends.all(|end| now < end)
}

/// Why a batch is not sent again although it could be.
fn limit_reached(facts: &Facts, policy: &Policy, now: Instant) -> String {
    let limit = match policy.retries {
        _ if facts.deadline.is_some_and(|deadline| deadline <= now) => {
            "its deadline has passed".to_string()
        }
        _ if !is_in_time(facts, policy, now) => format!(
            "delivery.timeout.ms = {} is over",
            human(policy.delivery_timeout)
        ),
        0 => return "not sent again because retries is 0".to_string(),
        retries => format!("retries is {retries}"),
    };
    format!("given up after {} attempts, {limit}", facts.attempts)
}

fn is_delivered(code: Code) -> bool {
    code.is_ok() || code == Code::DUPLICATE_SEQUENCE_NUMBER
}

/// True for the codes that do not tell whether the batch was appended: some come after the append,
/// a leader that is deposed while it waits for its replicas answers NOT_LEADER (KAFKA-13574), a
/// proxy that lost its broker answers NETWORK_EXCEPTION, and of a code that no Produce answer has
/// in Kafka nothing is known.
fn leaves_unknown(code: Code, acks_all: bool) -> bool {
    match code {
        Code::NOT_LEADER_OR_FOLLOWER | Code::UNKNOWN_TOPIC_OR_PARTITION => acks_all,
        code => !REFUSES.contains(&code),
    }
}

/// The topic's, or the broker's, limit for a batch, and for what its log takes in one piece.
const TOO_LARGE: [Code; 2] = [Code::MESSAGE_TOO_LARGE, Code::RECORD_LIST_TOO_LARGE];

/// What a broker answers before it appends anything.
const REFUSES: [Code; 30] = [
    Code::CORRUPT_MESSAGE,
    Code::LEADER_NOT_AVAILABLE,
    Code::MESSAGE_TOO_LARGE,
    Code::INVALID_TOPIC_EXCEPTION,
    Code::RECORD_LIST_TOO_LARGE,
    Code::NOT_ENOUGH_REPLICAS,
    Code::INVALID_REQUIRED_ACKS,
    Code::TOPIC_AUTHORIZATION_FAILED,
    Code::CLUSTER_AUTHORIZATION_FAILED,
    Code::INVALID_TIMESTAMP,
    Code::UNSUPPORTED_VERSION,
    Code::UNSUPPORTED_FOR_MESSAGE_FORMAT,
    Code::POLICY_VIOLATION,
    Code::OUT_OF_ORDER_SEQUENCE_NUMBER,
    Code::INVALID_PRODUCER_EPOCH,
    Code::INVALID_TXN_STATE,
    Code::INVALID_PRODUCER_ID_MAPPING,
    Code::CONCURRENT_TRANSACTIONS,
    Code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    Code::UNKNOWN_PRODUCER_ID,
    Code::LISTENER_NOT_FOUND,
    Code::FENCED_LEADER_EPOCH,
    Code::UNKNOWN_LEADER_EPOCH,
    Code::UNSUPPORTED_COMPRESSION_TYPE,
    Code::INVALID_RECORD,
    Code::THROTTLING_QUOTA_EXCEEDED,
    Code::PRODUCER_FENCED,
    Code::UNKNOWN_TOPIC_ID,
    Code::INCONSISTENT_TOPIC_ID,
    Code::TRANSACTION_ABORTABLE,
];

/// The error of a batch that a broker refused.
fn refusal(code: Code, message: Option<&str>, place: &str) -> Error {
    let kind = match code {
        Code::UNKNOWN_TOPIC_OR_PARTITION => ErrorKind::UnknownTopic,
        Code::INVALID_TOPIC_EXCEPTION => ErrorKind::InvalidTopic,
        Code::MESSAGE_TOO_LARGE | Code::RECORD_LIST_TOO_LARGE => ErrorKind::RecordTooLarge,
        Code::TOPIC_AUTHORIZATION_FAILED | Code::CLUSTER_AUTHORIZATION_FAILED => {
            ErrorKind::Authorization
        }
        Code::UNSUPPORTED_VERSION => ErrorKind::UnsupportedVersion,
        _ => ErrorKind::Broker,
    };
    let text = match message.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => format!(
            "{place}: {code}: {} (the broker says: {text:?})",
            code.meaning()
        ),
        None => format!("{place}: {code}: {}", code.meaning()),
    };
    Error::new(kind, text).with_code(code.0)
}

/// The result of records that were delivered.
pub(crate) fn acknowledged(base_offset: i64, log_append_time_ms: i64) -> Acknowledged {
    let known = |number: i64| (number >= 0).then_some(number);
    Acknowledged {
        base_offset: known(base_offset),
        log_append_time_ms: known(log_append_time_ms),
        ..Acknowledged::default()
    }
}

#[cfg(test)]
mod tests;
