//! What the settings come to, in words.

use std::fmt;

use crate::config::Config;
use crate::config::advice::advice;
use crate::config::effective::{CLOSE_TIMEOUT, DIALER, EFFECTIVE, HIDDEN, ms};
use crate::config::java::JAVA;
use crate::config::topic::keys_of;
use crate::config::value::seems_secret;
use crate::error::Error;

/// What [`Config::explain`] tells: `Display` is a page of text.
///
/// ```
/// use milena::Config;
///
/// # fn main() -> Result<(), milena::Error> {
/// let config = Config::new("localhost:9092").set("enable.idempotence", "true")?;
/// let explained = config.explain();
/// let line = |start: &str| {
///     let text = explained.to_string();
///     let line = text.lines().find(|line| line.starts_with(start)).unwrap();
///     line.split_whitespace().collect::<Vec<_>>().join(" ")
/// };
/// assert_eq!(line("acks "), "acks all because of enable.idempotence=true");
/// assert_eq!(line("linger.ms "), "linger.ms 0 default; Java's is 5");
/// assert_eq!(line("enable.idempotence "), "enable.idempotence true set in code, as text");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Explanation {
    settings: Vec<Line>,
    advice: Vec<String>,
    error: Option<Error>,
}

/// A setting with its value and where it comes from, all as text.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: String,
}

impl Explanation {
    /// One sentence for each value that has no effect, works against another, or does what may
    /// surprise; the [`warnings`](Config::warnings) come first.
    ///
    /// ```
    /// use std::time::Duration;
    /// use milena::{Acks, Config};
    ///
    /// let config = Config::new("localhost:9092").batch_size(0).linger(Duration::from_millis(5));
    /// let explained = config.explain();
    /// assert!(explained.advice()[0].starts_with("linger.ms=5 has no effect: batch.size=0"));
    /// ```
    pub fn advice(&self) -> &[String] {
        &self.advice
    }

    /// What `Producer::new` would refuse these settings with.
    ///
    /// ```
    /// use milena::Config;
    ///
    /// assert!(Config::new("localhost:9092").explain().error().is_none());
    /// let explained = Config::new("localhost:9092").retries(0).idempotence(true).explain();
    /// let error = explained.error().unwrap().to_string();
    /// assert!(error.starts_with("retries=0 clashes with enable.idempotence=true"));
    /// assert!(explained.to_string().contains(&error));
    /// ```
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = &self.error {
            writeln!(f, "no producer can be made of these settings: {error}\n")?;
        }
        let longest = |of: fn(&Line) -> &str, most: usize| {
            let lengths = self.settings.iter().map(|line| of(line).chars().count());
            lengths.filter(|length| *length <= most).max().unwrap_or(0)
        };
        let (keys, values) = (
            longest(|line| &line.key, 48),
            longest(|line| &line.value, 24),
        );
        for Line { key, value, origin } in &self.settings {
            writeln!(f, "{key:keys$}  {value:values$}  {origin}")?;
        }
        if !self.advice.is_empty() {
            writeln!(f, "\nto know:")?;
        }
        for advice in &self.advice {
            writeln!(f, "- {advice}")?;
        }
        Ok(())
    }
}

impl Config {
    /// The explanation; `check` is what refuses settings beyond their own checks.
    pub(crate) fn explained(&self, check: impl FnOnce(&Self) -> Result<(), Error>) -> Explanation {
        let mut settled = self.clone();
        let checked = settled.settle().and_then(|()| check(&settled));
        let mut told = settled.warnings.clone();
        told.extend(advice(&settled));
        Explanation {
            settings: settled.lines(),
            advice: told,
            error: checked.err(),
        }
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = EFFECTIVE
            .iter()
            .map(|(key, value, _)| self.line(key, value(self)))
            .collect();
        lines.push(self.line(CLOSE_TIMEOUT, ms(self.close_timeout)));
        match self.interceptors.len() {
            0 => {}
            count => lines.push(self.line("interceptor.classes", format!("{count} in Rust"))),
        }
        if let Some(dialer) = &self.dialer {
            lines.push(self.line(DIALER, dialer.name.to_owned()));
        }
        #[cfg(feature = "tls")]
        lines.extend(
            self.handed()
                .map(|what| self.line(what, "one in Rust".into())),
        );
        for (topic, settings) in &self.topics {
            let [compression, full_buffer] = keys_of(topic);
            let values = [
                (compression, settings.compression.map(|it| it.to_string())),
                (full_buffer, settings.full_buffer.map(|it| it.to_string())),
            ];
            let given = values
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?)));
            lines.extend(given.map(|(key, value)| self.line(&key, value)));
        }
        lines
    }

    fn line(&self, key: &str, value: String) -> Line {
        // Where any text passes, a secret may have gone by mistake.
        let is_free = matches!(key, "client.id" | "client.rack");
        let is_hidden = self.origins.is_hidden(key) || (is_free && seems_secret(&value));
        let value = match is_hidden {
            true => HIDDEN.to_owned(),
            // A line break would look like another setting.
            false if value.chars().any(char::is_control) => format!("{value:?}"),
            false => value,
        };
        let origin = match self.origins.of(key) {
            Some(origin) if self.origins.is_hidden(key) => format!("{origin}, by reference"),
            Some(origin) => origin.to_string(),
            None => default_of(key, &value),
        };
        Line {
            key: key.to_owned(),
            value,
            origin,
        }
    }
}

impl fmt::Debug for Config {
    /// The settings as they were given, without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let entries = lines.iter().map(|line| (&line.key, &line.value));
        f.write_str("Config ")?;
        f.debug_map().entries(entries).finish()
    }
}

fn default_of(key: &str, value: &str) -> String {
    let java = JAVA.iter().find(|(name, ..)| *name == key);
    match java.map(|(_, _, default, _)| *default) {
        None | Some("required" | "null" | "") => "default".to_owned(),
        Some(java) if java == value => "default".to_owned(),
        Some(java) => format!("default; Java's is {java}"),
    }
}
