//! Metadata: the brokers of the cluster, its topics, and who leads their partitions.

use std::ops::RangeInclusive;

use super::codes::Code;
use super::{Malformed, Message, Put, Reader, Request, TopicId};

/// Asks for the brokers and for some topics.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct MetadataRequest {
    /// None for all topics; an empty list for none.
    pub(crate) topics: Option<Vec<String>>,
    pub(crate) allow_auto_topic_creation: bool,
    /// Whether to say what the client may do, with the topics and, in versions 8 to 10, with the
    /// cluster (KIP-430).
    pub(crate) include_operations: bool,
}

/// The cluster, as the broker that answered knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MetadataResponse {
    pub(crate) throttle_time_ms: i32,
    pub(crate) brokers: Vec<MetadataBroker>,
    pub(crate) cluster_id: Option<String>,
    /// -1 where it is not known.
    pub(crate) controller_id: i32,
    pub(crate) topics: Vec<MetadataTopic>,
    /// What the client may do with the cluster.
    pub(crate) operations: Option<Operations>,
    /// What is wrong with the request as a whole, from version 13: `REBOOTSTRAP_REQUIRED`
    /// (KIP-1102).
    pub(crate) error: Code,
}

/// A broker and the address that clients reach it at.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct MetadataBroker {
    pub(crate) node_id: i32,
    pub(crate) host: String,
    pub(crate) port: i32,
    pub(crate) rack: Option<String>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct MetadataTopic {
    pub(crate) error: Code,
    /// None for an id that the broker does not know, from version 12.
    pub(crate) name: Option<String>,
    /// All zero where it is not known.
    pub(crate) id: TopicId,
    pub(crate) is_internal: bool,
    pub(crate) partitions: Vec<MetadataPartition>,
    /// What the client may do with the topic.
    pub(crate) operations: Option<Operations>,
}

/// What ACLs let the client do: a bit for each operation, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operations(pub(crate) i32);

/// A partition and the brokers that hold it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MetadataPartition {
    pub(crate) error: Code,
    pub(crate) index: i32,
    /// -1 where there is none.
    pub(crate) leader_id: i32,
    /// -1 where it is not known.
    pub(crate) leader_epoch: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
    pub(crate) offline: Vec<i32>,
}

impl Operations {
    pub(crate) const WRITE: u32 = 4;
    pub(crate) const IDEMPOTENT_WRITE: u32 = 12;
    /// Of a broker that was not asked.
    const UNKNOWN: i32 = i32::MIN;

    /// Whether the operation of this number is one of them.
    pub(crate) fn has(self, operation: u32) -> bool {
        self.0 & (1 << operation) != 0
    }

    fn encode(known: Option<Self>, out: &mut Vec<u8>) {
        out.put_i32(known.map_or(Self::UNKNOWN, |operations| operations.0));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        let operations = input.i32()?;
        Ok((operations != Self::UNKNOWN).then_some(Self(operations)))
    }
}

impl Request for MetadataRequest {
    const KEY: i16 = 3;
    const NAME: &'static str = "Metadata";
    const VERSIONS: RangeInclusive<i16> = 4..=13;
    const FLEXIBLE: i16 = 9;
    type Response = MetadataResponse;
}

impl Message for MetadataRequest {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= Self::FLEXIBLE;
        match &self.topics {
            None => out.put_null_len(flexible),
            Some(topics) => out.put_array(topics, flexible, |out, name| {
                if version >= 10 {
                    out.put_uuid(&TopicId::default());
                }
                out.put_string(name, flexible);
                out.put_no_tagged_fields(flexible);
            }),
        }
        out.put_bool(self.allow_auto_topic_creation);
        if has_cluster_operations(version) {
            out.put_bool(self.include_operations);
        }
        if version >= 8 {
            out.put_bool(self.include_operations);
        }
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= Self::FLEXIBLE;
        let mut request = Self {
            topics: input.nullable_array(flexible, |input| {
                if version >= 10 {
                    input.uuid()?;
                }
                let name = input.string(flexible)?.to_owned();
                input.skip_tagged_fields(flexible)?;
                Ok(name)
            })?,
            allow_auto_topic_creation: input.bool()?,
            include_operations: false,
        };
        if has_cluster_operations(version) {
            input.bool()?;
        }
        if version >= 8 {
            request.include_operations = input.bool()?;
        }
        input.skip_tagged_fields(flexible)?;
        Ok(request)
    }
}

