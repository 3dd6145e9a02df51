//! SASL: what a connection may do, and how it logs in.

use super::arrival::{Arrived, Body};
use super::facts::{Api, MockRequest};
use super::faults::Script;
use super::handlers::{Reply, answer, answer_in};
use super::oauth::{self, Bearer};
use super::produce;
use super::scram::{Exchange, MECHANISMS, Step};
use super::session::Access;
use super::state::{Login, State};
use crate::time::now;
use crate::wire::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::wire::codes::Code;
use crate::wire::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use crate::wire::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::wire::metadata::{MetadataRequest, MetadataResponse, MetadataTopic};
use crate::wire::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use crate::wire::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};

const PLAIN: &str = "PLAIN";

/// What a client gets that asks for something before it is logged in; `None` if it may ask. Before
/// the handshake the broker hangs up, between handshake and token it says first that it will.
pub(super) fn refuse(state: &mut State, arrived: &Arrived) -> Option<Reply> {
    let request = &arrived.request;
    let is_expected = match login(state, request) {
        Login::NotNeeded => true,
        Login::Done => is_in_session(state, request),
        Login::Needed => request.is(Api::ApiVersions) || request.is(Api::SaslHandshake),
        Login::VersionsTold => request.is(Api::SaslHandshake),
        Login::MechanismChosen if request.is(Api::SaslAuthenticate) => true,
        Login::MechanismChosen => return Some(illegal_state(arrived)),
        Login::BareTokenNext => request.is(Api::SaslAuthenticate),
    };
    (!is_expected).then_some(Reply::Close)
}

/// Whether the login still counts, or is to be renewed by this request.
fn is_in_session(state: &mut State, request: &MockRequest) -> bool {
    let Some(connection) = state.connections.get_mut(request.connection) else {
        return false;
    };
    let is_handshake = request.is(Api::SaslHandshake);
    match connection.session.access(is_handshake, now()) {
        Access::Granted => true,
        Access::Renewal => {
            connection.login = Login::VersionsTold;
            true
        }
        Access::Over => false,
    }
}

/// ApiVersions may be asked for once before the handshake.
pub(super) fn versions_told(state: &mut State, request: &MockRequest) {
    if login(state, request) == Login::Needed {
        set_login(state, request, Login::VersionsTold);
    }
}

/// The answer to a request between handshake and token.
fn illegal_state(arrived: &Arrived) -> Reply {
    let request = &arrived.request;
    let error = Code::ILLEGAL_SASL_STATE;
    let reply = match &arrived.body {
        Body::Produce(produce) => produce::refuse(request, produce, error),
        Body::Metadata(metadata) => {
            let names = metadata.topics.iter().flatten();
            let topics = names.map(|name| MetadataTopic {
                error,
                name: Some(name.clone()),
                ..MetadataTopic::default()
            });
            let response = MetadataResponse {
                topics: topics.collect(),
                error,
                controller_id: -1,
                ..MetadataResponse::default()
            };
            answer::<MetadataRequest>(request, &response)
        }
        Body::FindCoordinator(find) => {
            let coordinators = find.keys.iter().map(|key| Coordinator {
                key: key.clone(),
                node_id: -1,
                port: -1,
                error,
                ..Coordinator::default()
            });
            let response = FindCoordinatorResponse {
                coordinators: coordinators.collect(),
                ..FindCoordinatorResponse::default()
            };
            answer::<FindCoordinatorRequest>(request, &response)
        }
        Body::InitProducerId(_) => {
            let response = InitProducerIdResponse {
                error,
                producer_epoch: -1,
                ..InitProducerIdResponse::default()
            };
            answer::<InitProducerIdRequest>(request, &response)
        }
        Body::ApiVersions => {
            let response = ApiVersionsResponse {
                error,
                ..ApiVersionsResponse::default()
            };
            answer::<ApiVersionsRequest>(request, &response)
        }
        Body::SaslHandshake(_) => {
            let response = SaslHandshakeResponse {
                error,
                mechanisms: Vec::new(),
            };
            answer::<SaslHandshakeRequest>(request, &response)
        }
        _ => Reply::Close,
    };
    match reply {
        Reply::Answer(frame) => Reply::LastAnswer(frame),
        other => other,
    }
}

