//! The other end, in a process of its own: the embedded cluster, TLS in front of it, and bare
//! sockets that swallow and echo.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use milena::mock::MockCluster;

use crate::api_versions::add_fetch;
use crate::cells::{CELLS, topic};
use crate::raw::{ANSWER_BYTES, MESSAGE_BYTES};
use crate::tls;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints the addresses, lives until its input ends, and prints how many records there are.
pub(crate) fn run(is_tls: bool) -> Result<(), Failure> {
    let cluster = MockCluster::start(1);
    add_fetch(&cluster)?;
    cluster.discard_records();
    let mut partitions: Vec<i32> = CELLS.iter().map(|cell| cell.partitions).collect();
    partitions.sort_unstable();
    partitions.dedup();
    for count in &partitions {
        cluster.create_topic(&topic(*count), *count);
    }
    let mut bootstrap = cluster.bootstrap();
    if is_tls {
        let front = deciphered(bootstrap)?;
        cluster.advertise(1, "127.0.0.1", front.port().into());
        bootstrap = front.to_string();
    }
    println!("bootstrap {bootstrap}");
    let socket = listen(swallow)?;
    println!("rustls {}", deciphered(socket.clone())?);
    println!("socket {socket}");
    println!("ping-pong {}", listen(echo)?);

    io::copy(&mut io::stdin(), &mut io::sink())?;
    let mut records = 0;
    for count in partitions {
        for partition in 0..count {
            records += cluster.end_offset(&topic(count), partition);
        }
    }
    println!("records {records}");
    Ok(())
}

/// The address that deciphers what then goes to another one.
fn deciphered(behind: String) -> Result<SocketAddr, Failure> {
    let (config, listener) = (tls::server()?, TcpListener::bind("127.0.0.1:0")?);
    let address = listener.local_addr()?;
    thread::spawn(move || tls::front(listener, behind, config));
    Ok(address)
}

/// The address where each connection is served, by a thread of its own.
fn listen(
    serve: impl Fn(TcpStream) -> Result<(), Failure> + Clone + Send + 'static,
) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || {
                if let Err(error) = serve(socket) {
                    eprintln!("the null broker's socket: {error}");
                }
            });
        }
    });
    Ok(address)
}

const PIECE_BYTES: usize = 256 << 10;

/// All of them, and then one byte back.
fn swallow(mut socket: TcpStream) -> Result<(), Failure> {
    let mut piece = vec![0; PIECE_BYTES];
    while socket.read(&mut piece)? > 0 {}
    Ok(socket.write_all(b"k")?)
}

fn echo(mut socket: TcpStream) -> Result<(), Failure> {
    socket.set_nodelay(true)?;
    let mut message = [0; MESSAGE_BYTES];
    while socket.read_exact(&mut message).is_ok() {
        socket.write_all(&message[..ANSWER_BYTES])?;
    }
    Ok(())
}
