//! Threads that outlive a panic: of the application's logger, or of a mistake of ours.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs `turn`; `None` if it panicked, which is logged as what happened to `who`.
///
/// What is behind a lock is consistent whenever something may panic, and a batch that is dropped on
/// the way tells its records and its partition. What else a turn changes, its caller resets.
pub(crate) fn survive<T>(who: &str, turn: impl FnOnce() -> T) -> Option<T> {
    survive_once(&AtomicBool::new(false), || who.into(), turn)
}

/// The same for a turn of many, of whose panics only the first is logged.
pub(crate) fn survive_once<T>(
    is_logged: &AtomicBool,
    who: impl FnOnce() -> String,
    turn: impl FnOnce() -> T,
) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(turn)) {
        Ok(value) => Some(value),
        // The model checker tells what it has found by a panic; a model's own carry nothing.
        Err(panic) if cfg!(model) && !panic.is::<()>() => std::panic::resume_unwind(panic),
        Err(panic) => {
            let is_first = !is_logged.swap(true, Ordering::Relaxed);
            tell(is_first.then(who), panic);
            None
        }
    }
}

/// Runs code of the application on the application's own thread; a panic becomes what it said.
pub(crate) fn caught<T>(turn: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(turn)).map_err(|panic| {
        let text = text(&*panic).to_owned();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            // A value that panics when it is dropped: it is not.
            std::mem::forget(panic);
        }
        text
    })
}

fn tell(who: Option<String>, panic: Box<dyn Any + Send>) {
    let told = catch_unwind(AssertUnwindSafe(move || {
        if let Some(who) = who {
            log::error!("{who} panicked: {}", text(&*panic));
        }
    }));
    if let Err(panic) = told {
        // The logger is what panics, or the panic's own value when it is dropped: it is not.
        std::mem::forget(panic);
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message")
}

/// Panics in the threads of one producer, where tests want them.
#[cfg(test)]
pub(crate) mod trap {
    use crate::sync::Mutex;

    /// By client id and place: how many panics are left, and how many there were.
    static TRAPS: Mutex<Vec<(String, &str, [usize; 2])>> = Mutex::new(Vec::new());

    /// Makes the next `times` visits of that place panic.
    pub(crate) fn set(client_id: &str, place: &'static str, times: usize) {
        let mut traps = TRAPS.lock();
        traps.retain(|(client, at, _)| (&client[..], *at) != (client_id, place));
        traps.push((client_id.into(), place, [times, 0]));
    }

    /// How often that place has panicked.
    pub(crate) fn hits(client_id: &str, place: &str) -> usize {
        let traps = TRAPS.lock();
        let mut traps = traps.iter();
        let trap = traps.find(|(client, at, _)| (&client[..], *at) == (client_id, place));
        trap.map_or(0, |(.., [_, hits])| *hits)
    }

    pub(crate) fn here(client_id: &str, place: &str) {
        if cfg!(model) {
            // A lock that outlives a model is none of its locks.
            return;
        }
        let mut traps = TRAPS.lock();
        let mut all = traps.iter_mut();
        let trap = all.find(|(client, at, _)| (&client[..], *at) == (client_id, place));
        let Some((.., [left, hits])) = trap.filter(|(.., [left, _])| *left > 0) else {
            return;
        };
        (*left, *hits) = (*left - 1, *hits + 1);
        drop(traps);
        std::panic::resume_unwind(Box::new("a trap of a test"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsAgain;

    impl Drop for PanicsAgain {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("again"));
        }
    }

    #[test]
    fn a_panic_ends_the_turn_and_not_the_thread() {
        assert_eq!(survive("a turn", || 5), Some(5));
        for panic in panics() {
            assert_eq!(
                survive("a turn", || std::panic::resume_unwind(panic)),
                None::<()>
            );
        }
    }

    #[test]
    fn a_panic_that_is_caught_tells_what_it_said() {
        assert_eq!(caught(|| 5), Ok(5));
        let [text, owned, other] = panics();
        let said = |panic| caught(|| -> () { std::panic::resume_unwind(panic) });
        assert_eq!(said(text), Err("why".into()));
        assert_eq!(said(owned), Err("why".into()));
        assert_eq!(said(other), Err("no message".into()));
    }

    fn panics() -> [Box<dyn Any + Send>; 3] {
        [
            Box::new("why"),
            Box::new(String::from("why")),
            Box::new(PanicsAgain),
        ]
    }
}
