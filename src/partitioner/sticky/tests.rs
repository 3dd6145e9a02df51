//! Tests of staying, against queues that the tests set.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::partitioner::Turns;

const ALL: [i32; 5] = [0, 1, 2, 3, 4];

/// Queues as the test says, and one open batch that is shared by all partitions.
struct Queues {
    bytes: usize,
    room: usize,
    /// What the open batch has; a full one is closed.
    open: AtomicUsize,
    waiting: [u32; 5],
    stalled: [Duration; 5],
}

impl Queues {
    fn new(bytes: usize, room: usize) -> Self {
        Self {
            bytes,
            room,
            open: AtomicUsize::new(0),
            waiting: [0; 5],
            stalled: [Duration::ZERO; 5],
        }
    }
}

impl Batches for Queues {
    fn sizes(&self) -> (usize, usize) {
        (self.bytes, self.room)
    }

    fn open(&self, _: i32) -> Open {
        match self.open.load(Ordering::Relaxed) {
            0 => Open::No,
            bytes if bytes + self.bytes <= self.room => Open::Room,
            _ => Open::Full,
        }
    }

    fn waiting(&self, partition: i32) -> u32 {
        self.waiting[partition as usize]
    }

    fn stalled(&self, partition: i32) -> Duration {
        self.stalled[partition as usize]
    }
}

fn view<'a>(turns: &'a Turns, batches: &'a Queues, available: &'a [i32]) -> TopicView<'a> {
    TopicView {
        topic: "orders",
        count: 5,
        available,
        near: &[],
        turns,
        own_turn: None,
        batches,
        now_ms: 0,
    }
}

fn near<'a>(turns: &'a Turns, batches: &'a Queues, near: &'a [i32]) -> TopicView<'a> {
    TopicView {
        near,
        ..view(turns, batches, &ALL)
    }
}

/// How often each partition comes out of so many choices of another one.
fn frequencies(view: &TopicView<'_>, rules: &StickyRules, choices: u32) -> [u32; 5] {
    let mut counts = [0; 5];
    for _ in 0..choices {
        counts[another(view, rules) as usize] += 1;
    }
    counts
}

/// About `expected` of 1000 each, with a tolerance that seeded draws keep.
#[track_caller]
fn assert_about(found: [u32; 5], expected: [u32; 5]) {
    let total: u32 = expected.iter().sum();
    for (found, expected) in found.iter().zip(expected) {
        let expected = f64::from(expected) / f64::from(total);
        let share = f64::from(*found) / 30_000.0;
        assert!((share - expected).abs() < 0.01, "{found}, not {expected}");
        assert_eq!(expected == 0.0, *found == 0);
    }
}

/// The lengths of the runs in which a partition keeps the records, when `append` says after each
/// record what the open batch has then.
fn runs(batches: &Queues, records: usize, append: impl Fn(usize) -> usize) -> Vec<usize> {
    let turns = Turns::new(3);
    let available: &[i32] = &[0, 1];
    let mut runs = Vec::new();
    let (mut length, mut before) = (0, 0);
    for _ in 0..records {
        let view = view(&turns, batches, available);
        by_bytes(&view, &StickyRules::DEFAULT);
        // A stay begins anew where the bytes of it are those of one record.
        let bytes = stay_bytes(&turns);
        if bytes <= before {
            runs.push(length);
            length = 0;
            batches.open.store(0, Ordering::Relaxed);
        }
        before = bytes;
        length += 1;
        let open = append(batches.open.load(Ordering::Relaxed));
        batches.open.store(open, Ordering::Relaxed);
    }
    runs
}

fn stay_bytes(turns: &Turns) -> u32 {
    let mut bytes = 0;
    turns.by_bytes.update(|stay| {
        let stay = stay.expect("chosen");
        bytes = stay.1;
        stay
    });
    bytes
}

