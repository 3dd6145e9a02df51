//! Every verb of a script.

use super::*;
use crate::wire::api_versions::ApiVersionsRequest;
use crate::wire::describe_configs::{ConfigResource, DescribeConfigsRequest};
use crate::wire::find_coordinator::FindCoordinatorRequest;
use crate::wire::init_producer_id::InitProducerIdRequest;
use crate::wire::sasl_authenticate::SaslAuthenticateRequest;
use crate::wire::sasl_handshake::SaslHandshakeRequest;

fn one() -> Vec<u8> {
    plain_batch(&["v"])
}

fn send_one(client: &mut Client) {
    client.send(&produce_request(-1, "t", 0, &one()), 9);
}

#[test]
fn errors_come_so_often_and_before_the_append() {
    let cluster = cluster_of(2);
    let mut client = Client::connect(&cluster, 1);
    let fault = cluster.on(Api::Produce).skip(1).times(2).error(19);
    let codes = [0; 5].map(|_| client.produce("t", 0, &one()).error.0);
    assert_eq!(codes, [0, 19, 19, 0, 0]);
    assert_eq!((fault.hits(), cluster.end_offset("t", 0)), (2, 3));
}

#[test]
fn an_error_after_handling_hides_a_success() {
    let cluster = cluster_of(1);
    let mut client = Client::connect(&cluster, 1);
    cluster.on(Api::Produce).after_handling().error(7);
    let answer = client.produce("t", 0, &one());
    assert_eq!(
        (answer.error, answer.base_offset),
        (Code::REQUEST_TIMED_OUT, -1)
    );
    assert_eq!(cluster.end_offset("t", 0), 1);
}

#[test]
fn faults_of_different_partitions_meet_in_one_request() {
    let cluster = MockCluster::start(1);
    cluster.create_topic("t", 5);
    cluster.on(Api::Produce).partition("t", 1).error(6);
    cluster.on(Api::Produce).partition("t", 2).error(10);
    cluster
        .on(Api::Produce)
        .partition("t", 3)
        .after_handling()
        .error(9999);
    // These wait until the ones before them are used up.
    cluster.on(Api::Produce).partition("t", 1).error(3);
    cluster.on(Api::Produce).topic("t").error(56);
    let mut request = produce_request(-1, "t", 0, &one());
    let template = request.topics[0].partitions[0].clone();
    let others = (1..5).map(|index| ProducePartition {
        index,
        ..template.clone()
    });
    request.topics[0].partitions.extend(others);
    let mut client = Client::connect(&cluster, 1);
    let mut codes = || -> Vec<i16> {
        let response = client.call(&request, 11);
        let partitions = response.topics[0].partitions.iter();
        partitions.map(|partition| partition.error.0).collect()
    };
    assert_eq!(codes(), [0, 6, 10, 9999, 0]);
    assert_eq!(codes(), [0, 3, 0, 0, 0]);
    assert_eq!(codes(), [56; 5]);
    assert_eq!(codes(), [0; 5]);
    let ends = [0, 1, 2, 3, 4].map(|partition| cluster.end_offset("t", partition));
    assert_eq!(ends, [3, 1, 2, 3, 3]);
}

#[test]
fn a_fault_meets_only_its_broker_and_ends_when_it_is_cancelled() {
    let cluster = cluster_of(2);
    let fault = cluster.on(Api::Produce).node(2).always().error(19);
    let mut other = Client::connect(&cluster, 1);
    assert!(other.produce("t", 0, &one()).error.is_ok());
    let mut client = Client::connect(&cluster, 2);
    for _ in 0..3 {
        assert_eq!(
            client.produce("t", 1, &one()).error,
            Code::NOT_ENOUGH_REPLICAS
        );
    }
    assert!(fault.wait_for_hits(3, LIMIT));
    fault.cancel();
    assert!(client.produce("t", 1, &one()).error.is_ok());
    cluster.on(Api::Produce).always().error(19);
    cluster.cancel_faults();
    assert!(client.produce("t", 1, &one()).error.is_ok());
}

