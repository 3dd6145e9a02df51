//! Tokens that nobody has signed (RFC 7515, A.5), for tests.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::Secret;
use crate::time::wall_clock_ms;

use super::{Token, TokenSource};

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A source of tokens that nobody has signed, for tests: a broker takes them unless it was told how
/// to check tokens, from everybody and for everybody.
///
/// It is what Java's `OAuthBearerUnsecuredLoginCallbackHandler` gives, the default of its
/// OAUTHBEARER.
///
/// ```
/// # let cluster = milena::mock::MockCluster::start(1);
/// use std::time::Duration;
/// use milena::{Config, Producer, Record, SecurityProtocol, UnsecuredTokens};
///
/// cluster.sasl_oauthbearer();
/// let config = Config::new(cluster.bootstrap())
///     .security_protocol(SecurityProtocol::SaslPlaintext)
///     .sasl_oauthbearer(UnsecuredTokens::new("alice").lifetime(Duration::from_secs(600)));
/// Producer::new(config)?.send(Record::to("orders").value("3 apples")).wait()?;
/// # Ok::<(), milena::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct UnsecuredTokens {
    principal: String,
    lifetime: Duration,
    /// Names, and values as JSON.
    claims: Vec<(String, String)>,
    extensions: Vec<(String, Secret)>,
}

impl UnsecuredTokens {
    /// Tokens for this principal, their claim `sub`.
    ///
    /// ```
    /// let tokens = milena::UnsecuredTokens::new("alice");
    /// ```
    pub fn new(principal: impl Into<String>) -> Self {
        Self {
            principal: principal.into(),
            lifetime: Duration::from_secs(3600),
            claims: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// How long each token lasts.
    ///
    /// Defaults to an hour, as in Java.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let tokens = milena::UnsecuredTokens::new("alice").lifetime(Duration::from_secs(60));
    /// ```
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The scopes that the tokens have, their claim `scope`.
    ///
    /// Defaults to none.
    ///
    /// ```
    /// let tokens = milena::UnsecuredTokens::new("alice").scope(&["produce", "describe"]);
    /// ```
    pub fn scope(mut self, scopes: &[&str]) -> Self {
        let scopes: Vec<String> = scopes.iter().map(|scope| quoted(scope)).collect();
        self.set("scope", format!("[{}]", scopes.join(",")));
        self
    }

    /// Adds a claim. Another of the same name is replaced; `sub`, `iat` and `exp` are the source's
    /// own, and there they are not changed.
    ///
    /// Defaults to none.
    ///
    /// ```
    /// let tokens = milena::UnsecuredTokens::new("alice").claim("groups", "writers");
    /// ```
    pub fn claim(mut self, name: &str, value: &str) -> Self {
        if !matches!(name, "sub" | "iat" | "exp") {
            self.set(name, quoted(value));
        }
        self
    }

    /// Adds an extension to each token, as [`Token::extension`] does.
    ///
    /// Defaults to none.
    ///
    /// ```
    /// let tokens = milena::UnsecuredTokens::new("alice").extension("traceId", "123");
    /// ```
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extensions.push((name.into(), Secret::new(value)));
        self
    }

    /// Sets a claim to a value in JSON.
    pub(crate) fn set(&mut self, name: &str, json: String) {
        self.claims.retain(|(known, _)| known != name);
        self.claims.push((name.to_owned(), json));
    }

    pub(crate) fn principal(&self) -> &str {
        &self.principal
    }

    fn token_from(&self, start: SystemTime) -> Token {
        let end = start.checked_add(self.lifetime).unwrap_or(start);
        let mut claims = format!(
            r#"{{"exp":{},"iat":{},"sub":{}"#,
            seconds(end),
            seconds(start),
            quoted(&self.principal)
        );
        for (name, json) in &self.claims {
            claims.push_str(&format!(",{}:{json}", quoted(name)));
        }
        claims.push('}');
        let (header, claims) = (
            base64url(br#"{"alg":"none"}"#),
            base64url(claims.as_bytes()),
        );
        let mut token = Token::new(format!("{header}.{claims}."))
            .expires_at(end)
            .principal(self.principal.as_str());
        token.extensions.clone_from(&self.extensions);
        token
    }
}

impl TokenSource for UnsecuredTokens {
    fn token(&self) -> Result<Token, Box<dyn StdError + Send + Sync>> {
        let now_ms = u64::try_from(wall_clock_ms()).unwrap_or_default();
        Ok(self.token_from(UNIX_EPOCH + Duration::from_millis(now_ms)))
    }
}

/// Since 1970, with the milliseconds, as Java writes them.
fn seconds(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("{}.{:03}", since.as_secs(), since.subsec_millis())
}

/// As JSON has it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn base64url(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| three.get(at).copied().map_or(0, u32::from);
        let value = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=three.len() {
            let digit = value >> (18 - 6 * digit) & 63;
            text.push(DIGITS.get(digit as usize).copied().map_or('A', char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_says_what_it_was_told_to() {
        assert_eq!(base64url(b""), "");
        assert_eq!(base64url(b"f"), "Zg");
        assert_eq!(base64url(b"fo"), "Zm8");
        assert_eq!(base64url(b"\xfb\xff\xfe"), "-__-");
        let tokens = UnsecuredTokens::new("a\"\\\u{1}")
            .lifetime(Duration::from_secs(60))
            .scope(&["x"])
            .scope(&["y", "z"])
            .claim("sub", "b")
            .claim("group", "writers")
            .extension("traceId", "123");
        let start = UNIX_EPOCH + Duration::from_millis(1_000_007);
        let token = tokens.token_from(start);
        assert_eq!(token.expires_at, Some(start + Duration::from_secs(60)));
        assert_eq!(token.principal.as_deref(), Some("a\"\\\u{1}"));
        assert_eq!(
            token.extensions,
            [("traceId".to_owned(), Secret::new("123"))]
        );
        let claims = "{\"exp\":1060.007,\"iat\":1000.007,\"sub\":\"a\\\"\\\\\\u0001\",\
                      \"scope\":[\"y\",\"z\"],\"group\":\"writers\"}";
        // The header is that of RFC 7515, A.5.
        let expected = format!("eyJhbGciOiJub25lIn0.{}.", base64url(claims.as_bytes()));
        assert_eq!(token.value.expose(), expected);
    }

    #[test]
    fn a_lifetime_beyond_the_clock_ends_at_once() {
        let tokens = UnsecuredTokens::new("alice").lifetime(Duration::MAX);
        assert_eq!(tokens.token_from(UNIX_EPOCH).expires_at, Some(UNIX_EPOCH));
    }
}
