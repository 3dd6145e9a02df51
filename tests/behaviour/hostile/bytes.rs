//! Frames and bodies that are none, in place of each answer.

use std::collections::HashSet;

use milena::mock::{Api, Fault, MockCluster, On};
use milena::{ErrorKind, Outcome};

use super::{ASKED, asking, for_each, golden_answer, told};
use crate::support::{
    all_delivered, cluster, delivered, eventually, exactly_once, numbers, produced, producer, send,
    send_numbers, values,
};

/// What comes in place of an answer, and what the error says of it: one of these.
struct Row {
    script: Box<dyn Fn(On<'_>, Api) -> Fault + Sync + Send>,
    says: &'static [&'static str],
}

fn row(
    says: &'static [&'static str],
    script: impl Fn(On<'_>, Api) -> Fault + Sync + Send + 'static,
) -> Row {
    let script = Box::new(script);
    Row { script, says }
}

/// Bytes instead of a frame.
fn raw(bytes: &'static [u8], says: &'static [&'static str]) -> Row {
    row(says, |on, _| on.garbage(bytes))
}

/// A length, and ten bytes that come of it.
fn length(length: i32, says: &'static [&'static str]) -> Row {
    let bytes = [&length.to_be_bytes()[..], &[0; 10]].concat();
    row(says, move |on, _| on.garbage(&bytes))
}

/// A good header, and a body.
fn body(make: impl Fn(Api) -> Vec<u8> + Sync + Send + 'static) -> Row {
    row(&["cannot be read"], move |on, api| {
        let body = make(api);
        on.body(move |_| body.clone())
    })
}

fn wrong_id(added: i32) -> Row {
    row(&["the answer is to request", "answered request"], {
        move |on, _| on.wrong_correlation_id(added)
    })
}

fn rows() -> Vec<Row> {
    const LIMIT: i32 = 64 << 20;
    vec![
        length(0, &["a frame of 0 bytes, too short"]),
        length(1, &["a frame of 1 bytes, too short"]),
        length(3, &["a frame of 3 bytes, too short"]),
        length(4, &["cannot be read"]),
        length(i32::MAX, &["a frame length of 2147483647"]),
        length(
            LIMIT + 1,
            &["the limit is 67108864", "the limit is 2097152"],
        ),
        length(-1, &["a frame length of -1"]),
        length(i32::MIN, &["a frame length of -2147483648"]),
        raw(b"HTTP/1.1 400 Bad Request\r\n\r\n", &["speaks HTTP"]),
        raw(b"SSH-2.0-OpenSSH_9.6\r\n", &["speaks SSH"]),
        raw(b"220 mail.example.org ESMTP\r\n", &["speaks SMTP"]),
        raw(&[0x15, 3, 3, 0, 2, 2, 40], &["this is a TLS port"]),
        // Arrays, strings and varints that no frame can hold.
        body(|_| vec![0xff; 40]),
        body(|_| [&[0; 4][..], &[0x7f, 0xff, 0xff, 0xff].repeat(9)].concat()),
        body(|_| [&[0; 2][..], &[0xff, 0xff, 0xff, 0xfe].repeat(9)].concat()),
        body(|_| [&[0; 4][..], &[0xff, 0xff, 0xff, 0xff, 0x0f].repeat(8)].concat()),
        body(|_| Vec::new()),
        // One byte too few, one too many.
        body(|api| {
            let mut body = golden_answer(api);
            body.pop();
            body
        }),
        body(|api| [golden_answer(api), vec![0]].concat()),
        wrong_id(1),
        wrong_id(-1),
        wrong_id(1000),
        wrong_id(i32::MIN),
    ]
}

#[test]
fn what_is_no_answer_closes_the_connection_and_is_told() {
    let mut all = Vec::new();
    for api in ASKED {
        all.extend(rows().into_iter().map(|row| (api, row)));
    }
    for_each(&all, |(api, row)| spoil(*api, row));
}

