use std::time::Duration;

use super::*;
use crate::accumulator::Wait;
use crate::accumulator::ready::ReadyQueue;
use crate::accumulator::sequence::{Current, Identity};
use crate::accumulator::state::Route;
use crate::accumulator::state::{Take, Verdict};
use crate::broker::tests::{core, known_broker};
use crate::cluster::view;
use crate::config::Config;
use crate::record::Record;
use crate::time::virtual_clock;
use crate::wire::metadata::{MetadataBroker, MetadataPartition, MetadataTopic};

const LONG: Duration = Duration::from_secs(60);

fn updater(config: Config) -> (Updater, Arc<Core>) {
    let core = core(config);
    (Updater::new(core.clone(), Arc::default()), core)
}

fn config() -> Config {
    Config::new("localhost:9092").retries(5)
}

/// A topic whose partitions have no leader.
fn topic(name: &str, count: i32) -> MetadataTopic {
    let partition = |index| MetadataPartition {
        index,
        leader_id: -1,
        ..MetadataPartition::default()
    };
    MetadataTopic {
        name: Some(name.into()),
        partitions: (0..count).map(partition).collect(),
        ..MetadataTopic::default()
    }
}

fn answer(topics: &[MetadataTopic]) -> MetadataResponse {
    MetadataResponse {
        topics: topics.to_vec(),
        ..MetadataResponse::default()
    }
}

/// Runs `act` while a thread waits for `topic`; gives the error that it got.
fn while_waiting(core: &Core, topic: &str, act: impl FnOnce()) -> Option<Error> {
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| core.wishes.wait_for(topic, Deadline::within(LONG)));
        while !core.wishes.has_waiting() {
            std::thread::yield_now();
        }
        act();
        core.wishes.refuse();
        waiter.join().expect("no panic").err()
    })
}

#[test]
fn a_topic_that_the_answer_does_not_mention_is_asked_for_again() {
    let (mut updater, core) = updater(config());
    let error = while_waiting(&core, "b", || {
        assert_eq!(core.wishes.begin(), ["b"]);
        updater.apply(&answer(&[topic("a", 1)]), &["a".into(), "b".into()]);
        assert_eq!(core.wishes.next(Some(time::now())), Due::Refresh);
        assert_eq!(updater.in_vain, 1);
    });
    assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Closed));
}

#[test]
fn who_came_after_the_question_is_not_told_that_the_topic_is_missing() {
    let (mut updater, core) = updater(config());
    while_waiting(&core, "b", || {
        updater.apply(&answer(&[topic("a", 1)]), &["a".into()]);
        let late = core.wishes.wait_for("b", Deadline::within(Duration::ZERO));
        let text = late.expect_err("no time").to_string();
        assert!(
            text.ends_with("last cause: no broker has answered yet"),
            "{text}"
        );
    });
}

#[test]
fn a_topic_comes_with_its_partitions_and_they_know_why_they_have_no_leader() {
    let (mut updater, core) = updater(config());
    let error = while_waiting(&core, "a", || {
        updater.apply(&answer(&[topic("a", 3)]), &["a".into()]);
    });
    assert!(error.is_none(), "{error:?}");
    let view = core.accumulator.topic("a").expect("the topic").view();
    assert_eq!((view.partitions.len(), view.infos.len()), (3, 3));
    assert!(view.available.is_empty());
    let trouble = view.partitions[2].trouble().expect("no leader");
    assert_eq!(trouble.to_string(), "a-2 has no leader");
}

#[test]
fn a_topic_that_is_denied_says_so_until_it_is_not() {
    let (mut updater, core) = updater(config());
    updater.apply(&answer(&[topic("a", 1)]), &["a".into()]);
    let denied = MetadataTopic {
        error: Code::TOPIC_AUTHORIZATION_FAILED,
        ..topic("a", 0)
    };
    updater.apply(&answer(&[denied]), &["a".into()]);
    let view = || core.accumulator.topic("a").expect("the topic").view();
    let error = view().denied.clone().expect("denied");
    assert_eq!(error.error.kind(), ErrorKind::Authorization);
    assert_eq!(
        view().partitions.len(),
        1,
        "its partitions keep their state"
    );
    updater.apply(&answer(&[topic("a", 1)]), &["a".into()]);
    assert!(view().denied.is_none());
}