#[test]
fn records_stay_until_the_batch_is_full_or_its_bytes_have_left_in_smaller_ones() {
    // Batches of ten records that nobody takes before they are full.
    let full = runs(&Queues::new(100, 1000), 101, |open| open + 100);
    assert_eq!(full, [10; 10]);
    // Each record is taken at once: the same number of bytes.
    let taken = runs(&Queues::new(100, 1000), 101, |_| 0);
    assert_eq!(taken, [10; 10]);
    // There is always room, because the batch is taken again and again before it is full: twice.
    let room = runs(&Queues::new(100, 1000), 101, |_| 500);
    assert_eq!(room, [20; 5]);
    // A record larger than a batch, and batches of one record each.
    for (bytes, room) in [(5000, 1000), (100, 0)] {
        let large = runs(&Queues::new(bytes, room), 101, |_| 0);
        assert_eq!(large, [1; 100]);
    }
}

/// KIP-794's example, and BuiltInPartitionerTest's: the weights are the longest queue plus one less
/// the own.
#[test]
fn short_queues_are_preferred_by_javas_weights() {
    let (turns, mut queues) = (Turns::new(1), Queues::new(1, 1));
    queues.waiting = [5, 0, 3, 0, 1];
    let adaptive = StickyRules::DEFAULT;
    let found = frequencies(&view(&turns, &queues, &ALL), &adaptive, 30_000);
    assert_about(found, [1, 6, 3, 6, 5]);
    let found = frequencies(&view(&turns, &queues, &[0, 2, 4]), &adaptive, 30_000);
    assert_about(found, [1, 0, 3, 0, 5]);
    // Turned off, they do not count.
    let even = StickyRules {
        is_adaptive: false,
        ..StickyRules::DEFAULT
    };
    let found = frequencies(&view(&turns, &queues, &ALL), &even, 30_000);
    assert_about(found, [1; 5]);
    // Nor do they if they are all the same.
    queues.waiting = [7; 5];
    let found = frequencies(&view(&turns, &queues, &ALL), &adaptive, 30_000);
    assert_about(found, [1; 5]);
}

#[test]
fn partitions_whose_broker_takes_nothing_are_passed_over_unless_all_are() {
    let (turns, mut queues) = (Turns::new(1), Queues::new(1, 1));
    let ms = Duration::from_millis;
    queues.waiting = [1, 1, 0, 1, 1];
    queues.stalled = [ms(101), ms(100), ms(9999), ms(0), ms(5000)];
    let timed = StickyRules {
        availability_timeout: ms(100),
        ..StickyRules::DEFAULT
    };
    // The third has nothing that waits.
    let found = frequencies(&view(&turns, &queues, &ALL), &timed, 30_000);
    assert_about(found, [0, 1, 2, 1, 0]);
    let found = frequencies(&view(&turns, &queues, &ALL), &StickyRules::DEFAULT, 30_000);
    assert_about(found, [1, 1, 2, 1, 1]);
    queues.waiting = [1; 5];
    queues.stalled = [ms(101); 5];
    let found = frequencies(&view(&turns, &queues, &ALL), &timed, 30_000);
    assert_about(found, [1; 5]);
}

#[test]
fn partitions_in_the_own_rack_come_first_while_any_can_be_used() {
    let (turns, mut queues) = (Turns::new(1), Queues::new(1, 1));
    queues.waiting = [5, 0, 3, 0, 9];
    let timed = StickyRules {
        availability_timeout: Duration::from_millis(100),
        ..StickyRules::DEFAULT
    };
    let even = StickyRules {
        is_adaptive: false,
        ..StickyRules::DEFAULT
    };
    let found = frequencies(&near(&turns, &queues, &[0, 2]), &timed, 30_000);
    assert_about(found, [1, 0, 3, 0, 0]);
    let found = frequencies(&near(&turns, &queues, &[0, 2]), &even, 30_000);
    assert_about(found, [1, 0, 1, 0, 0]);
    let found = frequencies(&near(&turns, &queues, &[]), &even, 30_000);
    assert_about(found, [1; 5]);
    // The broker of the own rack takes nothing.
    queues.stalled[0] = Duration::from_secs(1);
    queues.stalled[2] = Duration::from_secs(1);
    let found = frequencies(&near(&turns, &queues, &[0, 2]), &timed, 30_000);
    assert_about(found, [0, 10, 0, 10, 1]);
}

