//! milena: a blocking Apache Kafka producer.
#![allow(dead_code)]

mod config;
mod error;
mod partitioner;
mod record;
mod sync;
mod time;
mod wire;

pub use config::{Acks, Config, SecurityProtocol, TlsVersion};
pub use error::{Error, ErrorKind, Outcome};
pub use record::Record;
