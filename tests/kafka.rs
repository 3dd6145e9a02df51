//! Tests against real Apache Kafka, started by `tests/kafka`. `tests/run kafka` runs them.

#[path = "kafka/mod.rs"]
mod kafka;
#[path = "kafka/smoke.rs"]
mod smoke;
