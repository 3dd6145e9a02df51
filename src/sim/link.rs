//! A connection, and the broker's side of it: requests are handled one by one, in their order.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::log::{Appended, WireBatch};
use super::world::{Event, World};
use crate::broker::window::Window;
use crate::config::Acks;
use crate::sync::Arc;
use crate::wire::codes::Code;
use crate::wire::produce::ProducePartitionResponse;

pub(super) struct Link {
    pub(super) node: usize,
    pub(super) window: Arc<Window<()>>,
    /// The client knows that it is dead.
    pub(super) is_dead: bool,
    /// The broker has answered something on it.
    pub(super) is_proven: bool,
    pub(super) throttled_until: Duration,
    /// Requests that the client has deposited and not got back.
    pub(super) un_answered: VecDeque<Vec<Rc<WireBatch>>>,
    pub(super) requests: i32,
    pub(super) answered: i32,
    /// Requests on their way to the broker, with their arrival.
    wire: VecDeque<(Duration, Request)>,
    handling: Option<Handling>,
    /// The broker process that had it is gone.
    is_gone: bool,
    last_answer: Duration,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) number: i32,
    pub(super) batches: Vec<Rc<WireBatch>>,
}

/// The request that the broker is busy with.
struct Handling {
    number: i32,
    answers: Vec<(Rc<WireBatch>, Handled)>,
}

enum Handled {
    Refused(Code),
    /// In the leader's log since `epoch`, or since before it.
    Appended {
        offset: i64,
        epoch: i32,
        is_new: bool,
        /// What the broker will say all the same.
        lie: Option<Code>,
    },
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) number: i32,
    pub(super) partitions: Vec<ProducePartitionResponse>,
    /// Who leads the partition of the same place, and since which epoch, where the broker tells.
    pub(super) hints: Vec<Option<(i32, i32)>>,
    pub(super) throttle: Duration,
}

impl Link {
    pub(super) fn new(node: usize, max_in_flight: usize) -> Self {
        Self {
            node,
            window: Arc::new(Window::new(max_in_flight)),
            is_dead: false,
            is_proven: false,
            throttled_until: Duration::ZERO,
            un_answered: VecDeque::new(),
            requests: 0,
            answered: 0,
            wire: VecDeque::new(),
            handling: None,
            is_gone: false,
            last_answer: Duration::ZERO,
        }
    }

    /// True if a batch of `partition` may still reach the broker or is being handled.
    pub(super) fn carries(&self, partition: i32) -> bool {
        let is_of = |copy: &Rc<WireBatch>| copy.partition == partition;
        let waiting = self
            .wire
            .iter()
            .any(|(_, request)| request.batches.iter().any(is_of));
        let handled = self
            .handling
            .iter()
            .any(|h| h.answers.iter().any(|(copy, _)| is_of(copy)));
        waiting || handled
    }
}

impl World {
    /// A request has left the client.
    pub(super) fn transmit(&mut self, link: usize, request: Request) {
        let arrival = self.now + self.rng.ms(0, self.plan.latency_ms);
        let behind = self.links[link]
            .wire
            .back()
            .map_or(arrival, |(at, _)| arrival.max(*at));
        self.links[link].wire.push_back((behind, request));
        self.at(behind, Event::Serve(link));
    }

    pub(super) fn serve(&mut self, link: usize) {
        let node = &self.cluster.nodes[self.links[link].node];
        if self.links[link].is_gone || self.links[link].handling.is_some() {
            return;
        }
        if node.paused_until > self.now {
            let until = node.paused_until;
            return self.at(until, Event::Serve(link));
        }
        match self.links[link].wire.front() {
            Some((arrival, _)) if *arrival <= self.now => {}
            Some((arrival, _)) => {
                let arrival = *arrival;
                return self.at(arrival, Event::Serve(link));
            }
            None => return,
        }
        let Some((_, request)) = self.links[link].wire.pop_front() else {
            return;
        };
        let is_dead = self.links[link].is_dead;
        if !is_dead && self.strikes(self.plan.faults.cut_on_arrival) {
            self.links[link].wire.clear();
            return self.dead(link, "cut on arrival");
        }
        if !is_dead && self.strikes(self.plan.faults.swallow) {
            self.trace(|_| format!("link {link}: request {} is swallowed", request.number));
            // Answers come in order: nothing behind it is answered either.
            self.links[link].handling = Some(Handling {
                number: request.number,
                answers: Vec::new(),
            });
            return;
        }
        self.handle(link, request);
    }

    fn handle(&mut self, link: usize, request: Request) {
        let node = self.links[link].node;
        let mut answers = Vec::new();
        for copy in request.batches {
            let handled = self.take_in(node, &copy);
            self.trace(|world| {
                let what = match &handled {
                    Handled::Refused(code) => format!("refuses, {code}:"),
                    Handled::Appended { offset, .. } => format!("has at {offset}:"),
                };
                let late = if world.links[link].is_dead {
                    " LATE"
                } else {
                    ""
                };
                format!("link {link}: broker {node}{late} {what} {copy:?}")
            });
            answers.push((copy, handled));
        }
        let number = request.number;
        self.links[link].handling = Some(Handling { number, answers });
        let slow = self.strikes(self.plan.faults.slow_replicas);
        let pause = match self.plan.acks {
            Acks::All => self.rng.ms(0, if slow { 2500 } else { 5 }),
            _ => Duration::ZERO,
        };
        self.after(pause, Event::Replicated(link));
    }

