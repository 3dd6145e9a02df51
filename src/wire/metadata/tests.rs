use super::*;
use crate::wire::testing::{check, check_bytes, check_golden, decode, encode};

fn request() -> MetadataRequest {
    MetadataRequest {
        topics: Some(vec!["T1".into(), "orders".into()]),
        allow_auto_topic_creation: true,
        include_operations: false,
    }
}

const ID: TopicId = [0xab; 16];

fn response() -> MetadataResponse {
    let led = MetadataPartition {
        error: Code::NONE,
        index: 0,
        leader_id: 2,
        leader_epoch: 6,
        replicas: vec![2, 3],
        isr: vec![2],
        offline: vec![3],
    };
    let without_leader = MetadataPartition {
        error: Code::LEADER_NOT_AVAILABLE,
        index: 1,
        ..MetadataPartition::default()
    };
    let topic = MetadataTopic {
        error: Code::NONE,
        name: Some("T1".into()),
        id: ID,
        is_internal: true,
        partitions: vec![led, without_leader],
        operations: None,
    };
    MetadataResponse {
        throttle_time_ms: 4,
        brokers: vec![broker(2, Some("r")), broker(3, None)],
        cluster_id: Some("c".into()),
        controller_id: 3,
        topics: vec![topic],
        operations: None,
        error: Code::REBOOTSTRAP_REQUIRED,
    }
}

fn broker(node_id: i32, rack: Option<&str>) -> MetadataBroker {
    MetadataBroker {
        node_id,
        host: "b".into(),
        port: 9092,
        rack: rack.map(str::to_owned),
    }
}

#[test]
fn every_version_has_the_bytes_that_kafka_itself_writes() {
    let versions = MetadataRequest::VERSIONS;
    check_golden("MetadataRequest", &request(), versions.clone());
    check_golden("MetadataResponse", &response(), versions);
}

#[test]
fn every_version_of_the_request_reads_back_and_damage_is_refused() {
    let all = MetadataRequest::default();
    let none = MetadataRequest {
        topics: Some(Vec::new()),
        ..MetadataRequest::default()
    };
    for request in [request(), all, none] {
        check(&request, MetadataRequest::VERSIONS, |_| request.clone());
    }
}

#[test]
fn every_version_of_the_response_reads_back_and_damage_is_refused() {
    check(&response(), MetadataRequest::VERSIONS, |version| {
        let mut expected = response();
        for partition in &mut expected.topics[0].partitions {
            if version < 5 {
                partition.offline.clear();
            }
            if version < 7 {
                partition.leader_epoch = -1;
            }
        }
        if version < 10 {
            expected.topics[0].id = TopicId::default();
        }
        if version < 13 {
            expected.error = Code::NONE;
        }
        expected
    });
    let empty = MetadataResponse::default();
    check(&empty, MetadataRequest::VERSIONS, |_| empty.clone());
}

#[test]
fn what_the_client_may_do_is_asked_for_and_told_where_the_version_has_it() {
    let asking = MetadataRequest {
        include_operations: true,
        ..request()
    };
    check(&asking, MetadataRequest::VERSIONS, |version| {
        let mut expected = asking.clone();
        expected.include_operations = version >= 8;
        expected
    });
    let mut told = response();
    told.operations = Some(Operations(1 << Operations::IDEMPOTENT_WRITE));
    told.topics[0].operations = Some(Operations(0));
    for version in MetadataRequest::VERSIONS {
        let read = decode::<MetadataResponse>(&encode(&told, version), version).unwrap();
        let of_topic = read.topics[0].operations;
        assert_eq!(of_topic.is_some(), version >= 8, "version {version}");
        assert!(of_topic.is_none_or(|all| !all.has(Operations::WRITE)));
        let of_cluster = read.operations;
        assert_eq!(of_cluster.is_some(), (8..=10).contains(&version));
        assert!(of_cluster.is_none_or(|all| all.has(Operations::IDEMPOTENT_WRITE)));
    }
}

#[test]
fn request_bytes_are_those_of_the_protocol() {
    check_bytes(
        &MetadataRequest::default(),
        4,
        &[&[0xff, 0xff, 0xff, 0xff], &[0]],
    );
    check_bytes(&MetadataRequest::default(), 12, &[&[0], &[0], &[0], &[0]]);
    #[rustfmt::skip]
    let plain: &[&[u8]] = &[
        &[0, 0, 0, 2],                // topics
        &[0, 2], b"T1",               //
        &[0, 6], b"orders",           //
        &[1],                         // allow_auto_topic_creation
        &[0],                         // include_cluster_authorized_operations
        &[0],                         // include_topic_authorized_operations
    ];
    check_bytes(&request(), 8, plain);
    #[rustfmt::skip]
    let flexible: &[&[u8]] = &[
        &[3],                         // topics
        &[0; 16], &[3], b"T1", &[0],  // topic_id, name, tagged fields
        &[0; 16], &[7], b"orders",    // topic_id, name
        &[0],                         // tagged fields
        &[1],                         // allow_auto_topic_creation
        &[0],                         // include_topic_authorized_operations
        &[0],                         // tagged fields
    ];
    check_bytes(&request(), 12, flexible);
}

