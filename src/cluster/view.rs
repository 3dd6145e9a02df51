//! Reads a metadata answer with distrust: what it says of topics and partitions, and what cannot
//! be.

use std::fmt::Display;

use crate::error::{Error, ErrorKind};
use crate::wire::codes::Code;
use crate::wire::metadata::{MetadataPartition, MetadataTopic};

/// Why a topic cannot be used, `None` if it can.
pub(crate) fn topic_error(name: &str, metadata: &MetadataTopic) -> Option<Error> {
    let code = metadata.error;
    if !code.is_ok() {
        let kind = match code {
            Code::UNKNOWN_TOPIC_OR_PARTITION => ErrorKind::UnknownTopic,
            Code::INVALID_TOPIC_EXCEPTION => ErrorKind::InvalidTopic,
            Code::TOPIC_AUTHORIZATION_FAILED => ErrorKind::Authorization,
            _ => ErrorKind::Broker,
        };
        let message = format!("topic {name}: {code}: {}", code.meaning());
        return Some(Error::new(kind, message).with_code(code.0));
    }
    if !is_dense(&metadata.partitions) {
        let listed: Vec<i32> = metadata
            .partitions
            .iter()
            .map(|partition| partition.index)
            .collect();
        let shown = &listed[..listed.len().min(16)];
        let message =
            format!("topic {name}: the metadata lists partitions {shown:?}, not 0, 1, 2, ...");
        return Some(Error::new(ErrorKind::Protocol, message));
    }
    None
}

/// True for the indexes 0 to n - 1, each once, in any order, n at least 1.
fn is_dense(partitions: &[MetadataPartition]) -> bool {
    let mut seen = vec![false; partitions.len()];
    let all = partitions.iter().all(|partition| {
        let index = usize::try_from(partition.index).ok();
        let place = index.and_then(|index| seen.get_mut(index));
        place.is_some_and(|place| !std::mem::replace(place, true))
    });
    all && !partitions.is_empty()
}

/// The error of a topic that was asked for and not answered.
pub(crate) fn missing(name: &str) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!("topic {name}: the metadata answer does not mention it"),
    )
}

/// What it means for keys that a topic has another number of partitions.
pub(crate) fn keys_move(topic: &str, before: usize, count: usize) -> String {
    let how = match before < count {
        true => "partitions were added, or it was deleted and made anew",
        false => "it was deleted and made anew",
    };
    format!(
        "topic {topic} has {count} partitions and had {before}: {how}; keys move: records that are \
         waiting stay where they are, later ones of the same key may go to another partition, so \
         their order is not kept across the change; where it matters, flush before partitions are \
         added, or name the partition of each record"
    )
}

/// Why a partition of a topic that has shrunk gets no new leader.
pub(crate) fn retired(partition: &dyn Display, count: usize) -> Error {
    let message = format!("{partition}: the metadata lists {count} partitions of the topic only");
    Error::new(ErrorKind::Protocol, message)
}

/// Why a partition has no leader that we could send to.
pub(crate) fn leaderless(partition: &dyn Display, metadata: &MetadataPartition) -> Error {
    let message = match (metadata.error, metadata.leader_id) {
        (code, _) if !code.is_ok() => format!("{partition}: {code}: {}", code.meaning()),
        (_, id) if id < 0 => format!("{partition} has no leader"),
        (_, id) => format!("{partition}: the leader {id} is not among the brokers of the metadata"),
    };
    let error = Error::new(ErrorKind::Broker, message);
    match metadata.error {
        code if code.is_ok() => error,
        code => error.with_code(code.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(indexes: &[i32]) -> Vec<MetadataPartition> {
        let one = |index: &i32| MetadataPartition {
            index: *index,
            ..MetadataPartition::default()
        };
        indexes.iter().map(one).collect()
    }

    #[test]
    fn a_partition_list_with_gaps_doubles_or_nonsense_is_refused() {
        assert!(is_dense(&partitions(&[2, 0, 1])));
        for bad in [&[][..], &[0, 0], &[0, 2], &[-1, 0], &[1], &[0, i32::MAX]] {
            assert!(!is_dense(&partitions(bad)), "{bad:?} was taken");
            let topic = MetadataTopic {
                partitions: partitions(bad),
                ..MetadataTopic::default()
            };
            assert!(
                topic_error("t", &topic).is_some_and(|error| error.kind() == ErrorKind::Protocol)
            );
        }
    }

    #[test]
    fn a_partition_without_a_leader_has_the_code_that_the_cluster_gave_and_no_other() {
        for (error, leader_id, code, text) in [
            (
                Code::LEADER_NOT_AVAILABLE,
                -1,
                Some(5),
                "t-0: LEADER_NOT_AVAILABLE (5): ",
            ),
            (Code::NONE, -1, None, "t-0 has no leader"),
            (
                Code::NONE,
                7,
                None,
                "t-0: the leader 7 is not among the brokers",
            ),
        ] {
            let partition = MetadataPartition {
                error,
                leader_id,
                ..MetadataPartition::default()
            };
            let error = leaderless(&"t-0", &partition);
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().starts_with(text), "{error}");
        }
    }

    #[test]
    fn a_topics_error_names_topic_code_and_class() {
        let topic = MetadataTopic {
            error: Code::TOPIC_AUTHORIZATION_FAILED,
            ..MetadataTopic::default()
        };
        let error = topic_error("orders", &topic).expect("an error code");
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Authorization, Some(29))
        );
        assert!(
            error
                .to_string()
                .starts_with("topic orders: TOPIC_AUTHORIZATION_FAILED (29): ")
        );
    }
}
