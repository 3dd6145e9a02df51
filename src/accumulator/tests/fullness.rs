//! Shares of the buffer, and what becomes of records that find it full.

use super::*;
use crate::accumulator::budget::Account;
use crate::config::FullBuffer;

fn topic(accumulator: &Accumulator, name: &str, route: Option<&Route>) -> Arc<Partition> {
    let topic = accumulator.insert_topic(name, 0);
    let partition = topic.resize(1, accumulator.shared()).partitions[0].clone();
    partition.reroute(route.cloned());
    partition
}

fn append(accumulator: &Accumulator, partition: &Arc<Partition>, len: usize) -> Result<(), Error> {
    let value = vec![0; len];
    let record = Record::to(partition.topic()).value(&value);
    accumulator
        .append(partition, &record, 0, NO_WAIT)
        .map(|_| ())
}

/// Appends until there is no more room.
fn fill(accumulator: &Accumulator, partition: &Arc<Partition>, len: usize) -> Error {
    loop {
        if let Err(error) = append(accumulator, partition, len) {
            return error;
        }
    }
}

/// A batch stays on the accounts on which it began, also while its partition has no leader.
#[test]
fn memory_counts_for_the_broker_that_led_when_the_batch_began() {
    let accumulator = accumulator(&Config::new("localhost:9092").batch_size(5000));
    let [(first, to_first), (second, to_second)] = [1, 2].map(queue_and_route);
    let partition = topic(&accumulator, "orders", Some(&to_first));
    let leaderless = accumulator.budget().leaderless();
    let held = || [&**first.account(), second.account(), leaderless].map(Account::held);
    let mut used = [0; 3];
    for (index, route) in [(0, Some(&to_first)), (1, Some(&to_second)), (2, None)] {
        partition.reroute(route.cloned());
        append(&accumulator, &partition, 4000).expect("room");
        used[index] += accumulator.budget().used() - used.iter().sum::<usize>();
        assert_eq!(held(), used);
        // What is open grows where it began.
        partition.reroute(Some(to_first.clone()));
        let capacity = accumulator.budget().used();
        append(&accumulator, &partition, 800).expect("room");
        used[index] += accumulator.budget().used() - capacity;
        assert_eq!(held(), used);
    }
    assert!(used.iter().all(|used| *used > 4800), "{used:?}");
    assert_eq!(partition.share().topic.held(), accumulator.budget().used());
    let _losses = accumulator.abandon(Duration::ZERO);
    assert_eq!((held(), accumulator.budget().used()), ([0; 3], 0));
}

