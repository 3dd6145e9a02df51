//! The results of one partition, told in the order in which its batches were opened.
//!
//! A batch may be settled before an older one: it is acknowledged while that one waits to be sent
//! again. Then its result waits here for the older one's, whose time runs out no later than its
//! own. Results are told outside the partition's lock, by one thread at a time: whoever comes
//! meanwhile leaves its result to that thread.

use std::collections::VecDeque;
use std::time::Instant;

use super::budget::Grant;
#[cfg(test)]
use super::coverage;
use crate::delivery::{Completion, Part, Resolution};
use crate::error::{Error, Outcome};
use crate::metrics::Metrics;
use crate::sync::Arc;

/// All batches of a partition whose results are not told, oldest first.
#[derive(Default)]
pub(crate) struct Results {
    entries: VecDeque<Entry>,
    /// The place of the first entry.
    first: u64,
    /// Some thread tells the result of the first entry now, and sees to those behind it.
    is_telling: bool,
    /// Why the first record failed that did since the last [`resume`](Self::resume).
    lost: Option<Error>,
}

/// Consecutive records of a batch: all of them, unless it was split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The place of the batch among the partition's results.
    pub(crate) place: u64,
    /// The index of the first record in the batch as it was opened.
    pub(crate) first: u32,
    pub(crate) records: u32,
}

struct Entry {
    completion: Arc<Completion>,
    created: Instant,
    /// How many pieces have no result.
    missing: usize,
    parts: Vec<Part>,
    counts: Counts,
    /// What it still holds of the buffer.
    kept: Option<Grant>,
}

/// How many records came to which end.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    delivered: u64,
    failed: u64,
    unknown: u64,
}

/// A result whose turn has come.
#[must_use]
pub(crate) struct Told {
    completion: Arc<Completion>,
    parts: Vec<Part>,
    counts: Counts,
    kept: Option<Grant>,
}

impl Results {
    /// A batch was opened; its place.
    pub(crate) fn open(&mut self, completion: Arc<Completion>, created: Instant) -> u64 {
        self.entries.push_back(Entry {
            completion,
            created,
            missing: 1,
            parts: Vec::new(),
            counts: Counts::default(),
            kept: None,
        });
        self.first + self.entries.len() as u64 - 1
    }

    /// One more piece of the batch at `place` will have a result of its own.
    pub(crate) fn split(&mut self, place: u64) {
        if let Some(entry) = self.unsettled(place) {
            entry.missing += 1;
        }
    }

    /// The result of a piece; false if it has one already.
    pub(crate) fn put(&mut self, piece: Piece, resolution: Resolution) -> bool {
        #[cfg(test)]
        let is_next = piece.place == self.first;
        let lost = resolution
            .as_ref()
            .err()
            .map(|failure| failure.error.clone());
        let Some(entry) = self.unsettled(piece.place) else {
            return false;
        };
        let behind = entry.parts.partition_point(|part| part.first < piece.first);
        let same = entry.parts.get(behind);
        if same.is_some_and(|part| part.first == piece.first) {
            return false;
        }
        entry.counts.add(&resolution, piece.records);
        let first = piece.first;
        // One, as a rule.
        entry.parts.reserve_exact(1);
        entry.parts.insert(behind, Part { first, resolution });
        entry.missing -= 1;
        if let Some(error) = lost {
            self.lost.get_or_insert(error);
        }
        #[cfg(test)]
        coverage::told(is_next);
        true
    }

    /// Whether the result of the batch at `place` waits for those of older ones.
    pub(super) fn is_behind(&self, place: u64) -> bool {
        place > self.first
    }

    /// The result of the batch at `place`, which is behind others, holds so much memory until it is
    /// told.
    pub(super) fn keep(&mut self, place: u64, memory: Grant) {
        let index = place.checked_sub(self.first).map(|index| index as usize);
        let entry = index.and_then(|index| self.entries.get_mut(index));
        entry.expect("it is behind others").kept = Some(memory);
    }

