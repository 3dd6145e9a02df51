//! milena: a blocking Apache Kafka producer.

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
#[cfg_attr(
    not(all(test, feature = "mock")),
    allow(
        dead_code,
        reason = "messages go both ways: the client writes requests, the mock cluster reads them"
    )
)]
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