#[test]
fn a_partition_that_its_topic_lost_tries_again_with_every_view() {
    let (mut updater, core) = updater(config());
    updater.apply(&answer(&[topic("a", 2)]), &["a".into()]);
    let view = core.accumulator.topic("a").expect("the topic").view();
    let (partition, queue) = (&view.partitions[1], ReadyQueue::new(9));
    partition.reroute(Some(Route {
        queue: queue.clone(),
        leader_epoch: 1,
        topic_id: [0; 16],
    }));
    let take = || {
        let mut tokens = std::collections::VecDeque::new();
        queue.drain(time::now(), &mut tokens);
        tokens.into_iter().find_map(|token| {
            match partition.take((token.ticket, 9, usize::MAX), None, time::now()) {
                Take::Batch(batch) => Some(batch),
                Take::NoRoom | Take::Nothing => None,
            }
        })
    };
    let record = Record::to("a");
    let appended = core
        .accumulator
        .append(partition, &record, 0, Wait::No("full"));
    let _delivery = appended.expect("room");
    let refused = Verdict::Again {
        at: None,
        awaits_view: true,
        error: view::missing("a"),
    };
    assert!(partition.ended(take().expect("a batch"), refused).is_none());
    assert!(take().is_none(), "it awaits a view");
    let _wish = core.wishes.begin();
    updater.apply(&answer(&[]), &["a".into()]);
    assert!(take().is_none(), "that was no view of it");
    assert_eq!(core.wishes.next(Some(time::now())), Due::Refresh);
    updater.apply(&answer(&[topic("a", 1)]), &["a".into()]);
    assert!(take().is_some());
    let trouble = partition.trouble().expect("why it waits").to_string();
    assert_eq!(
        trouble,
        "a-1: the metadata lists 1 partitions of the topic only"
    );
}

/// Whatever the answer says of brokers, the next good one is followed.
#[test]
fn a_leader_that_cannot_be_is_none_and_is_asked_for_again() {
    let broker = |node_id, host: &str, port| MetadataBroker {
        node_id,
        host: host.into(),
        port,
        rack: None,
    };
    let led_by = |leader_id, leader_epoch, brokers: &[MetadataBroker]| {
        let mut topic = topic("a", 1);
        topic.partitions[0].leader_id = leader_id;
        topic.partitions[0].leader_epoch = leader_epoch;
        MetadataResponse {
            brokers: brokers.to_vec(),
            ..answer(&[topic])
        }
    };
    let long = "x".repeat(30_000);
    let good = broker(7, "kafka-7", 9092);
    for (leader, brokers) in [
        (8, vec![good.clone()]),
        (7, vec![]),
        (-1, vec![good.clone()]),
        (i32::MIN, vec![good.clone()]),
        (7, vec![broker(7, "kafka-7", 0)]),
        (7, vec![broker(7, "kafka-7", -1)]),
        (7, vec![broker(7, "kafka-7", 70_000)]),
        (7, vec![broker(7, "", 9092)]),
        (7, vec![broker(7, &long, 9092)]),
    ] {
        let (mut updater, core) = updater(config());
        updater.apply(&led_by(leader, 3, &brokers), &["a".into()]);
        let view = core.accumulator.topic("a").expect("the topic").view();
        let partition = &view.partitions[0];
        assert_eq!((partition.leader(), view.available.len()), (None, 0));
        assert!(core.brokers.all().is_empty(), "nobody is connected to");
        let _wish = core.wishes.begin();
        let record = Record::to("a");
        let appended = core
            .accumulator
            .append(partition, &record, 0, Wait::No("full"));
        let _delivery = appended.expect("room");
        updater.apply(&led_by(leader, 3, &brokers), &["a".into()]);
        let wish = core.wishes.next(Some(time::now()));
        assert_eq!((wish, updater.in_vain), (Due::Refresh, 2));
        known_broker(&core, 7);
        updater.apply(&led_by(7, 3, std::slice::from_ref(&good)), &["a".into()]);
        assert_eq!(partition.leader(), Some(7));
    }
}

