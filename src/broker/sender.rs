//! The sender thread of a broker: connects, takes the batches that are due, and writes them.

mod link;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use self::link::Link;
use super::press::{self, Press};
use super::settle::Settle;
use super::window::InFlight;
use super::{Broker, Core, PANICKED};
use crate::accumulator::batch::Batch;
use crate::accumulator::ready::{Token, Woken};
use crate::accumulator::state::Take;
use crate::config::Acks;
use crate::conn::{Due, WriteFailed};
use crate::error::{Error, ErrorKind};
use crate::survive::survive;
#[cfg(test)]
use crate::survive::trap;
use crate::sync::Arc;
use crate::time::{self, Backoff, Deadline};
use crate::wire::produce::{self, FramedTopic};
use crate::wire::{HeaderFacts, TopicId};

/// A connection that was not used for so long is looked at before it is used again: the broker may
/// have hung up.
const LOOK_AFTER: Duration = Duration::from_millis(10);

/// Un-answered requests behind which a batch waits that is not full: the one that the broker works
/// on, and the next.
const PIPELINE: usize = 2;
/// How long it waits at most: on a slow line it is better on its way.
const HOLD_MAX: Duration = Duration::from_millis(1);

/// The newest Produce version that names topics; 13 has their ids.
const BY_NAME: i16 = 12;

pub(crate) struct Sender {
    core: Arc<Core>,
    broker: Arc<Broker>,
    settle: Settle,
    press: Press,
    pending: VecDeque<Token>,
    link: Option<Link>,
    /// Connections in a row that failed, or that died before they were of use.
    failures: u32,
}

