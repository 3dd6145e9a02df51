//! Callers that wait for memory, those that give it back, and the close.

use super::world::HOUR;
use super::{check, choose};
use crate::accumulator::budget::{Budget, Refused, Share};
use crate::sync::Arc;
use crate::sync::thread;
use crate::time::{self, virtual_clock};

const LIMIT: usize = 100;

fn assert_unused(budget: &Budget) {
    assert_eq!(budget.used(), 0);
    assert!(!budget.is_pressed());
}

/// A topic of its own, led by a broker of its own.
fn share() -> Share {
    Share {
        topic: Arc::default(),
        broker: Arc::default(),
    }
}

/// Takes memory as a batch does: some, more, and back to what it needs.
fn hold(budget: &Arc<Budget>, share: Option<&Share>, bytes: usize) -> Result<(), Refused> {
    let mut grant = budget.acquire(share, bytes, None, || ())?;
    assert!(budget.used() <= LIMIT);
    if let Some(more) = budget.try_acquire(share, bytes / 2) {
        grant.merge(more);
        assert!(budget.used() <= LIMIT);
        grant.shrink_to(bytes / 3);
    }
    Ok(())
}

#[test]
fn everybody_who_waits_for_memory_gets_it_and_all_of_it_comes_back() {
    check(|| {
        let budget = Budget::new(LIMIT);
        let holders = [100, 60, 50, 1].map(|bytes| {
            let budget = budget.clone();
            thread::spawn(move || (0..2).all(|_| hold(&budget, None, bytes).is_ok()))
        });
        for holder in holders {
            assert!(holder.join().expect("the model does not panic"));
        }
        assert_unused(&budget);
    });
}

#[test]
fn the_close_refuses_all_who_wait_for_memory() {
    check(|| {
        let budget = Budget::new(LIMIT);
        let all = budget.acquire(None, LIMIT, None, || ()).expect("all of it");
        let waiting = [70, 1].map(|bytes| {
            let budget = budget.clone();
            thread::spawn(move || hold(&budget, None, bytes))
        });
        budget.close();
        let all = (choose(2) == 0).then_some(all);
        for waiter in waiting {
            let outcome = waiter.join().expect("the model does not panic");
            assert_eq!(outcome, Err(Refused::Closed));
        }
        drop(all);
        assert_unused(&budget);
    });
}

/// Who was first wants more than there is, and gives up: those behind it have what is there.
#[test]
fn who_gives_up_lets_those_behind_have_what_is_there() {
    check(|| {
        let budget = Budget::new(LIMIT);
        let held = budget
            .acquire(None, LIMIT - 30, None, || ())
            .expect("room for a part");
        let rest = budget
            .acquire(None, 30, None, || ())
            .expect("room for the rest");
        let until = time::after(time::now(), HOUR);
        let impatient = {
            let budget = budget.clone();
            thread::spawn(move || budget.acquire(None, LIMIT, until, || ()).map(drop))
        };
        let patient = [20, 10].map(|bytes| {
            let budget = budget.clone();
            thread::spawn(move || hold(&budget, None, bytes))
        });
        virtual_clock::set(HOUR);
        drop(rest);
        for waiter in patient {
            let outcome = waiter.join().expect("the model does not panic");
            assert_eq!(outcome, Ok(()));
        }
        let outcome = impatient.join().expect("the model does not panic");
        assert_eq!(outcome, Err(Refused::Full));
        drop(held);
        assert_unused(&budget);
    });
}

/// One broker is dead and has its share; what others hold comes back. The dead one's waiter holds
/// up nobody, although it was first, and gets its turn when the dead one gives back.
#[test]
fn who_waits_for_a_dead_broker_holds_up_only_himself() {
    check(|| {
        let budget = Budget::new(LIMIT);
        let [dead, healthy] = [share(), share()];
        let grant = budget.try_acquire(Some(&dead), LIMIT - 10);
        let waits = {
            let budget = budget.clone();
            let dead = dead.clone();
            thread::spawn(move || hold(&budget, Some(&dead), 5))
        };
        let go_on = [9, 6].map(|bytes| {
            let (budget, healthy) = (budget.clone(), healthy.clone());
            thread::spawn(move || (0..2).all(|_| hold(&budget, Some(&healthy), bytes).is_ok()))
        });
        for one in go_on {
            assert!(one.join().expect("the model does not panic"));
        }
        drop(grant.expect("nobody else was there"));
        assert_eq!(waits.join().expect("the model does not panic"), Ok(()));
        assert_unused(&budget);
        assert_eq!((dead.broker.held(), healthy.broker.held()), (0, 0));
    });
}

/// Two topics at two brokers, and callbacks: whoever waits apart, behind a broker or first, is
/// served at last.
#[test]
fn everybody_is_served_whatever_he_waits_for() {
    check(|| {
        let budget = Budget::new(LIMIT);
        let [one, two] = [share(), share()];
        let across = Share {
            topic: one.topic.clone(),
            broker: two.broker.clone(),
        };
        let wanted = [
            (Some(one), 100),
            (Some(two), 60),
            (Some(across), 45),
            (None, 5),
        ];
        let holders = wanted.map(|(share, bytes)| {
            let budget = budget.clone();
            thread::spawn(move || (0..2).all(|_| hold(&budget, share.as_ref(), bytes).is_ok()))
        });
        for holder in holders {
            assert!(holder.join().expect("the model does not panic"));
        }
        assert_unused(&budget);
    });
}
