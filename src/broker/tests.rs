//! What tests of threads need: what they share, without the threads.

use super::window::InFlight;
use super::{Broker, Brokers, Core};
use crate::accumulator::Accumulator;
use crate::accumulator::ready::ReadyQueue;
use crate::cluster::Wishes;
use crate::config::{Address, Config};
use crate::conn::{Connector, Interrupt};
use crate::error::{Error, ErrorKind};
use crate::latch::Latch;
use crate::sync::{Arc, Mutex};

pub(crate) fn core(config: Config) -> Arc<Core> {
    let config = config.validate().expect("settings that work");
    let accumulator = Accumulator::new(&config, Arc::default());
    Arc::new(Core {
        metrics: accumulator.metrics().clone(),
        accumulator,
        connector: Connector::new(&config).expect("plain connections need nothing"),
        wishes: Wishes::default(),
        brokers: Brokers::default(),
        running: Arc::new(Latch::default()),
        config,
    })
}

/// What becomes of a connection.
pub(crate) fn reset() -> Error {
    Error::new(ErrorKind::Connection, "connection reset")
}

/// A request without batches.
pub(crate) fn in_flight(correlation_id: i32) -> InFlight {
    InFlight {
        correlation_id,
        version: 9,
        batches: Vec::new(),
    }
}

/// A broker whose sender is the test.
pub(crate) fn broker(id: i32) -> Arc<Broker> {
    let address = Address {
        host: format!("kafka-{id}"),
        port: 9092,
    };
    Arc::new(Broker {
        queue: ReadyQueue::new(id),
        interrupt: Interrupt::default(),
        address: Mutex::new(address),
    })
}

/// The same, known to the cluster thread too.
pub(crate) fn known_broker(core: &Core, id: i32) -> Arc<Broker> {
    let broker = broker(id);
    core.brokers.state.lock().by_id.insert(id, broker.clone());
    core.accumulator.add_queue(broker.queue.clone());
    broker
}
