//! ApiVersions, Metadata, InitProducerId, FindCoordinator, in every version.

use super::*;
use crate::wire::api_versions::ApiVersionsRequest;
use crate::wire::find_coordinator::FindCoordinatorRequest;
use crate::wire::init_producer_id::InitProducerIdRequest;

/// The range of an API in an answer.
fn range(client: &mut Client, api: Api) -> Option<(i16, i16)> {
    let response = client.call(&ApiVersionsRequest::default(), 3);
    let mut apis = response.apis.into_iter();
    let found = apis.find(|range| range.key == api.key());
    found.map(|range| (range.min, range.max))
}

#[test]
fn api_versions_are_answered_in_every_version() {
    let cluster = MockCluster::start(1);
    let mut client = Client::connect(&cluster, 1);
    for version in ApiVersionsRequest::VERSIONS {
        let response = client.call(&ApiVersionsRequest::default(), version);
        assert!(response.error.is_ok());
        assert_eq!(response.apis.len(), Api::ALL.len());
    }
    assert_eq!(range(&mut client, Api::Produce), Some((0, 13)));
    assert_eq!(range(&mut client, Api::Metadata), Some((4, 13)));
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_the_form_of_version_0() {
    let cluster = MockCluster::start(1);
    cluster.versions(Api::ApiVersions, 0..=2);
    let mut client = Client::connect(&cluster, 1);
    let sent = client.send(&ApiVersionsRequest::default(), 4);
    let frame = client.frame().unwrap();
    let (correlation_id, response) = decode_response::<ApiVersionsRequest>(&frame, 0).unwrap();
    assert_eq!(correlation_id, sent);
    assert_eq!(response.error, Code::UNSUPPORTED_VERSION);
    let own = response
        .apis
        .iter()
        .map(|range| (range.key, range.min, range.max));
    assert_eq!(own.collect::<Vec<_>>(), [(18, 0, 2)]);
    // The connection goes on.
    assert!(client.call(&ApiVersionsRequest::default(), 2).error.is_ok());
}

#[test]
fn an_old_broker_advertises_and_takes_what_the_test_says() {
    let cluster = cluster_of(2);
    cluster.versions_of(1, Api::Produce, 3..=3);
    cluster.versions_of(2, Api::Produce, 0..=2);
    cluster.remove_api(Api::InitProducerId);
    let request = produce_request(1, "t", 0, &plain_batch(&["v"]));
    let mut client = Client::connect(&cluster, 1);
    assert_eq!(range(&mut client, Api::Produce), Some((3, 3)));
    assert_eq!(range(&mut client, Api::InitProducerId), None);
    assert!(only_partition(client.call(&request, 3)).error.is_ok());
    assert!(
        client.try_call(&request, 4).is_none(),
        "a version above its range"
    );

    let mut client = Client::connect(&cluster, 2);
    assert_eq!(range(&mut client, Api::Produce), Some((0, 2)));
    assert!(client.try_call(&request, 3).is_none());

    let mut client = Client::connect(&cluster, 1);
    assert!(
        client
            .try_call(&InitProducerIdRequest::default(), 0)
            .is_none()
    );
    assert_eq!(cluster.end_offset("t", 0), 1);
}

#[test]
fn a_broker_advertises_produce_from_0_and_hangs_up_on_0_to_2() {
    let cluster = cluster_of(1);
    for version in 0..3_i16 {
        let mut client = Client::connect(&cluster, 1);
        let mut header = vec![0, 0, 0, 12, 0, 0];
        header.extend(version.to_be_bytes());
        header.extend([0, 0, 0, 1, 0, 2, b'm', b'e']);
        client.socket.write_all(&header).unwrap();
        assert!(client.is_hung_up());
    }
    assert_eq!(cluster.requests().len(), 3);
}

#[test]
fn garbage_from_a_client_ends_its_connection_only() {
    let cluster = MockCluster::start(1);
    let frames: [&[u8]; 5] = [
        &[0xff, 0xff, 0xff, 0xff, 1, 2],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0, 0, 0, 1, 0],
        b"GET / HTTP/1.1\r\n\r\n",
        // A metadata request of version 4 whose array claims to have 2^31 - 1 topics.
        &[
            0, 0, 0, 14, 0, 3, 0, 4, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff,
        ],
    ];
    for bytes in frames {
        let mut client = Client::connect(&cluster, 1);
        client.socket.write_all(bytes).unwrap();
        assert!(client.is_hung_up(), "{bytes:?}");
    }
    let mut client = Client::connect(&cluster, 1);
    client.call(&ApiVersionsRequest::default(), 0);
}

