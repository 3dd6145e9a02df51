//! Connections that code of the application makes: each call on a thread of its own, since it may
//! take its time, or never come back.

use std::fmt;
use std::io::{self, ErrorKind as IoErrorKind};
use std::net::{SocketAddr, TcpStream};

use crate::dial::RegisteredDialer;
use crate::error::{Error, ErrorKind};
use crate::survive::caught;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Condvar, Mutex, thread};
use crate::time::{Deadline, human, now};

use super::diagnosis::{Stage, at, interrupted, io_text, peer_text};
use super::interrupt::Wait;
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

/// One call, between the two threads.
#[derive(Default)]
struct Call {
    state: Mutex<State>,
    changed: Condvar,
}

/// What became of it.
#[derive(Default)]
enum State {
    #[default]
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
        let call = Arc::<Call>::default();
        interrupt.covers_wait(call.clone());
        self.start(&call, address, deadline)
            .map_err(|error| self.failed(address, ErrorKind::Connection, &error.to_string()))?;
        let mut state = call.state.lock();
        loop {
            if let State::Done(_) = *state
                && let State::Done(done) = std::mem::replace(&mut *state, State::GivenUp)
            {
                return Ok(done);
            }
            let is_interrupted = interrupt.has_fired();
            if is_interrupted || deadline.has_passed(now()) {
                *state = State::GivenUp;
                self.late.fetch_add(1, Ordering::Relaxed);
                return Err(match is_interrupted {
                    true => interrupted(address, Stage::Connect),
                    false => {
                        let text = format!("has no connection after {}", human(deadline.limit()));
                        self.failed(address, ErrorKind::TimedOut, &text)
                    }
                });
            }
            state = call.changed.wait(state, deadline.at());
        }
    }

    fn start(&self, call: &Arc<Call>, address: &Address, deadline: Deadline) -> io::Result<()> {
        let (call, late) = (call.clone(), self.late.clone());
        let (dialer, address) = (self.registered.dialer.clone(), address.clone());
        let timeout = deadline.left(now());
        let dial = move || {
            let done = caught(|| dialer.dial(&address.host, address.port, timeout));
            let mut state = call.state.lock();
            match *state {
                State::GivenUp => drop(late.fetch_sub(1, Ordering::Relaxed)),
                _ => *state = State::Done(done),
            }
            drop(state);
            call.changed.notify_all();
        };
        let thread = thread::Builder::new().name("milena-dialer".into());
        thread.spawn(dial).map(drop)
    }

    fn failed(&self, address: &Address, kind: ErrorKind, what: &str) -> Error {
        let text = format!("the dialer {} {what}", self.registered.name);
        at(address, Stage::Connect, Error::new(kind, text))
    }
}

impl Wait for Call {
    fn wake(&self) {
        // Whoever looked before this lock waits by now, and whoever looks behind it sees the flag.
        drop(self.state.lock());
        self.changed.notify_all();
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Call")
    }
}
