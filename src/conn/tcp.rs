//! TCP: names to addresses to sockets, and socket calls that keep a deadline.

use std::collections::HashMap;
use std::io::{self, ErrorKind as IoErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::sync::Mutex;
use crate::time::{Deadline, human, now};

use super::diagnosis::{Broken, Stage, at, interrupted, io_text};
use super::{Address, Interrupt};

/// How many slices one call of the operating system takes (IOV_MAX).
const SLICES_MAX: usize = 1024;
/// The longest wait handed to the operating system; a longer one goes in several.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Addresses whose last failure is remembered; far more than a cluster has brokers.
const FAILED_MAX: usize = 4096;

/// Makes connections, and remembers which address of a name failed last.
#[derive(Debug, Default)]
pub(super) struct Dialer {
    #[cfg_attr(
        not(feature = "socket-buffers"),
        allow(dead_code, reason = "std cannot set it")
    )]
    pub(super) send_buffer_bytes: Option<usize>,
    #[cfg_attr(
        not(feature = "socket-buffers"),
        allow(dead_code, reason = "std cannot set it")
    )]
    pub(super) receive_buffer_bytes: Option<usize>,
    failed: Mutex<HashMap<Address, SocketAddr>>,
}

impl Dialer {
    pub(super) fn new(
        send_buffer_bytes: Option<usize>,
        receive_buffer_bytes: Option<usize>,
    ) -> Result<Self, Error> {
        let asked = [
            ("send.buffer.bytes", send_buffer_bytes),
            ("receive.buffer.bytes", receive_buffer_bytes),
        ];
        for (setting, bytes) in asked {
            if bytes.is_some() && cfg!(not(feature = "socket-buffers")) {
                let text = format!("{setting} needs the cargo feature \"socket-buffers\"");
                return Err(Error::new(ErrorKind::Config, text));
            }
        }
        Ok(Self {
            send_buffer_bytes,
            receive_buffer_bytes,
            failed: Mutex::default(),
        })
    }

    /// Connects to the first address of the name that answers. The name is looked up every time,
    /// since brokers move.
    pub(super) fn connect(
        &self,
        address: &Address,
        interrupt: &Interrupt,
        deadline: Deadline,
    ) -> Result<(TcpStream, SocketAddr), Error> {
        let found = resolve(address, interrupt, deadline)?;
        self.connect_any(address, found, interrupt, deadline)
    }

    /// Remembers that `peer` did not work, so that the next attempt starts behind it.
    pub(super) fn note_failure(&self, address: &Address, peer: SocketAddr) {
        let mut failed = self.failed.lock();
        if failed.len() >= FAILED_MAX {
            failed.clear();
        }
        failed.insert(address.clone(), peer);
    }

    /// The same for a socket that the application made.
    pub(super) fn adopt(&self, socket: &TcpStream) -> io::Result<()> {
        #[cfg(feature = "socket-buffers")]
        self.prepare(&socket2::SockRef::from(socket))?;
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)
    }

    pub(super) fn connect_any(
        &self,
        address: &Address,
        found: Vec<SocketAddr>,
        interrupt: &Interrupt,
        deadline: Deadline,
    ) -> Result<(TcpStream, SocketAddr), Error> {
        let last_failed = self.failed.lock().get(address).copied();
        let peers = starting_behind(found, last_failed);
        let mut causes = Vec::new();
        let mut all_late = true;
        for (index, &peer) in peers.iter().enumerate() {
            if interrupt.has_fired() {
                return Err(interrupted(address, Stage::Connect));
            }
            let limit = share(deadline.left(now()), peers.len() - index);
            if limit.is_zero() {
                break;
            }
            match self.connect_one(peer, limit) {
                Ok(socket) => return Ok((socket, peer)),
                Err(error) => {
                    self.note_failure(address, peer);
                    let is_late = error.kind() == IoErrorKind::TimedOut;
                    all_late &= is_late;
                    let cause = match is_late {
                        true => format!("no answer within {}", human(limit)),
                        false => io_text(&error),
                    };
                    // Where the settings have the number, the message begins with it.
                    causes.push(match peer.to_string() == address.to_string() {
                        true => cause,
                        false => format!("{peer}: {cause}"),
                    });
                }
            }
        }
        if causes.is_empty() {
            return Err(late(address, Stage::Connect, deadline));
        }
        let kind = match all_late {
            true => ErrorKind::TimedOut,
            false => ErrorKind::Connection,
        };
        Err(at(
            address,
            Stage::Connect,
            Error::new(kind, causes.join(", ")),
        ))
    }

    #[cfg(feature = "socket-buffers")]
    fn connect_one(&self, peer: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        use socket2::{Domain, Protocol, SockRef, Socket, Type};

        let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
        // Before connecting: the receive buffer decides the window scale of the handshake.
        self.prepare(&SockRef::from(&socket))?;
        socket.connect_timeout(&peer.into(), limit)?;
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    /// Sizes of buffers, and keep-alive.
    #[cfg(feature = "socket-buffers")]
    fn prepare(&self, socket: &socket2::SockRef<'_>) -> io::Result<()> {
        /// Below the idle limits of common load balancers, which are minutes.
        const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(60);

        if let Some(bytes) = self.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(KEEP_ALIVE_IDLE))
    }

    #[cfg(not(feature = "socket-buffers"))]
    fn connect_one(&self, peer: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        let socket = TcpStream::connect_timeout(&peer, limit)?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }
}

