//! The receiver thread of a connection: reads the answers and settles the batches.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::settle::Settle;
use super::window::{Ear, InFlight, Task, Window};
use super::{Broker, Core, PANICKED};
use crate::accumulator::batch::Batch;
use crate::accumulator::partition::Partition;
use crate::conn::{Address, ReadHalf};
use crate::error::{Error, ErrorKind};
use crate::survive::survive;
#[cfg(test)]
use crate::survive::trap;
use crate::sync::{Arc, Mutex};
use crate::time;
use crate::wire::decode_response;
use crate::wire::produce::{ProducePartitionResponse, ProduceRequest, ProduceResponse};

/// How long a receiver waits at its socket when all is answered: who sends again meanwhile need not
/// wake it up.
const LISTEN: Duration = Duration::from_millis(50);

/// What a sender and the receiver of its connection share.
pub(crate) struct Line {
    pub(crate) window: Window,
    pub(crate) state: Mutex<LineState>,
}

#[derive(Default)]
pub(crate) struct LineState {
    /// The broker asked us to send nothing until then.
    pub(crate) throttled_until: Option<Instant>,
    /// A request was answered on this connection.
    pub(crate) is_proven: bool,
}

/// Settles what the answers of one connection say.
pub(crate) struct Receiver {
    core: Arc<Core>,
    broker: Arc<Broker>,
    settle: Settle,
    line: Arc<Line>,
}

impl Receiver {
    pub(crate) fn new(core: Arc<Core>, broker: Arc<Broker>, line: Arc<Line>) -> Self {
        let settle = Settle::new(core.clone(), broker.clone());
        Self {
            core,
            broker,
            settle,
            line,
        }
    }

    /// Runs until the sender has closed the window and everything in it is answered or given back.
    pub(crate) fn run(self, read: ReadHalf) {
        let mut read = Some(read);
        let (error, mut spoiled) =
            match survive("a receiver thread", || self.read_answers(&mut read)) {
                Some(None) => return,
                Some(Some((error, spoiled))) => (error, spoiled),
                None => (Error::new(ErrorKind::Connection, PANICKED), None),
            };
        // First of all: who is told that a record has failed may send the next at once, and that
        // one must not be written to this connection.
        let error = self.line.window.die(error);
        if let Some(read) = &read {
            read.shutdown();
        }
        // The sender may be between announcing and depositing: go on until it closes the window.
        while let Some(in_flight) = spoiled.take().or_else(|| self.line.window.take()) {
            for batch in in_flight.batches {
                self.settle.lost(batch, &error);
            }
            self.line.window.finish();
        }
    }

    /// Why the connection is of no more use, with the request whose answer says so, if one does;
    /// `None` if the sender wants nothing more of it. Where it borrows the reader, there is none
    /// meanwhile.
    fn read_answers(&self, reader: &mut Option<ReadHalf>) -> Option<(Error, Option<InFlight>)> {
        let mut ear = Ear::Shut;
        loop {
            let deadline = match self.line.window.next_task(ear)? {
                Task::Read(deadline) => deadline,
                Task::Listen => {
                    ear = match reader.as_mut()?.listen(LISTEN) {
                        true => Ear::Heard,
                        false => Ear::Shut,
                    };
                    continue;
                }
                Task::Lend => {
                    *reader = Some(self.line.window.lend_reader(reader.take()?)?);
                    continue;
                }
            };
            let frame = match reader.as_mut()?.read_frame(deadline) {
                Ok(frame) => frame,
                Err(error) => return Some((error, None)),
            };
            let in_flight = self.line.window.take()?;
            #[cfg(test)]
            trap::here(&self.core.config.client_id, "answered");
            match response(frame, &in_flight) {
                Err(error) => return Some((error, Some(in_flight))),
                Ok(response) => self.answered(&response, in_flight),
            }
            self.line.window.finish();
            ear = Ear::Open;
        }
    }

    fn note(&self, throttle_time_ms: i32) {
        let mut state = self.line.state.lock();
        state.is_proven = true;
        if let Ok(ms @ 1..) = u64::try_from(throttle_time_ms) {
            let pause = Duration::from_millis(ms);
            state.throttled_until = time::after(time::now(), pause);
            drop(state);
            // Later than that nobody waits for the answers.
            let pause = pause.min(self.core.config.delivery_timeout);
            self.line.window.pause(pause);
            self.core.metrics.throttle_ms.add(ms);
        }
    }

