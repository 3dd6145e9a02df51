//! Produce: the checks of a broker, in its order.

use super::check::{AppendRules, Refusal};
use super::facts::MockRequest;
use super::faults::{Effect, Script};
use super::handlers::{Reply, answer};
use super::log::Appended;
use super::state::State;
use crate::compress::Compression;
use crate::wire::TopicId;
use crate::wire::codes::Code;
use crate::wire::produce::{
    LeaderAndEpoch, NodeEndpoint, ProducePartition, ProducePartitionResponse, ProduceRequest,
    ProduceResponse, ProduceTopic, ProduceTopicResponse,
};
use crate::wire::record_batch::{
    ATTRIBUTES_AT, Batch, BatchHeader, CODEC_MASK, CRC_AT, HEADER_LEN, LENGTH_AT, MAGIC, MAGIC_AT,
    TRANSACTIONAL, read_batches,
};

/// The first version whose answers name the new leader (KIP-951).
const NAMES_LEADER: i16 = 10;
/// The first version that may carry zstd.
const ALLOWS_ZSTD: i16 = 7;
/// The bytes in front of what the length of a batch counts.
const BATCH_OVERHEAD: usize = LENGTH_AT + 4;
/// The smallest length, that of a message of Kafka 0.7.
const BATCH_LEN_MIN: i32 = 14;

/// Handles a request by the script and by the rules of a broker.
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
        refusal: refusal_of_all(produce),
        endpoints: Vec::new(),
    };
    let topics: Vec<_> = produce
        .topics
        .iter()
        .map(|topic| appends.topic(topic))
        .collect();
    let response = ProduceResponse {
        node_endpoints: appends.endpoints,
        topics,
        throttle_time_ms: script.plan.throttle_ms,
    };
    respond(request, produce.acks, &response)
}

/// The answer that refuses all batches of a request for the same reason.
pub(super) fn refuse(request: &MockRequest, produce: &ProduceRequest, code: Code) -> Reply {
    let refused = |sent: &ProducePartition| ProducePartitionResponse {
        index: sent.index,
        ..Refusal::of(code).told_why().response()
    };
    let topics = produce.topics.iter().map(|topic| ProduceTopicResponse {
        name: topic.name.clone(),
        id: topic.id,
        partitions: topic.partitions.iter().map(refused).collect(),
    });
    let response = ProduceResponse {
        topics: topics.collect(),
        ..ProduceResponse::default()
    };
    respond(request, produce.acks, &response)
}

/// With `acks=0` there is no answer; if something was refused, the broker hangs up, so that the
/// client looks for leaders again.
fn respond(request: &MockRequest, acks: i16, response: &ProduceResponse) -> Reply {
    if acks != 0 {
        return answer::<ProduceRequest>(request, response);
    }
    let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    if partitions.any(|partition| !partition.error.is_ok()) {
        Reply::Close
    } else {
        Reply::Nothing
    }
}

