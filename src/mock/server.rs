//! Sockets and threads: a listener for each broker; for each connection a thread that reads
//! requests and one that handles and answers them in order.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::arrival::Arrived;
use super::discard::discard_all;
use super::exchange::{Flow, exchange, wait};
use super::session::Session;
use super::state::{Connection, HOST, Login, Mood, Shared};
use crate::sync::{Arc, Mutex};
use crate::time::{Deadline, now};

/// The sockets and threads of one broker.
#[derive(Debug)]
pub(super) struct Server {
    node: i32,
    port: u16,
    shared: Arc<Shared>,
    threads: Arc<Threads>,
    /// `None` while the broker is stopped.
    listener: Mutex<Option<JoinHandle<()>>>,
    /// Both ends of a connection to the broker that nobody uses. While it lives, no other socket of
    /// the machine is given the port, so a stopped broker finds it free when it starts again.
    _port_keeper: (TcpStream, TcpStream),
}

/// The threads of the connections of one broker.
#[derive(Debug, Default)]
struct Threads(Mutex<Vec<JoinHandle<()>>>);

/// What the threads of a connection need.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) connection: usize,
    pub(super) socket: Arc<TcpStream>,
}

/// Kafka's default for `socket.request.max.bytes`.
pub(super) const REQUEST_LEN_MAX: usize = 100 * 1024 * 1024;
/// Requests that wait for earlier ones of their connection; more are left in the socket.
const QUEUED_REQUESTS_MAX: usize = 256;
/// A frame is read in pieces of this size, so that memory follows what was really sent.
const READ_LEN_MAX: usize = 64 * 1024;
/// How long a broker that starts again waits for its port.
const BIND_LIMIT: Duration = Duration::from_secs(10);
const BIND_PAUSE: Duration = Duration::from_millis(5);
/// The pause after a failed accept, which tends to fail again at once (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A port of the loopback interface, and what keeps it.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    listener: TcpListener,
    keeper: (TcpStream, TcpStream),
}

impl Port {
    /// Takes a free one.
    pub(super) fn take() -> std::io::Result<Self> {
        let listener = TcpListener::bind((HOST, 0))?;
        let address = listener.local_addr()?;
        let near = TcpStream::connect(address)?;
        loop {
            let (far, peer) = listener.accept()?;
            if peer == near.local_addr()? {
                return Ok(Self {
                    number: address.port(),
                    listener,
                    keeper: (near, far),
                });
            }
        }
    }
}

impl Server {
    pub(super) fn node(&self) -> i32 {
        self.node
    }

    pub(super) fn start(shared: &Arc<Shared>, node: i32, port: Port) -> Self {
        let server = Self {
            node,
            port: port.number,
            shared: Arc::clone(shared),
            threads: Arc::default(),
            listener: Mutex::default(),
            _port_keeper: port.keeper,
        };
        server.listen(port.listener);
        server
    }

    /// Listens on the same port as before.
    pub(super) fn restart(&self) -> std::io::Result<()> {
        if self.listener.lock().is_some() {
            return Ok(());
        }
        let deadline = Deadline::within(BIND_LIMIT);
        let listener = loop {
            match TcpListener::bind((HOST, self.port)) {
                Err(error)
                    if error.kind() == ErrorKind::AddrInUse && !deadline.has_passed(now()) =>
                {
                    std::thread::sleep(BIND_PAUSE);
                }
                bound => break bound?,
            }
        };
        self.shared.update(|state| {
            if let Some(node) = state.node_mut(self.node) {
                node.is_running = true;
                node.mood = Mood::Well;
            }
            state.elect_again(self.node);
        });
        self.listen(listener);
        Ok(())
    }

    /// Closes the port and all connections, and waits for their threads.
    pub(super) fn stop(&self) {
        let listener = self.listener.lock().take();
        let Some(listener) = listener else {
            return;
        };
        self.shared.update(|state| {
            if let Some(node) = state.node_mut(self.node) {
                node.is_running = false;
            }
            state.close_all(self.node);
        });
        // The listener sees that it has to end when it has accepted something; if this fails, then
        // because it is gone already.
        drop(TcpStream::connect((HOST, self.port)));
        join(listener);
        let threads = std::mem::take(&mut *self.threads.0.lock());
        threads.into_iter().for_each(join);
    }

