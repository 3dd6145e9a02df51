//! Handshakes and records as the network may deliver them.

use super::*;
use crate::time::now;

#[test]
fn both_versions_work_by_name_and_by_address() {
    for versions in [ONLY_1_2, ONLY_1_3] {
        for host in ["localhost", "127.0.0.1"] {
            let (mut address, thread) = tls_peer(
                good(versions),
                |socket| socket,
                |stream| {
                    serve_versions(stream);
                    serve::<MetadataRequest>(stream, |_| MetadataResponse::default());
                    stream.conn.server_name().map(str::to_owned)
                },
            );
            address.host = host.into();
            let mut connection = open(&trusting(), &address).unwrap();
            assert!(!connection.has_hung_up());
            connection.call(&metadata(), patience()).unwrap();
            let name = thread.join().unwrap();
            assert_eq!(name, (host == "localhost").then(|| host.to_owned()));
        }
    }
}

#[test]
fn a_plain_text_listener_is_recognised() {
    let table: [(&[u8], ErrorKind, &str); 4] = [
        (
            b"",
            ErrorKind::Connection,
            "is this a plain-text listener? security.protocol is SSL",
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\n",
            ErrorKind::Tls,
            "the peer speaks HTTP (\"HTTP/1.1 400 Bad Request\"), not TLS",
        ),
        (
            &[0, 0, 0, 10, 0, 0, 0, 0, 0, 35],
            ErrorKind::Tls,
            "is this a plain-text listener?",
        ),
        (
            &[0x15, 3, 3, 0, 2, 2, 70],
            ErrorKind::Tls,
            "none of the versions of ssl.enabled",
        ),
    ];
    for (bytes, kind, says) in table {
        let (address, thread) = peer(move |mut socket| {
            socket.read_exact(&mut [0; 100]).unwrap();
            socket.write_all(bytes).unwrap();
        });
        let error = open(&trusting(), &address).unwrap_err();
        let text = error.to_string();
        assert!(error.kind() == kind && text.contains(says), "{text}");
        thread.join().unwrap();
    }
}

#[test]
fn a_plain_text_client_at_a_tls_listener_is_told() {
    let (address, thread) = tls_peer(
        good(BOTH),
        |socket| socket,
        |stream| {
            stream.read(&mut [0; 1]).unwrap_err();
            let _ = stream.conn.write_tls(&mut stream.sock);
            drain(&mut stream.sock);
        },
    );
    let error = open(&plaintext(), &address).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("answered with a TLS alert: this is a TLS port"),
        "{text}"
    );
    thread.join().unwrap();
}

#[test]
fn a_handshake_that_stalls_ends_with_the_deadline_or_an_interrupt() {
    let (address, thread) = peer(|mut socket| drain(&mut socket));
    let interrupt = Interrupt::default();
    let error = trusting().open(&address, &interrupt, soon()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(
        error
            .to_string()
            .contains("TLS handshake: no answer within"),
        "{error}"
    );
    assert!(thread.join().unwrap() > 0);
    let fuse = interrupt.clone();
    let (address, thread) = peer(move |mut socket| {
        socket.read_exact(&mut [0; 100]).unwrap();
        fuse.fire();
        socket
    });
    let deadline = patience();
    let opened = trusting().open(&address, &interrupt, deadline);
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Closed);
    assert!(!deadline.has_passed(now()));
    thread.join().unwrap();
}

/// Sends one byte at a time.
struct Drip(TcpStream);

impl Read for Drip {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Drip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes.get(..1).unwrap_or_default())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn records_that_drip_in_are_put_together() {
    let (address, thread) = tls_peer(good(BOTH), Drip, |stream| {
        serve_versions(stream);
        serve::<MetadataRequest>(stream, |_| MetadataResponse::default());
    });
    let mut connection = open(&trusting(), &address).unwrap();
    connection.call(&metadata(), patience()).unwrap();
    thread.join().unwrap();
}

/// Keeps the first `left` bytes of what is sent while there is a limit.
struct Cut {
    socket: TcpStream,
    left: Option<usize>,
}

