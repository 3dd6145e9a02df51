use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use super::*;
use crate::accumulator::Wait;
use crate::accumulator::ended::Which;
use crate::accumulator::partition::Partition;
use crate::accumulator::ready::ReadyQueue;
use crate::accumulator::sequence::Identity;
use crate::accumulator::state::{Route, Take};
use crate::accumulator::tests::bench::known_topic;
use crate::broker::tests::{broker, core, reset};
use crate::config::Config;
use crate::delivery::{Delivery, RecordMetadata};
use crate::error::{ErrorKind, Outcome};
use crate::record::Record;
use crate::sync::Mutex;
use crate::wire::produce::RecordError;

/// One partition, led by one broker, whose sender and receiver are the test.
struct Bench {
    core: Arc<Core>,
    broker: Arc<Broker>,
    partition: Arc<Partition>,
    settle: Settle,
}

impl Bench {
    fn new(config: Config) -> Self {
        let (core, broker) = (core(config), broker(7));
        let view = known_topic(&core.accumulator, 1);
        let partition = view.partitions[0].clone();
        partition.reroute(Some(Route {
            queue: broker.queue.clone(),
            leader_epoch: 1,
            topic_id: [7; 16],
        }));
        let settle = Settle::new(core.clone(), broker.clone());
        Self {
            core,
            broker,
            partition,
            settle,
        }
    }

    fn retrying() -> Self {
        Self::new(Config::new("localhost:9092").retries(5))
    }

    fn send(&self) -> Delivery {
        let record = Record::to("orders");
        let wait = Wait::No("the test does not wait");
        let appended = self
            .core
            .accumulator
            .append(&self.partition, &record, 0, wait);
        appended.expect("room").expect("a topic in use").0
    }

    fn take(&self) -> Option<Batch> {
        let identity = self.core.accumulator.identities().newest();
        let mut batch = tokens(&self.broker.queue).into_iter().find_map(|token| {
            let place = (token.ticket, 7, usize::MAX);
            match token.partition.take(place, identity, time::now()) {
                Take::Batch(batch) => Some(batch),
                Take::NoRoom | Take::Nothing => None,
            }
        })?;
        batch.attempts += 1;
        Some(batch)
    }
}

fn tokens(queue: &ReadyQueue) -> Vec<Token> {
    let mut tokens = VecDeque::new();
    queue.drain(time::now(), &mut tokens);
    tokens.into()
}

fn reply(error: Code) -> ProducePartitionResponse {
    ProducePartitionResponse {
        error,
        base_offset: 40,
        log_append_time_ms: 99,
        ..ProducePartitionResponse::default()
    }
}

fn result(delivery: &Delivery) -> Result<RecordMetadata, Error> {
    delivery.try_get().expect("it has a result")
}

#[test]
fn an_acknowledgement_gives_the_offset_and_a_recognised_duplicate_none() {
    for (code, offset, time) in [
        (Code::NONE, Some(40), 99),
        (Code::DUPLICATE_SEQUENCE_NUMBER, None, 0),
    ] {
        let bench = Bench::retrying();
        let delivery = bench.send();
        bench
            .settle
            .answered(bench.take().expect("a batch"), &reply(code));
        let metadata = result(&delivery).expect("it is in the log");
        assert_eq!((metadata.offset(), metadata.timestamp_ms()), (offset, time));
        assert_eq!(bench.core.metrics.snapshot(0).delivered, 1);
        assert_eq!(bench.core.accumulator.budget().used(), 0);
    }
}

/// The new metadata comes while the attempt is under way: the record fails as if it had come later.
#[test]
fn an_attempt_that_ends_after_its_topic_was_made_anew_says_so() {
    for answer in [Some(Code::UNKNOWN_TOPIC_ID), None] {
        let bench = Bench::new(Config::new("localhost:9092").idempotence(true));
        let (producer_id, epoch) = (5, 0);
        let identities = bench.core.accumulator.identities();
        identities.set(Identity { producer_id, epoch });
        let delivery = bench.send();
        let mut batch = bench.take().expect("a batch");
        batch.may_be_written = true;
        bench.partition.reroute(Some(Route {
            queue: bench.broker.queue.clone(),
            leader_epoch: 0,
            topic_id: [8; 16],
        }));
        match answer {
            Some(code) => bench.settle.answered(batch, &reply(code)),
            None => bench.settle.lost(batch, &reset()),
        }
        let error = result(&delivery).expect_err("nobody can tell");
        let (kind, outcome) = (error.kind(), error.outcome());
        assert_eq!((kind, outcome), (ErrorKind::UnknownTopic, Outcome::Unknown));
        let text = error.to_string();
        assert!(
            text.contains("made anew") && text.contains("not sent again"),
            "{text}"
        );
    }
}

