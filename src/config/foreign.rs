//! Names that other Kafka clients, or older ones, have for settings.

use crate::config::librdkafka::{Answer, LIBRDKAFKA};

/// What to set instead of `key`, if it is one of those names.
pub(super) fn advice(key: &str) -> Option<String> {
    if let Some((_, advice)) = FORMER.iter().find(|(name, _)| *name == key) {
        return Some((*advice).to_owned());
    }
    let (_, answer) = LIBRDKAFKA.iter().find(|(name, _)| *name == key)?;
    match answer {
        // Java's table knows the name.
        Answer::Shared(_) => None,
        Answer::Renamed(java, difference) => Some(format!(
            "this is librdkafka's name, Java's is {java}: {difference}"
        )),
        Answer::Without(why) => Some(format!(
            "only librdkafka has this setting: leave it out; {why}"
        )),
    }
}

/// Names that Java's producer had in earlier versions.
static FORMER: &[(&str, &str)] = &[
    (
        "broker.list",
        "this is a former name, today's is bootstrap.servers",
    ),
    (
        "timeout.ms",
        "this is a former name, today's is request.timeout.ms",
    ),
    (
        "metadata.fetch.timeout.ms",
        "this is a former name, today's is max.block.ms",
    ),
    (
        "block.on.buffer.full",
        "Java has dropped it: max.block.ms says how long a full buffer blocks, 0 is not at all",
    ),
];
