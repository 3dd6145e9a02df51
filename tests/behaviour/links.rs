//! Links that are refused, swallowed, reset, cut or slow, and that lead elsewhere than they did.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use milena::mock::{Api, MockCluster, On};
use milena::{Acks, Config, Delivery, ErrorKind, Outcome, Record};

use crate::proxy::{BlackHole, ClosedPort, Habits, Proxy};
use crate::support::{
    HOUR, PROMISED, SOON, all_delivered, assert_contiguous, cluster, config, config_for, count_of,
    delivered, eventually, exactly_once, failed, numbers, produced, producer, send, send_numbers,
    values, wait_for_produced,
};

#[test]
fn sends_to_nobody_fail_in_time_and_knock_seldom() {
    let closed = ClosedPort::take();
    // It accepts, and hangs up because there is nobody behind it.
    let door = Proxy::to(closed.address.to_string());
    let limit = Duration::from_millis(1000);
    let servers = format!("{},{}", closed.address, door.address());
    let config = Config::new(servers)
        .max_block(limit)
        .retry_backoff(Duration::from_millis(100))
        .retry_backoff_max(Duration::from_millis(400));
    let producer = producer(config);
    let start = Instant::now();
    let errors: Vec<_> = std::thread::scope(|scope| {
        let sending = (0..10).map(|_| scope.spawn(|| failed(&send(&producer, 0, "v"))));
        let sending: Vec<_> = sending.collect();
        let errors = sending.into_iter().map(|thread| thread.join());
        errors.map(|error| error.expect("no panic")).collect()
    });
    assert!(start.elapsed() < limit + PROMISED, "{:?}", start.elapsed());
    for error in errors {
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::TimedOut, Outcome::NotWritten)
        );
        let text = error.to_string();
        let names = [closed.address.to_string(), door.address()];
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
    }
    // After 0, 100, 200, 400 and 400 ms, less 20 %, and the one that the threads' first calls add.
    assert!(door.accepted() <= 6, "{} connections", door.accepted());
}

#[test]
fn a_server_that_swallows_or_says_nothing_is_left_for_the_next() {
    let hole = BlackHole::open();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().map(|address| (silent, address));
    let (_silent, silent) = silent.expect("bound");
    for bad in [hole.address, silent] {
        let cluster = cluster(1, 1);
        let limit = Duration::from_millis(200);
        // Whichever is asked first.
        for _ in 0..3 {
            let config = Config::new(format!("{bad},{}", cluster.bootstrap()));
            let config = config
                .connection_setup_timeout(limit)
                .connection_setup_timeout_max(limit);
            delivered(&send(&producer(config.max_block(SOON)), 0, "v"));
        }
    }
}

#[test]
fn a_close_does_not_wait_for_a_connect_that_is_swallowed() {
    let hole = BlackHole::open();
    let config = Config::new(hole.address.to_string())
        .connection_setup_timeout(SOON)
        .connection_setup_timeout_max(SOON);
    let producer = producer(config.max_block(HOUR));
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| failed(&send(&producer, 0, "v")));
        std::thread::sleep(Duration::from_millis(50));
        let start = Instant::now();
        producer.close_timeout(Duration::ZERO).expect("closed");
        assert!(start.elapsed() < 2 * PROMISED, "{:?}", start.elapsed());
        let error = sending.join().expect("no panic");
        assert_eq!(error.kind(), ErrorKind::Closed);
    });
}

/// Not a byte of a record was written, so it is no retry.
#[test]
fn a_broker_that_does_not_introduce_itself_is_called_again() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(200);
    let config = config(&cluster).connection_setup_timeout(limit);
    let producer = producer(config.connection_setup_timeout_max(limit));
    producer.partitions_for("t").expect("the topic");
    let silence = cluster.on(Api::ApiVersions).never_answer();
    delivered(&send(&producer, 0, "v"));
    assert_eq!(
        (silence.hits(), producer.metrics().connect_failures),
        (1, 1)
    );
}

/// Batches that were numbered alike have the same bytes: the broker can tell the second from a new
/// one.
#[track_caller]
fn assert_twins(cluster: &MockCluster) {
    let mut seen = HashMap::new();
    for request in produced(cluster) {
        for batch in request.batches() {
            let name = (
                batch.producer_id,
                batch.producer_epoch,
                batch.partition,
                batch.base_sequence,
            );
            let first = *seen.entry(name).or_insert(batch.crc);
            assert_eq!(first, batch.crc, "{name:?} was sent with other bytes");
        }
    }
}

