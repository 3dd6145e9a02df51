//! What a producer promises, against the embedded cluster: real sockets, scripted faults.

#[path = "behaviour/backpressure.rs"]
mod backpressure;
#[path = "behaviour/batching.rs"]
mod batching;
#[path = "broker.rs"]
mod broker;
#[path = "behaviour/callbacks.rs"]
mod callbacks;
#[path = "behaviour/check/mod.rs"]
mod check;
#[path = "behaviour/clocks.rs"]
mod clocks;
#[path = "behaviour/codes.rs"]
mod codes;
#[cfg(all(
    feature = "gzip",
    feature = "snappy",
    feature = "lz4",
    feature = "zstd"
))]
#[path = "behaviour/compression.rs"]
mod compression;
#[path = "behaviour/connection.rs"]
mod connection;
#[path = "behaviour/credentials.rs"]
mod credentials;
#[path = "behaviour/deadlines.rs"]
mod deadlines;
#[path = "behaviour/delivery.rs"]
mod delivery;
#[path = "behaviour/dialing.rs"]
mod dialing;
#[path = "behaviour/endings.rs"]
mod endings;
#[cfg(unix)]
#[path = "behaviour/forking.rs"]
mod forking;
#[path = "behaviour/fullness.rs"]
mod fullness;
#[path = "behaviour/gaps.rs"]
mod gaps;
#[path = "behaviour/hostile/mod.rs"]
mod hostile;
#[path = "behaviour/idempotence.rs"]
mod idempotence;
#[path = "behaviour/idle.rs"]
mod idle;
#[path = "behaviour/interceptors/mod.rs"]
mod interceptors;
#[path = "behaviour/leaders.rs"]
mod leaders;
#[path = "behaviour/limits.rs"]
mod limits;
#[path = "behaviour/links.rs"]
mod links;
#[path = "behaviour/logins.rs"]
mod logins;
#[path = "behaviour/memory.rs"]
mod memory;
#[path = "behaviour/metadata.rs"]
mod metadata;
#[path = "behaviour/oidc.rs"]
mod oidc;
#[path = "behaviour/oracle.rs"]
mod oracle;
#[path = "behaviour/ordering.rs"]
mod ordering;
#[path = "behaviour/panics.rs"]
mod panics;
#[path = "behaviour/partitions.rs"]
mod partitions;
#[path = "behaviour/process.rs"]
mod process;
#[path = "../examples/support/proxies.rs"]
mod proxies;
#[path = "behaviour/proxy.rs"]
mod proxy;
#[path = "behaviour/reauthentication.rs"]
mod reauthentication;
#[path = "behaviour/recreated.rs"]
mod recreated;
#[path = "behaviour/retries.rs"]
mod retries;
#[path = "behaviour/scale.rs"]
mod scale;
#[cfg(feature = "scram")]
#[path = "behaviour/scram.rs"]
mod scram;
#[path = "behaviour/secrets.rs"]
mod secrets;
#[path = "behaviour/sequences.rs"]
mod sequences;
#[path = "behaviour/serializers.rs"]
mod serializers;
#[path = "behaviour/shutdown.rs"]
mod shutdown;
#[cfg(feature = "lz4")]
#[path = "behaviour/splitting.rs"]
mod splitting;
#[path = "behaviour/support.rs"]
mod support;
#[path = "behaviour/throttling.rs"]
mod throttling;
#[cfg(feature = "tls-graviola")]
#[path = "behaviour/tls.rs"]
mod tls;
#[path = "behaviour/tokens.rs"]
mod tokens;
#[path = "behaviour/topics.rs"]
mod topics;
mod watch;
