//! Produce: the checks of a broker, in its order.

use super::facts::MockRequest;
use super::faults::{Effect, Script};
use super::handlers::{Reply, answer};
use super::log::{AppendRules, Appended};
use super::state::State;
use crate::wire::TopicId;
use crate::wire::codes::Code;
use crate::wire::produce::{
    LeaderAndEpoch, NodeEndpoint, ProducePartition, ProducePartitionResponse, ProduceRequest,
    ProduceResponse, ProduceTopic, ProduceTopicResponse,
};
use crate::wire::record_batch::{Batch, CODEC_MASK, MAGIC, MAGIC_AT, read_batches};

/// The first version whose answers name the new leader (KIP-951).
const NAMES_LEADER: i16 = 10;
/// The first version that may carry zstd, and the number of that codec.
const ALLOWS_ZSTD: i16 = 7;
const ZSTD: i16 = 4;

pub(super) fn handle(
    state: &mut State,
    request: &MockRequest,
    produce: &ProduceRequest,
    script: &Script,
) -> Reply {
    let mut appends = Appends {
        state,
        request,
        script,
        acks: produce.acks,
        endpoints: Vec::new(),
    };
    let topics: Vec<_> = produce
        .topics
        .iter()
        .map(|topic| appends.topic(topic))
        .collect();
    let node_endpoints = appends.endpoints;
    if produce.acks == 0 {
        let mut partitions = topics.iter().flat_map(|topic| &topic.partitions);
        let is_refused = partitions.any(|partition| !partition.error.is_ok());
        // The only way to tell the client: it looks for leaders again when it connects.
        return if is_refused {
            Reply::Close
        } else {
            Reply::Nothing
        };
    }
    let response = ProduceResponse {
        topics,
        throttle_time_ms: script.plan.throttle_ms,
        node_endpoints,
    };
    answer::<ProduceRequest>(request, &response)
}

struct Appends<'a> {
    state: &'a mut State,
    request: &'a MockRequest,
    script: &'a Script,
    acks: i16,
    endpoints: Vec<NodeEndpoint>,
}

impl Appends<'_> {
    fn topic(&mut self, topic: &ProduceTopic) -> ProduceTopicResponse {
        let has_ids = self.request.version >= ProduceRequest::TOPIC_IDS;
        let name = if has_ids {
            self.state.topic_name(&topic.id).map(str::to_owned)
        } else {
            Some(topic.name.clone())
        };
        let partitions = topic.partitions.iter();
        ProduceTopicResponse {
            name: topic.name.clone(),
            id: if has_ids {
                topic.id
            } else {
                TopicId::default()
            },
            partitions: partitions
                .map(|partition| self.partition(name.as_deref(), partition))
                .collect(),
        }
    }

    fn partition(
        &mut self,
        topic: Option<&str>,
        sent: &ProducePartition,
    ) -> ProducePartitionResponse {
        let name = topic.unwrap_or_default();
        let instead = self.effect(name, sent.index, false);
        let after = self.effect(name, sent.index, true);
        let appended = match (instead, topic) {
            (Some(code), _) => Err(code),
            (None, None) => Err(Code::UNKNOWN_TOPIC_ID),
            (None, Some(topic)) => self.append(topic, sent),
        };
        let result = match after {
            Some(code) => Err(code),
            None => appended,
        };
        let is_misled = instead.or(after).is_none() && result == Err(Code::NOT_LEADER_OR_FOLLOWER);
        let mut response = ProducePartitionResponse {
            index: sent.index,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            ..ProducePartitionResponse::default()
        };
        match result {
            Ok(appended) => {
                response.base_offset = appended.base_offset;
                response.log_append_time_ms = appended.append_time_ms.unwrap_or(-1);
                response.log_start_offset = 0;
            }
            Err(code) => response.error = code,
        }
        if is_misled && self.request.version >= NAMES_LEADER {
            response.current_leader = self.leader(name, sent.index);
        }
        response
    }

    fn effect(&self, topic: &str, partition: i32, is_handled_first: bool) -> Option<Code> {
        let effect = self.script.effect(topic, partition, is_handled_first);
        effect.and_then(Effect::error).map(Code)
    }

    /// Topic, form of the request, leader, in-sync replicas, size, CRC; then the log's own checks.
    fn append(&mut self, topic: &str, sent: &ProducePartition) -> Result<Appended, Code> {
        let node = self.request.node;
        let settings = &self.state.settings;
        let mut rules = AppendRules {
            first_sequence: settings.first_sequence,
            append_time_ms: None,
            forgets_records: settings.forgets_records,
        };
        let topic = self.state.topics.get_mut(topic);
        let topic = topic.ok_or(Code::UNKNOWN_TOPIC_OR_PARTITION)?;
        let partition = usize::try_from(sent.index)
            .ok()
            .and_then(|index| topic.partitions.get_mut(index))
            .ok_or(Code::UNKNOWN_TOPIC_OR_PARTITION)?;
        let records = sent.records.as_deref().unwrap_or_default();
        let batch = only_batch(records, self.request.version)?;
        if !(-1..=1).contains(&self.acks) {
            return Err(Code::INVALID_REQUIRED_ACKS);
        }
        if partition.leader != node {
            return Err(Code::NOT_LEADER_OR_FOLLOWER);
        }
        if self.acks == -1 && partition.isr.len() < topic.min_isr {
            return Err(Code::NOT_ENOUGH_REPLICAS);
        }
        if batch.bytes.len() > topic.max_message_bytes {
            return Err(Code::MESSAGE_TOO_LARGE);
        }
        if !batch.check_crc() {
            return Err(Code::CORRUPT_MESSAGE);
        }
        rules.append_time_ms = topic.has_log_append_time.then(crate::time::wall_clock_ms);
        partition.log.append(&batch, rules)
    }

    /// The leader of a partition, whose address goes into the answer too.
    fn leader(&mut self, topic: &str, partition: i32) -> Option<LeaderAndEpoch> {
        let partition = self.state.partition_mut(topic, partition)?;
        let leader = LeaderAndEpoch {
            leader_id: partition.leader,
            leader_epoch: partition.leader_epoch,
        };
        let node = self.state.node(leader.leader_id)?;
        if !self.endpoints.iter().any(|known| known.node_id == node.id) {
            let (host, port) = node.told_address();
            self.endpoints.push(NodeEndpoint {
                node_id: node.id,
                host,
                port,
                rack: None,
            });
        }
        Some(leader)
    }
}

/// The batch of a partition, of which there must be exactly one.
fn only_batch(records: &[u8], version: i16) -> Result<Batch<'_>, Code> {
    let has_magic = records.get(MAGIC_AT) == Some(&(MAGIC as u8));
    if !has_magic {
        return Err(Code::INVALID_RECORD);
    }
    let mut batches = read_batches(records);
    let batch = match batches.next() {
        Some(Ok(batch)) => batch,
        Some(Err(_)) | None => return Err(Code::CORRUPT_MESSAGE),
    };
    if batches.next().is_some() {
        return Err(Code::INVALID_RECORD);
    }
    if version < ALLOWS_ZSTD && batch.header.attributes & CODEC_MASK == ZSTD {
        return Err(Code::UNSUPPORTED_COMPRESSION_TYPE);
    }
    Ok(batch)
}
