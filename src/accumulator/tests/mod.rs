pub(crate) mod bench;
mod fullness;
mod quick;
mod waiting;

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::*;
use crate::accumulator::ready::Token;
use crate::accumulator::state::{Route, Take, Verdict};
use crate::delivery::{Delivery, RecordMetadata};
use bench::{accumulator, again, known_topic, partition_of, trouble};

const NO_WAIT: Wait = Wait::No("the test does not wait");

fn queue_and_route(broker_id: i32) -> (Arc<ReadyQueue>, Route) {
    let queue = ReadyQueue::new(broker_id);
    let route = Route {
        queue: queue.clone(),
        leader_epoch: 1,
        topic_id: [7; 16],
    };
    (queue, route)
}

/// The accumulator with one topic that has `count` partitions, all led by the broker of the queue.
fn with_topic(config: Config, count: usize) -> (Accumulator, Arc<ReadyQueue>, Arc<View>) {
    let accumulator = accumulator(&config);
    let view = known_topic(&accumulator, count);
    let (queue, route) = queue_and_route(1);
    accumulator.add_queue(queue.clone());
    view.all()
        .for_each(|partition| partition.reroute(Some(route.clone())));
    (accumulator, queue, view)
}

/// All tokens that are due.
fn pop(queue: &ReadyQueue) -> Vec<Token> {
    let mut tokens = std::collections::VecDeque::new();
    queue.drain(time::now(), &mut tokens);
    tokens.into()
}

fn take(queue: &ReadyQueue) -> Option<batch::Batch> {
    pop(queue).into_iter().find_map(|token| {
        let place = (token.ticket, queue.broker_id(), usize::MAX);
        match token.partition.take(place, None, time::now()) {
            Take::Batch(batch) => Some(batch),
            Take::NoRoom | Take::Nothing => None,
        }
    })
}

fn send(accumulator: &Accumulator, partition: &Arc<Partition>, value: &[u8]) -> Delivery {
    let record = Record::to("orders").value(value);
    let appended = accumulator.append(partition, &record, 0, NO_WAIT);
    appended.expect("room for the record").expect("in use").0
}

fn result(delivery: &Delivery) -> Result<RecordMetadata, Error> {
    delivery.try_get().expect("it has a result")
}

#[test]
fn a_record_that_could_never_be_sent_is_refused_with_the_limit_in_its_way() {
    let config = Config::new("localhost:9092").max_request_size(200);
    let accumulator = accumulator(&config.clone().buffer_memory(150));
    let lone = |len: usize| lone_size(&Record::to("orders").value(&vec![0; len][..]));
    let check = |len: usize| accumulator.check_size(&Record::to("orders").value(&vec![0; len][..]));
    let fits = (0..200)
        .rev()
        .find(|len| lone(*len) <= 150)
        .expect("some size");
    assert!(check(fits).is_ok());
    let error = check(fits + 1).expect_err("a byte more than buffer.memory");
    assert_eq!(error.kind(), ErrorKind::RecordTooLarge);
    assert!(
        error
            .to_string()
            .contains("takes 151 bytes with its batch, buffer.memory is 150")
    );
    let error = check(200).expect_err("more than max.request.size");
    assert!(
        error
            .to_string()
            .contains("max.request.size is 200: raise it"),
        "{error}"
    );
}

#[test]
fn a_full_buffer_tells_what_fills_it_and_what_keeps_that_from_leaving() {
    let config = Config::new("localhost:9092")
        .buffer_memory(3000)
        .batch_size(1000);
    let (accumulator, queue, view) = with_topic(config, 2);
    let small = send(&accumulator, &view.partitions[0], &[0; 100]);
    let large = send(&accumulator, &view.partitions[1], &[0; 1100]);
    queue.set_trouble(Some(trouble()));
    let record = Record::to("orders").value(&[0; 2000]);
    let used = accumulator.budget().used();
    let full = |wait| {
        accumulator
            .append(&view.partitions[0], &record, 0, wait)
            .map(|_| ())
    };
    let error = full(NO_WAIT).expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::BufferFull);
    let text = error.to_string();
    let parts = [
        &format!("buffer full: {used} of 3000 bytes (buffer.memory) used by 2 records"),
        ", the oldest for ",
        "for orders-1, led by broker 1; the test does not wait",
        "; last cause: NOT_ENOUGH_REPLICAS (19)",
    ];
    assert!(parts.iter().all(|part| text.contains(*part)), "{text}");
    let error = full(Wait::AtMost(Duration::ZERO)).expect_err("no room");
    assert!(
        error.to_string().contains("waited max.block.ms = 0 ms"),
        "{error}"
    );
    assert_eq!(
        accumulator.budget().used(),
        used,
        "a refused record holds memory"
    );
    assert!(!small.is_done() && !large.is_done());
}

