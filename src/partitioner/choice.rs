//! The partitioners by name, and the rules that hold for all of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{PartitionQuery, Partitioner, murmur2};
use crate::error::{Error, ErrorKind};

/// The partitioner of a producer, as the configuration names it.
#[derive(Clone, Debug, Default)]
pub(crate) enum PartitionerChoice {
    /// murmur2 of the key over all partitions; without a key, round-robin record by record.
    #[default]
    Default,
    /// Round-robin for all records, whatever their keys (Java's `RoundRobinPartitioner`).
    RoundRobin,
    /// The application's own.
    Custom(Arc<dyn Partitioner>),
}

/// What choosing needs to know of a topic; the topic owns the counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicView<'a> {
    pub(crate) topic: &'a str,
    pub(crate) count: u32,
    /// The partitions with a leader.
    pub(crate) available: &'a [i32],
    /// The round-robin counter; any start will do.
    pub(crate) next: &'a AtomicU32,
}

impl PartitionerChoice {
    /// The partition of a record that names none, always in `0..view.count`.
    pub(crate) fn choose(
        &self,
        view: &TopicView<'_>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<i32, Error> {
        if view.count == 0 {
            let message = format!("topic {} has no partitions", view.topic);
            return Err(Error::new(ErrorKind::TopicNotReady, message));
        }
        let partition = match self {
            Self::Default => match key {
                Some(key) => murmur2::partition(key, view.count),
                None => view.next_in_turn(),
            },
            Self::RoundRobin => view.next_in_turn(),
            Self::Custom(partitioner) => {
                let query = PartitionQuery {
                    topic: view.topic,
                    key,
                    value,
                    count: view.count,
                    available: view.available,
                };
                Some(ask(partitioner.as_ref(), &query)?)
            }
        };
        match partition {
            Some(partition) if view.contains(partition) => Ok(partition),
            other => Err(view.out_of_range(other)),
        }
    }
}

impl TopicView<'_> {
    /// The next partition that has a leader, or the next of all while none has one.
    ///
    /// The counter wraps at 2^32, where one partition may be skipped.
    fn next_in_turn(&self) -> Option<i32> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if self.available.is_empty() {
            return i32::try_from(turn.checked_rem(self.count)?).ok();
        }
        let index = turn as usize % self.available.len();
        self.available.get(index).copied()
    }

    fn contains(&self, partition: i32) -> bool {
        u32::try_from(partition).is_ok_and(|partition| partition < self.count)
    }

    #[cold]
    fn out_of_range(&self, chosen: Option<i32>) -> Error {
        let chosen = chosen.map_or("none".to_owned(), |chosen| chosen.to_string());
        let (topic, last) = (self.topic, self.count.saturating_sub(1));
        Error::new(
            ErrorKind::PartitionOutOfRange,
            format!(
                "the partitioner chose partition {chosen} of topic {topic}, \
                 which has partitions 0 to {last}"
            ),
        )
    }
}

