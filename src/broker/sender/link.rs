//! The connection of a sender, with its receiver.

use std::time::{Duration, Instant};

use super::super::receiver::{Line, Receiver};
use super::super::window::Window;
use super::super::{Broker, Core};
use crate::config::{Acks, Config};
use crate::conn::{Address, WriteHalf};
use crate::error::{Error, ErrorKind};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Mutex};
use crate::time::{self, Deadline};
use crate::wire::produce::ProduceRequest;

/// An open connection whose receiver runs.
pub(super) struct Link {
    pub(super) address: Address,
    pub(super) write: WriteHalf,
    /// The newest Produce version of both sides.
    pub(super) version: i16,
    pub(super) line: Arc<Line>,
    receiver: JoinHandle<()>,
    opened: Instant,
    pub(super) used: Instant,
}

impl Link {
    pub(super) fn open(
        core: &Arc<Core>,
        broker: &Arc<Broker>,
        address: Address,
        limit: Duration,
    ) -> Result<Self, Error> {
        let deadline = Deadline::within(limit);
        let connection = core.connector.open(&address, &broker.interrupt, deadline)?;
        let version = connection.version::<ProduceRequest>()?;
        let (write, read) = connection.split();
        let line = Arc::new(Line {
            window: Window::new(core.config.max_in_flight),
            state: Mutex::default(),
        });
        let receiver = Receiver::new(core.clone(), broker.clone(), line.clone());
        let thread = thread::Builder::new().name(format!("milena-recv-{}", broker.id()));
        let receiver = thread.spawn(move || receiver.run(read)).map_err(|error| {
            let message = format!("cannot start a receiver thread: {error}");
            Error::new(ErrorKind::Connection, message)
        })?;
        let now = time::now();
        Ok(Self {
            address,
            write,
            version,
            line,
            receiver,
            opened: now,
            used: now,
        })
    }

    /// Authenticates anew, once everything on the connection is answered (KIP-368). Kafka answers
    /// in order and would take the handshake behind other requests too, but none behind the
    /// handshake before all is done; nothing is gained by a mixture.
    pub(super) fn renew(&mut self, core: &Core, limit: Duration) -> Result<(), Error> {
        let Some(identity) = core.connector.prepare(&mut self.write) else {
            return Ok(());
        };
        let window = &self.line.window;
        let mut reader = window.borrow_reader()?;
        let deadline = Deadline::within(limit);
        let write = &mut self.write;
        let renewed = core
            .connector
            .renew(write, &mut reader, &identity, deadline);
        match renewed {
            Ok(()) => {
                window.return_reader(reader);
                core.metrics.reauthentications.add(1);
                self.used = time::now();
                Ok(())
            }
            Err(error) => {
                core.metrics.reauthentication_failures.add(1);
                Err(window.die(error))
            }
        }
    }

    /// True if the connection was of use, so that the next attempt need not rest: a request was
    /// answered on it, or, where nothing is answered, it lasted longer than any rest.
    pub(super) fn is_proven(&self, config: &Config) -> bool {
        let age = time::now().saturating_duration_since(self.opened);
        let has_lasted = config.acks == Acks::None && age >= config.reconnect_backoff_max;
        has_lasted || self.line.state.lock().is_proven
    }

    /// Closes the connection once everything on it is answered.
    pub(super) fn close_in_peace(self) {
        self.line.window.close();
        if self.line.window.is_idle() {
            // The receiver may be listening.
            self.write.shutdown();
        }
        join(self.receiver);
        self.write.shutdown();
    }

    /// Closes the connection at once; what is on it is given back by the receiver.
    pub(super) fn close(self) {
        self.line.window.close();
        self.write.shutdown();
        join(self.receiver);
    }
}

fn join(receiver: JoinHandle<()>) {
    if receiver.join().is_err() {
        log::error!("a receiver thread panicked; the batches that it held have failed");
    }
}