impl Read for Cut {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(into)
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let kept = self.left.unwrap_or(bytes.len()).min(bytes.len());
        self.socket.write_all(&bytes[..kept])?;
        self.left = self.left.map(|left| left - kept);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_cut_anywhere_in_an_answer_is_never_an_answer() {
    for left in [0, 1, 4, 5, 6, 20, 30] {
        let wrap = |socket| Cut { socket, left: None };
        let (address, thread) = tls_peer(good(BOTH), wrap, move |stream| {
            serve_versions(stream);
            stream.sock.left = Some(left);
            serve::<MetadataRequest>(stream, |_| MetadataResponse::default());
        });
        let mut connection = open(&trusting(), &address).unwrap();
        let error = connection.call(&metadata(), patience()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        let text = error.to_string();
        assert!(text.contains("it ended without a TLS close"), "{text}");
        thread.join().unwrap();
    }
}

#[test]
fn a_close_in_place_of_an_answer_is_an_error_and_at_rest_a_hang_up() {
    for answers_half in [false, true] {
        let (address, thread) = tls_peer(
            good(BOTH),
            |socket| socket,
            move |stream| {
                serve_versions(stream);
                receive(stream).unwrap();
                if answers_half {
                    stream.write_all(&[0, 0, 0, 9, 1]).unwrap();
                }
                stream.conn.send_close_notify();
                stream.flush().unwrap();
                // The socket stays open: the close of TLS alone has to do.
                drain(&mut stream.sock);
            },
        );
        let mut connection = open(&trusting(), &address).unwrap();
        let error = connection.call(&metadata(), patience()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert_eq!(error.to_string().contains("inside an answer"), answers_half);
        drop(connection);
        thread.join().unwrap();
    }
    let (address, thread) = tls_peer(
        good(BOTH),
        |socket| socket,
        |stream| {
            serve_versions(stream);
            receive(stream).unwrap();
            answer_metadata_and_close(stream);
            drain(&mut stream.sock);
        },
    );
    let mut connection = open(&trusting(), &address).unwrap();
    assert!(!connection.has_hung_up());
    let (mut writer, mut reader) = connection.split();
    let frame = frame(&metadata(), 13, writer.next_correlation_id());
    writer.write(&[&frame], patience()).unwrap();
    // The answer came before the close, so it is one.
    reader.read_frame(patience()).unwrap();
    assert_eq!(
        reader.read_frame(patience()).unwrap_err().kind(),
        ErrorKind::Connection
    );
    reader.shutdown();
    assert!(writer.has_hung_up());
    thread.join().unwrap();
}

fn answer_metadata_and_close(stream: &mut Stream<TcpStream>) {
    let header = crate::wire::RequestHeader {
        api_key: 3,
        api_version: 13,
        correlation_id: 1,
        client_id: None,
    };
    answer::<MetadataRequest>(stream, &header, &MetadataResponse::default(), 13);
    stream.conn.send_close_notify();
    stream.flush().unwrap();
}

#[test]
fn large_frames_go_both_ways_at_once_through_key_updates() {
    const ROUNDS: u8 = 60;
    const BYTES: usize = 300 << 10;
    let (address, thread) = tls_peer(
        good(ONLY_1_3),
        |socket| socket,
        |stream| {
            serve_versions(stream);
            let mut frame = vec![0; 4 + BYTES];
            for round in 0..ROUNDS {
                stream.read_exact(&mut frame).unwrap();
                assert!(frame[4..].iter().all(|byte| *byte == round));
                if round % 10 == 5 {
                    stream.conn.refresh_traffic_keys().unwrap();
                }
                stream.write_all(&frame).unwrap();
                stream.flush().unwrap();
            }
        },
    );
    let (mut writer, mut reader) = open(&trusting(), &address).unwrap().split();
    let reading = std::thread::spawn(move || {
        for round in 0..ROUNDS {
            let frame = reader.read_frame(patience()).unwrap();
            assert!(frame.len() == BYTES && frame.iter().all(|byte| *byte == round));
        }
    });
    for round in 0..ROUNDS {
        let body = vec![round; BYTES];
        let (head, tail) = body.split_at(61);
        let length = (BYTES as u32).to_be_bytes();
        writer
            .write(&[&length, head, &[], tail], patience())
            .unwrap();
    }
    reading.join().unwrap();
    thread.join().unwrap();
}