#[test]
fn plain_response_bytes_are_those_of_the_protocol() {
    let mut expected = response();
    expected.topics[0].id = TopicId::default();
    expected.error = Code::NONE;
    #[rustfmt::skip]
    let bytes: &[&[u8]] = &[
        &[0, 0, 0, 4],                // throttle_time_ms
        &[0, 0, 0, 2],                // brokers
        &[0, 0, 0, 2],                // node_id
        &[0, 1], b"b",                // host
        &[0, 0, 0x23, 0x84],          // port
        &[0, 1], b"r",                // rack
        &[0, 0, 0, 3],                // node_id
        &[0, 1], b"b",                // host
        &[0, 0, 0x23, 0x84],          // port
        &[0xff, 0xff],                // rack
        &[0, 1], b"c",                // cluster_id
        &[0, 0, 0, 3],                // controller_id
        &[0, 0, 0, 1],                // topics
        &[0, 0],                      // error
        &[0, 2], b"T1",               // name
        &[1],                         // is_internal
        &[0, 0, 0, 2],                // partitions
        &[0, 0],                      // error
        &[0, 0, 0, 0],                // partition_index
        &[0, 0, 0, 2],                // leader_id
        &[0, 0, 0, 6],                // leader_epoch
        &[0, 0, 0, 2],                // replica_nodes
        &[0, 0, 0, 2, 0, 0, 0, 3],    //
        &[0, 0, 0, 1],                // isr_nodes
        &[0, 0, 0, 2],                //
        &[0, 0, 0, 1],                // offline_replicas
        &[0, 0, 0, 3],                //
        &[0, 5],                      // error
        &[0, 0, 0, 1],                // partition_index
        &[0xff, 0xff, 0xff, 0xff],    // leader_id
        &[0xff, 0xff, 0xff, 0xff],    // leader_epoch
        &[0, 0, 0, 0],                // replica_nodes
        &[0, 0, 0, 0],                // isr_nodes
        &[0, 0, 0, 0],                // offline_replicas
        &[0x80, 0, 0, 0],             // topic_authorized_operations
        &[0x80, 0, 0, 0],             // cluster_authorized_operations
    ];
    check_bytes(&expected, 8, bytes);
}

#[test]
fn flexible_response_bytes_are_those_of_the_protocol() {
    #[rustfmt::skip]
    let bytes: &[&[u8]] = &[
        &[0, 0, 0, 4],                // throttle_time_ms
        &[3],                         // brokers
        &[0, 0, 0, 2],                // node_id
        &[2], b"b",                   // host
        &[0, 0, 0x23, 0x84],          // port
        &[2], b"r",                   // rack
        &[0],                         // tagged fields
        &[0, 0, 0, 3],                // node_id
        &[2], b"b",                   // host
        &[0, 0, 0x23, 0x84],          // port
        &[0],                         // rack
        &[0],                         // tagged fields
        &[2], b"c",                   // cluster_id
        &[0, 0, 0, 3],                // controller_id
        &[2],                         // topics
        &[0, 0],                      // error
        &[3], b"T1",                  // name
        &ID,                          // topic_id
        &[1],                         // is_internal
        &[3],                         // partitions
        &[0, 0],                      // error
        &[0, 0, 0, 0],                // partition_index
        &[0, 0, 0, 2],                // leader_id
        &[0, 0, 0, 6],                // leader_epoch
        &[3, 0, 0, 0, 2, 0, 0, 0, 3], // replica_nodes
        &[2, 0, 0, 0, 2],             // isr_nodes
        &[2, 0, 0, 0, 3],             // offline_replicas
        &[0],                         // tagged fields
        &[0, 5],                      // error
        &[0, 0, 0, 1],                // partition_index
        &[0xff, 0xff, 0xff, 0xff],    // leader_id
        &[0xff, 0xff, 0xff, 0xff],    // leader_epoch
        &[1],                         // replica_nodes
        &[1],                         // isr_nodes
        &[1],                         // offline_replicas
        &[0],                         // tagged fields
        &[0x80, 0, 0, 0],             // topic_authorized_operations
        &[0],                         // tagged fields
        &[0, 129],                    // error
        &[0],                         // tagged fields
    ];
    check_bytes(&response(), 13, bytes);
}

#[test]
fn a_topic_known_by_its_id_alone_has_no_name() {
    let mut nameless = response();
    nameless.topics[0].name = None;
    for version in 12..=13 {
        let read = decode::<MetadataResponse>(&encode(&nameless, version), version).unwrap();
        assert_eq!(read.topics[0].name, None);
        assert_eq!(read.topics[0].id, ID);
    }
}