#[test]
fn records_that_the_broker_blames_get_its_words_whatever_it_numbers_them() {
    let bench = Bench::retrying();
    let deliveries = [bench.send(), bench.send()];
    let blame = |batch_index, message: Option<&str>| RecordError {
        batch_index,
        message: message.map(str::to_string),
    };
    let reply = ProducePartitionResponse {
        record_errors: vec![
            blame(-1, None),
            blame(1, Some("no key")),
            blame(1, Some("again")),
            blame(2, None),
            blame(i32::MAX, None),
        ],
        ..reply(Code::INVALID_RECORD)
    };
    bench
        .settle
        .answered(bench.take().expect("a batch"), &reply);
    let place = "broker 7 (kafka-7:9092) for orders-0: INVALID_RECORD (87): ";
    let [first, second] = deliveries.map(|delivery| result(&delivery).expect_err("refused"));
    assert!(first.to_string().starts_with(place), "{first}");
    let wanted = format!("this record was refused (\"no key\"): {place}");
    assert!(second.to_string().starts_with(&wanted), "{second}");
    assert_eq!(record_errors(&reply, 2, &first).len(), 1);
    assert_eq!(bench.core.metrics.snapshot(0).failed, 2);
}

/// Notes its number on waking.
struct Notes {
    number: usize,
    woken: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Notes {
    fn wake(self: Arc<Self>) {
        self.woken.lock().push(self.number);
    }
}

/// Three batches on the wire; the first is refused for now, the others are acknowledged. Their
/// deliveries, and who was woken of them.
fn acked_above_waiting(bench: &Bench) -> ([Delivery; 3], Arc<Mutex<Vec<usize>>>) {
    bench.core.accumulator.identities().set(Identity {
        producer_id: 5,
        epoch: 0,
    });
    let _proof = bench.send();
    let proof = bench.take().expect("a batch");
    bench.settle.answered(proof, &reply(Code::NONE));
    let woken = Arc::new(Mutex::default());
    let mut batches = Vec::new();
    let deliveries = [0, 1, 2].map(|number| {
        let mut delivery = bench.send();
        batches.push(bench.take().expect("a batch"));
        let woken = Arc::clone(&woken);
        let waker = Waker::from(Arc::new(Notes { number, woken }));
        let polled = Pin::new(&mut delivery).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        delivery
    });
    let refusal = reply(Code::REQUEST_TIMED_OUT);
    bench.settle.answered(batches.remove(0), &refusal);
    for batch in batches.into_iter().rev() {
        bench.settle.answered(batch, &reply(Code::NONE));
    }
    (deliveries, woken)
}

/// Rule 29: in the order of the records, at the time of the oldest, and a flush waits for it.
#[test]
fn a_result_waits_until_those_of_older_batches_are_told() {
    let config = Config::new("localhost:9092").retry_backoff(Duration::ZERO);
    let limit = config.delivery_timeout;
    type Ends = fn(&Bench, Duration);
    let retried: Ends = |bench, _| {
        let oldest = bench.take().expect("to be sent again");
        bench.settle.answered(oldest, &reply(Code::NONE));
    };
    let expires: Ends = |bench, limit| {
        let (losses, next) = bench.core.accumulator.expire(time::now() + limit);
        assert_eq!((losses.unknown, losses.failed, next), (1, 0, None));
    };
    let closes: Ends = |bench, limit| {
        let losses = bench.core.accumulator.abandon(limit);
        assert_eq!((losses.unknown, losses.failed), (1, 0));
    };
    for (ends, is_acked) in [(retried, true), (expires, false), (closes, false)] {
        let bench = Bench::new(config.clone().idempotence(true));
        let (deliveries, woken) = acked_above_waiting(&bench);
        assert!(deliveries.iter().all(|delivery| !delivery.is_done()));
        assert_eq!(bench.core.accumulator.flush().len(), 3);
        assert_eq!(bench.core.metrics.snapshot(0).delivered, 1);
        ends(&bench, limit);
        assert_eq!(*woken.lock(), [0, 1, 2]);
        let results = deliveries.iter().map(|delivery| result(delivery).is_ok());
        assert_eq!(results.collect::<Vec<_>>(), [is_acked, true, true]);
        assert_eq!(bench.core.accumulator.budget().used(), 0);
    }
}

/// The expiry thread has marked the batch and is about to tell, when the receiver finds the
/// connection dead.
#[test]
fn a_lost_batch_that_is_out_of_time_is_left_to_who_said_so() {
    let bench = Bench::retrying();
    let delivery = bench.send();
    let batch = bench.take().expect("a batch");
    let (_given_up, _) = bench.partition.give_up(Which::All, Error::closed);
    bench.settle.lost(batch, &reset());
    assert!(!delivery.is_done(), "it has two results");
    assert_eq!(bench.core.accumulator.budget().used(), 0);
}

#[test]
fn what_is_lost_or_not_sent_comes_back_and_asks_for_metadata() {
    let bench = Bench::retrying();
    let delivery = bench.send();
    let mut batch = bench.take().expect("a batch");
    batch.attempts -= 1;
    bench.settle.not_sent(batch, &reset());
    let batch = bench.take().expect("at once");
    assert!(!batch.may_be_written && batch.attempts == 1);
    bench.settle.lost(batch, &reset());
    assert!(bench.take().is_none(), "it rests first");
    assert_eq!(
        bench.core.wishes.next(Some(time::now())),
        crate::cluster::Due::Refresh
    );
    assert_eq!(bench.core.metrics.snapshot(0).retries, 2);
    let losses = bench.core.accumulator.abandon(Duration::ZERO);
    assert_eq!((losses.failed, losses.unknown), (0, 1));
    let error = result(&delivery).expect_err("abandoned");
    let cause = "last cause: broker 7 (kafka-7:9092) for orders-0: connection reset";
    assert!(error.to_string().ends_with(cause), "{error}");
}

#[test]
fn a_refused_connection_fails_all_that_waits_for_the_broker_and_costs_no_epoch() {
    let bench = Bench::new(Config::new("localhost:9092").idempotence(true));
    let refusal = Error::new(ErrorKind::Authentication, "wrong password");
    for identity in [
        None,
        Some(Identity {
            producer_id: 5,
            epoch: 0,
        }),
    ] {
        identity
            .into_iter()
            .for_each(|identity| bench.core.accumulator.identities().set(identity));
        let generation = bench.core.accumulator.identities().generation();
        let delivery = bench.send();
        let [token] = &tokens(&bench.broker.queue)[..] else {
            panic!("not one token");
        };
        bench.settle.refused(token, &refusal);
        let error = result(&delivery).expect_err("refused");
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Authentication, Outcome::NotWritten)
        );
        assert_eq!(error.to_string(), "record for orders-0: wrong password");
        assert!(tokens(&bench.broker.queue).is_empty() && !bench.partition.has_batches());
        assert_eq!(bench.core.accumulator.identities().generation(), generation);
        let _next = bench.send();
        let after = tokens(&bench.broker.queue);
        assert_eq!(after.len(), 1, "the partition is deaf");
        bench.settle.refused(token, &refusal);
        assert!(bench.partition.has_batches(), "refused with a stale token");
        bench.settle.refused(&after[0], &refusal);
    }
    assert_eq!(bench.core.metrics.snapshot(0).failed, 4);
}

