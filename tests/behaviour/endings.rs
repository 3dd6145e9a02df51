//! The end of a producer in every state that it can be in: in time, and with a result for each
//! record, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use milena::mock::{Api, MockCluster};
use milena::{Config, Delivery, Error, ErrorKind, Producer, Record, RecordMetadata};

use crate::support::{
    HOUR, PROMISED, SOON, cluster, config, delivered, eventually, producer, row_in_own_process,
};

/// The time that close is given.
const LIMIT: Duration = Duration::from_millis(200);

/// What its threads get beyond that to see that their sockets are shut.
const GRACE: Duration = Duration::from_millis(500);

const THROTTLED_FOR_AN_HOUR: i32 = 3_600_000;

/// A state of a producer that has sent to two partitions, each led by a broker of its own.
struct Scene {
    name: &'static str,
    /// Its settings, and what happens to it once both brokers are known.
    config: fn(Config) -> Config,
    befalls: fn(&MockCluster),
    /// What shows that it is in that state.
    is_there: fn(&MockCluster, &Producer) -> bool,
}

fn has_read(api: Api) -> impl Fn(&MockCluster) -> bool {
    move |cluster| cluster.requests().iter().any(|request| request.is(api))
}

const SCENES: &[Scene] = &[
    Scene {
        name: "nothing is in the way",
        config: |config| config,
        befalls: |_| (),
        is_there: |_, _| true,
    },
    Scene {
        name: "everything lingers",
        config: |config| config.linger(HOUR),
        befalls: |_| (),
        is_there: |_, producer| producer.buffered_bytes() > 0,
    },
    Scene {
        name: "a broker answers nothing",
        config: |config| config,
        befalls: |cluster| cluster.mute_broker(1),
        is_there: |cluster, _| has_read(Api::Produce)(cluster),
    },
    Scene {
        name: "a broker reads nothing, and connections to it do not open",
        config: |config| config,
        befalls: |cluster| {
            cluster.freeze_broker(1);
            cluster.disconnect(1);
        },
        is_there: |_, producer| producer.buffered_bytes() > 4000,
    },
    Scene {
        name: "no broker listens",
        config: |config| config.reconnect_backoff(HOUR).reconnect_backoff_max(HOUR),
        befalls: |cluster| (1..=2).for_each(|node| cluster.stop_broker(node)),
        is_there: |_, producer| producer.metrics().connect_failures > 0,
    },
    Scene {
        name: "a refused batch rests",
        config: |config| config.retry_backoff(HOUR).retry_backoff_max(HOUR),
        befalls: |cluster| drop(cluster.on(Api::Produce).always().error(19)),
        is_there: |_, producer| producer.metrics().retries > 0,
    },
    Scene {
        name: "a broker asked for a pause of an hour",
        config: |config| config.batch_size(0),
        befalls: |cluster| {
            let answers = cluster.on(Api::Produce).always();
            answers.throttle(THROTTLED_FOR_AN_HOUR).answer();
        },
        is_there: |_, producer| producer.metrics().throttle_ms > 0,
    },
    Scene {
        name: "a producer id is waited for",
        config: |config| config.idempotence(true),
        befalls: |cluster| drop(cluster.on(Api::InitProducerId).always().never_answer()),
        is_there: |cluster, _| has_read(Api::InitProducerId)(cluster),
    },
    Scene {
        name: "the buffer is full and others wait for room",
        config: |config| {
            let config = config.buffer_memory(8000).max_request_size(8000);
            config.max_block(HOUR)
        },
        befalls: |cluster| (1..=2).for_each(|node| cluster.mute_broker(node)),
        is_there: |_, producer| producer.buffered_bytes() > 6000,
    },
];

#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    CloseAtOnce,
    CloseTwiceAtATime,
}

#[test]
fn whatever_it_is_doing_a_producer_ends_in_time_and_resolves_each_record_once() {
    for scene in SCENES {
        std::thread::scope(|scope| {
            for end in [End::Close, End::CloseAtOnce, End::CloseTwiceAtATime] {
                scope.spawn(move || closes_well(scene, end));
            }
            scope.spawn(|| drops_well(scene));
        });
    }
}

/// The scene's producer, before anything is sent.
fn set(scene: &Scene) -> (MockCluster, Producer) {
    let cluster = cluster(2, 2);
    let settings = config(&cluster).retries(99).close_timeout(LIMIT);
    let producer = producer((scene.config)(settings));
    producer.partitions_for("t").expect("known");
    (scene.befalls)(&cluster);
    (cluster, producer)
}

fn counter(calls: &Arc<AtomicUsize>) -> impl FnOnce(Result<RecordMetadata, Error>) + use<> {
    let calls = calls.clone();
    move |_| {
        calls.fetch_add(1, Ordering::SeqCst);
    }
}