#[test]
fn nothing_stays_with_a_partition_that_is_gone_or_has_no_leader_while_others_have() {
    for stay in [by_bytes, by_time] {
        let (turns, queues) = (Turns::new(1), Queues::new(1, 1_000_000));
        let all = view(&turns, &queues, &ALL);
        let first = stay(&all, &StickyRules::DEFAULT);
        assert_eq!(stay(&all, &StickyRules::DEFAULT), first);
        // Nobody has a leader: it is as good as any.
        let none = view(&turns, &queues, &[]);
        assert_eq!(stay(&none, &StickyRules::DEFAULT), first);
        let others: Vec<i32> = ALL.into_iter().filter(|one| *one != first).collect();
        let without = view(&turns, &queues, &others);
        let mut next = first;
        for _ in 0..100 {
            next = stay(&without, &StickyRules::DEFAULT);
        }
        assert_ne!(next, first);
        // The topic was made anew with fewer partitions.
        let smaller = TopicView {
            count: 1,
            available: &[0],
            ..all
        };
        assert_eq!(stay(&smaller, &StickyRules::DEFAULT), 0);
    }
}

#[test]
fn by_time_a_partition_keeps_the_records_of_ten_milliseconds() {
    let (turns, queues) = (Turns::new(1), Queues::new(1, 1));
    let mut slots: BTreeMap<i64, Vec<i32>> = BTreeMap::new();
    // Across the end of the lower half of the clock.
    let start = i64::from(u32::MAX) - 495;
    for ms in 0..1000 {
        let view = TopicView {
            now_ms: start + ms,
            ..view(&turns, &queues, &ALL)
        };
        let partition = by_time(&view, &StickyRules::DEFAULT);
        slots.entry(ms / 10).or_default().push(partition);
    }
    for slot in slots.values() {
        assert!(slot.iter().all(|partition| *partition == slot[0]));
    }
    let firsts: Vec<i32> = slots.values().map(|slot| slot[0]).collect();
    let changes = firsts.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes > 60, "{changes} of 99, of which chance makes 79");
    // The clock was set back.
    let back = TopicView {
        now_ms: start - 1_000_000,
        ..view(&turns, &queues, &ALL)
    };
    assert!(ALL.contains(&by_time(&back, &StickyRules::DEFAULT)));
}

#[test]
fn random_takes_a_second_draw_and_no_third_where_a_leader_is_missing() {
    let (turns, queues) = (Turns::new(1), Queues::new(1, 1));
    let mut counts = [0; 5];
    for _ in 0..30_000 {
        counts[random(&view(&turns, &queues, &[0, 1])) as usize] += 1;
    }
    // 1/5 at once, and 3/5 of 1/5 by the second draw.
    assert_about(counts, [8, 8, 3, 3, 3]);
}

#[test]
fn threads_together_keep_to_the_bytes_of_a_stay() {
    let (turns, queues) = (Turns::new(1), Queues::new(10, 1000));
    let chosen: Vec<i32> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let one = || by_bytes(&view(&turns, &queues, &ALL), &StickyRules::DEFAULT);
                    (0..25_000).map(|_| one()).collect::<Vec<i32>>()
                })
            })
            .collect();
        let all = threads.into_iter();
        all.flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    // 1000 stays of 100 records each, which come out even but for chance.
    let mut counts = [0; 5];
    chosen
        .iter()
        .for_each(|partition| counts[*partition as usize] += 1);
    let share = 14_000..26_000;
    assert!(
        counts.iter().all(|count| share.contains(count)),
        "{counts:?}"
    );
}
