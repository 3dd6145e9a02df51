//! User names and passwords that may change, and where they come from.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::config::Secret;

/// Gives user name and password for the SASL mechanisms PLAIN and SCRAM;
/// [`Config::sasl_credentials`](crate::Config::sasl_credentials) takes one. A closure is one too.
///
/// It is asked whenever a connection authenticates: when it is made, and again before its session
/// ends, if the brokers limit that. So a password that was changed is in use without a restart. It
/// runs on a thread of its own, never twice at a time, and who asks meanwhile gets the same answer.
/// It may block: a new connection waits until its set-up has to be over
/// (`socket.connection.setup.timeout.ms`), and one whose session nears its end goes on with that.
///
/// An error or a panic fails this attempt alone, with its text, and records wait for the next. Its
/// text must not show the password. Credentials that a broker refuses fail the records that wait;
/// the source is asked again for the next attempt, a second later at the earliest.
///
/// ```
/// use milena::{Config, Credentials, SecurityProtocol};
///
/// let config = Config::new("kafka-1:9093")
///     .security_protocol(SecurityProtocol::SaslSsl)
///     .set("sasl.mechanism", "SCRAM-SHA-512")?
///     .sasl_credentials(|| {
///         let password = std::fs::read_to_string("/run/secrets/kafka")?;
///         Ok(Credentials::new("alice", password.trim_end()))
///     });
/// # Ok::<(), milena::Error>(())
/// ```
pub trait CredentialSource: Send + Sync {
    /// What to log in with now.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from having one; the text is told to the user.
    fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>>;
}

impl<F> CredentialSource for F
where
    F: Fn() -> Result<Credentials, Box<dyn StdError + Send + Sync>> + Send + Sync,
{
    fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>> {
        self()
    }
}

/// A user name and its password, which `Debug` does not show.
///
/// ```
/// let credentials = milena::Credentials::new("alice", "s3cret");
/// assert!(!format!("{credentials:?}").contains("s3cret"));
/// ```
#[derive(Clone, Debug)]
pub struct Credentials {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

impl Credentials {
    /// The password as it is, with all its blanks: files tend to end in a line's end.
    ///
    /// ```
    /// let credentials = milena::Credentials::new("alice", "s3cret");
    /// ```
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: Secret::new(password),
        }
    }
}

/// A source among the settings.
#[derive(Clone)]
pub(crate) struct AnyCredentialSource(Arc<dyn CredentialSource>);

impl AnyCredentialSource {
    pub(crate) fn new(source: impl CredentialSource + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub(crate) fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>> {
        self.0.credentials()
    }
}

impl fmt::Debug for AnyCredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialSource")
    }
}
