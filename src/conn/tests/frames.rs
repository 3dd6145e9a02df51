//! Bytes on an established connection: frames in pieces, nonsense, deadlines, hang-ups, interrupts.

use std::io::{Read, Write};
use std::time::Duration;

use super::super::diagnosis::{Broken, FRAME_BYTES_MAX};
use super::*;
use crate::time::now;

fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

#[test]
fn frames_arrive_whole_however_they_are_cut() {
    let bodies: Vec<Vec<u8>> = [4, 5, 100, 4096, 5000, 70_000, 4]
        .iter()
        .map(|&len| (0..len).map(|at| (at * 7 + len) as u8).collect())
        .collect();
    for step in [1, 3, 4, 1000, 1 << 20] {
        let bytes: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
        let (link, thread) = link(move |mut socket| {
            socket.set_nodelay(true).unwrap();
            bytes
                .chunks(step)
                .for_each(|part| socket.write_all(part).unwrap());
        });
        let mut incoming = Incoming::new(link);
        for body in &bodies {
            assert_eq!(incoming.read_frame(4, patience()).unwrap(), body);
        }
        assert!(!incoming.holds_more());
        thread.join().unwrap();
    }
}

#[test]
fn a_length_that_cannot_be_says_what_the_peer_may_be() {
    let table: [(&[u8], &str); 12] = [
        (&0i32.to_be_bytes(), "a frame of 0 bytes, too short"),
        (&1i32.to_be_bytes(), "a frame of 1 bytes, too short"),
        (&3i32.to_be_bytes(), "a frame of 3 bytes, too short"),
        (&(-1i32).to_be_bytes(), "length of -1"),
        (&i32::MIN.to_be_bytes(), "length of -2147483648"),
        (&i32::MAX.to_be_bytes(), "length of 2147483647"),
        (
            &(FRAME_BYTES_MAX as i32 + 1).to_be_bytes(),
            "the limit is 67108864",
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\n",
            "speaks HTTP (\"HTTP/1.1 400 Bad Request\"), not the Kafka protocol",
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "speaks SSH"),
        (b"220 mail ESMTP\r\n", "speaks SMTP"),
        (
            &[0x15, 3, 3, 0, 2, 2, 40],
            "answered with a TLS alert: this is a TLS port, but security.protocol is PLAINTEXT; \
             use SSL or SASL_SSL",
        ),
        (
            &[0x16, 3, 1, 0, 200],
            "answered with a TLS handshake: this is a TLS port",
        ),
    ];
    for (bytes, says) in table {
        let bytes = bytes.to_vec();
        let (link, thread) = link(move |mut socket| {
            socket.write_all(&bytes).unwrap();
            drain(&mut socket)
        });
        let mut incoming = Incoming::new(link.clone());
        let broken = incoming.read_frame(4, patience()).unwrap_err();
        let error = link.error(Stage::Read, broken, patience());
        // A port that speaks TLS is a matter of settings, which trying again does not mend.
        let kind = match says.contains("TLS") {
            true => ErrorKind::Tls,
            false => ErrorKind::Protocol,
        };
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(says), "{error}");
        let again = incoming.read_frame(4, patience()).unwrap_err();
        assert!(matches!(again, Broken::GivenUp));
        link.shutdown();
        thread.join().unwrap();
    }
}

#[test]
fn a_stream_that_ends_inside_a_frame_gives_no_frame() {
    let frame = framed(b"12345678");
    for end in 0..frame.len() {
        let part = frame[..end].to_vec();
        let (link, thread) = link(move |mut socket| socket.write_all(&part).unwrap());
        let broken = Incoming::new(link).read_frame(4, patience()).unwrap_err();
        let inside = end > 0;
        assert!(matches!(broken, Broken::Closed { inside_frame } if inside_frame == inside));
        thread.join().unwrap();
    }
}

#[test]
fn who_listens_hears_the_first_bytes_or_the_end_and_the_next_frame_tells_which() {
    let frame = framed(b"12345678");
    for words in [&frame[..], &frame[..3], b""] {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let said = words.to_vec();
        let (link, thread) = link(move |mut socket| {
            gone.recv().unwrap();
            socket.write_all(&said).unwrap();
        });
        let mut incoming = Incoming::new(link);
        assert!(!incoming.listen(soon()), "nothing was said");
        go.send(()).unwrap();
        assert!(incoming.listen(patience()) && incoming.listen(patience()));
        match (
            incoming.read_frame(4, patience()),
            words.len() == frame.len(),
        ) {
            (Ok(body), true) => assert_eq!(body, b"12345678"),
            (Err(Broken::Closed { inside_frame }), false) => {
                assert_eq!(inside_frame, !words.is_empty());
            }
            (other, _) => panic!("{other:?} after {words:?}"),
        }
        thread.join().unwrap();
    }
}

#[test]
fn a_claimed_length_allocates_nothing() {
    let (link, thread) = link(|mut socket| {
        socket
            .write_all(&(FRAME_BYTES_MAX as u32).to_be_bytes())
            .unwrap();
        socket.write_all(&[0; 10]).unwrap();
    });
    let mut incoming = Incoming::new(link);
    assert!(incoming.read_frame(4, patience()).is_err());
    assert!(incoming.room() <= 8 << 10);
    thread.join().unwrap();
}

