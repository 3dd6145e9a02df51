//! From names to sockets.

use std::net::{Ipv4Addr, SocketAddr};

use super::super::tcp::{Dialer, Timeout};
use super::*;

fn nobody() -> SocketAddr {
    // Bound and closed again: nothing listens there.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

fn connect(dialer: &Dialer, peers: &[SocketAddr], deadline: Deadline) -> Result<SocketAddr, Error> {
    let address = Address::new("kafka-1", 9092);
    let connected = dialer.connect_any(&address, peers.to_vec(), &Interrupt::default(), deadline);
    connected.map(|(_, peer)| peer)
}

#[test]
fn every_address_is_tried_and_the_next_attempt_starts_behind_the_one_that_failed() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let good = listener.local_addr().unwrap();
    let (closed, also_closed) = (nobody(), nobody());
    let dialer = Dialer::default();
    let peers = [closed, good, also_closed];
    assert_eq!(connect(&dialer, &peers, patience()).unwrap(), good);
    let error = connect(&dialer, &[closed, also_closed], patience()).unwrap_err();
    // `closed` failed last in the call before, so `also_closed` came first in this one.
    assert_eq!(
        error.to_string(),
        format!(
            "broker kafka-1:9092: connect: {also_closed}: connection refused, {closed}: connection \
             refused"
        )
    );
    assert_eq!(error.kind(), ErrorKind::Connection);
    dialer.note_failure(&Address::new("kafka-1", 9092), good);
    let error = connect(&dialer, &[good, closed], Deadline::within(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[cfg(feature = "socket-buffers")]
#[test]
fn an_address_that_swallows_everything_leaves_time_for_the_next() {
    use socket2::{Domain, Socket, Type};

    // A listener whose queue is full: the system answers no further attempt.
    let hole = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    hole.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    hole.listen(0).unwrap();
    let swallowed = hole.local_addr().unwrap().as_socket().unwrap();
    let mut queue = Vec::new();
    while let Ok(socket) = TcpStream::connect_timeout(&swallowed, Duration::from_millis(100)) {
        queue.push(socket);
        assert!(queue.len() < 100);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let good = listener.local_addr().unwrap();
    let dialer = Dialer::default();
    let deadline = Deadline::within(Duration::from_millis(600));
    assert_eq!(
        connect(&dialer, &[swallowed, good], deadline).unwrap(),
        good
    );
    let error = connect(&dialer, &[swallowed], soon()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("no answer within"), "{error}");
}

#[test]
fn a_name_that_has_no_address_is_told_from_one_that_does_not_answer() {
    let address = Address::new("no-such-host.invalid", 9092);
    let error = open(&plaintext(), &address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let text = error.to_string();
    assert!(
        text.starts_with("broker no-such-host.invalid:9092: resolve: "),
        "{text}"
    );
}

#[test]
fn an_interrupt_that_fired_lets_nothing_begin() {
    let interrupt = Interrupt::default();
    interrupt.clone().fire();
    let address = Address::new("localhost", nobody().port());
    let error = plaintext()
        .open(&address, &interrupt, patience())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[cfg(feature = "socket-buffers")]
#[test]
fn buffer_sizes_reach_the_socket() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let dialer = Dialer::new(Some(16 << 10), Some(32 << 10)).unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let (socket, _) = dialer
        .connect(&address, &Interrupt::default(), patience())
        .unwrap();
    assert!(socket.nodelay().unwrap());
    let socket = socket2::SockRef::from(&socket);
    assert!(socket.keepalive().unwrap());
    let (send, receive) = (socket.send_buffer_size(), socket.recv_buffer_size());
    // Linux doubles what is asked for.
    assert!((16 << 10..=32 << 10).contains(&send.unwrap()));
    assert!((32 << 10..=64 << 10).contains(&receive.unwrap()));
}

#[cfg(not(feature = "socket-buffers"))]
#[test]
fn buffer_sizes_without_their_feature_are_refused() {
    let error = Dialer::new(None, Some(1 << 20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "receive.buffer.bytes needs the cargo feature \"socket-buffers\""
    );
}

#[test]
fn the_time_limit_of_a_socket_never_exceeds_what_is_left_and_changes_rarely() {
    let mut timeout = Timeout::default();
    let mut set = timeout.change(Duration::from_secs(30), false).unwrap();
    assert!(
        timeout
            .change(Duration::from_millis(29_990), true)
            .is_none()
    );
    let mut changes = 0;
    for left_ms in (0..30_000).rev() {
        let left = Duration::from_millis(left_ms);
        if let Some(changed) = timeout.change(left, true) {
            set = changed;
            changes += 1;
        }
        assert!(set <= left.max(Duration::from_millis(1)) && set >= left / 2);
    }
    assert!(changes < 100, "{changes}");
    assert!(
        timeout.change(Duration::MAX, false).is_none(),
        "nothing was waited for"
    );
    assert!(timeout.change(Duration::MAX, true).is_some());
}

#[test]
fn addresses_are_shown_as_they_are_written() {
    assert_eq!(Address::new("kafka-1", 9092).to_string(), "kafka-1:9092");
    assert_eq!(Address::new("::1", 9092).to_string(), "[::1]:9092");
}