/// A thousand bytes for each record, so that a cut may fall into one.
#[track_caller]
fn survives_a_reset(habits: Habits, script: impl FnOnce(On<'_>)) {
    let cluster = cluster(1, 1);
    let proxy = Proxy::before(&cluster, 1);
    let value = |number: usize| format!("{number:01000}");
    let producer = exactly_once(&cluster);
    delivered(&send(&producer, 0, &value(0)));
    proxy.set(habits);
    cluster.disconnect(1);
    script(cluster.on(Api::Produce).skip(2));
    let deliveries: Vec<_> = (1..20)
        .map(|number| send(&producer, 0, &value(number)))
        .collect();
    // One connection is enough to see it.
    eventually("the habit is met", || proxy.accepted() >= 2);
    std::thread::sleep(Duration::from_millis(20));
    proxy.set(Habits::default());
    all_delivered(&deliveries);
    let all: Vec<_> = (0..20).map(value).collect();
    assert!(
        values(&cluster, 0) == all,
        "{} records",
        values(&cluster, 0).len()
    );
    assert_contiguous(&cluster);
    assert_twins(&cluster);
}

#[test]
fn a_reset_at_any_moment_costs_no_record_and_makes_no_duplicate() {
    let after = |bytes| Habits {
        reset_after: Some(bytes),
        ..Habits::default()
    };
    // As soon as the client speaks, inside the introduction, inside the first and a later record.
    for bytes in [0, 20, 300, 2500] {
        survives_a_reset(after(bytes), |_| ());
    }
    let resets = Habits {
        resets: true,
        ..Habits::default()
    };
    survives_a_reset(resets, |on| drop(on.disconnect()));
    survives_a_reset(resets, |on| drop(on.after_handling().disconnect()));
    survives_a_reset(resets, |on| drop(on.cut(9)));
}

/// The length of a broker's introduction, as a client sees it that asks in version 3.
fn introduction_len(cluster: &MockCluster) -> usize {
    let ask = [0, 0, 0, 14, 0, 18, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 0, 1, 1, 0];
    let mut socket = TcpStream::connect(cluster.address(1)).expect("connected");
    socket.write_all(&ask).expect("written");
    let mut len = [0; 4];
    socket.read_exact(&mut len).expect("an answer");
    4 + u32::from_be_bytes(len) as usize
}

/// Short pauses: there are many of them.
fn restless(cluster: &MockCluster) -> Config {
    let pause = Duration::from_millis(1);
    config(cluster)
        .retry_backoff(pause)
        .retry_backoff_max(pause)
        .reconnect_backoff(pause)
        .reconnect_backoff_max(pause)
}

#[test]
fn an_introduction_that_is_cut_anywhere_is_none() {
    let cluster = cluster(1, 1);
    let len = introduction_len(&cluster);
    assert!(len > 30);
    // Version 4 may be a little longer.
    for bytes in 0..len + 4 {
        let cut = cluster.on(Api::ApiVersions).cut(bytes);
        let producer = producer(restless(&cluster));
        delivered(&send(&producer, 0, "v"));
        assert_eq!(cut.hits(), 1);
    }
    assert_eq!(values(&cluster, 0).len(), len + 4);
}

/// Cuts answers of `api` at every byte until one comes through whole, which is then enough.
#[track_caller]
fn cut_at_every_byte(api: Api, least: usize, config: impl Fn(&MockCluster) -> Config) {
    let cluster = cluster(1, 1);
    let mut bytes = 0;
    loop {
        cluster.forget_requests();
        let cut = cluster.on(api).cut(bytes);
        let producer = producer(config(&cluster));
        delivered(&send(&producer, 0, &bytes.to_string()));
        assert_eq!(cut.hits(), 1);
        bytes += 1;
        if count_of(&cluster, api).len() == 1 {
            break;
        }
    }
    assert!(
        bytes > least,
        "an answer of {bytes} bytes was taken for whole"
    );
    let mut logged = values(&cluster, 0);
    logged.dedup();
    assert_eq!(logged, numbers(0..bytes));
}

#[test]
fn metadata_that_is_cut_anywhere_is_none() {
    cut_at_every_byte(Api::Metadata, 80, restless);
}

#[test]
fn a_producer_id_that_is_cut_anywhere_is_none() {
    cut_at_every_byte(Api::InitProducerId, 23, |cluster| {
        restless(cluster).idempotence(true)
    });
}

#[test]
fn an_acknowledgement_that_is_cut_anywhere_is_none_and_its_records_are_sent_again() {
    for is_idempotent in [false, true] {
        cut_at_every_byte(Api::Produce, 40, |cluster| {
            let config = restless(cluster).retries(u32::MAX);
            config.acks(Acks::All).idempotence(is_idempotent)
        });
    }
}

/// How far a connection got is unknown: the requests on it are given up with it, and the records
/// behind them find a new one.
#[test]
fn five_requests_into_a_black_hole_are_unknown_once_their_time_is_over() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(300);
    let config = config(&cluster).batch_size(0).request_timeout(limit);
    let producer = producer(config);
    delivered(&send(&producer, 0, "0"));
    let silence = cluster.on(Api::Produce).never_answer();
    let start = Instant::now();
    let deliveries = send_numbers(&producer, 0, 1..6);
    wait_for_produced(&cluster, 6);
    for delivery in &deliveries {
        let error = failed(delivery);
        let unknown = (ErrorKind::TimedOut, Outcome::Unknown);
        // Those behind the first end with its connection.
        assert_eq!((error.kind(), error.outcome()), unknown, "{error}");
    }
    assert!(start.elapsed() >= limit && silence.hits() == 1);
    delivered(&send(&producer, 0, "1"));
    assert_eq!(values(&cluster, 0), numbers(0..2));
    let used: Vec<_> = produced(&cluster)
        .iter()
        .map(|one| one.connection)
        .collect();
    assert!(used[1..6].iter().all(|one| *one == used[0]) && used[6] != used[0]);
}