    /// What the broker does with a batch, in Kafka's order of checks.
    fn take_in(&mut self, node: usize, copy: &Rc<WireBatch>) -> Handled {
        let partition = copy.partition;
        if !self.cluster.leads(node as i32, partition) {
            return Handled::Refused(Code::NOT_LEADER_OR_FOLLOWER);
        }
        if self.strikes(self.plan.faults.refuse) {
            let code = self.rng.pick(&self.plan.faults.refusals);
            return Handled::Refused(Code::from(code));
        }
        let stateless = self.plan.stateless;
        let led = &mut self.cluster.partitions[partition as usize];
        let before = led.log.entries.last().map(|entry| entry.batch.clone());
        let (offset, is_new) = match led.log.append(copy, stateless) {
            Err(code) => return Handled::Refused(code),
            Ok(Appended::New(offset)) => (offset, true),
            Ok(Appended::Duplicate(offset)) => (offset, false),
        };
        let epoch = led.epoch;
        if is_new {
            let rules = (self.plan.idempotent, self.plan.gapless);
            self.records.appended(copy, rules);
            if let Some(before) = before
                .filter(|before| self.plan.idempotent && before.producer_id == copy.producer_id)
            {
                assert!(
                    before.ids.last() < copy.ids.first(),
                    "partition {partition}: {copy:?} is behind {before:?}"
                );
            }
        }
        let lie = self.strikes(self.plan.faults.lie).then(|| {
            let code = self.rng.pick(&self.plan.faults.lies);
            Code::from(code)
        });
        Handled::Appended {
            offset,
            epoch,
            is_new,
            lie,
        }
    }

    /// The wait for replicas is over: what is still led is on all of them.
    pub(super) fn replicated(&mut self, link: usize) {
        let node = self.links[link].node;
        if self.cluster.nodes[node].is_down {
            return;
        }
        let Some(Handling { number, answers }) = self.links[link].handling.take() else {
            return;
        };
        let mut response = Response {
            number,
            partitions: Vec::new(),
            hints: Vec::new(),
            throttle: Duration::ZERO,
        };
        for (copy, handled) in answers {
            let (code, offset) = self.conclude(node, &copy, handled);
            if self.strikes(self.plan.faults.lack) {
                continue;
            }
            response.hints.push(self.hint(code, copy.partition));
            response.partitions.push(ProducePartitionResponse {
                index: copy.partition,
                error: code,
                base_offset: offset,
                ..ProducePartitionResponse::default()
            });
        }
        self.after(Duration::ZERO, Event::Serve(link));
        if self.links[link].is_dead || self.plan.acks == Acks::None {
            return;
        }
        if self.strikes(self.plan.faults.cut_answer) {
            return self.dead(link, "cut before the answer");
        }
        if self.strikes(self.plan.faults.throttle) {
            response.throttle = self.rng.ms(1, 400);
        }
        let at = (self.now + self.rng.ms(0, 5)).max(self.links[link].last_answer);
        self.links[link].last_answer = at;
        self.at(at, Event::Answer(link, response));
    }

    fn conclude(&mut self, node: usize, copy: &WireBatch, handled: Handled) -> (Code, i64) {
        let (offset, epoch, lie, is_new) = match handled {
            Handled::Refused(code) => return (code, -1),
            Handled::Appended {
                offset,
                epoch,
                is_new,
                lie,
            } => (offset, epoch, lie, is_new),
        };
        let led = &mut self.cluster.partitions[copy.partition as usize];
        let is_led = led.leader == Some(node as i32) && led.epoch == epoch;
        match (lie, self.plan.acks) {
            (Some(code), _) => return (code, -1),
            // Deposed while it waited for its replicas (KAFKA-13574).
            (None, Acks::All) if !is_led => return (Code::NOT_LEADER_OR_FOLLOWER, -1),
            (None, Acks::All) => led.log.commit(offset),
            _ => {}
        }
        match !is_new && self.plan.answers_46 {
            true => (Code::DUPLICATE_SEQUENCE_NUMBER, -1),
            false => (Code::NONE, offset),
        }
    }

    fn hint(&mut self, code: Code, partition: i32) -> Option<(i32, i32)> {
        if code != Code::NOT_LEADER_OR_FOLLOWER || !self.plan.has_epochs {
            return None;
        }
        let led = &self.cluster.partitions[partition as usize];
        let (leader, epoch) = (led.leader?, led.epoch);
        self.strikes(self.plan.faults.hint)
            .then_some((leader, epoch))
    }

    /// The network's side of a connection that died: what is on its way is lost, or comes late.
    pub(super) fn cut_wire(&mut self, link: usize) {
        let is_late = self.strikes(self.plan.faults.late);
        let most = self.plan.faults.late_ms;
        let count = self.links[link].wire.len();
        let kept = if is_late {
            self.rng.within(0, count as u64) as usize
        } else {
            0
        };
        let mut wire = std::mem::take(&mut self.links[link].wire);
        wire.truncate(kept);
        let pause = self.rng.ms(0, most);
        let mut at = self.now;
        for (arrival, request) in &mut wire {
            at = (*arrival + pause).max(at);
            *arrival = at;
            self.trace(|_| format!("link {link}: request {} comes late", request.number));
        }
        let first = wire.front().map(|(arrival, _)| *arrival);
        self.links[link].wire = wire;
        if let Some(first) = first {
            self.at(first, Event::Serve(link));
        }
    }

    /// The broker process is gone, with all that it had not finished.
    pub(super) fn crash(&mut self, link: usize) {
        self.links[link].wire.clear();
        self.links[link].handling = None;
        self.links[link].is_gone = true;
    }
}
