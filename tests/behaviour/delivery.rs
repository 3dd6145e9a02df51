//! What a delivery tells, and what arrives in the log.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use milena::mock::Api;
use milena::{Acks, ErrorKind, LongSerializer, Outcome, Record, StringSerializer, TimestampType};

use crate::support::{
    NOT_ENOUGH_REPLICAS, SOON, all_delivered, cluster, config, delivered, failed, plain, produced,
    producer, send, send_numbers, values,
};

#[test]
fn a_delivery_tells_where_the_record_is() {
    let cluster = cluster(2, 2);
    let producer = plain(&cluster);
    delivered(&send(&producer, 1, "first"));
    let record = Record::to("t").partition(1).key("key").value("second");
    let metadata = producer.send(record.timestamp_ms(77)).wait().expect("sent");
    assert_eq!((metadata.topic(), metadata.partition()), ("t", 1));
    assert_eq!((metadata.offset(), metadata.timestamp_ms()), (Some(1), 77));
    assert_eq!(
        (metadata.key_size(), metadata.value_size()),
        (Some(3), Some(6))
    );
    assert_eq!(metadata.timestamp_type(), TimestampType::CreateTime);
    assert_eq!(
        (metadata.attempts(), metadata.broker_id()),
        (1, cluster.leader("t", 1))
    );
    assert_eq!(cluster.records("t", 1)[1].timestamp_ms, 77);
}

#[test]
fn the_time_is_the_brokers_where_the_topic_says_so() {
    let cluster = cluster(1, 1);
    cluster.set_log_append_time("t", true);
    let record = Record::to("t").value("v").timestamp_ms(77);
    let metadata = delivered(&plain(&cluster).send(record));
    let logged = cluster.records("t", 0)[0].timestamp_ms;
    assert!(logged > 77, "the mock kept the producer's time");
    assert_eq!(metadata.timestamp_ms(), logged);
    assert_eq!(metadata.timestamp_type(), TimestampType::LogAppendTime);
}

#[test]
fn before_the_answer_there_is_no_result_and_after_it_always_the_same() {
    let cluster = cluster(1, 1);
    let gate = cluster.gate();
    cluster
        .on(Api::Produce)
        .after_handling()
        .hold(&gate)
        .answer();
    let producer = plain(&cluster);
    let delivery = send(&producer, 0, "v");
    assert!(gate.wait_for_held(1, SOON));
    assert!(delivery.try_get().is_none() && !delivery.is_done());
    assert!(delivery.wait_timeout(Duration::from_millis(5)).is_none());
    gate.open();
    assert_eq!(delivered(&delivery).offset(), Some(0));
    let again = delivery.try_get().expect("it has a result");
    assert_eq!(again.expect("sent").offset(), Some(0));
    assert!(delivery.is_done());
}

#[test]
fn on_done_runs_before_and_after_the_result() {
    let cluster = cluster(1, 1);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let producer = plain(&cluster);
    let (results, told) = mpsc::channel();
    let early = send(&producer, 0, "early");
    assert!(gate.wait_for_held(1, SOON));
    let tell = results.clone();
    early.on_done(move |result| tell.send(result.map(|at| at.offset())).expect("heard"));
    gate.open();
    let offset = told.recv_timeout(SOON).expect("called");
    assert_eq!(offset.expect("sent"), Some(0));

    let late = send(&producer, 0, "late");
    delivered(&late);
    late.on_done(move |result| results.send(result.map(|at| at.offset())).expect("heard"));
    let offset = told.recv_timeout(SOON).expect("called");
    assert_eq!(offset.expect("sent"), Some(1));
    assert!(told.recv().is_err(), "a callback ran twice");
}

#[test]
fn a_future_is_woken_by_its_result() {
    struct Bell(mpsc::Sender<()>);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.send(()).expect("somebody hears it");
        }
    }
    let cluster = cluster(1, 1);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let producer = plain(&cluster);
    let (bell, rings) = mpsc::channel();
    let waker = Waker::from(Arc::new(Bell(bell)));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(send(&producer, 0, "v"));
    assert!(future.as_mut().poll(&mut context).is_pending());
    assert!(gate.wait_for_held(1, SOON));
    assert!(rings.try_recv().is_err(), "woken for nothing");
    gate.open();
    rings.recv_timeout(SOON).expect("the waker was called");
    match future.as_mut().poll(&mut context) {
        Poll::Ready(result) => assert_eq!(result.expect("sent").offset(), Some(0)),
        Poll::Pending => panic!("woken without a result"),
    }
}

#[test]
fn results_of_send_all_come_in_the_order_of_the_records() {
    let cluster = cluster(2, 3);
    let producer = plain(&cluster);
    let value = |number: usize| format!("{number}");
    let values: Vec<String> = (0..60).map(value).collect();
    let records = values.iter().enumerate().map(|(number, value)| {
        // The eighth asks for a partition that is not there.
        let partition = if number == 7 { 9 } else { number as i32 % 3 };
        Record::to("t").partition(partition).value(value)
    });
    let results = producer.send_all(records).wait_all();
    assert_eq!(results.len(), 60);
    for (number, result) in results.into_iter().enumerate() {
        if number == 7 {
            let error = result.expect_err("there is no partition 9");
            assert_eq!(error.kind(), ErrorKind::PartitionOutOfRange);
            continue;
        }
        let metadata = result.expect("sent");
        let offset = metadata.offset().expect("acks=1 has offsets");
        let records = cluster.records("t", metadata.partition());
        let logged = records[offset as usize].value.as_deref();
        assert_eq!(logged, Some(value(number).as_bytes()));
    }
}

