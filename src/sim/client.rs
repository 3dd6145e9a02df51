//! The client's side of a broker: what its sender and receiver threads do, as events.
//!
//! The batches come from the real sender's `collect`, and go back through the real window and the
//! real `Settle`; what is imitated is the threads' waiting, the sockets, and the order of steps
//! between them (see `broker::sender` and `broker::receiver`).

use std::rc::Rc;
use std::time::Duration;

use super::link::{Link, Request, Response};
use super::log::WireBatch;
use super::payload::parse;
use super::records::Told;
use super::world::{Event, World};
use crate::accumulator::batch::Batch;
use crate::broker::Broker;
use crate::broker::Core;
use crate::broker::sender::Sender;
use crate::broker::settle::Settle;
use crate::broker::window::{Ear, InFlight};
use crate::config::Acks;
use crate::conn::WriteFailed;
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::time::{Backoff, Deadline};

pub(super) struct Client {
    pub(super) broker: Arc<Broker>,
    sender: Sender,
    settle: Settle,
    pub(super) link: Option<usize>,
    /// Connections in a row that failed, or that died before they answered anything.
    failures: u32,
    phase: Phase,
    /// A wake-up that is under way.
    wakes_at: Option<Duration>,
}

/// The batches of a request, and what they are on the wire.
type Sent = (Vec<Batch>, Vec<Rc<WireBatch>>);

/// What the sender is busy with.
enum Phase {
    Idle,
    Connecting,
    Resting(Duration),
    /// It writes a request with these batches.
    Writing(Vec<Batch>, Vec<Rc<WireBatch>>),
    /// It waits for a producer id.
    NoIdentity,
    /// It waits for the receiver of a dead connection.
    Joining,
    Closed,
}

impl Client {
    pub(super) fn new(core: &Arc<Core>, broker: Arc<Broker>) -> Self {
        Self {
            sender: Sender::new(core.clone(), broker.clone()),
            settle: Settle::new(core.clone(), broker.clone()),
            broker,
            link: None,
            failures: 0,
            phase: Phase::Idle,
            wakes_at: None,
        }
    }
}

fn broke(why: &str) -> Error {
    Error::new(
        ErrorKind::Connection,
        format!("the connection broke: {why}"),
    )
}

impl World {
    /// Plans a wake-up for each sender that has something to do.
    pub(super) fn wake_clients(&mut self) {
        for client in 0..self.clients.len() {
            let Some(at) = self.wants_to_run(client) else {
                continue;
            };
            if self.clients[client]
                .wakes_at
                .is_some_and(|known| known <= at)
            {
                continue;
            }
            // Threads run when the scheduler lets them.
            let pause = self.rng.pick(&[0, 0, 0, 1, 3]);
            let at = at + Duration::from_micros(pause * 300);
            self.clients[client].wakes_at = Some(at);
            self.at(at, Event::Wake(client));
        }
    }

    fn wants_to_run(&self, client: usize) -> Option<Duration> {
        let client = &self.clients[client];
        match client.phase {
            Phase::Idle => {}
            Phase::Resting(until) => return Some(until.max(self.now)),
            _ => return None,
        }
        let due = client
            .broker
            .queue
            .due_at()
            .map(|at| self.since_start(at).max(self.now));
        let due = if client.sender.has_pending() {
            Some(self.now)
        } else {
            due
        };
        let window = client.link.map(|link| self.links[link].window.clone());
        due.filter(|_| window.is_none_or(|window| window.has_slot_or_is_dead()))
    }

    pub(super) fn wake(&mut self, client: usize) {
        let this = &mut self.clients[client];
        this.wakes_at = None;
        if let Phase::Resting(until) = this.phase {
            if until > self.now {
                return;
            }
            this.phase = Phase::Idle;
        }
        if !matches!(this.phase, Phase::Idle) {
            return;
        }
        this.sender.drain();
        if !this.sender.has_pending() {
            return;
        }
        match this.link {
            Some(link) if self.links[link].is_dead => return self.join(client, link),
            _ => {}
        }
        if self.plan.idempotent && self.core.accumulator.identities().newest().is_none() {
            self.clients[client].phase = Phase::NoIdentity;
            return self.core.wishes.refresh();
        }
        let Some(link) = self.clients[client].link else {
            self.clients[client].phase = Phase::Connecting;
            let pause = self.rng.ms(0, 10);
            return self.after(pause, Event::Connected(client));
        };
        if !self.links[link].window.has_slot_or_is_dead() {
            return;
        }
        let until = self.links[link].throttled_until;
        if until > self.now {
            self.clients[client].phase = Phase::Resting(until);
            return;
        }
        self.take(client, link);
    }

