//! The one thread that runs the application's callbacks, so that a slow one never stops the wire.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Instant;

use crate::delivery::{Callback, Completion};
use crate::process::Process;
use crate::survive::survive;
use crate::sync::{Arc, Condvar, Mutex, thread, thread_local};
use crate::time;

thread_local! {
    /// The address of the queue whose callbacks this thread runs, 0 for any other thread.
    static RUNS_FOR: Cell<usize> = const { Cell::new(0) };
}

/// Results whose callbacks wait to be run, in the order in which the results came.
///
/// Its length is bounded by `buffer.memory`: a callback keeps its share of the budget until it has
/// run. The thread starts with the first callback and ends when the queue is closed and empty.
#[derive(Debug, Default)]
pub(crate) struct CallbackQueue {
    /// Where its thread, and the others of the producer, are.
    pub(crate) process: Process,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<(Arc<Completion>, Vec<Callback>)>,
    /// How many results were put in, and how many of them are through.
    pushed: u64,
    finished: u64,
    is_running: bool,
    is_closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} results with callbacks", self.jobs.len())
    }
}

impl CallbackQueue {
    pub(crate) fn push(self: &Arc<Self>, completion: Arc<Completion>, callbacks: Vec<Callback>) {
        if self.process.check().is_err() {
            // A fork has no thread for them, and could not start one under a lock that it
            // inherited.
            return run_all(&completion, callbacks);
        }
        let mut state = self.state.lock();
        state.jobs.push_back((completion, callbacks));
        state.pushed += 1;
        let must_start = !std::mem::replace(&mut state.is_running, true);
        drop(state);
        if must_start {
            self.start();
        }
        self.changed.notify_all();
    }

    /// True on the thread that runs this queue's callbacks.
    pub(crate) fn is_this_thread(&self) -> bool {
        RUNS_FOR.with(Cell::get) == self.address()
    }

    /// How many results were put in so far, for [`wait_through`](Self::wait_through).
    pub(crate) fn pushed(&self) -> u64 {
        self.state.lock().pushed
    }

    /// Waits until the callbacks of the first `count` results have run; false if `until` passed
    /// first.
    pub(crate) fn wait_through(&self, count: u64, until: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while state.finished < count {
            if until.is_some_and(|until| until <= time::now()) {
                return false;
            }
            state = self.changed.wait(state, until);
        }
        true
    }

    /// Lets the thread end once the queue is empty, and waits for that until `until`. From inside a
    /// callback it does not wait. False if callbacks were left.
    pub(crate) fn close(&self, until: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        state.is_closed = true;
        drop(state);
        self.changed.notify_all();
        if self.is_this_thread() {
            return true;
        }
        let mut state = self.state.lock();
        while state.is_running || !state.jobs.is_empty() {
            if until.is_some_and(|until| until <= time::now()) {
                return false;
            }
            state = self.changed.wait(state, until);
        }
        true
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    fn start(self: &Arc<Self>) {
        let queue = self.clone();
        let thread = thread::Builder::new().name("milena-callbacks".into());
        if let Err(error) = thread.spawn(move || queue.run()) {
            log::error!(
                "cannot start the callback thread: {error}; callbacks wait for the next result"
            );
            self.state.lock().is_running = false;
        }
    }

    fn run(&self) {
        RUNS_FOR.with(|queue| queue.set(self.address()));
        while let Some((completion, callbacks)) = self.next() {
            run_all(&completion, callbacks);
            completion.callbacks_have_run();
            self.state.lock().finished += 1;
            self.changed.notify_all();
        }
        self.changed.notify_all();
    }

    fn next(&self) -> Option<(Arc<Completion>, Vec<Callback>)> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.is_closed {
                state.is_running = false;
                return None;
            }
            state = self.changed.wait(state, None);
        }
    }
}

