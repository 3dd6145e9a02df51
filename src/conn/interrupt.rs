//! Ending blocked calls of one owner's connections from another thread.

use std::fmt;
use std::net::{Shutdown, TcpStream};
use std::sync::Weak;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex};

/// Ends what a connection does, from any thread.
///
/// [`fire`](Self::fire) shuts the sockets down, so that reads, writes and handshakes that wait on
/// them return at once, and wakes those who wait for code of the application. Looking up a name and
/// establishing a TCP connection cannot be ended early with `std`: those last until the operating
/// system or the deadline of the call ends them, and fail right after. Clones are the same
/// interrupt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Apart from the rest, so that it can be read under another lock.
    has_fired: AtomicBool,
    covered: Mutex<Covered>,
}

#[derive(Debug, Default)]
struct Covered {
    sockets: Vec<Weak<TcpStream>>,
    waits: Vec<Weak<dyn Wait>>,
}

/// What threads wait for that look at [`Interrupt::has_fired`] each time they are woken.
pub(super) trait Wait: fmt::Debug + Send + Sync {
    /// Wakes them all; whoever looks afterwards sees what was before the call.
    fn wake(&self);
}

impl Interrupt {
    /// Ends everything that goes on, and makes everything that follows fail with
    /// `ErrorKind::Closed`.
    pub(crate) fn fire(&self) {
        self.0.has_fired.store(true, Ordering::SeqCst);
        let covered = std::mem::take(&mut *self.0.covered.lock());
        for socket in covered.sockets.iter().filter_map(Weak::upgrade) {
            // It fails only where the peer was faster, and then nobody waits on the socket either.
            let _ = socket.shutdown(Shutdown::Both);
        }
        for wait in covered.waits.iter().filter_map(Weak::upgrade) {
            wait.wake();
        }
    }

    pub(crate) fn has_fired(&self) -> bool {
        self.0.has_fired.load(Ordering::SeqCst)
    }

    /// Adds a socket to those that `fire` shuts down; false if it has fired already.
    pub(super) fn covers(&self, socket: &Arc<TcpStream>) -> bool {
        let mut covered = self.0.covered.lock();
        covered.sockets.retain(|socket| socket.strong_count() > 0);
        covered.sockets.push(Arc::downgrade(socket));
        drop(covered);
        !self.has_fired()
    }

    /// Adds a wait to those that `fire` wakes. Who waits has to look whether it has fired already.
    pub(super) fn covers_wait(&self, wait: Arc<dyn Wait>) {
        let mut covered = self.0.covered.lock();
        let waits = &mut covered.waits;
        waits.retain(|known| known.strong_count() > 0);
        // Many connections wait for the same.
        if !waits
            .iter()
            .any(|known| known.ptr_eq(&Arc::downgrade(&wait)))
        {
            waits.push(Arc::downgrade(&wait));
        }
    }
}