fn spoil(api: Api, row: &Row) {
    let cluster = cluster(1, 1);
    let producer = producer(asking(&cluster, api));
    let fault = (row.script)(cluster.on(api).always(), api);
    let error = told(&producer);
    let text = error.to_string();
    let what = format!("{api:?}, {:?}: {text}", row.says);
    assert!(row.says.iter().any(|says| text.contains(says)), "{what}");
    assert!(text.contains(&cluster.address(1)), "{what}");
    // Only what was sent may be written.
    let expected = match api {
        Api::Produce => Outcome::Unknown,
        _ => Outcome::NotWritten,
    };
    assert_eq!(error.outcome(), expected, "{what}");
    let mut kinds = vec![ErrorKind::Protocol, ErrorKind::TimedOut];
    if text.contains("TLS") {
        kinds.push(ErrorKind::Tls);
    }
    assert!(kinds.contains(&error.kind()), "{:?}, {what}", error.kind());
    await_closed(&cluster, api, &what);
    fault.cancel();
    delivered(&send(&producer, 0, "good"));
    let values = values(&cluster, 0);
    assert_eq!(values.last().map(String::as_str), Some("good"), "{what}");
    assert!(values.iter().filter(|value| *value == "good").count() == 1);
}

#[test]
fn one_answer_that_is_none_costs_an_idempotent_producer_no_record() {
    for_each(&rows(), |row| {
        let cluster = cluster(2, 2);
        let producer = exactly_once(&cluster);
        all_delivered(&[send(&producer, 0, "0"), send(&producer, 1, "0")]);
        (row.script)(cluster.on(Api::Produce).node(1), Api::Produce);
        let mut deliveries = send_numbers(&producer, 0, 1..10);
        deliveries.extend(send_numbers(&producer, 1, 1..10));
        all_delivered(&deliveries);
        let mut used = HashSet::new();
        for (partition, node) in [(0, 1), (1, 2)] {
            assert_eq!(values(&cluster, partition), numbers(0..10));
            let requests = produced(&cluster).into_iter();
            let of_node = requests.filter(|request| request.node == node);
            used.extend(of_node.map(|request| (node, request.connection)));
        }
        let of = |node: i32| used.iter().filter(|(of, _)| *of == node).count();
        assert_eq!((of(1), of(2)), (2, 1), "{:?}", row.says);
    });
}

/// Waits until the connections on which `api` was answered are closed.
#[track_caller]
fn await_closed(cluster: &MockCluster, api: Api, what: &str) {
    // Metadata has a connection of its own, on which all is well while Produce is spoiled.
    let good = usize::from(api == Api::Produce);
    eventually(what, || {
        let open = cluster.connections().into_iter();
        open.filter(|connection| connection.is_open).count() <= good
    });
}

/// The header is right, and the body is a good one of another API: some of them can be read.
#[test]
fn the_answer_of_another_api_acknowledges_nothing() {
    let mut pairs = Vec::new();
    for api in ASKED {
        let others = Api::ALL.into_iter().filter(|other| *other != api);
        pairs.extend(others.map(|other| (api, other)));
    }
    for_each(&pairs, |(api, other)| {
        let cluster = cluster(1, 1);
        let producer = producer(asking(&cluster, *api));
        let body = golden_answer(*other);
        let fault = cluster.on(*api).always().body(move |_| body.clone());
        let error = told(&producer);
        let what = format!("{api:?}, {other:?}: {error}");
        let may_be_written = error.outcome() == Outcome::Unknown;
        assert_eq!(may_be_written, *api == Api::Produce, "{what}");
        await_closed(&cluster, *api, &what);
        fault.cancel();
        delivered(&send(&producer, 0, "good"));
        assert_eq!(values(&cluster, 0).last().map(String::as_str), Some("good"));
    });
}

/// A record that is sent once the first is known to have failed goes to a new connection.
#[test]
fn a_record_behind_a_spoiled_answer_is_not_written_to_the_broken_connection() {
    for round in 0..100 {
        let cluster = cluster(1, 1);
        let producer = producer(asking(&cluster, Api::Produce));
        cluster.on(Api::Produce).body(|_| Vec::new());
        let first = send(&producer, 0, "spoiled");
        while !first.is_done() {
            std::hint::spin_loop();
        }
        let second = send(&producer, 0, "good");
        assert!(
            crate::support::result(&second).is_ok(),
            "round {round}: {:?}",
            second
        );
    }
}

/// Any other broker, or the same one a moment later, may give a producer id.
#[test]
fn an_answer_to_init_producer_id_that_is_none_is_asked_for_again() {
    for_each(&rows(), |row| {
        let cluster = cluster(1, 1);
        let producer = exactly_once(&cluster);
        (row.script)(cluster.on(Api::InitProducerId), Api::InitProducerId);
        delivered(&send(&producer, 0, "v"));
        assert_eq!(values(&cluster, 0), ["v"]);
    });
}