/// Why a whole request is refused before its partitions are looked at.
fn refusal_of_all(produce: &ProduceRequest) -> Option<Refusal> {
    let partitions = produce.topics.iter().flat_map(|topic| &topic.partitions);
    let mut is_transactional = false;
    for sent in partitions {
        match next_batch(sent.records.as_deref().unwrap_or_default()) {
            Some(Err(code)) => return Some(Refusal::of(code).told_why()),
            Some(Ok(bytes)) => {
                let header = BatchHeader::read(bytes);
                is_transactional |=
                    header.is_ok_and(|header| header.attributes & TRANSACTIONAL != 0);
            }
            None => {}
        }
    }
    let is_anonymous = is_transactional && produce.transactional_id.is_none();
    is_anonymous.then(|| Refusal::of(Code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
}

struct Appends<'a> {
    state: &'a mut State,
    request: &'a MockRequest,
    script: &'a Script,
    acks: i16,
    /// Of all batches of the request.
    refusal: Option<Refusal>,
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
        let appended = match (instead, &self.refusal, topic) {
            (Some(code), ..) => Err(Refusal::of(code)),
            (None, Some(refusal), _) => Err(refusal.clone()),
            (None, None, None) => Err(Refusal::of(Code::UNKNOWN_TOPIC_ID)),
            (None, None, Some(topic)) => self.append(topic, sent),
        };
        let result = match after {
            Some(code) => Err(Refusal::of(code)),
            None => appended,
        };
        let mut response = match &result {
            Ok(appended) => ProducePartitionResponse {
                base_offset: appended.base_offset,
                log_append_time_ms: appended.append_time_ms.unwrap_or(-1),
                log_start_offset: 0,
                ..ProducePartitionResponse::default()
            },
            Err(refusal) => refusal.response(),
        };
        response.index = sent.index;
        let is_misled =
            instead.or(after).is_none() && response.error == Code::NOT_LEADER_OR_FOLLOWER;
        if is_misled && self.request.version >= NAMES_LEADER {
            response.current_leader = self.leader(name, sent.index);
        }
        response
    }

    fn effect(&self, topic: &str, partition: i32, is_handled_first: bool) -> Option<Code> {
        let effect = self.script.effect(topic, partition, is_handled_first);
        effect.and_then(Effect::error).map(Code)
    }

    /// Topic, number of batches, transaction, acks, leader, in-sync replicas; then what the log
    /// checks itself.
    fn append(&mut self, topic: &str, sent: &ProducePartition) -> Result<Appended, Refusal> {
        let node = self.request.node;
        let (first_sequence, forgets_records) = {
            let settings = &self.state.settings;
            (settings.first_sequence, settings.forgets_records)
        };
        let topic = self.state.topics.get_mut(topic);
        let topic = topic.ok_or(Code::UNKNOWN_TOPIC_OR_PARTITION)?;
        if topic.denied.write {
            return Err(Code::TOPIC_AUTHORIZATION_FAILED.into());
        }
        let partition = usize::try_from(sent.index)
            .ok()
            .and_then(|index| topic.partitions.get_mut(index))
            .ok_or(Code::UNKNOWN_TOPIC_OR_PARTITION)?;
        let records = sent.records.as_deref().unwrap_or_default();
        let batch = only_batch(records, self.request.version)?;
        if batch.header.attributes & TRANSACTIONAL != 0 {
            // There is no request here that begins a transaction.
            return Err(Refusal::of(Code::INVALID_TXN_STATE).told_why());
        }
        if !(-1..=1).contains(&self.acks) {
            return Err(Code::INVALID_REQUIRED_ACKS.into());
        }
        if partition.leader != node {
            return Err(Code::NOT_LEADER_OR_FOLLOWER.into());
        }
        let wanted = topic.min_isr.min(partition.replicas.len());
        if self.acks == -1 && partition.isr.len() < wanted {
            return Err(Refusal::by_log(Code::NOT_ENOUGH_REPLICAS));
        }
        let rules = AppendRules {
            first_sequence,
            forgets_records,
            now_ms: crate::time::wall_clock_ms(),
            has_log_append_time: topic.has_log_append_time,
            bytes_max: topic.max_message_bytes,
            is_compacted: topic.is_compacted,
            timestamps: topic.timestamps,
        };
        partition.log.append(&batch, &rules)
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
fn only_batch(records: &[u8], version: i16) -> Result<Batch<'_>, Refusal> {
    let Some(first) = next_batch(records).transpose()? else {
        return Err(Code::INVALID_RECORD.into());
    };
    if first.get(MAGIC_AT) != Some(&(MAGIC as u8)) {
        return Err(Code::INVALID_RECORD.into());
    }
    let Some(Ok(batch)) = read_batches(first).next() else {
        return Err(unreadable(first));
    };
    if version < ALLOWS_ZSTD {
        match Compression::from_id(batch.header.attributes & CODEC_MASK) {
            Some(Compression::Zstd) => return Err(Code::UNSUPPORTED_COMPRESSION_TYPE.into()),
            Some(_) => {}
            // To ask for zstd, a broker asks which codec this is: the log is not reached.
            None => return Err(Code::UNKNOWN_SERVER_ERROR.into()),
        }
    }
    match next_batch(&records[first.len()..]) {
        Some(Ok(_)) => Err(Code::INVALID_RECORD.into()),
        Some(Err(code)) => Err(code.into()),
        None => Ok(batch),
    }
}

/// A batch whose header makes no sense, or is not there: a broker looks at the CRC first.
fn unreadable(batch: &[u8]) -> Refusal {
    let crc = batch.get(CRC_AT..ATTRIBUTES_AT);
    let crc = crc.and_then(|crc| Some(u32::from_be_bytes(crc.try_into().ok()?)));
    let checked = batch.get(ATTRIBUTES_AT..).unwrap_or_default();
    if batch.len() >= HEADER_LEN && crc == Some(crc32c::crc32c(checked)) {
        Refusal::by_log(Code::INVALID_RECORD)
    } else {
        Code::CORRUPT_MESSAGE.into()
    }
}

/// Cuts the first batch off by the length that it says, as a broker does it: what is too short for
/// a batch is none, whatever it is, and only lengths and magics that cannot be are errors.
fn next_batch(bytes: &[u8]) -> Option<Result<&[u8], Code>> {
    let len = bytes.get(LENGTH_AT..BATCH_OVERHEAD)?;
    let len = i32::from_be_bytes(len.try_into().ok()?);
    if len < BATCH_LEN_MIN {
        return Some(Err(Code::CORRUPT_MESSAGE));
    }
    if *bytes.get(MAGIC_AT)? > MAGIC as u8 {
        return Some(Err(Code::CORRUPT_MESSAGE));
    }
    let len = usize::try_from(len).ok()?;
    bytes.get(..BATCH_OVERHEAD + len).map(Ok)
}
