//! The data plane: per broker one sender thread, and per connection one receiver thread.

mod outcome;
mod press;
mod receiver;
pub(crate) mod sender;
pub(crate) mod settle;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod window;

use std::collections::HashMap;

use crate::accumulator::Accumulator;
use crate::accumulator::ready::ReadyQueue;
use crate::cluster::Wishes;
use crate::config::Config;
use crate::conn::{Address, Connector, Interrupt};
use crate::error::{Error, ErrorKind};
use crate::latch::Latch;
use crate::metrics::Metrics;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Mutex, is_finished};

pub(crate) use receiver::port;

/// Why a connection was given up whose thread panicked.
const PANICKED: &str = "the thread of the connection panicked: the connection is closed";

/// What the threads of one producer share.
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) connector: Connector,
    pub(crate) accumulator: Accumulator,
    pub(crate) wishes: Wishes,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) brokers: Brokers,
    /// The threads that run.
    pub(crate) running: Arc<Latch>,
}

/// The brokers that lead partitions of topics in use.
#[derive(Default)]
pub(crate) struct Brokers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    by_id: HashMap<i32, Arc<Broker>>,
    threads: Vec<JoinHandle<()>>,
    is_closed: bool,
}

/// A broker: its address, its inbox, and the thread that empties it.
pub(crate) struct Broker {
    pub(crate) queue: Arc<ReadyQueue>,
    pub(crate) interrupt: Interrupt,
    address: Mutex<Address>,
}

impl Broker {
    pub(crate) fn id(&self) -> i32 {
        self.queue.broker_id()
    }

    fn stop(&self) {
        self.queue.close();
        self.interrupt.fire();
    }

    pub(crate) fn address(&self) -> Address {
        self.address.lock().clone()
    }

    /// True if that is its address.
    pub(crate) fn is_at(&self, address: &Address) -> bool {
        *self.address.lock() == *address
    }

    /// An error of its connection, which names the address, as one that names the broker.
    fn own(&self, error: &Error) -> Error {
        self.without_address(error).context(self)
    }

    /// An error of its connection, for a text that names the broker anyway.
    fn without_address(&self, error: &Error) -> Error {
        let named = format!("broker {}", self.address());
        error.clone().without_context(&named)
    }
}

impl std::fmt::Display for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "broker {} ({})", self.id(), self.address())
    }
}

impl Brokers {
    /// The broker with that id, its thread started at the first call; its address is brought up to
    /// date.
    pub(crate) fn broker(
        &self,
        core: &Arc<Core>,
        id: i32,
        address: Address,
    ) -> Result<Arc<Broker>, Error> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Error::closed());
        }
        if let Some(broker) = state.by_id.get(&id).cloned() {
            drop(state);
            *broker.address.lock() = address;
            return Ok(broker);
        }
        let broker = Arc::new(Broker {
            queue: ReadyQueue::new(id),
            interrupt: Interrupt::default(),
            address: Mutex::new(address),
        });
        state.by_id.insert(id, broker.clone());
        drop(state);
        self.start(core, &broker)?;
        core.accumulator.add_queue(broker.queue.clone());
        Ok(broker)
    }

    fn start(&self, core: &Arc<Core>, broker: &Arc<Broker>) -> Result<(), Error> {
        let running = core.running.enter();
        let sender = sender::Sender::new(core.clone(), broker.clone());
        let thread = thread::Builder::new().name(format!("milena-send-{}", broker.id()));
        let started = thread.spawn(move || {
            sender.run();
            drop(running);
        });
        let mut state = self.state.lock();
        match started {
            Ok(thread) => {
                state.threads.retain(|thread| !is_finished(thread));
                state.threads.push(thread);
            }
            Err(error) => {
                state.by_id.remove(&broker.id());
                let message = format!("cannot start a sender thread: {error}");
                return Err(Error::new(ErrorKind::Connection, message));
            }
        }
        let is_closed = state.is_closed;
        drop(state);
        if is_closed {
            broker.stop();
        }
        Ok(())
    }

    /// Ends the threads of brokers that are not `present` in the cluster any more and that no
    /// partition needs; one that comes back gets a new thread.
    pub(crate) fn part_with_absent(&self, core: &Core, present: impl Fn(i32) -> bool) {
        let mut absent = self.all();
        absent.retain(|broker| !present(broker.id()));
        if absent.is_empty() {
            return;
        }
        let in_use = core.accumulator.brokers_in_use();
        absent.retain(|broker| !in_use.contains(&broker.id()));
        let mut state = self.state.lock();
        for broker in &absent {
            state.by_id.remove(&broker.id());
        }
        drop(state);
        for broker in &absent {
            log::debug!("{broker} has left the cluster");
            core.accumulator.close_queue(&broker.queue);
            broker.interrupt.fire();
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Broker>> {
        self.state.lock().by_id.values().cloned().collect()
    }

    /// Ends every connection and thread; gives the threads for the caller to join.
    pub(crate) fn close(&self) -> Vec<JoinHandle<()>> {
        let mut state = self.state.lock();
        state.is_closed = true;
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        self.all().iter().for_each(|broker| broker.stop());
        threads
    }
}
