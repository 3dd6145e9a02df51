//! `sasl.login.refresh.*`: when a token is fetched anew.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::validate::wrong;
use crate::config::value::Setting;
use crate::config::{Config, Mechanism, SaslConfig};
use crate::error::Error;

const KEYS: [&str; 4] = [
    "sasl.login.refresh.window.factor",
    "sasl.login.refresh.window.jitter",
    "sasl.login.refresh.min.period.seconds",
    "sasl.login.refresh.buffer.seconds",
];
const FACTORS: RangeInclusive<f64> = 0.5..=1.0;
const JITTERS: RangeInclusive<f64> = 0.0..=0.25;
const MIN_PERIOD_SECONDS: RangeInclusive<i64> = 0..=900;
const BUFFER_SECONDS: RangeInclusive<i64> = 0..=3600;

/// When a token is fetched anew, by the rules of Java's `ExpiringCredentialRefreshingLogin`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TokenRefresh {
    pub(crate) window_factor: f64,
    pub(crate) window_jitter: f64,
    pub(crate) min_period: Duration,
    pub(crate) buffer: Duration,
}

impl Default for TokenRefresh {
    fn default() -> Self {
        Self {
            window_factor: 0.8,
            window_jitter: 0.05,
            min_period: Duration::from_secs(60),
            buffer: Duration::from_secs(300),
        }
    }
}

impl TokenRefresh {
    /// When to ask for the next token after one that came at `now_ms` and ends at `end_ms`, both by
    /// the wall clock; `jitter` is a random number in 0..1.
    pub(crate) fn due_ms(&self, now_ms: i64, end_ms: i64, jitter: f64) -> i64 {
        let share = self.window_factor + self.window_jitter * jitter.clamp(0.0, 1.0);
        let life_ms = end_ms.saturating_sub(now_ms).max(0);
        let due_ms = now_ms.saturating_add((life_ms as f64 * share) as i64);
        let [period_ms, buffer_ms] = [self.min_period, self.buffer]
            .map(|pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        if period_ms.saturating_add(buffer_ms) > life_ms {
            // A life too short for both pauses goes by the share alone.
            return due_ms;
        }
        let earliest_ms = now_ms.saturating_add(period_ms);
        due_ms.min(end_ms - buffer_ms).max(earliest_ms)
    }
}

/// Refreshing tokens.
impl Config {
    /// Behind which part of its life a token of OAUTHBEARER is fetched anew: 0.5 to 1.
    ///
    /// It is fetched when a connection needs it next, and that connection uses the old one while
    /// the new one is not there.
    ///
    /// Defaults to 0.8, as in Java.
    ///
    /// Java's name: `sasl.login.refresh.window.factor`.
    pub fn sasl_login_refresh_window_factor(mut self, part: f64) -> Self {
        self.token_refresh.window_factor = part;
        self.by_code("sasl.login.refresh.window.factor")
    }

    /// How much of a token's life is added at most to the
    /// [factor](Self::sasl_login_refresh_window_factor), by chance, so that many producers do not
    /// ask at the same time: 0 to 0.25.
    ///
    /// Defaults to 0.05, as in Java.
    ///
    /// Java's name: `sasl.login.refresh.window.jitter`.
    pub fn sasl_login_refresh_window_jitter(mut self, part: f64) -> Self {
        self.token_refresh.window_jitter = part;
        self.by_code("sasl.login.refresh.window.jitter")
    }

    /// How long a token is used at least before it is fetched anew, up to 15 minutes. It and the
    /// [buffer](Self::sasl_login_refresh_buffer) do not count for a token that ends sooner than
    /// both together.
    ///
    /// Defaults to 60 s, as in Java.
    ///
    /// Java's name: `sasl.login.refresh.min.period.seconds`.
    pub fn sasl_login_refresh_min_period(mut self, period: Duration) -> Self {
        self.token_refresh.min_period = period;
        self.by_code("sasl.login.refresh.min.period.seconds")
    }

    /// How long before its end a token is fetched anew at the latest, up to an hour.
    ///
    /// Defaults to 300 s, as in Java.
    ///
    /// Java's name: `sasl.login.refresh.buffer.seconds`.
    pub fn sasl_login_refresh_buffer(mut self, buffer: Duration) -> Self {
        self.token_refresh.buffer = buffer;
        self.by_code("sasl.login.refresh.buffer.seconds")
    }

    pub(super) fn read_window_factor(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.token_refresh.window_factor = part(setting, FACTORS)?;
        Ok(())
    }

    pub(super) fn read_window_jitter(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.token_refresh.window_jitter = part(setting, JITTERS)?;
        Ok(())
    }

    pub(super) fn read_min_period(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.token_refresh.min_period = seconds(setting, MIN_PERIOD_SECONDS)?;
        Ok(())
    }

    pub(super) fn read_refresh_buffer(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.token_refresh.buffer = seconds(setting, BUFFER_SECONDS)?;
        Ok(())
    }

