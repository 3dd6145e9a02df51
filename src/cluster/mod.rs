//! What the producer wants to know of the cluster, and the thread that finds out.

mod identity;
mod info;
mod updater;
mod view;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::sync::{Condvar, Mutex};
use crate::time::{self, Deadline, human};

pub use info::PartitionInfo;
pub(crate) use updater::Updater;

/// The inbox of the cluster thread: who waits for which topic, and whether a refresh is due.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_refresh_due: bool,
    /// Somebody new waits: the next request need not rest as long as one that was in vain.
    is_urgent: bool,
    topics: HashMap<String, Wish>,
    /// Asked for by a caller that does not wait.
    wanted: HashSet<String>,
    /// Nobody may wait any more.
    is_refusing: bool,
    /// The thread is to end.
    is_closed: bool,
}

/// Callers that wait for one topic.
#[derive(Debug, Default)]
struct Wish {
    waiting: usize,
    /// The number of answers that named the topic since the first caller came.
    answers: u64,
    is_known: bool,
    /// Why waiting is in vain.
    denied: Option<Error>,
    /// Why the topic was not known at the last attempt.
    last_error: Option<Error>,
}

/// What an attempt to fetch metadata says of a topic that is waited for.
#[derive(Debug)]
pub(crate) enum News {
    /// It is there.
    Known,
    /// It will not be there whatever we do.
    Denied(Error),
    /// Not yet, for this reason.
    NotYet(Error),
}

/// Why [`Wishes::next`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Refresh,
    TimedOut,
    Closed,
}

impl Wishes {
    /// Asks for new metadata, without waiting for it.
    pub(crate) fn refresh(&self) {
        let mut state = self.state.lock();
        state.is_refresh_due = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Asks for a topic, without waiting for it.
    pub(crate) fn want(&self, topic: &str) {
        let mut state = self.state.lock();
        state.wanted.insert(topic.to_string());
        (state.is_refresh_due, state.is_urgent) = (true, true);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until the next metadata that names `topic` is there.
    ///
    /// # Errors
    /// The time is up (with what was in the way), the topic is denied, or the producer is closed.
    pub(crate) fn wait_for(&self, topic: &str, deadline: Deadline) -> Result<(), Error> {
        let mut state = self.state.lock();
        (state.is_refresh_due, state.is_urgent) = (true, true);
        let wish = state.topics.entry(topic.to_string()).or_default();
        wish.waiting += 1;
        let seen = wish.answers;
        self.changed.notify_all();
        let result = loop {
            let is_refusing = state.is_refusing;
            let Some(wish) = state.topics.get_mut(topic) else {
                break Err(closed());
            };
            if wish.is_known && wish.answers > seen {
                break Ok(());
            }
            if let Some(error) = &wish.denied {
                break Err(error.clone());
            }
            if is_refusing {
                break Err(closed());
            }
            if deadline.has_passed(time::now()) {
                break Err(timed_out(topic, deadline, wish.last_error.clone()));
            }
            state = self.changed.wait(state, deadline.at());
        };
        if let Some(wish) = state.topics.get_mut(topic) {
            wish.waiting -= 1;
            if wish.waiting == 0 {
                state.topics.remove(topic);
            }
        }
        if result.is_err() {
            // The next send finds the answer, even if nobody may wait (max.block.ms=0).
            state.wanted.insert(topic.to_string());
        }
        result
    }

    /// Waits until metadata is wished for, or until `until`.
    pub(crate) fn next(&self, until: Option<Instant>) -> Due {
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return Due::Closed;
            }
            if state.is_refresh_due {
                return Due::Refresh;
            }
            if until.is_some_and(|until| until <= time::now()) {
                return Due::TimedOut;
            }
            state = self.changed.wait(state, until);
        }
    }

    /// Rests until `until`, or until `urgent_from` if somebody new waits. False if the producer was
    /// closed.
    pub(crate) fn rest(&self, until: Instant, urgent_from: Instant) -> bool {
        let mut state = self.state.lock();
        loop {
            let end = if state.is_urgent {
                urgent_from.min(until)
            } else {
                until
            };
            if state.is_closed || end <= time::now() {
                return !state.is_closed;
            }
            state = self.changed.wait(state, Some(end));
        }
    }

    /// Takes the wish for a refresh: from here on a new one counts for the next.
    pub(crate) fn begin(&self) -> Vec<String> {
        let mut state = self.state.lock();
        (state.is_refresh_due, state.is_urgent) = (false, false);
        let mut topics = std::mem::take(&mut state.wanted);
        topics.extend(state.topics.keys().cloned());
        topics.into_iter().collect()
    }

    /// Tells those who wait what `news` has for their topic; topics for which it has nothing wait
    /// on.
    pub(crate) fn publish(&self, news: impl Fn(&str) -> Option<News>) {
        let mut state = self.state.lock();
        for (topic, wish) in &mut state.topics {
            match news(topic) {
                None => continue,
                Some(News::Known) => wish.is_known = true,
                Some(News::Denied(error)) => wish.denied = Some(error),
                Some(News::NotYet(error)) => wish.last_error = Some(error),
            }
            wish.answers += 1;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// True while somebody waits for a topic.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.state.lock().topics.is_empty()
    }

    /// Refuses those who wait, now and later.
    pub(crate) fn refuse(&self) {
        let mut state = self.state.lock();
        state.is_refusing = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        (state.is_refusing, state.is_closed) = (true, true);
        drop(state);
        self.changed.notify_all();
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the producer is closed")
}

/// The error of a caller whose `max.block.ms` went by while it waited for a topic.
fn timed_out(topic: &str, deadline: Deadline, cause: Option<Error>) -> Error {
    let limit = human(deadline.limit());
    let kind = match &cause {
        Some(cause) if cause.kind() == ErrorKind::UnknownTopic => ErrorKind::UnknownTopic,
        _ => ErrorKind::TimedOut,
    };
    let message = format!("topic {topic} is not known: waited max.block.ms = {limit} for metadata");
    let code = cause.as_ref().and_then(Error::code);
    let error = Error::new(kind, message);
    let error = match code {
        Some(code) => error.with_code(code),
        None => error,
    };
    match cause {
        Some(cause) => error.with_cause(cause),
        None => error.with_cause(Error::new(
            ErrorKind::TimedOut,
            "no broker has answered yet",
        )),
    }
}
