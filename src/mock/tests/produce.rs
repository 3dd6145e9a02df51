//! Produce: every version, every check.

use super::*;

#[test]
fn records_are_appended_in_every_version() {
    let cluster = cluster_of(1);
    let mut client = Client::connect(&cluster, 1);
    let id = ask_topic(&mut client, "t").id;
    for (version, offset) in ProduceRequest::VERSIONS.zip((0..).step_by(2)) {
        let mut request = produce_request(-1, "t", 0, &batch((7, 0, offset), &["a", "b"]));
        request.topics[0].id = id;
        let response = client.call(&request, version);
        let has_id = version >= ProduceRequest::TOPIC_IDS;
        assert_eq!(
            response.topics[0].id,
            if has_id { id } else { TopicId::default() }
        );
        let partition = only_partition(response);
        assert_eq!(
            (partition.error, partition.base_offset),
            (Code::NONE, offset.into())
        );
    }
    let records = cluster.records("t", 0);
    assert_eq!(records.len(), 22);
    let expected = MockRecord {
        offset: 21,
        timestamp_ms: 1234,
        key: Some(b"k".to_vec()),
        value: Some(b"b".to_vec()),
        headers: vec![("h".to_owned(), Some(b"x".to_vec()))],
        producer_id: 7,
        producer_epoch: 0,
        sequence: 21,
    };
    assert_eq!(records[21], expected);
}

#[test]
fn requests_are_listed_with_what_they_carry() {
    let cluster = cluster_of(1);
    let mut client = Client::connect(&cluster, 1);
    let bytes = batch((7, 3, 40), &["a", "b", "c"]);
    client.produce("t", 1, &bytes);
    let request = cluster.requests().pop().unwrap();
    assert!(request.is(Api::Produce));
    let place = (request.node, request.connection, request.version);
    assert_eq!(place, (1, 0, 9));
    assert_eq!(request.client_id.as_deref(), Some("tester"));
    assert_eq!((request.correlation_id, request.in_flight), (101, 1));
    let produce = request.produce.as_ref().unwrap();
    assert_eq!((produce.acks, produce.timeout_ms), (-1, 1000));
    let expected = MockBatch {
        topic: "t".to_owned(),
        partition: 1,
        producer_id: 7,
        producer_epoch: 3,
        base_sequence: 40,
        records: 3,
        bytes: bytes.len(),
        crc: BatchHeader::read(&bytes).unwrap().crc,
        codec: 0,
        is_transactional: false,
    };
    assert_eq!(request.batches(), [expected]);
    cluster.forget_requests();
    assert!(cluster.requests().is_empty());
}

#[test]
fn a_batch_is_refused_for_the_first_thing_that_is_wrong_with_it() {
    let cluster = cluster_of(2);
    cluster.set_max_message_bytes("t", 200);
    let mut client = Client::connect(&cluster, 1);
    let good = plain_batch(&["v"]);
    let two = [&good[..], &good[..]].concat();
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let long = "v".repeat(200);
    let cases = [
        ("nope", 0, good.clone(), Code::UNKNOWN_TOPIC_OR_PARTITION),
        ("t", 2, good.clone(), Code::UNKNOWN_TOPIC_OR_PARTITION),
        ("t", -1, good.clone(), Code::UNKNOWN_TOPIC_OR_PARTITION),
        ("t", 1, good.clone(), Code::NOT_LEADER_OR_FOLLOWER),
        ("t", 0, Vec::new(), Code::INVALID_RECORD),
        ("t", 0, two, Code::INVALID_RECORD),
        ("t", 0, changed(16, 1), Code::INVALID_RECORD),
        (
            "t",
            0,
            good[..good.len() - 1].to_vec(),
            Code::INVALID_RECORD,
        ),
        ("t", 0, changed(good.len() - 1, 9), Code::CORRUPT_MESSAGE),
        ("t", 0, plain_batch(&[&long]), Code::MESSAGE_TOO_LARGE),
        ("t", 0, batch((7, 0, -1), &["v"]), Code::INVALID_RECORD),
    ];
    for (topic, partition, bytes, expected) in cases {
        let refused = client.produce(topic, partition, &bytes);
        assert_eq!((refused.error, refused.base_offset), (expected, -1));
    }
    let request = produce_request(2, "t", 0, &good);
    let refused = only_partition(client.call(&request, 9));
    assert_eq!(refused.error, Code::INVALID_REQUIRED_ACKS);
    assert_eq!(cluster.end_offset("t", 0), 0);
    assert!(client.produce("t", 0, &good).error.is_ok());
}

