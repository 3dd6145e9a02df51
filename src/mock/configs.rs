//! DescribeConfigs: the settings of topics and brokers that a cluster here has.

use super::facts::MockRequest;
use super::faults::Script;
use super::handlers::{Reply, answer};
use super::metadata::is_legal;
use super::state::{State, Topic};
use crate::wire::codes::Code;
use crate::wire::describe_configs::{
    ConfigEntry, ConfigResource, DescribeConfigsRequest, DescribeConfigsResponse, DescribedConfigs,
};

type Entries = Vec<(&'static str, String)>;
type Refusal = (Code, Option<String>);

pub(super) fn handle(
    state: &State,
    request: &MockRequest,
    describe: &DescribeConfigsRequest,
    script: &Script,
) -> Reply {
    let result = |resource: &ConfigResource| {
        let entries = match script.error() {
            Some(code) => Err((Code(code), None)),
            None => entries(state, request.node, resource),
        };
        described(resource, entries)
    };
    let response = DescribeConfigsResponse {
        throttle_time_ms: script.plan.throttle_ms,
        results: describe.resources.iter().map(result).collect(),
    };
    answer::<DescribeConfigsRequest>(request, &response)
}

fn described(resource: &ConfigResource, entries: Result<Entries, Refusal>) -> DescribedConfigs {
    let ((error, error_message), entries) = match entries {
        Ok(entries) => ((Code::NONE, None), entries),
        Err(refusal) => (refusal, Vec::new()),
    };
    let keys = resource.keys.as_ref();
    let is_wanted = |name: &str| keys.is_none_or(|keys| keys.iter().any(|key| key == name));
    let wanted = entries.into_iter().filter(|(name, _)| is_wanted(name));
    DescribedConfigs {
        error,
        error_message,
        kind: resource.kind,
        name: resource.name.clone(),
        entries: wanted
            .map(|(name, value)| ConfigEntry {
                name: name.to_owned(),
                value: Some(value),
            })
            .collect(),
    }
}

fn entries(state: &State, node: i32, resource: &ConfigResource) -> Result<Entries, Refusal> {
    let name = resource.name.as_str();
    match resource.kind {
        ConfigResource::TOPIC => match state.topics.get(name) {
            Some(topic) if topic.denied.describe_configs => {
                Err((Code::TOPIC_AUTHORIZATION_FAILED, None))
            }
            Some(topic) => Ok(of_topic(topic)),
            None if is_legal(name) => Err((Code::UNKNOWN_TOPIC_OR_PARTITION, None)),
            None => Err((Code::INVALID_TOPIC_EXCEPTION, None)),
        },
        ConfigResource::BROKER if name == node.to_string() => Ok(of_broker(state)),
        ConfigResource::BROKER => {
            let said = format!(
                "Unexpected broker id, expected {node} or empty string, but received {name}"
            );
            Err((Code::INVALID_REQUEST, Some(said)))
        }
        _ => Err((Code::INVALID_REQUEST, None)),
    }
}

fn of_topic(topic: &Topic) -> Entries {
    let choose = |is_first, first: &str, other: &str| match is_first {
        true => first.to_owned(),
        false => other.to_owned(),
    };
    let cleanup = choose(topic.is_compacted, "compact", "delete");
    let clock = choose(topic.has_log_append_time, "LogAppendTime", "CreateTime");
    let ms = |limit: std::time::Duration| {
        i64::try_from(limit.as_millis())
            .unwrap_or(i64::MAX)
            .to_string()
    };
    vec![
        ("cleanup.policy", cleanup),
        ("compression.type", "producer".into()),
        ("max.message.bytes", topic.max_message_bytes.to_string()),
        ("message.timestamp.after.max.ms", ms(topic.timestamps.after)),
        (
            "message.timestamp.before.max.ms",
            ms(topic.timestamps.before),
        ),
        ("message.timestamp.type", clock),
        ("min.insync.replicas", topic.min_isr.to_string()),
    ]
}

fn of_broker(state: &State) -> Entries {
    let creates = state.settings.auto_create;
    let mut entries = vec![("auto.create.topics.enable", creates.is_some().to_string())];
    entries.extend(creates.map(|partitions| ("num.partitions", partitions.to_string())));
    entries
}