/// An attempt that was spoilt by a lower batch does not count for retries.
#[test]
fn an_idempotent_batch_behind_a_failed_one_keeps_its_attempts() {
    let config = Config::new("localhost:9092")
        .idempotence(true)
        .retries(1)
        .retry_backoff(Duration::ZERO);
    let bench = Bench::new(config);
    bench.core.accumulator.identities().set(Identity {
        producer_id: 5,
        epoch: 0,
    });
    let _proof = bench.send();
    bench
        .settle
        .answered(bench.take().expect("a batch"), &reply(Code::NONE));
    let _lower = bench.send();
    let lower = bench.take().expect("a batch");
    let delivery = bench.send();
    let batch = bench.take().expect("a second");
    bench
        .settle
        .answered(lower, &reply(Code::NOT_ENOUGH_REPLICAS));
    bench
        .settle
        .answered(batch, &reply(Code::OUT_OF_ORDER_SEQUENCE_NUMBER));
    bench
        .settle
        .answered(bench.take().expect("the lower"), &reply(Code::NONE));
    let batch = bench.take().expect("the upper");
    bench
        .settle
        .answered(batch, &reply(Code::NOT_ENOUGH_REPLICAS));
    assert!(!delivery.is_done(), "its first real attempt was its last");
    bench.settle.answered(
        bench.take().expect("the upper"),
        &reply(Code::NOT_ENOUGH_REPLICAS),
    );
    let error = result(&delivery).expect_err("one retry");
    assert!(
        error
            .to_string()
            .contains("given up after 2 attempts, retries is 1"),
        "{error}"
    );
}
