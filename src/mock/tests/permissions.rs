//! What a client may do, and the settings that it may see.

use super::*;
use crate::wire::describe_configs::{
    ConfigResource, DescribeConfigsRequest, DescribeConfigsResponse, DescribedConfigs,
};
use crate::wire::init_producer_id::InitProducerIdRequest;
use crate::wire::metadata::Operations;

const VERSION: i16 = 4;

fn describe(client: &mut Client, kind: i8, name: &str, keys: Option<&[&str]>) -> DescribedConfigs {
    let keys = keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
    let name = name.to_owned();
    let request = DescribeConfigsRequest {
        resources: vec![ConfigResource { kind, name, keys }],
    };
    let mut response: DescribeConfigsResponse = client.call(&request, VERSION);
    response.results.pop().unwrap()
}

#[test]
fn settings_of_topics_are_those_that_the_test_made() {
    let cluster = cluster_of(1);
    cluster.set_max_message_bytes("t", 1000);
    cluster.set_min_isr("t", 2);
    cluster.set_compacted("t", true);
    cluster.set_log_append_time("t", true);
    let mut client = Client::connect(&cluster, 1);
    let all = describe(&mut client, ConfigResource::TOPIC, "t", None);
    assert!(all.error.is_ok());
    for (name, value) in [
        ("cleanup.policy", "compact"),
        ("compression.type", "producer"),
        ("max.message.bytes", "1000"),
        ("message.timestamp.after.max.ms", "3600000"),
        ("message.timestamp.before.max.ms", "9223372036854775807"),
        ("message.timestamp.type", "LogAppendTime"),
        ("min.insync.replicas", "2"),
    ] {
        assert_eq!(all.value(name), Some(value), "{name}");
    }
    let keys: &[&str] = &["min.insync.replicas", "nonsense"];
    let one = describe(&mut client, ConfigResource::TOPIC, "t", Some(keys));
    assert_eq!(one.entries.len(), 1);
}

#[test]
fn settings_that_are_not_there_or_not_for_everybody_are_refused() {
    let cluster = cluster_of(2);
    let mut client = Client::connect(&cluster, 2);
    let mut code = |kind, name| describe(&mut client, kind, name, None).error;
    let (topic, broker) = (ConfigResource::TOPIC, ConfigResource::BROKER);
    assert_eq!(code(topic, "u"), Code::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(code(topic, "b/ad"), Code::INVALID_TOPIC_EXCEPTION);
    assert_eq!(code(broker, "2"), Code::NONE);
    assert_eq!(code(broker, "1"), Code::INVALID_REQUEST);
    assert_eq!(code(77, "t"), Code::INVALID_REQUEST);
    cluster.deny_describe_configs("t", true);
    assert_eq!(code(topic, "t"), Code::TOPIC_AUTHORIZATION_FAILED);
    cluster.deny_describe_configs("t", false);
    assert_eq!(code(topic, "t"), Code::NONE);
    let told = describe(&mut client, broker, "2", None);
    assert_eq!(told.value("auto.create.topics.enable"), Some("true"));
}

#[test]
fn what_is_denied_is_told_to_who_asks_and_refused_to_who_tries() {
    let cluster = cluster_of(1);
    let mut client = Client::connect(&cluster, 1);
    let asking = MetadataRequest {
        topics: Some(vec!["t".to_owned()]),
        include_operations: true,
        ..MetadataRequest::default()
    };
    let mut may = |is_asking| {
        let request = MetadataRequest {
            include_operations: is_asking,
            ..asking.clone()
        };
        let told = client.call(&request, 10);
        let topic = told.topics[0]
            .operations
            .map(|all| all.has(Operations::WRITE));
        let idempotent = Operations::IDEMPOTENT_WRITE;
        (topic, told.operations.map(|all| all.has(idempotent)))
    };
    assert_eq!(may(false), (None, None));
    assert_eq!(may(true), (Some(true), Some(true)));
    cluster.deny_write("t", true);
    cluster.deny_idempotent_write(true);
    assert_eq!(may(true), (Some(false), Some(false)));

    let batch = plain_batch(&["a"]);
    let produced = client.call(&produce_request(-1, "t", 0, &batch), 9);
    let refused = Code::TOPIC_AUTHORIZATION_FAILED;
    assert_eq!(only_partition(produced).error, refused);
    let init = InitProducerIdRequest {
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    let refused = Code::CLUSTER_AUTHORIZATION_FAILED;
    assert_eq!(client.call(&init, 4).error, refused);
}