#[test]
fn a_broker_that_is_gone_is_kept_for_as_long_as_a_partition_needs_it() {
    let (mut updater, core) = updater(config());
    let left = known_broker(&core, 9);
    let other = MetadataBroker {
        node_id: 7,
        host: "kafka-7".into(),
        port: 9092,
        rack: None,
    };
    let without = |topics: &[MetadataTopic]| MetadataResponse {
        brokers: vec![other.clone()],
        ..answer(topics)
    };
    updater.apply(&answer(&[topic("a", 1)]), &["a".into()]);
    let view = core.accumulator.topic("a").expect("the topic").view();
    let partition = &view.partitions[0];
    partition.reroute(Some(Route {
        queue: left.queue.clone(),
        leader_epoch: 1,
        topic_id: [0; 16],
    }));
    let is_kept = || core.brokers.all().iter().any(|one| one.id() == 9);
    updater.apply(&without(&[]), &["a".into()]);
    assert!(is_kept(), "it leads a partition");
    let record = Record::to("a");
    let appended = core
        .accumulator
        .append(partition, &record, 0, Wait::No("full"));
    let _delivery = appended.expect("room");
    let mut tokens = std::collections::VecDeque::new();
    left.queue.drain(time::now(), &mut tokens);
    let ticket = tokens.pop_front().expect("a token").ticket;
    let Take::Batch(batch) = partition.take((ticket, 9, usize::MAX), None, time::now()) else {
        panic!("a batch is due");
    };
    updater.apply(&without(&[topic("a", 1)]), &["a".into()]);
    assert!(is_kept() && partition.leader().is_none(), "it has a batch");
    drop(partition.ended(batch, Verdict::Acked));
    updater.apply(&answer(&[topic("a", 1)]), &["a".into()]);
    assert!(is_kept(), "an answer without brokers says nothing of them");
    updater.apply(&without(&[topic("a", 1)]), &["a".into()]);
    assert!(!is_kept() && left.queue.is_closed() && left.interrupt.has_fired());
}

#[test]
fn a_topic_with_batches_is_asked_for_even_if_it_was_put_to_rest() {
    let (mut updater, core) = updater(config());
    updater.apply(&answer(&[topic("a", 1)]), &["a".into()]);
    let topic = core.accumulator.topic("a").expect("the topic");
    topic.traffic().take_used();
    topic.traffic().set_dormant();
    assert!(!updater.is_in_use(&topic));
    let record = Record::to("a");
    let partition = &topic.view().partitions[0];
    let appended = core
        .accumulator
        .append(partition, &record, 0, Wait::No("full"));
    let _delivery = appended.expect("room");
    assert!(updater.is_in_use(&topic));
}

/// P-07: names that come and go leave nothing behind.
#[test]
fn a_topic_that_nobody_uses_is_forgotten_unless_something_is_left_there() {
    for (is_idempotent, has_batch, is_kept) in [
        (false, false, false),
        (false, true, true),
        (true, false, false),
        (true, true, true),
    ] {
        virtual_clock::start(1);
        let (mut updater, core) = updater(config().idempotence(is_idempotent));
        updater.apply(&answer(&[topic("a", 2)]), &["a".into()]);
        let topic = core.accumulator.topic("a").expect("the topic");
        let view = topic.view();
        let send = || {
            let wait = Wait::No("full");
            let record = Record::to("a");
            core.accumulator
                .append(&view.partitions[1], &record, 0, wait)
        };
        assert!(updater.is_in_use(&topic));
        virtual_clock::set(core.config.metadata_max_idle);
        let sent = has_batch.then(|| send().expect("room").expect("in use"));
        assert_eq!(updater.is_in_use(&topic), has_batch);
        assert_eq!(core.accumulator.topic("a").is_some(), is_kept);
        assert_eq!(updater.used.contains_key("a"), is_kept);
        assert_eq!(
            send().expect("room").is_some(),
            is_kept,
            "to a topic that is gone"
        );
        drop(sent);
    }
    virtual_clock::stop();
}

