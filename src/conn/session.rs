//! How long a broker lets a connection stay logged in (KIP-368).

use std::time::{Duration, Instant};

use crate::time::after;

/// The session of a connection; by default one without an end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Session {
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    /// From here on the client may authenticate anew on the connection.
    renew_at: Instant,
    /// The broker closes the connection at the first request behind it.
    at: Instant,
}

/// What a connection needs before its next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// To authenticate again.
    Renewal,
    /// To give way to another: its session is over, or cannot be renewed.
    Replacement,
}

/// Kafka refuses a re-authentication that comes earlier behind another one: its second
/// (`KafkaChannel.maybeBeginServerReauthentication`), and some more, as the network may bring the
/// two closer together.
const RENEWALS_APART: Duration = Duration::from_millis(1100);

/// The pause before a source that had nothing to authenticate with is asked again.
const POSTPONED: Duration = Duration::from_millis(100);

impl Session {
    /// A session that began at `started` and ends `lifetime_ms` later; zero is no end. It is
    /// renewed at 85 to 95 % of that, as Java does, so that the connections of many clients do not
    /// come in the same moment.
    pub(super) fn new(started: Instant, lifetime_ms: i64, jitter: f64) -> Self {
        let lifetime = u64::try_from(lifetime_ms).ok().filter(|ms| *ms > 0);
        let end = lifetime.and_then(|ms| {
            let lifetime = Duration::from_millis(ms);
            let share = 0.85 + 0.1 * jitter.clamp(0.0, 1.0);
            Some(End {
                renew_at: after(started, lifetime.mul_f64(share))?,
                at: after(started, lifetime)?,
            })
        });
        Self { end }
    }

    /// The session as it is if a re-authentication at `started` began it: where the next one would
    /// come too early, the connection is replaced.
    pub(super) fn renewed(mut self, started: Instant) -> Self {
        if let (Some(end), Some(earliest)) = (&mut self.end, after(started, RENEWALS_APART)) {
            let is_too_early = end.renew_at < earliest;
            if is_too_early {
                end.at = end.renew_at;
            }
        }
        self
    }

    /// The session is not to be renewed.
    pub(super) fn end(&mut self, now: Instant) {
        if let Some(end) = &mut self.end {
            end.at = end.at.min(now);
        }
    }

    /// There is nothing to renew the session with yet: it is due again in a while.
    pub(super) fn postpone(&mut self, now: Instant) {
        if let (Some(end), Some(later)) = (&mut self.end, after(now, POSTPONED)) {
            end.renew_at = later;
        }
    }

    pub(crate) fn due(&self, now: Instant) -> Due {
        match self.end {
            Some(end) if end.at <= now => Due::Replacement,
            Some(end) if end.renew_at <= now => Due::Renewal,
            _ => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::now;

    /// The due things of a session at milliseconds behind its start.
    fn dues<const N: usize>(session: Session, start: Instant, at: [u64; N]) -> [Due; N] {
        at.map(|ms| session.due(start + Duration::from_millis(ms)))
    }

    #[test]
    fn a_session_is_renewed_ahead_of_its_end_and_replaced_behind_it() {
        use Due::{Nothing, Renewal, Replacement};
        let start = now();
        let early = Session::new(start, 10_000, 0.0);
        assert_eq!(
            dues(early, start, [0, 8499, 8500, 9999, 10_000, 99_000]),
            [Nothing, Nothing, Renewal, Renewal, Replacement, Replacement]
        );
        let late = Session::new(start, 10_000, 1.0);
        assert_eq!(
            dues(late, start, [9499, 9500, 10_000]),
            [Nothing, Renewal, Replacement]
        );
        let beyond = Session::new(start, 10_000, 7.0);
        assert_eq!(dues(beyond, start, [9499, 9500]), [Nothing, Renewal]);
    }

    #[test]
    fn no_lifetime_and_one_that_no_clock_can_tell_have_no_end() {
        let start = now();
        for lifetime_ms in [0, -1, i64::MIN, i64::MAX] {
            let session = Session::new(start, lifetime_ms, 1.0);
            let later = dues(session, start, [0, 1 << 40]);
            assert_eq!(later, [Due::Nothing; 2], "{lifetime_ms}");
        }
    }

    /// Kafka would refuse the second within its second.
    #[test]
    fn a_connection_whose_next_renewal_would_come_too_early_is_replaced() {
        use Due::{Nothing, Renewal, Replacement};
        let start = now();
        let short = Session::new(start, 1000, 0.5);
        assert_eq!(
            dues(short, start, [899, 900, 1000]),
            [Nothing, Renewal, Replacement]
        );
        let again = short.renewed(start);
        assert_eq!(dues(again, start, [899, 900]), [Nothing, Replacement]);
        let long_enough = Session::new(start, 1300, 0.0).renewed(start);
        assert_eq!(
            dues(long_enough, start, [1104, 1105, 1300]),
            [Nothing, Renewal, Replacement]
        );
    }
}