/// It reads requests and answers none, or does not even read, so that the write blocks.
#[test]
fn a_broker_in_a_black_hole_holds_up_no_other() {
    for is_frozen in [false, true] {
        let cluster = cluster(2, 2);
        let config = config(&cluster).send_buffer_bytes(64 * 1024);
        let producer = producer(config.batch_size(0));
        all_delivered(&[send(&producer, 0, "0"), send(&producer, 1, "0")]);
        match is_frozen {
            true => cluster.freeze_broker(1),
            false => cluster.mute_broker(1),
        }
        let large = "x".repeat(900_000);
        let stuck: Vec<_> = (0..8).map(|_| send(&producer, 0, &large)).collect();
        for number in 1..200 {
            delivered(&send(&producer, 1, &number.to_string()));
        }
        assert_eq!(values(&cluster, 1), numbers(0..200));
        assert!(stuck.iter().all(|delivery| delivery.try_get().is_none()));
        producer.close_timeout(Duration::ZERO).expect("closed");
    }
}

/// Eight megabytes for a broker that has stopped reading.
#[test]
fn a_write_that_blocks_is_given_up_and_is_not_continued_elsewhere() {
    for is_idempotent in [false, true] {
        let cluster = cluster(1, 1);
        let limit = Duration::from_millis(400);
        let config = config(&cluster)
            .send_buffer_bytes(64 * 1024)
            .request_timeout(limit)
            .connection_setup_timeout(limit)
            .idempotence(is_idempotent);
        let producer = producer(config.batch_size(0));
        delivered(&send(&producer, 0, "learns the leader"));
        cluster.freeze_broker(1);
        let value = |number: usize| number.to_string().repeat(900_000);
        let deliveries: Vec<Delivery> = (0..8)
            .map(|number| send(&producer, 0, &value(number)))
            .collect();
        eventually("the next connection hangs as well", || {
            producer.metrics().connect_failures > 0
        });
        if !is_idempotent {
            let error = failed(&deliveries[0]);
            let unknown = (ErrorKind::TimedOut, Outcome::Unknown);
            assert_eq!((error.kind(), error.outcome()), unknown, "{error}");
        }
        cluster.thaw_broker(1);
        let results: Vec<_> = deliveries.iter().map(crate::support::result).collect();
        let logged = values(&cluster, 0);
        for (number, result) in results.iter().enumerate() {
            let copies = logged.iter().filter(|one| **one == value(number)).count();
            let most = usize::from(!matches!(result, Err(e) if e.outcome() == Outcome::NotWritten));
            let least = usize::from(result.is_ok());
            assert!((least..=most).contains(&copies), "{copies} of {number}");
            assert!(result.is_ok() || !is_idempotent, "{result:?}");
        }
    }
}

#[test]
fn everything_may_come_byte_by_byte_in_both_directions() {
    let cluster = cluster(1, 1);
    let proxy = Proxy::before(&cluster, 1);
    proxy.set(Habits {
        slice: Some(1),
        ..Habits::default()
    });
    let config = config_for(proxy.address());
    let producer = producer(config.idempotence(true).batch_size(100));
    all_delivered(&send_numbers(&producer, 0, 0..200));
    assert_eq!(values(&cluster, 0), numbers(0..200));
    let metrics = producer.metrics();
    assert_eq!((metrics.connects, metrics.retries), (1, 0));
}

/// An answer of some fifty bytes, each of which comes in time.
#[test]
fn an_answer_that_drips_is_late_as_a_whole() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(300);
    let producer = producer(config(&cluster).request_timeout(limit));
    delivered(&send(&producer, 0, "v"));
    cluster.on(Api::Produce).in_pieces(1, limit / 4).answer();
    let error = failed(&send(&producer, 0, "v"));
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::Unknown)
    );
}