fn resolve(
    address: &Address,
    interrupt: &Interrupt,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, Error> {
    let failed = |text: String| {
        at(
            address,
            Stage::Resolve,
            Error::new(ErrorKind::Connection, text),
        )
    };
    loop {
        if interrupt.has_fired() {
            return Err(interrupted(address, Stage::Resolve));
        }
        if deadline.has_passed(now()) {
            return Err(late(address, Stage::Resolve, deadline));
        }
        match look_up(address) {
            Ok(found) => {
                let mut addresses: Vec<SocketAddr> = Vec::new();
                for one in found {
                    if !addresses.contains(&one) {
                        addresses.push(one);
                    }
                }
                if addresses.is_empty() {
                    return Err(failed("the name has no address".into()));
                }
                return Ok(addresses);
            }
            Err(error) if error.kind() == IoErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error.to_string())),
        }
    }
}

fn look_up(address: &Address) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    #[cfg(test)]
    if let Some(found) = super::names::look_up(&address.host) {
        return found.map(Vec::into_iter);
    }
    (address.host.as_str(), address.port).to_socket_addrs()
}

fn late(address: &Address, stage: Stage, deadline: Deadline) -> Error {
    let text = format!("no connection within {}", human(deadline.limit()));
    at(address, stage, Error::new(ErrorKind::TimedOut, text))
}

/// The same addresses, rotated to start behind the one that failed last.
fn starting_behind(mut found: Vec<SocketAddr>, failed: Option<SocketAddr>) -> Vec<SocketAddr> {
    if let Some(place) = found.iter().position(|one| Some(*one) == failed) {
        let next = (place + 1) % found.len();
        found.rotate_left(next);
    }
    found
}

/// How long the next of `addresses` may take, so that one black hole leaves time for those behind
/// it.
fn share(left: Duration, addresses: usize) -> Duration {
    const LEAST: Duration = Duration::from_millis(250);
    let fair = left / u32::try_from(addresses).unwrap_or(u32::MAX).max(1);
    fair.max(LEAST).min(left).min(WAIT_MAX)
}

/// The time limit that a socket has for one direction.
#[derive(Debug, Default)]
pub(super) struct Timeout(Option<Duration>);

impl Timeout {
    /// The limit to set with this much time left, or `None` where the one that is set does. It
    /// never exceeds what is left, and is set short of it, so that a run of calls with similar
    /// deadlines needs no system call at all; who waits to the end sets it a few times more. One
    /// that is much too short does for a call that `has_waited` for nothing yet.
    pub(super) fn change(&mut self, left: Duration, has_waited: bool) -> Option<Duration> {
        const LEAST: Duration = Duration::from_millis(1);
        let left = left.clamp(LEAST, WAIT_MAX);
        let does = |set: Duration| set <= left && (set >= left / 2 || !has_waited);
        if self.0.is_some_and(does) {
            return None;
        }
        self.0 = Some((left - left / 8).max(LEAST));
        self.0
    }
}

/// Reads what is there, or waits for it. Zero is the end of the stream.
pub(super) fn read(
    mut socket: &TcpStream,
    timeout: &mut Timeout,
    into: &mut [u8],
    deadline: Deadline,
) -> Result<usize, Broken> {
    let mut has_waited = false;
    loop {
        let left = deadline.left(now());
        if left.is_zero() {
            return Err(Broken::Late);
        }
        if let Some(limit) = timeout.change(left, has_waited) {
            socket.set_read_timeout(Some(limit))?;
        }
        match socket.read(into) {
            Ok(count) => return Ok(count),
            Err(error) if may_go_on(&error) => has_waited = true,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes all slices. `written` counts the bytes that the operating system took, also where it
/// fails.
pub(super) fn write_all(
    mut socket: &TcpStream,
    timeout: &mut Timeout,
    mut slices: &mut [IoSlice<'_>],
    deadline: Deadline,
    written: &mut usize,
) -> Result<(), Broken> {
    IoSlice::advance_slices(&mut slices, 0);
    let mut has_waited = false;
    while !slices.is_empty() {
        let left = deadline.left(now());
        if left.is_zero() {
            return Err(Broken::Late);
        }
        if let Some(limit) = timeout.change(left, has_waited) {
            socket.set_write_timeout(Some(limit))?;
        }
        let chunk = slices.get(..SLICES_MAX).unwrap_or(slices);
        match socket.write_vectored(chunk) {
            Ok(0) => return Err(io::Error::from(IoErrorKind::BrokenPipe).into()),
            Ok(count) => {
                *written += count;
                IoSlice::advance_slices(&mut slices, count);
            }
            Err(error) if may_go_on(&error) => has_waited = true,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// True if an idle socket has anything to say: its end, an error, or bytes nobody asked for.
pub(super) fn has_hung_up(socket: &TcpStream) -> bool {
    if socket.set_nonblocking(true).is_err() {
        return true;
    }
    let peeked = socket.peek(&mut [0]);
    // A reading thread that meets the short moment of non-blocking mode sees WouldBlock and tries
    // again.
    let restored = socket.set_nonblocking(false);
    let is_quiet = peeked.is_err_and(|error| may_go_on(&error));
    restored.is_err() || !is_quiet
}

/// A signal, or the end of a wait: the deadline decides.
fn may_go_on(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        IoErrorKind::Interrupted | IoErrorKind::WouldBlock | IoErrorKind::TimedOut
    )
}