fn run_all(completion: &Completion, callbacks: Vec<Callback>) {
    let Some(done) = completion.result() else {
        return;
    };
    for callback in callbacks {
        let result = done.for_record(completion, &callback.slot);
        // Its record's result stands.
        let _ = survive("a delivery callback", || (callback.run)(result));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::delivery::{CallbackFn, NoHurry, Slot};
    use crate::error::{Error, ErrorKind};

    fn queue() -> Arc<CallbackQueue> {
        Arc::default()
    }

    /// A batch that has failed, with these callbacks.
    fn push(queue: &Arc<CallbackQueue>, callbacks: Vec<CallbackFn>) {
        let hurry = std::sync::Weak::<NoHurry>::new();
        let completion = Arc::new(Completion::new("orders".into(), 0, hurry, queue));
        let error = Error::new(ErrorKind::TimedOut, "late");
        assert!(completion.resolve(Err(error.into())));
        let slot = Slot {
            index: 0,
            timestamp_ms: 0,
            key_size: -1,
            value_size: -1,
        };
        let callbacks = callbacks.into_iter().map(|run| Callback { slot, run });
        queue.push(completion, callbacks.collect());
    }

    fn note(sender: &mpsc::Sender<i32>, number: i32) -> CallbackFn {
        let sender = sender.clone();
        Box::new(move |_| sender.send(number).expect("the test listens"))
    }

    #[test]
    fn callbacks_run_in_the_order_of_their_push_and_a_panic_stops_none() {
        let queue = queue();
        let (sender, seen) = mpsc::channel();
        let panics: CallbackFn = Box::new(|_| std::panic::resume_unwind(Box::new(())));
        push(&queue, vec![note(&sender, 1), panics, note(&sender, 2)]);
        (3..100).for_each(|number| push(&queue, vec![note(&sender, number)]));
        assert!(queue.close(None));
        drop(sender);
        assert_eq!(
            seen.iter().collect::<Vec<_>>(),
            (1..100).collect::<Vec<_>>()
        );
    }

    #[test]
    fn waiting_is_for_what_was_pushed_before() {
        let queue = queue();
        assert!(
            queue.wait_through(queue.pushed(), Some(time::now())),
            "nothing was pushed"
        );
        let (go, gate) = mpsc::channel::<()>();
        let (sender, seen) = mpsc::channel();
        let blocks: CallbackFn = Box::new(move |_| gate.recv().expect("the test lets go"));
        push(&queue, vec![blocks]);
        push(&queue, vec![note(&sender, 1)]);
        assert!(!queue.wait_through(
            queue.pushed(),
            time::after(time::now(), Duration::from_millis(1))
        ));
        go.send(()).expect("the callback waits");
        assert!(queue.wait_through(queue.pushed(), None));
        assert_eq!(seen.try_recv(), Ok(1));
        assert!(queue.close(None));
    }

    #[test]
    fn the_close_waits_for_callbacks_and_those_that_come_later_run_too() {
        let queue = queue();
        let (go, gate) = mpsc::channel::<()>();
        let blocks: CallbackFn = Box::new(move |_| gate.recv().expect("the test lets go"));
        push(&queue, vec![blocks]);
        assert!(!queue.close(time::after(time::now(), Duration::from_millis(1))));
        go.send(()).expect("the callback waits");
        assert!(queue.close(None));
        assert!(!queue.state.lock().is_running);
        let (sender, seen) = mpsc::channel();
        push(&queue, vec![note(&sender, 5)]);
        assert_eq!(seen.recv(), Ok(5));
        assert!(queue.close(None));
    }

    #[test]
    fn only_the_queues_own_thread_is_its_thread_and_closes_it_without_a_wait() {
        let (queue, other) = (queue(), queue());
        assert!(!queue.is_this_thread());
        let (sender, seen) = mpsc::channel();
        let (mine, its) = (queue.clone(), other.clone());
        let asks: CallbackFn = Box::new(move |_| {
            let answer = (
                mine.is_this_thread(),
                its.is_this_thread(),
                mine.close(None),
            );
            sender.send(answer).expect("the test listens");
        });
        push(&queue, vec![asks]);
        assert_eq!(seen.recv(), Ok((true, false, true)));
        assert!(
            queue.close(None) && other.close(None),
            "no thread, nothing to wait for"
        );
    }

    #[test]
    fn what_a_callback_holds_is_dropped_when_it_has_run() {
        let queue = queue();
        let held = Arc::new(());
        let holds = held.clone();
        push(&queue, vec![Box::new(move |_| drop(holds))]);
        let holds = held.clone();
        push(
            &queue,
            vec![Box::new(move |_| {
                let _holds = holds;
                std::panic::resume_unwind(Box::new(()))
            })],
        );
        assert!(queue.wait_through(queue.pushed(), None));
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(queue.close(None));
    }
}
