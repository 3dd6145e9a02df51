//! A peer on a loopback socket that says what it is given, whatever it is asked.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use crate::config::{Address, Config, SecurityProtocol};
use crate::conn::{Connection, Connector, Interrupt};
use crate::error::Error;
use crate::time::Deadline;
use crate::wire::init_producer_id::InitProducerIdRequest;
use crate::wire::metadata::MetadataRequest;
use crate::wire::produce::ProduceRequest;

/// Every input ends, and the connection with it: nothing waits for so long.
const LIMIT: Duration = Duration::from_secs(60);

/// A good answer to ApiVersions in version 4: every API in every version.
const VERSIONS: &[u8] = &[
    0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 99, 0, 0, 3, 0, 0, 0, 99, 0, 0, 17, 0, 0, 0, 99, 0, 0, 18,
    0, 0, 0, 99, 0, 0, 22, 0, 0, 0, 99, 0, 0, 36, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0,
];

/// The frames of a connection whose opening went well. They are those that the lengths say, and end
/// with the first length that is none.
pub(super) fn frames(input: &[u8]) {
    let script = [&(VERSIONS.len() as u32).to_be_bytes(), VERSIONS, input].concat();
    let connection = connect(script, SecurityProtocol::Plaintext);
    let (_writer, mut reader) = connection.expect("the versions are good").split();
    let mut rest = input;
    loop {
        let length = rest.first_chunk().map(|length| i32::from_be_bytes(*length));
        let expected = length
            .and_then(|length| usize::try_from(length).ok())
            .filter(|length| *length >= 4)
            .and_then(|length| rest.get(4..4 + length));
        match reader.read_frame(Deadline::within(LIMIT)) {
            Ok(frame) => assert_eq!(Some(frame), expected),
            Err(error) => {
                assert!(!error.is_timeout(), "{error}");
                assert_eq!(expected, None, "{error}");
                return;
            }
        }
        let len = expected.map_or(0, <[u8]>::len);
        rest = rest.get(4 + len..).unwrap_or_default();
    }
}

/// A whole connection: opened, with SASL if the first byte is odd, and used as a producer does.
pub(super) fn opening(input: &[u8]) {
    let Some((first, script)) = input.split_first() else {
        return;
    };
    let security = match first % 2 {
        0 => SecurityProtocol::Plaintext,
        _ => SecurityProtocol::SaslPlaintext,
    };
    let used = connect(script.to_vec(), security).and_then(use_it);
    if let Err(error) = used {
        assert!(!error.is_timeout(), "{error}");
        let text = error.to_string();
        assert!(!text.contains("pa55") && text.len() < 4096, "{text}");
    }
}

fn use_it(mut connection: Connection) -> Result<(), Error> {
    let deadline = Deadline::within(LIMIT);
    let metadata = MetadataRequest {
        topics: None,
        allow_auto_topic_creation: false,
        include_operations: false,
    };
    connection.call(&metadata, deadline)?;
    let identity = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        producer_id: -1,
        producer_epoch: -1,
    };
    connection.call(&identity, deadline)?;
    connection.version::<ProduceRequest>()?;
    let (_writer, mut reader) = connection.split();
    loop {
        reader.read_frame(deadline)?;
    }
}

fn connect(script: Vec<u8>, security: SecurityProtocol) -> Result<Connection, Error> {
    thread_local! {
        static PEER: Peer = Peer::start();
    }
    let config = Config::new("127.0.0.1:1")
        .security_protocol(security)
        .sasl_plain("anna", "pa55");
    let connector = Connector::new(&config)?;
    PEER.with(|peer| {
        peer.scripts.send(script).expect("the peer never ends");
        let address = Address {
            host: "127.0.0.1".into(),
            port: peer.port,
        };
        connector.open(&address, &Interrupt::default(), Deadline::within(LIMIT))
    })
}

/// A thread that serves one connection after the other, each by its script.
struct Peer {
    port: u16,
    scripts: mpsc::Sender<Vec<u8>>,
}

impl Peer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().map_or(0, |address| address.port());
        let (scripts, script) = mpsc::channel::<Vec<u8>>();
        std::thread::spawn(move || {
            for script in script {
                let (socket, _) = listener.accept().expect("the fuzzer connects");
                serve(socket, &script);
            }
        });
        Self { port, scripts }
    }
}

fn serve(mut socket: TcpStream, script: &[u8]) {
    // The client may close before the script is at its end.
    let _ = socket.write_all(script);
    let _ = socket.shutdown(Shutdown::Write);
    let mut asked = [0; 4096];
    while socket.read(&mut asked).is_ok_and(|count| count > 0) {}
}
