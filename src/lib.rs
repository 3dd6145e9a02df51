//! milena: a blocking Apache Kafka producer.
#![allow(dead_code, unused_imports)]

mod config;
mod error;
#[cfg(feature = "mock")]
pub mod mock;
mod partitioner;
mod record;
mod sync;
mod time;
mod wire;

pub use config::{Acks, Config, SecurityProtocol};
pub use error::{Error, ErrorKind, Outcome};
pub use record::Record;
