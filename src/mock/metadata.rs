//! What metadata answers show: the present, or what it was when the test froze it, less what a
//! script takes away.

use super::facts::MockRequest;
use super::faults::{Effect, Script};
use super::handlers::{Reply, answer};
use super::permissions;
use super::state::{Partition, State, Topic, View};
use crate::wire::TopicId;
use crate::wire::codes::Code;
use crate::wire::metadata::{MetadataPartition, MetadataRequest, MetadataResponse, MetadataTopic};

/// The longest name of a topic.
const TOPIC_NAME_LEN_MAX: usize = 249;

pub(super) fn handle(
    state: &mut State,
    request: &MockRequest,
    metadata: &MetadataRequest,
    script: &Script,
) -> Reply {
    let present = state.view();
    create_missing(state, metadata, script);
    let view = state.frozen_view.as_ref().unwrap_or(&present);
    let names = asked_for(view, metadata);
    let topics = names.iter().map(|name| {
        let mut topic = topic(view, name, script);
        topic.operations = topic.operations.filter(|_| metadata.include_operations);
        topic
    });
    let whole = script.effect_on_whole().and_then(Effect::error);
    let response = MetadataResponse {
        throttle_time_ms: script.plan.throttle_ms,
        brokers: view.brokers.clone(),
        cluster_id: Some(state.settings.cluster_id.clone()),
        controller_id: view.brokers.first().map_or(-1, |broker| broker.node_id),
        topics: topics.collect(),
        operations: metadata
            .include_operations
            .then(|| permissions::of_cluster(state.settings.denies_idempotent_write)),
        error: whole.map_or(Code::NONE, Code),
    };
    answer::<MetadataRequest>(request, &response)
}

/// The topics to show: each once, those that are not there last.
fn asked_for<'a>(view: &'a View, metadata: &'a MetadataRequest) -> Vec<&'a str> {
    let Some(names) = &metadata.topics else {
        return view.topics.keys().map(String::as_str).collect();
    };
    let mut shown: Vec<&str> = Vec::new();
    for name in names {
        if !shown.contains(&name.as_str()) {
            shown.push(name);
        }
    }
    shown.sort_by_key(|name| !view.topics.contains_key(*name));
    shown
}

/// Creates topics that are asked for, if the client and the cluster allow it, and if no script says
/// that they are not there. As at a real broker, only the next answer shows them.
fn create_missing(state: &mut State, metadata: &MetadataRequest, script: &Script) {
    let (Some(names), Some(partitions), true, None) = (
        &metadata.topics,
        state.settings.auto_create,
        metadata.allow_auto_topic_creation,
        &state.frozen_view,
    ) else {
        return;
    };
    for name in names {
        if is_legal(name) && script.effect_on_topic(name).is_none() {
            state.create_topic(name, partitions);
        }
    }
}

fn topic(view: &View, name: &str, script: &Script) -> MetadataTopic {
    let known = view.topics.get(name);
    let effect = script.effect_on_topic(name);
    let error = match (effect, known) {
        (Some(Effect::Error(code)), _) => Code(code),
        (_, None) if !is_legal(name) => Code::INVALID_TOPIC_EXCEPTION,
        (_, None) => Code::UNKNOWN_TOPIC_OR_PARTITION,
        (_, Some(_)) => Code::NONE,
    };
    let shows_partitions = error.is_ok() && effect.is_none();
    let shown = known.filter(|_| shows_partitions);
    MetadataTopic {
        error,
        name: Some(name.to_owned()),
        id: known
            .filter(|_| error.is_ok())
            .map_or(TopicId::default(), |topic| topic.id),
        is_internal: false,
        partitions: shown.map_or_else(Vec::new, |topic| partitions(view, name, topic, script)),
        operations: shown.map(permissions::of_topic),
    }
}

fn partitions(
    view: &View,
    name: &str,
    topic: &Topic<()>,
    script: &Script,
) -> Vec<MetadataPartition> {
    let partitions = (0..).zip(&topic.partitions);
    partitions
        .map(|(index, known)| {
            let scripted = script
                .effect(name, index, false)
                .or_else(|| script.effect(name, index, true))
                .and_then(Effect::error);
            partition(view, index, known, scripted)
        })
        .collect()
}

/// A partition whose leader is down has none, until it starts again or the test moves the leader.
fn partition(
    view: &View,
    index: i32,
    known: &Partition<()>,
    scripted: Option<i16>,
) -> MetadataPartition {
    let is_up = |id: &i32| view.brokers.iter().any(|broker| broker.node_id == *id);
    let error = match scripted {
        Some(code) => Code(code),
        None if is_up(&known.leader) => Code::NONE,
        None => Code::LEADER_NOT_AVAILABLE,
    };
    let has_leader = scripted.is_none() && error.is_ok();
    let (up, down): (Vec<i32>, Vec<i32>) = known.replicas.iter().partition(|id| is_up(id));
    MetadataPartition {
        error,
        index,
        leader_id: if has_leader { known.leader } else { -1 },
        leader_epoch: if has_leader { known.leader_epoch } else { -1 },
        isr: known
            .isr
            .iter()
            .copied()
            .filter(|id| up.contains(id))
            .collect(),
        replicas: known.replicas.clone(),
        offline: down,
    }
}

/// Whether Kafka allows a topic of this name.
pub(super) fn is_legal(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=TOPIC_NAME_LEN_MAX).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.bytes().all(is_allowed)
}
