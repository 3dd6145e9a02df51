//! The requests that a connection has not answered yet: the bounded channel between its sender and
//! its receiver.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::accumulator::batch::Batch;
use crate::conn::ReadHalf;
use crate::error::Error;
use crate::sync::{Condvar, Mutex};
use crate::time::{self, Deadline};

/// At most `max` un-answered requests, in the order in which they were written. Kafka answers in
/// that order, so the queue replaces a map by correlation id.
///
/// The sender waits for a free slot *before* it takes batches, so they go on filling while the
/// connection is busy; it announces a request, writes it, and deposits what it wrote. The receiver
/// reads the answer meanwhile. Once the connection is dead, the receiver goes on taking until the
/// sender closes the window: so nothing that is deposited in between is lost.
///
/// The sender may borrow the receiver's half of the connection, to authenticate anew on it: it gets
/// it once everything is answered, and announces nothing before it has given it back.
pub(crate) struct Window<Reader = ReadHalf> {
    max: usize,
    state: Mutex<State<Reader>>,
    changed: Condvar,
}

struct State<Reader> {
    /// Requests announced and not yet read by the receiver, with the moment at which their answer
    /// is overdue.
    announced: VecDeque<Deadline>,
    /// Requests announced and not yet finished.
    un_answered: usize,
    written: VecDeque<InFlight>,
    loan: Loan<Reader>,
    dead: Option<Error>,
    is_closed: bool,
}

/// Where the reading half of the connection is.
enum Loan<Reader> {
    /// With the receiver, which uses it.
    None,
    /// There still, but the sender wants it.
    Wanted,
    /// On its way to the sender.
    Given(Reader),
    /// With the sender.
    Taken,
    /// On its way back.
    Returned(Reader),
}

/// What a receiver has to do next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    /// To read an answer, which is overdue behind the deadline.
    Read(Deadline),
    /// To lend the reader to the sender.
    Lend,
    /// Nothing, but more may come soon: to wait at the socket, where the next answer wakes it up,
    /// and not the announcement too.
    Listen,
}

/// A request that was written.
pub(crate) struct InFlight {
    pub(crate) correlation_id: i32,
    pub(crate) version: i16,
    pub(crate) batches: Vec<Batch>,
}

impl<Reader> State<Reader> {
    fn has_slot(&self, max: usize) -> bool {
        self.un_answered < max
    }
}

