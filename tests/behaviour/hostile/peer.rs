//! A broker of which every byte is scripted: for what the embedded cluster is too honest for.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use milena::Config;

pub(super) const PRODUCE: i16 = 0;
pub(super) const METADATA: i16 = 3;
pub(super) const API_VERSIONS: i16 = 18;
pub(super) const INIT_PRODUCER_ID: i16 = 22;

/// The only broker of a cluster with a topic `t` of two partitions.
pub(super) struct Peer {
    port: u16,
    facts: Arc<Facts>,
}

/// A request.
pub(super) struct Asked {
    pub(super) api: i16,
    pub(super) id: i32,
    /// Of the first batch, if it is a produce request.
    pub(super) partition: i32,
    port: u16,
}

/// What is said to a request.
pub(super) enum Say {
    /// What a good broker says; records get offset 0.
    Truth,
    Bytes(Vec<u8>),
    /// The same again and again, until the client closes.
    Endless(Vec<u8>),
    /// Bytes, and the connection is closed.
    LastBytes(Vec<u8>),
}

type Script = Box<dyn FnMut(&Asked) -> Say + Send>;

struct Facts {
    script: Mutex<Script>,
    accepted: AtomicUsize,
    closed: AtomicUsize,
}

impl Peer {
    pub(super) fn start(script: impl FnMut(&Asked) -> Say + Send + 'static) -> Self {
        Self::greeting(Vec::new(), script)
    }

    /// Says something on the first connection before it is asked.
    pub(super) fn greeting(
        words: Vec<u8>,
        script: impl FnMut(&Asked) -> Say + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let facts = Arc::new(Facts {
            script: Mutex::new(Box::new(script)),
            accepted: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&facts);
        // It ends with the process; its connections end with the producer.
        std::thread::spawn(move || {
            for (connection, socket) in listener.incoming().flatten().enumerate() {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                let (facts, words) = (Arc::clone(&shared), words.clone());
                std::thread::spawn(move || {
                    let greeting: &[u8] = if connection == 0 { &words } else { &[] };
                    serve(&socket, port, greeting, &facts);
                    let _ = socket.shutdown(Shutdown::Both);
                    facts.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, facts }
    }

    pub(super) fn config(&self) -> Config {
        Config::new(format!("127.0.0.1:{}", self.port))
            .retry_backoff(Duration::from_millis(5))
            .retry_backoff_max(Duration::from_millis(20))
            .reconnect_backoff(Duration::from_millis(5))
            .reconnect_backoff_max(Duration::from_millis(20))
            .batch_size(0)
    }

    /// How many connections came, and how many of them are over.
    pub(super) fn connections(&self) -> (usize, usize) {
        let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
        (count(&self.facts.accepted), count(&self.facts.closed))
    }
}

fn serve(mut socket: &TcpStream, port: u16, greeting: &[u8], facts: &Facts) {
    if socket.write_all(greeting).is_err() {
        return;
    }
    while let Some(asked) = hear(socket, port) {
        let say = {
            let mut script = facts.script.lock().expect("no script panics");
            script(&asked)
        };
        let said = match say {
            Say::Truth => socket.write_all(&truth(&asked)),
            Say::Bytes(bytes) => socket.write_all(&bytes),
            Say::LastBytes(bytes) => return drop(socket.write_all(&bytes)),
            Say::Endless(bytes) => loop {
                if let Err(error) = socket.write_all(&bytes) {
                    break Err(error);
                }
            },
        };
        if said.is_err() {
            return;
        }
    }
}

fn hear(mut socket: &TcpStream, port: u16) -> Option<Asked> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut frame).ok()?;
    let i16_at = |at: usize| Some(i16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
    let i32_at = |at: usize| Some(i32::from_be_bytes(*frame.get(at..)?.first_chunk()?));
    // Key, version, id, client id; then no transactional id, acks, time-out, one topic, "t", one
    // partition.
    let body = 10 + usize::try_from(i16_at(8)?).unwrap_or(0);
    Some(Asked {
        port,
        api: i16_at(0)?,
        id: i32_at(4)?,
        partition: i32_at(body + 2 + 2 + 4 + 4 + 3 + 4).unwrap_or(-1),
    })
}

/// A frame around an answer.
pub(super) fn framed(id: i32, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = i32::try_from(body.len() + 4).expect("a short answer");
    [&length.to_be_bytes()[..], &id.to_be_bytes(), &body].concat()
}

/// An answer to Produce, version 3.
pub(super) fn acknowledged(id: i32, partition: i32, offset: i64) -> Vec<u8> {
    framed(
        id,
        &[
            &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1],
            &partition.to_be_bytes(),
            &[0, 0],
            &offset.to_be_bytes(),
            &[0xff; 8],
            &[0; 4],
        ],
    )
}

fn truth(asked: &Asked) -> Vec<u8> {
    match asked.api {
        PRODUCE => acknowledged(asked.id, asked.partition, 0),
        METADATA => framed(asked.id, &[&metadata(asked.port)]),
        INIT_PRODUCER_ID => framed(asked.id, &[&[0; 4], &[0, 0], &[0; 7], &[9], &[0, 0]]),
        API_VERSIONS => framed(asked.id, &[VERSIONS]),
        other => panic!("a request for API {other}"),
    }
}

/// Version 4 of the answer: Produce 3, Metadata 4, ApiVersions to 4, InitProducerId 0.
#[rustfmt::skip]
pub(super) const VERSIONS: &[u8] = &[
    0, 0, 5,
    0, 0, 0, 3, 0, 3, 0,
    0, 3, 0, 4, 0, 4, 0,
    0, 18, 0, 0, 0, 4, 0,
    0, 22, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0,
];

/// Version 4: broker 1 leads both partitions.
fn metadata(port: u16) -> Vec<u8> {
    let partition = |index: u8| {
        let leader = [0, 0, 0, 0, 0, index, 0, 0, 0, 1];
        [&leader[..], &[0, 0, 0, 1, 0, 0, 0, 1].repeat(2)].concat()
    };
    let host = b"127.0.0.1";
    [
        &[0; 4],
        &[0, 0, 0, 1, 0, 0, 0, 1, 0, host.len() as u8][..],
        host,
        &i32::from(port).to_be_bytes(),
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 1],
        &[0, 0, 0, 1, 0, 0, 0, 1, b't', 0, 0, 0, 0, 2],
        &partition(0),
        &partition(1),
    ]
    .concat()
}
