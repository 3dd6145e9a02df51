//! Records on their way into batches, and the batches' time: nothing in here knows a socket.

pub(crate) mod batch;
pub(crate) mod budget;
#[cfg(test)]
pub(crate) mod coverage;
pub(crate) mod ended;
pub(crate) mod identity;
pub(crate) mod last;
mod memory;
pub(crate) mod partition;
mod policy;
pub(crate) mod ready;
mod results;
pub(crate) mod sequence;
pub(crate) mod state;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod topic;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::callbacks::CallbackQueue;
use crate::config::{Acks, Config};
use crate::delivery::{Completion, Failure};
use crate::error::{Error, ErrorKind, Outcome};
use crate::metrics::Metrics;
use crate::record::Record;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex};
use crate::time::{self, Deadline, human};

use batch::{lone_size, lone_size_max};
use budget::Budget;
use ended::{GivenUp, Sent, Which};
use identity::Identities;
use last::{Edition, Last};
use partition::{Fate, Partition, Shared};
use policy::Drops;
use ready::ReadyQueue;
use results::Piece;
use state::Rules;
use topic::{Topic, View};

/// Every topic's partitions with what they hold, and the memory for it.
pub(crate) struct Accumulator {
    shared: Arc<Shared>,
    topics: Mutex<HashMap<Arc<str>, Arc<Topic>>>,
    edition: Arc<Edition>,
    queues: Mutex<Vec<Arc<ReadyQueue>>>,
    max_request_size: usize,
    drops: Drops,
}

/// How long a send waits for what it needs: metadata of its topic, room in the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// For that long.
    AtMost(Duration),
    /// Until then.
    Until(Deadline),
    /// Fails at once, for this reason.
    No(&'static str),
}

/// What [`Accumulator::expire`] or [`Accumulator::abandon`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    pub(crate) failed: u64,
    pub(crate) unknown: u64,
}

