//! Tests of the quick way into a batch, and of what a sender need not wait for.

use super::*;

const VALUE: [u8; 100] = [b'v'; 100];

fn quickly(partition: &Partition, record: &Record<'_>) -> Option<Delivery> {
    partition.append_quickly(record, 0)
}

fn lingering() -> Config {
    let config = Config::new("localhost:9092").linger(Duration::from_secs(60));
    config.batch_size(1024)
}

#[test]
fn the_quick_way_leads_into_an_open_batch_and_nowhere_else() {
    let (accumulator, queue, view) = with_topic(lingering(), 1);
    let partition = &view.partitions[0];
    let record = Record::to("orders").value(&VALUE);
    assert!(quickly(partition, &record).is_none(), "no batch is open");
    let first = send(&accumulator, partition, &VALUE);
    let other = record
        .clone()
        .deadline(time::now() + Duration::from_secs(9));
    assert!(quickly(partition, &other).is_none(), "it ends earlier");
    let quick: Vec<_> = std::iter::from_fn(|| quickly(partition, &record)).collect();
    assert_eq!(quick.len(), 7, "eight fill a batch");
    let _last = send(&accumulator, partition, &VALUE);
    let batch = take(&queue).expect("a full batch");
    assert_eq!(batch.records, 8);
    partition.settled(batch, Err(Failure::from(trouble())), time::now());
    assert!(first.is_done() && quick.iter().all(Delivery::is_done));
    assert!(quickly(partition, &record).is_some());
    accumulator.close();
    assert!(quickly(partition, &record).is_none(), "closed");
}

#[test]
fn the_quick_way_is_shut_behind_a_lost_record_and_in_a_forgotten_topic() {
    let config = lingering().set("enable.gapless.guarantee", "true");
    let config = config.expect("a setting").acks(Acks::All).idempotence(true);
    let (accumulator, _queue, view) = with_topic(config.retries(3), 1);
    let record = Record::to("orders").value(&VALUE);
    let _first = send(&accumulator, &view.partitions[0], &VALUE);
    assert!(quickly(&view.partitions[0], &record).is_some());
    accumulator.abandon(Duration::ZERO);
    let _refused = accumulator.append(&view.partitions[0], &record, 0, NO_WAIT);
    assert!(quickly(&view.partitions[0], &record).is_none(), "stopped");

    let (accumulator, _queue, view) = with_topic(lingering(), 1);
    let topic = accumulator.topic("orders").expect("it is known");
    assert!(accumulator.forget(&topic));
    assert!(quickly(&view.partitions[0], &record).is_none(), "gone");
}

#[test]
fn a_partition_tells_whether_a_batch_of_it_takes_no_more() {
    let (accumulator, queue, view) = with_topic(lingering(), 1);
    let partition = &view.partitions[0];
    let mut sent: Vec<_> = (0..8)
        .map(|_| send(&accumulator, partition, &VALUE))
        .collect();
    assert!(!partition.has_full_batch(), "it may still take something");
    sent.push(send(&accumulator, partition, &VALUE));
    assert!(partition.has_full_batch());
    let batch = take(&queue).expect("the full one");
    assert!(!partition.has_full_batch());
    partition.settled(batch, Err(Failure::from(trouble())), time::now());
}
