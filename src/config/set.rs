//! Settings by name and text, and what was said of them.

use zeroize::Zeroizing;

use crate::config::origin::Origin;
use crate::config::value::Setting;
use crate::config::{Config, keys};
use crate::error::Error;

impl Config {
    /// Sets one setting by the name, and in the units, of Apache Kafka's Java producer.
    ///
    /// Blanks around name and value do not count. A setting that the Java producer has and that
    /// means nothing here is accepted with a warning that says why ([`warnings`](Self::warnings));
    /// one whose silent loss would harm, such as `transactional.id`, is an error.
    /// `allow.auto.create.topics`, which only librdkafka's producer has, is known too.
    ///
    /// # Values by reference
    ///
    /// As in Java, `config.providers=file,dir,env` lets values, or pieces of them, stand elsewhere:
    ///
    /// - `${file:/path/to/secrets.properties:password}` is the value of that key in the file, and
    ///   `${file:/path/to/password}` (not in Java) the whole file but for the end of its last line;
    /// - `${dir:/path/to/secrets:password}` is the whole file of that name in the directory;
    /// - `${env:PASSWORD}` is an environment variable.
    ///
    /// Other names need their `config.providers.NAME.class`: Kafka's `FileConfigProvider`,
    /// `DirectoryConfigProvider` or `EnvVarConfigProvider`. What a provider may read is limited by
    /// `config.providers.NAME.param.allowed.paths` (absolute paths; links in them are followed), or
    /// `.param.allowlist.pattern` (names with `.*` in them and `|` between them).
    ///
    /// Providers are named before their first use; in a file they may stand anywhere. Without its
    /// provider a reference is text, as in Java, and a warning tells. What stands for a reference
    /// is put in as it is (quotes inside of `sasl.jaas.config` need their backslashes) and is not
    /// looked at for references again. Neither [`explain`](Self::explain), `Debug` nor an error
    /// about its setting shows it; what is used in the open, such as the address of a broker or a
    /// time that clashes with another, is named where it is.
    ///
    /// A reference is read once, but for those to files in a `sasl.jaas.config` with user name and
    /// password: these are read again whenever a connection authenticates, so that a changed
    /// password needs no restart. Where that fails, no connection is made until it goes well, and
    /// the error names the reference.
    ///
    /// ```
    /// use milena::Config;
    ///
    /// # fn main() -> Result<(), milena::Error> {
    /// let config = Config::new("localhost:9092")
    ///     .set("config.providers", "env")?
    ///     .set("client.id", "billing-${env:CARGO_PKG_VERSION}")?;
    /// let error = config.set("client.id", "${env:NOT_SET}").unwrap_err().to_string();
    /// let expected = "client.id: ${env:NOT_SET}: there is no such environment variable: ";
    /// assert!(error.starts_with(expected));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the name is not known (the message
    /// proposes the nearest one), if the value is not one of the setting's, or if this version
    /// cannot do what it asks for. No message shows the value of a password or of
    /// `sasl.jaas.config`.
    ///
    /// ```
    /// use milena::Config;
    ///
    /// let error = Config::new("localhost:9092").set("linger", "5").unwrap_err();
    /// assert_eq!(error.to_string(), r#"unknown setting "linger": did you mean linger.ms?"#);
    /// ```
    pub fn set(self, key: &str, value: &str) -> Result<Self, Error> {
        self.give(key, value, Origin::Text)
    }

    pub(super) fn give(mut self, key: &str, value: &str, origin: Origin) -> Result<Self, Error> {
        let resolved = self.resolve(key.trim(), value)?;
        let setting = match &resolved {
            Some(value) => Setting::hidden(key, value),
            None => Setting::new(key, value),
        };
        keys::apply(&mut self, &setting)?;
        self.origins.put(setting.key, origin);
        if resolved.is_some() {
            self.origins.hide(setting.key);
            if setting.key == "sasl.jaas.config" {
                self.keep_references(value);
            }
        }
        Ok(self)
    }

    /// Settings of one source: those that name providers come first, wherever they stand in it.
    pub(super) fn give_all(
        mut self,
        entries: Vec<(String, Zeroizing<String>, Origin)>,
    ) -> Result<Self, Error> {
        let names_providers = |key: &str| key.trim().starts_with("config.providers");
        let (first, rest): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .partition(|(key, ..)| names_providers(key));
        for (key, value, origin) in first.into_iter().chain(rest) {
            let place = origin.to_string();
            let given = self.give(&key, &value, origin);
            self = given.map_err(|error| error.context(place))?;
        }
        Ok(self)
    }

    /// Notes that a setter set `key`.
    pub(super) fn by_code(mut self, key: &str) -> Self {
        self.origins.put(key, Origin::Code);
        self
    }

    pub(super) fn is_given(&self, key: &str) -> bool {
        self.origins.is_given(key)
    }

    /// What was given and has no effect, or not the one it seems to have: one sentence each, in the
    /// order given.
    ///
    /// Each is also logged at level `warn` when it is found. Command-line tools without a logger
    /// can print these.
    ///
    /// ```
    /// use milena::Config;
    ///
    /// # fn main() -> Result<(), milena::Error> {
    /// let config = Config::new("localhost:9092").set("metrics.num.samples", "3")?;
    /// assert!(config.warnings()[0].starts_with("metrics.num.samples has no effect"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(super) fn warn(&mut self, warning: String) {
        log::warn!("{warning}");
        self.warnings.push(warning);
    }

    /// A warning of `validate`, which logs them all.
    pub(super) fn note(&mut self, warning: String) {
        self.warnings.push(warning);
    }
}
