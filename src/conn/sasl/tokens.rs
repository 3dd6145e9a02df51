//! The token of OAUTHBEARER that a producer's connections share, and fetching the next one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::TokenRefresh;
use crate::conn::Interrupt;
use crate::conn::diagnosis::peer_text;
use crate::error::{Error, ErrorKind};
use crate::oauth::{AnyTokenSource, Token};
use crate::survive::caught;
use crate::sync::{Arc, Mutex};
use crate::time::{Backoff, Deadline, human, jitter, now, wall_clock_ms};

use super::ask::Source;
use super::failed;
use super::oauthbearer::unsendable;

/// As messages call the source.
const NAME: &str = "token source";

/// Between attempts to replace a token that still holds. Java's is 10 s always.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(1),
    max: Duration::from_secs(10),
};

/// Gives the token to use now.
///
/// The source is asked when a connection needs a token and there is none that holds. Once the token
/// that holds has to be replaced soon, the first connection that needs it has the source asked for
/// the next one, and nobody waits for that. So nothing wakes up where nobody connects.
#[derive(Debug)]
pub(super) struct Tokens {
    shared: Arc<Shared>,
    source: Source<Arc<Held>>,
}

#[derive(Debug)]
struct Shared {
    application: AnyTokenSource,
    refresh: TokenRefresh,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Arc<Held>>,
    /// Of attempts to replace the token while it holds.
    failures: u32,
    retry_ms: i64,
}

/// A token that can be sent, with its times by the wall clock; one without an end is for one login.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) token: Token,
    end_ms: Option<i64>,
    due_ms: i64,
}

impl Held {
    fn holds(&self, now_ms: i64) -> bool {
        self.end_ms.is_some_and(|end_ms| now_ms < end_ms)
    }
}

/// A token for one login.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) held: Arc<Held>,
    /// It came for this login, and not for an earlier one.
    pub(super) is_fresh: bool,
}

impl Tokens {
    pub(super) fn new(application: AnyTokenSource, refresh: TokenRefresh) -> Self {
        let shared = Shared {
            application,
            refresh,
            state: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            source: Source::new(NAME),
        }
    }

    /// The token to log in with; waits for the source only if there is none that holds.
    pub(super) fn token(&self, deadline: Deadline, interrupt: &Interrupt) -> Result<Given, Error> {
        let now_ms = wall_clock_ms();
        let (held, is_due) = self.shared.look(now_ms);
        if let Some(held) = held {
            if is_due {
                let shared = self.shared.clone();
                self.source.begin(move || shared.replace());
            }
            return Ok(Given {
                held,
                is_fresh: false,
            });
        }
        loop {
            let shared = self.shared.clone();
            let held = self
                .source
                .ask(deadline, interrupt, move || shared.fetch())?;
            // One that came when nobody waited any more may have ended since.
            if held.end_ms.is_none() || held.holds(wall_clock_ms()) || deadline.has_passed(now()) {
                return Ok(Given {
                    held,
                    is_fresh: true,
                });
            }
        }
    }

    /// Forgets a token that a broker has refused.
    pub(super) fn forget(&self, refused: &Arc<Held>) {
        let mut state = self.shared.state.lock();
        if state
            .held
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(held, refused))
        {
            state.held = None;
        }
    }
}

impl Shared {
    /// The token if it holds, and whether the source should be asked for the next one.
    fn look(&self, now_ms: i64) -> (Option<Arc<Held>>, bool) {
        let mut state = self.state.lock();
        state.held.take_if(|held| !held.holds(now_ms));
        let is_due = |held: &Arc<Held>| held.due_ms <= now_ms && state.retry_ms <= now_ms;
        let due = state.held.as_ref().is_some_and(is_due);
        (state.held.clone(), due)
    }

    /// Asks the source, and keeps what it gives for all.
    fn fetch(&self) -> Result<Arc<Held>, Error> {
        let asked = caught(|| {
            let token = self.application.token();
            token.map_err(|error| failed(NAME, &*error))
        });
        let token = asked.unwrap_or_else(|said| {
            let text = format!("the {NAME} panicked: {}", peer_text(&said));
            Err(Error::new(ErrorKind::Application, text))
        })?;
        let now_ms = wall_clock_ms();
        let held = Arc::new(self.held(token, now_ms)?);
        let mut state = self.state.lock();
        state.failures = 0;
        state.retry_ms = i64::MIN;
        if held.end_ms.is_some() {
            state.held = Some(held.clone());
        }
        Ok(held)
    }

    /// The same while the last token holds: an error is no harm yet.
    fn replace(&self) -> Result<Arc<Held>, Error> {
        let fetched = self.fetch();
        if let Err(error) = &fetched {
            let mut state = self.state.lock();
            state.failures = state.failures.saturating_add(1);
            let pause = BACKOFF.delay(state.failures, jitter());
            let pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
            state.retry_ms = wall_clock_ms().saturating_add(pause_ms);
            drop(state);
            log::warn!(
                "{error}; connections go on with the token that there is until its end, and the \
                 source is asked again in {} at the earliest",
                human(pause)
            );
        }
        fetched
    }

