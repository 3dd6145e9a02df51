//! milena: a blocking Apache Kafka producer.
#![allow(dead_code)]

mod accumulator;
mod broker;
mod callbacks;
mod cluster;
mod config;
mod conn;
mod delivery;
mod error;
mod expiry;
mod latch;
mod metrics;
#[cfg(feature = "mock")]
pub mod mock;
mod partitioner;
mod producer;
mod record;
mod serializer;
mod shutdown;
mod sync;
mod time;
mod typed;
mod wire;

pub use cluster::PartitionInfo;
pub use config::{Acks, Config, SecurityProtocol, TlsVersion};
pub use delivery::{Deliveries, Delivery, RecordMetadata};
pub use error::{Error, ErrorKind, Outcome};
pub use metrics::MetricsSnapshot;
pub use partitioner::{PartitionQuery, Partitioner};
pub use producer::{Producer, TrySendError};
pub use record::Record;
pub use serializer::{
    BytesSerializer, Headers, IntegerSerializer, LongSerializer, Serialize, SerializeError,
    StringSerializer,
};
pub use shutdown::CloseReport;
pub use typed::TypedProducer;
