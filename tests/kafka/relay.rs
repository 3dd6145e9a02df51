//! What stands between clients and a broker: it counts their connections and cuts them.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

/// Passes bytes on, whatever they are, for as long as the process lives.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    broker: OnceLock<String>,
    count: AtomicU32,
    clients: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Listens on 127.0.0.1; who comes before [`forward_to`](Self::forward_to) is sent away.
    pub(crate) fn start() -> Self {
        Self::at(Ipv4Addr::LOCALHOST)
    }

    /// The same, on another address of this machine.
    pub(crate) fn at(address: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a port for the relay");
        let address = listener.local_addr().expect("the address of the relay");
        let state = Arc::<State>::default();
        let own = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                own.count.fetch_add(1, Ordering::Relaxed);
                let broker = own.broker.get().map(TcpStream::connect);
                if let Some(Ok(broker)) = broker {
                    own.clients.lock().expect("no panic").push(share(&client));
                    forward(client, broker);
                }
            }
        });
        Self { address, state }
    }

    /// One that is in front of `broker` from the start.
    pub(crate) fn before(broker: &str) -> Self {
        let relay = Self::start();
        relay.forward_to(broker);
        relay
    }

    pub(crate) fn forward_to(&self, broker: &str) {
        let is_first = self.state.broker.set(broker.to_owned()).is_ok();
        assert!(is_first, "a relay has one broker");
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections came.
    pub(crate) fn count(&self) -> u32 {
        self.state.count.load(Ordering::Relaxed)
    }

    /// Ends all connections, wherever they are in what they say.
    pub(crate) fn cut(&self) {
        for client in self.state.clients.lock().expect("no panic").drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

fn forward(client: TcpStream, broker: TcpStream) {
    let ways = [(share(&client), share(&broker)), (broker, client)];
    for (mut from, mut to) in ways {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}

fn share(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("share a socket")
}
