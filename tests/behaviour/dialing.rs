//! Producers whose connections are made by code of the application.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use milena::{ErrorKind, Outcome, Producer};

use crate::proxies::{HttpConnect, Socks5};
use crate::support::{
    SOON, cluster, config, config_for, delivered, failed, producer, send, values,
};

/// Hosts that only the proxy knows.
const NAMES: [&str; 2] = ["broker-1.internal", "broker-2.internal"];

/// A proxy with a name service of its own, for both protocols.
struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

struct Shared {
    /// What it was asked for, in that order.
    asked: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            asked: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let listening = shared.clone();
        let listener = std::thread::spawn(move || {
            for client in listener.incoming() {
                if listening.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = listening.clone();
                // A client that leaves early is not of interest.
                std::thread::spawn(move || client.and_then(|client| shared.serve(client)));
            }
        });
        Self {
            address,
            shared,
            listener: Some(listener),
        }
    }

    fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().expect("no panic").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let mut first = [0];
        client.peek(&mut first)?;
        let (host, port, good, bad): (_, _, &[u8], &[u8]) = match first {
            [5] => {
                let (host, port) = socks5(&mut client)?;
                let good = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
                (host, port, good, &[5, 4, 0, 1, 0, 0, 0, 0, 0, 0])
            }
            _ => {
                let (host, port) = connect(&mut client)?;
                let bad = b"HTTP/1.1 502 no such broker\r\n\r\n";
                (host, port, b"HTTP/1.1 200 it is yours\r\n\r\n", bad)
            }
        };
        self.asked.lock().expect("no panic").push(host.clone());
        if !NAMES.contains(&host.as_str()) {
            return client.write_all(bad);
        }
        let broker = TcpStream::connect(("127.0.0.1", port))?;
        client.write_all(good)?;
        let (mut from, mut to) = (client.try_clone()?, broker.try_clone()?);
        let upwards = std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut &broker, &mut &client);
        let _ = client.shutdown(Shutdown::Both);
        let _ = upwards.join();
        Ok(())
    }
}

/// RFC 1928 as far as CONNECT for a name, without a login.
fn socks5(client: &mut TcpStream) -> io::Result<(String, u16)> {
    let mut read = |count: usize| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    let methods = read(2)?[1];
    read(methods.into())?;
    client.write_all(&[5, 0])?;
    let mut read = |count: usize| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    let head = read(5)?;
    assert_eq!(head[..4], [5, 1, 0, 3], "a name, and no address");
    let host = String::from_utf8_lossy(&read(head[4].into())?).into_owned();
    let port = read(2)?;
    Ok((host, u16::from_be_bytes([port[0], port[1]])))
}

fn connect(client: &mut TcpStream) -> io::Result<(String, u16)> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split_once(' '));
    let (host, port) = target
        .and_then(|(target, _)| target.rsplit_once(':'))
        .expect("CONNECT");
    Ok((host.to_owned(), port.parse().expect("a port")))
}

#[test]
fn every_connection_goes_through_the_proxy_which_looks_up_the_names() {
    for is_socks in [true, false] {
        let cluster = cluster(2, 2);
        let ports: Vec<i32> = (1..=2).map(|node| port(&cluster.address(node))).collect();
        for (node, (name, port)) in (1..).zip(NAMES.into_iter().zip(&ports)) {
            cluster.advertise(node, name, *port);
        }
        let proxy = Proxy::start();
        let config = config_for(format!("{}:{}", NAMES[0], ports[0]));
        let config = match is_socks {
            true => config.dialer(Socks5 {
                proxy: proxy.address.to_string(),
                login: None,
            }),
            false => config.dialer(HttpConnect {
                proxy: proxy.address.to_string(),
            }),
        };
        let producer = producer(config.idempotence(true));
        for partition in 0..2 {
            delivered(&send(&producer, partition, "v"));
            assert_eq!(values(&cluster, partition), ["v"]);
        }
        // Nothing reached a broker but by the proxy: it made as many connections as they have had.
        let requests = cluster.requests();
        let mut connections: Vec<usize> = requests.iter().map(|one| one.connection).collect();
        connections.sort_unstable();
        connections.dedup();
        let asked = proxy.asked();
        assert_eq!(asked.len(), connections.len(), "{asked:?}");
        assert!(
            NAMES.iter().all(|name| asked.iter().any(|one| one == name)),
            "{asked:?}"
        );
    }
}

fn port(address: &str) -> i32 {
    let port = address.rsplit(':').next().expect("host:port");
    port.parse().expect("a port")
}

#[test]
fn what_a_proxy_refuses_is_in_the_error_of_the_record() {
    let proxy = Proxy::start();
    let address = proxy.address.to_string();
    let config = || {
        let config = config_for("elsewhere.internal:9092".into());
        config.max_block(Duration::from_millis(300))
    };
    for (config, says) in [
        (
            config().dialer(Socks5 {
                proxy: address.clone(),
                login: None,
            }),
            "::Socks5 failed: ",
        ),
        (
            config().dialer(HttpConnect {
                proxy: address.clone(),
            }),
            "::HttpConnect failed: the proxy answered \"HTTP/1.1 502 no such broker\"",
        ),
    ] {
        let error = failed(&send(&producer(config), 0, "v"));
        assert_eq!(error.outcome(), Outcome::NotWritten);
        let text = error.to_string();
        assert!(
            text.contains("broker elsewhere.internal:9092: connect: the dialer "),
            "{text}"
        );
        assert!(text.contains(says), "{text}");
    }
    assert!(!proxy.asked().is_empty());
}

#[test]
fn a_dialer_that_fails_panics_or_sleeps_costs_time_and_no_record() {
    let cluster = cluster(1, 1);
    let calls = Arc::new(AtomicUsize::new(0));
    let (counted, broker) = (calls.clone(), cluster.address(1));
    let config = config(&cluster)
        .connection_setup_timeout(Duration::from_millis(200))
        .connection_setup_timeout_max(Duration::from_millis(200))
        .max_block(SOON)
        .dialer(move |_: &str, _: u16, timeout: Duration| {
            match counted.fetch_add(1, Ordering::SeqCst) {
                0 | 4 => std::panic::resume_unwind(Box::new("a mistake")),
                1 | 5 => Err(io::Error::other("not today")),
                // Longer than anybody waits; what it gives then is of no more use.
                2 | 6 => {
                    std::thread::sleep(timeout * 2);
                    TcpStream::connect(&broker)
                }
                _ => TcpStream::connect(&broker),
            }
        });
    let producer = producer(config);
    delivered(&send(&producer, 0, "v"));
    assert_eq!(values(&cluster, 0), ["v"]);
    assert!(calls.load(Ordering::SeqCst) >= 8);
}

#[test]
fn a_dialer_that_never_comes_back_holds_up_neither_results_nor_close() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let config = config_for("nowhere.internal:9092".into())
        .connection_setup_timeout(SOON)
        .max_block(Duration::from_millis(200))
        .dialer(move |_: &str, _: u16, _: Duration| {
            let _ = wait.lock().map(|wait| wait.recv());
            Err(io::Error::other("released"))
        });
    let producer = Producer::new(config).expect("good settings");
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let start = std::time::Instant::now();
    producer.close().expect("nothing is left");
    assert!(start.elapsed() < SOON, "close has waited for the dialer");
    drop(release);
}