    fn held(&self, token: Token, now_ms: i64) -> Result<Held, Error> {
        let unusable = |what: String| {
            let text = format!("the token source gave a token that cannot be used: {what}");
            Error::new(ErrorKind::Authentication, text)
        };
        if let Some(what) = unsendable(&token) {
            return Err(unusable(what));
        }
        let end_ms = token.expires_at.map(since_1970_ms);
        if let Some(end_ms) = end_ms.filter(|end_ms| *end_ms <= now_ms) {
            let ago = Duration::from_millis(now_ms.saturating_sub(end_ms).unsigned_abs());
            return Err(unusable(format!(
                "it expired {} ago by the clock of this machine",
                human(ago)
            )));
        }
        let due_ms = match end_ms {
            Some(end_ms) => self.refresh.due_ms(now_ms, end_ms, jitter()),
            None => now_ms,
        };
        Ok(Held {
            token,
            end_ms,
            due_ms,
        })
    }
}

fn since_1970_ms(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as StdError;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::time::now;

    fn hour() -> SystemTime {
        SystemTime::now() + Duration::from_secs(3600)
    }

    /// Tokens by number; the source fails where the script says so. Also how often it was asked.
    fn tokens(script: &'static [bool]) -> (Tokens, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let source = AnyTokenSource::new(move || {
            let number = count.fetch_add(1, Ordering::SeqCst);
            match script.get(number) {
                Some(true) => Ok(Token::new(format!("token-{number}")).expires_at(hour())),
                _ => Err("no network".into()),
            }
        });
        (Tokens::new(source, TokenRefresh::default()), asked)
    }

    fn given(tokens: &Tokens) -> Result<(String, bool), Error> {
        let deadline = Deadline::within(Duration::from_secs(60));
        let given = tokens.token(deadline, &Interrupt::default())?;
        Ok((given.held.token.value.expose().to_owned(), given.is_fresh))
    }

    /// The token that is held has to be replaced from now on.
    fn make_due(tokens: &Tokens) {
        let mut state = tokens.shared.state.lock();
        let held = state.held.take().expect("a token is held");
        state.retry_ms = i64::MIN;
        state.held = Some(Arc::new(Held {
            token: held.token.clone(),
            due_ms: 0,
            ..*held
        }));
    }

    fn wait_for(condition: impl Fn() -> bool) {
        let deadline = Deadline::within(Duration::from_secs(60));
        while !condition() {
            assert!(!deadline.has_passed(now()), "it never came");
            crate::sync::thread::yield_now();
        }
    }

    #[test]
    fn a_token_is_replaced_ahead_of_its_end_and_meanwhile_the_old_one_is_used() {
        let (tokens, asked) = tokens(&[true, false, true]);
        assert_eq!(given(&tokens).unwrap(), ("token-0".into(), true));
        assert_eq!(given(&tokens).unwrap(), ("token-0".into(), false));
        assert_eq!(asked.load(Ordering::SeqCst), 1);

        make_due(&tokens);
        assert_eq!(given(&tokens).unwrap(), ("token-0".into(), false));
        wait_for(|| tokens.shared.state.lock().failures == 1);
        // The source has to rest after a failure.
        assert!(!tokens.shared.look(wall_clock_ms()).1);
        assert_eq!(given(&tokens).unwrap(), ("token-0".into(), false));
        assert_eq!(asked.load(Ordering::SeqCst), 2);

        make_due(&tokens);
        assert_eq!(given(&tokens).unwrap(), ("token-0".into(), false));
        wait_for(|| given(&tokens).unwrap().0 == "token-2");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        assert_eq!(tokens.shared.state.lock().failures, 0);
    }

    #[test]
    fn a_token_that_was_refused_is_not_used_again_and_another_stays() {
        let (tokens, _) = tokens(&[true, true]);
        let deadline = Deadline::within(Duration::from_secs(60));
        let first = tokens.token(deadline, &Interrupt::default()).unwrap();
        tokens.forget(&first.held);
        assert_eq!(given(&tokens).unwrap(), ("token-1".into(), true));
        tokens.forget(&first.held);
        assert_eq!(given(&tokens).unwrap(), ("token-1".into(), false));
    }

    #[test]
    fn an_error_of_a_source_is_told_with_its_causes_and_one_of_ours_keeps_its_kind() {
        let inner = std::io::Error::other("name or service not known");
        let io = std::io::Error::other(Outer(inner));
        for (error, kind, says) in [
            (
                Box::<dyn StdError + Send + Sync>::from(io),
                ErrorKind::Application,
                "the token source failed: asking the provider: name or service not known",
            ),
            (
                Error::new(ErrorKind::Authentication, "invalid_client").into(),
                ErrorKind::Authentication,
                "the token source failed: invalid_client",
            ),
        ] {
            let told = failed(NAME, &*error);
            assert_eq!((told.kind(), &*told.to_string()), (kind, says));
        }
    }

    #[derive(Debug)]
    struct Outer(std::io::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("asking the provider")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }
}
