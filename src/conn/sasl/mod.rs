//! SASL: agrees on the mechanism and carries its tokens.

#[cfg(feature = "scram")]
mod base64;
mod plain;
#[cfg(feature = "scram")]
mod scram;
#[cfg(not(feature = "scram"))]
#[path = "scram_absent.rs"]
mod scram;

#[cfg(test)]
mod tests;

#[cfg(all(fuzzing, feature = "scram"))]
pub(crate) use self::scram::converse;

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::config::{SaslConfig, ScramConfig, SecurityProtocol};
use crate::error::{Error, ErrorKind};
use crate::time::{Deadline, after, jitter, now};
use crate::wire::codes::Code;
use crate::wire::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use crate::wire::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};

use super::Connection;
use super::diagnosis::{Stage, at, peer_text, uses_tls};
use super::versions::broker_error;

/// The first version of SaslHandshake behind which tokens travel as SaslAuthenticate requests
/// (KIP-152, Kafka 1.0). Behind version 0 they are frames of their own, without header, and a
/// refusal is a closed connection.
const HANDSHAKE_WITH_REQUESTS: i16 = 1;

/// Refuses credentials that cannot work, and warns of what should not be.
pub(super) fn check(sasl: &SaslConfig, security: SecurityProtocol) -> Result<(), Error> {
    let (username, password) = match sasl {
        SaslConfig::Scram(scram) => return scram::check(scram),
        SaslConfig::Plain { username, password } => (username, password),
    };
    plain::check(username, password)?;
    if !uses_tls(security) {
        log::warn!(
            "security.protocol is SASL_PLAINTEXT and sasl.mechanism is PLAIN: the password \
             of user {username:?} crosses the network unencrypted"
        );
    }
    Ok(())
}

/// Authenticates, and says when the connection should be replaced because the broker ends the
/// session.
pub(super) fn authenticate(
    connection: &mut Connection,
    sasl: &SaslConfig,
    deadline: Deadline,
) -> Result<Option<Instant>, Error> {
    let version = hand_shake(connection, sasl.mechanism().name(), deadline)?;
    let started = now();
    let mut login = Login {
        connection,
        sasl,
        version,
        deadline,
    };
    let answer = match sasl {
        SaslConfig::Plain { username, password } => login.say(plain::token(username, password))?,
        SaslConfig::Scram(scram) => login.scram(scram)?,
    };
    Ok(replace_at(started, answer.session_lifetime_ms, jitter()))
}

/// Agrees on the mechanism; the version says how tokens travel.
fn hand_shake(
    connection: &mut Connection,
    mechanism: &str,
    deadline: Deadline,
) -> Result<i16, Error> {
    let stage = Stage::SaslHandshake;
    let version = connection.version::<SaslHandshakeRequest>()?;
    let request = SaslHandshakeRequest {
        mechanism: mechanism.into(),
    };
    let response = connection.call_as(&request, version, stage, deadline)?;
    match handshake_error(mechanism, &response) {
        None => Ok(version),
        Some(error) => Err(at(connection.address(), stage, error)),
    }
}

fn handshake_error(mechanism: &str, response: &SaslHandshakeResponse) -> Option<Error> {
    let text = match response.error {
        Code::NONE => return None,
        Code::UNSUPPORTED_SASL_MECHANISM => {
            let offered = match response.mechanisms.is_empty() {
                true => "none".into(),
                false => peer_text(&response.mechanisms.join(", ")),
            };
            format!(
                "sasl.mechanism is {mechanism}, which this listener does not offer; it offers \
                 {offered}"
            )
        }
        Code::ILLEGAL_SASL_STATE => "this listener does not use SASL: security.protocol should \
            be PLAINTEXT or SSL"
            .into(),
        code => return Some(broker_error(code)),
    };
    let error = Error::new(ErrorKind::Authentication, text);
    Some(error.with_code(response.error.0))
}

/// The tokens of one mechanism, on a connection that agreed on it.
struct Login<'a> {
    connection: &'a mut Connection,
    sasl: &'a SaslConfig,
    /// Of the handshake; says how tokens travel.
    version: i16,
    deadline: Deadline,
}