/// Sends until it is refused because of the close: what it got, and how many callbacks it gave.
fn sends_on(producer: &Producer, calls: &Arc<AtomicUsize>) -> (Vec<Delivery>, usize) {
    let (mut deliveries, mut callbacks, start) = (Vec::new(), 0, Instant::now());
    let value = "x".repeat(500);
    for turn in 0.. {
        let record = || Record::to("t").partition(turn % 2).value(&value);
        producer.send_with(record(), counter(calls));
        callbacks += 1;
        let delivery = producer.send(record());
        let closed = delivery.try_get().and_then(Result::err);
        deliveries.push(delivery);
        let is_closed = closed.is_some_and(|error| error.kind() == ErrorKind::Closed);
        if is_closed || start.elapsed() > 2 * SOON {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    (deliveries, callbacks)
}

#[track_caller]
fn in_time(place: &str, start: Instant) {
    let took = start.elapsed();
    assert!(took < LIMIT + GRACE + PROMISED, "{place}: {took:?}");
}

fn closes_well(scene: &Scene, end: End) {
    let (cluster, producer) = set(scene);
    let calls = Arc::new(AtomicUsize::new(0));
    let place = &format!("{end:?} while {}", scene.name);
    let close = |limit| producer.close_timeout(limit).expect("not in a callback");
    std::thread::scope(|scope| {
        let sends = || sends_on(&producer, &calls);
        let sending: Vec<_> = (0..3).map(|_| scope.spawn(sends)).collect();
        eventually(place, || (scene.is_there)(&cluster, &producer));
        let start = Instant::now();
        let report = match end {
            End::Close => close(LIMIT),
            End::CloseAtOnce => close(Duration::ZERO),
            End::CloseTwiceAtATime => {
                let other = scope.spawn(|| close(LIMIT));
                close(LIMIT);
                other.join().expect("no panic")
            }
        };
        in_time(place, start);
        let (mut sent, mut callbacks) = (0, 0);
        for thread in sending {
            let (deliveries, given) = thread.join().expect("no panic");
            for delivery in &deliveries {
                assert!(delivery.is_done(), "{place}: {delivery:?}");
            }
            sent += deliveries.len() + given;
            callbacks += given;
        }
        eventually(place, || calls.load(Ordering::SeqCst) == callbacks);
        // What was sent after the close is in the metrics, and not in the report.
        let metrics = producer.metrics();
        let counted = metrics.delivered + metrics.failed + metrics.unknown;
        assert_eq!(counted, sent as u64, "{place}");
        assert_eq!(metrics.delivered, report.delivered, "{place}");
        eventually(place, || producer.buffered_bytes() == 0);
        assert_eq!(calls.load(Ordering::SeqCst), callbacks, "{place}");
    });
    leaves_nothing_open(place, &cluster);
}

fn drops_well(scene: &Scene) {
    let (cluster, producer) = set(scene);
    let calls = Arc::new(AtomicUsize::new(0));
    let place = &format!("drop while {}", scene.name);
    let (mut deliveries, mut callbacks, mut turn) = (Vec::new(), 0, 0);
    let value = "x".repeat(500);
    eventually(place, || {
        turn += 1;
        let partition = turn % 2;
        let record = || Record::to("t").partition(partition).value(&value);
        deliveries.extend(producer.try_send(record()).ok());
        if let Ok(delivery) = producer.try_send(record()) {
            delivery.on_done(counter(&calls));
            callbacks += 1;
        }
        callbacks > 0 && (scene.is_there)(&cluster, &producer)
    });
    let start = Instant::now();
    drop(producer);
    in_time(place, start);
    for delivery in &deliveries {
        assert!(delivery.is_done(), "{place}: {delivery:?}");
    }
    eventually(place, || calls.load(Ordering::SeqCst) == callbacks);
    leaves_nothing_open(place, &cluster);
    assert_eq!(calls.load(Ordering::SeqCst), callbacks, "{place}");
}

#[track_caller]
fn leaves_nothing_open(place: &str, cluster: &MockCluster) {
    let is_over = |cluster: &MockCluster| cluster.connections().iter().all(|it| !it.is_open);
    assert!(
        cluster.wait_for(SOON, is_over),
        "{place}: connections stay open"
    );
}

#[test]
fn close_delivers_ten_thousand_records_that_linger() {
    let cluster = cluster(2, 4);
    let producer = producer(config(&cluster).linger(HOUR).batch_size(2000));
    let records = (0..10_000).map(|_| Record::to("t").value("v"));
    let deliveries: Vec<Delivery> = records.map(|record| producer.send(record)).collect();
    let report = producer.close_timeout(SOON).expect("not in a callback");
    assert_eq!(
        (report.delivered, report.failed, report.unknown),
        (10_000, 0, 0)
    );
    let is_delivered = |it: &Delivery| it.try_get().is_some_and(|result| result.is_ok());
    assert!(deliveries.iter().all(is_delivered));
}

/// `main` returns, or calls `exit`, while a producer has records on their way.
#[test]
fn a_process_ends_at_once_with_a_producer_that_nobody_closed() {
    const NAME: &str = "endings::a_process_ends_at_once_with_a_producer_that_nobody_closed";
    let start = Instant::now();
    let Some(row) = row_in_own_process(NAME, 2) else {
        // The producers' own limits are hours.
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        return;
    };
    let cluster = cluster(1, 1);
    let config = config(&cluster).close_timeout(HOUR).request_timeout(HOUR);
    let producer = producer(config.delivery_timeout(HOUR));
    delivered(&crate::support::send(&producer, 0, "v"));
    cluster.mute_broker(1);
    cluster.forget_requests();
    producer.send_with(Record::to("t").value("v"), |_| panic!("nobody answered"));
    assert!(cluster.wait_for(SOON, has_read(Api::Produce)));
    std::mem::forget((producer, cluster));
    if row == 1 {
        println!("1 passed, as far as it goes");
        std::process::exit(0);
    }
}
