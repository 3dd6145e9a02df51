//! Tokens of OAUTHBEARER as the settings say: read from a file, or asked of a provider's endpoint.

#[cfg(feature = "oidc")]
mod endpoint;
mod file;
#[cfg(feature = "oidc")]
mod http;
mod json;
mod jwt;

use std::error::Error as StdError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::{OidcConfig, TokenOrigin};
use crate::error::{Error, ErrorKind};
use crate::oauth::{Token, TokenSource};
use crate::time::wall_clock_ms;

use super::base64;

/// A source of tokens made of settings.
#[derive(Debug)]
pub(super) struct Oidc {
    config: OidcConfig,
    #[cfg(feature = "oidc")]
    endpoint: Option<endpoint::Endpoint>,
}

impl Oidc {
    /// Loads certificates, and asks for no token yet.
    pub(super) fn new(config: &OidcConfig) -> Result<Self, Error> {
        Ok(Self {
            config: config.clone(),
            #[cfg(feature = "oidc")]
            endpoint: match &config.origin {
                TokenOrigin::Endpoint(asked) => Some(endpoint::Endpoint::new(asked)?),
                _ => None,
            },
        })
    }

    /// Whoever gave the token, it has to be one that brokers may take.
    fn checked(&self, value: String, place: &str) -> Result<Token, Error> {
        let names = jwt::Names {
            scope: &self.config.scope_claim,
            subject: &self.config.subject_claim,
        };
        let claims = jwt::check(&value, names, wall_clock()).map_err(|what| {
            let text = format!("{place}: the token cannot be used: {what}");
            Error::new(ErrorKind::Authentication, text)
        })?;
        Ok(Token::new(value)
            .expires_at(claims.expires_at)
            .principal(claims.subject))
    }

    #[cfg(feature = "oidc")]
    fn asked(&self) -> Result<String, Error> {
        let endpoint = self.endpoint.as_ref().ok_or_else(absent)?;
        endpoint.token()
    }

    #[cfg(not(feature = "oidc"))]
    fn asked(&self) -> Result<String, Error> {
        Err(absent())
    }
}

/// The settings were checked before, so that nobody gets to see it.
fn absent() -> Error {
    let text = "token endpoints need the cargo feature \"oidc\"";
    Error::new(ErrorKind::Config, text)
}

impl TokenSource for Oidc {
    fn token(&self) -> Result<Token, Box<dyn StdError + Send + Sync>> {
        let token = match &self.config.origin {
            TokenOrigin::Unsecured(tokens) => tokens.token()?,
            TokenOrigin::File(path) => {
                let place = format!("token file {}", path.display());
                self.checked(file::token(path)?, &place)?
            }
            TokenOrigin::Endpoint(asked) => {
                let place = format!("token endpoint {}", asked.url);
                self.checked(self.asked()?, &place)?
            }
        };
        let extensions = self.config.extensions.iter();
        Ok(extensions.fold(token, |token, (name, value)| {
            token.extension(name, value.expose())
        }))
    }
}

/// The time that the claims of a token go by.
fn wall_clock() -> SystemTime {
    let ms = u64::try_from(wall_clock_ms()).unwrap_or_default();
    UNIX_EPOCH + Duration::from_millis(ms)
}