    fn listen(&self, listener: TcpListener) {
        let (node, shared) = (self.node, Arc::clone(&self.shared));
        let threads = Arc::clone(&self.threads);
        let accept = move || accept_all(node, &listener, &shared, &threads);
        let listener = spawn(format!("mock-listener-{node}"), accept);
        *self.listener.lock() = Some(listener);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Threads {
    /// Keeps a thread to wait for later, and forgets those that have ended.
    fn add(&self, thread: JoinHandle<()>) {
        let mut threads = self.0.lock();
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
    }
}

fn accept_all(node: i32, listener: &TcpListener, shared: &Arc<Shared>, threads: &Threads) {
    loop {
        let socket = listener.accept();
        if !can_accept(node, shared) {
            return;
        }
        let connected = socket.and_then(|(socket, _)| connect(node, socket, shared));
        match connected {
            Ok(Some(link)) => serve(link, threads),
            Ok(None) => return,
            Err(error) => {
                log::debug!("mock broker {node} could not accept: {error}");
                std::thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

/// Waits while the broker is frozen; `false` once it is stopped.
fn can_accept(node: i32, shared: &Shared) -> bool {
    let can_accept = shared.wait(None, |state| match state.node(node) {
        Some(node) if node.is_running => (node.mood != Mood::Frozen).then_some(true),
        _ => Some(false),
    });
    can_accept == Some(true)
}

/// Enters the connection into the state, unless the broker was stopped.
fn connect(node: i32, socket: TcpStream, shared: &Arc<Shared>) -> std::io::Result<Option<Link>> {
    socket.set_nodelay(true)?;
    let socket = Arc::new(socket);
    let connection = shared.update(|state| {
        if !state.is_running(node) {
            return None;
        }
        state.connections.push(Connection {
            node,
            socket: Some(Arc::clone(&socket)),
            requests: 0,
            unanswered: 0,
            login: match state.settings.wants_logins() {
                true => Login::Needed,
                false => Login::NotNeeded,
            },
            scram: None,
            bearer: None,
            session: Session::default(),
        });
        Some(state.connections.len() - 1)
    });
    Ok(connection.map(|connection| Link {
        shared: Arc::clone(shared),
        connection,
        socket,
    }))
}

fn serve(link: Link, threads: &Threads) {
    let id = link.connection;
    if link.shared.read(|state| state.settings.discards) {
        let discard = move || discard_all(&link);
        return threads.add(spawn(format!("mock-discarder-{id}"), discard));
    }
    let (queue, arrivals) = sync_channel(QUEUED_REQUESTS_MAX);
    let reading = link.clone();
    let read = move || read_all(&reading, &queue);
    threads.add(spawn(format!("mock-reader-{id}"), read));
    let answer = move || answer_all(&link, &arrivals);
    threads.add(spawn(format!("mock-handler-{id}"), answer));
}

fn read_all(link: &Link, queue: &SyncSender<Arrived>) {
    while let Some(frame) = read_frame(link) {
        let arrived = link
            .shared
            .update(|state| Arrived::enter(state, link.connection, frame));
        if arrived.is_none_or(|arrived| queue.send(arrived).is_err()) {
            return;
        }
    }
}

/// A request without its length; `None` if the connection has ended.
fn read_frame(link: &Link) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    read_exact(link, &mut len)?;
    let len = usize::try_from(i32::from_be_bytes(len)).ok()?;
    if len > REQUEST_LEN_MAX {
        log::debug!("mock broker closes a connection: request of {len} bytes");
        link.close();
        return None;
    }
    let mut frame = Vec::new();
    while frame.len() < len {
        let start = frame.len();
        frame.resize(len.min(start + READ_LEN_MAX), 0);
        read_exact(link, &mut frame[start..])?;
    }
    link.until_thawed()?;
    Some(frame)
}

fn read_exact(link: &Link, buffer: &mut [u8]) -> Option<()> {
    let mut rest = buffer;
    while !rest.is_empty() {
        let (bytes, pause) = match link.until_thawed()? {
            Mood::Slow { bytes, pause } => (bytes.min(rest.len()), pause),
            _ => (rest.len(), Duration::ZERO),
        };
        let (piece, later) = rest.split_at_mut(bytes);
        (&*link.socket).read_exact(piece).ok()?;
        wait(link, pause)?;
        rest = later;
    }
    Some(())
}

fn answer_all(link: &Link, arrivals: &Receiver<Arrived>) {
    // However this thread ends, the client sees that nobody answers any more.
    let _hang_up = HangUp(link);
    for arrived in arrivals {
        match exchange(link, &arrived) {
            Flow::Next => {}
            Flow::Close => return,
            // Reading goes on: the test may want to see what the client still sends.
            Flow::Silence => return arrivals.iter().for_each(drop),
        }
    }
}

impl Link {
    pub(super) fn close(&self) {
        self.shared.update(|state| state.close(self.connection));
    }

    /// Waits while the broker is frozen; then tells how it is, or `None` if the connection was
    /// closed.
    pub(super) fn until_thawed(&self) -> Option<Mood> {
        let mood = self
            .shared
            .wait(None, |state| match state.mood_of(self.connection) {
                Some(Mood::Frozen) => None,
                mood => Some(mood),
            });
        mood.flatten()
    }

    /// `None` if the client has gone, or the broker was stopped.
    pub(super) fn write(&self, bytes: &[u8]) -> Option<()> {
        (&*self.socket).write_all(bytes).ok()
    }
}

/// Hangs up when it is dropped.
pub(super) struct HangUp<'a>(pub(super) &'a Link);

impl Drop for HangUp<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let thread = std::thread::Builder::new().name(name).spawn(run);
    thread.expect("a mock cluster needs threads")
}

fn join(thread: JoinHandle<()>) {
    // A thread that panicked has said so; the test that runs it goes on without its answers.
    let _ = thread.join();
}
