//! Batches that a broker refuses as too large: they go on in smaller ones.

use milena::mock::Api;
use milena::{Acks, Compression, Config, Delivery, ErrorKind, Outcome, Producer, Record};

use crate::support::{
    HOUR, SOON, all_delivered, cluster, config, delivered, failed, numbers, produced, producer,
    send, send_numbers, values, wait_for_produced,
};

/// What a test of a refusal needs: batches that form whole, of up to 64 KiB.
fn lingering(config: Config) -> Producer {
    producer(config.linger(HOUR))
}

/// 200 records in one batch, and a topic that takes 2 KB in one.
fn two_hundred(cluster: &milena::mock::MockCluster, producer: &Producer) -> Vec<Delivery> {
    cluster.set_max_message_bytes("t", 2000);
    let deliveries = send_numbers(producer, 0, 0..200);
    producer.flush_timeout(SOON).expect("flushed");
    deliveries
}

/// With the default settings, and with brokers that check sequences, as they come and compressed.
#[test]
fn a_batch_that_is_too_large_is_split_until_its_records_fit() {
    for idempotence in [false, true] {
        for compression in [Compression::None, Compression::Lz4] {
            let cluster = cluster(1, 1);
            let config = config(&cluster).idempotence(idempotence);
            let producer = lingering(config.compression(compression));
            // What cannot be compressed, so that the batch is too large all the same.
            let noise: Vec<String> = (0..200).map(noise).collect();
            cluster.set_max_message_bytes("t", 2000);
            let deliveries: Vec<_> = noise.iter().map(|text| send(&producer, 0, text)).collect();
            producer.flush_timeout(SOON).expect("flushed");
            for (offset, delivery) in (0..).zip(&deliveries) {
                assert_eq!(delivered(delivery).offset(), Some(offset));
            }
            assert_eq!(values(&cluster, 0), noise);
            let metrics = producer.metrics();
            assert!(
                metrics.splits > 1 && metrics.delivered == 200,
                "{metrics:?}"
            );
            assert_eq!((metrics.retries, producer.buffered_bytes()), (0, 0));
        }
    }
}

/// 40 letters of no pattern.
fn noise(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 94) as u8)
    };
    (0..40).map(letter).collect()
}

#[test]
fn only_a_record_that_is_too_large_alone_fails() {
    let cluster = cluster(1, 1);
    cluster.set_max_message_bytes("t", 2000);
    for idempotence in [false, true] {
        let producer = lingering(config(&cluster).idempotence(idempotence));
        let before = values(&cluster, 0).len();
        let giant = "x".repeat(3000);
        let mut deliveries = send_numbers(&producer, 0, 0..5);
        deliveries.push(send(&producer, 0, &giant));
        deliveries.extend(send_numbers(&producer, 0, 5..10));
        producer.flush_timeout(SOON).expect("flushed");
        let error = failed(&deliveries.remove(5));
        assert_eq!(error.kind(), ErrorKind::RecordTooLarge, "{error}");
        assert_eq!(
            (error.code(), error.outcome()),
            (Some(10), Outcome::NotWritten)
        );
        all_delivered(&deliveries);
        assert_eq!(values(&cluster, 0)[before..], numbers(0..10));
    }
}

/// The next batches are no larger than what was taken.
#[test]
fn a_partition_learns_what_its_broker_takes() {
    let cluster = cluster(1, 1);
    let producer = lingering(config(&cluster).idempotence(true));
    all_delivered(&two_hundred(&cluster, &producer));
    let splits = producer.metrics().splits;
    all_delivered(&two_hundred(&cluster, &producer));
    assert_eq!(producer.metrics().splits, splits);
    assert_eq!(values(&cluster, 0).len(), 400);
}

/// Without sequences, what is sent behind a batch that turns out too large would overtake its
/// halves.
#[test]
fn nothing_overtakes_the_halves_of_a_batch() {
    for acks in [Acks::Leader, Acks::All] {
        let cluster = cluster(1, 1);
        cluster.set_max_message_bytes("t", 2000);
        let producer = producer(config(&cluster).acks(acks).batch_size(4000).retries(0));
        delivered(&send(&producer, 0, "0"));
        let gate = cluster.gate();
        cluster.on(Api::Produce).hold(&gate).answer();
        let deliveries = send_numbers(&producer, 0, 1..2000);
        wait_for_produced(&cluster, 2);
        gate.open();
        all_delivered(&deliveries);
        assert_eq!(values(&cluster, 0), numbers(0..2000));
        assert!(producer.metrics().splits > 0);
    }
}

/// The answer to the first attempt was lost, and its limit was lowered since: the broker would not
/// recognise the halves of what it has.
#[test]
fn a_batch_that_the_log_may_have_whole_is_not_split() {
    let cluster = cluster(1, 1);
    let producer = lingering(config(&cluster).idempotence(true));
    delivered(&send(&producer, 0, "0"));
    cluster.on(Api::Produce).after_handling().disconnect();
    let second = cluster.on(Api::Produce).error(10);
    let deliveries = send_numbers(&producer, 0, 1..4);
    producer.flush_timeout(SOON).expect("flushed");
    for delivery in &deliveries {
        let error = failed(delivery);
        assert_eq!(
            (error.code(), error.outcome()),
            (Some(10), Outcome::Unknown)
        );
    }
    assert_eq!((second.hits(), producer.metrics().splits), (1, 0));
    assert_eq!(values(&cluster, 0), numbers(0..4));
}

#[test]
fn callbacks_of_a_split_batch_come_in_the_order_of_its_records() {
    let cluster = cluster(1, 1);
    cluster.set_max_message_bytes("t", 400);
    let producer = lingering(config(&cluster).idempotence(true));
    let (sender, told) = std::sync::mpsc::channel();
    for number in 0..100_i64 {
        let sender = sender.clone();
        let value = number.to_string();
        let record = Record::to("t").partition(0).value(&value);
        producer.send_with(record, move |result| {
            let offset = result.expect("delivered").offset();
            sender.send((number, offset)).expect("the test listens");
        });
    }
    producer.flush_timeout(SOON).expect("flushed");
    let told: Vec<_> = told.try_iter().collect();
    let wanted: Vec<_> = (0..100).map(|number| (number, Some(number))).collect();
    assert_eq!(told, wanted);
    assert!(produced(&cluster).len() > 2);
}