    /// Takes the batches that are due, and begins to write them.
    fn take(&mut self, client: usize, link: usize) {
        let this = &mut self.clients[client];
        this.sender.drain();
        let mut batches = this.sender.collect();
        if batches.is_empty() {
            return;
        }
        Sender::prepare(&mut batches);
        let copies: Vec<_> = batches
            .iter()
            .map(|batch| Rc::new(parse(batch.partition.index(), &batch.bytes)))
            .collect();
        for (batch, copy) in batches.iter().zip(&copies) {
            let attempts = batch.attempts;
            self.trace(|_| {
                format!("link {link}: sender {client} takes (attempt {attempts}) {copy:?}")
            });
        }
        let sent = batches.iter().map(|batch| &batch.bytes[..]).zip(&copies);
        self.oracle
            .taken(sent, client as i32, &self.records, self.now);
        if self.plan.acks != Acks::None {
            let window = &self.links[link].window;
            window.announce(Deadline::within(self.plan.request_timeout));
        }
        self.clients[client].phase = Phase::Writing(batches, copies);
        let pause = match self.strikes(self.plan.faults.slow_write) {
            true => self.rng.ms(0, self.plan.request_timeout.as_millis() as u64),
            false => Duration::ZERO,
        };
        self.after(pause, Event::Written(client));
    }

    pub(super) fn connected(&mut self, client: usize) {
        if matches!(self.clients[client].phase, Phase::Closed) {
            return;
        }
        let fails = self.strikes(self.plan.faults.connect_fails);
        let refuses = self.strikes(self.plan.faults.login_fails);
        if fails || refuses || self.cluster.nodes[client].is_down {
            return self.not_connected(client, refuses);
        }
        self.links.push(Link::new(client, self.plan.max_in_flight));
        let link = self.links.len() - 1;
        let this = &mut self.clients[client];
        this.link = Some(link);
        this.phase = Phase::Idle;
        this.broker.queue.set_trouble(None);
        self.trace(|_| format!("link {link}: sender {client} is connected"));
    }

    fn not_connected(&mut self, client: usize, refuses: bool) {
        let kind = if refuses {
            ErrorKind::Authentication
        } else {
            ErrorKind::Connection
        };
        let error = Error::new(kind, "cannot connect");
        self.trace(|_| format!("sender {client}: {error}, {kind:?}"));
        let this = &mut self.clients[client];
        this.failures += 1;
        this.broker.queue.set_trouble(Some(error.clone()));
        self.core.wishes.refresh();
        if refuses {
            self.clients[client].sender.fail_pending(&error);
        }
        self.rest(client);
    }

    fn rest(&mut self, client: usize) {
        let config = &self.core.config;
        let backoff = Backoff {
            base: config.reconnect_backoff,
            max: config.reconnect_backoff_max,
        };
        let pause = backoff.delay(self.clients[client].failures, 0.5);
        self.clients[client].phase = Phase::Resting(self.now + pause);
    }

