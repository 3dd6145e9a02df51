//! SASL: agrees on the mechanism and carries its tokens.

mod plain;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::config::{SaslConfig, SecurityProtocol};
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
    let SaslConfig::Plain { username, password } = sasl;
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
    let SaslConfig::Plain { username, password } = sasl;
    let mechanism = plain::NAME;
    let version = hand_shake(connection, mechanism, deadline)?;
    let started = now();
    let token = plain::token(username, password);
    if version < HANDSHAKE_WITH_REQUESTS {
        send_bare_token(connection, &token, deadline)?;
        return Ok(None);
    }
    let response = send_token(connection, token, deadline)?;
    if response.error != Code::NONE {
        let refused = Refused {
            mechanism,
            username,
            secret: password.expose(),
        };
        let error = refused.error(&response);
        return Err(at(connection.address(), Stage::SaslAuthentication, error));
    }
    Ok(replace_at(started, response.session_lifetime_ms, jitter()))
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

fn send_token(
    connection: &mut Connection,
    auth_bytes: Vec<u8>,
    deadline: Deadline,
) -> Result<SaslAuthenticateResponse, Error> {
    let version = connection.version::<SaslAuthenticateRequest>()?;
    let request = SaslAuthenticateRequest { auth_bytes };
    connection.call_as(&request, version, Stage::SaslAuthentication, deadline)
}

fn send_bare_token(
    connection: &mut Connection,
    token: &[u8],
    deadline: Deadline,
) -> Result<(), Error> {
    let length = u32::try_from(token.len()).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            "the SASL credentials are too long to be sent",
        )
    })?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(token);
    // An answer without bytes says that all is well.
    let bytes_min = 0;
    connection.round(&bytes, bytes_min, Stage::SaslAuthentication, deadline)?;
    Ok(())
}

/// What to say of credentials that a broker refused.
struct Refused<'a> {
    mechanism: &'a str,
    username: &'a str,
    secret: &'a str,
}

impl Refused<'_> {
    fn error(&self, response: &SaslAuthenticateResponse) -> Error {
        let said = response.error_message.as_deref().unwrap_or_default();
        let said = match said {
            "" => response.error.meaning().into(),
            said if said.contains(self.secret) => "[hidden, as it holds the password]".into(),
            said => peer_text(said),
        };
        let text = format!(
            "the broker refused user {:?} ({}): {said}",
            self.username, self.mechanism
        );
        Error::new(ErrorKind::Authentication, text).with_code(response.error.0)
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
