//! Shares of the buffer, and what becomes of records that find it full.

use super::*;
use crate::accumulator::budget::Account;

fn topic(accumulator: &Accumulator, name: &str, route: Option<&Route>) -> Arc<Partition> {
    let topic = accumulator.insert_topic(Arc::new(Topic::new(name.into(), 0)));
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