#[test]
fn every_api_has_an_error() {
    let cluster = MockCluster::start(1);
    cluster.sasl_plain("u", "p");
    for api in Api::ALL {
        cluster.on(api).error(41);
    }
    let mut client = Client::connect(&cluster, 1);
    let apis = client.call(&ApiVersionsRequest::default(), 3);
    let mut codes = vec![apis.error.0];
    codes.push(client.call(&SaslHandshakeRequest::default(), 1).error.0);
    let mut client = Client::connect(&cluster, 1);
    let mechanism = "PLAIN".to_owned();
    client.call(&SaslHandshakeRequest { mechanism }, 1);
    let login = SaslAuthenticateRequest {
        auth_bytes: b"\0u\0p".to_vec(),
    };
    codes.push(client.call(&login, 2).error.0);
    let mut client = Client::connect(&cluster, 1);
    let mechanism = "PLAIN".to_owned();
    client.call(&SaslHandshakeRequest { mechanism }, 1);
    client.call(&login, 2);
    codes.push(client.call(&InitProducerIdRequest::default(), 4).error.0);
    codes.push(client.call(&MetadataRequest::default(), 13).error.0);
    codes.push(client.produce("t", 0, &one()).error.0);
    let keys = vec!["x".to_owned()];
    let find = FindCoordinatorRequest { key_type: 1, keys };
    codes.push(client.call(&find, 4).coordinators[0].error.0);
    let describe = DescribeConfigsRequest {
        resources: vec![ConfigResource::default()],
    };
    codes.push(client.call(&describe, 4).results[0].error.0);
    assert_eq!(codes, [41; 8]);
    assert_eq!(
        client
            .call(&InitProducerIdRequest::default(), 4)
            .producer_id,
        1000
    );
}

#[test]
fn a_disconnect_comes_before_handling_or_after() {
    let cluster = cluster_of(1);
    cluster.on(Api::Produce).disconnect();
    cluster.on(Api::Produce).after_handling().disconnect();
    for end_offset in [0, 1] {
        let mut client = Client::connect(&cluster, 1);
        send_one(&mut client);
        assert!(client.is_hung_up());
        assert_eq!(cluster.end_offset("t", 0), end_offset);
    }
}

#[test]
fn an_answer_is_cut_at_every_byte() {
    let cluster = cluster_of(1);
    let mut client = Client::connect(&cluster, 1);
    send_one(&mut client);
    let whole = client.frame().unwrap().len() + 4;
    for bytes in 0..=whole {
        cluster.on(Api::Produce).cut(bytes);
        let mut client = Client::connect(&cluster, 1);
        send_one(&mut client);
        let mut received = Vec::new();
        client.socket.read_to_end(&mut received).unwrap();
        assert_eq!(received.len(), bytes);
    }
    assert_eq!(
        cluster.end_offset("t", 0),
        2 + i64::try_from(whole).unwrap()
    );
}

#[test]
fn silence_lasts_for_the_connection_and_requests_are_still_seen() {
    let cluster = cluster_of(1);
    for (is_handled, end_offset) in [(false, 1), (true, 3)] {
        let on = cluster.on(Api::Produce);
        let on = if is_handled { on.after_handling() } else { on };
        let fault = on.never_answer();
        cluster.forget_requests();
        let mut client = Client::connect(&cluster, 1);
        send_one(&mut client);
        send_one(&mut client);
        let requests = cluster.wait_for_requests(LIMIT, |requests| requests.len() == 2);
        assert_eq!(requests[0].connection, requests[1].connection);
        assert!(fault.wait_for_hits(1, LIMIT));
        let mut other = Client::connect(&cluster, 1);
        other.produce("t", 0, &one());
        assert!(client.is_silent());
        assert_eq!(cluster.end_offset("t", 0), end_offset);
    }
}

#[test]
fn a_gate_holds_requests_in_their_order_until_it_opens() {
    let cluster = cluster_of(1);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let mut client = Client::connect(&cluster, 1);
    for value in ["a", "b", "c"] {
        client.send(&produce_request(-1, "t", 0, &plain_batch(&[value])), 9);
    }
    assert!(gate.wait_for_held(1, LIMIT));
    let requests = cluster.wait_for_requests(LIMIT, |requests| requests.len() == 3);
    let in_flight: Vec<_> = requests.iter().map(|request| request.in_flight).collect();
    assert_eq!(in_flight, [1, 2, 3]);
    assert!(client.is_silent());
    assert_eq!((gate.held(), cluster.end_offset("t", 0)), (1, 0));
    gate.open();
    for _ in 0..3 {
        client.frame().unwrap();
    }
    assert_eq!(
        (gate.held(), values(&cluster, "t", 0)),
        (0, ["a", "b", "c"].map(String::from).to_vec())
    );
    client.produce("t", 0, &one());
    assert_eq!(cluster.requests()[3].in_flight, 1);
}

#[test]
fn a_request_held_after_handling_is_in_the_log() {
    let cluster = cluster_of(1);
    let gate = cluster.gate();
    cluster
        .on(Api::Produce)
        .after_handling()
        .hold(&gate)
        .error(20);
    let mut client = Client::connect(&cluster, 1);
    send_one(&mut client);
    cluster.wait_for_records("t", 0, 1, LIMIT);
    assert!(client.is_silent());
    gate.open();
    assert!(client.frame().is_some());
}

#[test]
fn delays_pass_before_the_answer() {
    let cluster = cluster_of(1);
    let delay = Duration::from_millis(60);
    cluster.on(Api::Produce).delay(delay).error(19);
    let mut client = Client::connect(&cluster, 1);
    let start = crate::time::now();
    assert_eq!(client.produce("t", 0, &one()).error.0, 19);
    assert!(start.elapsed() >= delay);
}