#[test]
fn zstd_needs_version_7() {
    let cluster = cluster_of(1);
    let mut client = Client::connect(&cluster, 1);
    // One record without a key, "v", in a frame that stores it as it is.
    let mut bytes = vec![0; HEADER_LEN];
    bytes.extend_from_slice(b"\x28\xb5\x2f\xfd\x20\x08\x41\0\0\x0e\0\0\0\x01\x02v\0");
    let header = BatchHeader {
        attributes: 4,
        record_count: 1,
        ..BatchHeader::default()
    };
    header.write(&mut bytes);
    let request = produce_request(1, "t", 0, &bytes);
    let refused = only_partition(client.call(&request, 6));
    assert_eq!(refused.error, Code::UNSUPPORTED_COMPRESSION_TYPE);
    assert_eq!(cluster.end_offset("t", 0), 0);
    let taken = only_partition(client.call(&request, 7)).error.is_ok();
    assert_eq!(taken, cfg!(feature = "zstd"));
    let records = cluster.records("t", 0);
    let values = records.iter().map(|record| record.value.as_deref());
    let expected = [Some(&b"v"[..])];
    assert!(values.eq(expected.into_iter().filter(|_| taken)));
}

#[test]
fn a_topic_id_that_no_topic_has_is_refused() {
    let cluster = cluster_of(1);
    let mut client = Client::connect(&cluster, 1);
    let mut request = produce_request(1, "", 0, &plain_batch(&["v"]));
    request.topics[0].id = [9; 16];
    let refused = only_partition(client.call(&request, 13));
    assert_eq!(refused.error, Code::UNKNOWN_TOPIC_ID);
}

#[test]
fn few_in_sync_replicas_refuse_acks_all_before_the_size_is_looked_at() {
    let cluster = cluster_of(3);
    cluster.set_min_isr("t", 2);
    cluster.set_isr("t", 0, &[1]);
    cluster.set_max_message_bytes("t", 1);
    let mut client = Client::connect(&cluster, 1);
    let bytes = plain_batch(&["v"]);
    assert_eq!(
        client.produce("t", 0, &bytes).error,
        Code::NOT_ENOUGH_REPLICAS
    );
    let leader_only = produce_request(1, "t", 0, &bytes);
    let refused = only_partition(client.call(&leader_only, 9));
    assert_eq!(refused.error, Code::MESSAGE_TOO_LARGE);
    cluster.set_max_message_bytes("t", 1000);
    assert!(only_partition(client.call(&leader_only, 9)).error.is_ok());
}

#[test]
fn a_duplicate_has_its_old_offset_and_a_gap_is_refused() {
    let cluster = cluster_of(1);
    let mut client = Client::connect(&cluster, 1);
    let first = batch((7, 0, 0), &["a", "b"]);
    assert_eq!(client.produce("t", 0, &first).base_offset, 0);
    let next = batch((7, 0, 2), &["c"]);
    assert_eq!(client.produce("t", 0, &next).base_offset, 2);
    let again = client.produce("t", 0, &first);
    assert_eq!((again.error, again.base_offset), (Code::NONE, 0));
    let gap = client.produce("t", 0, &batch((7, 0, 9), &["x"]));
    assert_eq!(gap.error, Code::OUT_OF_ORDER_SEQUENCE_NUMBER);
    // The size is checked first: a duplicate that has become too large is refused.
    cluster.set_max_message_bytes("t", 1);
    assert_eq!(
        client.produce("t", 0, &first).error,
        Code::MESSAGE_TOO_LARGE
    );
    assert_eq!(values(&cluster, "t", 0), ["a", "b", "c"]);
}

#[test]
fn lost_producer_state_and_the_rule_for_first_sequences() {
    let cluster = cluster_of(1);
    cluster.set_first_sequence(FirstSequence::ZeroInNewLog);
    let mut client = Client::connect(&cluster, 1);
    let second = batch((7, 0, 5), &["b"]);
    let refused = client.produce("t", 0, &second);
    assert_eq!(refused.error, Code::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert!(
        client
            .produce("t", 0, &batch((7, 0, 0), &["a"]))
            .error
            .is_ok()
    );
    cluster.forget_producers("t", 0);
    assert!(client.produce("t", 0, &second).error.is_ok());
}

#[test]
fn acks_0_has_no_answer_and_hangs_up_on_an_error() {
    let cluster = cluster_of(2);
    let mut client = Client::connect(&cluster, 1);
    client.send(&produce_request(0, "t", 0, &plain_batch(&["a"])), 9);
    // The next answer is that of the next request.
    assert_eq!(client.produce("t", 0, &plain_batch(&["b"])).base_offset, 1);
    client.send(&produce_request(0, "t", 1, &plain_batch(&["c"])), 9);
    assert!(client.is_hung_up());
    assert_eq!(values(&cluster, "t", 0), ["a", "b"]);
}

#[test]
fn log_append_time_is_told_and_kept() {
    let cluster = cluster_of(1);
    cluster.set_log_append_time("t", true);
    let mut client = Client::connect(&cluster, 1);
    let appended = client.produce("t", 0, &plain_batch(&["v"]));
    assert!(appended.log_append_time_ms > 1_500_000_000_000);
    let [record] = &cluster.records("t", 0)[..] else {
        panic!("one record")
    };
    assert_eq!(record.timestamp_ms, appended.log_append_time_ms);
}

#[test]
fn records_need_not_be_kept() {
    let cluster = cluster_of(1);
    cluster.keep_records(false);
    let mut client = Client::connect(&cluster, 1);
    client.produce("t", 0, &plain_batch(&["v"]));
    assert_eq!(
        (cluster.records("t", 0).len(), cluster.end_offset("t", 0)),
        (0, 1)
    );
}