#[test]
fn the_deadline_of_a_frame_holds_although_bytes_drip_in() {
    let (link, thread) = link(|mut socket| {
        socket.write_all(&1000u32.to_be_bytes()).unwrap();
        while socket.write_all(&[0]).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let mut incoming = Incoming::new(link.clone());
    let broken = incoming.read_frame(4, soon()).unwrap_err();
    assert!(matches!(broken, Broken::Late));
    link.shutdown();
    drop((link, incoming));
    thread.join().unwrap();
}

#[test]
fn many_slices_arrive_in_order_through_a_peer_that_reads_little_at_a_time() {
    let parts: Vec<Vec<u8>> = (0..5000usize)
        .map(|at| vec![at as u8; [0, 1, 61, 3000][at % 4]])
        .collect();
    let expected = parts.concat();
    let (link, thread) = link(|mut socket| {
        let mut all = Vec::new();
        let mut some = [0; 999];
        loop {
            match socket.read(&mut some).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&some[..count]),
            }
        }
    });
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let mut outgoing = Outgoing::new(link.clone());
    outgoing.write(&slices, patience()).unwrap();
    outgoing.write(&[], patience()).unwrap();
    link.shutdown();
    assert!(thread.join().unwrap() == expected);
}

#[test]
fn the_deadline_of_a_write_holds_although_the_peer_takes_a_little() {
    let (link, thread) = link(|mut socket| {
        while socket.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let megabyte = vec![0; 1 << 20];
    let parts = vec![megabyte.as_slice(); 256];
    let mut outgoing = Outgoing::new(link.clone());
    let failed = outgoing.write(&parts, soon()).unwrap_err();
    assert!(failed.started && matches!(failed.broken, Broken::Late));
    let again = outgoing.write(&[b"x"], patience()).unwrap_err();
    assert!(!again.started && matches!(again.broken, Broken::GivenUp));
    link.shutdown();
    thread.join().unwrap();
}

#[test]
fn a_write_that_never_began_says_so() {
    let (link, thread) = link(drop);
    thread.join().unwrap();
    // The peer is gone: the first byte is still taken, then its reset arrives, and nothing is taken
    // any more.
    let mut first = Outgoing::new(link.clone());
    let _ = first.write(&[b"x"], patience());
    while link.socket.take_error().unwrap().is_none() && !link.has_hung_up() {
        std::thread::yield_now();
    }
    let mut outgoing = Outgoing::new(link.clone());
    while outgoing.write(&[b"x"], patience()).is_ok() {}
    let mut outgoing = Outgoing::new(link);
    let failed = outgoing.write(&[b"x"], patience()).unwrap_err();
    assert!(!failed.started);
    assert!(failed.broken.is_closed());
    let late = Deadline::within(Duration::ZERO);
    let (link, thread) = self::link(|mut socket| drain(&mut socket));
    let failed = Outgoing::new(link).write(&[b"x"], late).unwrap_err();
    assert!(!failed.started && matches!(failed.broken, Broken::Late));
    assert_eq!(thread.join().unwrap(), 0);
}

#[test]
fn an_interrupt_ends_a_read_and_a_write_that_wait() {
    let (link, thread) = link(|mut socket| socket.read(&mut [0; 1]).map(|_| socket));
    let interrupt = link.interrupt.clone();
    let (writer_link, reader_link) = (link.clone(), link.clone());
    let deadline = patience();
    let writer = std::thread::spawn(move || {
        let bytes = vec![0; 64 << 20];
        let failed = Outgoing::new(writer_link.clone()).write(&[&bytes], deadline);
        writer_link.error(Stage::Write, failed.unwrap_err().broken, deadline)
    });
    let reader = std::thread::spawn(move || {
        let mut incoming = Incoming::new(reader_link.clone());
        let broken = incoming.read_frame(4, deadline).unwrap_err();
        reader_link.error(Stage::Read, broken, deadline)
    });
    // The peer has got the first byte and takes no more.
    let socket = thread.join().unwrap();
    interrupt.fire();
    for ended in [writer, reader] {
        assert_eq!(ended.join().unwrap().kind(), ErrorKind::Closed);
    }
    assert!(!deadline.has_passed(now()));
    let failed = Outgoing::new(link).write(&[b"x"], patience()).unwrap_err();
    assert!(!failed.started);
    drop(socket);
}

#[test]
fn an_idle_connection_that_hung_up_is_noticed() {
    for last_words in [b"".as_slice(), b"unasked"] {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (link, thread) = link(move |mut socket| {
            gone.recv().unwrap();
            socket.write_all(last_words).unwrap();
            if last_words.is_empty() {
                None
            } else {
                Some(socket)
            }
        });
        for _ in 0..3 {
            assert!(!link.has_hung_up());
        }
        go.send(()).unwrap();
        let socket = thread.join().unwrap();
        while !link.has_hung_up() {
            std::thread::yield_now();
        }
        drop(socket);
    }
}

#[test]
fn looking_for_a_hang_up_leaves_the_socket_blocking() {
    let (link, thread) = link(|mut socket| {
        socket.read_exact(&mut [0; 1]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        socket.write_all(b"late").unwrap();
    });
    assert!(!link.has_hung_up());
    Outgoing::new(link.clone())
        .write(&[b"x"], patience())
        .unwrap();
    let mut answer = [0; 4];
    (&*link.socket).read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"late");
    thread.join().unwrap();
}
