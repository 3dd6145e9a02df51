//! Producer id, epoch and sequence numbers: what lets a broker recognise a batch that it has
//! already.
//!
//! Per producer id and partition a broker takes only the next sequence of the current epoch, or 0
//! of a higher epoch, and answers a batch that equals one of its last five as a success. It knows
//! nothing across epochs. So the same identity and the same sequences are always safe to send
//! again; a new epoch is safe only for a batch of which no copy was or may have been appended.

use std::time::{Duration, Instant};

/// What a broker knows a producer by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

/// An identity with its place in the succession of this producer's identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) identity: Identity,
    pub(crate) generation: u64,
}

/// The most batches of a partition on the wire: a broker remembers five.
pub(crate) const REMEMBERED: usize = 5;

/// A broker may have dropped what it knew of a partition that rested for so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(5);

/// What goes into the header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) identity: Identity,
    pub(crate) base_sequence: i32,
}

impl Stamp {
    /// Of a producer that is not idempotent.
    pub(crate) const NONE: Self = Self {
        identity: Identity {
            producer_id: -1,
            epoch: -1,
        },
        base_sequence: -1,
    };
}

/// Where a partition is in its sequences.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    /// The identity in use; it outlives metadata and leaders.
    current: Option<Current>,
    next: i32,
    /// The highest sequence that was acknowledged under this identity.
    acked: Option<i32>,
    /// The leader has accepted a batch of this identity: it will refuse one that is out of order.
    /// Until then it takes any first sequence (KAFKA-15591), so one batch goes alone.
    is_proven: bool,
    /// A batch has failed whose sequences may be in the log: nothing new until that is settled.
    pub(crate) is_draining: bool,
    /// The log that the sequences were for is gone with its topic.
    has_lost_log: bool,
    /// The generation that must not be used again.
    outgrown: Option<u64>,
    rested_since: Option<Instant>,
    /// It has rested for so long that the broker may have forgotten it, and nothing was
    /// acknowledged since.
    may_be_forgotten: bool,
}

impl Sequences {
    #[cfg(test)]
    pub(super) fn preset(current: Current, next: i32) -> Self {
        Self {
            current: Some(current),
            next,
            acked: Some(next - 1),
            ..Self::default()
        }
    }

    /// True if a new batch may get a sequence now. `has_flights`: batches of this identity are
    /// unsettled.
    pub(crate) fn may_stamp(&self, has_flights: bool, generation: u64) -> bool {
        let current = self.current.map_or(0, |current| current.generation);
        !self.is_draining
            && match has_flights {
                true => current == generation,
                // An older one was read by a sender before the partition moved on.
                false => generation >= current && self.outgrown.is_none_or(|old| generation > old),
            }
    }

    /// How many batches may be on the wire.
    pub(crate) fn on_wire_max(&self) -> usize {
        if self.is_proven { REMEMBERED } else { 1 }
    }

    /// The stamp of the next `records` records. A partition without unsettled batches moves to the
    /// newest identity.
    pub(crate) fn stamp(
        &mut self,
        newest: Current,
        has_flights: bool,
        records: u32,
        now: Instant,
    ) -> Stamp {
        let has_rested = self.rested_since.is_some_and(|since| {
            !has_flights && now.saturating_duration_since(since) >= FORGOTTEN_AFTER
        });
        if !has_flights && self.current != Some(newest) {
            *self = Self {
                current: Some(newest),
                ..Self::default()
            };
        }
        if has_rested {
            self.is_proven = false;
            self.may_be_forgotten = true;
        }
        let base_sequence = self.next;
        self.next = advance(self.next, records);
        let identity = self
            .current
            .map_or(newest.identity, |current| current.identity);
        Stamp {
            identity,
            base_sequence,
        }
    }

    /// The next leader has to prove itself.
    pub(crate) fn moved(&mut self) {
        self.is_proven = false;
    }

    pub(crate) fn acked(&mut self, base_sequence: i32, records: u32) {
        let last = advance(base_sequence, records.saturating_sub(1));
        if self.acked.is_none_or(|acked| is_above(last, acked)) {
            self.acked = Some(last);
        }
        (self.is_proven, self.may_be_forgotten) = (true, false);
    }

    /// The partition has nothing on the wire.
    pub(crate) fn rest(&mut self, now: Instant) {
        self.rested_since = Some(now);
    }

    /// True if the broker may have dropped what it knew of us, so that a sequence which follows the
    /// last is out of order to it.
    pub(crate) fn may_be_forgotten(&self) -> bool {
        self.may_be_forgotten
    }

