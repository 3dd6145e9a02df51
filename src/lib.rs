//! A blocking Apache Kafka producer in pure Rust: plain threads and `std::net` sockets, no async
//! runtime, no C library.
//!
//! ```no_run
//! use milena::{Config, Producer, Record};
//!
//! # fn main() -> Result<(), milena::Error> {
//! let producer = Producer::new(Config::new("localhost:9092").idempotence(true))?;
//!
//! // Send and wait for the result.
//! let metadata = producer.send(Record::to("orders").key("customer-7").value("3 apples")).wait()?;
//! println!("partition {}, offset {:?}", metadata.partition(), metadata.offset());
//!
//! // Send, and be called back.
//! producer.send_with(Record::to("orders").value("1 pear"), |result| {
//!     if let Err(error) = result {
//!         eprintln!("{error}");
//!     }
//! });
//!
//! // Send what is left, wait for it, and count.
//! let report = producer.close()?;
//! assert_eq!(report.failed + report.unknown, 0);
//! # Ok(())
//! # }
//! ```
//!
//! Settings have the names and units of Apache Kafka's Java producer, and [`Config::from_file`]
//! reads its properties files. By default `acks` is 1 and nothing is sent again, so that nothing is
//! written twice; [`Config::idempotence`] is the safe profile in one call. The [`guide`] tells what
//! is guaranteed, what blocks, what counts as memory, and what errors mean.
//!
//! # Features
//!
//! - `tls-graviola` (default): TLS with graviola's cryptography, which needs no C compiler, on
//!   x86_64 with AVX2 and ADX and on aarch64 with AES and SHA-2.
//! - `tls-ring`: TLS with ring's cryptography, on every platform; needs a C compiler.
//! - `tls`: TLS with the cryptography that the application hands in as rustls's `CryptoProvider`,
//!   or installs for the process.
//! - `os-roots`: `ssl.truststore.type=OS`, the authorities that the operating system trusts.
//! - `scram` (default): the SASL mechanisms SCRAM-SHA-256 and SCRAM-SHA-512.
//! - `oidc`: tokens of the SASL mechanism OAUTHBEARER from the HTTPS endpoint of an OAuth or OpenID
//!   Connect provider.
//! - `encrypted-keys`: private keys in encrypted PKCS#8, `ssl.key.password`.
//! - `socket-buffers` (default): `send.buffer.bytes`, `receive.buffer.bytes` and TCP keep-alive.
//! - `gzip`, `snappy`, `lz4`, `zstd` (all default): one codec of `compression.type` each.
//! - `mock`: a Kafka cluster inside the test process, in the module `mock`.
//!
//! A setting that needs a feature which is not built in is an error that names the feature.
//!
//! # Threads
//!
//! A producer runs one thread for metadata, one for time limits, one for each broker in use, one
//! for each connection, and one for callbacks once there are any. All sleep while nothing is due.
//! [`Producer`] is `Clone`, `Send` and `Sync`: share one.
//!
//! # Log
//!
//! Through the `log` crate: `error` for records that a dropped producer could not deliver, and for
//! panics in callbacks and interceptors; `warn` for settings without effect, unencrypted passwords
//! and records whose time has passed; `debug` for connections, retries and refusals. No message
//! shows a password or token.
//!
//! # Brokers and compiler
//!
//! Brokers from 0.11 to 4.x. Rust 1.89 or later; a higher minimum is a new minor version. The crate
//! forbids `unsafe`.

mod accumulator;
mod broker;
mod callbacks;
mod check;
mod clock;
mod cluster;
mod compress;
mod config;
mod conn;
mod credentials;
mod delivery;
mod dial;
mod error;
mod expiry;
mod explain;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod guide;
mod interceptor;
mod latch;
mod metrics;
#[cfg(feature = "mock")]
pub mod mock;
#[cfg(all(test, model))]
mod models;
mod oauth;
mod partitioner;
mod process;
mod producer;
mod record;
mod serializer;
mod shutdown;
#[cfg(test)]
mod sim;
mod survive;
mod sync;
mod time;
mod typed;
#[cfg(test)]
#[path = "../tests/watch.rs"]
mod watch;
#[cfg_attr(
    not(all(test, feature = "mock")),
    allow(
        dead_code,
        reason = "messages go both ways: the client writes requests, the mock cluster reads them"
    )
)]
mod wire;

#[cfg(feature = "tls")]
pub use ::rustls;
pub use check::{CheckReport, CheckStage, Finding, Verdict};
pub use cluster::PartitionInfo;
pub use compress::Compression;
pub use config::{
    Acks, Config, Explanation, FullBuffer, SecurityProtocol, TlsVersion, TopicConfig,
};
pub use credentials::{CredentialSource, Credentials};
pub use delivery::{Deliveries, Delivery, RecordMetadata, TimestampType};
pub use dial::Dial;
pub use error::{Error, ErrorKind, Outcome};
pub use interceptor::{Acknowledgement, InterceptError, InterceptedRecord, Interceptor};
pub use metrics::MetricsSnapshot;
pub use oauth::{Token, TokenSource, UnsecuredTokens};
pub use partitioner::{PartitionQuery, Partitioner, PartitionerKind};
pub use producer::{Producer, TrySendError};
pub use record::Record;
pub use serializer::{
    BooleanSerializer, BytesSerializer, ConfluentSerializer, DoubleSerializer, FloatSerializer,
    Headers, IntegerSerializer, ListSerializer, LongSerializer, NullableSerializer, Serialize,
    SerializeError, Serialized, SerializedBy, ShortSerializer, StringSerializer, UuidSerializer,
    VoidSerializer,
};
pub use shutdown::CloseReport;
pub use typed::TypedProducer;