fn login(state: &State, request: &MockRequest) -> Login {
    let connection = state.connections.get(request.connection);
    connection.map_or(Login::Needed, |connection| connection.login)
}

fn set_login(state: &mut State, request: &MockRequest, login: Login) {
    if let Some(connection) = state.connections.get_mut(request.connection) {
        connection.login = login;
    }
}

/// Takes the mechanisms that have users.
pub(super) fn handshake(
    state: &mut State,
    request: &MockRequest,
    handshake: &SaslHandshakeRequest,
    script: &Script,
) -> Reply {
    let chosen = handshake.mechanism.as_str();
    let offered = offered(state);
    let error = match (script.error(), login(state, request)) {
        (Some(code), _) => Code(code),
        (None, Login::NotNeeded | Login::Done) => Code::ILLEGAL_SASL_STATE,
        (None, _) if !offered.contains(&chosen) => Code::UNSUPPORTED_SASL_MECHANISM,
        (None, _) => Code::NONE,
    };
    let is_offered = error != Code::ILLEGAL_SASL_STATE;
    let shown = offered.iter().filter(|_| is_offered);
    let response = SaslHandshakeResponse {
        error,
        mechanisms: shown.map(|&mechanism| mechanism.into()).collect(),
    };
    let frame = answer_in::<SaslHandshakeRequest>(request, &response, request.version);
    if error.is_ok() {
        let is_bare = request.version == 0;
        let next = if is_bare {
            Login::BareTokenNext
        } else {
            Login::MechanismChosen
        };
        set_login(state, request, next);
        let scram = MECHANISMS.into_iter().find(|(name, _)| *name == chosen);
        if let Some(connection) = state.connections.get_mut(request.connection) {
            connection.scram = scram.map(|(_, hash)| Exchange::Begun(hash));
            let is_bearer = chosen == oauth::MECHANISM;
            connection.bearer = is_bearer.then_some(Bearer::Expected);
            connection.session.choose(chosen);
        }
        Reply::Answer(frame)
    } else if error == Code::ILLEGAL_SASL_STATE && script.error().is_none() {
        Reply::Answer(frame)
    } else {
        Reply::LastAnswer(frame)
    }
}

fn offered(state: &State) -> Vec<&'static str> {
    let settings = &state.settings;
    // Also where nobody has to log in, for a script may have it so.
    let plain = !settings.sasl_plain.is_empty() || !settings.wants_logins();
    let scram = MECHANISMS.iter().map(|(name, _)| *name);
    let scram = scram.filter(|_| !settings.sasl_scram.known.is_empty());
    let bearer = settings.sasl_oauthbearer.is_offered;
    let bearer = bearer.then_some(oauth::MECHANISM);
    let plain = plain.then_some(PLAIN).into_iter();
    plain.chain(scram).chain(bearer).collect()
}

fn set_exchange(state: &mut State, request: &MockRequest, exchange: Option<Exchange>) {
    if let Some(connection) = state.connections.get_mut(request.connection) {
        connection.scram = exchange;
    }
}

fn set_bearer(state: &mut State, request: &MockRequest, bearer: Option<Bearer>) {
    if let Some(connection) = state.connections.get_mut(request.connection) {
        connection.bearer = bearer;
    }
}

/// Checks user and password.
pub(super) fn authenticate(
    state: &mut State,
    request: &MockRequest,
    token: &SaslAuthenticateRequest,
    script: &Script,
) -> Reply {
    let connection = state.connections.get(request.connection);
    if connection.is_some_and(|connection| connection.session.has_changed_mechanism()) {
        return Reply::Close;
    }
    let mut auth_bytes = Vec::new();
    let (error, text) = match (script.error(), login(state, request)) {
        (Some(code), _) => (Code(code), Some("scripted by the test".to_owned())),
        (None, Login::MechanismChosen) => match take(state, request, &token.auth_bytes) {
            Ok(bytes) => {
                auth_bytes = bytes;
                (Code::NONE, Some(String::new()))
            }
            Err(text) => (Code::SASL_AUTHENTICATION_FAILED, Some(text)),
        },
        (None, _) => (
            Code::ILLEGAL_SASL_STATE,
            Some("no mechanism was chosen by a handshake".to_owned()),
        ),
    };
    let is_done = login(state, request) == Login::Done;
    let response = SaslAuthenticateResponse {
        error,
        error_message: text,
        auth_bytes,
        session_lifetime_ms: match is_done && error.is_ok() {
            true => lifetime_ms(state, request),
            false => 0,
        },
    };
    let frame = answer_in::<SaslAuthenticateRequest>(request, &response, request.version);
    if error.is_ok() && script.error().is_some() {
        set_login(state, request, Login::Done);
    }
    if error.is_ok() || error == Code::ILLEGAL_SASL_STATE && script.error().is_none() {
        Reply::Answer(frame)
    } else {
        Reply::LastAnswer(frame)
    }
}

