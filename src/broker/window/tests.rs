//! Tests of the requests that are not answered.

use super::*;
use crate::broker::tests::{in_flight, reset};
use crate::error::ErrorKind;

fn deadline(seconds: u64) -> Deadline {
    Deadline::within(Duration::from_secs(seconds))
}

/// Waits until `count` threads wait on the window.
fn await_waiting<Reader>(window: &Window<Reader>, count: usize) {
    while window.changed.waiting() < count {
        std::thread::yield_now();
    }
}

#[test]
fn requests_come_out_in_order_each_with_its_deadline() {
    let window = Window::<()>::new(3);
    for (id, seconds) in [(1, 10), (2, 20), (3, 30)] {
        assert!(window.wait_for_slot().is_ok());
        window.announce(deadline(seconds));
        window.deposit(in_flight(id));
    }
    assert!(!window.is_idle());
    for (id, seconds) in [(1, 10), (2, 20), (3, 30)] {
        let Some(Task::Read(announced)) = window.next_task(Ear::Shut) else {
            panic!("request {id} was announced");
        };
        assert_eq!(announced.limit(), Duration::from_secs(seconds));
        assert_eq!(window.take().map(|taken| taken.correlation_id), Some(id));
        window.finish();
    }
    assert!(window.is_idle());
}

#[test]
fn a_pause_counts_for_all_requests_that_wait_for_their_answer() {
    let window = Window::<()>::new(4);
    for seconds in [10, 20, 30] {
        window.announce(deadline(seconds));
    }
    let next = || match window.next_task(Ear::Shut) {
        Some(Task::Read(deadline)) => Some(deadline.limit().as_secs()),
        _ => None,
    };
    assert_eq!(next(), Some(10));
    window.pause(Duration::from_secs(1));
    assert_eq!(next(), Some(21));
    window.pause(Duration::from_secs(2));
    window.announce(deadline(40));
    assert_eq!((next(), next()), (Some(33), Some(40)));
}

#[test]
fn a_receiver_listens_where_it_has_nothing_to_do_and_tells_what_it_heard() {
    let window = Window::<()>::new(2);
    assert!(matches!(window.next_task(Ear::Open), Some(Task::Listen)));
    window.announce(deadline(9));
    assert!(matches!(window.next_task(Ear::Heard), Some(Task::Read(_))));
    assert!(!window.is_spoilt(), "that was the answer");
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| window.next_task(Ear::Heard));
        await_waiting(&window, 1);
        assert!(window.is_spoilt());
        window.close();
        assert!(receiver.join().expect("no panic").is_none());
    });
    assert!(window.next_task(Ear::Open).is_none(), "closed");
}

#[test]
fn a_batch_that_is_not_full_waits_for_an_answer_or_for_its_time() {
    let window = Window::<()>::new(5);
    let later = time::after(time::now(), Duration::from_secs(60));
    window.announce(deadline(9));
    window.wait_for_calm(2, later);
    window.announce(deadline(9));
    window.wait_for_calm(2, time::after(time::now(), Duration::from_millis(1)));
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| window.wait_for_calm(2, later));
        await_waiting(&window, 1);
        assert!(!sender.is_finished());
        window.finish();
        sender.join().expect("no panic");
        window.announce(deadline(9));
        let sender = scope.spawn(|| window.wait_for_calm(2, later));
        await_waiting(&window, 1);
        window.die(reset());
        sender.join().expect("no panic");
    });
}

#[test]
fn the_slots_are_as_many_as_asked_for_and_at_least_one() {
    for (max, slots) in [(0, 1), (1, 1), (3, 3)] {
        let window = Window::<()>::new(max);
        std::thread::scope(|scope| {
            for _ in 0..slots {
                assert!(window.wait_for_slot().is_ok());
                window.announce(deadline(9));
            }
            let waiter = scope.spawn(|| window.wait_for_slot());
            await_waiting(&window, 1);
            window.deposit(in_flight(1));
            assert!(window.take().is_some());
            assert!(!waiter.is_finished(), "answered is not finished");
            window.finish();
            assert!(waiter.join().expect("no panic").is_ok());
        });
    }
}