    /// The highest sequence that the log of this identity is known to have had.
    pub(crate) fn acked_up_to(&self) -> Option<i32> {
        self.acked
    }

    /// The sequence behind the last that was acknowledged.
    pub(crate) fn expected(&self) -> i32 {
        self.acked.map_or(0, |acked| advance(acked, 1))
    }

    /// True if everything that got a sequence is known to be in the log.
    pub(crate) fn is_settled(&self) -> bool {
        self.expected() == self.next && !self.has_lost_log
    }

    /// The topic was made anew: nothing more under this identity.
    pub(crate) fn lose_log(&mut self) {
        (self.has_lost_log, self.acked) = (true, None);
        self.is_draining = true;
    }

    pub(crate) fn has_lost_log(&self) -> bool {
        self.has_lost_log
    }

    /// True if some batch got a sequence of the identity in use.
    pub(crate) fn is_in_use(&self) -> bool {
        self.current.is_some()
    }

    /// Gives the identity up: the next batch needs a newer one. The generation that is no good any
    /// more.
    pub(crate) fn outgrow(&mut self) -> u64 {
        let generation = self.current.map_or(0, |current| current.generation);
        *self = Self {
            outgrown: Some(generation),
            ..Self::default()
        };
        generation
    }
}

/// Sequences count from 0 to 2^31 - 1 and start over.
pub(crate) fn advance(sequence: i32, by: u32) -> i32 {
    ((sequence as u32).wrapping_add(by) & i32::MAX as u32) as i32
}

fn is_above(sequence: i32, other: i32) -> bool {
    let ahead = (sequence as u32).wrapping_sub(other as u32) & i32::MAX as u32;
    ahead != 0 && ahead < 1 << 30
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(epoch: i16, generation: u64) -> Current {
        Current {
            identity: Identity {
                producer_id: 7,
                epoch,
            },
            generation,
        }
    }

    #[test]
    fn sequences_start_over_at_two_to_the_31() {
        assert_eq!(advance(i32::MAX - 7, 10), 2);
        assert_eq!(advance(i32::MAX, 1), 0);
        assert!(is_above(2, i32::MAX - 7) && !is_above(i32::MAX - 7, 2) && !is_above(5, 5));
    }

    #[test]
    fn a_partition_moves_to_a_newer_identity_once_nothing_of_the_older_is_unsettled() {
        let now = crate::time::now();
        let mut sequences = Sequences::default();
        let first = sequences.stamp(current(0, 1), false, 10, now);
        assert_eq!((first.identity.epoch, first.base_sequence), (0, 0));
        assert!(!sequences.may_stamp(true, 2), "two epochs in flight");
        assert!(sequences.may_stamp(false, 2));
        sequences.acked(0, 10);
        let next = sequences.stamp(current(1, 2), false, 5, now);
        assert_eq!((next.identity.epoch, next.base_sequence), (1, 0));
        assert_eq!(sequences.on_wire_max(), 1, "a new epoch is not proven");
    }

    #[test]
    fn a_partition_never_goes_back_to_an_older_identity() {
        let now = crate::time::now();
        let mut sequences = Sequences::default();
        let _ = sequences.stamp(current(1, 2), false, 1, now);
        sequences.acked(0, 1);
        assert!(!sequences.may_stamp(false, 1) && sequences.may_stamp(false, 2));
    }

    #[test]
    fn an_outgrown_identity_is_never_used_again() {
        let now = crate::time::now();
        let mut sequences = Sequences::default();
        let _ = sequences.stamp(current(3, 9), false, 1, now);
        assert_eq!(sequences.outgrow(), 9);
        assert!(!sequences.may_stamp(false, 9));
        assert!(sequences.may_stamp(false, 10));
    }

    #[test]
    fn a_rest_makes_the_leader_prove_itself_again() {
        let start = crate::time::now();
        let mut sequences = Sequences::default();
        let _ = sequences.stamp(current(0, 1), false, 1, start);
        sequences.acked(0, 1);
        sequences.rest(start);
        assert_eq!(sequences.on_wire_max(), REMEMBERED);
        let _ = sequences.stamp(current(0, 1), false, 1, start + FORGOTTEN_AFTER);
        assert_eq!(sequences.on_wire_max(), 1);
        assert!(sequences.may_be_forgotten());
        sequences.acked(1, 1);
        assert!(!sequences.may_be_forgotten());
    }
}
