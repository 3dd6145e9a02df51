//! How long a login lasts, and re-authentication (KIP-368), as Kafka's `KafkaChannel` and
//! `SaslServerAuthenticator` have it.

use std::time::{Duration, Instant};

use super::MockCluster;
use crate::time::after;

/// A connection that re-authenticates again within this time is refused.
const RENEWALS_APART: Duration = Duration::from_secs(1);

impl MockCluster {
    /// Logins that come from now on last for so many milliseconds, and clients are told so: a
    /// connection has to authenticate again before, or a broker hangs up at its next request. What
    /// is not positive is told as it is, and such logins last for ever, as at the beginning.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.sasl_plain("alice", "secret");
    /// cluster.sasl_session_lifetime_ms(3_600_000);
    /// ```
    pub fn sasl_session_lifetime_ms(&self, lifetime_ms: i64) {
        self.shared
            .update(|state| state.settings.session_lifetime_ms = lifetime_ms);
    }
}

/// The login of a connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Who logged in, and by which mechanism.
    holder: Option<(String, String)>,
    ends: Option<Instant>,
    /// When the last re-authentication began.
    renewed: Option<Instant>,
    /// The mechanism of the last handshake.
    mechanism: String,
}

/// What a request on a connection that is logged in leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Granted,
    /// A re-authentication begins.
    Renewal,
    /// The session is over.
    Over,
}

impl Session {
    /// A handshake may come behind the end too.
    pub(super) fn access(&mut self, is_handshake: bool, now: Instant) -> Access {
        let Some(ends) = self.ends else {
            return Access::Granted;
        };
        let last = self.renewed.and_then(|last| after(last, RENEWALS_APART));
        if is_handshake && last.is_none_or(|earliest| earliest <= now) {
            self.renewed = Some(now);
            return Access::Renewal;
        }
        match ends < now {
            true => Access::Over,
            false => Access::Granted,
        }
    }

    pub(super) fn choose(&mut self, mechanism: &str) {
        mechanism.clone_into(&mut self.mechanism);
    }

    /// Whether a re-authentication is with another mechanism than the login before.
    pub(super) fn has_changed_mechanism(&self) -> bool {
        let before = self.holder.as_ref();
        before.is_some_and(|(_, mechanism)| *mechanism != self.mechanism)
    }

    /// The user is logged in; the error is what the broker says to who was somebody else before.
    pub(super) fn log_in(
        &mut self,
        user: &str,
        lifetime_ms: i64,
        now: Instant,
    ) -> Result<(), String> {
        if let Some((before, _)) = self.holder.as_ref().filter(|(before, _)| before != user) {
            return Err(format!(
                "Cannot change principals during re-authentication from User.{before}: User.{user}"
            ));
        }
        self.holder = Some((user.to_owned(), self.mechanism.clone()));
        let lifetime = u64::try_from(lifetime_ms).ok().filter(|ms| *ms > 0);
        self.ends = lifetime.and_then(|ms| after(now, Duration::from_millis(ms)));
        Ok(())
    }
}
