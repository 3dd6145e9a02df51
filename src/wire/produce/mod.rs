//! Produce: appends record batches to partitions.

mod framing;
mod request;
mod response;

pub(crate) use framing::{FramedTopic, Framing, framing};
pub(crate) use request::{ProducePartition, ProduceRequest, ProduceTopic};
pub(crate) use response::{
    LeaderAndEpoch, NodeEndpoint, ProducePartitionResponse, ProduceResponse, ProduceTopicResponse,
    RecordError,
};
