//! What a producer promises, against the embedded cluster: real sockets, scripted faults.

#[path = "behaviour/backpressure.rs"]
mod backpressure;
#[path = "behaviour/batching.rs"]
mod batching;
#[path = "behaviour/callbacks.rs"]
mod callbacks;
#[path = "behaviour/codes.rs"]
mod codes;
#[path = "behaviour/connection.rs"]
mod connection;
#[path = "behaviour/delivery.rs"]
mod delivery;
#[cfg(unix)]
#[path = "behaviour/forking.rs"]
mod forking;
#[path = "behaviour/idempotence.rs"]
mod idempotence;
#[path = "behaviour/idle.rs"]
mod idle;
#[path = "behaviour/metadata.rs"]
mod metadata;
#[path = "behaviour/oracle.rs"]
mod oracle;
#[path = "behaviour/ordering.rs"]
mod ordering;
#[path = "behaviour/recreated.rs"]
mod recreated;
#[path = "behaviour/retries.rs"]
mod retries;
#[path = "behaviour/sequences.rs"]
mod sequences;
#[path = "behaviour/shutdown.rs"]
mod shutdown;
#[path = "behaviour/support.rs"]
mod support;
