//! Connections that code of the application makes: each call on a thread of its own, since it may
//! take its time, or never come back.

use std::io::{self, ErrorKind as IoErrorKind};
use std::net::{SocketAddr, TcpStream};

use crate::dial::RegisteredDialer;
use crate::error::{Error, ErrorKind};
use crate::survive::caught;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, thread};
use crate::time::{Deadline, human, now};

use super::diagnosis::{Stage, at, interrupted, io_text, peer_text};
use super::{Address, Interrupt};

/// How many calls that nobody waits for any more may go on.
const LATE_MAX: usize = 100;

/// The application's dialer, for the connections of one producer.
#[derive(Debug)]
pub(super) struct Egress {
    registered: RegisteredDialer,
    /// Calls that go on and that nobody waits for.
    late: Arc<AtomicUsize>,
}

/// What became of one call, between the two threads.
enum Call {
    GoesOn,
    Done(Result<io::Result<TcpStream>, String>),
    /// Nobody waits for it any more.
    GivenUp,
}

impl Egress {
    pub(super) fn new(registered: RegisteredDialer) -> Self {
        Self {
            registered,
            late: Arc::default(),
        }
    }

    /// A connection by the dialer, and who is at the other end of it.
    pub(super) fn connect(
        &self,
        address: &Address,
        interrupt: &Interrupt,
        deadline: Deadline,
        adopt: impl FnOnce(&TcpStream) -> io::Result<()>,
    ) -> Result<(TcpStream, SocketAddr), Error> {
        let done = self.call(address, interrupt, deadline)?;
        let dialed = done.map_err(|said| {
            let text = format!("panicked: {}", peer_text(&said));
            self.failed(address, ErrorKind::Application, &text)
        })?;
        let connected = dialed.and_then(|socket| {
            let peer = socket.peer_addr()?;
            adopt(&socket)?;
            Ok((socket, peer))
        });
        connected.map_err(|error| {
            let kind = match error.kind() {
                IoErrorKind::TimedOut => ErrorKind::TimedOut,
                _ => ErrorKind::Connection,
            };
            let text = format!("failed: {}", peer_text(&io_text(&error)));
            self.failed(address, kind, &text)
        })
    }

    fn call(
        &self,
        address: &Address,
        interrupt: &Interrupt,
        deadline: Deadline,
    ) -> Result<Result<io::Result<TcpStream>, String>, Error> {
        if interrupt.has_fired() {
            return Err(interrupted(address, Stage::Connect));
        }
        if self.late.load(Ordering::Relaxed) >= LATE_MAX {
            let text = format!("has not come back from {LATE_MAX} earlier calls");
            return Err(self.failed(address, ErrorKind::Connection, &text));
        }
        let call = Arc::new(Mutex::new(Call::GoesOn));
        // Woken by the end of the call, and by the interrupt.
        let _waits = interrupt.wakes(thread::current());
        self.start(&call, address, deadline)
            .map_err(|error| self.failed(address, ErrorKind::Connection, &error.to_string()))?;
        loop {
            let mut state = call.lock();
            if let Call::Done(_) = *state
                && let Call::Done(done) = std::mem::replace(&mut *state, Call::GivenUp)
            {
                return Ok(done);
            }
            drop(state);
            let left = deadline.left(now());
            let is_interrupted = interrupt.has_fired();
            if left.is_zero() || is_interrupted {
                self.give_up(&call);
                return Err(match is_interrupted {
                    true => interrupted(address, Stage::Connect),
                    false => {
                        let text = format!("has no connection after {}", human(deadline.limit()));
                        self.failed(address, ErrorKind::TimedOut, &text)
                    }
                });
            }
            thread::park_timeout(left);
        }
    }

    fn start(
        &self,
        call: &Arc<Mutex<Call>>,
        address: &Address,
        deadline: Deadline,
    ) -> io::Result<()> {
        let (call, late) = (call.clone(), self.late.clone());
        let (dialer, address) = (self.registered.dialer.clone(), address.clone());
        let caller = thread::current();
        let timeout = deadline.left(now());
        let dial = move || {
            let done = caught(|| dialer.dial(&address.host, address.port, timeout));
            let mut state = call.lock();
            match *state {
                Call::GivenUp => drop(late.fetch_sub(1, Ordering::Relaxed)),
                _ => *state = Call::Done(done),
            }
            drop(state);
            caller.unpark();
        };
        let thread = thread::Builder::new().name("milena-dialer".into());
        thread.spawn(dial).map(drop)
    }

    /// From here on the call counts as late, unless it has just ended.
    fn give_up(&self, call: &Mutex<Call>) {
        let mut state = call.lock();
        if let Call::GoesOn = std::mem::replace(&mut *state, Call::GivenUp) {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn failed(&self, address: &Address, kind: ErrorKind, what: &str) -> Error {
        let text = format!("the dialer {} {what}", self.registered.name);
        at(address, Stage::Connect, Error::new(kind, text))
    }
}