#[test]
fn an_answer_in_pieces_is_whole_in_the_end() {
    let cluster = cluster_of(1);
    cluster
        .on(Api::Produce)
        .in_pieces(1, Duration::from_millis(1))
        .answer();
    let mut client = Client::connect(&cluster, 1);
    assert!(client.produce("t", 0, &one()).error.is_ok());
}

#[test]
fn garbage_is_sent_as_it_is() {
    let cluster = cluster_of(1);
    cluster.on(Api::ApiVersions).garbage(b"HTTP/1.1 400");
    let mut client = Client::connect(&cluster, 1);
    client.send(&ApiVersionsRequest::default(), 3);
    let mut received = [0; 12];
    client.exact(&mut received).unwrap();
    assert_eq!(&received, b"HTTP/1.1 400");
}

#[test]
fn a_correlation_id_can_be_wrong() {
    let cluster = cluster_of(1);
    cluster.on(Api::Produce).wrong_correlation_id(-3);
    let mut client = Client::connect(&cluster, 1);
    let sent = client.send(&produce_request(-1, "t", 0, &one()), 9);
    let frame = client.frame().unwrap();
    let (correlation_id, response) = decode_response::<ProduceRequest>(&frame, 9).unwrap();
    assert_eq!(correlation_id, sent - 3);
    assert!(only_partition(response).error.is_ok());
}

#[test]
fn a_body_of_the_test_has_the_header_of_its_version() {
    let cluster = cluster_of(1);
    cluster
        .on(Api::Produce)
        .times(2)
        .body(|request| vec![0xee; request.version as usize]);
    cluster.on(Api::ApiVersions).body(|_| vec![0xee]);
    let mut client = Client::connect(&cluster, 1);
    let request = produce_request(-1, "t", 0, &one());
    for (version, header_len) in [(8, 4), (9, 5)] {
        let sent = client.send(&request, version);
        let frame = client.frame().unwrap();
        assert_eq!(frame[..4], sent.to_be_bytes());
        assert_eq!(frame[header_len..], vec![0xee; version as usize]);
    }
    client.send(&ApiVersionsRequest::default(), 3);
    assert_eq!(client.frame().unwrap().len(), 5);
    assert_eq!(cluster.end_offset("t", 0), 0);
}

#[test]
fn throttling_is_told() {
    let cluster = cluster_of(1);
    cluster.on(Api::Produce).throttle(800).answer();
    cluster.on(Api::Metadata).throttle(i32::MAX).answer();
    let mut client = Client::connect(&cluster, 1);
    let response = client.call(&produce_request(-1, "t", 0, &one()), 9);
    assert_eq!(response.throttle_time_ms, 800);
    assert!(only_partition(response).error.is_ok());
    assert_eq!(ask(&mut client, "t").throttle_time_ms, i32::MAX);
}

#[test]
fn metadata_shows_scripted_errors_of_topics_and_partitions() {
    let cluster = cluster_of(2);
    cluster.create_topic("other", 1);
    cluster.on(Api::Metadata).topic("t").times(2).error(3);
    cluster.on(Api::Metadata).topic("t").no_partitions();
    cluster.on(Api::Metadata).partition("t", 1).error(5);
    cluster.on(Api::Metadata).topic("new").error(29);
    let mut client = Client::connect(&cluster, 1);
    for _ in 0..2 {
        let unknown = ask_topic(&mut client, "t");
        assert_eq!((unknown.error.0, unknown.partitions.len()), (3, 0));
        assert!(ask_topic(&mut client, "other").error.is_ok());
    }
    let empty = ask_topic(&mut client, "t");
    assert_eq!((empty.error.0, empty.partitions.len()), (0, 0));
    let leaders = |topic: &MetadataTopic| -> Vec<(i16, i32, i32)> {
        let partitions = topic.partitions.iter();
        let shown = partitions.map(|one| (one.error.0, one.leader_id, one.leader_epoch));
        shown.collect()
    };
    assert_eq!(
        leaders(&ask_topic(&mut client, "t")),
        [(0, 1, 0), (5, -1, -1)]
    );
    assert_eq!(
        leaders(&ask_topic(&mut client, "t")),
        [(0, 1, 0), (0, 2, 0)]
    );
    assert_eq!(
        ask_topic(&mut client, "new").error,
        Code::TOPIC_AUTHORIZATION_FAILED
    );
    let all = client.call(&MetadataRequest::default(), 12);
    assert_eq!(all.topics.len(), 2, "the refused topic was not created");
}

#[test]
fn acks_0_shows_a_scripted_error_by_a_hang_up() {
    let cluster = cluster_of(1);
    cluster.on(Api::Produce).error(19);
    let mut client = Client::connect(&cluster, 1);
    client.send(&produce_request(0, "t", 0, &one()), 9);
    assert!(client.is_hung_up());
}
