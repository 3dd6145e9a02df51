//! Produce: appends record batches to partitions.

mod framing;
mod request;
mod response;

pub(crate) use framing::{FramedTopic, framing};
pub(crate) use request::ProduceRequest;
#[allow(
    unused_imports,
    reason = "only brokers, which are mocks and tests, name them"
)]
pub(crate) use request::{ProducePartition, ProduceTopic, decode_topic};
#[allow(
    unused_imports,
    reason = "only brokers, which are mocks and tests, name them"
)]
pub(crate) use response::{LeaderAndEpoch, NodeEndpoint, ProduceTopicResponse, RecordError};
pub(crate) use response::{ProducePartitionResponse, ProduceResponse};

#[cfg(test)]
mod tests;
