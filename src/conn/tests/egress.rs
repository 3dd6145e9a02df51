//! Connections that code of the application makes.

use std::io;
use std::sync::mpsc;

use super::super::egress::Egress;
use super::*;
use crate::dial::{Dial, RegisteredDialer};
use crate::time::now;

fn through(dialer: impl Dial + 'static) -> Connector {
    Connector {
        egress: Some(Egress::new(RegisteredDialer::new(dialer))),
        ..plaintext()
    }
}

/// A name that no resolver knows.
fn address() -> Address {
    Address::new("kafka-7.internal", 9092)
}

#[test]
fn a_dialer_is_handed_names_and_its_stream_may_be_in_any_state() {
    let (proxy, thread) = peer(|mut socket| {
        serve_versions(&mut socket);
        drain(&mut socket)
    });
    let (told, asked) = mpsc::channel();
    let connector = through(move |host: &str, port: u16, timeout: Duration| {
        told.send((host.to_owned(), port, timeout)).unwrap();
        let stream = TcpStream::connect((proxy.host.as_str(), proxy.port))?;
        stream.set_read_timeout(Some(Duration::from_millis(1)))?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    });
    let connection = open(&connector, &address()).unwrap();
    let (host, port, timeout) = asked.recv().unwrap();
    assert_eq!((host.as_str(), port), ("kafka-7.internal", 9092));
    assert!(timeout <= patience().limit() && timeout > patience().limit() / 2);
    assert_eq!(connection.address(), &address());
    // It waits for what it reads: the other mode would spin.
    let (socket, limit) = (&connection.read.link.socket, Duration::from_millis(40));
    socket.set_read_timeout(Some(limit)).unwrap();
    let start = now();
    socket.peek(&mut [0]).unwrap_err();
    assert!(now() - start >= limit / 2);
    drop(connection);
    thread.join().unwrap();
}

#[test]
fn what_a_dialer_says_is_in_the_error_with_its_name() {
    type Dialer = fn(&str, u16, Duration) -> io::Result<TcpStream>;
    let panics: Dialer = |_, _, _| std::panic::resume_unwind(Box::new("no route\nat all"));
    let refuses: Dialer = |_, _, _| Err(io::Error::other("the proxy says\x1b no"));
    let late: Dialer = |_, _, _| Err(io::ErrorKind::TimedOut.into());
    for (dialer, kind, says) in [
        (panics, ErrorKind::Application, "panicked: no route at all"),
        (refuses, ErrorKind::Connection, "failed: the proxy says  no"),
        (late, ErrorKind::TimedOut, "failed: no answer"),
    ] {
        let error = open(&through(dialer), &address()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let name = std::any::type_name::<Dialer>();
        assert_eq!(
            error.to_string(),
            format!("broker kafka-7.internal:9092: connect: the dialer {name} {says}")
        );
    }
}

#[test]
fn a_stream_that_leads_nowhere_is_an_error() {
    use socket2::{Domain, Socket, Type};

    let connector = through(|_: &str, _: u16, _: Duration| {
        Ok(Socket::new(Domain::IPV4, Type::STREAM, None)?.into())
    });
    let error = open(&connector, &address()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    assert!(
        error.to_string().contains("connect: the dialer "),
        "{error}"
    );
}

#[test]
fn a_dialer_that_does_not_come_back_is_given_up_and_not_called_without_end() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = crate::sync::Mutex::new(wait);
    let connector = through(move |_: &str, _: u16, _: Duration| {
        // Until the test ends.
        let _ = wait.lock().recv();
        Err(io::Error::other("released"))
    });
    let try_once = |deadline| {
        let interrupt = Interrupt::default();
        let error = connector.open(&address(), &interrupt, deadline);
        error.unwrap_err()
    };
    let error = try_once(soon());
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(
        error
            .to_string()
            .ends_with(" has no connection after 150 ms"),
        "{error}"
    );
    let now_and_then = || Deadline::within(Duration::from_millis(1));
    for _ in 1..100 {
        assert_eq!(try_once(now_and_then()).kind(), ErrorKind::TimedOut);
    }
    let error = try_once(patience());
    let says = " has not come back from 100 earlier calls";
    assert!(error.to_string().ends_with(says), "{error}");
    drop(release);
    // Those that came back make room.
    let start = now();
    while !try_once(patience())
        .to_string()
        .ends_with(" failed: released")
    {
        assert!(now() - start < patience().limit());
        crate::sync::thread::yield_now();
    }
}

#[test]
fn an_interrupt_ends_the_wait_for_a_dialer() {
    let (entered, has_entered) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let wait = crate::sync::Mutex::new(wait);
    let connector = through(move |_: &str, _: u16, _: Duration| {
        entered.send(()).unwrap();
        let _ = wait.lock().recv();
        Err(io::Error::other("released"))
    });
    let interrupt = Interrupt::default();
    let firing = interrupt.clone();
    let thread = std::thread::spawn(move || {
        has_entered.recv().unwrap();
        firing.fire();
    });
    let never = Deadline::within(Duration::from_secs(3600));
    let error = connector.open(&address(), &interrupt, never).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    thread.join().unwrap();
    drop(release);
}

#[cfg(any(feature = "tls-graviola", feature = "tls-ring"))]
#[test]
fn tls_asks_for_the_broker_and_not_for_the_proxy() {
    let (proxy, thread) = peer(|mut socket| {
        let mut hello = vec![0; 1 << 14];
        let count = socket.read(&mut hello).unwrap();
        String::from_utf8_lossy(&hello[..count]).into_owned()
    });
    let dialer = tcp::Dialer::default();
    let with = Connector::with("tester", SecurityProtocol::Ssl, dialer, &no_tls(), None);
    let connector = Connector {
        egress: through(move |_: &str, _: u16, _: Duration| {
            TcpStream::connect((proxy.host.as_str(), proxy.port))
        })
        .egress,
        ..with.unwrap()
    };
    open(&connector, &address()).unwrap_err();
    assert!(thread.join().unwrap().contains("kafka-7.internal"));
}