#[test]
fn metadata_shows_brokers_topics_and_leaders_in_every_version() {
    let cluster = cluster_of(3);
    let mut client = Client::connect(&cluster, 2);
    for version in MetadataRequest::VERSIONS {
        let request = MetadataRequest {
            topics: Some(vec!["t".to_owned()]),
            allow_auto_topic_creation: true,
            include_operations: false,
        };
        let response = client.call(&request, version);
        let addresses = response.brokers.iter();
        let addresses: Vec<_> = addresses
            .map(|broker| format!("{}:{}", broker.host, broker.port))
            .collect();
        assert_eq!(addresses.join(","), cluster.bootstrap());
        let [topic] = &response.topics[..] else {
            panic!("{response:?}")
        };
        assert!(topic.error.is_ok());
        assert_eq!(topic.id != TopicId::default(), version >= 10);
        let leaders = topic.partitions.iter();
        let leaders: Vec<_> = leaders
            .map(|partition| (partition.index, partition.leader_id))
            .collect();
        assert_eq!(leaders, [(0, 1), (1, 2)]);
        assert_eq!(topic.partitions[1].isr, [2, 3, 1]);
    }
}

#[test]
fn topics_are_created_when_they_are_asked_for_if_both_sides_allow_it() {
    let cluster = MockCluster::start(1);
    cluster.auto_create(Some(4));
    let mut client = Client::connect(&cluster, 1);
    let unwilling = MetadataRequest {
        topics: Some(vec!["new".to_owned()]),
        allow_auto_topic_creation: false,
        include_operations: false,
    };
    let unknown = client.call(&unwilling, 12).topics.pop().unwrap();
    assert_eq!(unknown.error, Code::UNKNOWN_TOPIC_OR_PARTITION);
    let created = ask_topic(&mut client, "new");
    assert_eq!(created.error, Code::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(ask_topic(&mut client, "new").partitions.len(), 4);
    assert_eq!(
        ask_topic(&mut client, "b/ad").error,
        Code::INVALID_TOPIC_EXCEPTION
    );
    cluster.auto_create(None);
    let unknown = ask_topic(&mut client, "newer");
    assert_eq!(unknown.error, Code::UNKNOWN_TOPIC_OR_PARTITION);
    let all = client.call(&MetadataRequest::default(), 12);
    assert_eq!(all.topics.len(), 1);
}

#[test]
fn topics_grow_vanish_and_come_back_with_another_id() {
    let cluster = cluster_of(2);
    let mut client = Client::connect(&cluster, 1);
    let before = ask_topic(&mut client, "t");
    cluster.add_partitions("t", 5);
    let grown = ask_topic(&mut client, "t");
    assert_eq!((grown.partitions.len(), grown.id), (5, before.id));
    assert_eq!(cluster.leader("t", 3), 2);
    cluster.delete_topic("t");
    cluster.auto_create(None);
    assert_eq!(
        ask_topic(&mut client, "t").error,
        Code::UNKNOWN_TOPIC_OR_PARTITION
    );
    cluster.create_topic("t", 2);
    assert_ne!(ask_topic(&mut client, "t").id, before.id);
}

#[test]
fn producer_ids_are_fresh_unless_they_are_transactional() {
    let cluster = MockCluster::start(1);
    let mut client = Client::connect(&cluster, 1);
    let mut seen = Vec::new();
    for version in InitProducerIdRequest::VERSIONS {
        let granted = client.call(&InitProducerIdRequest::default(), version);
        assert!(granted.error.is_ok());
        assert_eq!(granted.producer_epoch, 0);
        seen.push(granted.producer_id);
    }
    seen.dedup();
    assert_eq!(seen.len(), InitProducerIdRequest::VERSIONS.count());

    let mut transactional = InitProducerIdRequest {
        transactional_id: Some("x".to_owned()),
        ..InitProducerIdRequest::default()
    };
    let first = client.call(&transactional, 4);
    (transactional.producer_id, transactional.producer_epoch) = (first.producer_id, 0);
    let bumped = client.call(&transactional, 4);
    assert_eq!(
        (bumped.producer_id, bumped.producer_epoch),
        (first.producer_id, 1)
    );
    // The answer may have been lost: the same again.
    assert_eq!(client.call(&transactional, 4), bumped);
    transactional.producer_epoch = 1;
    assert_eq!(client.call(&transactional, 4).producer_epoch, 2);
    transactional.producer_epoch = 0;
    assert_eq!(client.call(&transactional, 4).error, Code::PRODUCER_FENCED);
}

#[test]
fn the_coordinator_is_the_first_broker_that_runs() {
    let cluster = MockCluster::start(3);
    let mut client = Client::connect(&cluster, 2);
    let request = FindCoordinatorRequest {
        key_type: 1,
        keys: vec!["x".to_owned()],
    };
    for version in FindCoordinatorRequest::VERSIONS.skip(1) {
        let found = client.call(&request, version).coordinators.pop().unwrap();
        assert_eq!((found.error, found.node_id), (Code::NONE, 1));
    }
    cluster.stop_broker(1);
    let found = client.call(&request, 4).coordinators.pop().unwrap();
    assert_eq!(format!("{}:{}", found.host, found.port), cluster.address(2));
}