/// Runs the application's code: its error, or its panic, becomes the record's error.
fn ask(partitioner: &dyn Partitioner, query: &PartitionQuery<'_>) -> Result<i32, Error> {
    // Unwind safe: nothing of ours is borrowed mutably, and the partitioner is shared by design.
    let answer = catch_unwind(AssertUnwindSafe(|| {
        partitioner.partition(query).map_err(|e| e.to_string())
    }));
    let problem = match answer {
        Ok(Ok(partition)) => return Ok(partition),
        Ok(Err(error)) => format!("failed: {error}"),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            format!("panicked: {}", text.unwrap_or("no message"))
        }
    };
    let message = format!(
        "the partitioner, asked about topic {}, {problem}",
        query.topic
    );
    Err(Error::new(ErrorKind::Application, message))
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    type Answer = Result<i32, Box<dyn std::error::Error + Send + Sync>>;

    /// A custom partitioner made of a function.
    struct By(fn(&PartitionQuery<'_>) -> Answer);

    impl fmt::Debug for By {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("By")
        }
    }

    impl Partitioner for By {
        fn partition(&self, query: &PartitionQuery<'_>) -> Answer {
            (self.0)(query)
        }
    }

    fn custom(function: fn(&PartitionQuery<'_>) -> Answer) -> PartitionerChoice {
        PartitionerChoice::Custom(Arc::new(By(function)))
    }

    /// What `choice` says for each key in turn, with the counter at `start`.
    fn choose(
        choice: &PartitionerChoice,
        count: u32,
        available: &[i32],
        start: u32,
        keys: &[Option<&[u8]>],
    ) -> Vec<Result<i32, Error>> {
        let view = TopicView {
            topic: "orders",
            count,
            available,
            next: &AtomicU32::new(start),
        };
        let each = keys.iter();
        each.map(|key| choice.choose(&view, *key, Some(b"value")))
            .collect()
    }

    fn chosen(results: Vec<Result<i32, Error>>) -> Vec<i32> {
        results.into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn records_without_key_go_round_record_by_record() {
        for start in [0, 1, 7, u32::MAX - 8] {
            let answers = choose(
                &PartitionerChoice::Default,
                3,
                &[0, 1, 2],
                start,
                &[None; 6],
            );
            let answers = chosen(answers);
            for partition in 0..3 {
                assert_eq!(answers.iter().filter(|p| **p == partition).count(), 2);
            }
            assert_eq!(answers[..3], answers[3..]);
        }
    }

    #[test]
    fn records_without_key_avoid_partitions_without_leader_unless_none_has_one() {
        let choice = PartitionerChoice::Default;
        let some = choose(&choice, 4, &[1, 3], 0, &[None; 4]);
        assert_eq!(chosen(some), [1, 3, 1, 3]);
        let none = choose(&choice, 3, &[], 0, &[None; 4]);
        assert_eq!(chosen(none), [0, 1, 2, 0]);
    }

    #[test]
    fn a_key_stays_with_its_partition_even_without_a_leader() {
        for available in [&[][..], &[0], &[0, 1, 2, 3]] {
            let answer = choose(
                &PartitionerChoice::Default,
                12,
                available,
                0,
                &[Some(b"foobar")],
            );
            assert_eq!(chosen(answer), [6]);
        }
    }

    #[test]
    fn keyed_records_do_not_take_a_turn_and_an_empty_key_is_a_key() {
        let keys: [Option<&[u8]>; 5] = [None, Some(b""), None, Some(b""), None];
        let answers = choose(&PartitionerChoice::Default, 5, &[0, 1, 2, 3, 4], 0, &keys);
        let empty = murmur2::partition(b"", 5).unwrap();
        assert_eq!(chosen(answers), [0, empty, 1, empty, 2]);
    }

    #[test]
    fn round_robin_takes_no_notice_of_keys() {
        let keys = [Some(&b"same"[..]); 4];
        let answers = choose(&PartitionerChoice::RoundRobin, 4, &[0, 2], 1, &keys);
        assert_eq!(chosen(answers), [2, 0, 2, 0]);
    }

    #[test]
    fn a_topic_without_partitions_is_not_ready() {
        for choice in [
            PartitionerChoice::Default,
            PartitionerChoice::RoundRobin,
            custom(|_| Ok(0)),
        ] {
            for answer in choose(&choice, 0, &[], 0, &[None, Some(b"k")]) {
                assert_eq!(answer.unwrap_err().kind(), ErrorKind::TopicNotReady);
            }
        }
    }

    #[test]
    fn a_custom_partitioner_sees_the_record_and_the_partitions() {
        let choice = custom(|query| {
            assert_eq!((query.topic(), query.count()), ("orders", 3));
            assert_eq!(query.key(), Some(&b"k"[..]));
            assert_eq!(query.value(), Some(&b"value"[..]));
            assert_eq!(query.available(), [0, 2]);
            assert_eq!(query.hashed_partition(), murmur2::partition(b"k", 3));
            Ok(2)
        });
        assert_eq!(chosen(choose(&choice, 3, &[0, 2], 0, &[Some(b"k")])), [2]);
    }

    #[test]
    fn what_a_custom_partitioner_returns_is_checked() {
        for (function, named) in [
            (custom(|_| Ok(-1)), "partition -1 of topic orders"),
            (custom(|_| Ok(3)), "partition 3 of topic orders"),
            (custom(|_| Ok(i32::MIN)), "partition -2147483648 of"),
        ] {
            let error = choose(&function, 3, &[0], 0, &[None])
                .remove(0)
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PartitionOutOfRange);
            let text = error.to_string();
            assert!(text.contains(named) && text.ends_with("0 to 2"), "{text}");
        }
        assert_eq!(chosen(choose(&custom(|_| Ok(2)), 3, &[0], 0, &[None])), [2]);
    }

    #[test]
    fn an_error_or_panic_in_a_custom_partitioner_is_the_records_error() {
        for (function, said) in [
            (custom(|_| Err("no key".into())), "failed: no key"),
            (custom(|_| panic!("oh dear")), "panicked: oh dear"),
            (
                custom(|q| panic!("key {:?}", q.key())),
                "panicked: key None",
            ),
            (custom(|_| std::panic::panic_any(7)), "panicked: no message"),
        ] {
            let error = choose(&function, 3, &[0], 0, &[None])
                .remove(0)
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Application);
            let text = error.to_string();
            assert!(text.contains("orders") && text.ends_with(said), "{text}");
        }
    }
}
