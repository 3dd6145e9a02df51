//! Credentials that are asked for at every authentication: a source of the application's, or those
//! of `sasl.jaas.config` that stand in files.

use std::error::Error as StdError;

use crate::config::jaas::Jaas;
use crate::config::providers::{Kind, Providers};
use crate::config::reference::{self, Piece};
use crate::config::validate::wrong;
use crate::config::{Config, SaslConfig, Secret};
use crate::credentials::{AnyCredentialSource, CredentialSource, Credentials};
use crate::error::Error;

const KEY: &str = "sasl.jaas.config";

/// The value with its references, and what may be read.
struct Reread {
    value: Secret,
    providers: Providers,
}

impl Config {
    /// A source of user name and password for the SASL mechanisms PLAIN and SCRAM, which is asked
    /// whenever a connection authenticates: a [`CredentialSource`], or a closure that gives
    /// [`Credentials`]. The mechanism is that of `sasl.mechanism`, which has to
    /// be [`set`](Self::set). The last credentials that are set hold.
    ///
    /// A name that differs from the last time is taken by new connections; those that have the old
    /// one are replaced when their sessions end.
    ///
    /// Defaults to no credentials.
    ///
    /// Java's names: `sasl.jaas.config` with references to files, which are read again here, and
    /// `sasl.client.callback.handler.class`, which takes a class of Java and is refused here.
    ///
    /// ```
    /// use milena::{Config, Credentials, SecurityProtocol};
    ///
    /// # fn from_the_vault() -> std::io::Result<String> { Ok("s3cret".into()) }
    /// let config = Config::new("kafka-1:9093")
    ///     .security_protocol(SecurityProtocol::SaslSsl)
    ///     .set("sasl.mechanism", "SCRAM-SHA-512")?
    ///     .sasl_credentials(|| Ok(Credentials::new("alice", from_the_vault()?)));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn sasl_credentials(mut self, source: impl CredentialSource + 'static) -> Self {
        self.credentials = Some(AnyCredentialSource::new(source));
        self.sasl = None;
        self.by_code("sasl.jaas.config")
    }

    /// Keeps the value of `sasl.jaas.config` for later if its user name or password may change:
    /// environment variables do not.
    pub(super) fn keep_references(&mut self, value: &str) {
        let is_file = |piece: &Piece<'_>| match piece {
            Piece::Text(_) => false,
            Piece::Reference(reference) => {
                let kind = self.providers.kind(reference.provider);
                self.providers.has(reference.provider) && kind != Some(Kind::Variable)
            }
        };
        let has_user = self.sasl.as_ref().and_then(SaslConfig::user).is_some();
        if has_user && reference::pieces(value).iter().any(is_file) {
            self.credentials = Some(AnyCredentialSource::new(Reread {
                value: Secret::new(value),
                providers: self.providers.clone(),
            }));
        }
    }
}

impl CredentialSource for Reread {
    fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>> {
        Ok(self.read()?)
    }
}

impl Reread {
    fn read(&self) -> Result<Credentials, Error> {
        let mut value = String::new();
        for piece in reference::pieces(self.value.expose()) {
            match piece {
                Piece::Reference(reference) if self.providers.has(reference.provider) => {
                    let text = self.providers.look_up(&reference);
                    value += &text
                        .map_err(|what| wrong(format!("{KEY}: {}: {what}", reference.shown())))?;
                }
                Piece::Reference(reference) => value += reference.text,
                Piece::Text(text) => value += text,
            }
        }
        let jaas = Jaas::parse(&value).map_err(|malformed| {
            let (at, what) = (malformed.at, malformed.what);
            wrong(format!("{KEY}: at character {at} of the value: {what}"))
        })?;
        let option = |name| {
            let found = jaas.option(name);
            found.ok_or_else(|| wrong(format!("{KEY}: the option {name}=\"...\" is missing")))
        };
        Ok(Credentials {
            username: option("username")?.expose().to_owned(),
            password: option("password")?.clone(),
        })
    }
}
