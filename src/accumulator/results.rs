//! The results of one partition, told in the order in which its batches were opened.
//!
//! A batch may be settled before an older one: it is acknowledged while that one waits to be sent
//! again. Then its result waits here for the older one's, whose time runs out no later than its
//! own. Results are told outside the partition's lock, by one thread at a time: whoever comes
//! meanwhile leaves its result to that thread.

use std::collections::VecDeque;
use std::time::Instant;

#[cfg(test)]
use super::coverage;
use crate::delivery::{Completion, Resolution};
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

struct Entry {
    completion: Arc<Completion>,
    created: Instant,
    /// With the number of records.
    result: Option<(Resolution, u32)>,
}

/// A result whose turn has come.
#[must_use]
pub(crate) struct Told {
    completion: Arc<Completion>,
    resolution: Resolution,
    records: u32,
}

impl Results {
    /// A batch was opened; its place.
    pub(crate) fn open(&mut self, completion: Arc<Completion>, created: Instant) -> u64 {
        self.entries.push_back(Entry {
            completion,
            created,
            result: None,
        });
        self.first + self.entries.len() as u64 - 1
    }

    /// The result of the batch at `place`; false if it has one already.
    pub(crate) fn put(&mut self, place: u64, records: u32, resolution: Resolution) -> bool {
        let index = place.checked_sub(self.first).map(|index| index as usize);
        let index = index.filter(|index| *index > 0 || !self.is_telling);
        let entry = index.and_then(|index| self.entries.get_mut(index));
        let Some(entry) = entry.filter(|entry| entry.result.is_none()) else {
            return false;
        };
        if let Err(failure) = &resolution {
            self.lost.get_or_insert_with(|| failure.error.clone());
        }
        entry.result = Some((resolution, records));
        #[cfg(test)]
        coverage::told(place == self.first);
        true
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
        let (resolution, records) = first.result.take()?;
        self.is_telling = true;
        Some(Told {
            completion: first.completion.clone(),
            resolution,
            records,
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
        let mut others = self.entries.iter().skip(usize::from(self.is_telling));
        let oldest = others.find(|entry| entry.result.is_none())?;
        Some(oldest.created)
    }
}

impl Entry {
    /// Its batch was dropped, and that is its result.
    fn is_lost(&self) -> bool {
        self.result.is_none() && self.completion.is_told()
    }
}

impl Told {
    /// Tells it, and counts it before anybody can see it.
    pub(crate) fn tell(self, metrics: &Metrics) {
        let counter = match &self.resolution {
            Ok(_) => &metrics.delivered,
            Err(failure) if failure.error.outcome() == Outcome::NotWritten => &metrics.failed,
            Err(_) => &metrics.unknown,
        };
        let records = u64::from(self.records);
        self.completion
            .resolve_and(self.resolution, || counter.add(records));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callbacks::CallbackQueue;
    use crate::delivery::{Acknowledged, NoHurry};
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
        assert!(results.put(2, 10, acked()) && results.put(1, 10, acked()));
        tell_all(&mut results, &metrics);
        assert_eq!(results.untold().count(), 3);
        assert_eq!(results.oldest(), Some(results.entries[0].created));
        let error = Error::new(ErrorKind::TimedOut, "late").with_outcome(Outcome::Unknown);
        assert!(results.put(0, 4, Err(error.into())));
        assert!(!results.put(0, 4, acked()), "a second result");
        tell_all(&mut results, &metrics);
        assert!(completions.iter().all(|completion| completion.is_told()));
        assert_eq!((results.untold().count(), results.oldest()), (0, None));
        let counted = (metrics.delivered.total(), metrics.unknown.total());
        assert_eq!(counted, (20, 4));
        assert!(!results.put(1, 10, acked()), "long told");
        assert_eq!(results.open(completion(), time::now()), 3);
    }

    #[test]
    fn one_thread_tells_at_a_time_and_sees_to_what_comes_meanwhile() {
        let (mut results, completions) = opened(2);
        let metrics = Metrics::default();
        assert!(results.put(0, 1, acked()));
        let first = results.next().expect("its turn");
        assert!(!results.put(0, 1, acked()), "it is being told");
        assert!(results.put(1, 1, acked()));
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
        assert!(results.put(1, 1, acked()));
        let error = Error::new(ErrorKind::Closed, "lost");
        assert!(completions[0].resolve(Err(error.into())));
        tell_all(&mut results, &metrics);
        assert!(completions[1].is_told());
    }
}
