//! The partitioner of a producer, and the rules that hold for all of them.

use std::sync::Arc;

use super::fnv1a::fnv1a;
use super::sticky::{self, Batches, StickyRules};
use super::turns::{Turn, Turns};
use super::{PartitionQuery, Partitioner, PartitionerKind, murmur2};
use crate::error::{Error, ErrorKind};
use crate::survive::caught;

/// How the partition of a record is chosen, as the configuration says.
#[derive(Clone, Debug)]
pub(crate) struct Partitioning {
    pub(crate) choice: PartitionerChoice,
    /// `partitioner.ignore.keys`
    pub(crate) ignores_keys: bool,
    pub(crate) sticky: StickyRules,
    /// `partitioner.rack.aware`
    pub(crate) is_rack_aware: bool,
    /// `client.rack`
    pub(crate) rack: String,
}

/// Who chooses.
#[derive(Clone, Debug)]
pub(crate) enum PartitionerChoice {
    /// One that has a name.
    Kind(PartitionerKind),
    /// The application's own.
    Custom(Arc<dyn Partitioner>),
}

/// What choosing needs to know of a topic and the record.
#[derive(Clone, Copy)]
pub(crate) struct TopicView<'a> {
    pub(crate) topic: &'a str,
    pub(crate) count: u32,
    /// The partitions with a leader, in order.
    pub(crate) available: &'a [i32],
    /// Those of them whose leader is in the producer's rack, if racks count.
    pub(crate) near: &'a [i32],
    pub(crate) turns: &'a Turns,
    /// The count of the thread that sends, if it has one for this topic.
    pub(crate) own_turn: Option<&'a Turn>,
    pub(crate) batches: &'a dyn Batches,
    /// The time of the send.
    pub(crate) now_ms: i64,
}

impl Partitioning {
    pub(crate) const DEFAULT: Self = Self {
        choice: PartitionerChoice::Kind(PartitionerKind::Default),
        ignores_keys: false,
        sticky: StickyRules::DEFAULT,
        is_rack_aware: false,
        rack: String::new(),
    };

    /// The partition of a record that names none, always in `0..view.count`.
    #[inline]
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
        let partition = match &self.choice {
            PartitionerChoice::Kind(kind) => {
                if key.is_some() && kind.is_keyed() && !self.ignores_keys_of(*kind) {
                    view.turns.note_key();
                }
                self.by(*kind, view, key)
            }
            PartitionerChoice::Custom(partitioner) => {
                if key.is_some() {
                    view.turns.note_key();
                }
                let query = PartitionQuery {
                    view: *view,
                    partitioning: self,
                    key,
                    value,
                };
                ask(partitioner.as_ref(), &query)?
            }
        };
        match view.contains(partition) {
            true => Ok(partition),
            false => Err(view.out_of_range(partition)),
        }
    }

    /// The partition that `kind` gives to a record with this key.
    #[inline]
    pub(super) fn by(
        &self,
        kind: PartitionerKind,
        view: &TopicView<'_>,
        key: Option<&[u8]>,
    ) -> i32 {
        use PartitionerKind as Kind;
        let murmur2 = |key| murmur2::partition(key, view.count);
        let crc32 = |key| remainder(crc32fast::hash(key), view.count);
        let fnv1a = |key| remainder(fnv1a(key), view.count);
        let by_time = || sticky::by_time(view, &self.sticky);
        match (kind, key) {
            (Kind::Default, Some(key)) if !self.ignores_keys => murmur2(key),
            (Kind::Default | Kind::RoundRobin, _) => view.next_in_turn(),
            (Kind::UniformSticky, Some(key)) if !self.ignores_keys => murmur2(key),
            (Kind::UniformSticky, _) => sticky::by_bytes(view, &self.sticky),
            (Kind::Random, Some(_)) => sticky::random(view),
            (Kind::Consistent, key) => crc32(key.unwrap_or_default()),
            // The one of librdkafka's for which an empty key is none.
            (Kind::ConsistentRandom, Some(key)) if !key.is_empty() => crc32(key),
            (Kind::Murmur2, key) => murmur2(key.unwrap_or_default()),
            (Kind::Murmur2Random, Some(key)) => murmur2(key),
            (Kind::Fnv1a, key) => fnv1a(key.unwrap_or_default()),
            (Kind::Fnv1aRandom, Some(key)) => fnv1a(key),
            (Kind::Random | Kind::ConsistentRandom, _) => by_time(),
            (Kind::Murmur2Random | Kind::Fnv1aRandom, None) => by_time(),
        }
    }

    fn ignores_keys_of(&self, kind: PartitionerKind) -> bool {
        self.ignores_keys && kind.may_ignore_keys()
    }
}

impl TopicView<'_> {
    /// The next partition that has a leader, or the next of all while none has one.
    #[inline]
    fn next_in_turn(&self) -> i32 {
        let turn = self.own_turn.map_or_else(|| self.turns.next(), Turn::next);
        if self.available.is_empty() {
            return remainder(turn, self.count);
        }
        self.available[turn as usize % self.available.len()]
    }

    pub(super) fn has_leader(&self, partition: i32) -> bool {
        let all_have = self.available.len() == self.count as usize;
        all_have || self.available.binary_search(&partition).is_ok()
    }

    /// True if records should not stay with a partition: it is not there any more, or has no leader
    /// while others have one.
    pub(super) fn is_lost(&self, partition: i32) -> bool {
        let is_leaderless = !self.available.is_empty() && !self.has_leader(partition);
        is_leaderless || !self.contains(partition)
    }

    fn contains(&self, partition: i32) -> bool {
        u32::try_from(partition).is_ok_and(|partition| partition < self.count)
    }

    #[cold]
    fn out_of_range(&self, chosen: i32) -> Error {
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

/// `hash % count`; -1, which is no partition, only for a count of 0 or beyond `i32`.
pub(super) fn remainder(hash: u32, count: u32) -> i32 {
    let remainder = hash.checked_rem(count);
    remainder.map_or(-1, |partition| i32::try_from(partition).unwrap_or(-1))
}

/// Runs the application's code: its error, or its panic, becomes the record's error.
fn ask(partitioner: &dyn Partitioner, query: &PartitionQuery<'_>) -> Result<i32, Error> {
    // The error's text is the application's code too.
    let problem = match caught(|| partitioner.partition(query).map_err(|e| e.to_string())) {
        Ok(Ok(partition)) => return Ok(partition),
        Ok(Err(error)) => format!("failed: {error}"),
        Err(panic) => format!("panicked: {panic}"),
    };
    let message = format!(
        "the partitioner, asked about topic {}, {problem}",
        query.topic()
    );
    Err(Error::new(ErrorKind::Application, message))
}

#[cfg(test)]
mod tests;
