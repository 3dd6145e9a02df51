//! Tests against real Apache Kafka, started by `tests/kafka`. `tests/run kafka` runs them.

#[path = "kafka/agreement/mod.rs"]
mod agreement;
#[path = "kafka/chaos/mod.rs"]
mod chaos;
#[path = "kafka/check.rs"]
mod check;
#[path = "kafka/crypto.rs"]
mod crypto;
#[path = "kafka/delivery.rs"]
mod delivery;
#[path = "kafka/failover.rs"]
mod failover;
#[path = "kafka/mod.rs"]
mod kafka;
#[path = "kafka/limits.rs"]
mod limits;
#[path = "kafka/load.rs"]
mod load;
#[path = "kafka/matrix/mod.rs"]
mod matrix;
#[path = "kafka/millions.rs"]
mod millions;
#[path = "kafka/mistakes/mod.rs"]
mod mistakes;
#[path = "kafka/oidc.rs"]
mod oidc;
#[path = "kafka/old_brokers.rs"]
mod old_brokers;
#[path = "kafka/partitions.rs"]
mod partitions;
#[path = "kafka/reauthentication.rs"]
mod reauthentication;
#[path = "kafka/relay.rs"]
mod relay;
#[path = "kafka/rotation.rs"]
mod rotation;
#[path = "kafka/scram.rs"]
mod scram;
#[path = "kafka/serializers.rs"]
mod serializers;
#[path = "kafka/settings.rs"]
mod settings;
#[path = "kafka/smoke.rs"]
mod smoke;
#[path = "kafka/tokens.rs"]
mod tokens;
mod watch;