impl Login<'_> {
    #[cfg(not(feature = "scram"))]
    fn scram(&mut self, scram: &ScramConfig) -> Result<SaslAuthenticateResponse, Error> {
        Err(scram::absent(scram))
    }

    #[cfg(feature = "scram")]
    fn scram(&mut self, scram: &ScramConfig) -> Result<SaslAuthenticateResponse, Error> {
        let (message, greeted) = scram::start(scram)?;
        let answer = self.say(message)?;
        let answered = greeted.answer(&answer.auth_bytes);
        let (message, proved) = answered.map_err(|refusal| self.distrust(&refusal))?;
        let answer = self.say(message)?;
        let verified = proved.verify(&answer.auth_bytes);
        verified.map_err(|refusal| self.distrust(&refusal))?;
        Ok(answer)
    }

    /// Sends a token; the answer is the broker's, which did not refuse it.
    fn say(&mut self, token: Vec<u8>) -> Result<SaslAuthenticateResponse, Error> {
        if self.version < HANDSHAKE_WITH_REQUESTS {
            return self.say_bare(&Zeroizing::new(token));
        }
        let version = self.connection.version::<SaslAuthenticateRequest>()?;
        let request = SaslAuthenticateRequest { auth_bytes: token };
        let stage = Stage::SaslAuthentication;
        let answer = self
            .connection
            .call_as(&request, version, stage, self.deadline)?;
        match answer.error {
            Code::NONE => Ok(answer),
            _ => Err(at(self.connection.address(), stage, self.refused(&answer))),
        }
    }

    fn say_bare(&mut self, token: &[u8]) -> Result<SaslAuthenticateResponse, Error> {
        let length = u32::try_from(token.len()).map_err(|_| {
            Error::new(
                ErrorKind::Config,
                "the SASL credentials are too long to be sent",
            )
        })?;
        let bytes = Zeroizing::new([&length.to_be_bytes(), token].concat());
        // An answer without bytes says that all is well.
        let bytes_min = 0;
        let stage = Stage::SaslAuthentication;
        let answer = self
            .connection
            .round(&bytes, bytes_min, stage, self.deadline)?;
        Ok(SaslAuthenticateResponse {
            auth_bytes: answer.to_vec(),
            ..SaslAuthenticateResponse::default()
        })
    }

    /// What to say of credentials that the broker refused.
    fn refused(&self, answer: &SaslAuthenticateResponse) -> Error {
        let said = answer.error_message.as_deref().unwrap_or_default();
        let said = match said {
            "" => answer.error.meaning().into(),
            said if said.contains(self.sasl.password().expose()) => {
                "[hidden, as it holds the password]".into()
            }
            said => peer_text(said),
        };
        let text = format!("the broker refused {}: {said}", self.who());
        Error::new(ErrorKind::Authentication, text).with_code(answer.error.0)
    }

    /// What to say of a broker that we refuse.
    #[cfg(feature = "scram")]
    fn distrust(&self, refusal: &scram::Refusal) -> Error {
        let text = format!("login of {}: {refusal}", self.who());
        let error = Error::new(ErrorKind::Authentication, text);
        at(self.connection.address(), Stage::SaslAuthentication, error)
    }

    fn who(&self) -> String {
        let what = match self.sasl {
            SaslConfig::Scram(scram) if scram.is_token => "delegation token",
            _ => "user",
        };
        let mechanism = self.sasl.mechanism().name();
        format!("{what} {:?} ({mechanism})", self.sasl.username())
    }
}

/// When to replace a connection whose session ends `lifetime_ms` after `started`: at 85 to 95 % of
/// it, as Java does (KIP-368), so that the connections of many clients do not end in the same
/// moment. Zero is no end.
fn replace_at(started: Instant, lifetime_ms: i64, jitter: f64) -> Option<Instant> {
    let lifetime = u64::try_from(lifetime_ms).ok().filter(|ms| *ms > 0)?;
    let share = 0.85 + 0.1 * jitter.clamp(0.0, 1.0);
    after(started, Duration::from_millis(lifetime).mul_f64(share))
}