#[test]
fn a_broker_that_closes_what_rests_costs_nothing_however_often() {
    let cluster = cluster(1, 1);
    let producer = producer(config(&cluster));
    for number in 0..20 {
        delivered(&send(&producer, 0, &number.to_string()));
        cluster.disconnect(1);
        // Longer than a connection may rest without being looked at.
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(values(&cluster, 0), numbers(0..20));
    let metrics = producer.metrics();
    assert_eq!((metrics.retries, metrics.connect_failures), (0, 0));
}

/// Node 1's address leads to node 2, and node 2's to node 1; then each to its own.
#[test]
fn a_broker_is_known_by_its_id_and_not_by_its_address() {
    let cluster = cluster(2, 2);
    let proxies = [Proxy::before(&cluster, 1), Proxy::before(&cluster, 2)];
    proxies[0].lead_to(cluster.address(2));
    proxies[1].lead_to(cluster.address(1));
    let producer = producer(config(&cluster).retries(u32::MAX).batch_size(0));
    let mut deliveries = send_numbers(&producer, 0, 0..5);
    deliveries.extend(send_numbers(&producer, 1, 0..5));
    wait_for_produced(&cluster, 4);
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.try_get().is_none())
    );
    for (node, proxy) in (1..).zip(&proxies) {
        proxy.lead_to(cluster.address(node));
        cluster.disconnect(node);
    }
    all_delivered(&deliveries);
    for partition in 0..2 {
        assert_eq!(values(&cluster, partition), numbers(0..5));
    }
}

/// Both are told to be at the proxy, which leads to the first; then the second moves to an address
/// of its own.
#[test]
fn two_brokers_at_one_address_are_told_apart_and_the_one_that_moves_is_followed() {
    let cluster = cluster(2, 2);
    let proxy = Proxy::before(&cluster, 1);
    cluster.advertise(2, "127.0.0.1", proxy.port());
    let producer = producer(config(&cluster).retries(u32::MAX).batch_size(0));
    let waiting = send_numbers(&producer, 1, 0..5);
    all_delivered(&send_numbers(&producer, 0, 0..20));
    assert!(waiting.iter().all(|delivery| delivery.try_get().is_none()));
    let own = Proxy::before(&cluster, 2);
    all_delivered(&waiting);
    assert_eq!((values(&cluster, 1), own.accepted()), (numbers(0..5), 1));
}

/// Two clusters; the name that the client was given leads from the first to the second.
#[test]
fn a_cluster_that_was_replaced_is_found_behind_the_bootstrap_servers() {
    let (old, new) = (cluster(3, 3), cluster(1, 3));
    let name = Proxy::to(old.address(1));
    let config = config_for(name.address());
    let producer = producer(config.retries(u32::MAX));
    all_delivered(&[0, 1, 2].map(|partition| send(&producer, partition, "old")));
    name.lead_to(new.address(1));
    (1..=3).for_each(|node| old.stop_broker(node));
    all_delivered(&[0, 1, 2].map(|partition| send(&producer, partition, "new")));
    for partition in 0..3 {
        assert_eq!(values(&new, partition), ["new"]);
    }
}

/// The brokers of the old cluster still run, and say that they are of no use.
#[test]
fn a_client_that_is_told_to_bootstrap_again_asks_none_of_the_brokers_it_knows() {
    const REBOOTSTRAP_REQUIRED: i16 = 129;
    let (old, new) = (cluster(3, 3), cluster(1, 3));
    let name = Proxy::to(old.address(1));
    let config = config_for(name.address());
    let producer = producer(config.retries(u32::MAX).max_block(SOON));
    delivered(&send(&producer, 0, "old"));
    let told = old.on(Api::Metadata).always().error(REBOOTSTRAP_REQUIRED);
    new.create_topic("later", 1);
    name.lead_to(new.address(1));
    delivered(&producer.send(Record::to("later").value("new")));
    delivered(&send(&producer, 1, "new"));
    assert_eq!((told.hits(), values(&new, 1)), (1, vec!["new".into()]));
}

#[test]
fn each_broker_is_spoken_to_in_its_own_version_also_after_a_move() {
    let cluster = cluster(2, 2);
    cluster.versions_of(1, Api::Produce, 3..=7);
    cluster.versions_of(2, Api::Produce, 3..=13);
    let producer = exactly_once(&cluster);
    for round in 0..6 {
        let partition = round % 2;
        all_delivered(&[send(&producer, 0, "v"), send(&producer, 1, "v")]);
        cluster.move_leader("t", partition, 3 - cluster.leader("t", partition));
    }
    let requests = produced(&cluster);
    let spoken = |node: i32| {
        let mut versions: Vec<_> = requests
            .iter()
            .filter(|request| request.node == node)
            .map(|request| request.version)
            .collect();
        versions.dedup();
        versions
    };
    assert_eq!((spoken(1), spoken(2)), (vec![7], vec![13]));
    assert_twins(&cluster);
    assert_contiguous(&cluster);
}
