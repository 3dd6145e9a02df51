//! From a socket to a connection that knows the broker's versions, and plain calls on it.

use crate::wire::metadata::{MetadataResponse, MetadataTopic};

use super::*;
use crate::time::now;

fn fails(script: impl FnOnce(TcpStream) + Send + 'static) -> Error {
    let (address, thread) = peer(script);
    let error = open(&plaintext(), &address).unwrap_err();
    thread.join().unwrap();
    error
}

fn metadata() -> MetadataRequest {
    MetadataRequest {
        topics: None,
        allow_auto_topic_creation: false,
        include_operations: false,
    }
}

#[test]
fn a_connection_introduces_itself_and_learns_the_versions() {
    let (address, thread) = peer(|mut socket| {
        let header = serve::<ApiVersionsRequest>(&mut socket, |request| {
            assert_eq!(request.client_software_name, "milena");
            assert_eq!(request.client_software_version, env!("CARGO_PKG_VERSION"));
            ApiVersionsResponse {
                apis: ranges(),
                ..ApiVersionsResponse::default()
            }
        });
        let second = serve::<MetadataRequest>(&mut socket, |_| MetadataResponse::default());
        (header, second)
    });
    let mut connection = open(&plaintext(), &address).unwrap();
    assert_eq!(connection.address(), &address);
    assert_eq!(connection.version::<ProduceRequest>().unwrap(), 13);
    assert!(!connection.has_hung_up());
    connection.call(&metadata(), patience()).unwrap();
    let (mut writer, _reader) = connection.split();
    assert_eq!(writer.next_correlation_id(), 2);
    let (first, second) = thread.join().unwrap();
    assert_eq!((first.api_version, first.correlation_id), (4, 0));
    assert_eq!((second.api_version, second.correlation_id), (13, 1));
    assert_eq!(first.client_id.as_deref(), Some("tester"));
}

#[test]
fn a_refused_version_is_followed_by_the_one_that_the_broker_knows() {
    let hints: [(Option<i16>, i16); 4] = [(Some(3), 3), (Some(1), 1), (Some(0), 0), (None, 0)];
    for (hint, then) in hints {
        let (address, thread) = peer(move |mut socket| {
            let (header, _) = receive(&mut socket).unwrap();
            let known = hint.map(|max| ApiRange {
                key: ApiVersionsRequest::KEY,
                min: 0,
                max,
            });
            let refusal = ApiVersionsResponse {
                error: Code::UNSUPPORTED_VERSION,
                apis: known.into_iter().collect(),
                ..ApiVersionsResponse::default()
            };
            answer::<ApiVersionsRequest>(&mut socket, &header, &refusal, 0);
            serve::<ApiVersionsRequest>(&mut socket, |_| ApiVersionsResponse {
                apis: ranges(),
                ..ApiVersionsResponse::default()
            })
        });
        let connection = open(&plaintext(), &address).unwrap();
        assert_eq!(connection.version::<MetadataRequest>().unwrap(), 13);
        assert_eq!(thread.join().unwrap().api_version, then);
    }
}

