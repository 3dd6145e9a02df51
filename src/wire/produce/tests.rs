use super::*;
use crate::wire::codes::Code;
use crate::wire::testing::{check, check_bytes, check_golden, hex};
use crate::wire::{HeaderFacts, Request, TopicId, frame};

const ID: TopicId = [0xcd; 16];

fn partition(index: i32, records: &[u8]) -> ProducePartition {
    ProducePartition {
        index,
        records: Some(records.to_vec()),
    }
}

fn request() -> ProduceRequest {
    let one = ProduceTopic {
        name: "T1".into(),
        id: ID,
        partitions: vec![partition(0, b"first"), partition(7, &[9; 200])],
    };
    let other = ProduceTopic {
        name: "T2".into(),
        id: [3; 16],
        partitions: vec![partition(1, b"")],
    };
    ProduceRequest {
        transactional_id: Some("tx".into()),
        acks: -1,
        timeout_ms: 30_000,
        topics: vec![one, other],
    }
}

fn response() -> ProduceResponse {
    let written = ProducePartitionResponse {
        index: 0,
        base_offset: 100,
        log_append_time_ms: 5,
        log_start_offset: 2,
        ..ProducePartitionResponse::default()
    };
    let refused = ProducePartitionResponse {
        index: 1,
        error: Code::INVALID_RECORD,
        base_offset: -1,
        record_errors: vec![
            RecordError {
                batch_index: 3,
                message: Some("no key".into()),
            },
            RecordError {
                batch_index: 4,
                message: None,
            },
        ],
        error_message: Some("bad".into()),
        current_leader: Some(LeaderAndEpoch {
            leader_id: 2,
            leader_epoch: 8,
        }),
        ..ProducePartitionResponse::default()
    };
    ProduceResponse {
        topics: vec![ProduceTopicResponse {
            name: "T1".into(),
            id: ID,
            partitions: vec![written, refused],
        }],
        throttle_time_ms: 6,
        node_endpoints: vec![NodeEndpoint {
            node_id: 2,
            host: "b2".into(),
            port: 9092,
            rack: None,
        }],
    }
}

/// A topic has a name or an id, as the version says.
fn identified(version: i16, name: &mut String, id: &mut TopicId) {
    if version < 13 {
        *id = TopicId::default();
    } else {
        name.clear();
    }
}

fn request_in(version: i16) -> ProduceRequest {
    let mut expected = request();
    for topic in &mut expected.topics {
        identified(version, &mut topic.name, &mut topic.id);
    }
    expected
}

fn response_in(version: i16) -> ProduceResponse {
    let mut expected = response();
    for topic in &mut expected.topics {
        identified(version, &mut topic.name, &mut topic.id);
        for partition in &mut topic.partitions {
            if version < 5 {
                partition.log_start_offset = -1;
            }
            if version < 8 {
                partition.record_errors.clear();
                partition.error_message = None;
            }
            if version < 10 {
                partition.current_leader = None;
            }
        }
    }
    if version < 10 {
        expected.node_endpoints.clear();
    }
    expected
}

#[test]
fn every_version_has_the_bytes_that_kafka_itself_writes() {
    let versions = ProduceRequest::VERSIONS;
    check_golden("ProduceRequest", &request(), versions.clone());
    check_golden("ProduceResponse", &response(), versions);
}

#[test]
fn every_version_reads_back_and_damage_is_refused() {
    check(&request(), ProduceRequest::VERSIONS, request_in);
    check(&response(), ProduceRequest::VERSIONS, response_in);
    let mut null = request();
    null.transactional_id = None;
    null.topics.truncate(1);
    null.topics[0].partitions = vec![ProducePartition::default()];
    check(&null, ProduceRequest::VERSIONS, |version| {
        let mut expected = null.clone();
        let topic = &mut expected.topics[0];
        identified(version, &mut topic.name, &mut topic.id);
        expected
    });
}

#[test]
fn request_bytes_are_those_of_the_protocol() {
    let mut small = ProduceRequest {
        transactional_id: None,
        acks: 1,
        timeout_ms: 30_000,
        topics: vec![ProduceTopic {
            name: "T1".into(),
            id: TopicId::default(),
            partitions: vec![partition(4, b"rec")],
        }],
    };
    #[rustfmt::skip]
    let plain: &[&[u8]] = &[
        &[0xff, 0xff],           // transactional_id
        &[0, 1],                 // acks
        &[0, 0, 0x75, 0x30],     // timeout_ms
        &[0, 0, 0, 1],           // topic_data
        &[0, 2], b"T1",          // name
        &[0, 0, 0, 1],           // partition_data
        &[0, 0, 0, 4],           // index
        &[0, 0, 0, 3], b"rec",   // records
    ];
    check_bytes(&small, 3, plain);
    #[rustfmt::skip]
    let flexible: &[&[u8]] = &[
        &[0],                    // transactional_id
        &[0, 1],                 // acks
        &[0, 0, 0x75, 0x30],     // timeout_ms
        &[2],                    // topic_data
        &[3], b"T1",             // name
        &[2],                    // partition_data
        &[0, 0, 0, 4],           // index
        &[4], b"rec",            // records
        &[0], &[0], &[0],        // tagged fields of the partition, the topic, the body
    ];
    check_bytes(&small, 12, flexible);
    (small.topics[0].name, small.topics[0].id) = (String::new(), ID);
    #[rustfmt::skip]
    let by_id: &[&[u8]] = &[
        &[0],                    // transactional_id
        &[0, 1],                 // acks
        &[0, 0, 0x75, 0x30],     // timeout_ms
        &[2],                    // topic_data
        &ID,                     // topic_id
        &[2],                    // partition_data
        &[0, 0, 0, 4],           // index
        &[4], b"rec",            // records
        &[0], &[0], &[0],        // tagged fields of the partition, the topic, the body
    ];
    check_bytes(&small, 13, by_id);
}

