//! The response: what became of each batch.

use super::request::{ProduceRequest, decode_topic, put_topic};
use crate::wire::codes::Code;
use crate::wire::{Malformed, Message, Put, Reader, Request, TopicId};

/// What became of the batches of a request.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct ProduceResponse {
    pub(crate) topics: Vec<ProduceTopicResponse>,
    pub(crate) throttle_time_ms: i32,
    /// Where the leaders are that `current_leader` names, from version 10 (KIP-951).
    pub(crate) node_endpoints: Vec<NodeEndpoint>,
}

/// What became of the batches for one topic, which has the name or the id of the request.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct ProduceTopicResponse {
    pub(crate) name: String,
    pub(crate) id: TopicId,
    pub(crate) partitions: Vec<ProducePartitionResponse>,
}

/// What became of the batch for one partition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProducePartitionResponse {
    pub(crate) index: i32,
    pub(crate) error: Code,
    /// The offset of the first record; -1 where it is not known.
    pub(crate) base_offset: i64,
    /// -1 unless the topic uses the broker's time.
    pub(crate) log_append_time_ms: i64,
    /// -1 where it is not known.
    pub(crate) log_start_offset: i64,
    /// The records that made the broker refuse the whole batch, from version 8 (KIP-467).
    pub(crate) record_errors: Vec<RecordError>,
    pub(crate) error_message: Option<String>,
    /// The leader, if the broker that answered is not it and knows better, from version 10.
    pub(crate) current_leader: Option<LeaderAndEpoch>,
}

/// A record that the broker refused: its place in the batch, and why.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct RecordError {
    pub(crate) batch_index: i32,
    pub(crate) message: Option<String>,
}

/// A leader and its epoch; -1 for what is not known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LeaderAndEpoch {
    pub(crate) leader_id: i32,
    pub(crate) leader_epoch: i32,
}

/// A broker's address.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct NodeEndpoint {
    pub(crate) node_id: i32,
    pub(crate) host: String,
    pub(crate) port: i32,
    pub(crate) rack: Option<String>,
}

/// The first version that tells who leads a partition.
const LEADER_HINTS: i16 = 10;
/// The first version that tells which records were refused.
const RECORD_ERRORS: i16 = 8;

impl Message for ProduceResponse {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= ProduceRequest::FLEXIBLE;
        out.put_array(&self.topics, flexible, |out, topic| {
            put_topic(out, version, &topic.name, &topic.id);
            out.put_array(&topic.partitions, flexible, |out, partition| {
                partition.encode(out, version);
            });
            out.put_no_tagged_fields(flexible);
        });
        out.put_i32(self.throttle_time_ms);
        if version >= LEADER_HINTS && !self.node_endpoints.is_empty() {
            let mut endpoints = Vec::new();
            endpoints.put_array(&self.node_endpoints, true, NodeEndpoint::encode);
            out.put_tagged_fields(&[(0, endpoints)]);
        } else {
            out.put_no_tagged_fields(flexible);
        }
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= ProduceRequest::FLEXIBLE;
        let mut response = Self {
            topics: input.array(flexible, |input| {
                ProduceTopicResponse::decode(input, version)
            })?,
            throttle_time_ms: input.i32()?,
            node_endpoints: Vec::new(),
        };
        input.tagged_fields(flexible, |tag, field| {
            if version >= LEADER_HINTS && tag == 0 {
                response.node_endpoints = field.array(true, NodeEndpoint::decode)?;
            } else {
                field.rest();
            }
            Ok(())
        })?;
        Ok(response)
    }
}

impl ProduceTopicResponse {
    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= ProduceRequest::FLEXIBLE;
        let (name, id) = decode_topic(input, version)?;
        let partitions = input.array(flexible, |input| {
            ProducePartitionResponse::decode(input, version)
        })?;
        input.skip_tagged_fields(flexible)?;
        Ok(Self {
            name: name.to_owned(),
            id,
            partitions,
        })
    }
}

impl ProducePartitionResponse {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= ProduceRequest::FLEXIBLE;
        out.put_i32(self.index);
        out.put_i16(self.error.0);
        out.put_i64(self.base_offset);
        out.put_i64(self.log_append_time_ms);
        if version >= 5 {
            out.put_i64(self.log_start_offset);
        }
        if version >= RECORD_ERRORS {
            out.put_array(&self.record_errors, flexible, |out, error| {
                out.put_i32(error.batch_index);
                out.put_nullable_string(error.message.as_deref(), flexible);
                out.put_no_tagged_fields(flexible);
            });
            out.put_nullable_string(self.error_message.as_deref(), flexible);
        }
        match &self.current_leader {
            Some(leader) if version >= LEADER_HINTS => {
                out.put_tagged_fields(&[(0, leader.to_bytes())]);
            }
            _ => out.put_no_tagged_fields(flexible),
        }
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= ProduceRequest::FLEXIBLE;
        let mut partition = Self {
            index: input.i32()?,
            error: Code(input.i16()?),
            base_offset: input.i64()?,
            log_append_time_ms: input.i64()?,
            ..Self::default()
        };
        if version >= 5 {
            partition.log_start_offset = input.i64()?;
        }
        if version >= RECORD_ERRORS {
            partition.record_errors =
                input.array(flexible, |input| RecordError::decode(input, flexible))?;
            partition.error_message = input.nullable_string(flexible)?.map(str::to_owned);
        }
        input.tagged_fields(flexible, |tag, field| {
            if version >= LEADER_HINTS && tag == 0 {
                partition.current_leader = Some(LeaderAndEpoch::decode(field)?);
            } else {
                field.rest();
            }
            Ok(())
        })?;
        Ok(partition)
    }
}

impl Default for ProducePartitionResponse {
    fn default() -> Self {
        Self {
            index: 0,
            error: Code::NONE,
            base_offset: 0,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: None,
        }
    }
}

impl RecordError {
    fn decode(input: &mut Reader<'_>, flexible: bool) -> Result<Self, Malformed> {
        let error = Self {
            batch_index: input.i32()?,
            message: input.nullable_string(flexible)?.map(str::to_owned),
        };
        input.skip_tagged_fields(flexible)?;
        Ok(error)
    }
}

impl LeaderAndEpoch {
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i32(self.leader_id);
        out.put_i32(self.leader_epoch);
        out.put_no_tagged_fields(true);
        out
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let leader = Self {
            leader_id: input.i32()?,
            leader_epoch: input.i32()?,
        };
        input.skip_tagged_fields(true)?;
        Ok(leader)
    }
}

impl Default for LeaderAndEpoch {
    fn default() -> Self {
        Self {
            leader_id: -1,
            leader_epoch: -1,
        }
    }
}

impl NodeEndpoint {
    fn encode(out: &mut Vec<u8>, endpoint: &Self) {
        out.put_i32(endpoint.node_id);
        out.put_string(&endpoint.host, true);
        out.put_i32(endpoint.port);
        out.put_nullable_string(endpoint.rack.as_deref(), true);
        out.put_no_tagged_fields(true);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let endpoint = Self {
            node_id: input.i32()?,
            host: input.string(true)?.to_owned(),
            port: input.i32()?,
            rack: input.nullable_string(true)?.map(str::to_owned),
        };
        input.skip_tagged_fields(true)?;
        Ok(endpoint)
    }
}
