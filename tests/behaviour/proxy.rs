//! What lies between a producer and a broker: a proxy that does to connections what networks do,
//! and ports behind which nobody is.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use milena::mock::MockCluster;
use socket2::{Domain, SockRef, Socket, Type};

/// Passes on what it is sent, as its [`Habits`] say.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

/// How a proxy treats the connections that it accepts from now on.
#[derive(Clone, Copy, Default)]
pub(crate) struct Habits {
    /// Everything goes on in pieces of so many bytes.
    pub(crate) slice: Option<usize>,
    /// Where the broker hangs up, the client sees a reset.
    pub(crate) resets: bool,
    /// A reset once the client has sent so many bytes.
    pub(crate) reset_after: Option<usize>,
}

#[derive(Default)]
struct Shared {
    target: Mutex<String>,
    habits: Mutex<Habits>,
    accepted: AtomicUsize,
    is_over: AtomicBool,
    sockets: Mutex<Vec<Arc<TcpStream>>>,
}

impl Proxy {
    pub(crate) fn to(target: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared::default());
        *lock(&shared.target) = target.into();
        let listening = shared.clone();
        let listener = std::thread::spawn(move || listening.listen(&listener));
        Self {
            address,
            shared,
            listener: Some(listener),
        }
    }

    /// One in front of a broker: clients are told the proxy's address.
    pub(crate) fn before(cluster: &MockCluster, node: i32) -> Self {
        let proxy = Self::to(cluster.address(node));
        cluster.advertise(node, "127.0.0.1", proxy.port());
        proxy
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn port(&self) -> i32 {
        self.address.port().into()
    }

    /// Where connections lead that come from now on.
    pub(crate) fn lead_to(&self, target: impl Into<String>) {
        *lock(&self.shared.target) = target.into();
    }

    pub(crate) fn set(&self, habits: Habits) {
        *lock(&self.shared.habits) = habits;
    }

    /// How many connections came.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        for socket in lock(&self.shared.sockets).drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        for accepted in listener.incoming() {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let Ok(client) = accepted else { continue };
            self.accepted.fetch_add(1, Ordering::SeqCst);
            let target = lock(&self.target).clone();
            let Ok(broker) = TcpStream::connect(target) else {
                continue;
            };
            let habits = *lock(&self.habits);
            self.connect(Arc::new(client), Arc::new(broker), habits);
        }
    }

    fn connect(self: &Arc<Self>, client: Arc<TcpStream>, broker: Arc<TcpStream>, habits: Habits) {
        for socket in [&client, &broker] {
            let _ = socket.set_nodelay(true);
            lock(&self.sockets).push(socket.clone());
        }
        let is_reset = Arc::new(AtomicBool::new(habits.resets));
        let ways = [
            (client.clone(), broker.clone(), habits.reset_after),
            (broker.clone(), client.clone(), None),
        ];
        for (from, to, limit) in ways {
            let (shared, client, is_reset) = (self.clone(), client.clone(), is_reset.clone());
            std::thread::spawn(move || {
                if pass_on(&from, &to, habits.slice, limit) {
                    is_reset.store(true, Ordering::SeqCst);
                }
                shared.end(&client, &[from, to], is_reset.load(Ordering::SeqCst));
            });
        }
    }

    /// Hangs up on both sides; the socket is reset when its last owner drops it, and nothing is
    /// said before.
    fn end(&self, client: &Arc<TcpStream>, both: &[Arc<TcpStream>; 2], is_reset: bool) {
        let mut sockets = lock(&self.sockets);
        sockets.retain(|socket| !both.iter().any(|ended| Arc::ptr_eq(socket, ended)));
        drop(sockets);
        for socket in both {
            let is_client = Arc::ptr_eq(socket, client);
            let how = match is_reset && is_client {
                true => {
                    let _ = SockRef::from(&**socket).set_linger(Some(Duration::ZERO));
                    Shutdown::Read
                }
                false => Shutdown::Both,
            };
            let _ = socket.shutdown(how);
        }
    }
}

/// True if the limit ended it.
fn pass_on(
    mut from: &TcpStream,
    mut to: &TcpStream,
    slice: Option<usize>,
    limit: Option<usize>,
) -> bool {
    let mut buffer = vec![0; 16 * 1024];
    let mut left = limit.unwrap_or(usize::MAX);
    while left > 0 {
        let most = buffer.len().min(left);
        let count = match from.read(&mut buffer[..most]) {
            Ok(0) | Err(_) => return false,
            Ok(count) => count,
        };
        left -= count;
        let mut pieces = buffer[..count].chunks(slice.unwrap_or(count));
        if pieces.any(|piece| to.write_all(piece).is_err()) {
            return false;
        }
    }
    // A reset before the client has said anything would refuse the connection.
    limit != Some(0) || from.peek(&mut [0]).is_ok()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A port of this machine at which nobody listens, nor will.
pub(crate) struct ClosedPort {
    pub(crate) address: SocketAddr,
    _socket: Socket,
}

impl ClosedPort {
    pub(crate) fn take() -> Self {
        let (socket, address) = bound();
        Self {
            address,
            _socket: socket,
        }
    }
}

fn bound() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).expect("a port");
    let address = socket.local_addr().expect("bound").as_socket();
    (socket, address.expect("an address of IPv4"))
}

/// A port that swallows what knocks: its queue of new connections is full.
pub(crate) struct BlackHole {
    pub(crate) address: SocketAddr,
    _sockets: (TcpListener, Vec<TcpStream>),
}

impl BlackHole {
    pub(crate) fn open() -> Self {
        let (socket, address) = bound();
        socket.listen(1).expect("a queue");
        let listener = TcpListener::from(socket);
        let mut queued = Vec::new();
        while let Ok(socket) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(socket);
            assert!(queued.len() < 10_000, "the queue has no end");
        }
        Self {
            address,
            _sockets: (listener, queued),
        }
    }
}
