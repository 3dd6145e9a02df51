//! Ending blocked socket calls of one owner's connections from another thread.

use std::net::{Shutdown, TcpStream};
use std::sync::Weak;

use crate::sync::thread::{Thread, ThreadId};
use crate::sync::{Arc, Mutex};

/// Ends what a connection does, from any thread.
///
/// [`fire`](Self::fire) shuts the sockets down, so that reads, writes and handshakes that wait on
/// them return at once. Looking up a name and establishing a TCP connection cannot be ended early
/// with `std`: those last until the operating system or the deadline of the call ends them, and
/// fail right after. Clones are the same interrupt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    has_fired: bool,
    sockets: Vec<Weak<TcpStream>>,
    /// Threads that wait for something else.
    parked: Vec<Thread>,
}

/// While it lives, `Interrupt::fire` unparks the thread.
#[must_use]
pub(super) struct Wakes<'a>(&'a Interrupt, ThreadId);

impl Drop for Wakes<'_> {
    fn drop(&mut self) {
        let Self(interrupt, id) = self;
        interrupt.0.lock().parked.retain(|one| one.id() != *id);
    }
}

impl Interrupt {
    /// Ends everything that goes on, and makes everything that follows fail with
    /// `ErrorKind::Closed`.
    pub(crate) fn fire(&self) {
        let (sockets, parked) = {
            let mut state = self.0.lock();
            state.has_fired = true;
            (std::mem::take(&mut state.sockets), state.parked.clone())
        };
        for thread in parked {
            thread.unpark();
        }
        for socket in sockets.iter().filter_map(Weak::upgrade) {
            // It fails only where the peer was faster, and then nobody waits on the socket either.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn has_fired(&self) -> bool {
        self.0.lock().has_fired
    }

    /// Adds a socket to those that `fire` shuts down; false if it has fired already.
    pub(super) fn covers(&self, socket: &Arc<TcpStream>) -> bool {
        let mut state = self.0.lock();
        state.sockets.retain(|socket| socket.strong_count() > 0);
        state.sockets.push(Arc::downgrade(socket));
        !state.has_fired
    }

    /// Adds a thread to those that `fire` unparks; it looks at [`has_fired`](Self::has_fired) then.
    pub(super) fn wakes(&self, thread: Thread) -> Wakes<'_> {
        let id = thread.id();
        self.0.lock().parked.push(thread);
        Wakes(self, id)
    }
}
