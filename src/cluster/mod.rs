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
    /// Somebody asks for a topic that was not asked for just before: the next request need not rest
    /// as long as one that was in vain.
    is_urgent: bool,
    /// The topics of the requests since the last that had to rest.
    asked: HashSet<String>,
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

impl State {
    fn wish(&mut self, topic: &str) {
        self.is_refresh_due = true;
        self.is_urgent |= !self.asked.contains(topic);
    }
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
        state.wish(topic);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until the next metadata that names `topic` is there.
    ///
    /// # Errors
    /// The time is up (with what was in the way), the topic is denied, or the producer is closed.
    pub(crate) fn wait_for(&self, topic: &str, deadline: Deadline) -> Result<(), Error> {
        let mut state = self.state.lock();
        state.wish(topic);
        let wish = state.topics.entry(topic.to_string()).or_default();
        wish.waiting += 1;
        let seen = wish.answers;
        self.changed.notify_all();
        let result = loop {
            let is_refusing = state.is_refusing;
            let Some(wish) = state.topics.get_mut(topic) else {
                break Err(Error::closed());
            };
            if wish.is_known && wish.answers > seen {
                break Ok(());
            }
            if let Some(error) = &wish.denied {
                break Err(error.clone());
            }
            if is_refusing {
                break Err(Error::closed());
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
    pub(crate) fn rest(&self, until: Option<Instant>, urgent_from: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        loop {
            let urgent_from = urgent_from.filter(|_| state.is_urgent);
            let end = [until, urgent_from].into_iter().flatten().min();
            if state.is_closed || end.is_some_and(|end| end <= time::now()) {
                return !state.is_closed;
            }
            state = self.changed.wait(state, end);
        }
    }

    /// Takes the wish for a refresh: from here on a new one counts for the next.
    pub(crate) fn begin(&self) -> Vec<String> {
        let mut state = self.state.lock();
        state.is_refresh_due = false;
        if !std::mem::take(&mut state.is_urgent) {
            state.asked.clear();
        }
        let mut topics = std::mem::take(&mut state.wanted);
        topics.extend(state.topics.keys().cloned());
        state.asked.extend(topics.iter().cloned());
        topics.into_iter().collect()
    }

    /// Tells those who wait what `news` has for their topic; topics for which it has nothing wait
    /// on.
    pub(crate) fn publish(&self, mut news: impl FnMut(&str) -> Option<News>) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn within(limit: Duration) -> Deadline {
        Deadline::within(limit)
    }

    fn not_yet() -> News {
        News::NotYet(Error::new(ErrorKind::UnknownTopic, "no such topic").with_code(3))
    }

    /// Runs `act` while `count` threads wait for `topic`, and gives what they got.
    fn while_waiting(
        wishes: &Wishes,
        topic: &str,
        count: usize,
        act: impl FnOnce(),
    ) -> Vec<Result<(), Error>> {
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| wishes.wait_for(topic, within(LONG))))
                .collect();
            while wishes.changed.waiting() < count {
                std::thread::yield_now();
            }
            act();
            let results = waiters.into_iter().map(|waiter| waiter.join());
            results.map(|result| result.expect("no panic")).collect()
        })
    }

    #[test]
    fn a_wish_that_comes_while_an_answer_is_on_its_way_is_for_the_next() {
        let wishes = Wishes::default();
        assert_eq!(wishes.next(Some(time::now())), Due::TimedOut);
        wishes.refresh();
        wishes.want("a");
        assert_eq!(wishes.next(None), Due::Refresh);
        assert_eq!(wishes.begin(), ["a"]);
        assert_eq!(wishes.next(Some(time::now())), Due::TimedOut, "it is taken");
        wishes.want("b");
        wishes.refresh();
        wishes.publish(|_| Some(News::Known));
        assert_eq!(wishes.next(None), Due::Refresh);
        assert_eq!(wishes.begin(), ["b"]);
    }

    #[test]
    fn one_answer_serves_all_who_wait_for_its_topic_and_nobody_else() {
        let wishes = Wishes::default();
        let only_a = |topic: &str| (topic == "a").then_some(News::Known);
        let others = std::thread::scope(|scope| {
            let other = scope.spawn(|| wishes.wait_for("b", within(LONG)));
            while wishes.changed.waiting() < 1 {
                std::thread::yield_now();
            }
            let results = while_waiting(&wishes, "a", 3, || {
                while wishes.state.lock().topics["a"].waiting < 3 {
                    std::thread::yield_now();
                }
                let mut asked = wishes.begin();
                asked.sort_unstable();
                assert_eq!(asked, ["a", "b"]);
                wishes.publish(only_a);
            });
            assert!(results.iter().all(Result::is_ok));
            assert!(wishes.has_waiting() && !other.is_finished());
            wishes.publish(|_| Some(News::Known));
            other.join().expect("no panic")
        });
        assert!(others.is_ok() && !wishes.has_waiting());
        assert!(wishes.begin().is_empty(), "a wish that came true is over");
    }

    #[test]
    fn who_comes_after_an_answer_waits_for_the_next() {
        let wishes = Wishes::default();
        wishes.publish(|_| Some(News::Known));
        let late = wishes.wait_for("a", within(Duration::ZERO));
        assert_eq!(late.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
    }

    #[test]
    fn an_answer_that_others_still_read_is_not_for_who_comes_after_it() {
        let wishes = Wishes::default();
        let read_by_others = Wish {
            waiting: 1,
            answers: 3,
            is_known: true,
            ..Wish::default()
        };
        wishes
            .state
            .lock()
            .topics
            .insert("a".into(), read_by_others);
        assert!(wishes.wait_for("a", within(Duration::ZERO)).is_err());
        let results = while_waiting(&wishes, "a", 1, || wishes.publish(|_| Some(News::Known)));
        assert!(results[0].is_ok() && wishes.has_waiting());
    }

    #[test]
    fn a_topic_that_is_not_there_yet_is_waited_for_and_the_error_tells_why() {
        let wishes = Wishes::default();
        let results = while_waiting(&wishes, "a", 2, || {
            wishes.publish(|_| Some(not_yet()));
            wishes.publish(|_| None);
            wishes.publish(|_| Some(News::Known));
        });
        assert!(results.iter().all(Result::is_ok));
        let past = Deadline::new(time::now() - LONG, LONG);
        let results = while_waiting(&wishes, "a", 1, || {
            wishes.publish(|_| Some(not_yet()));
            let error = wishes.wait_for("a", past).expect_err("no time is left");
            assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::UnknownTopic, Some(3))
            );
            let text = "topic a is not known: waited max.block.ms = 60 s for metadata; \
                        last cause: no such topic";
            assert_eq!(error.to_string(), text);
            wishes.publish(|_| Some(News::Known));
        });
        assert!(results[0].is_ok(), "the end of one wait ended another");
    }

    #[test]
    fn without_time_the_topic_is_asked_for_all_the_same() {
        let wishes = Wishes::default();
        let error = wishes
            .wait_for("a", within(Duration::ZERO))
            .expect_err("no time");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let text = "topic a is not known: waited max.block.ms = 0 ms for metadata; \
                    last cause: no broker has answered yet";
        assert_eq!(error.to_string(), text);
        assert_eq!(wishes.next(None), Due::Refresh);
        assert_eq!(wishes.begin(), ["a"]);
        assert!(wishes.begin().is_empty(), "once");
    }

    #[test]
    fn a_denial_ends_every_wait_for_the_topic_with_its_reason() {
        let wishes = Wishes::default();
        let denied = || Error::new(ErrorKind::Authorization, "not yours").with_code(29);
        let results = while_waiting(&wishes, "a", 2, || {
            wishes.publish(|_| Some(News::Denied(denied())));
        });
        for result in results {
            let error = result.expect_err("denied");
            assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::Authorization, Some(29))
            );
        }
        let again = while_waiting(&wishes, "a", 1, || wishes.publish(|_| Some(News::Known)));
        assert!(again[0].is_ok(), "the denial outlived its answer");
    }

    #[test]
    fn a_closed_producer_refuses_waits_and_ends_the_thread() {
        let wishes = Wishes::default();
        let results = while_waiting(&wishes, "a", 2, || wishes.refuse());
        let is_closed = |result: &Result<(), Error>| {
            result
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::Closed)
        };
        assert!(results.iter().all(is_closed));
        assert!(is_closed(&wishes.wait_for("b", within(LONG))));
        assert_eq!(wishes.next(None), Due::Refresh, "flushing may need it");
        assert!(wishes.rest(Some(time::now()), None));
        std::thread::scope(|scope| {
            let resting = scope.spawn(|| wishes.rest(None, None));
            while wishes.changed.waiting() < 1 {
                std::thread::yield_now();
            }
            wishes.close();
            assert!(!resting.join().expect("no panic"));
        });
        assert_eq!(wishes.next(None), Due::Closed);
    }

    #[test]
    fn a_rest_is_cut_short_for_somebody_new() {
        let wishes = Wishes::default();
        let now = time::now();
        std::thread::scope(|scope| {
            let resting = scope.spawn(|| wishes.rest(Some(now + LONG), Some(now)));
            while wishes.changed.waiting() < 1 {
                std::thread::yield_now();
            }
            wishes.refresh();
            assert!(!resting.is_finished(), "a refresh is not urgent");
            wishes.want("a");
            assert!(resting.join().expect("no panic"));
        });
        wishes.begin();
        assert!(!wishes.state.lock().is_urgent, "urgent once");
    }
}