#[test]
fn a_wait_for_memory_that_is_repeated_gets_no_new_time() {
    let mut wait = Wait::AtMost(Duration::from_secs(9));
    let first = wait.deadline().expect("it waits");
    let Wait::Until(deadline) = wait else {
        panic!("the time does not run");
    };
    let again = wait.deadline().expect("it still waits");
    assert_eq!((again.at(), first.at()), (deadline.at(), deadline.at()));
}

#[test]
fn all_memory_comes_back_however_batches_grow_and_end() {
    let config = Config::new("localhost:9092").batch_size(5000);
    let (accumulator, queue, view) = with_topic(config, 1);
    let partition = &view.partitions[0];
    let mut deliveries = Vec::new();
    for len in [0, 1, 700, 400, 3000, 20_000, 10, 4000, 900, 5000] {
        deliveries.push(send(&accumulator, partition, &vec![0; len]));
        let used = accumulator.budget().used();
        assert_eq!(used, partition.load().bytes, "counted by capacity");
    }
    assert_eq!(partition.load().records, 10);
    let mut batch = take(&queue).expect("a batch");
    batch.seal();
    let (capacity, first_records) = (batch.capacity(), batch.records);
    assert!(batch.bytes.len() <= capacity && batch.bytes.capacity() <= capacity);
    let used = accumulator.budget().used();
    let completion = batch.completion.clone();
    batch.free();
    assert_eq!(accumulator.budget().used(), used - capacity);
    completion.resolve(Err(Failure::from(trouble())));
    drop(partition.ended(batch, Verdict::Acked));
    let mut batch = take(&queue).expect("the next batch");
    batch.attempts = 1;
    assert!(partition.ended(batch, again()).is_none());
    let losses = accumulator.abandon(Duration::from_secs(3));
    assert_eq!(accumulator.budget().used(), 0);
    assert!(deliveries.iter().all(Delivery::is_done));
    let failed_before = u64::from(first_records);
    assert_eq!(losses.failed + losses.unknown + failed_before, 10);
}

#[test]
fn a_batch_that_was_closed_for_a_record_without_room_does_not_linger() {
    let config = Config::new("localhost:9092")
        .linger(Duration::from_secs(3600))
        .delivery_timeout(Duration::from_secs(7200))
        .buffer_memory(1100)
        .batch_size(1000);
    let (accumulator, queue, view) = with_topic(config, 1);
    let _first = send(&accumulator, &view.partitions[0], &[0; 800]);
    assert!(pop(&queue).is_empty());
    let record = Record::to("orders").value(&[0; 800]);
    let refused = accumulator.append(&view.partitions[0], &record, 0, NO_WAIT);
    assert!(refused.is_err());
    assert_eq!(pop(&queue).len(), 1);
}

#[test]
fn what_lingers_leaves_when_somebody_waits_for_memory_or_for_its_result() {
    let config = Config::new("localhost:9092")
        .linger(Duration::from_secs(3600))
        .delivery_timeout(Duration::from_secs(7200))
        .buffer_memory(2000)
        .batch_size(1000);
    let (accumulator, queue, view) = with_topic(config, 2);
    let first = send(&accumulator, &view.partitions[0], &[0; 10]);
    let second = send(&accumulator, &view.partitions[1], &[0; 10]);
    assert!(pop(&queue).is_empty());
    assert!(second.wait_timeout(Duration::ZERO).is_none());
    let tokens = pop(&queue);
    assert!(tokens.len() == 1 && Arc::ptr_eq(&tokens[0].partition, &view.partitions[1]));
    let error = accumulator.reserve(None, 1900, &mut Wait::AtMost(Duration::ZERO));
    assert!(error.is_err());
    assert_eq!(pop(&queue).len(), 1, "the other one, for memory");
    assert!(!first.is_done());
}

/// It was popped, found to rest, announced, pressed and popped, for as long as both lasted.
#[test]
fn a_batch_that_rests_stays_in_the_queue_while_somebody_waits_for_memory() {
    let config = Config::new("localhost:9092").retries(9);
    let (accumulator, queue, view) = with_topic(config, 1);
    let _delivery = send(&accumulator, &view.partitions[0], &[0; 10]);
    let batch = take(&queue).expect("it is due");
    let limit = accumulator.budget().limit();
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| accumulator.reserve(None, limit, &mut Wait::AtMost(Duration::MAX)));
        while !accumulator.budget().is_pressed() {
            std::thread::yield_now();
        }
        let refused = Verdict::Again {
            at: time::after(time::now(), Duration::from_secs(60)),
            awaits_view: false,
            error: trouble(),
        };
        let settled = view.partitions[0].ended(batch, refused);
        let tokens = pop(&queue);
        accumulator.close();
        assert!(waiting.join().expect("no panic").is_err());
        assert!(
            settled.is_none() && tokens.is_empty(),
            "a token for nothing"
        );
    });
}

