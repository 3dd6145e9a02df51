//! The request, with its record batches.

use std::ops::RangeInclusive;

use super::response::ProduceResponse;
use crate::wire::{Malformed, Message, Put, Reader, Request, TopicId};

/// Appends batches to partitions. This form owns its bytes; a client that has its batches elsewhere
/// writes them between the pieces of a [`Framing`](super::framing::Framing).
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct ProduceRequest {
    pub(crate) transactional_id: Option<String>,
    /// 0 for no answer at all, 1 for the leader, -1 for all replicas that are in sync.
    pub(crate) acks: i16,
    /// How long the broker may wait for the other replicas.
    pub(crate) timeout_ms: i32,
    pub(crate) topics: Vec<ProduceTopic>,
}

/// Batches for one topic: up to version 12 by its name, from version 13 by its id (KIP-516).
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct ProduceTopic {
    pub(crate) name: String,
    pub(crate) id: TopicId,
    pub(crate) partitions: Vec<ProducePartition>,
}

/// The batch for one partition.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct ProducePartition {
    pub(crate) index: i32,
    pub(crate) records: Option<Vec<u8>>,
}

impl ProduceRequest {
    /// The first version that names topics by id.
    pub(crate) const TOPIC_IDS: i16 = 13;
}

impl Request for ProduceRequest {
    const KEY: i16 = 0;
    const NAME: &'static str = "Produce";
    /// Brokers that announce less than version 3 refuse it (KAFKA-18659).
    const VERSIONS: RangeInclusive<i16> = 3..=13;
    const FLEXIBLE: i16 = 9;
    type Response = ProduceResponse;
}

impl Message for ProduceRequest {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= Self::FLEXIBLE;
        put_head(
            out,
            version,
            self.transactional_id.as_deref(),
            self.acks,
            self.timeout_ms,
        );
        out.put_array(&self.topics, flexible, |out, topic| {
            put_topic(out, version, &topic.name, &topic.id);
            out.put_array(&topic.partitions, flexible, |out, partition| {
                out.put_i32(partition.index);
                match &partition.records {
                    Some(records) => out.put_bytes(records, flexible),
                    None => out.put_null_len(flexible),
                }
                out.put_no_tagged_fields(flexible);
            });
            out.put_no_tagged_fields(flexible);
        });
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= Self::FLEXIBLE;
        let request = Self {
            transactional_id: input.nullable_string(flexible)?.map(str::to_owned),
            acks: input.i16()?,
            timeout_ms: input.i32()?,
            topics: input.array(flexible, |input| ProduceTopic::decode(input, version))?,
        };
        input.skip_tagged_fields(flexible)?;
        Ok(request)
    }
}

impl ProduceTopic {
    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= ProduceRequest::FLEXIBLE;
        let (name, id) = decode_topic(input, version)?;
        let partitions = input.array(flexible, |input| {
            let partition = ProducePartition {
                index: input.i32()?,
                records: input.nullable_bytes(flexible)?.map(<[u8]>::to_vec),
            };
            input.skip_tagged_fields(flexible)?;
            Ok(partition)
        })?;
        input.skip_tagged_fields(flexible)?;
        Ok(Self {
            name: name.to_owned(),
            id,
            partitions,
        })
    }
}

/// What comes before the topics.
pub(super) fn put_head(
    out: &mut Vec<u8>,
    version: i16,
    transactional_id: Option<&str>,
    acks: i16,
    timeout_ms: i32,
) {
    out.put_nullable_string(transactional_id, version >= ProduceRequest::FLEXIBLE);
    out.put_i16(acks);
    out.put_i32(timeout_ms);
}

/// The name or the id of a topic, in a request or a response.
pub(super) fn put_topic(out: &mut Vec<u8>, version: i16, name: &str, id: &TopicId) {
    if version >= ProduceRequest::TOPIC_IDS {
        out.put_uuid(id);
    } else {
        out.put_string(name, version >= ProduceRequest::FLEXIBLE);
    }
}

/// The name or the id of a topic, in a request or a response.
pub(crate) fn decode_topic<'a>(
    input: &mut Reader<'a>,
    version: i16,
) -> Result<(&'a str, TopicId), Malformed> {
    if version >= ProduceRequest::TOPIC_IDS {
        Ok(("", input.uuid()?))
    } else {
        let name = input.string(version >= ProduceRequest::FLEXIBLE)?;
        Ok((name, TopicId::default()))
    }
}
