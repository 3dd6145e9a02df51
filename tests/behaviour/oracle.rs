//! What holds for every request of an idempotent producer, and for what it leaves in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use milena::mock::{MockBatch, MockCluster, MockRequest};

use crate::support::{assert_contiguous, produced};

/// A broker as one partition of one identity sees it: producer id, epoch, topic, partition, broker.
type Contact = (i64, i16, String, i32, i32);

/// Looks at every produce request that was read, and at the logs of these partitions of `t`.
#[track_caller]
pub(crate) fn assert_exactly_once(cluster: &MockCluster, partitions: Range<i32>) {
    let requests = produced(cluster);
    requests.iter().for_each(request_is_legal);
    correlation_ids_rise(&requests);
    twins_are_equal(&requests);
    first_contacts_are_alone(&requests);
    assert_contiguous(cluster);
    partitions.for_each(|partition| log_is_in_sequence(cluster, partition));
}

#[track_caller]
fn request_is_legal(request: &MockRequest) {
    assert!((3..=13).contains(&request.version), "{request:?}");
    assert!((1..=5).contains(&request.in_flight), "{request:?}");
    let places = request.batches().iter();
    let places: BTreeSet<_> = places
        .map(|batch| (&batch.topic, batch.partition))
        .collect();
    let (count, distinct) = (request.batches().len(), places.len());
    assert!(count > 0 && count == distinct, "{request:?}");
}

#[track_caller]
fn correlation_ids_rise(requests: &[MockRequest]) {
    let mut last: BTreeMap<usize, i32> = BTreeMap::new();
    for request in requests {
        let older = last.insert(request.connection, request.correlation_id);
        let rises = older.is_none_or(|older| older < request.correlation_id);
        assert!(rises, "after {older:?}: {request:?}");
    }
}

/// The same sequence of the same identity is the same batch, to the bit.
#[track_caller]
fn twins_are_equal(requests: &[MockRequest]) {
    let mut known: BTreeMap<(i64, i16, &str, i32, i32), &MockBatch> = BTreeMap::new();
    for batch in requests.iter().flat_map(MockRequest::batches) {
        let place = (&batch.topic[..], batch.partition, batch.base_sequence);
        let (topic, partition, sequence) = place;
        let identity = (batch.producer_id, batch.producer_epoch);
        let key = (identity.0, identity.1, topic, partition, sequence);
        let twin = known.entry(key).or_insert(batch);
        assert_eq!(*twin, batch, "sent again with other bytes");
    }
}

/// The first batch of an identity at a broker is answered before the second leaves (KAFKA-15591):
/// until then the broker takes any sequence.
#[track_caller]
fn first_contacts_are_alone(requests: &[MockRequest]) {
    let mut contacts: BTreeMap<Contact, Vec<&MockRequest>> = BTreeMap::new();
    for request in requests {
        // Of a topic that was deleted the cluster does not know the name any more.
        let known = request.batches().iter().filter(|it| !it.topic.is_empty());
        for batch in known {
            let (id, epoch) = (batch.producer_id, batch.producer_epoch);
            let contact = (
                id,
                epoch,
                batch.topic.clone(),
                batch.partition,
                request.node,
            );
            contacts.entry(contact).or_default().push(request);
        }
    }
    for (contact, requests_of) in contacts {
        let [first, second, ..] = requests_of[..] else {
            continue;
        };
        if first.connection != second.connection {
            continue;
        }
        let on_connection = requests
            .iter()
            .filter(|one| one.connection == first.connection);
        let ids = first.correlation_id + 1..second.correlation_id;
        let between = on_connection.filter(|one| ids.contains(&one.correlation_id));
        // Answers come in order: were the first one's not there, those between would lack theirs.
        let is_answered = second.in_flight <= between.count() + 1;
        assert!(is_answered, "{contact:?}: {second:?} while {first:?}");
    }
}

/// Epochs only rise, and within one the sequences follow each other without a gap or a repetition.
#[track_caller]
fn log_is_in_sequence(cluster: &MockCluster, partition: i32) {
    let mut last: BTreeMap<i64, (i16, i32)> = BTreeMap::new();
    for record in cluster.records("t", partition) {
        let (epoch, sequence) = (record.producer_epoch, record.sequence);
        if let Some((last_epoch, last_sequence)) =
            last.insert(record.producer_id, (epoch, sequence))
        {
            let wanted = match epoch == last_epoch {
                true => last_sequence + 1,
                false => 0,
            };
            assert!(epoch >= last_epoch, "{record:?} after epoch {last_epoch}");
            assert_eq!(sequence, wanted, "t-{partition}: {record:?}");
        }
    }
}