#[test]
fn plain_response_bytes_are_those_of_the_protocol() {
    #[rustfmt::skip]
    let bytes: &[&[u8]] = &[
        &[0, 0, 0, 1],                // responses
        &[0, 2], b"T1",               // name
        &[0, 0, 0, 2],                // partition_responses
        &[0, 0, 0, 0],                // index
        &[0, 0],                      // error
        &[0, 0, 0, 0, 0, 0, 0, 100],  // base_offset
        &[0, 0, 0, 0, 0, 0, 0, 5],    // log_append_time_ms
        &[0, 0, 0, 0, 0, 0, 0, 2],    // log_start_offset
        &[0, 0, 0, 0],                // record_errors
        &[0xff, 0xff],                // error_message
        &[0, 0, 0, 1],                // index
        &[0, 87],                     // error
        &[0xff; 8],                   // base_offset
        &[0xff; 8],                   // log_append_time_ms
        &[0xff; 8],                   // log_start_offset
        &[0, 0, 0, 2],                // record_errors
        &[0, 0, 0, 3],                // batch_index
        &[0, 6], b"no key",           // batch_index_error_message
        &[0, 0, 0, 4],                // batch_index
        &[0xff, 0xff],                // batch_index_error_message
        &[0, 3], b"bad",              // error_message
        &[0, 0, 0, 6],                // throttle_time_ms
    ];
    check_bytes(&response_in(8), 8, bytes);
}

#[test]
fn flexible_response_bytes_are_those_of_the_protocol() {
    #[rustfmt::skip]
    let bytes: &[&[u8]] = &[
        &[2],                         // responses
        &ID,                          // topic_id
        &[3],                         // partition_responses
        &[0, 0, 0, 0],                // index
        &[0, 0],                      // error
        &[0, 0, 0, 0, 0, 0, 0, 100],  // base_offset
        &[0, 0, 0, 0, 0, 0, 0, 5],    // log_append_time_ms
        &[0, 0, 0, 0, 0, 0, 0, 2],    // log_start_offset
        &[1],                         // record_errors
        &[0],                         // error_message
        &[0],                         // tagged fields
        &[0, 0, 0, 1],                // index
        &[0, 87],                     // error
        &[0xff; 8],                   // base_offset
        &[0xff; 8],                   // log_append_time_ms
        &[0xff; 8],                   // log_start_offset
        &[3],                         // record_errors
        &[0, 0, 0, 3],                // batch_index
        &[7], b"no key", &[0],        // batch_index_error_message, tagged fields
        &[0, 0, 0, 4],                // batch_index
        &[0], &[0],                   // batch_index_error_message, tagged fields
        &[4], b"bad",                 // error_message
        &[1, 0, 9],                   // tagged fields; current_leader: tag, size
        &[0, 0, 0, 2],                // leader_id
        &[0, 0, 0, 8],                // leader_epoch
        &[0],                         // tagged fields of the leader
        &[0],                         // tagged fields of the topic
        &[0, 0, 0, 6],                // throttle_time_ms
        &[1, 0, 14],                  // tagged fields; node_endpoints: tag, size
        &[2],                         // node_endpoints
        &[0, 0, 0, 2],                // node_id
        &[3], b"b2",                  // host
        &[0, 0, 0x23, 0x84],          // port
        &[0],                         // rack
        &[0],                         // tagged fields of the endpoint
    ];
    check_bytes(&response_in(13), 13, bytes);
}

#[test]
fn framing_and_batches_make_the_frame_of_the_owned_request() {
    for transactional_id in [None, Some("tx")] {
        for version in ProduceRequest::VERSIONS {
            let mut owned = request();
            owned.transactional_id = transactional_id.map(str::to_owned);
            assert_framed(&owned, version);
            owned.topics.clear();
            assert_framed(&owned, version);
        }
    }
}

fn assert_framed(owned: &ProduceRequest, version: i16) {
    let header = HeaderFacts {
        correlation_id: 77,
        client_id: "me",
    };
    let batches = |topic: &ProduceTopic| -> Vec<Vec<u8>> {
        let partitions = topic.partitions.iter();
        partitions
            .map(|partition| partition.records.clone().unwrap())
            .collect()
    };
    let topics: Vec<_> = owned
        .topics
        .iter()
        .map(|topic| FramedTopic {
            name: &topic.name,
            id: topic.id,
            partitions: topic
                .partitions
                .iter()
                .zip(batches(topic))
                .map(|(partition, records)| (partition.index, records.len()))
                .collect(),
        })
        .collect();
    let framing = framing(
        header,
        version,
        owned.acks,
        owned.timeout_ms,
        owned.transactional_id.as_deref(),
        &topics,
    );
    let records: Vec<_> = owned.topics.iter().flat_map(batches).collect();
    let slices: Vec<_> = framing.slices(records.iter().map(Vec::as_slice)).collect();
    assert_eq!(framing.cuts.len(), records.len());
    assert_eq!(slices.len(), 2 * records.len() + 1);
    assert_eq!(
        hex(&slices.concat()),
        hex(&frame(owned, version, header)),
        "version {version}"
    );
}
