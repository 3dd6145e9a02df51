//! A cluster that keeps nothing: offsets as ever, and nothing that grows.

use super::*;
use crate::wire::api_versions::ApiVersionsRequest;
use crate::wire::frame as frame_of;

fn discarding(brokers: i32) -> MockCluster {
    let cluster = cluster_of(brokers);
    cluster.discard_records();
    cluster
}

#[test]
fn discarded_records_get_their_offsets_in_every_version() {
    let cluster = discarding(1);
    let mut client = Client::connect(&cluster, 1);
    let id = ask_topic(&mut client, "t").id;
    for (version, offset) in ProduceRequest::VERSIONS.zip((0..).step_by(2)) {
        let mut request = produce_request(-1, "t", 1, &plain_batch(&["a", "b"]));
        request.topics[0].id = id;
        let partition = only_partition(client.call(&request, version));
        assert_eq!(
            (partition.index, partition.error, partition.base_offset),
            (1, Code::NONE, offset)
        );
    }
    assert_eq!(
        (cluster.end_offset("t", 0), cluster.end_offset("t", 1)),
        (0, 22)
    );
    assert!(cluster.records("t", 1).is_empty());
    assert!(cluster.requests().is_empty());
    assert_eq!(cluster.connections()[0].requests, 12);
}

/// What costs time is left out: a broken CRC and sequence numbers that make no sense pass.
#[test]
fn nothing_is_checked_but_topic_and_leader() {
    let cluster = discarding(2);
    let mut client = Client::connect(&cluster, 1);
    let mut broken = batch((7, 0, 40), &["a", "b", "c"]);
    *broken.last_mut().unwrap() ^= 1;
    for (topic, partition, expected) in [
        ("t", 0, (Code::NONE, 0)),
        ("t", 0, (Code::NONE, 3)),
        ("t", 1, (Code::NOT_LEADER_OR_FOLLOWER, -1)),
        ("t", 2, (Code::UNKNOWN_TOPIC_OR_PARTITION, -1)),
        ("t", -1, (Code::UNKNOWN_TOPIC_OR_PARTITION, -1)),
        ("other", 0, (Code::UNKNOWN_TOPIC_OR_PARTITION, -1)),
    ] {
        let answer = client.produce(topic, partition, &broken);
        assert_eq!(
            (answer.error, answer.base_offset),
            expected,
            "{topic}-{partition}"
        );
    }
}

/// Pieces end where they like: each request is answered once, in order, however it comes.
#[test]
fn requests_that_come_in_pieces_and_together_are_answered_in_order() {
    let cluster = discarding(1);
    let mut client = Client::connect(&cluster, 1);
    let large = "x".repeat(900_000);
    let mut sent = Vec::new();
    for correlation_id in 0..6 {
        let facts = HeaderFacts {
            correlation_id,
            client_id: "tester",
        };
        let value = if correlation_id % 2 == 0 { "v" } else { &large };
        // The fourth expects no answer; in front of the last comes a request of another kind.
        let acks = if correlation_id == 3 { 0 } else { 1 };
        let request = produce_request(acks, "t", 0, &plain_batch(&[value]));
        if correlation_id == 5 {
            let facts = HeaderFacts {
                correlation_id: 50,
                ..facts
            };
            sent.extend(frame_of(&ApiVersionsRequest::default(), 0, facts));
        }
        sent.extend(frame_of(&request, 9, facts));
    }
    for piece in [&sent[..1], &sent[1..3], &sent[3..100], &sent[100..]] {
        client.socket.write_all(piece).unwrap();
    }
    for expected in [0, 1, 2, 4, 50, 5] {
        let frame = client.frame().expect("an answer");
        assert_eq!(frame[..4], i32::to_be_bytes(expected));
    }
    assert_eq!(cluster.end_offset("t", 0), 6);
}

#[test]
fn a_discarding_broker_still_stops_freezes_falls_silent_and_hangs_up_on_nonsense() {
    let cluster = discarding(1);
    let mut client = Client::connect(&cluster, 1);
    client.socket.write_all(&i32::MAX.to_be_bytes()).unwrap();
    assert!(client.is_hung_up());

    let mut client = Client::connect(&cluster, 1);
    let mut cut = plain_batch(&["v"]);
    cut.truncate(HEADER_LEN - 1);
    // What cannot be read is for the checks of an ordinary cluster.
    assert_eq!(client.produce("t", 0, &cut).error, Code::INVALID_RECORD);

    cluster.mute_broker(1);
    client.send(&produce_request(1, "t", 0, &plain_batch(&["v"])), 9);
    let is_read = |cluster: &MockCluster| cluster.connections()[1].requests == 2;
    assert!(cluster.wait_for(LIMIT, is_read));
    assert!(client.is_silent());
    assert_eq!(cluster.end_offset("t", 0), 0);

    cluster.freeze_broker(1);
    let mut client = Client::connect(&cluster, 1);
    client.send(&produce_request(1, "t", 0, &plain_batch(&["v"])), 9);
    cluster.thaw_broker(1);
    assert!(client.frame().is_some());
    cluster.stop_broker(1);
    assert!(client.is_hung_up());
}

#[test]
fn who_has_to_log_in_does_so_before_records_are_discarded() {
    let cluster = discarding(1);
    cluster.sasl_plain("alice", "secret");
    let mut client = Client::connect(&cluster, 1);
    let request = produce_request(1, "t", 0, &plain_batch(&["v"]));
    assert!(client.try_call(&request, 9).is_none());
    assert_eq!(cluster.end_offset("t", 0), 0);
}
