//! SASL: agrees on the mechanism and carries its tokens.

mod ask;
mod asked;
mod oauthbearer;
mod plain;
#[cfg(feature = "scram")]
mod scram;
#[cfg(not(feature = "scram"))]
#[path = "scram_absent.rs"]
mod scram;
mod tokens;

#[cfg(test)]
mod tests;

#[cfg(all(fuzzing, feature = "scram"))]
pub(crate) use self::scram::converse;

use std::error::Error as StdError;

use zeroize::Zeroizing;

use crate::config::{Mechanism, SaslConfig, ScramConfig, Secret, SecurityProtocol, TokenRefresh};
use crate::credentials::{self, AnyCredentialSource};
use crate::error::{Error, ErrorKind};
use crate::oauth::AnyTokenSource;
use crate::sync::Arc;
use crate::time::{Deadline, jitter, now};
use crate::wire::codes::Code;
use crate::wire::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use crate::wire::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};

use super::Interrupt;
use super::diagnosis::{Stage, at, peer_text};
use super::dialogue::Dialogue;
use super::link::Link;
use super::oidc::Oidc;
use super::session::Session;
use super::versions::broker_error;

use self::asked::Asked;
use self::tokens::{Given, Tokens};

/// The first version of SaslHandshake behind which tokens travel as SaslAuthenticate requests
/// (KIP-152, Kafka 1.0). Behind version 0 they are frames of their own, without header, and a
/// refusal is a closed connection.
const HANDSHAKE_WITH_REQUESTS: i16 = 1;

/// The credentials of a producer, for all its connections.
#[derive(Debug)]
pub(super) struct Sasl {
    credentials: Credentials,
    /// Where user names and passwords come from now, if they may change.
    asked: Option<Asked>,
}

#[derive(Clone, Debug)]
enum Credentials {
    Plain { username: String, password: Secret },
    Scram(ScramConfig),
    Bearer(Arc<Tokens>),
}

impl Sasl {
    /// Refuses credentials that cannot work, and warns of what should not be.
    pub(super) fn new(
        config: &SaslConfig,
        refresh: TokenRefresh,
        asked: Option<AnyCredentialSource>,
        security: SecurityProtocol,
    ) -> Result<Self, Error> {
        let (credentials, readable) = match config.clone() {
            SaslConfig::Plain { username, password } => {
                let readable = match asked.is_some() {
                    true => "password".into(),
                    false => format!("password of user {username:?}"),
                };
                (Credentials::Plain { username, password }, Some(readable))
            }
            SaslConfig::Scram(scram) => (Credentials::Scram(scram), None),
            SaslConfig::Oidc(oidc) => {
                let source = AnyTokenSource::new(Oidc::new(&oidc)?);
                let tokens = Arc::new(Tokens::new(source, refresh));
                (Credentials::Bearer(tokens), Some("token".into()))
            }
            SaslConfig::OauthBearer(source) => {
                let tokens = Arc::new(Tokens::new(source, refresh));
                (Credentials::Bearer(tokens), Some("token".into()))
            }
        };
        if asked.is_none() {
            credentials.check()?;
        }
        if let Some(readable) = readable.filter(|_| !security.has_tls()) {
            log::warn!(
                "security.protocol is SASL_PLAINTEXT and sasl.mechanism is {}: the {readable} \
                 crosses the network unencrypted",
                config.mechanism().name()
            );
        }
        Ok(Self {
            credentials,
            asked: asked.map(Asked::new),
        })
    }

    /// Who logs in, as far as it is known ahead of a login.
    pub(super) fn who(&self) -> String {
        let who = match self.credentials.clone() {
            _ if self.asked.is_some() => return "the login".into(),
            Credentials::Plain { username, password } => Who::Plain { username, password },
            Credentials::Scram(scram) => Who::Scram(scram),
            Credentials::Bearer(_) => return "the login".into(),
        };
        Identity(who).who()
    }

    /// What logs in now. A source is asked before the broker is told of any login.
    pub(super) fn identity(&self, link: &Link, deadline: Deadline) -> Result<Identity, Error> {
        let given = self.given(&link.interrupt, deadline);
        given.map_err(|error| at(&link.address, Stage::SaslAuthentication, error))
    }

    fn given(&self, interrupt: &Interrupt, deadline: Deadline) -> Result<Identity, Error> {
        let mut credentials = self.credentials.clone();
        if let Some(asked) = &self.asked {
            credentials.replace(asked.credentials(deadline, interrupt)?);
            credentials.check().map_err(|error| {
                let text = format!("the credential source gave what cannot be used: {error}");
                Error::new(ErrorKind::Application, text)
            })?;
        }
        Ok(Identity(match credentials {
            Credentials::Plain { username, password } => Who::Plain { username, password },
            Credentials::Scram(scram) => Who::Scram(scram),
            Credentials::Bearer(tokens) => {
                let given = tokens.token(deadline, interrupt)?;
                Who::Bearer(tokens, given)
            }
        }))
    }
}

impl Credentials {
    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Plain { username, password } => plain::check(username, password),
            Self::Scram(scram) => scram::check(scram),
            Self::Bearer(_) => Ok(()),
        }
    }

    fn replace(&mut self, by: credentials::Credentials) {
        match self {
            Self::Plain { username, password } => {
                (*username, *password) = (by.username, by.password);
            }
            Self::Scram(scram) => (scram.username, scram.password) = (by.username, by.password),
            Self::Bearer(_) => {}
        }
    }
}

