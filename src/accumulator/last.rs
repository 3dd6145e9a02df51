//! The topic that a thread sent to last: to find it again costs no lock and counts no reference.

use std::cell::Cell;
use std::sync::atomic::AtomicU64;

use super::topic::View;
use crate::partitioner::Turn;
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, thread_local};

/// The state of what topics can be found as: no two producers, and no two states of one, have the
/// same number.
#[derive(Debug)]
pub(crate) struct Edition(AtomicU64);

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Default for Edition {
    fn default() -> Self {
        Self(AtomicU64::new(next()))
    }
}

impl Edition {
    /// To be read before the look-up that is remembered with it.
    pub(super) fn number(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Forgets what every thread has found. Whoever changes what may be found calls it afterwards.
    pub(super) fn renew(&self) {
        self.0.store(next(), Ordering::Release);
    }
}

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a thread found last.
///
/// It keeps the topic's partitions alive, but not the producer, until the thread sends elsewhere,
/// closes a producer, or ends.
pub(crate) struct Last {
    edition: u64,
    name: Arc<str>,
    pub(crate) view: Arc<View>,
    /// This thread's count of turns there.
    pub(crate) turn: Turn,
}

thread_local! {
    static LAST: Cell<Option<Box<Last>>> = const { Cell::new(None) };
}

/// What this thread found last, if that was this topic in this edition, to be used and
/// [kept](Last::keep).
#[inline]
pub(super) fn recall(edition: u64, name: &str) -> Option<Box<Last>> {
    let last = take()?;
    match last.edition == edition && *last.name == *name {
        true => Some(last),
        false => {
            last.keep();
            None
        }
    }
}

pub(super) fn remember(edition: u64, name: &Arc<str>, view: &Arc<View>) {
    // Its turns go on where only the metadata has changed.
    let same = take().filter(|last| Arc::ptr_eq(&last.view.traffic, &view.traffic));
    let turn = same.map_or_else(|| view.traffic.turns.own(), |last| last.turn);
    let (name, view) = (name.clone(), view.clone());
    let last = Last {
        edition,
        name,
        view,
        turn,
    };
    Box::new(last).keep();
}

/// Lets go of what this thread has found.
pub(crate) fn forget() {
    drop(take());
}

/// Nothing if the thread is about to end.
#[inline]
fn take() -> Option<Box<Last>> {
    LAST.try_with(Cell::take).ok().flatten()
}

impl Last {
    /// For the thread's next send.
    #[inline]
    pub(crate) fn keep(self: Box<Self>) {
        let _ = LAST.try_with(|place| place.set(Some(self)));
    }
}

#[cfg(test)]
mod tests {
    use crate::accumulator::Accumulator;
    use crate::config::Config;
    use crate::sync::Arc;

    fn accumulator() -> Accumulator {
        Accumulator::new(&Config::new("localhost:9092"), Arc::default())
    }

    #[test]
    fn a_topic_is_found_as_it_is_now_however_often_it_was_found_before() {
        let (one, other) = (accumulator(), accumulator());
        let count = |of: &Accumulator, name| of.view(name).map(|view| view.partitions.len());
        let topic = one.insert_topic("orders", 0);
        assert_eq!(
            [count(&one, "orders"), count(&other, "orders")],
            [Some(0), None]
        );
        topic.resize(3, one.shared());
        other.insert_topic("orders", 0).resize(5, other.shared());
        for _ in 0..2 {
            assert_eq!(count(&one, "orders"), Some(3));
            assert_eq!(count(&one, "orders"), Some(3), "recalled");
            assert_eq!(count(&other, "orders"), Some(5));
            assert_eq!(count(&one, "invoices"), None);
        }
        // Somebody else is still at work with the old one.
        let _old = one.view("orders");
        topic.resize(4, one.shared());
        assert_eq!(count(&one, "orders"), Some(4));
        assert!(one.forget(&topic));
        assert_eq!(count(&one, "orders"), None);
    }

    #[test]
    fn what_a_thread_has_forgotten_keeps_no_topic_alive() {
        let accumulator = accumulator();
        let topic = accumulator.insert_topic("orders", 0);
        let view = topic.resize(1, accumulator.shared());
        let partition = Arc::downgrade(&view.partitions[0]);
        assert!(accumulator.view("orders").is_some());
        drop((view, topic, accumulator));
        assert!(partition.upgrade().is_some(), "the next send would find it");
        super::forget();
        assert!(partition.upgrade().is_none());
    }

    #[test]
    fn the_turns_of_a_thread_go_on_when_the_metadata_changes() {
        let accumulator = accumulator();
        let topic = accumulator.insert_topic("orders", 40);
        let turn = || {
            accumulator.view("orders").expect("it is there");
            let last = accumulator.recall("orders").expect("remembered");
            let turn = last.turn.next();
            last.keep();
            turn
        };
        topic.resize(3, accumulator.shared());
        assert_eq!([turn(), turn()], [40, 41]);
        topic.resize(4, accumulator.shared());
        assert_eq!(turn(), 42);
        accumulator.insert_topic("invoices", 0);
        assert!(accumulator.view("invoices").is_some());
        let elsewhere = std::thread::scope(|scope| scope.spawn(turn).join().expect("no panic"));
        assert_eq!(
            [elsewhere, turn()],
            [41, 42],
            "each begins where the topic is"
        );
    }

    /// A partitioner must not send, and what it must not do is no panic.
    #[test]
    fn whoever_looks_up_a_topic_while_another_is_in_use_finds_it() {
        let accumulator = accumulator();
        for name in ["orders", "invoices"] {
            accumulator
                .insert_topic(name, 0)
                .resize(1, accumulator.shared());
        }
        assert!(accumulator.view("orders").is_some());
        let orders = accumulator.recall("orders").expect("remembered");
        assert!(accumulator.view("invoices").is_some() && accumulator.view("orders").is_some());
        orders.keep();
        assert!(accumulator.recall("orders").is_some());
    }
}
