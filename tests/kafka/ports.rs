//! Free ports, and the question that every broker answers.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Below 32768, where Linux takes the local ports of outgoing connections from. A broker's port
/// that is down for a restart would else be taken by a client, or a client that keeps trying to
/// connect to it would end up connected to itself.
const RANGE: std::ops::Range<u64> = 10_000..32_768;

/// `count` ports that nobody listens on right now.
pub(super) fn free_ports(count: usize) -> Vec<u16> {
    let mut ports = BTreeSet::new();
    let mut held = Vec::new();
    let random = RandomState::new();
    for attempt in 0..10_000_u32 {
        if ports.len() == count {
            break;
        }
        let port = RANGE.start + random.hash_one(attempt) % (RANGE.end - RANGE.start);
        let port = u16::try_from(port).expect("the range ends below 65536");
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push(listener);
            ports.insert(port);
        }
    }
    assert_eq!(ports.len(), count, "too few free ports");
    ports.into_iter().collect()
}

/// Whether anybody listens on this port of 127.0.0.1.
pub(super) fn listens(port: u16) -> bool {
    connect(port).is_some()
}

/// Whether the broker behind a PLAINTEXT port answers ApiVersions version 0, which each one knows.
pub(super) fn answers(port: u16) -> bool {
    let ask = |mut stream: TcpStream| {
        // Length, then header version 1: API key, API version, correlation id, a client id of null;
        // no body.
        let request = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
        stream.write_all(&request).ok()?;
        let mut answer = [0; 10];
        stream.read_exact(&mut answer).ok()?;
        // Length, correlation id, error code.
        (answer[4..] == [0, 0, 0, 7, 0, 0]).then_some(())
    };
    connect(port).and_then(ask).is_some()
}

fn connect(port: u16) -> Option<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    Some(stream)
}
