//! milena: a blocking Apache Kafka producer.
#![allow(dead_code, unused_imports)]

mod config;
mod error;
mod partitioner;
mod record;
mod serializer;
mod sync;
mod time;
mod wire;

pub use config::{Acks, Config, SecurityProtocol, TlsVersion};
pub use error::{Error, ErrorKind, Outcome};
pub use partitioner::{PartitionQuery, Partitioner};
pub use record::Record;
pub use serializer::{
    BytesSerializer, Headers, IntegerSerializer, LongSerializer, Serialize, SerializeError,
    SerializedBy, StringSerializer,
};
