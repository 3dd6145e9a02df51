//! Answers that come in another order than the requests, twice, or before anybody asked.

use std::sync::mpsc;

use milena::{ErrorKind, Outcome};

use super::peer::{Asked, PRODUCE, Peer, Say, VERSIONS, acknowledged, framed};
use crate::support::{SOON, delivered, eventually, failed, producer, send};

/// Two batches are on their way, for partitions 0 and 1; what is said to both, given their ids.
type Both = fn(i32, i32) -> Vec<u8>;

#[test]
fn swapped_answers_acknowledge_nothing() {
    let rows: [(Both, &str); 4] = [
        (
            |a, b| [acknowledged(b, 1, 20), acknowledged(a, 0, 10)].concat(),
            "answered request",
        ),
        (
            |a, b| [acknowledged(b, 0, 10), acknowledged(a, 1, 20)].concat(),
            "answered request",
        ),
        (
            |a, b| [acknowledged(a, 1, 20), acknowledged(b, 0, 10)].concat(),
            "lacks this partition",
        ),
        (
            |a, b| {
                [
                    acknowledged(b, 1, 20),
                    acknowledged(b, 1, 20),
                    acknowledged(a, 0, 10),
                ]
                .concat()
            },
            "answered request",
        ),
    ];
    for (both, says) in rows {
        let (asked, question) = mpsc::channel();
        let mut first = None;
        let mut count = 0;
        let peer = Peer::start(move |request: &Asked| {
            if request.api != PRODUCE {
                return Say::Truth;
            }
            count += 1;
            match count {
                1 => {
                    first = Some(request.id);
                    asked.send(()).expect("the test waits");
                    Say::Bytes(Vec::new())
                }
                2 => Say::Bytes(both(first.expect("the first came"), request.id)),
                _ => Say::Bytes(acknowledged(request.id, request.partition, 30)),
            }
        });
        let producer = producer(peer.config());
        let a = send(&producer, 0, "a");
        question.recv_timeout(SOON).expect("a request");
        let b = send(&producer, 1, "b");
        for (delivery, told) in [(&a, true), (&b, says.starts_with("lacks"))] {
            let error = failed(delivery);
            assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
            assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
            assert!(!told || error.to_string().contains(says), "{error}");
        }
        for partition in [0, 1] {
            let metadata = delivered(&send(&producer, partition, "good"));
            assert_eq!(metadata.offset(), Some(30));
        }
    }
}

#[test]
fn what_is_said_before_a_question_costs_a_connection_and_no_record() {
    for words in [
        acknowledged(0, 0, 7),
        acknowledged(5, 0, 7),
        framed(0, &[VERSIONS]),
        framed(0, &[&[0, 35, 0, 0, 0, 0]]),
        b"220 hello\r\n".to_vec(),
        vec![0, 0, 0, 0],
    ] {
        let peer = Peer::greeting(words, |_| Say::Truth);
        let producer = producer(peer.config());
        delivered(&send(&producer, 0, "a"));
        delivered(&send(&producer, 1, "b"));
        // The first, the next for metadata, and the broker's.
        eventually("the first connection is closed", || {
            peer.connections().1 >= 1
        });
    }
}

/// The second answer may be read in place of the next one: it is for another request, and the
/// record is sent again.
#[test]
fn a_second_answer_to_a_request_is_never_taken_for_the_next() {
    let mut offset = -1;
    let peer = Peer::start(move |request: &Asked| {
        if request.api != PRODUCE {
            return Say::Truth;
        }
        offset += 1;
        Say::Bytes(acknowledged(request.id, request.partition, offset).repeat(2))
    });
    let producer = producer(peer.config().idempotence(true));
    let mut last = -1;
    for number in 0..20 {
        let offset = delivered(&send(&producer, 0, "v")).offset();
        let offset = offset.expect("the broker told it");
        assert!(offset > last, "record {number}: {offset} after {last}");
        last = offset;
    }
}
