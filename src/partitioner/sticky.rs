//! Records that stay with one partition for a while: by bytes as Java's built-in partitioner does
//! (KIP-794, by rack KIP-1123), and by time as librdkafka does.

use std::time::Duration;

use super::choice::TopicView;

/// What the choice by bytes asks of the batches that a topic's records wait in.
pub(crate) trait Batches: Sync {
    /// The bytes that the record takes in a batch, and those that a batch has room for.
    fn sizes(&self) -> (usize, usize);

    /// What the record would find in a partition. An open batch that has no room for it does not
    /// linger any more: nobody will fill it.
    fn open(&self, partition: i32) -> Open;

    /// How many batches wait in a partition to be taken by its broker.
    fn waiting(&self, partition: i32) -> u32;

    /// For how long the broker of a partition has had something to take and has taken nothing.
    fn stalled(&self, partition: i32) -> Duration;
}

/// The open batch of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// There is none.
    No,
    /// It has room for the record.
    Room,
    /// It has not.
    Full,
}

/// The settings of staying.
#[derive(Clone, Debug)]
pub(crate) struct StickyRules {
    /// `partitioner.adaptive.partitioning.enable`
    pub(crate) is_adaptive: bool,
    /// `partitioner.availability.timeout.ms`; zero is none.
    pub(crate) availability_timeout: Duration,
    /// How long records stay by time.
    pub(crate) stay: Duration,
}

impl StickyRules {
    /// librdkafka's `sticky.partitioning.linger.ms`, unless `linger.ms` says more.
    pub(crate) const STAY: Duration = Duration::from_millis(10);

    pub(crate) const DEFAULT: Self = Self {
        is_adaptive: true,
        availability_timeout: Duration::ZERO,
        stay: Self::STAY,
    };
}

/// Stays with a partition until the batch there is full, or as many bytes as a batch has room for
/// have gone to it in batches that left before they were full, but no longer than for twice as
/// many: keyed records may keep a batch from ever being full at the right moment.
///
/// Java's rule with one difference: Java counts a batch as full when not even an empty record has
/// room, and therefore mostly stays for a second batch.
pub(super) fn by_bytes(view: &TopicView<'_>, rules: &StickyRules) -> i32 {
    let (bytes, room) = view.batches.sizes();
    let amount = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    view.turns.by_bytes.update(|stay| match stay {
        Some((partition, sent)) if !is_over(view, partition, sent as usize, (bytes, room)) => {
            (partition, sent.saturating_add(amount(bytes)))
        }
        _ => (another(view, rules), amount(bytes)),
    })
}

fn is_over(
    view: &TopicView<'_>,
    partition: i32,
    sent: usize,
    (bytes, room): (usize, usize),
) -> bool {
    if view.is_lost(partition) {
        return true;
    }
    // The batch is asked only where it may be full: that takes its partition's lock.
    if sent + bytes < room - room / 4 {
        return false;
    }
    match view.batches.open(partition) {
        Open::Full => true,
        Open::No => sent >= room,
        Open::Room => sent >= room.saturating_mul(2),
    }
}

/// The partition to go to next: in the producer's rack if it has any, with shorter queues preferred
/// if that is wanted.
fn another(view: &TopicView<'_>, rules: &StickyRules) -> i32 {
    let pools = [view.near, view.available];
    if rules.is_adaptive {
        let weighted = pools.iter().find_map(|pool| weighted(view, pool, rules));
        if let Some(partition) = weighted {
            return partition;
        }
    }
    match pools.into_iter().find(|pool| !pool.is_empty()) {
        Some(pool) => pool[view.turns.draw(pool.len() as u64) as usize],
        None => view.turns.draw(view.count.into()) as i32,
    }
}

/// One of `pool`, by weights: one more than the longest queue has, less what its own has. `None` if
/// the broker of none has taken anything for too long.
fn weighted(view: &TopicView<'_>, pool: &[i32], rules: &StickyRules) -> Option<i32> {
    let limit = rules.availability_timeout;
    let queues: Vec<(i32, u64)> = pool
        .iter()
        .map(|partition| (*partition, view.batches.waiting(*partition).into()))
        .filter(|(partition, waiting)| {
            *waiting == 0 || limit.is_zero() || view.batches.stalled(*partition) <= limit
        })
        .collect();
    let ceiling = queues.iter().map(|(_, waiting)| waiting + 1).max()?;
    let total = queues.iter().map(|(_, waiting)| ceiling - waiting).sum();
    let mut left = view.turns.draw(total);
    let chosen = queues.iter().find(|(_, waiting)| {
        let weight = ceiling - waiting;
        let is_it = left < weight;
        left = left.saturating_sub(weight);
        is_it
    });
    chosen.map(|(partition, _)| *partition)
}

/// Stays with a random partition for a time.
pub(super) fn by_time(view: &TopicView<'_>, rules: &StickyRules) -> i32 {
    // The lower half of the clock: a jump of it only ends the stay.
    let now = view.now_ms as u32;
    let stay = rules.stay.as_millis();
    view.turns.by_time.update(|current| match current {
        Some((partition, since))
            if !view.is_lost(partition) && u128::from(now.wrapping_sub(since)) < stay =>
        {
            (partition, since)
        }
        _ => (random(view), now),
    })
}

/// Any partition; if that has no leader, once more any.
pub(super) fn random(view: &TopicView<'_>) -> i32 {
    let any = || view.turns.draw(view.count.into()) as i32;
    let first = any();
    match view.has_leader(first) {
        true => first,
        false => any(),
    }
}

#[cfg(test)]
mod tests;