#[test]
fn a_death_ends_the_wait_for_a_slot_with_its_first_cause() {
    let window = Window::<()>::new(1);
    window.announce(deadline(9));
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| window.wait_for_slot());
        await_waiting(&window, 1);
        window.die(reset());
        window.die(Error::new(ErrorKind::Closed, "later"));
        let error = waiter.join().expect("no panic").expect_err("it is dead");
        assert_eq!(error.to_string(), "connection reset");
    });
    let error = window.wait_for_slot().map_err(|error| error.kind());
    assert_eq!(error, Err(ErrorKind::Connection));
    assert!(window.death().is_some());
}

/// The receiver finds the connection dead between the sender's announcement and its deposit.
#[test]
fn what_is_deposited_after_the_death_is_not_lost() {
    let window = Window::<()>::new(2);
    window.announce(deadline(9));
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            assert!(window.next_task(Ear::Shut).is_some());
            window.die(reset());
            std::iter::from_fn(|| window.take())
                .map(|taken| taken.correlation_id)
                .collect::<Vec<_>>()
        });
        await_waiting(&window, 1);
        window.deposit(in_flight(4));
        window.announce(deadline(9));
        window.deposit(in_flight(5));
        window.close();
        assert_eq!(receiver.join().expect("no panic"), [4, 5]);
    });
}

#[test]
fn the_close_ends_both_waits_of_the_receiver_once_nothing_is_left() {
    let window = Window::<()>::new(2);
    std::thread::scope(|scope| {
        let announced = scope.spawn(|| window.next_task(Ear::Shut).is_none());
        let taken = scope.spawn(|| window.take().is_none());
        await_waiting(&window, 2);
        window.close();
        assert!(announced.join().expect("no panic") && taken.join().expect("no panic"));
    });
    let window = Window::<()>::new(2);
    window.announce(deadline(9));
    window.deposit(in_flight(1));
    window.close();
    assert!(window.next_task(Ear::Shut).is_some() && window.take().is_some());
    assert!(window.next_task(Ear::Shut).is_none() && window.take().is_none());
}

/// A sender and a receiver with every length of window: all requests come through, in order,
/// never more than fit.
#[test]
fn a_busy_window_never_holds_more_than_its_slots() {
    for max in 1..=5 {
        let window = Window::<()>::new(max);
        std::thread::scope(|scope| {
            let receiver = scope.spawn(|| {
                let mut ids = Vec::new();
                while window.next_task(Ear::Shut).is_some() {
                    let taken = window.take().expect("announced, so it is deposited");
                    ids.push(taken.correlation_id);
                    assert!(window.state.lock().un_answered <= max);
                    window.finish();
                }
                ids
            });
            for id in 0..2000 {
                window.wait_for_slot().expect("it lives");
                window.announce(deadline(9));
                window.deposit(in_flight(id));
            }
            window.close();
            let ids = receiver.join().expect("no panic");
            assert_eq!(ids, (0..2000).collect::<Vec<_>>());
        });
    }
}

#[test]
fn the_reader_is_lent_once_everything_is_answered_and_comes_back() {
    let window = Window::new(2);
    window.announce(deadline(9));
    window.deposit(in_flight(1));
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let reader = window.borrow_reader().expect("it lives");
            assert!(window.is_idle());
            window.return_reader(reader + 1);
        });
        await_waiting(&window, 1);
        assert!(matches!(window.next_task(Ear::Shut), Some(Task::Read(_))));
        assert!(window.take().is_some());
        assert!(!sender.is_finished());
        window.finish();
        assert!(matches!(window.next_task(Ear::Shut), Some(Task::Lend)));
        assert_eq!(window.lend_reader(7), Some(8));
        sender.join().expect("no panic");
    });
    window.close();
    assert!(window.next_task(Ear::Shut).is_none());
}

#[test]
fn who_waits_for_the_reader_learns_of_the_death_and_who_lent_it_of_the_close() {
    let window = Window::<u8>::new(1);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| window.borrow_reader());
        await_waiting(&window, 1);
        window.die(reset());
        let error = sender.join().expect("no panic").expect_err("it is dead");
        assert_eq!(error.to_string(), "connection reset");
    });
    let window = Window::new(1);
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            assert!(matches!(window.next_task(Ear::Shut), Some(Task::Lend)));
            window.lend_reader(7)
        });
        assert_eq!(window.borrow_reader().expect("it lives"), 7);
        // A sender that panicked, or whose connection broke.
        window.close();
        assert_eq!(receiver.join().expect("no panic"), None);
    });
}