    /// Settles each batch by its own answer, and moves partitions whose new leader the broker named
    /// (KIP-951).
    fn answered(&self, response: &ProduceResponse, in_flight: InFlight) {
        self.note(response.throttle_time_ms);
        let mut answers = Answers::new(response, in_flight.version);
        for batch in in_flight.batches {
            let partition = batch.partition.clone();
            let topic_id = batch.topic_id;
            let name = match in_flight.version {
                13.. => &topic_id[..],
                _ => partition.topic().as_bytes(),
            };
            match answers.of((name, partition.index())) {
                Some(answer) => {
                    self.settle.answered(batch, answer);
                    self.follow(&partition, answer, response);
                }
                None => self.lacks(batch),
            }
        }
    }

    fn lacks(&self, batch: Batch) {
        let error = Error::new(
            ErrorKind::Protocol,
            "the Produce answer lacks this partition",
        );
        self.settle.lost(batch, &error);
    }

    fn follow(
        &self,
        partition: &Arc<Partition>,
        answer: &ProducePartitionResponse,
        response: &ProduceResponse,
    ) {
        let Some(leader) = &answer.current_leader else {
            return;
        };
        if answer.error.is_ok() || leader.leader_id < 0 || leader.leader_id == self.broker.id() {
            return;
        }
        let endpoint = response
            .node_endpoints
            .iter()
            .find(|node| node.node_id == leader.leader_id);
        let Some((endpoint, port)) = endpoint.and_then(|node| Some((node, port(node.port)?)))
        else {
            return;
        };
        let address = Address {
            host: endpoint.host.clone(),
            port,
        };
        match self
            .core
            .brokers
            .broker(&self.core, leader.leader_id, address)
        {
            Ok(broker) => {
                partition.follow_hint(broker.queue.clone(), leader.leader_epoch);
                if broker.queue.is_closed() {
                    // It has left the cluster just now: the next view says who leads.
                    partition.lose_route(&broker.queue);
                    self.core.wishes.refresh();
                }
            }
            Err(error) => log::debug!("the new leader of {partition} is not followed: {error}"),
        }
    }
}

/// The topic, by its name or its id, and the partition.
type Place<'a> = (&'a [u8], i32);

/// What a response says of each partition.
struct Answers<'a> {
    in_order: Vec<(Place<'a>, &'a ProducePartitionResponse)>,
    /// The one that is likely to be asked for next: brokers answer in the order of the request.
    next: usize,
    by_place: Option<HashMap<Place<'a>, &'a ProducePartitionResponse>>,
}

impl<'a> Answers<'a> {
    fn new(response: &'a ProduceResponse, version: i16) -> Self {
        let in_order = response.topics.iter().flat_map(|topic| {
            let name = match version {
                13.. => &topic.id[..],
                _ => topic.name.as_bytes(),
            };
            let partitions = topic.partitions.iter();
            partitions.map(move |partition| ((name, partition.index), partition))
        });
        Self {
            in_order: in_order.collect(),
            next: 0,
            by_place: None,
        }
    }

    /// The first answer for that place.
    fn of(&mut self, place: Place<'_>) -> Option<&'a ProducePartitionResponse> {
        let next = self.in_order.get(self.next);
        self.next += 1;
        match next {
            Some((found, answer)) if *found == place => Some(answer),
            _ => self.search(place),
        }
    }

    fn search(&mut self, place: Place<'_>) -> Option<&'a ProducePartitionResponse> {
        // The first of several stays.
        let all = || self.in_order.iter().rev().copied().collect();
        let by_place = self.by_place.get_or_insert_with(all);
        by_place.get(&place).copied()
    }
}

/// The answer to a request, by the frame that came in its turn; an error means that the connection
/// is of no more use.
fn response(frame: &[u8], in_flight: &InFlight) -> Result<ProduceResponse, Error> {
    let due = in_flight.correlation_id;
    let text = match decode_response::<ProduceRequest>(frame, in_flight.version) {
        Ok((id, response)) if id == due => return Ok(response),
        Ok((id, _)) => {
            format!("answered request {id} where {due} was due: the connection is closed")
        }
        Err(malformed) => format!("sent a Produce answer that cannot be read: {malformed}"),
    };
    Err(Error::new(ErrorKind::Protocol, text))
}

/// A port that can be connected to.
pub(crate) fn port(port: i32) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests;