    /// What setters in code may have set.
    pub(super) fn check_token_refresh(&mut self) -> Result<(), Error> {
        let refresh = self.token_refresh;
        for (key, part, range) in [
            ("factor", refresh.window_factor, FACTORS),
            ("jitter", refresh.window_jitter, JITTERS),
        ] {
            if !range.contains(&part) {
                let (least, most) = (range.start(), range.end());
                return Err(wrong(format!(
                    "sasl.login.refresh.window.{key}: {part} is out of range: {least} to {most}"
                )));
            }
        }
        for (key, pause, range) in [
            ("min.period", refresh.min_period, MIN_PERIOD_SECONDS),
            ("buffer", refresh.buffer, BUFFER_SECONDS),
        ] {
            let most = range.end();
            if pause > Duration::from_secs(most.unsigned_abs()) {
                return Err(wrong(format!(
                    "sasl.login.refresh.{key}.seconds: {} s is out of range: 0 to {most}",
                    pause.as_secs_f64()
                )));
            }
        }
        self.note_idle_refresh();
        Ok(())
    }

    fn note_idle_refresh(&mut self) {
        let mechanism = self.sasl.as_ref().map(SaslConfig::mechanism);
        if mechanism == Some(Mechanism::OauthBearer) && self.security_protocol.has_sasl() {
            return;
        }
        for key in KEYS {
            if self.is_given(key) {
                self.note(format!(
                    "{key} has no effect: it is for the SASL mechanism OAUTHBEARER"
                ));
            }
        }
    }
}

fn part(setting: &Setting<'_>, range: RangeInclusive<f64>) -> Result<f64, Error> {
    let number: f64 = setting
        .value
        .parse()
        .map_err(|_| setting.wrong("is not a number"))?;
    match range.contains(&number) {
        true => Ok(number),
        false => Err(setting.wrong(&format!(
            "is out of range: {} to {}",
            range.start(),
            range.end()
        ))),
    }
}

fn seconds(setting: &Setting<'_>, range: RangeInclusive<i64>) -> Result<Duration, Error> {
    let seconds = setting.integer(range)?;
    Ok(Duration::from_secs(seconds.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecurityProtocol;
    use crate::oauth::UnsecuredTokens;

    #[test]
    fn a_token_is_due_as_in_java() {
        let refresh = TokenRefresh::default();
        let due = |life_s: i64, jitter: f64| refresh.due_ms(1_000_000, life(life_s), jitter);
        // The window alone; the buffer before the end; too short for both pauses; no life at all.
        assert_eq!(due(3600, 0.0), 1_000_000 + 2_880_000);
        assert_eq!(due(3600, 1.0), 1_000_000 + 3_060_000);
        assert_eq!(due(1200, 1.0), 1_000_000 + 900_000);
        assert_eq!(due(361, 0.0), 1_000_000 + 61_000);
        assert_eq!(due(300, 0.0), 1_000_000 + 240_000);
        assert_eq!(due(0, 1.0), 1_000_000);
        assert_eq!(due(-5, 1.0), 1_000_000);
        // Nothing overflows.
        assert!(refresh.due_ms(0, i64::MAX, 1.0) < i64::MAX);
        assert!(refresh.due_ms(i64::MAX, i64::MIN, 1.0) > 0);
        let eager = TokenRefresh {
            window_factor: 0.5,
            min_period: Duration::from_secs(900),
            buffer: Duration::ZERO,
            ..refresh
        };
        assert_eq!(eager.due_ms(0, 1_000_000, 0.0), 900_000);
    }

    fn life(seconds: i64) -> i64 {
        1_000_000 + seconds * 1000
    }

    #[test]
    fn parts_and_pauses_out_of_range_are_refused_in_text_and_in_code() {
        let config = || Config::new("broker:9092");
        for (key, good, bad) in [
            ("sasl.login.refresh.window.factor", "0.5", "0.49"),
            ("sasl.login.refresh.window.jitter", "0.25", "0.26"),
            ("sasl.login.refresh.window.jitter", "0", "some"),
            ("sasl.login.refresh.min.period.seconds", "900", "901"),
            ("sasl.login.refresh.buffer.seconds", "3600", "3601"),
        ] {
            let mut set = config().set(key, good).unwrap();
            assert!(set.check_token_refresh().is_ok());
            let says = format!("{key} has no effect: it is for the SASL mechanism OAUTHBEARER");
            assert_eq!(set.warnings(), [says]);
            let tokens = set.sasl_oauthbearer(UnsecuredTokens::new("alice"));
            let mut used = tokens.security_protocol(SecurityProtocol::SaslSsl);
            used.warnings.clear();
            assert!(used.check_token_refresh().is_ok() && used.warnings().is_empty());
            let error = config().set(key, bad).unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
        let long = Duration::from_secs(3601);
        for mut config in [
            config().sasl_login_refresh_window_factor(f64::NAN),
            config().sasl_login_refresh_window_jitter(-0.1),
            config().sasl_login_refresh_min_period(long),
            config().sasl_login_refresh_buffer(long),
        ] {
            let error = config.check_token_refresh().unwrap_err().to_string();
            assert!(error.contains("is out of range"), "{error}");
        }
    }

    #[test]
    fn tokens_that_settings_describe_are_refreshed_too() {
        let jaas = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
            unsecuredLoginStringClaim_sub=\"alice\";";
        let mut config = Config::new("broker:9092").security_protocol(SecurityProtocol::SaslSsl);
        for (key, value) in [
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.jaas.config", jaas),
            ("sasl.login.refresh.buffer.seconds", "5"),
        ] {
            config = config.set(key, value).unwrap();
        }
        let config = config.validate().unwrap();
        let warnings = config.warnings();
        assert!(!warnings.iter().any(|warning| warning.contains("refresh")));
    }
}
