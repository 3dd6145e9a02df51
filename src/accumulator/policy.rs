//! What becomes of a record that finds the buffer full, as the policy of its topic says.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::budget::{Account, Excess, Grant, Share};
use super::partition::Partition;
use super::{Accumulator, Wait};
use crate::config::FullBuffer;
use crate::error::{Error, ErrorKind};
use crate::sync::{Arc, Mutex};
use crate::time;

/// How long the log is silent about a topic that goes on dropping records.
const SILENCE: Duration = Duration::from_secs(10);

/// What a record needs memory for.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// A batch.
    Batch(&'a Arc<Partition>, &'a Share),
    /// What is kept of a record of this topic besides.
    Beside(&'a str),
    /// What is kept of a record that has failed.
    Failed,
}

/// Which topics drop records, for the log.
#[derive(Default)]
pub(super) struct Drops(Mutex<HashMap<String, Tally>>);

struct Tally {
    /// Records that the log does not know of.
    records: u64,
    silent_until: Option<Instant>,
}

impl Wanted<'_> {
    pub(super) fn share(&self) -> Option<&Share> {
        match self {
            Self::Batch(_, share) => Some(share),
            Self::Beside(_) | Self::Failed => None,
        }
    }

    fn topic(&self) -> &str {
        match self {
            Self::Batch(partition, _) => partition.topic(),
            Self::Beside(topic) => topic,
            Self::Failed => "",
        }
    }
}

impl Accumulator {
    /// Memory that was not there at once.
    pub(super) fn make_room(
        &self,
        wanted: Wanted<'_>,
        bytes: usize,
        wait: &mut Wait,
    ) -> Result<Grant, Error> {
        let policy = match wanted {
            Wanted::Batch(partition, _) => partition.rule.full_buffer,
            Wanted::Beside(topic) => self.shared.topic_rules.of(topic).full_buffer,
            Wanted::Failed => FullBuffer::Block,
        };
        match policy {
            FullBuffer::Block => self.wait_for_memory(wanted, bytes, wait),
            FullBuffer::Fail => Err(self.full(wanted, "full.buffer.policy=fail".into())),
            FullBuffer::DropNewest => Err(self.drop_newest(wanted, "drop-newest")),
            FullBuffer::DropOldest => self.drop_oldest(wanted, bytes),
        }
    }

    /// The error of a record that is dropped itself.
    fn drop_newest(&self, wanted: Wanted<'_>, policy: &str) -> Error {
        self.shared.metrics.dropped.add(1);
        self.tell_drops(wanted, policy, 1);
        let (topic, why) = (wanted.topic(), self.shortage(wanted));
        let message = format!("record for {topic} dropped (full.buffer.policy={policy}): {why}");
        Error::new(ErrorKind::Dropped, message)
    }

    /// Memory of the topic's oldest batches that were never sent. It goes from hand to hand: nobody
    /// who waits for memory gets it, or a topic that drops would empty itself for one that waits.
    fn drop_oldest(&self, wanted: Wanted<'_>, bytes: usize) -> Result<Grant, Error> {
        let why = self.shortage(wanted);
        let what = format!(
            "record for {} dropped for newer ones (full.buffer.policy=drop-oldest): {why}",
            wanted.topic()
        );
        let found = self.topic(wanted.topic()).map(|topic| topic.view());
        let partitions: Vec<_> = found.iter().flat_map(|view| view.all()).collect();
        let at = self.where_to_drop(wanted);
        let (mut grant, mut records): (Option<Grant>, u64) = (None, 0);
        let room = loop {
            let held = grant.as_ref().map_or(0, Grant::bytes);
            if held >= bytes {
                break grant;
            }
            if let Some(rest) = self.budget().try_acquire(wanted.share(), bytes - held) {
                break Some(Grant::join(grant, rest));
            }
            let Some((partition, found)) = oldest(&partitions, at) else {
                break None;
            };
            let enough = || {
                partitions
                    .iter()
                    .map(|one| one.droppable_bytes(at))
                    .sum::<usize>()
            };
            if found / 2 < bytes - held && enough() < bytes - held {
                break None;
            }
            if let Some(dropped) = partition.drop_oldest(at, &what) {
                records += u64::from(dropped.records);
                grant = Some(Grant::join(grant, dropped.memory));
            }
        };
        if records > 0 {
            self.tell_drops(wanted, "drop-oldest", records);
        }
        let mut room = room.ok_or_else(|| self.drop_newest(wanted, "drop-oldest"))?;
        // The rest would go to those who wait, and the next record would drop another batch.
        room.shrink_to(match wanted {
            Wanted::Batch(..) => bytes.max(self.shared.rules.batch_size),
            Wanted::Beside(_) | Wanted::Failed => bytes,
        });
        if let Some(share) = wanted.share() {
            room.move_to(share);
        }
        Ok(room)
    }

