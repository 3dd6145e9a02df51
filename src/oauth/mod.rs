//! Bearer tokens for the SASL mechanism OAUTHBEARER, and where they come from.

mod unsecured;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::config::Secret;

pub use self::unsecured::UnsecuredTokens;
pub(crate) use self::unsecured::quoted;

/// Gives tokens for the SASL mechanism OAUTHBEARER;
/// [`Config::sasl_oauthbearer`](crate::Config::sasl_oauthbearer) takes one. A closure is one too.
///
/// It is asked before the first connection authenticates, and again ahead of the end of the token
/// ([`Token::expires_at`]), on a thread of its own and never twice at a time; all connections of a
/// producer share the token. It may block: connections that need a token wait for it until their
/// set-up has to be over (`socket.connection.setup.timeout.ms`), and while the last token holds
/// nobody waits. A token without an end is asked for anew for each connection.
///
/// An error or a panic fails the connections that need the token, with its text, and the source is
/// asked again with the next attempt. While the last token holds it only makes a warning in the
/// log. Its text must not show the token.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use milena::{Config, SecurityProtocol, Token};
///
/// # fn fetch() -> std::io::Result<String> { Ok("ey...".into()) }
/// let config = Config::new("kafka-1:9093")
///     .security_protocol(SecurityProtocol::SaslSsl)
///     .sasl_oauthbearer(|| {
///         let value = fetch()?;
///         Ok(Token::new(value).expires_at(SystemTime::now() + Duration::from_secs(3600)))
///     });
/// ```
pub trait TokenSource: Send + Sync {
    /// The token to use from now on.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from having one; the text is told to the user.
    fn token(&self) -> Result<Token, Box<dyn StdError + Send + Sync>>;
}

impl<F> TokenSource for F
where
    F: Fn() -> Result<Token, Box<dyn StdError + Send + Sync>> + Send + Sync,
{
    fn token(&self) -> Result<Token, Box<dyn StdError + Send + Sync>> {
        self()
    }
}

/// A bearer token (RFC 6750) with what is known of it. `Debug` does not show the token itself.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use milena::Token;
///
/// let token = Token::new("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.")
///     .expires_at(SystemTime::now() + Duration::from_secs(3600))
///     .principal("alice")
///     .extension("logicalCluster", "lkc-1234");
/// assert!(!format!("{token:?}").contains("eyJ"));
/// ```
#[derive(Clone, Debug)]
pub struct Token {
    pub(crate) value: Secret,
    pub(crate) expires_at: Option<SystemTime>,
    pub(crate) principal: Option<String>,
    pub(crate) extensions: Vec<(String, Secret)>,
}

impl Token {
    /// A token as it goes behind `Bearer`: three parts of Base64 for most issuers.
    ///
    /// ```
    /// let token = milena::Token::new("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.");
    /// ```
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: Secret::new(value),
            expires_at: None,
            principal: None,
            extensions: Vec::new(),
        }
    }

    /// When it ends. Ahead of that the source is asked for the next one.
    ///
    /// Defaults to no end: then each connection asks the source anew.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// let end = SystemTime::now() + Duration::from_secs(300);
    /// let token = milena::Token::new("eyJ...").expires_at(end);
    /// ```
    pub fn expires_at(mut self, end: SystemTime) -> Self {
        self.expires_at = Some(end);
        self
    }

    /// Whom it is for, as errors name the user; the broker goes by what is in the token.
    ///
    /// Defaults to nobody that is known.
    ///
    /// ```
    /// let token = milena::Token::new("eyJ...").principal("alice");
    /// ```
    pub fn principal(mut self, name: impl Into<String>) -> Self {
        self.principal = Some(name.into());
        self
    }

    /// Adds a SASL extension (KIP-342), which the broker is sent along with the token. Its name has
    /// ASCII letters alone and is not `auth`, its value is printable ASCII; others fail the login.
    /// The value is hidden as the token is.
    ///
    /// Defaults to none.
    ///
    /// ```
    /// let token = milena::Token::new("eyJ...").extension("logicalCluster", "lkc-1234");
    /// ```
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extensions.push((name.into(), Secret::new(value)));
        self
    }
}

/// A token source among the settings.
#[derive(Clone)]
pub(crate) struct AnyTokenSource(Arc<dyn TokenSource>);

impl AnyTokenSource {
    pub(crate) fn new(source: impl TokenSource + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub(crate) fn token(&self) -> Result<Token, Box<dyn StdError + Send + Sync>> {
        self.0.token()
    }
}

impl fmt::Debug for AnyTokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource")
    }
}