#[test]
fn a_flush_finds_all_that_is_not_settled() {
    let config = Config::new("localhost:9092")
        .linger(Duration::from_secs(3600))
        .delivery_timeout(Duration::from_secs(7200));
    let (accumulator, queue, view) = with_topic(config, 2);
    let _open = send(&accumulator, &view.partitions[0], b"");
    let _sent = send(&accumulator, &view.partitions[1], b"");
    let [first, second] = &accumulator.flush()[..] else {
        panic!("not two");
    };
    let is_settled = |completion: &Arc<Completion>| completion.wait_end(Some(time::now()), true);
    assert!(!is_settled(first) && !is_settled(second));
    let mut batch = take(&queue).expect("it does not linger");
    assert_eq!(accumulator.flush().len(), 2, "on the wire counts");
    let partition = batch.partition.clone();
    batch.free();
    batch.completion.resolve(Err(Failure::from(trouble())));
    drop(partition.ended(batch, Verdict::Acked));
    assert_eq!(accumulator.flush().len(), 1);
}

#[test]
fn time_runs_out_batch_by_batch_and_the_error_says_how_far_each_came() {
    let config = Config::new("localhost:9092")
        .retries(3)
        .request_timeout(Duration::from_secs(1))
        .delivery_timeout(Duration::from_secs(120));
    let (accumulator, queue, view) = with_topic(config, 2);
    assert_eq!(accumulator.expire(time::now()), (Losses::default(), None));
    let sent = send(&accumulator, &view.partitions[0], b"sent");
    let mut batch = take(&queue).expect("a batch");
    batch.attempts += 1;
    let waits = send(&accumulator, &view.partitions[0], b"waits");
    let stuck = send(&accumulator, &view.partitions[1], b"stuck");
    view.partitions[1].reroute(None);
    view.partitions[1].set_trouble(trouble());
    let start = time::now();
    let (losses, next) = accumulator.expire(start);
    assert_eq!(losses, Losses::default());
    let next = next.expect("three batches will be out of time");
    assert!(next <= start + Duration::from_secs(120) && next > start);

    let (losses, next) = accumulator.expire(start + Duration::from_secs(120));
    assert_eq!(
        (losses, next),
        (
            Losses {
                failed: 2,
                unknown: 1
            },
            None
        )
    );
    for (delivery, outcome, phase) in [
        (
            &sent,
            Outcome::Unknown,
            "sent, waiting for the acknowledgement; attempts: 1",
        ),
        (
            &waits,
            Outcome::NotWritten,
            "never sent: waiting for broker 1; attempts: 0",
        ),
        (
            &stuck,
            Outcome::NotWritten,
            "never sent: the partition has no leader; attempts: 0; last cause: \
             NOT_ENOUGH_REPLICAS (19)",
        ),
    ] {
        let error = result(delivery).expect_err("its time is over");
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::TimedOut, outcome)
        );
        let text = error.to_string();
        let limit = "not delivered within delivery.timeout.ms = 120 s; ";
        assert!(text.contains(limit) && text.ends_with(phase), "{text}");
    }
    assert!(
        result(&stuck)
            .expect_err("late")
            .to_string()
            .starts_with("record for orders-1 ")
    );
    drop(batch);
    assert_eq!(accumulator.budget().used(), 0);
}

#[test]
fn a_producer_that_closes_takes_nothing_more_and_leaves_nothing_unresolved() {
    let (accumulator, queue, view) = with_topic(Config::new("localhost:9092"), 1);
    let delivery = send(&accumulator, &view.partitions[0], b"");
    let record = Record::to("orders");
    accumulator.close();
    for wait in [NO_WAIT, Wait::AtMost(Duration::MAX)] {
        let refused = accumulator.append(&view.partitions[0], &record, 0, wait);
        assert_eq!(
            refused.map(|_| ()).map_err(|e| e.kind()),
            Err(ErrorKind::Closed)
        );
    }
    assert_eq!(accumulator.flush().len(), 1, "what is here goes on");
    assert_eq!(accumulator.abandon(Duration::from_secs(2)).failed, 1);
    let error = result(&delivery).expect_err("abandoned");
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(
        error
            .to_string()
            .contains("the producer was closed; not delivered within 2 s")
    );
    assert!(take(&queue).is_none() && accumulator.flush().is_empty());
}