    /// Where a broker's share is used up, other brokers' memory is no help.
    fn where_to_drop<'a>(&self, wanted: Wanted<'a>) -> Option<&'a Arc<Account>> {
        let Wanted::Batch(_, share) = wanted else {
            return None;
        };
        match self.budget().excess(share)? {
            (Excess::Both | Excess::Broker, _) => Some(&share.broker),
            (Excess::Topic, _) => None,
        }
    }

    /// Why there is no memory, in short.
    fn shortage(&self, wanted: Wanted<'_>) -> String {
        self.excess(wanted).unwrap_or_else(|| {
            let (used, limit) = (self.budget().used(), self.budget().limit());
            format!("{used} of {limit} bytes (buffer.memory) are used")
        })
    }

    fn tell_drops(&self, wanted: Wanted<'_>, policy: &str, records: u64) {
        let topic = wanted.topic();
        if let Some(records) = self.drops.count(topic, records, time::now()) {
            let full = self.full(wanted, format!("{records} records were dropped"));
            log::warn!("topic {topic} drops records (full.buffer.policy={policy}): {full}");
        }
    }
}

impl Drops {
    /// Counts; gives the number of records since the log was last told, if it is to be told now.
    fn count(&self, topic: &str, records: u64, now: Instant) -> Option<u64> {
        let mut topics = self.0.lock();
        if !topics.contains_key(topic) {
            // Those that dropped nothing for long begin anew.
            topics.retain(|_, tally| tally.is_silent(now));
            let tally = Tally {
                records: 0,
                silent_until: None,
            };
            topics.insert(topic.to_owned(), tally);
        }
        let tally = topics.get_mut(topic)?;
        tally.records += records;
        if tally.is_silent(now) {
            return None;
        }
        tally.silent_until = time::after(now, SILENCE);
        Some(std::mem::take(&mut tally.records))
    }
}

impl Tally {
    fn is_silent(&self, now: Instant) -> bool {
        self.silent_until.is_some_and(|until| now < until)
    }
}

/// The partition with the oldest batch that may be dropped, and that one's bytes.
fn oldest<'a>(
    partitions: &[&'a Arc<Partition>],
    at: Option<&Arc<Account>>,
) -> Option<(&'a Arc<Partition>, usize)> {
    let found = partitions
        .iter()
        .filter_map(|partition| Some((partition.droppable(at)?, *partition)));
    let ((_, bytes), partition) = found.min_by_key(|((created, _), _)| *created)?;
    Some((partition, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_when_it_begins_and_then_now_and_then() {
        let (drops, start) = (Drops::default(), time::now());
        let at = |seconds| time::after(start, Duration::from_secs(seconds)).expect("a time");
        assert_eq!(drops.count("t", 1, at(0)), Some(1));
        assert_eq!(drops.count("u", 2, at(1)), Some(2), "another topic");
        assert_eq!(drops.count("t", 5, at(1)), None);
        assert_eq!(drops.count("t", 1, at(9)), None);
        assert_eq!(drops.count("t", 1, at(10)), Some(7));
        assert_eq!(drops.count("t", 1, at(11)), None);
        assert_eq!(drops.count("v", 1, at(99)), Some(1));
        assert_eq!(drops.0.lock().len(), 1, "the others are forgotten");
    }
}
