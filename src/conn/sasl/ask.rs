//! Asking code of the application for credentials, which may be slow, panic, or never return.

use std::fmt;

use crate::conn::Interrupt;
use crate::conn::diagnosis::peer_text;
use crate::conn::interrupt::Wait;
use crate::error::{Error, ErrorKind};
use crate::survive::caught;
use crate::sync::{Arc, Condvar, Mutex, thread};
use crate::time::{Deadline, human, now};

/// One source of the application's, for all who ask it.
///
/// It runs on a thread of its own, at most one at a time, and whoever asks meanwhile gets the same
/// answer. Who asks waits until a deadline or an interrupt; the source is left alone with its work
/// then, and what it gives once nobody waits is kept for the next who asks.
pub(super) struct Source<T>(Arc<Shared<T>>);

struct Shared<T> {
    /// As messages call it, `token source`.
    name: &'static str,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// How many jobs have begun; the number of the last one.
    begun: u64,
    is_running: bool,
    /// Whether the one that runs is kept for the next who asks.
    is_kept: bool,
    waiting: usize,
    /// What the last job that ended gave.
    answer: Option<Answer<T>>,
}

struct Answer<T> {
    number: u64,
    result: Result<T, Error>,
    was_taken: bool,
}

impl<T: Clone + Send + 'static> Source<T> {
    pub(super) fn new(name: &'static str) -> Self {
        let state = State {
            begun: 0,
            is_running: false,
            is_kept: false,
            waiting: 0,
            answer: None,
        };
        Self(Arc::new(Shared {
            name,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }))
    }

    /// What `job` gives: this one, or the same of another who asked, or of one who gave up.
    pub(super) fn ask(
        &self,
        deadline: Deadline,
        interrupt: &Interrupt,
        job: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        interrupt.covers_wait(self.0.clone());
        let number = match self.0.enter() {
            Entered::Kept(result) => return result,
            Entered::Joined(number) => number,
            Entered::Begun(number) => {
                self.spawn(number, job);
                number
            }
        };
        self.0.wait(number, deadline, interrupt)
    }

    /// Begins `job`, which keeps itself what it gives, unless one goes on already. Waits for
    /// nothing.
    pub(super) fn begin(&self, job: impl FnOnce() -> Result<T, Error> + Send + 'static) {
        let mut state = self.0.state.lock();
        if state.is_running {
            return;
        }
        let number = state.begin(false);
        drop(state);
        self.spawn(number, job);
    }

    fn spawn(&self, number: u64, job: impl FnOnce() -> Result<T, Error> + Send + 'static) {
        let shared = self.0.clone();
        let name = shared.name;
        let run = move || {
            let result = caught(job).unwrap_or_else(|said| {
                let text = format!("the {name} panicked: {}", peer_text(&said));
                Err(Error::new(ErrorKind::Application, text))
            });
            shared.end(number, result);
        };
        let thread = thread::Builder::new().name("milena-credentials".into());
        if let Err(error) = thread.spawn(run) {
            let text = format!("cannot start a thread for the {name}: {error}");
            self.0
                .end(number, Err(Error::new(ErrorKind::Application, text)));
        }
    }
}

enum Entered<T> {
    /// There was an answer that nobody had taken.
    Kept(Result<T, Error>),
    /// Another's job goes on.
    Joined(u64),
    /// A job has to be started.
    Begun(u64),
}

impl<T: Clone> Shared<T> {
    fn enter(&self) -> Entered<T> {
        let mut state = self.state.lock();
        if state.is_running {
            state.waiting += 1;
            return Entered::Joined(state.begun);
        }
        if let Some(result) = state.take_kept() {
            return Entered::Kept(result);
        }
        state.waiting += 1;
        Entered::Begun(state.begin(true))
    }

    fn wait(&self, number: u64, deadline: Deadline, interrupt: &Interrupt) -> Result<T, Error> {
        let mut state = self.state.lock();
        let result = loop {
            if interrupt.has_fired() {
                let text = format!(
                    "waiting for the {} was interrupted: it is closed",
                    self.name
                );
                break Err(Error::new(ErrorKind::Closed, text));
            }
            // A later job may have ended meanwhile: its answer is as good.
            let answer = state.answer.as_mut();
            if let Some(answer) = answer.filter(|answer| answer.number >= number) {
                answer.was_taken = true;
                break answer.result.clone();
            }
            if deadline.has_passed(now()) {
                break Err(self.late(deadline));
            }
            state = self.changed.wait(state, deadline.at());
        };
        state.waiting -= 1;
        if state.waiting == 0 && state.answer.as_ref().is_some_and(|kept| kept.was_taken) {
            state.answer = None;
        }
        result
    }

    fn late(&self, deadline: Deadline) -> Error {
        let limit = human(deadline.limit());
        let text = format!(
            "the {} gave nothing within {limit} (socket.connection.setup.timeout.ms); it goes on, \
             and what it gives is used then",
            self.name
        );
        Error::new(ErrorKind::TimedOut, text)
    }