/// Threads append while one closes: whatever was taken has a result afterwards.
#[test]
fn no_append_slips_past_the_close() {
    for _ in 0..50 {
        let (accumulator, _queue, view) = with_topic(Config::new("localhost:9092"), 1);
        let started = AtomicUsize::new(0);
        let deliveries: Vec<Delivery> = std::thread::scope(|scope| {
            let append = || {
                started.fetch_add(1, Ordering::SeqCst);
                let record = Record::to("orders").value(&[0; 600]);
                let append = || {
                    accumulator
                        .append(&view.partitions[0], &record, 0, NO_WAIT)
                        .ok()?
                };
                std::iter::from_fn(append)
                    .map(|(delivery, _)| delivery)
                    .take(100_000)
                    .collect::<Vec<_>>()
            };
            let threads = [scope.spawn(append), scope.spawn(append)];
            while started.load(Ordering::SeqCst) < 2 {
                std::thread::yield_now();
            }
            accumulator.close();
            accumulator.abandon(Duration::ZERO);
            threads
                .into_iter()
                .flat_map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        assert!(deliveries.iter().all(Delivery::is_done));
        assert_eq!(accumulator.budget().used(), 0);
    }
}

#[test]
fn an_older_view_and_an_older_hint_move_no_partition() {
    let accumulator = accumulator(&Config::new("localhost:9092"));
    let partition = partition_of(&accumulator);
    let route = |broker_id: i32, leader_epoch: i32, id: u8| Route {
        queue: ReadyQueue::new(broker_id),
        leader_epoch,
        topic_id: [id; 16],
    };
    let _delivery = send(&accumulator, &partition, b"");
    let leads = |queue: &ReadyQueue| !pop(queue).is_empty();
    let (first, older, newer, anew) = (
        route(1, 5, 7),
        route(2, 4, 7),
        route(3, 6, 7),
        route(4, 0, 8),
    );
    assert!(
        !partition.follow_hint(first.queue.clone(), 9),
        "a hint without a topic"
    );
    let moved = |route: &Route| {
        partition.reroute(Some(route.clone()));
        leads(&route.queue)
    };
    assert!(moved(&first) && !moved(&older) && moved(&newer) && moved(&anew));
    let hinted = ReadyQueue::new(5);
    assert!(
        !partition.follow_hint(hinted.clone(), 0) && !partition.follow_hint(hinted.clone(), -1)
    );
    assert!(partition.follow_hint(hinted.clone(), 1) && leads(&hinted));
}

#[test]
fn a_batch_that_nobody_settles_fails_when_it_is_dropped() {
    for (attempts, outcome) in [(0, Outcome::NotWritten), (1, Outcome::Unknown)] {
        let (accumulator, queue, view) = with_topic(Config::new("localhost:9092"), 1);
        let delivery = send(&accumulator, &view.partitions[0], b"");
        let mut batch = take(&queue).expect("a batch");
        batch.attempts = attempts;
        drop(batch);
        let error = result(&delivery).expect_err("lost");
        assert_eq!(error.outcome(), outcome);
        assert_eq!(error.kind(), ErrorKind::Application);
        let text = "a thread of the producer panicked over a batch of 1 records for orders-0";
        assert_eq!(error.to_string(), text);
        assert_eq!(accumulator.budget().used(), 0);
        // One batch may be on the wire here: the next takes its place.
        let next = send(&accumulator, &view.partitions[0], b"");
        let partition = &view.partitions[0];
        let batch = take(&queue).expect("the partition does not wait for what is lost");
        drop(partition.ended(batch, Verdict::Acked));
        assert!(!partition.has_batches() && result(&next).is_err());
    }
}

#[test]
fn a_topic_that_shrinks_keeps_the_partitions_it_lost_and_gets_them_back() {
    let (accumulator, _queue, view) = with_topic(Config::new("localhost:9092"), 3);
    let topic = accumulator.topic("orders").expect("the topic");
    let delivery = send(&accumulator, &view.partitions[2], b"");
    let shrunk = topic.resize(1, accumulator.shared());
    assert_eq!((shrunk.partitions.len(), shrunk.retired().len()), (1, 2));
    assert_eq!(accumulator.flush().len(), 1);
    let grown = topic.resize(4, accumulator.shared());
    let same = |index: usize| Arc::ptr_eq(&grown.partitions[index], &view.partitions[index]);
    assert!((0..3).all(same) && grown.retired().is_empty());
    let indexes: Vec<_> = grown
        .partitions
        .iter()
        .map(|partition| partition.index())
        .collect();
    assert_eq!(indexes, [0, 1, 2, 3]);
    assert!(!delivery.is_done());
}