    /// The batch at `place`, if a piece of it has no result.
    fn unsettled(&mut self, place: u64) -> Option<&mut Entry> {
        let index = place.checked_sub(self.first)? as usize;
        let entry = self.entries.get_mut(index);
        entry.filter(|entry| entry.missing > 0)
    }

    /// The result that is to be told now. Whoever gets one tells it, and then calls
    /// [`told`](Self::told).
    pub(crate) fn next(&mut self) -> Option<Told> {
        if self.is_telling {
            return None;
        }
        while self.entries.front().is_some_and(Entry::is_lost) {
            self.pop();
        }
        let first = self.entries.front_mut()?;
        if first.missing > 0 {
            return None;
        }
        self.is_telling = true;
        Some(Told {
            completion: first.completion.clone(),
            parts: std::mem::take(&mut first.parts),
            counts: first.counts,
            kept: first.kept.take(),
        })
    }

    /// The last result of [`next`](Self::next) is told; the one that is to be told then.
    pub(crate) fn told(&mut self) -> Option<Told> {
        self.is_telling = false;
        self.pop();
        self.next()
    }

    /// A record is lost whose result comes later.
    pub(crate) fn lose(&mut self, why: impl FnOnce() -> Error) {
        self.lost.get_or_insert_with(why);
    }

    pub(crate) fn lost(&self) -> Option<&Error> {
        self.lost.as_ref()
    }

    /// Forgets what was lost; true if something was.
    pub(crate) fn resume(&mut self) -> bool {
        self.lost.take().is_some()
    }

    fn pop(&mut self) {
        self.entries.pop_front();
        self.first += 1;
    }

    pub(crate) fn untold(&self) -> impl Iterator<Item = &Arc<Completion>> {
        let all = self.entries.iter().map(|entry| &entry.completion);
        all.filter(|completion| !completion.is_told())
    }

    /// When the oldest batch without a result was made.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        let oldest = self.entries.iter().find(|entry| entry.missing > 0)?;
        Some(oldest.created)
    }
}

impl Entry {
    /// Its batch was dropped, and that is its result.
    fn is_lost(&self) -> bool {
        self.missing > 0 && self.completion.is_told()
    }
}

impl Told {
    /// Tells it, and counts it before anybody can see it.
    pub(crate) fn tell(self, metrics: &Metrics) {
        // Free before anybody sees the result.
        drop(self.kept);
        let Counts {
            delivered,
            failed,
            unknown,
        } = self.counts;
        self.completion.resolve_and(self.parts, || {
            metrics.delivered.add(delivered);
            metrics.failed.add(failed);
            metrics.unknown.add(unknown);
        });
    }
}

