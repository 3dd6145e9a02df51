//! Callers that wait for memory, those that give it back, and the close.

use super::world::HOUR;
use super::{check, choose};
use crate::accumulator::budget::{Budget, Refused};
use crate::sync::Arc;
use crate::sync::thread;
use crate::time::{self, virtual_clock};

const LIMIT: usize = 100;

fn assert_unused(budget: &Budget) {
    assert_eq!(budget.used(), 0);
    assert!(!budget.is_pressed());
}

/// Takes memory as a batch does: some, more, and back to what it needs.
fn hold(budget: &Arc<Budget>, bytes: usize) -> Result<(), Refused> {
    let mut grant = budget.acquire(bytes, None, || ())?;
    assert!(budget.used() <= LIMIT);
    if let Some(more) = budget.try_acquire(bytes / 2) {
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
            thread::spawn(move || (0..2).all(|_| hold(&budget, bytes).is_ok()))
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
        let all = budget.acquire(LIMIT, None, || ()).expect("all of it");
        let waiting = [70, 1].map(|bytes| {
            let budget = budget.clone();
            thread::spawn(move || hold(&budget, bytes))
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
            .acquire(LIMIT - 30, None, || ())
            .expect("room for a part");
        let rest = budget.acquire(30, None, || ()).expect("room for the rest");
        let until = time::after(time::now(), HOUR);
        let impatient = {
            let budget = budget.clone();
            thread::spawn(move || budget.acquire(LIMIT, until, || ()).map(drop))
        };
        let patient = [20, 10].map(|bytes| {
            let budget = budget.clone();
            thread::spawn(move || hold(&budget, bytes))
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
