//! A TCP proxy between the clients and one broker, which does what networks do.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use super::dice::Dice;
use super::link::Link;

/// What can happen to the connections of a broker's clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing passes; what was on its way passes when it is over.
    BlackHole,
    /// Requests pass, answers wait: those of connections that have carried a produce request.
    AnswersWait,
    /// Of four produce requests one is written, and its connection ends instead of the answer.
    AnswersLost,
    /// One produce request of 20 is held for 1 to 6 s while the client sees its connection end, and
    /// is then written: it comes after what the client did next.
    LateRequests,
    /// One answer of four ends with the connection at a random byte.
    Cuts,
    /// Each answer takes 0 to 400 ms.
    Latency,
    /// 20 KB/s.
    SlowLink,
    /// All bytes come in pieces of 1 to 7.
    Slices,
    /// All connections are reset each 0.5 to 1.5 s, by whoever calls [`Proxy::reset`].
    Resets,
}

/// It ends with its connections when it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    links: Arc<Mutex<Vec<Weak<Link>>>>,
}

/// What the connections of a proxy share.
#[derive(Debug, Default)]
pub(super) struct State {
    broker: OnceLock<SocketAddr>,
    /// One bit for each [`Trouble`].
    troubles: AtomicU32,
    is_over: AtomicBool,
    pub(super) counts: Counts,
}

/// What was done to connections.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) connections: AtomicU64,
    pub(super) resets: AtomicU64,
    pub(super) cuts: AtomicU64,
    pub(super) answers_lost: AtomicU64,
    pub(super) late_requests: AtomicU64,
}

impl Proxy {
    /// Listens; connections pass once [`forward_to`](Self::forward_to) has said where to.
    pub(super) fn start(seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        let (state, links) = (Arc::<State>::default(), Arc::<Mutex<Vec<_>>>::default());
        let proxy = Self {
            address,
            state: state.clone(),
            links: links.clone(),
        };
        thread::spawn(move || accept(&listener, &state, &links, Dice::new(seed)));
        proxy
    }

    pub(super) fn forward_to(&self, broker: &str) {
        let broker = broker.parse().expect("an address of numbers");
        self.state.broker.set(broker).expect("said once");
    }

    pub(super) fn begin(&self, trouble: Trouble) {
        self.state.troubles.fetch_or(bit(trouble), Ordering::SeqCst);
    }

    pub(super) fn end(&self, trouble: Trouble) {
        self.state
            .troubles
            .fetch_and(!bit(trouble), Ordering::SeqCst);
    }

    /// Ends all connections, without a good-bye where the build knows how.
    pub(super) fn reset(&self) {
        let mut links = self.links.lock().expect("no panic");
        for link in links.drain(..).filter_map(|link| link.upgrade()) {
            link.reset();
            self.state.counts.resets.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.state.counts
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    pub(super) fn has(&self, trouble: Trouble) -> bool {
        self.troubles.load(Ordering::SeqCst) & bit(trouble) != 0
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

fn bit(trouble: Trouble) -> u32 {
    1 << trouble as u32
}

/// A client whose broker is down sees its connection end.
fn accept(
    listener: &TcpListener,
    state: &Arc<State>,
    links: &Mutex<Vec<Weak<Link>>>,
    mut dice: Dice,
) {
    for client in listener.incoming() {
        if state.is_over() {
            return;
        }
        state.counts.connections.fetch_add(1, Ordering::Relaxed);
        let connect = |broker| TcpStream::connect_timeout(broker, Duration::from_secs(1));
        let broker = state.broker.get().map(connect);
        let (Ok(client), Some(Ok(broker))) = (client, broker) else {
            continue;
        };
        let link = Link::start(client, broker, state.clone(), dice.roll());
        let mut links = links.lock().expect("no panic");
        links.retain(|link| link.strong_count() > 0);
        links.push(Arc::downgrade(&link));
    }
}