    pub(super) fn written(&mut self, client: usize) {
        if !matches!(self.clients[client].phase, Phase::Writing(..)) {
            return;
        }
        let phase = std::mem::replace(&mut self.clients[client].phase, Phase::Idle);
        let (Phase::Writing(batches, copies), Some(link)) = (phase, self.clients[client].link)
        else {
            unreachable!("a write has a connection");
        };
        // A write to a connection that the other side has closed may well succeed.
        let was_dead = self.links[link].is_dead;
        let goes_unnoticed = was_dead && self.rng.chance(0.5);
        let untouched = self.strikes(self.plan.faults.cut_before_write);
        let torn = self.strikes(self.plan.faults.cut_in_write);
        if !goes_unnoticed && (was_dead || untouched || torn) {
            let started = torn || was_dead && self.rng.chance(0.5);
            return self.not_written(client, link, (batches, copies), started);
        }
        self.links[link].requests += 1;
        let number = self.links[link].requests;
        if self.plan.acks == Acks::None {
            for (batch, copy) in batches.into_iter().zip(&copies) {
                self.oracle.ended(copy, true, self.now);
                self.clients[client].settle.written(batch);
            }
        } else {
            self.deposit(link, number, (batches, copies.clone()), was_dead);
        }
        if !was_dead {
            let batches = copies;
            self.transmit(link, Request { number, batches });
        }
    }

    fn deposit(&mut self, link: usize, number: i32, sent: Sent, was_dead: bool) {
        let (batches, copies) = sent;
        let this = &mut self.links[link];
        this.un_answered.push_back(copies);
        let count = this.un_answered.len();
        assert!(
            count <= self.plan.max_in_flight,
            "{count} requests in flight"
        );
        this.window.deposit(InFlight {
            correlation_id: number,
            version: 13,
            batches,
        });
        match was_dead {
            true if count == 1 => self.after(Duration::ZERO, Event::GiveBack(link)),
            true => {}
            false => self.after(self.plan.request_timeout, Event::Overdue(link, number)),
        }
    }

    /// The write failed: the sender gives back its own batches, the receiver those before.
    fn not_written(&mut self, client: usize, link: usize, sent: Sent, started: bool) {
        let (batches, copies) = sent;
        self.trace(|_| format!("link {link}: the write fails, started: {started}"));
        let error = broke("while writing");
        self.links[link].window.die(error.clone());
        for copy in &copies {
            self.oracle.ended(copy, false, self.now);
        }
        let failed = WriteFailed { started, error };
        self.clients[client].sender.give_back(batches, &failed);
        self.dead(link, "the write failed");
        self.join(client, link);
    }

    /// Waits for the receiver of a dead connection to give back what it has, then goes on.
    fn join(&mut self, client: usize, link: usize) {
        if !self.links[link].un_answered.is_empty() {
            self.clients[client].phase = Phase::Joining;
            return;
        }
        self.clients[client].link = None;
        self.core.wishes.refresh();
        let is_proven = self.links[link].is_proven;
        let this = &mut self.clients[client];
        this.failures = if is_proven { 0 } else { this.failures + 1 };
        this.broker.queue.set_trouble(Some(broke("just now")));
        this.phase = Phase::Idle;
        if this.failures > 0 {
            self.rest(client);
        }
    }

    pub(super) fn overdue(&mut self, link: usize, number: i32) {
        if self.links[link].answered < number {
            self.dead(link, "an answer is overdue");
        }
    }

    /// The connection is dead for the client; the broker may still handle what it got.
    pub(super) fn dead(&mut self, link: usize, why: &'static str) {
        if std::mem::replace(&mut self.links[link].is_dead, true) {
            return;
        }
        self.trace(|_| format!("link {link}: dead, {why}"));
        self.cut_wire(link);
        self.links[link].window.die(broke(why));
        if !self.links[link].un_answered.is_empty() {
            let pause = self.rng.ms(0, 2);
            self.after(pause, Event::GiveBack(link));
        }
    }

    pub(super) fn give_back(&mut self, link: usize) {
        if self.links[link].un_answered.is_empty() {
            return;
        }
        let client = self.links[link].node;
        let in_flight = self.links[link].window.take().expect("a deposited request");
        let error = broke("before the answer");
        let copies = self.links[link].un_answered.pop_front().unwrap_or_default();
        for (batch, copy) in in_flight.batches.into_iter().zip(copies) {
            self.trace(|_| format!("link {link}: lost {copy:?}"));
            self.oracle.ended(&copy, false, self.now);
            self.clients[client].settle.lost(batch, &error);
        }
        self.links[link].window.finish();
        if !self.links[link].un_answered.is_empty() {
            let pause = self.rng.pick(&[Duration::ZERO, Duration::from_millis(2)]);
            self.after(pause, Event::GiveBack(link));
        } else if matches!(self.clients[client].phase, Phase::Joining) {
            self.join(client, link);
        }
    }

