//! Settings from environment variables.

use std::ffi::OsString;

use zeroize::Zeroizing;

use crate::config::origin::Origin;
use crate::config::validate::wrong;
use crate::config::{Config, foreign, keys, topic};
use crate::error::Error;

impl Config {
    /// Settings from the environment variables whose names begin with `prefix`; one of them must
    /// set `bootstrap.servers`.
    ///
    /// With the prefix `KAFKA_`, the variable `KAFKA_BOOTSTRAP_SERVERS` sets `bootstrap.servers`:
    /// in upper case, `_` for each dot. As with Confluent's images, `__` stands for a dash and
    /// `___` for an underscore, which only names of topics and providers have; names with capitals
    /// are out of reach.
    ///
    /// A variable that is nearly a setting, such as `KAFKA_LINGER`, is an error. One that is none,
    /// such as `KAFKA_HOME`, is ignored with a warning: the environment is not this program's
    /// alone. [`explain`](Self::explain) shows what came from where.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) as for [`set`](Self::set), with the name of
    /// the variable; if a value is not UTF-8, or `prefix` is empty.
    ///
    /// ```no_run
    /// // KAFKA_BOOTSTRAP_SERVERS=kafka-1:9092 KAFKA_ACKS=all
    /// let config = milena::Config::from_env("KAFKA_")?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn from_env(prefix: &str) -> Result<Self, Error> {
        let config = Self::with_defaults().set_env(prefix)?;
        config.with_servers().map_err(|error| {
            error.context(format!(
                "environment variables {prefix}BOOTSTRAP_SERVERS and so on"
            ))
        })
    }

    /// Adds what environment variables set to these settings; see [`from_env`](Self::from_env).
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env), but no variable need set `bootstrap.servers`.
    ///
    /// ```
    /// use milena::Config;
    ///
    /// // The environment has the last word.
    /// let config = Config::new("localhost:9092").set_env("KAFKA_")?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn set_env(self, prefix: &str) -> Result<Self, Error> {
        self.apply_variables(prefix, std::env::vars_os())
    }

    pub(super) fn apply_variables(
        mut self,
        prefix: &str,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Error> {
        if prefix.is_empty() {
            return Err(wrong(
                "the prefix of environment variables is empty: every variable would be a setting",
            ));
        }
        let named = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let mut named: Vec<_> = named.filter(|(name, _)| name.starts_with(prefix)).collect();
        named.sort_unstable();
        let mut entries = Vec::new();
        for (name, value) in named {
            let Some(key) = self.setting_of(&name, prefix)? else {
                continue;
            };
            let place = format!("environment variable {name}");
            let value = value.into_string();
            let value = value.map_err(|_| wrong(format!("{place}: its value is not UTF-8")))?;
            entries.push((key, Zeroizing::new(value), Origin::Place(place)));
        }
        self.give_all(entries)
    }

    /// The key that a variable stands for; `None` if it is none of this producer's.
    fn setting_of(&mut self, name: &str, prefix: &str) -> Result<Option<String>, Error> {
        let key = key_of(&name[prefix.len()..]);
        let ignored = |why: &str| format!("environment variable {name} is ignored: {why}");
        let warning = match key {
            None => ignored("names of settings are in upper case, with _ for each dot"),
            // What begins with `topic.` may be the program's own.
            Some(key) if key.starts_with("topic.") && !topic::is_setting(&key) => {
                ignored(&format!("there is no setting {key}"))
            }
            Some(key) if keys::find(&key).is_some() => return Ok(Some(key)),
            Some(key) => match (keys::nearest(&key), foreign::advice(&key)) {
                (Some(near), None) => {
                    let meant = near.replace('.', "_").to_ascii_uppercase();
                    return Err(wrong(format!(
                        "environment variable {name}: there is no setting {key}: did you mean \
                         {prefix}{meant}, {near}?"
                    )));
                }
                (_, Some(advice)) => ignored(&advice),
                (None, None) => ignored(&format!("there is no setting {key}")),
            },
        };
        self.warn(warning);
        Ok(None)
    }
}

/// `a.b-c_d` for `A_B__C___D`.
fn key_of(name: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(is_part) {
        return None;
    }
    let key = name
        .replace("___", "\u{0}")
        .replace("__", "-")
        .replace('_', ".");
    Some(key.replace('\u{0}', "_").to_ascii_lowercase())
}
