//! What the partitioners remember of a topic, shared by all threads that send to it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The state of choosing, one for each topic.
#[derive(Debug)]
pub(crate) struct Turns {
    next: Turn,
    dice: AtomicU64,
    /// The partition that records go to until its batch is full, with the bytes it got.
    pub(super) by_bytes: Sticky,
    /// The partition that records go to for a time, with the millisecond in which that began.
    pub(super) by_time: Sticky,
    /// A key has decided where a record went.
    has_keys: AtomicBool,
}

impl Turns {
    /// Any seed will do; different ones keep producers from going the same way.
    pub(crate) const fn new(seed: u32) -> Self {
        Self {
            next: Turn(AtomicU32::new(seed)),
            dice: AtomicU64::new(seed as u64),
            by_bytes: Sticky::new(),
            by_time: Sticky::new(),
            has_keys: AtomicBool::new(false),
        }
    }

    /// The next number; it wraps at 2^32, where one partition may be skipped.
    pub(super) fn next(&self) -> u32 {
        self.next.0.fetch_add(1, Ordering::Relaxed)
    }

    /// A count of one thread's own, which goes on from here.
    pub(crate) fn own(&self) -> Turn {
        Turn(AtomicU32::new(self.next()))
    }

    /// A random number in `0..below`, 0 for 0: SplitMix64, whose state is a counter, so that
    /// threads need no lock.
    pub(super) fn draw(&self, below: u64) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.dice.fetch_add(STEP, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).checked_rem(below).unwrap_or(0)
    }

    pub(super) fn note_key(&self) {
        if !self.has_keys.load(Ordering::Relaxed) {
            self.has_keys.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a key has decided where a record went.
    pub(crate) fn has_keys(&self) -> bool {
        self.has_keys.load(Ordering::Relaxed)
    }
}

/// Whose turn it is.
#[derive(Debug)]
pub(crate) struct Turn(AtomicU32);

impl Turn {
    /// The next number, for the one thread that has this count: each thread goes round all
    /// partitions, so all together are as even.
    #[inline]
    pub(crate) fn next(&self) -> u32 {
        let turn = self.0.load(Ordering::Relaxed);
        self.0.store(turn.wrapping_add(1), Ordering::Relaxed);
        turn
    }
}

/// A partition that records stay with, and a number that says for how long.
#[derive(Debug)]
pub(super) struct Sticky(AtomicU64);

/// `None` before the first choice.
type Stay = Option<(i32, u32)>;

impl Sticky {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Replaces what is there by what `change` makes of it, as one step; the partition.
    pub(super) fn update(&self, mut change: impl FnMut(Stay) -> (i32, u32)) -> i32 {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let (partition, number) = change(unpack(seen));
            let packed = pack(partition, number);
            let (order, orderly) = (Ordering::Relaxed, Ordering::Relaxed);
            match self.0.compare_exchange_weak(seen, packed, order, orderly) {
                Ok(_) => return partition,
                Err(now) => seen = now,
            }
        }
    }
}

/// The upper half is the partition plus one, so that 0 is none.
fn pack(partition: i32, number: u32) -> u64 {
    (u64::from(partition as u32) + 1) << 32 | u64::from(number)
}

fn unpack(packed: u64) -> Stay {
    let partition = (packed >> 32).checked_sub(1)?;
    Some((partition as i32, packed as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stay_comes_back_as_it_was_put() {
        assert_eq!(unpack(0), None);
        for partition in [0, 1, 70_000, i32::MAX - 1, i32::MAX] {
            for number in [0, 1, u32::MAX] {
                assert_eq!(unpack(pack(partition, number)), Some((partition, number)));
            }
        }
    }

    #[test]
    fn draws_are_even_and_depend_on_nothing_but_the_seed() {
        let turns = Turns::new(7);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[turns.draw(7) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_700..10_300).contains(count)));
        let draws = |seed| {
            [(); 8].map(|()| 0).map({
                let turns = Turns::new(seed);
                move |_: i32| turns.draw(1000)
            })
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }
}