impl<Reader> Window<Reader> {
    pub(crate) fn new(max: usize) -> Self {
        let state = State {
            announced: VecDeque::new(),
            un_answered: 0,
            written: VecDeque::new(),
            loan: Loan::None,
            dead: None,
            is_closed: false,
        };
        Self {
            max: max.max(1),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Waits until one more request may be written.
    ///
    /// # Errors
    /// Why the connection died.
    pub(crate) fn wait_for_slot(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(error) = &state.dead {
                return Err(error.clone());
            }
            if state.has_slot(self.max) {
                return Ok(());
            }
            state = self.changed.wait(state, None);
        }
    }

    /// Waits while `count` requests or more are un-answered, but no longer than until `until`.
    pub(crate) fn wait_for_calm(&self, count: usize, until: Option<Instant>) {
        let mut state = self.state.lock();
        while state.un_answered >= count
            && state.dead.is_none()
            && until.is_some_and(|until| until > time::now())
        {
            state = self.changed.wait(state, until);
        }
    }

    /// True if [`wait_for_slot`](Self::wait_for_slot) would return at once.
    #[cfg(test)]
    pub(crate) fn has_slot_or_is_dead(&self) -> bool {
        let state = self.state.lock();
        state.dead.is_some() || state.has_slot(self.max)
    }

    /// A request is about to be written: its answer is due by `deadline`.
    pub(crate) fn announce(&self, deadline: Deadline) {
        let mut state = self.state.lock();
        assert!(state.un_answered < self.max, "a request without a slot");
        state.un_answered += 1;
        state.announced.push_back(deadline);
        drop(state);
        self.changed.notify_all();
    }

    /// The broker reads nothing for so long: what was announced before it said so is answered that
    /// much later (KIP-219).
    pub(crate) fn pause(&self, pause: Duration) {
        let mut state = self.state.lock();
        for deadline in &mut state.announced {
            *deadline = deadline.longer_by(pause);
        }
    }

    /// The announced request was written.
    pub(crate) fn deposit(&self, in_flight: InFlight) {
        let mut state = self.state.lock();
        state.written.push_back(in_flight);
        drop(state);
        self.changed.notify_all();
    }

    /// No more requests will be announced or deposited.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the next request whose answer is to be read, or for the sender to want the reader
    /// once all are; `None` once the window is closed and all are. Where it `may_listen`, it does
    /// not wait.
    pub(crate) fn next_task(&self, may_listen: bool) -> Option<Task> {
        let mut state = self.state.lock();
        loop {
            if let Some(deadline) = state.announced.pop_front() {
                return Some(Task::Read(deadline));
            }
            if state.is_closed {
                return None;
            }
            if matches!(state.loan, Loan::Wanted) {
                return Some(Task::Lend);
            }
            if may_listen {
                return Some(Task::Listen);
            }
            state = self.changed.wait(state, None);
        }
    }

    /// Waits until all requests are answered, and takes the reader from the receiver.
    ///
    /// # Errors
    /// Why the connection died.
    pub(crate) fn borrow_reader(&self) -> Result<Reader, Error> {
        self.state.lock().loan = Loan::Wanted;
        self.changed.notify_all();
        let mut state = self.state.lock();
        loop {
            if let Some(error) = &state.dead {
                return Err(error.clone());
            }
            match std::mem::replace(&mut state.loan, Loan::Taken) {
                Loan::Given(reader) => return Ok(reader),
                other => state.loan = other,
            }
            state = self.changed.wait(state, None);
        }
    }

    /// Gives the reader back to the receiver.
    pub(crate) fn return_reader(&self, reader: Reader) {
        self.state.lock().loan = Loan::Returned(reader);
        self.changed.notify_all();
    }

    /// Gives the sender the reader that it wants, and waits for its return; `None` if the window is
    /// closed meanwhile.
    pub(crate) fn lend_reader(&self, reader: Reader) -> Option<Reader> {
        let mut state = self.state.lock();
        assert_eq!(state.un_answered, 0, "an answer is to be read");
        state.loan = Loan::Given(reader);
        drop(state);
        self.changed.notify_all();
        let mut state = self.state.lock();
        loop {
            match std::mem::replace(&mut state.loan, Loan::None) {
                Loan::Returned(reader) => return Some(reader),
                other => state.loan = other,
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state, None);
        }
    }

    /// The oldest written request, once it is deposited; `None` once the window is closed and
    /// empty.
    pub(crate) fn take(&self) -> Option<InFlight> {
        let mut state = self.state.lock();
        loop {
            if let Some(in_flight) = state.written.pop_front() {
                return Some(in_flight);
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state, None);
        }
    }

    /// A taken request is finished: its slot is free.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock();
        state.un_answered -= 1;
        drop(state);
        self.changed.notify_all();
    }

    /// The connection is of no more use; gives the first cause, of which others follow.
    pub(crate) fn die(&self, error: Error) -> Error {
        let mut state = self.state.lock();
        let first = state.dead.get_or_insert(error).clone();
        drop(state);
        self.changed.notify_all();
        first
    }

    pub(crate) fn death(&self) -> Option<Error> {
        self.state.lock().dead.clone()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state.lock().un_answered == 0
    }
}

#[cfg(test)]
mod tests {
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
            let Some(Task::Read(announced)) = window.next_task(false) else {
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
        let next = || match window.next_task(false) {
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
                assert!(window.next_task(false).is_some());
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
            let announced = scope.spawn(|| window.next_task(false).is_none());
            let taken = scope.spawn(|| window.take().is_none());
            await_waiting(&window, 2);
            window.close();
            assert!(announced.join().expect("no panic") && taken.join().expect("no panic"));
        });
        let window = Window::<()>::new(2);
        window.announce(deadline(9));
        window.deposit(in_flight(1));
        window.close();
        assert!(window.next_task(false).is_some() && window.take().is_some());
        assert!(window.next_task(false).is_none() && window.take().is_none());
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
                    while window.next_task(false).is_some() {
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
            assert!(matches!(window.next_task(false), Some(Task::Read(_))));
            assert!(window.take().is_some());
            assert!(!sender.is_finished());
            window.finish();
            assert!(matches!(window.next_task(false), Some(Task::Lend)));
            assert_eq!(window.lend_reader(7), Some(8));
            sender.join().expect("no panic");
        });
        window.close();
        assert!(window.next_task(false).is_none());
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
                assert!(matches!(window.next_task(false), Some(Task::Lend)));
                window.lend_reader(7)
            });
            assert_eq!(window.borrow_reader().expect("it lives"), 7);
            // A sender that panicked, or whose connection broke.
            window.close();
            assert_eq!(receiver.join().expect("no panic"), None);
        });
    }
}
