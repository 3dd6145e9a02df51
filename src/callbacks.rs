//! The one thread that runs the application's callbacks, so that a slow one never stops the wire.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crate::delivery::{Callback, Completion};
use crate::sync::{Arc, Condvar, Mutex};
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
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<(Arc<Completion>, Vec<Callback>)>,
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
        let mut state = self.state.lock();
        state.jobs.push_back((completion, callbacks));
        let must_start = !std::mem::replace(&mut state.is_running, true);
        drop(state);
        if must_start {
            self.start();
        }
        self.changed.notify_all();
    }

    /// True on the thread that runs this queue's callbacks.
    pub(crate) fn is_this_thread(&self) -> bool {
        RUNS_FOR.get() == self.address()
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
        let thread = std::thread::Builder::new().name("milena-callbacks".into());
        if let Err(error) = thread.spawn(move || queue.run()) {
            log::error!(
                "cannot start the callback thread: {error}; callbacks wait for the next result"
            );
            self.state.lock().is_running = false;
        }
    }

    fn run(&self) {
        RUNS_FOR.set(self.address());
        while let Some((completion, callbacks)) = self.next() {
            if let Some(done) = completion.result() {
                for callback in callbacks {
                    let result = done.for_record(&completion, &callback.slot);
                    if catch_unwind(AssertUnwindSafe(|| (callback.run)(result))).is_err() {
                        log::error!("a delivery callback panicked; its record's result stands");
                    }
                }
            }
            completion.callbacks_have_run();
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