    pub(super) fn answered(&mut self, link: usize, response: &Response) {
        if self.links[link].is_dead {
            return;
        }
        let client = self.links[link].node;
        let _deadline = self.links[link].window.next_task(Ear::Shut);
        let in_flight = self.links[link].window.take().expect("a deposited request");
        assert_eq!(
            in_flight.correlation_id, response.number,
            "answers out of order"
        );
        let this = &mut self.links[link];
        (this.is_proven, this.answered) = (true, response.number);
        let copies = this.un_answered.pop_front().unwrap_or_default();
        this.throttled_until = this.throttled_until.max(self.now + response.throttle);
        for (batch, copy) in in_flight.batches.into_iter().zip(copies) {
            self.settle(client, batch, &copy, response);
        }
        self.links[link].window.finish();
    }

    fn settle(&mut self, client: usize, batch: Batch, copy: &WireBatch, response: &Response) {
        let partition = batch.partition.clone();
        let place = response
            .partitions
            .iter()
            .position(|part| part.index == copy.partition);
        let Some(place) = place else {
            self.trace(|_| format!("the answer lacks {copy:?}"));
            self.oracle.ended(copy, false, self.now);
            let error = Error::new(ErrorKind::Protocol, "the answer lacks this partition");
            return self.clients[client].settle.lost(batch, &error);
        };
        let answer = &response.partitions[place];
        self.trace(|_| {
            format!(
                "answer {} at {} for {copy:?}",
                answer.error, answer.base_offset
            )
        });
        let acked = matches!(answer.error.0, 0 | 46);
        self.oracle.ended(copy, acked, self.now);
        if matches!(answer.error.0, 10 | 18) {
            self.oracle.split(copy);
        }
        let is_open = self.records.result(copy.ids[0]).is_none();
        self.clients[client].settle.answered(batch, answer);
        self.look();
        let told = self.records.result(copy.ids[0]);
        let is_half = self.oracle.is_half(copy);
        let waits = told.is_none() && (is_half || self.records.has_older_open(copy.ids[0]));
        let is_told = matches!(told, Some(Told::Acked(_)));
        assert!(
            !acked || !is_open || is_told || waits,
            "acknowledged and told to be {told:?}: {copy:?}"
        );
        if let Some((leader, epoch)) =
            response.hints[place].filter(|(leader, _)| *leader != client as i32)
        {
            let queue = self.clients[leader as usize].broker.queue.clone();
            let follows = partition.follow_hint(queue, epoch);
            self.trace(|_| {
                format!("hint: broker {leader} leads {partition} since {epoch}: {follows}")
            });
        }
    }

    /// There is a producer id, or there will be none.
    pub(super) fn identity_told(&mut self, denied: Option<&Error>) {
        for client in &mut self.clients {
            if matches!(client.phase, Phase::NoIdentity) {
                client.phase = Phase::Idle;
                if let Some(error) = denied {
                    client.sender.fail_pending(error);
                }
            }
        }
    }

    /// The sender ends; what is on its connection is given back.
    pub(super) fn hang_up(&mut self, link: usize) {
        self.dead(link, "closed");
        while !self.links[link].un_answered.is_empty() {
            self.give_back(link);
        }
    }

    /// The producer closes: senders end at once, even in the middle of a write.
    pub(super) fn close_clients(&mut self) {
        for client in 0..self.clients.len() {
            let phase = std::mem::replace(&mut self.clients[client].phase, Phase::Closed);
            self.clients[client].broker.queue.close();
            if let Phase::Writing(batches, copies) = phase {
                let link = self.clients[client].link.expect("a write has a connection");
                self.not_written(client, link, (batches, copies), true);
            }
            if let Some(link) = self.clients[client].link.take() {
                self.hang_up(link);
            }
            self.clients[client].phase = Phase::Closed;
        }
    }
}
