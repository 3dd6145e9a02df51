//! Which records share a batch, which batches share a request, and who pays linger.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use milena::mock::Api;
use milena::{Config, Record};

use crate::support::{
    HOUR, SOON, all_delivered, cluster, config, delivered, plain, produced, producer, send,
    send_numbers, values, wait_for_produced,
};

fn lingering(config: Config) -> Config {
    config.linger(HOUR)
}

#[test]
fn who_waits_for_a_delivery_does_not_pay_linger() {
    let cluster = cluster(1, 1);
    let producer = producer(lingering(config(&cluster)));
    delivered(&send(&producer, 0, "v"));
    let mut polled = pin!(send(&producer, 0, "polled"));
    let mut context = Context::from_waker(Waker::noop());
    assert!(polled.as_mut().poll(&mut context).is_pending());
    cluster.wait_for_records("t", 0, 2, SOON);
}

#[test]
fn flush_does_not_pay_linger_and_lingering_records_share_a_batch() {
    let cluster = cluster(1, 1);
    let producer = producer(lingering(config(&cluster)));
    let deliveries = send_numbers(&producer, 0, 0..100);
    assert!(produced(&cluster).is_empty(), "it did not linger");
    producer.flush_timeout(SOON).expect("flushed");
    assert!(deliveries.iter().all(milena::Delivery::is_done));
    let requests = produced(&cluster);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].batches()[0].records, 100);
    assert_eq!(values(&cluster, 0), crate::support::numbers(0..100));
}

#[test]
fn a_full_batch_does_not_linger() {
    let cluster = cluster(1, 1);
    let producer = producer(lingering(config(&cluster)).batch_size(1000));
    let value = "x".repeat(300);
    let _lingers: Vec<_> = (0..5).map(|_| send(&producer, 0, &value)).collect();
    cluster.wait_for_records("t", 0, 3, SOON);
    let requests = wait_for_produced(&cluster, 1);
    let first = &requests[0].batches()[0];
    assert!(first.bytes <= 1000, "{first:?}");
}

#[test]
fn linger_ends_by_itself() {
    let cluster = cluster(1, 1);
    let linger = Duration::from_millis(20);
    let producer = producer(config(&cluster).linger(linger));
    let _lingers = send(&producer, 0, "v");
    cluster.wait_for_records("t", 0, 1, SOON);
}

/// While a request is on its way and no other may be, batches of three partitions come together.
#[test]
fn partitions_of_a_broker_share_a_request() {
    let cluster = cluster(1, 3);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let producer = producer(config(&cluster).max_in_flight(1));
    let mut deliveries = vec![send(&producer, 0, "alone")];
    assert!(gate.wait_for_held(1, SOON));
    for partition in [0, 1, 2, 0, 1, 2] {
        deliveries.push(send(&producer, partition, "together"));
    }
    gate.open();
    all_delivered(&deliveries);
    let requests = produced(&cluster);
    assert_eq!(requests.len(), 2);
    let mut batches: Vec<_> = requests[1]
        .batches()
        .iter()
        .map(|batch| (batch.partition, batch.records))
        .collect();
    batches.sort_unstable();
    assert_eq!(batches, [(0, 2), (1, 2), (2, 2)]);
}

#[test]
fn a_request_stays_below_its_limit() {
    let cluster = cluster(1, 6);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let config = config(&cluster).max_in_flight(1).max_request_size(2500);
    let producer = producer(config);
    let value = "x".repeat(1000);
    let mut deliveries = vec![send(&producer, 0, "alone")];
    assert!(gate.wait_for_held(1, SOON));
    deliveries.extend((0..6).map(|partition| send(&producer, partition, &value)));
    gate.open();
    all_delivered(&deliveries);
    for request in produced(&cluster) {
        let bytes: usize = request.batches().iter().map(|batch| batch.bytes).sum();
        assert!(bytes <= 2500, "{bytes} bytes in {request:?}");
    }
    let too_large = "x".repeat(2500);
    let error = crate::support::failed(&send(&producer, 0, &too_large));
    assert_eq!(error.kind(), milena::ErrorKind::RecordTooLarge);
    assert!(error.to_string().contains("max.request.size"), "{error}");
}

/// Each record goes to a partition of its own: what a partition may have on the wire is not what
/// stops them.
#[test]
fn no_more_requests_are_on_the_wire_than_allowed() {
    for limit in [1, 2, 5] {
        let cluster = cluster(1, 6);
        let gate = cluster.gate();
        cluster.on(Api::Produce).always().hold(&gate).answer();
        let config = config(&cluster).close_timeout(Duration::from_secs(1));
        let producer = producer(config.max_in_flight(limit));
        let mut deliveries = Vec::new();
        for sent in 0..=limit {
            deliveries.push(send(&producer, sent as i32, "v"));
            if sent < limit {
                wait_for_produced(&cluster, sent + 1);
            }
        }
        let more_come = cluster.wait_for(Duration::from_millis(50), |seen| {
            produced(seen).len() > limit
        });
        assert!(!more_come);
        gate.open();
        all_delivered(&deliveries);
        let most = produced(&cluster).iter().map(|one| one.in_flight).max();
        assert_eq!(most, Some(limit));
    }
}

#[test]
fn records_of_several_topics_travel_together() {
    let cluster = cluster(1, 1);
    cluster.create_topic("other", 1);
    let producer = plain(&cluster);
    let topics = ["t", "other", "t", "other"];
    let records = topics.map(|topic| Record::to(topic).value("v"));
    let results = producer.send_all(records).wait_all();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(cluster.end_offset("t", 0), 2);
    assert_eq!(cluster.end_offset("other", 0), 2);
}

/// A result that is being told while flush looks for what is left must not be overlooked.
#[test]
fn after_flush_every_delivery_has_its_result() {
    let cluster = cluster(1, 1);
    let producer = plain(&cluster);
    for turn in 0..500 {
        let delivery = send(&producer, 0, "v");
        let reaches = if turn % 2 == 0 { turn + 1 } else { 0 };
        cluster.wait_for_records("t", 0, reaches, SOON);
        (0..turn % 50 * 100).for_each(|_| std::hint::spin_loop());
        producer.flush_timeout(SOON).expect("flushed");
        assert!(delivery.is_done(), "flush {turn} was too early");
    }
}