/// A broker knows the producer there by its sequences.
#[test]
fn a_topic_in_which_sequences_were_used_is_never_forgotten() {
    virtual_clock::start(1);
    let (mut updater, core) = updater(config().idempotence(true));
    updater.apply(&answer(&[topic("a", 2)]), &["a".into()]);
    let topic = core.accumulator.topic("a").expect("the topic");
    let identity = Identity {
        producer_id: 1,
        epoch: 0,
    };
    let current = Current {
        identity,
        generation: 1,
    };
    topic.view().partitions[1].preset(current, 7);
    assert!(updater.is_in_use(&topic));
    virtual_clock::set(core.config.metadata_max_idle);
    assert!(!updater.is_in_use(&topic));
    assert!(core.accumulator.topic("a").is_some());
    let (record, wait) = (Record::to("a"), Wait::No("full"));
    let partition = &topic.view().partitions[0];
    let sent = core.accumulator.append(partition, &record, 0, wait);
    assert!(sent.expect("room").is_some(), "it takes records");
    virtual_clock::stop();
}

#[test]
fn a_topic_with_a_partition_that_has_stopped_is_never_forgotten() {
    virtual_clock::start(1);
    let (mut updater, core) = updater(config().idempotence(true).gapless(true));
    updater.apply(&answer(&[topic("a", 1)]), &["a".into()]);
    let topic = core.accumulator.topic("a").expect("the topic");
    let send = || {
        let (record, wait) = (Record::to("a"), Wait::No("full"));
        let partition = &topic.view().partitions[0];
        core.accumulator.append(partition, &record, 0, wait)
    };
    let _delivery = send().expect("room");
    virtual_clock::set(core.config.delivery_timeout);
    core.accumulator.expire(time::now());
    assert!(updater.is_in_use(&topic));
    virtual_clock::set(core.config.delivery_timeout + core.config.metadata_max_idle);
    assert!(!updater.is_in_use(&topic));
    assert!(core.accumulator.topic("a").is_some());
    let refused = send().err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::Stopped));
    virtual_clock::stop();
}

#[test]
fn an_attempt_in_vain_is_repeated_only_for_somebody() {
    let (mut updater, core) = updater(config());
    updater.apply(&answer(&[topic("a", 1)]), &["a".into()]);
    let error = Error::new(ErrorKind::Connection, "connection refused");
    core.wishes.begin();
    updater.failed(&error);
    assert_eq!(core.wishes.next(Some(time::now())), Due::TimedOut);
    let topic = core.accumulator.topic("a").expect("the topic");
    assert!(
        topic.traffic().is_dormant() && topic.traffic().mark_used(),
        "the next send asks"
    );
    let record = Record::to("a");
    let partition = &topic.view().partitions[0];
    let appended = core
        .accumulator
        .append(partition, &record, 0, Wait::No("full"));
    let _delivery = appended.expect("room");
    updater.failed(&error);
    assert_eq!(core.wishes.next(Some(time::now())), Due::Refresh);
    let trouble = partition.trouble().expect("why it waits").to_string();
    assert_eq!(trouble, "connection refused");
}

#[test]
fn a_back_off_past_the_clock_is_a_rest_for_good() {
    let config = config()
        .retry_backoff(Duration::MAX)
        .retry_backoff_max(Duration::MAX);
    let (mut updater, core) = updater(config);
    updater.apply(&answer(&[topic("a", 1)]), &["a".into()]);
    updater.last_success = Some(time::now());
    updater.last_attempt = Some(time::now());
    updater.in_vain = 1;
    assert_eq!(updater.age_until(), None);
    core.wishes.close();
    assert!(!updater.rest());
}

#[test]
fn an_unreachable_cluster_is_told_address_by_address() {
    let refused = |port: i32| Error::new(ErrorKind::Connection, format!("kafka:{port}: refused"));
    assert_eq!(
        unreachable_brokers(vec![refused(1)]).to_string(),
        "kafka:1: refused"
    );
    let tls = Error::new(ErrorKind::Tls, "kafka:2: unknown issuer");
    let both = unreachable_brokers(vec![refused(1), tls]);
    assert_eq!(both.kind(), ErrorKind::Tls);
    assert_eq!(
        both.to_string(),
        "no broker answered: kafka:1: refused; kafka:2: unknown issuer"
    );
}