impl Sender {
    pub(crate) fn new(core: Arc<Core>, broker: Arc<Broker>) -> Self {
        let settle = Settle::new(core.clone(), broker.clone());
        let press = Press::new(core.config.levels);
        Self {
            core,
            broker,
            settle,
            press,
            pending: VecDeque::new(),
            link: None,
            failures: 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Runs until the queue is closed.
    pub(crate) fn run(mut self) {
        while survive("a sender thread", || self.work()).is_none() {
            // What it had of batches has failed, and the connection may miss half a request.
            let error = Error::new(ErrorKind::Connection, PANICKED);
            let _ = survive("a sender thread", || self.broken(error));
        }
        self.unlink();
    }

    fn work(&mut self) {
        while self.gather() {
            if self.pending.is_empty() || !self.ensure_link() {
                continue;
            }
            let batches = self.collect();
            if !batches.is_empty() {
                self.send(batches);
            }
        }
    }

    /// Waits for something to send; false once the queue is closed.
    fn gather(&mut self) -> bool {
        if self.pending.is_empty() {
            match self.broker.queue.wait(self.idle_until()) {
                Woken::Closed => return false,
                Woken::TimedOut => self.retire(),
                Woken::Due => {}
            }
        }
        self.drain();
        !self.broker.queue.is_closed()
    }

    pub(crate) fn drain(&mut self) {
        self.broker.queue.drain(time::now(), &mut self.pending);
        let id = self.broker.id();
        self.pending
            .retain(|token| token.partition.is_valid(token.ticket, id));
    }

    fn idle_until(&self) -> Option<Instant> {
        let link = self.link.as_ref()?;
        time::after(link.used, self.core.config.connections_max_idle?)
    }

    /// Sees to an open connection with a free slot; false if there is none now, after the pause
    /// that this asks for.
    fn ensure_link(&mut self) -> bool {
        self.drop_unfit_link();
        if self.core.config.idempotence && !self.ensure_identity() {
            return false;
        }
        if self.link.is_none() && !self.connect() {
            return false;
        }
        let Some(link) = &self.link else { return false };
        if let Err(error) = link.line.window.wait_for_slot() {
            self.broken(error);
            return false;
        }
        self.hold();
        let Some(link) = &self.link else { return false };
        let throttled = link.line.state.lock().throttled_until;
        if let Some(until) = throttled.filter(|until| *until > time::now()) {
            self.broker.queue.pause(until);
        }
        let version = link.version;
        if !self.renew() {
            return false;
        }
        // Time has passed: more may be due, and some of it may have gone elsewhere.
        self.drain();
        self.refuse_codecs(version);
        true
    }

    /// Lets batches fill while others are on their way. A broker works on one request of a
    /// connection at a time (it mutes the channel meanwhile), so what is behind the next one only
    /// waits there, and batches that wait here take more records.
    fn hold(&self) {
        let Some(link) = &self.link else { return };
        let is_pressed = self.core.accumulator.budget().is_pressed();
        let is_full = |token: &Token| token.partition.has_full_batch();
        if !is_pressed && !self.pending.iter().any(is_full) {
            let until = time::after(time::now(), HOLD_MAX);
            link.line.window.wait_for_calm(PIPELINE, until);
        }
    }

    /// Fails what this broker cannot have as it is to be compressed.
    fn refuse_codecs(&mut self, version: i16) {
        let settle = &self.settle;
        let broker = &self.broker;
        self.pending.retain(|token| {
            match press::refusal(token.partition.rule.compression, version) {
                Some(error) => settle.refused(token, &broker.own(&error)),
                None => return true,
            }
            false
        });
    }

    /// Waits for a producer id where there is none; the cluster thread fetches it.
    fn ensure_identity(&mut self) -> bool {
        let core = self.core.clone();
        match core.accumulator.identities().wait(|| core.wishes.refresh()) {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                self.fail_pending(&error);
                false
            }
            None => false,
        }
    }

    fn drop_unfit_link(&mut self) {
        let now = time::now();
        let Some(link) = &mut self.link else { return };
        if let Some(error) = link.line.window.death() {
            return self.broken(error);
        }
        let is_over = link.write.due(now) == Due::Replacement;
        if is_over || !self.broker.is_at(&link.address) {
            return self.retire();
        }
        let answers = self.core.config.acks != Acks::None;
        let is_rested = now.saturating_duration_since(link.used) > LOOK_AFTER;
        let window = &link.line.window;
        let is_doubtful = is_rested || !answers;
        let is_idle = window.is_idle();
        if is_idle && (window.is_spoilt() || is_doubtful && link.write.has_hung_up()) {
            let text = "the broker hung up an idle connection";
            match answers {
                true => {
                    log::debug!("{}: {text}", self.broker);
                    self.retire();
                }
                // With acks=0 a hang-up is how a broker refuses records: it may not lead any more.
                false => self.broken(Error::new(ErrorKind::Connection, text)),
            }
        }
    }

    /// Authenticates anew on the connection if it is time; false if another has to take over.
    fn renew(&mut self) -> bool {
        let limit = self.setup_timeout();
        let Some(link) = &mut self.link else {
            return false;
        };
        let due = link.write.due(time::now());
        if due != Due::Renewal {
            return due == Due::Nothing;
        }
        match link.renew(&self.core, limit) {
            Ok(()) => link.write.due(time::now()) != Due::Replacement,
            Err(error) => {
                if error.is_lasting() {
                    log::warn!("another connection takes over: {}", self.broker.own(&error));
                }
                self.broken(error);
                false
            }
        }
    }

    /// Closes the connection once everything on it is answered.
    fn retire(&mut self) {
        if let Some(link) = self.link.take() {
            if link.is_proven(&self.core.config) {
                self.failures = 0;
            }
            link.close_in_peace();
        }
    }

    /// Closes the connection at once; what is on it is given back by the receiver.
    fn unlink(&mut self) {
        if let Some(link) = self.link.take() {
            link.close();
        }
    }

    /// The connection died of `error`.
    fn broken(&mut self, error: Error) {
        let config = &self.core.config;
        let link = self.link.as_ref();
        let is_proven = link.is_some_and(|link| link.is_proven(config));
        self.unlink();
        self.core.wishes.refresh();
        self.failures = if is_proven { 0 } else { self.failures + 1 };
        self.broker.queue.set_trouble(Some(self.broker.own(&error)));
        if self.failures > 0 {
            self.rest();
        }
        log::debug!("{}: connection lost: {error}", self.broker);
    }

    /// The pause between attempts to connect; it ends early when the producer closes.
    fn rest(&self) {
        let config = &self.core.config;
        let backoff = Backoff {
            base: config.reconnect_backoff,
            max: config.reconnect_backoff_max,
        };
        let pause = backoff.delay(self.failures, time::jitter());
        if let Some(until) = time::after(time::now(), pause) {
            self.broker.queue.pause(until);
        }
    }

    fn connect(&mut self) -> bool {
        let address = self.broker.address();
        if let Some((until, _)) = self.core.connector.refusal(&address)
            && self.broker.queue.pause(until)
        {
            return false;
        }
        match Link::open(&self.core, &self.broker, address, self.setup_timeout()) {
            Ok(link) => {
                self.core.metrics.connects.add(1);
                self.broker.queue.set_trouble(None);
                self.link = Some(link);
                true
            }
            Err(error) => {
                self.failures += 1;
                self.core.metrics.connect_failures.add(1);
                let error = self.broker.own(&error);
                log::debug!("cannot connect (failure {}): {error}", self.failures);
                self.broker.queue.set_trouble(Some(error.clone()));
                self.core.wishes.refresh();
                if error.is_lasting() {
                    if self.failures == 1 {
                        log::warn!("records fail until this is mended: {error}");
                    }
                    self.fail_pending(&error);
                }
                self.rest();
                false
            }
        }
    }

    /// The time for opening a connection; it doubles with every failure (KIP-601).
    fn setup_timeout(&self) -> Duration {
        let config = &self.core.config;
        let (base, max) = (
            config.connection_setup_timeout,
            config.connection_setup_timeout_max,
        );
        Backoff { base, max }.delay(self.failures.saturating_add(1), 0.5)
    }

    /// Fails what waits for a broker that refuses us for a reason that waiting does not mend.
    pub(crate) fn fail_pending(&mut self, error: &Error) {
        while let Some(token) = self.pending.pop_front() {
            self.settle.refused(&token, error);
        }
    }

    /// Takes one batch of each partition that is due, up to `max.request.size`.
    pub(crate) fn collect(&mut self) -> Vec<Batch> {
        let newest = self.core.accumulator.identities().newest();
        let mut batches = Vec::new();
        let (mut room, now) = (self.core.config.max_request_size, time::now());
        while let Some(token) = self.pending.pop_front() {
            let most = if batches.is_empty() { usize::MAX } else { room };
            match token
                .partition
                .take((token.ticket, self.broker.id(), most), newest, now)
            {
                Take::Batch(batch) => {
                    room = room.saturating_sub(batch.bytes.len());
                    batches.push(batch);
                }
                Take::NoRoom => {
                    self.pending.push_front(token);
                    break;
                }
                Take::Nothing => {}
            }
        }
        batches
    }

    /// Gives back what must not be sent any more: compression takes time.
    fn drop_late(&self, batches: &mut Vec<Batch>) {
        if batches.iter().all(|batch| batch.deadline.is_none()) {
            return;
        }
        let now = time::now();
        let is_late = |batch: &mut Batch| batch.deadline.is_some_and(|deadline| deadline <= now);
        for batch in batches.extract_if(.., is_late) {
            let error = Error::new(ErrorKind::TimedOut, "its deadline passed on the way");
            self.settle.not_sent(batch, &error);
        }
    }

    /// Begins an attempt for each batch, and sorts them as the request lists them.
    pub(crate) fn prepare(batches: &mut [Batch]) {
        for batch in &mut *batches {
            batch.seal();
            batch.attempts += 1;
        }
        batches.sort_by(|a, b| a.partition.topic().cmp(b.partition.topic()));
    }

    /// The request with these batches was not written, or not to its end.
    pub(crate) fn give_back(&self, batches: Vec<Batch>, failed: &WriteFailed) {
        for mut batch in batches {
            match failed.started {
                true => self.settle.lost(batch, &failed.error),
                false => {
                    batch.attempts -= 1;
                    self.settle.not_sent(batch, &failed.error);
                }
            }
        }
    }

    fn send(&mut self, mut batches: Vec<Batch>) {
        self.press.pack(&mut batches);
        self.drop_late(&mut batches);
        let Some(link) = self.link.as_mut().filter(|_| !batches.is_empty()) else {
            return;
        };
        let config = &self.core.config;
        let answers = config.acks != Acks::None;
        Self::prepare(&mut batches);
        let has_ids = batches
            .iter()
            .all(|batch| batch.topic_id != TopicId::default());
        let version = if has_ids {
            link.version
        } else {
            link.version.min(BY_NAME)
        };
        let correlation_id = link.write.next_correlation_id();
        let framing = produce::framing(
            HeaderFacts {
                correlation_id,
                client_id: &config.client_id,
            },
            version,
            acks_on_wire(config.acks),
            i32::try_from(config.request_timeout.as_millis()).unwrap_or(i32::MAX),
            None,
            &framed_topics(&batches),
        );
        let bodies = batches.iter().map(|batch| &batch.bytes[..]);
        let parts: Vec<&[u8]> = framing.slices(bodies).collect();
        let deadline = Deadline::within(config.request_timeout);
        if answers {
            link.line.window.announce(deadline);
        }
        #[cfg(test)]
        trap::here(&config.client_id, "announced");
        let written = link.write.write(&parts, deadline);
        #[cfg(test)]
        trap::here(&config.client_id, "written");
        link.used = time::now();
        match written {
            Ok(()) => {
                self.core.metrics.requests.add(1);
                self.core.metrics.batches.add(batches.len() as u64);
                let bytes: usize = parts.iter().map(|part| part.len()).sum();
                self.core.metrics.request_bytes.add(bytes as u64);
                if answers {
                    link.line.window.deposit(InFlight {
                        correlation_id,
                        version,
                        batches,
                    });
                } else {
                    batches
                        .into_iter()
                        .for_each(|batch| self.settle.written(batch));
                }
            }
            Err(mut failed) => {
                // The receiver may have given the connection up before: then its reason is the
                // cause of this one.
                failed.error = link.line.window.die(failed.error);
                self.give_back(batches, &failed);
                self.broken(failed.error);
            }
        }
    }
}

/// The batches by topic, as the request lists them; `batches` is sorted by topic.
fn framed_topics(batches: &[Batch]) -> Vec<FramedTopic<'_>> {
    let same = |a: &Batch, b: &Batch| a.partition.topic() == b.partition.topic();
    let topics = batches.chunk_by(same).map(|batches| FramedTopic {
        name: batches[0].partition.topic(),
        id: batches[0].topic_id,
        partitions: batches
            .iter()
            .map(|b| (b.partition.index(), b.bytes.len()))
            .collect(),
    });
    topics.collect()
}

fn acks_on_wire(acks: Acks) -> i16 {
    match acks {
        Acks::None => 0,
        Acks::Leader => 1,
        Acks::All => -1,
    }
}

#[cfg(test)]
mod tests;