impl Message for MetadataResponse {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= MetadataRequest::FLEXIBLE;
        out.put_i32(self.throttle_time_ms);
        out.put_array(&self.brokers, flexible, |out, broker| {
            broker.encode(out, flexible);
        });
        out.put_nullable_string(self.cluster_id.as_deref(), flexible);
        out.put_i32(self.controller_id);
        out.put_array(&self.topics, flexible, |out, topic| {
            topic.encode(out, version)
        });
        if has_cluster_operations(version) {
            Operations::encode(self.operations, out);
        }
        if version >= 13 {
            out.put_i16(self.error.0);
        }
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= MetadataRequest::FLEXIBLE;
        let mut response = Self {
            throttle_time_ms: input.i32()?,
            brokers: input.array(flexible, |input| MetadataBroker::decode(input, flexible))?,
            cluster_id: input.nullable_string(flexible)?.map(str::to_owned),
            controller_id: input.i32()?,
            topics: input.array(flexible, |input| MetadataTopic::decode(input, version))?,
            operations: None,
            error: Code::NONE,
        };
        if has_cluster_operations(version) {
            response.operations = Operations::decode(input)?;
        }
        if version >= 13 {
            response.error = Code(input.i16()?);
        }
        input.skip_tagged_fields(flexible)?;
        Ok(response)
    }
}

impl Default for MetadataResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            brokers: Vec::new(),
            cluster_id: None,
            controller_id: -1,
            topics: Vec::new(),
            operations: None,
            error: Code::NONE,
        }
    }
}

impl MetadataBroker {
    fn encode(&self, out: &mut Vec<u8>, flexible: bool) {
        out.put_i32(self.node_id);
        out.put_string(&self.host, flexible);
        out.put_i32(self.port);
        out.put_nullable_string(self.rack.as_deref(), flexible);
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, flexible: bool) -> Result<Self, Malformed> {
        let broker = Self {
            node_id: input.i32()?,
            host: input.string(flexible)?.to_owned(),
            port: input.i32()?,
            rack: input.nullable_string(flexible)?.map(str::to_owned),
        };
        input.skip_tagged_fields(flexible)?;
        Ok(broker)
    }
}

impl MetadataTopic {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= MetadataRequest::FLEXIBLE;
        out.put_i16(self.error.0);
        if version >= 12 {
            out.put_nullable_string(self.name.as_deref(), flexible);
        } else {
            out.put_string(self.name.as_deref().unwrap_or_default(), flexible);
        }
        if version >= 10 {
            out.put_uuid(&self.id);
        }
        out.put_bool(self.is_internal);
        out.put_array(&self.partitions, flexible, |out, partition| {
            partition.encode(out, version);
        });
        if version >= 8 {
            Operations::encode(self.operations, out);
        }
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= MetadataRequest::FLEXIBLE;
        let error = Code(input.i16()?);
        let name = if version >= 12 {
            input.nullable_string(flexible)?
        } else {
            Some(input.string(flexible)?)
        };
        let id = if version >= 10 {
            input.uuid()?
        } else {
            TopicId::default()
        };
        let mut topic = Self {
            error,
            name: name.map(str::to_owned),
            id,
            is_internal: input.bool()?,
            partitions: input.array(flexible, |input| MetadataPartition::decode(input, version))?,
            operations: None,
        };
        if version >= 8 {
            topic.operations = Operations::decode(input)?;
        }
        input.skip_tagged_fields(flexible)?;
        Ok(topic)
    }
}

impl MetadataPartition {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= MetadataRequest::FLEXIBLE;
        out.put_i16(self.error.0);
        out.put_i32(self.index);
        out.put_i32(self.leader_id);
        if version >= 7 {
            out.put_i32(self.leader_epoch);
        }
        out.put_array(&self.replicas, flexible, |out, node| out.put_i32(*node));
        out.put_array(&self.isr, flexible, |out, node| out.put_i32(*node));
        if version >= 5 {
            out.put_array(&self.offline, flexible, |out, node| out.put_i32(*node));
        }
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= MetadataRequest::FLEXIBLE;
        let mut partition = Self {
            error: Code(input.i16()?),
            index: input.i32()?,
            leader_id: input.i32()?,
            ..Self::default()
        };
        if version >= 7 {
            partition.leader_epoch = input.i32()?;
        }
        partition.replicas = input.array(flexible, Reader::i32)?;
        partition.isr = input.array(flexible, Reader::i32)?;
        if version >= 5 {
            partition.offline = input.array(flexible, Reader::i32)?;
        }
        input.skip_tagged_fields(flexible)?;
        Ok(partition)
    }
}

impl Default for MetadataPartition {
    fn default() -> Self {
        Self {
            error: Code::NONE,
            index: 0,
            leader_id: -1,
            leader_epoch: -1,
            replicas: Vec::new(),
            isr: Vec::new(),
            offline: Vec::new(),
        }
    }
}

/// The cluster's authorized operations came with version 8 and moved to another API after 10.
fn has_cluster_operations(version: i16) -> bool {
    (8..=10).contains(&version)
}

#[cfg(test)]
mod tests;
