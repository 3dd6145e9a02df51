//! Tests of what partitions tell the partitioner that goes by bytes.

use super::*;
use crate::accumulator::partition::Queues;
use crate::partitioner::{Batches, Open};
use crate::time::virtual_clock;

const VALUE: [u8; 100] = [b'v'; 100];

/// A batch of nine such records is full.
const BATCH: usize = 1024;

fn lingering() -> (Accumulator, Arc<ReadyQueue>, Arc<View>) {
    let config = Config::new("localhost:9092").batch_size(BATCH);
    with_topic(config.linger(Duration::from_secs(1)), 2)
}

fn queues<'a>(view: &'a View, record: &'a Record<'a>) -> Queues<'a> {
    Queues {
        view,
        record,
        timestamp_ms: 0,
        batch_size: BATCH,
    }
}

#[test]
fn a_batch_that_has_no_room_for_the_record_is_full_and_lingers_no_more() {
    let (accumulator, queue, view) = lingering();
    let record = Record::to("orders").value(&VALUE);
    let queues = queues(&view, &record);
    let (bytes, room) = queues.sizes();
    assert_eq!((bytes, room), (lone_size(&record) - 61, BATCH - 61));
    assert_eq!(queues.open(0), Open::No);
    let mut deliveries = Vec::new();
    for _ in 0..room / bytes {
        deliveries.push(send(&accumulator, &view.partitions[0], &VALUE));
        assert!(take(&queue).is_none(), "it lingers");
        assert_eq!((queues.waiting(0), queues.waiting(1)), (1, 0));
        if deliveries.len() < room / bytes {
            assert_eq!(queues.open(0), Open::Room);
        }
    }
    assert_eq!(queues.open(0), Open::Full);
    let batch = take(&queue).expect("it is due");
    assert_eq!(batch.records as usize, deliveries.len());
    assert_eq!((queues.open(0), queues.waiting(0)), (Open::No, 0));
    assert_eq!(queues.open(7), Open::No, "no such partition");
}

#[test]
fn a_partition_is_stalled_while_a_batch_is_due_and_its_broker_takes_none() {
    let start = Duration::from_secs(100);
    let ms = Duration::from_millis;
    virtual_clock::start(1);
    virtual_clock::set(start);
    let (accumulator, queue, view) = lingering();
    let record = Record::to("orders").value(&VALUE);
    let queues = queues(&view, &record);
    assert_eq!(queues.stalled(0), Duration::ZERO);
    let mut deliveries = vec![send(&accumulator, &view.partitions[0], &VALUE)];
    virtual_clock::set(start + ms(999));
    assert_eq!(queues.stalled(0), Duration::ZERO, "it lingers");
    virtual_clock::set(start + ms(1500));
    assert_eq!(queues.stalled(0), ms(500));
    // More come, and the broker takes the first batch of them.
    for _ in 0..20 {
        deliveries.push(send(&accumulator, &view.partitions[0], &VALUE));
    }
    assert_eq!((queues.waiting(0), queues.stalled(0)), (3, ms(500)));
    let batch = take(&queue).expect("it is due");
    assert_eq!((queues.waiting(0), queues.stalled(0)), (2, Duration::ZERO));
    drop(view.partitions[0].ended(batch, Verdict::Acked));
    virtual_clock::set(start + ms(3000));
    assert_eq!(queues.stalled(0), ms(500), "the second lingered until 2500");
    let batch = take(&queue).expect("it is due");
    virtual_clock::set(start + ms(3100));
    assert_eq!(queues.stalled(0), ms(100));
    // What has to be sent again waits too.
    let rest = Verdict::Again {
        at: Some(time::now() + ms(1000)),
        awaits_view: false,
        error: trouble(),
    };
    assert!(view.partitions[0].ended(batch, rest).is_none());
    assert_eq!(queues.waiting(0), 2);
    assert_eq!(queues.stalled(1), Duration::ZERO);
}