impl Accumulator {
    pub(crate) fn new(config: &Config, callbacks: Arc<CallbackQueue>) -> Self {
        // With acks=0 nothing is ever sent again: nobody answers.
        let may_retry = config.retries > 0 && config.acks != Acks::None;
        let rules = Rules {
            linger: config.linger,
            batch_size: config.batch_size,
            delivery_timeout: config.delivery_timeout,
            on_wire_max: if may_retry && !config.idempotence {
                1
            } else {
                config.max_in_flight
            },
            is_idempotent: config.idempotence,
            is_gapless: config.gapless,
        };
        let budget = Budget::new(config.buffer_memory);
        Self {
            shared: Arc::new(Shared {
                rules,
                topic_rules: config.topic_rules(),
                budget,
                callbacks,
                metrics: Arc::default(),
                identities: Identities::default(),
                is_closed: AtomicBool::new(false),
            }),
            topics: Mutex::default(),
            edition: Arc::default(),
            queues: Mutex::default(),
            max_request_size: config.max_request_size,
            drops: Drops::default(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.shared.budget
    }

    pub(crate) fn identities(&self) -> &Identities {
        &self.shared.identities
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.lock().get(name).cloned()
    }

    /// What is known of a topic, for a thread that sends to it and is likely to again.
    pub(crate) fn view(&self, name: &str) -> Option<Arc<View>> {
        let edition = self.edition.number();
        if let Some(last) = last::recall(edition, name) {
            let view = last.view.clone();
            last.keep();
            return Some(view);
        }
        let topic = self.topic(name)?;
        let view = topic.view();
        last::remember(edition, topic.name(), &view);
        Some(view)
    }

    /// The topic, if it is the one that this thread has looked up last and nothing has changed.
    #[inline]
    pub(crate) fn recall(&self, name: &str) -> Option<Box<Last>> {
        last::recall(self.edition.number(), name)
    }

    pub(crate) fn topics(&self) -> Vec<Arc<Topic>> {
        self.topics.lock().values().cloned().collect()
    }

    /// The topic's entry, made if there is none; `first` is where it begins to take turns.
    pub(crate) fn insert_topic(&self, name: &str, first: u32) -> Arc<Topic> {
        let name: Arc<str> = name.into();
        let topic = || Topic::new(name.clone(), first, self.edition.clone());
        self.topics
            .lock()
            .entry(name.clone())
            .or_insert_with(|| Arc::new(topic()))
            .clone()
    }

    /// Drops a topic that nobody uses, if it may be dropped: with idempotence its sequences are
    /// kept. Who has just looked it up is told by its partitions, and looks again. Only the thread
    /// that inserts topics may call it.
    pub(crate) fn forget(&self, topic: &Arc<Topic>) -> bool {
        self.topics.lock().remove(topic.name());
        self.edition.renew();
        let view = topic.view();
        let mut all = view.all();
        if all.all(|partition| partition.leave()) {
            return true;
        }
        view.all().for_each(|partition| partition.stay());
        let name = topic.name().clone();
        self.topics.lock().insert(name, topic.clone());
        false
    }

    /// A broker's inbox, to be told when the buffer is full.
    pub(crate) fn add_queue(&self, queue: Arc<ReadyQueue>) {
        self.queues.lock().push(queue);
    }

    /// The broker with this inbox has left the cluster.
    ///
    /// A hint may lead a partition to it at this moment: either that is undone here, or whoever
    /// follows the hint finds the queue closed.
    pub(crate) fn close_queue(&self, gone: &Arc<ReadyQueue>) {
        self.queues.lock().retain(|queue| !Arc::ptr_eq(queue, gone));
        gone.close();
        self.partitions()
            .iter()
            .for_each(|partition| partition.lose_route(gone));
    }

    /// The brokers that lead a partition or have a batch of one.
    pub(crate) fn brokers_in_use(&self) -> HashSet<i32> {
        let partitions = self.partitions();
        partitions.iter().flat_map(|one| one.needs()).collect()
    }

    /// Refuses a record that could never be sent.
    #[inline]
    pub(crate) fn check_size(&self, record: &Record<'_>) -> Result<(), Error> {
        let limit = self.max_request_size.min(self.budget().limit());
        if lone_size_max(record) <= limit {
            return Ok(());
        }
        let size = lone_size(record);
        let too_large = |setting: &str, limit: usize| {
            let message = format!(
                "record for {} takes {size} bytes with its batch, {setting} is {limit}: raise it \
                 (and the broker's message.max.bytes), or send less",
                record.topic,
            );
            Err(Error::new(ErrorKind::RecordTooLarge, message))
        };
        if size > self.max_request_size {
            return too_large("max.request.size", self.max_request_size);
        }
        if size > self.budget().limit() {
            return too_large("buffer.memory", self.budget().limit());
        }
        Ok(())
    }

    fn partitions(&self) -> Vec<Arc<Partition>> {
        let topics = self.topics();
        topics
            .iter()
            .flat_map(|topic| topic.view().all().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Takes no more records; what is here goes on.
    pub(crate) fn close(&self) {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        self.budget().close();
    }

    /// Sends all that lingers, and collects the completions of all that is not settled.
    pub(crate) fn flush(&self) -> Vec<Arc<Completion>> {
        let mut unsettled = Vec::new();
        self.partitions()
            .iter()
            .for_each(|partition| partition.flush(&mut unsettled));
        unsettled
    }

    /// Fails what is older than `delivery.timeout.ms`, and what was to be sent by a deadline that
    /// has passed; also says when to come again.
    pub(crate) fn expire(&self, now: Instant) -> (Losses, Option<Instant>) {
        let timeout = self.shared.rules.delivery_timeout;
        let created_by = now.checked_sub(timeout);
        let what = format!(
            "not delivered within delivery.timeout.ms = {}",
            human(timeout)
        );
        let mut losses = Losses::default();
        let mut next: Option<Instant> = None;
        for partition in self.partitions() {
            let (mut oldest, mut deadline) = partition.ends();
            let old = created_by.filter(|by| oldest.is_some_and(|oldest| oldest <= *by));
            let is_late = deadline.is_some_and(|deadline| deadline <= now);
            if let Some(by) = old {
                let which = Which::OpenedBy(by);
                losses.add(fail(&partition, which, ErrorKind::TimedOut, &what));
            }
            if is_late {
                losses.add(fail_late(&partition, now));
            }
            if old.is_some() || is_late {
                (oldest, deadline) = partition.ends();
            }
            let due = oldest.and_then(|oldest| time::after(oldest, timeout));
            next = [next, due, deadline].into_iter().flatten().min();
        }
        (losses, next)
    }

    /// Fails everything, because the producer closes.
    pub(crate) fn abandon(&self, waited: Duration) -> Losses {
        let what = format!(
            "the producer was closed; not delivered within {}",
            human(waited)
        );
        let mut losses = Losses::default();
        for partition in self.partitions() {
            losses.add(fail(&partition, Which::All, ErrorKind::Closed, &what));
        }
        losses
    }
}

impl Wait {
    /// Waits no longer than a record's deadline.
    #[inline]
    pub(crate) fn end_by(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        let now = time::now();
        let left = deadline.saturating_duration_since(now);
        *self = match *self {
            Self::AtMost(limit) => Self::Until(Deadline::new(now, limit.min(left))),
            Self::Until(until) => Self::Until(Deadline::new(now, until.left(now).min(left))),
            Self::No(why) => Self::No(why),
        };
    }

    /// Until when it waits, counted from the first call: however often a send has to wait, it has
    /// one limit, and the clock is read only if it has to.
    ///
    /// # Errors
    /// Why it does not wait.
    pub(crate) fn deadline(&mut self) -> Result<Deadline, &'static str> {
        match *self {
            Self::No(why) => Err(why),
            Self::Until(deadline) => Ok(deadline),
            Self::AtMost(limit) => {
                let deadline = Deadline::within(limit);
                *self = Self::Until(deadline);
                Ok(deadline)
            }
        }
    }
}

impl Losses {
    fn add(&mut self, other: Losses) {
        self.failed += other.failed;
        self.unknown += other.unknown;
    }

    fn count(&mut self, outcome: Outcome, records: u32) {
        match outcome {
            Outcome::NotWritten => self.failed += u64::from(records),
            Outcome::Unknown => self.unknown += u64::from(records),
        }
    }
}

/// Fails what must not be sent any more because its deadline has passed.
pub(crate) fn fail_late(partition: &Arc<Partition>, now: Instant) -> Losses {
    let what = "not sent any more: its deadline has passed";
    fail(partition, Which::LateAt(now), ErrorKind::TimedOut, what)
}

/// Fails the batches of `partition` that are out of time.
fn fail(partition: &Arc<Partition>, which: Which, kind: ErrorKind, what: &str) -> Losses {
    let what = format!("record for {partition} {what}");
    let lost = || Error::new(kind, what.clone());
    let (GivenUp { sent, unsent }, standstill) = partition.give_up(which, lost);
    let mut losses = Losses::default();
    let mut resolve = |piece: Piece, fate: Fate| {
        let error = standstill.error(kind, &what, fate);
        if partition.resolve(piece, Err(Failure::from(error))) {
            losses.count(fate.outcome, piece.records);
        }
    };
    for batch in sent
        .into_iter()
        .chain(unsent.into_iter().map(Sent::Waiting))
    {
        match batch {
            Sent::Waiting(mut batch) => {
                let fate = Fate {
                    attempts: batch.attempts,
                    outcome: batch.outcome(),
                    on_wire: false,
                };
                batch.free();
                resolve(batch.piece(), fate);
            }
            Sent::OnWire(piece, attempts) => {
                let fate = Fate {
                    attempts,
                    outcome: Outcome::Unknown,
                    on_wire: true,
                };
                resolve(piece, fate);
            }
        }
    }
    losses
}