/// How long a login lasts: no longer than the token that a connection has authenticated with.
fn lifetime_ms(state: &State, request: &MockRequest) -> i64 {
    let connection = state.connections.get(request.connection);
    let session_ms = state.settings.session_lifetime_ms;
    match connection.and_then(|connection| connection.bearer.as_ref()) {
        Some(Bearer::In { lifetime_ms, .. }) if session_ms > 0 => session_ms.min(*lifetime_ms),
        Some(Bearer::In { lifetime_ms, .. }) => *lifetime_ms,
        _ => session_ms,
    }
}

/// Checks user and password that come without a header: the answer to the right ones has none
/// either, to others there is none.
pub(super) fn bare_token(
    state: &mut State,
    request: &MockRequest,
    token: &[u8],
    script: &Script,
) -> Reply {
    if script.error().is_some() {
        return Reply::Close;
    }
    let Ok(answer) = take(state, request, token) else {
        return Reply::Close;
    };
    let length = u32::try_from(answer.len()).unwrap_or_default();
    Reply::Answer([&length.to_be_bytes()[..], &answer].concat())
}

/// The answer to a token; the error is a broker's text.
fn take(state: &mut State, request: &MockRequest, token: &[u8]) -> Result<Vec<u8>, String> {
    let connection = state.connections.get(request.connection);
    if let Some(bearer) = connection.and_then(|connection| connection.bearer.clone()) {
        let (next, answer) = bearer.step(state, token)?;
        set_bearer(state, request, Some(next.clone()));
        if let Bearer::In { principal, .. } = next {
            log_in(state, request, &principal)?;
        }
        return Ok(answer.into_bytes());
    }
    let Some(exchange) = connection.and_then(|connection| connection.scram.clone()) else {
        let Some(user) = known_user(state, token) else {
            return Err("user name or password is wrong".into());
        };
        log_in(state, request, &user)?;
        return Ok(Vec::new());
    };
    match exchange.step(state, request.connection, token) {
        Step::Next(next, answer) => {
            set_exchange(state, request, Some(next));
            Ok(answer.into_bytes())
        }
        Step::Done(answer) => {
            log_in(state, request, exchange.user())?;
            Ok(answer.into_bytes())
        }
        Step::Refused => Err("invalid credentials for SCRAM".into()),
    }
}

fn log_in(state: &mut State, request: &MockRequest, user: &str) -> Result<(), String> {
    let lifetime_ms = lifetime_ms(state, request);
    if let Some(connection) = state.connections.get_mut(request.connection) {
        connection.session.log_in(user, lifetime_ms, now())?;
        connection.login = Login::Done;
    }
    Ok(())
}

/// The user whose password the token has. RFC 4616: authorization id, user and password, with a
/// zero byte before the second and the third. Nobody may act as somebody else.
fn known_user(state: &State, token: &[u8]) -> Option<String> {
    let mut parts = token.split(|byte| *byte == 0);
    let (acts_as, user, password) = (parts.next(), parts.next(), parts.next());
    let text = |part: Option<&[u8]>| String::from_utf8(part.unwrap_or_default().to_vec()).ok();
    let (Some(user), Some(password), None) = (text(user), text(password), parts.next()) else {
        return None;
    };
    let is_oneself = matches!(acts_as, Some(name) if name.is_empty() || name == user.as_bytes());
    let is_right = is_oneself && state.settings.sasl_plain.get(&user) == Some(&password);
    is_right.then_some(user)
}
