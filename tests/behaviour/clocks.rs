//! Limits of time that are extreme, and answers that come just then.

use std::process::{Command, Stdio};
use std::time::Duration;

use milena::mock::Api;
use milena::{Config, Error, ErrorKind, Outcome};

use crate::support::{
    PROMISED, SOON, all_delivered, assert_contiguous, cluster, config, delivered, failed, numbers,
    produced, producer, result, send, send_numbers, values,
};

#[test]
fn limits_without_end_overflow_nothing() {
    let longest = i32::MAX.to_string();
    let by_key = |config: Config| config.set("delivery.timeout.ms", &longest);
    let by_setter = |config: Config| Ok(config.delivery_timeout(Duration::MAX));
    let lingering = |config: Config| {
        let config = config.linger(Duration::MAX).max_block(Duration::MAX);
        Ok(config
            .delivery_timeout(Duration::MAX)
            .close_timeout(Duration::MAX))
    };
    let settings: [&dyn Fn(Config) -> Result<Config, Error>; 3] = [&by_key, &by_setter, &lingering];
    for set in settings {
        let cluster = cluster(1, 1);
        let producer = producer(set(config(&cluster)).expect("a good value"));
        cluster.on(Api::Produce).times(1).error(19);
        let refused = failed(&send(&producer, 0, "refused"));
        assert_eq!(refused.outcome(), Outcome::NotWritten);
        delivered(&send(&producer, 0, "v"));
        assert_eq!(
            result(&send(&producer, 0, "w")).expect("sent").offset(),
            Some(1)
        );
        assert_eq!(producer.close().expect("not in a callback").delivered, 2);
    }
}

/// The answer and the time-out race: whichever wins, there is one result and one record.
#[test]
fn answers_that_come_just_at_the_request_time_out_make_no_duplicate() {
    const RECORDS: usize = 60;
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(30);
    let config = config(&cluster).idempotence(true).batch_size(0);
    let producer = producer(config.request_timeout(limit));
    delivered(&send(&producer, 0, "first"));
    for number in 0..RECORDS {
        let delay = Duration::from_millis(25 + number as u64 % 11);
        let slow = cluster.on(Api::Produce).after_handling().delay(delay);
        let slow = slow.answer();
        delivered(&send(&producer, 0, &number.to_string()));
        slow.cancel();
    }
    assert_eq!(values(&cluster, 0)[1..], numbers(0..RECORDS));
    assert_contiguous(&cluster);
    let metrics = producer.metrics();
    assert_eq!(
        (metrics.delivered, metrics.unknown),
        (RECORDS as u64 + 1, 0)
    );
}

#[test]
fn the_broker_is_given_the_request_time_out_as_its_own() {
    for ms in [1234, 30_000] {
        let cluster = cluster(1, 1);
        let limit = Duration::from_millis(ms);
        delivered(&send(
            &producer(config(&cluster).request_timeout(limit)),
            0,
            "v",
        ));
        let told = produced(&cluster)[0]
            .produce
            .as_ref()
            .map(|produce| produce.timeout_ms);
        assert_eq!(told, i32::try_from(ms).ok());
    }
}

/// Batches that were made at different times, most of them behind one that is never answered: each
/// has its own limit.
#[test]
fn each_batch_has_its_own_limit_however_they_queue() {
    let cluster = cluster(1, 1);
    let limit = Duration::from_millis(500);
    let config = config(&cluster).batch_size(0).max_in_flight(1).retries(9);
    let producer = producer(config.request_timeout(limit).delivery_timeout(limit));
    delivered(&send(&producer, 0, "first"));
    cluster.on(Api::Produce).never_answer();
    let mut waiting = Vec::new();
    for _ in 0..10 {
        waiting.push((std::time::Instant::now(), send(&producer, 0, "v")));
        std::thread::sleep(Duration::from_millis(20));
    }
    for (index, (sent, delivery)) in waiting.iter().enumerate() {
        match result(delivery) {
            Ok(_) => assert!(index > 0, "nobody answered it"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
        }
        assert!(
            sent.elapsed() < limit + PROMISED,
            "{index}: {:?}",
            sent.elapsed()
        );
    }
    all_delivered(&send_numbers(&producer, 0, 0..5));
}

/// A process is stopped for longer than its records have, with the answer on its way; when it goes
/// on, that lies in its socket.
#[test]
#[cfg(unix)]
fn an_answer_that_came_while_the_process_was_stopped_counts() {
    const ADDRESS: &str = "MILENA_TEST_ADDRESS";
    let limit = Duration::from_secs(1);
    if let Ok(address) = std::env::var(ADDRESS) {
        let config = Config::new(address).request_timeout(limit);
        let producer = producer(config.delivery_timeout(limit));
        delivered(&send(&producer, 0, "first"));
        delivered(&send(&producer, 0, "answered while it was stopped"));
        return;
    }
    let cluster = cluster(1, 1);
    let gate = cluster.gate();
    cluster.on(Api::Produce).skip(1).hold(&gate).answer();
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args([
            "--exact",
            "clocks::an_answer_that_came_while_the_process_was_stopped_counts",
        ])
        .env(ADDRESS, cluster.bootstrap())
        .stdout(Stdio::null())
        .spawn()
        .expect("the test binary runs again");
    let signal = |name: &str| {
        let script = format!("kill {name} {}", child.id());
        let status = Command::new("sh").args(["-c", &script]).status();
        assert!(status.expect("a shell").success());
    };
    assert!(gate.wait_for_held(1, SOON));
    signal("-STOP");
    gate.open();
    // Longer than what it waits for.
    std::thread::sleep(5 * limit / 2);
    signal("-CONT");
    assert!(
        child.wait().expect("a child").success(),
        "the answer was not seen"
    );
}