#[test]
fn a_share_that_is_used_up_is_named_with_figures() {
    let config = Config::new("localhost:9092").buffer_memory(99_000);
    let accumulator = accumulator(&config.batch_size(0).max_request_size(9000));
    let [(_, dead), (_, other)] = [1, 2].map(queue_and_route);
    let orders = topic(&accumulator, "orders", Some(&dead));
    let told = |error: Error, parts: &[&str]| {
        assert_eq!(error.kind(), ErrorKind::BufferFull);
        let text = error.to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    let error = fill(&accumulator, &orders, 430);
    let used = accumulator.budget().used();
    assert!((88_000..89_000).contains(&used), "8/9: {used}");
    let pair = format!(
        "topic orders holds {used} bytes and broker 1 {used}, more than 8 times what is free, and \
         the {} bytes that are free are kept for others: raise buffer.memory, or send less for it",
        99_000 - used
    );
    told(
        error,
        &[
            &pair,
            "of 99000 bytes (buffer.memory)",
            "; the test does not wait",
        ],
    );
    let error = fill(&accumulator, &topic(&accumulator, "more", Some(&dead)), 130);
    told(error, &["; broker 1 holds ", "more than 16 times"]);
    append(
        &accumulator,
        &topic(&accumulator, "elsewhere", Some(&other)),
        130,
    )
    .expect("room");
    let _losses = accumulator.abandon(Duration::ZERO);
    for broker_id in 0..16 {
        let (_, route) = queue_and_route(broker_id);
        orders.reroute(Some(route));
        if let Err(error) = (0..30).try_for_each(|_| append(&accumulator, &orders, 200)) {
            return told(error, &["; topic orders holds ", "more than 32 times"]);
        }
    }
    panic!("a topic took it all");
}

fn policy(policy: FullBuffer) -> Config {
    let config = Config::new("localhost:9092").buffer_memory(20_000);
    config.batch_size(0).full_buffer(policy)
}

/// Sends a record whose batch takes some 1,000 bytes.
fn send_large(accumulator: &Accumulator, partition: &Arc<Partition>) -> Result<Delivery, Error> {
    let record = Record::to(partition.topic()).value(&[0; 930]);
    let appended = accumulator.append(partition, &record, 0, NO_WAIT);
    appended.map(|appended| appended.expect("in use").0)
}

fn fate(delivery: &Delivery) -> Option<ErrorKind> {
    let error = delivery.try_get()?.expect_err("nobody answered");
    assert_eq!(error.outcome(), Outcome::NotWritten);
    Some(error.kind())
}

#[test]
fn the_oldest_of_a_topic_go_first_wherever_they_wait() {
    let accumulator = accumulator(&policy(FullBuffer::DropOldest));
    let (queue, route) = queue_and_route(1);
    let view = known_topic(&accumulator, 2);
    view.all()
        .for_each(|partition| partition.reroute(Some(route.clone())));
    let other = topic(&accumulator, "other", Some(&route));
    let spared = send_large(&accumulator, &other).expect("room");
    // The first is on the wire, so that it cannot be dropped.
    let mut sent = vec![send_large(&accumulator, &view.partitions[0]).expect("room")];
    let [first, second] = [0, 1].map(|index| &view.partitions[index]);
    let mut tokens = pop(&queue).into_iter();
    let token = tokens.find(|token| Arc::ptr_eq(&token.partition, first));
    let ticket = token.expect("it was announced").ticket;
    let Take::Batch(flight) = first.take((ticket, 1, usize::MAX), None, time::now()) else {
        panic!("it is due");
    };
    while accumulator.metrics().dropped.total() == 0 {
        let partition = [first, second][sent.len() % 2];
        sent.push(send_large(&accumulator, partition).expect("something is dropped for it"));
    }
    // The oldest that could be is in the second partition, and told; the next is in the first,
    // behind the one that is on the wire.
    assert_eq!(
        (fate(&sent[1]), sent[1].partition()),
        (Some(ErrorKind::Dropped), Some(1))
    );
    let text = sent[1]
        .try_get()
        .expect("told")
        .expect_err("dropped")
        .to_string();
    let part = "dropped for newer ones (full.buffer.policy=drop-oldest): ";
    assert!(
        text.contains(part) && text.contains("never sent: waiting for broker 1"),
        "{text}"
    );
    while accumulator.metrics().dropped.total() < 3 {
        sent.push(send_large(&accumulator, first).expect("room"));
    }
    assert_eq!(fate(&sent[2]), None, "an older one is on the wire");
    first.settled(flight, Err(Failure::from(trouble())), time::now());
    assert_eq!(fate(&sent[0]), Some(ErrorKind::Broker));
    assert_eq!(fate(&sent[2]), Some(ErrorKind::Dropped));
    assert_eq!(fate(&sent[3]), Some(ErrorKind::Dropped));
    assert!(
        sent[4..].iter().all(|delivery| !delivery.is_done()),
        "newer ones"
    );
    assert!(!spared.is_done(), "another topic's");
    let _losses = accumulator.abandon(Duration::ZERO);
    assert!(sent.iter().chain([&spared]).all(Delivery::is_done));
    let metrics = accumulator.metrics();
    let (failed, dropped) = (metrics.failed.total(), metrics.dropped.total());
    assert_eq!((failed, dropped), (sent.len() as u64 + 1, 3));
    assert_eq!(accumulator.budget().used(), 0);
}

/// A result that waits holds a part of the memory, so that there cannot be any number of them.
#[test]
fn what_is_dropped_and_not_told_is_bounded_by_the_buffer() {
    let accumulator = accumulator(&policy(FullBuffer::DropOldest));
    let (queue, route) = queue_and_route(1);
    let partition = topic(&accumulator, "orders", Some(&route));
    let mut sent = vec![send_large(&accumulator, &partition).expect("room")];
    let flight = take(&queue).expect("it is due");
    let error = loop {
        match send_large(&accumulator, &partition) {
            Ok(delivery) => sent.push(delivery),
            Err(error) => break error,
        }
        assert!(sent.len() < 100, "results pile up");
    };
    assert_eq!(error.kind(), ErrorKind::Dropped);
    let text = error.to_string();
    assert!(text.starts_with("record for orders dropped (full.buffer.policy=drop-oldest): "));
    let dropped = accumulator.metrics().dropped.total();
    assert!(dropped > 20, "{dropped}");
    assert!(accumulator.budget().used() > (dropped as usize - 1) * 500);
    partition.settled(flight, Err(Failure::from(trouble())), time::now());
    let _losses = accumulator.abandon(Duration::ZERO);
    assert!(sent.iter().all(Delivery::is_done));
    assert_eq!(accumulator.budget().used(), 0);
}

#[test]
fn nothing_is_dropped_where_that_would_not_make_room() {
    let accumulator = accumulator(&policy(FullBuffer::DropOldest));
    let [(_, dead), (_, other)] = [1, 2].map(queue_and_route);
    let view = known_topic(&accumulator, 2);
    let [here, there] = [0, 1].map(|index| &view.partitions[index]);
    here.reroute(Some(dead.clone()));
    there.reroute(Some(other));
    let foreign = topic(&accumulator, "foreign", Some(&dead));
    let dropped = || accumulator.metrics().dropped.total();
    let elsewhere = send_large(&accumulator, there).expect("room");
    // The broker's share is used up by another topic: what waits elsewhere is no help.
    while accumulator.budget().excess(&foreign.share()).is_none() {
        let _sent = send_large(&accumulator, &foreign).expect("room");
    }
    let before = dropped();
    while accumulator.budget().excess(&here.share()).is_none() {
        append(&accumulator, &here.clone(), 0).expect("room");
    }
    let small = append(&accumulator, here, 0);
    assert!(small.is_ok() && dropped() == before + 1, "one of its own");
    let large = send_large(&accumulator, here).expect_err("its own are too small");
    assert_eq!((large.kind(), dropped()), (ErrorKind::Dropped, before + 2));
    assert!(!elsewhere.is_done());
    let _losses = accumulator.abandon(Duration::ZERO);
    assert_eq!(accumulator.budget().used(), 0);
}

/// Nobody who waits gets what a topic drops for itself.
#[test]
fn what_is_dropped_makes_room_for_its_own_topic() {
    let config = policy(FullBuffer::DropOldest).batch_size(4000);
    let accumulator = accumulator(&config.topic(
        "patient",
        crate::config::TopicConfig::new().full_buffer(FullBuffer::Block),
    ));
    let [(_, first), (_, second)] = [1, 2].map(queue_and_route);
    let log = topic(&accumulator, "log", Some(&first));
    let patient = topic(&accumulator, "patient", Some(&second));
    while accumulator.metrics().dropped.total() == 0 {
        let _sent = send_large(&accumulator, &log).expect("room");
    }
    std::thread::scope(|scope| {
        let (accumulator, patient) = (&accumulator, &patient);
        let waits = scope.spawn(move || {
            let record = Record::to("patient").value(&[0; 10_000]);
            let wait = Wait::AtMost(Duration::from_secs(60));
            accumulator.append(patient, &record, 0, wait).map(|_| ())
        });
        while !accumulator.budget().is_pressed() || accumulator.budget().waiting() == 0 {
            std::thread::yield_now();
        }
        for _ in 0..50 {
            let _sent = send_large(accumulator, &log).expect("room");
        }
        assert!(
            !waits.is_finished() && log.load().records >= 15,
            "it emptied itself"
        );
        let _losses = accumulator.abandon(Duration::ZERO);
        waits.join().expect("no panic").expect("there is room now");
    });
    let _losses = accumulator.abandon(Duration::ZERO);
    assert_eq!(accumulator.budget().used(), 0);
}

#[test]
fn a_policy_that_does_not_wait_says_so() {
    let rows = [
        (
            FullBuffer::Fail,
            ErrorKind::BufferFull,
            0,
            "; full.buffer.policy=fail",
        ),
        (
            FullBuffer::DropNewest,
            ErrorKind::Dropped,
            2,
            "(full.buffer.policy=drop-newest): ",
        ),
    ];
    for (chosen, kind, dropped, part) in rows {
        let accumulator = accumulator(&policy(chosen));
        let (_, route) = queue_and_route(1);
        let partition = topic(&accumulator, "orders", Some(&route));
        fill(&accumulator, &partition, 930);
        let record = Record::to("orders").value(&[0; 930]);
        let wait = Wait::AtMost(Duration::from_secs(3600));
        let error = accumulator.append(&partition, &record, 0, wait);
        let error = error.map(|_| ()).expect_err("no room");
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NotWritten));
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(accumulator.metrics().dropped.total(), dropped);
        // What is kept besides a record is part of it.
        let reserved = accumulator.reserve(Some("orders"), 9000, &mut wait.clone());
        assert_eq!(reserved.map(|_| ()).expect_err("no room").kind(), kind);
        let _losses = accumulator.abandon(Duration::ZERO);
    }
}
