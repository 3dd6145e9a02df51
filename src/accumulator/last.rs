//! The topic that a thread sent to last: to find it again costs no lock.

use std::cell::RefCell;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;

use super::topic::View;
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

/// It keeps nothing of the topic alive: the thread may never send again.
struct Last {
    edition: u64,
    name: Arc<str>,
    view: Weak<View>,
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// What this thread found last, if that was this topic in this edition.
pub(super) fn recall(edition: u64, name: &str) -> Option<Arc<View>> {
    let recall = |last: &RefCell<Option<Last>>| {
        let last = last.borrow();
        let last = last.as_ref()?;
        let is_same = last.edition == edition && *last.name == *name;
        is_same.then(|| last.view.upgrade())?
    };
    // A thread that ends has forgotten.
    LAST.try_with(recall).ok()?
}

pub(super) fn remember(edition: u64, name: &Arc<str>, view: &Arc<View>) {
    let (name, view) = (name.clone(), Arc::downgrade(view));
    let last = Last {
        edition,
        name,
        view,
    };
    // A thread that ends has nothing to remember for.
    let _ = LAST.try_with(|place| *place.borrow_mut() = Some(last));
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
    fn what_a_thread_remembers_keeps_no_topic_alive() {
        let accumulator = accumulator();
        let topic = accumulator.insert_topic("orders", 0);
        let view = topic.resize(1, accumulator.shared());
        let partition = Arc::downgrade(&view.partitions[0]);
        assert!(accumulator.view("orders").is_some());
        drop((view, topic, accumulator));
        assert!(partition.upgrade().is_none());
    }
}