    fn end(&self, number: u64, result: Result<T, Error>) {
        let mut state = self.state.lock();
        state.is_running = false;
        let answer = Answer {
            number,
            result,
            was_taken: false,
        };
        state.answer = (state.is_kept || state.waiting > 0).then_some(answer);
        drop(state);
        self.changed.notify_all();
    }
}

impl<T> State<T> {
    fn begin(&mut self, is_kept: bool) -> u64 {
        self.is_running = true;
        self.is_kept = is_kept;
        self.begun += 1;
        self.begun
    }

    /// What a job gave that nobody waited for.
    fn take_kept(&mut self) -> Option<Result<T, Error>> {
        let untaken = self.answer.take_if(|_| self.waiting == 0);
        untaken.map(|answer| answer.result)
    }
}

impl<T> Wait for Shared<T>
where
    T: Send,
{
    fn wake(&self) {
        // Whoever looked before this lock waits by now, and whoever looks behind it sees the flag.
        drop(self.state.lock());
        self.changed.notify_all();
    }
}

impl<T> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> fmt::Debug for Shared<T> {
    /// Not what it gave, which is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    fn soon() -> Deadline {
        Deadline::within(Duration::from_millis(20))
    }

    fn patient() -> Deadline {
        Deadline::within(Duration::from_secs(60))
    }

    fn source() -> Arc<Source<u32>> {
        Arc::new(Source::new("token source"))
    }

    /// A job that waits to be let go.
    fn gated(answer: u32) -> (mpsc::Sender<()>, impl FnOnce() -> Result<u32, Error> + Send) {
        let (go, gate) = mpsc::channel();
        let job = move || {
            gate.recv().expect("the test lets go");
            Ok(answer)
        };
        (go, job)
    }

    fn unasked() -> Result<u32, Error> {
        unreachable!("the answer is there already")
    }

    fn wait_for(condition: impl Fn() -> bool) {
        let deadline = patient();
        while !condition() {
            assert!(!deadline.has_passed(now()), "it never came");
            thread::yield_now();
        }
    }

    #[test]
    fn each_who_asks_gets_a_fresh_answer() {
        let (source, interrupt) = (source(), Interrupt::default());
        for answer in 0..3 {
            let given = source.ask(patient(), &interrupt, move || Ok(answer));
            assert_eq!(given.unwrap(), answer);
        }
    }

    #[test]
    fn a_late_source_is_left_alone_and_its_answer_goes_to_the_next_who_asks() {
        let (source, interrupt) = (source(), Interrupt::default());
        let (go, job) = gated(7);
        let late = source.ask(soon(), &interrupt, job).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(
            late.to_string()
                .contains("the token source gave nothing within 20 ms")
        );
        let late = source.ask(soon(), &interrupt, unasked).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut, "one at a time");
        source.begin(unasked);
        go.send(()).unwrap();
        wait_for(|| !source.0.state.lock().is_running);
        assert_eq!(source.ask(patient(), &interrupt, unasked).unwrap(), 7);
        assert_eq!(source.ask(patient(), &interrupt, || Ok(8)).unwrap(), 8);
    }

    #[test]
    fn all_who_ask_meanwhile_get_the_same_answer() {
        let (source, interrupt) = (source(), Interrupt::default());
        let (go, job) = gated(7);
        source.begin(job);
        thread::scope(|scope| {
            let ask = || source.ask(patient(), &interrupt, unasked).unwrap();
            let threads = [scope.spawn(ask), scope.spawn(ask)];
            wait_for(|| source.0.changed.waiting() == 2);
            go.send(()).unwrap();
            let given = threads.map(|thread| thread.join().unwrap());
            assert_eq!(given, [7, 7]);
        });
        assert_eq!(source.ask(patient(), &interrupt, || Ok(8)).unwrap(), 8);
        // What one gave that was begun for nobody is not kept.
        source.begin(|| Ok(9));
        wait_for(|| !source.0.state.lock().is_running);
        assert_eq!(source.ask(patient(), &interrupt, || Ok(10)).unwrap(), 10);
    }

    #[test]
    fn an_interrupt_ends_the_wait_and_all_later_ones() {
        let (source, interrupt) = (source(), Interrupt::default());
        let (_go, job) = gated(7);
        source.begin(job);
        let limit = patient();
        thread::scope(|scope| {
            let thread = scope.spawn(|| source.ask(patient(), &interrupt, unasked));
            wait_for(|| source.0.changed.waiting() == 1);
            interrupt.fire();
            let error = thread.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Closed);
            assert!(limit.elapsed(now()) < limit.limit() / 2, "it was not woken");
        });
        let error = source.ask(patient(), &interrupt, unasked).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
    }

    #[test]
    fn a_panic_is_an_error_and_the_next_who_asks_tries_again() {
        let (source, interrupt) = (source(), Interrupt::default());
        let panics = || std::panic::resume_unwind(Box::new("no\nnetwork"));
        let error = source.ask(patient(), &interrupt, panics).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Application);
        assert_eq!(error.to_string(), "the token source panicked: no network");
        assert_eq!(source.ask(patient(), &interrupt, || Ok(1)).unwrap(), 1);
    }
}