impl Counts {
    fn add(&mut self, resolution: &Resolution, records: u32) {
        let counter = match resolution {
            Ok(_) => &mut self.delivered,
            Err(failure) if failure.error.outcome() == Outcome::NotWritten => &mut self.failed,
            Err(_) => &mut self.unknown,
        };
        *counter += u64::from(records);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callbacks::CallbackQueue;
    use crate::delivery::{Acknowledged, Delivery, NoHurry, Slot};
    use crate::error::ErrorKind;
    use crate::time;

    fn completion() -> Arc<Completion> {
        let hurry = std::sync::Weak::<NoHurry>::new();
        let callbacks: Arc<CallbackQueue> = Arc::default();
        Arc::new(Completion::new("orders".into(), 3, hurry, &callbacks))
    }

    fn acked() -> Resolution {
        Ok(Acknowledged::default())
    }

    fn whole(place: u64, records: u32) -> Piece {
        Piece {
            place,
            first: 0,
            records,
        }
    }

    /// A partition with so many batches, and their completions.
    fn opened(count: u64) -> (Results, Vec<Arc<Completion>>) {
        let mut results = Results::default();
        let completions: Vec<_> = (0..count).map(|_| completion()).collect();
        for (place, completion) in (0..).zip(&completions) {
            assert_eq!(results.open(completion.clone(), time::now()), place);
        }
        (results, completions)
    }

    fn tell_all(results: &mut Results, metrics: &Metrics) {
        let mut next = results.next();
        while let Some(told) = next {
            told.tell(metrics);
            next = results.told();
        }
    }

    #[test]
    fn a_result_waits_for_those_of_all_older_batches() {
        let (mut results, completions) = opened(3);
        let metrics = Metrics::default();
        assert!(results.put(whole(2, 10), acked()) && results.put(whole(1, 10), acked()));
        tell_all(&mut results, &metrics);
        assert_eq!(results.untold().count(), 3);
        assert_eq!(results.oldest(), Some(results.entries[0].created));
        let error = Error::new(ErrorKind::TimedOut, "late").with_outcome(Outcome::Unknown);
        assert!(results.put(whole(0, 4), Err(error.into())));
        assert!(!results.put(whole(0, 4), acked()), "a second result");
        tell_all(&mut results, &metrics);
        assert!(completions.iter().all(|completion| completion.is_told()));
        assert_eq!((results.untold().count(), results.oldest()), (0, None));
        let counted = (metrics.delivered.total(), metrics.unknown.total());
        assert_eq!(counted, (20, 4));
        assert!(!results.put(whole(1, 10), acked()), "long told");
        assert_eq!(results.open(completion(), time::now()), 3);
    }

    /// Split in two, and the first half once more.
    #[test]
    fn a_batch_that_was_split_has_its_result_once_all_its_pieces_have() {
        let (mut results, completions) = opened(1);
        let metrics = Metrics::default();
        let piece = |first, records| Piece {
            place: 0,
            first,
            records,
        };
        results.split(0);
        let late = Error::new(ErrorKind::TimedOut, "late");
        let at = |offset| {
            Ok(Acknowledged {
                base_offset: Some(offset),
                ..Acknowledged::default()
            })
        };
        assert!(results.put(piece(5, 5), at(70)));
        results.split(0);
        assert!(results.put(piece(0, 3), at(40)) && !results.put(piece(0, 3), at(40)));
        tell_all(&mut results, &metrics);
        assert!(!completions[0].is_told());
        assert!(results.put(piece(3, 2), Err(late.into())));
        tell_all(&mut results, &metrics);
        let delivery = |index| {
            let slot = Slot {
                index,
                timestamp_ms: 0,
                key_size: -1,
                value_size: -1,
            };
            let result = Delivery::new(completions[0].clone(), slot).wait();
            result.map(|metadata| metadata.offset()).ok()
        };
        let offsets: Vec<_> = (0..10).map(|index| delivery(index).flatten()).collect();
        let told =
            [40, 41, 42, -1, -1, 70, 71, 72, 73, 74].map(|offset| (offset > 0).then_some(offset));
        assert_eq!(offsets, told);
        let counted = (metrics.delivered.total(), metrics.failed.total());
        assert_eq!(counted, (8, 2));
    }

    #[test]
    fn one_thread_tells_at_a_time_and_sees_to_what_comes_meanwhile() {
        let (mut results, completions) = opened(2);
        let metrics = Metrics::default();
        assert!(results.put(whole(0, 1), acked()));
        let first = results.next().expect("its turn");
        assert!(!results.put(whole(0, 1), acked()), "it is being told");
        assert!(results.put(whole(1, 1), acked()));
        assert!(results.next().is_none(), "two threads tell");
        assert_eq!(results.untold().count(), 2, "a flush waits for it");
        first.tell(&metrics);
        let second = results.told().expect("left to this thread");
        second.tell(&metrics);
        assert!(results.told().is_none());
        assert!(completions.iter().all(|completion| completion.is_told()));
    }

    #[test]
    fn a_batch_that_was_lost_is_in_nobodys_way() {
        let (mut results, completions) = opened(2);
        let metrics = Metrics::default();
        assert!(results.put(whole(1, 1), acked()));
        let error = Error::new(ErrorKind::Closed, "lost");
        assert!(completions[0].resolve(Err(error.into())));
        tell_all(&mut results, &metrics);
        assert!(completions[1].is_told());
    }
}