#[test]
fn acks_go_on_the_wire_and_decide_what_is_known() {
    let cases = [
        (Acks::None, 0, None),
        (Acks::Leader, 1, Some(0)),
        (Acks::All, -1, Some(0)),
    ];
    for (acks, on_wire, offset) in cases {
        let cluster = cluster(1, 1);
        let producer = producer(config(&cluster).acks(acks));
        assert_eq!(delivered(&send(&producer, 0, "v")).offset(), offset);
        cluster.wait_for_records("t", 0, 1, SOON);
        let request = produced(&cluster).remove(0);
        assert_eq!(request.produce.map(|produce| produce.acks), Some(on_wire));
    }
}

#[test]
fn without_acks_the_records_arrive_in_order() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).acks(Acks::None).batch_size(0));
    all_delivered(&send_numbers(&producer, 0, 0..200));
    cluster.wait_for_records("t", 0, 200, SOON);
    assert_eq!(values(&cluster, 0), crate::support::numbers(0..200));
}

#[test]
fn bytes_nulls_and_headers_arrive_as_they_were() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    let bytes: Vec<u8> = (0..=255).collect();
    let full = Record::to("t").key(&bytes).value(&bytes);
    let full = full.header("h", &bytes).null_header("n").header("h", "");
    delivered(&producer.send(full));
    delivered(&producer.send(Record::to("t")));
    delivered(&producer.send(Record::to("t").key("").value("")));
    let records = cluster.records("t", 0);
    let shown = |index: usize| (records[index].key.clone(), records[index].value.clone());
    assert_eq!(shown(0), (Some(bytes.clone()), Some(bytes.clone())));
    let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    let headers = [
        header("h", Some(&bytes)),
        header("n", None),
        header("h", Some(b"")),
    ];
    assert_eq!(records[0].headers, headers);
    assert_eq!(shown(1), (None, None));
    assert_eq!(shown(2), (Some(Vec::new()), Some(Vec::new())));
    assert!(records[1].headers.is_empty());
}

#[test]
fn a_typed_producer_sends_what_its_serializers_write() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    let typed = producer.typed(LongSerializer, StringSerializer);
    delivered(&typed.send(Record::to("t"), &7, "three"));
    delivered(&typed.send(Record::to("t"), None::<&i64>, None::<&str>));
    delivered(&typed.send(Record::to("t").key("own"), (), "four"));
    let records = cluster.records("t", 0);
    let shown = |index: usize| {
        (
            records[index].key.as_deref(),
            records[index].value.as_deref(),
        )
    };
    assert_eq!(
        shown(0),
        (Some(&[0, 0, 0, 0, 0, 0, 0, 7][..]), Some(&b"three"[..]))
    );
    assert_eq!(shown(1), (None, None));
    assert_eq!(shown(2), (Some(&b"own"[..]), Some(&b"four"[..])));
}

#[test]
fn equal_keys_share_a_partition_and_records_without_keys_go_round() {
    let cluster = cluster(1, 4);
    let producer = plain(&cluster);
    let keyed = |value| Record::to("t").key("k").value(value);
    let first = delivered(&producer.send(keyed("1"))).partition();
    assert_eq!(delivered(&producer.send(keyed("2"))).partition(), first);
    let mut seen: Vec<i32> = (0..4)
        .map(|_| delivered(&producer.send(Record::to("t").value("v"))).partition())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3]);
}

/// From the first, which finds its topic unknown, and although the metadata changes.
#[test]
fn records_without_keys_go_round_record_by_record() {
    let cluster = cluster(2, 4);
    let producer = producer(config(&cluster).retries(9));
    let round = || -> Vec<i32> {
        let sent = (0..4).map(|_| delivered(&producer.send(Record::to("t").value("v"))));
        sent.map(|metadata| metadata.partition()).collect()
    };
    let first = round();
    let mut all = first.clone();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3]);
    assert_eq!(round(), first);
    cluster.create_topic("u", 1);
    delivered(&producer.send(Record::to("u").value("v")));
    let next = round();
    let moved = [1, 2].into_iter().find(|id| *id != cluster.leader("t", 0));
    cluster.move_leader("t", 0, moved.expect("two brokers"));
    let [other, again] = [round(), round()];
    assert_eq!((other, again), (next.clone(), next));
}

#[test]
fn metrics_count_records_requests_and_retries() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster).retries(1));
    cluster
        .on(Api::Produce)
        .partition("t", 0)
        .error(NOT_ENOUGH_REPLICAS);
    delivered(&send(&producer, 0, "sent twice"));
    let refusals = cluster.on(Api::Produce).partition("t", 0).times(2);
    let refusals = refusals.error(NOT_ENOUGH_REPLICAS);
    assert_eq!(
        failed(&send(&producer, 0, "refused twice")).outcome(),
        Outcome::NotWritten
    );
    assert_eq!(refusals.hits(), 2);
    cluster
        .on(Api::Produce)
        .times(2)
        .after_handling()
        .disconnect();
    assert_eq!(
        failed(&send(&producer, 0, "lost twice")).outcome(),
        Outcome::Unknown
    );
    delivered(&send(&producer, 0, "last"));
    let metrics = producer.metrics();
    assert_eq!(
        (metrics.delivered, metrics.failed, metrics.unknown),
        (2, 1, 1)
    );
    assert_eq!(
        (metrics.requests, metrics.batches, metrics.retries),
        (7, 7, 3)
    );
    assert_eq!((metrics.connects, metrics.connect_failures), (3, 0));
    assert_eq!(metrics.buffered_bytes, 0);
    assert!(metrics.request_bytes > 7 * 61, "{metrics:?}");
    let close = producer.close().expect("not in a callback");
    assert_eq!((close.delivered, close.failed, close.unknown), (2, 1, 1));
}