#[test]
fn a_broker_that_refuses_every_version_is_left() {
    let error = fails(|mut socket| {
        let mut asked = Vec::new();
        while let Some((header, _)) = receive(&mut socket) {
            asked.push(header.api_version);
            let refusal = ApiVersionsResponse {
                error: Code::UNSUPPORTED_VERSION,
                ..ApiVersionsResponse::default()
            };
            answer::<ApiVersionsRequest>(&mut socket, &header, &refusal, 0);
        }
        assert_eq!(asked, [4, 0]);
    });
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[test]
fn what_a_wrong_port_does_is_explained() {
    let closed = fails(|mut socket| drop(receive(&mut socket)));
    let text = closed.to_string();
    assert_eq!(closed.kind(), ErrorKind::Connection);
    assert!(text.contains("is this a TLS listener? security.protocol is PLAINTEXT; use SSL"));
    let http = fails(|mut socket| {
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        drain(&mut socket);
    });
    assert!(
        http.to_string()
            .contains("ApiVersions: the peer speaks HTTP"),
        "{http}"
    );
    let alert = fails(|mut socket| {
        socket.write_all(&[0x15, 3, 3, 0, 2, 2, 80]).unwrap();
        drain(&mut socket);
    });
    let text = alert.to_string();
    assert!(
        text.contains("answered with a TLS alert: this is a TLS port"),
        "{text}"
    );
    assert!(
        text.ends_with("security.protocol is PLAINTEXT; use SSL or SASL_SSL"),
        "{text}"
    );
}

/// Who has not introduced itself may not make us hold much; a broker's metadata may be large.
#[test]
fn an_introduction_is_short_and_later_answers_may_be_long() {
    const LONG: usize = (2 << 20) + 1;
    let refused = fails(|mut socket| {
        receive(&mut socket);
        socket.write_all(&(LONG as i32).to_be_bytes()).unwrap();
        drain(&mut socket);
    });
    assert!(
        refused.to_string().contains("the limit is 2097152"),
        "{refused}"
    );
    let (address, thread) = peer(|mut socket| {
        serve_versions(&mut socket);
        serve::<MetadataRequest>(&mut socket, |_| MetadataResponse {
            cluster_id: Some("x".repeat(30_000)),
            topics: vec![
                MetadataTopic {
                    name: Some("y".repeat(30_000)),
                    ..MetadataTopic::default()
                };
                80
            ],
            ..MetadataResponse::default()
        });
    });
    let mut connection = open(&plaintext(), &address).unwrap();
    let response = connection.call(&metadata(), patience()).unwrap();
    assert_eq!(response.topics.len(), 80);
    thread.join().unwrap();
}

#[test]
fn a_first_request_that_is_not_answered_asks_for_sasl() {
    let (address, thread) = peer(|mut socket| {
        serve_versions(&mut socket);
        serve::<MetadataRequest>(&mut socket, |_| MetadataResponse::default());
        receive(&mut socket);
    });
    let mut connection = open(&plaintext(), &address).unwrap();
    connection.call(&metadata(), patience()).unwrap();
    let later = connection.call(&metadata(), patience()).unwrap_err();
    assert!(!later.to_string().contains("SASL"), "{later}");
    thread.join().unwrap();
    let (address, thread) = peer(|mut socket| {
        serve_versions(&mut socket);
        receive(&mut socket);
    });
    let mut connection = open(&plaintext(), &address).unwrap();
    let first = connection.call(&metadata(), patience()).unwrap_err();
    assert!(
        first
            .to_string()
            .contains("does this listener ask for SASL?"),
        "{first}"
    );
    assert_eq!(first.kind(), ErrorKind::Connection);
    thread.join().unwrap();
}

#[test]
fn a_silent_broker_runs_into_the_deadline_and_an_interrupt_does_not_wait_for_it() {
    let (address, thread) = peer(|mut socket| drain(&mut socket));
    let interrupt = Interrupt::default();
    let error = plaintext().open(&address, &interrupt, soon()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let text = error.to_string();
    assert!(
        text.contains("ApiVersions: no answer within 150 ms"),
        "{text}"
    );
    assert!(thread.join().unwrap() > 0);
    let fuse = interrupt.clone();
    let (address, thread) = peer(move |mut socket| {
        receive(&mut socket).unwrap();
        fuse.fire();
        socket
    });
    let deadline = patience();
    let opened = plaintext().open(&address, &interrupt, deadline);
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Closed);
    assert!(!deadline.has_passed(now()));
    thread.join().unwrap();
}

#[test]
fn an_answer_that_is_not_the_one_expected_ends_the_connection() {
    type Damage = fn(&mut Vec<u8>);
    let table: [(Damage, &str); 3] = [
        (|frame| frame[3] += 1, "the answer is to request 2, not 1"),
        (|frame| frame.push(0), "the answer cannot be read"),
        (|frame| frame.truncate(9), "the answer cannot be read"),
    ];
    for (damage, says) in table {
        let (address, thread) = peer(move |mut socket| {
            serve_versions(&mut socket);
            let (header, _) = receive(&mut socket).unwrap();
            let mut out = Vec::new();
            let response = MetadataResponse::default();
            let id = header.correlation_id;
            wire::put_response_frame::<MetadataRequest>(&mut out, &response, 13, id);
            let mut frame = out.split_off(4);
            damage(&mut frame);
            socket
                .write_all(&(frame.len() as u32).to_be_bytes())
                .unwrap();
            socket.write_all(&frame).unwrap();
            assert!(receive(&mut socket).is_none());
        });
        let mut connection = open(&plaintext(), &address).unwrap();
        let error = connection.call(&metadata(), patience()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        let text = error.to_string();
        assert!(text.contains("Metadata: ") && text.contains(says), "{text}");
        let again = connection.call(&metadata(), patience()).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Connection);
        thread.join().unwrap();
    }
}

#[test]
fn a_request_that_the_broker_lacks_leaves_the_connection_usable() {
    let (address, thread) = peer(|mut socket| {
        let all = ranges();
        let some = all.into_iter().filter(|api| api.key != ProduceRequest::KEY);
        serve_these_versions(&mut socket, some.collect());
        serve::<MetadataRequest>(&mut socket, |_| MetadataResponse::default());
    });
    let mut connection = open(&plaintext(), &address).unwrap();
    let error = connection
        .call(&ProduceRequest::default(), patience())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    connection.call(&metadata(), patience()).unwrap();
    thread.join().unwrap();
}

#[test]
fn halves_work_at_the_same_time_and_end_together() {
    const ROUNDS: i32 = 200;
    let (address, thread) = peer(|mut socket| {
        serve_versions(&mut socket);
        for _ in 0..ROUNDS {
            serve::<MetadataRequest>(&mut socket, |_| MetadataResponse::default());
        }
        drain(&mut socket);
    });
    let connection = open(&plaintext(), &address).unwrap();
    let version = connection.version::<MetadataRequest>().unwrap();
    let (mut writer, mut reader) = connection.split();
    let (all_read, is_all_read) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        for expected in 1..=ROUNDS {
            let frame = reader.read_frame(patience()).unwrap();
            assert_eq!(frame[..4], expected.to_be_bytes());
        }
        all_read.send(()).unwrap();
        reader.read_frame(patience()).unwrap_err()
    });
    for _ in 0..ROUNDS {
        let id = writer.next_correlation_id();
        let frame = frame(&metadata(), version, id);
        let (head, tail) = frame.split_at(7);
        writer.write(&[head, &[], tail], patience()).unwrap();
    }
    is_all_read.recv().unwrap();
    assert!(!writer.has_hung_up());
    writer.shutdown();
    let error = reading.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().contains(": read: "), "{error}");
    let failed = writer.write(&[b"x"], patience()).unwrap_err();
    assert!(!failed.started);
    thread.join().unwrap();
}

#[cfg(not(feature = "tls"))]
#[test]
fn tls_without_its_feature_is_refused() {
    let dialer = tcp::Dialer::default();
    let error = Connector::with("tester", SecurityProtocol::Ssl, dialer, &no_tls(), None);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error
            .to_string()
            .contains("needs the cargo feature \"tls-graviola\"")
    );
}