/// Who logs in, once.
pub(crate) struct Identity(Who);

enum Who {
    Plain { username: String, password: Secret },
    Scram(ScramConfig),
    Bearer(Arc<Tokens>, Given),
}

impl Identity {
    fn mechanism(&self) -> &'static str {
        match &self.0 {
            Who::Plain { .. } => Mechanism::Plain.name(),
            Who::Scram(scram) => Mechanism::Scram(scram.hash).name(),
            Who::Bearer(..) => Mechanism::OauthBearer.name(),
        }
    }

    /// The name that is told to the broker, if the mechanism has one: a connection keeps it for its
    /// life.
    pub(super) fn user(&self) -> Option<&str> {
        match &self.0 {
            Who::Plain { username, .. } => Some(username),
            Who::Scram(scram) => Some(&scram.username),
            Who::Bearer(..) => None,
        }
    }

    /// As messages say it.
    fn who(&self) -> String {
        let what = match &self.0 {
            Who::Plain { username, .. } => format!("user {username:?}"),
            Who::Scram(scram) if scram.is_token => {
                format!("delegation token {:?}", scram.username)
            }
            Who::Scram(scram) => format!("user {:?}", scram.username),
            Who::Bearer(_, given) => match &given.held.token.principal {
                Some(name) => format!("the token of {name:?}"),
                None => "the token".into(),
            },
        };
        format!("{what} ({})", self.mechanism())
    }

    /// What no message may show.
    fn secret(&self) -> &str {
        match &self.0 {
            Who::Plain { password, .. } => password.expose(),
            Who::Scram(scram) => scram.password.expose(),
            Who::Bearer(_, given) => given.held.token.value.expose(),
        }
    }
}

/// Authenticates; the session is what the broker grants.
pub(super) fn authenticate(
    mut connection: Dialogue<'_>,
    identity: &Identity,
    deadline: Deadline,
) -> Result<Session, Error> {
    let version = hand_shake(&mut connection, identity.mechanism(), deadline)?;
    let started = now();
    let mut login = Login {
        connection,
        identity,
        version,
        deadline,
    };
    let answer = match &identity.0 {
        Who::Plain { username, password } => login.say(plain::token(username, password))?,
        Who::Scram(scram) => login.scram(scram)?,
        Who::Bearer(tokens, given) => login.bearer(tokens, given)?,
    };
    Ok(Session::new(started, answer.session_lifetime_ms, jitter()))
}

/// Agrees on the mechanism; the version says how tokens travel.
fn hand_shake(
    connection: &mut Dialogue<'_>,
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
    connection: Dialogue<'a>,
    identity: &'a Identity,
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

    /// A broker that refuses a token says why in an answer without an error, and ends the login
    /// once that is acknowledged.
    fn bearer(
        &mut self,
        tokens: &Tokens,
        given: &Given,
    ) -> Result<SaslAuthenticateResponse, Error> {
        let token = &given.held.token;
        let said = self.say(oauthbearer::message(token));
        let refusal = match said {
            Ok(answer) if answer.auth_bytes.is_empty() => return Ok(answer),
            Ok(challenge) => {
                let reason = oauthbearer::reason(&challenge.auth_bytes, token);
                let text = format!("the broker refused {}: {reason}", self.identity.who());
                let refusal = Error::new(ErrorKind::Authentication, text);
                let refusal = at(
                    self.connection.address(),
                    Stage::SaslAuthentication,
                    refusal,
                );
                match self.say(vec![oauthbearer::GIVEN_UP]) {
                    Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
                    Err(error) => match error.code() {
                        Some(code) => refusal.with_code(code),
                        None => refusal,
                    },
                    // Whatever it means by that, it has refused the token before.
                    Ok(_) => refusal,
                }
            }
            Err(error) if error.kind() == ErrorKind::Authentication => error,
            Err(error) => return Err(error),
        };
        tokens.forget(&given.held);
        if given.is_fresh {
            return Err(refusal);
        }
        // It may have been withdrawn since it was good, so that no send has to fail for it yet.
        let text = "an earlier token is refused, the next attempt asks the source for a new one";
        Err(Error::new(ErrorKind::Connection, text).with_cause(refusal))
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
            said if said.contains(self.identity.secret()) => {
                "[hidden, as it holds the credentials]".into()
            }
            said => peer_text(said),
        };
        let text = format!("the broker refused {}: {said}", self.identity.who());
        Error::new(ErrorKind::Authentication, text).with_code(answer.error.0)
    }

    /// What to say of a broker that we refuse.
    #[cfg(feature = "scram")]
    fn distrust(&self, refusal: &scram::Refusal) -> Error {
        let text = format!("login of {}: {refusal}", self.identity.who());
        let error = Error::new(ErrorKind::Authentication, text);
        at(self.connection.address(), Stage::SaslAuthentication, error)
    }
}

/// An error of the application's, or one of ours from a source that comes with the crate, which
/// knows whether waiting helps.
fn failed(source: &str, error: &(dyn StdError + Send + Sync + 'static)) -> Error {
    let context = format!("the {source} failed");
    if let Some(error) = error.downcast_ref::<Error>() {
        return error.clone().context(context);
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Many errors say what their cause says.
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source().filter(|_| text.len() < 1000);
    }
    let text = format!("{context}: {}", peer_text(&text));
    Error::new(ErrorKind::Application, text)
}
