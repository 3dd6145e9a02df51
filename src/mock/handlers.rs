//! What a broker answers when nothing is wrong: everything but Produce and Metadata.

use super::arrival::{Arrived, Body};
use super::facts::{Api, MockRequest};
use super::faults::Script;
use super::metadata;
use super::produce;
use super::state::{HOST, Login, State};
use crate::wire::api_versions::{ApiRange, ApiVersionsRequest, ApiVersionsResponse};
use crate::wire::codes::Code;
use crate::wire::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use crate::wire::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::wire::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use crate::wire::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};
use crate::wire::{FRAME_LENGTH_LEN, Request, put_response_frame};

/// What a request leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A whole frame.
    Answer(Vec<u8>),
    /// A whole frame, after which the broker hangs up.
    LastAnswer(Vec<u8>),
    /// The client expects no answer.
    Nothing,
    Close,
}

/// The only SASL mechanism here.
const PLAIN: &str = "PLAIN";

pub(super) fn handle(state: &mut State, arrived: &Arrived, script: &Script) -> Reply {
    let request = &arrived.request;
    if !may_ask(state, request) {
        log::debug!(
            "mock broker {} hangs up before authentication",
            request.node
        );
        return Reply::Close;
    }
    match &arrived.body {
        Body::Produce(produce) => produce::handle(state, request, produce, script),
        Body::Metadata(metadata) => metadata::handle(state, request, metadata, script),
        Body::FindCoordinator(find) => find_coordinator(state, request, find, script),
        Body::SaslHandshake(handshake) => sasl_handshake(state, request, handshake, script),
        Body::ApiVersions => api_versions(state, request, script),
        Body::InitProducerId(init) => init_producer_id(state, request, init, script),
        Body::SaslAuthenticate(bytes) => sasl_authenticate(state, request, bytes, script),
        Body::BareToken(token) => bare_token(state, request, token, script),
        Body::NewerApiVersions => newer_api_versions(state, request),
        Body::Refused => Reply::Close,
    }
}

/// The frame of an answer.
pub(super) fn answer<R: Request>(request: &MockRequest, response: &R::Response) -> Reply {
    Reply::Answer(answer_in::<R>(request, response, request.version))
}

fn answer_in<R: Request>(request: &MockRequest, response: &R::Response, version: i16) -> Vec<u8> {
    let mut frame = Vec::new();
    put_response_frame::<R>(&mut frame, response, version, request.correlation_id);
    frame
}

/// Whether the client has authenticated, or need not for this request.
fn may_ask(state: &State, request: &MockRequest) -> bool {
    let is_sasl = request.is(Api::SaslHandshake) || request.is(Api::SaslAuthenticate);
    match login(state, request) {
        Login::NotNeeded | Login::Done => true,
        Login::Needed => is_sasl || request.is(Api::ApiVersions),
        Login::MechanismChosen | Login::BareTokenNext => is_sasl,
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

/// The versions of this broker.
fn api_versions(state: &State, request: &MockRequest, script: &Script) -> Reply {
    let error = script.error().map_or(Code::NONE, Code);
    let response = ApiVersionsResponse {
        error,
        apis: api_ranges(state, request, |_| true),
        throttle_time_ms: script.plan.throttle_ms,
        ..ApiVersionsResponse::default()
    };
    answer::<ApiVersionsRequest>(request, &response)
}

/// A version that the broker does not know is answered in the form of version 0, with the versions
/// of ApiVersions itself (KIP-511).
fn newer_api_versions(state: &State, request: &MockRequest) -> Reply {
    let response = ApiVersionsResponse {
        error: Code::UNSUPPORTED_VERSION,
        apis: api_ranges(state, request, |api| api == Api::ApiVersions),
        ..ApiVersionsResponse::default()
    };
    Reply::Answer(answer_in::<ApiVersionsRequest>(request, &response, 0))
}

fn api_ranges(state: &State, request: &MockRequest, shown: impl Fn(Api) -> bool) -> Vec<ApiRange> {
    let versions = state.node(request.node).into_iter();
    let versions = versions.flat_map(|node| &node.versions);
    versions
        .filter(|(api, _)| shown(**api))
        .map(|(api, range)| ApiRange {
            key: api.key(),
            min: *range.start(),
            max: *range.end(),
        })
        .collect()
}

/// Takes PLAIN if there are users.
fn sasl_handshake(
    state: &mut State,
    request: &MockRequest,
    handshake: &SaslHandshakeRequest,
    script: &Script,
) -> Reply {
    let error = match (script.error(), login(state, request)) {
        (Some(code), _) => Code(code),
        (None, Login::NotNeeded) => Code::ILLEGAL_SASL_STATE,
        (None, Login::MechanismChosen | Login::BareTokenNext) => return Reply::Close,
        (None, _) if handshake.mechanism != PLAIN => Code::UNSUPPORTED_SASL_MECHANISM,
        (None, _) => Code::NONE,
    };
    let response = SaslHandshakeResponse {
        error,
        mechanisms: vec![PLAIN.to_owned()],
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
        Reply::Answer(frame)
    } else {
        Reply::LastAnswer(frame)
    }
}

/// Checks user and password.
fn sasl_authenticate(
    state: &mut State,
    request: &MockRequest,
    token: &SaslAuthenticateRequest,
    script: &Script,
) -> Reply {
    let (error, text) = match (script.error(), login(state, request)) {
        (Some(code), _) => (Code(code), Some("scripted by the test")),
        (None, Login::MechanismChosen) if is_known(state, &token.auth_bytes) => (Code::NONE, None),
        (None, Login::MechanismChosen) => (
            Code::SASL_AUTHENTICATION_FAILED,
            Some("user name or password is wrong"),
        ),
        (None, _) => (
            Code::ILLEGAL_SASL_STATE,
            Some("no mechanism was chosen by a handshake"),
        ),
    };
    let response = SaslAuthenticateResponse {
        error,
        error_message: text.map(str::to_owned),
        ..SaslAuthenticateResponse::default()
    };
    let frame = answer_in::<SaslAuthenticateRequest>(request, &response, request.version);
    if error.is_ok() {
        set_login(state, request, Login::Done);
        Reply::Answer(frame)
    } else {
        Reply::LastAnswer(frame)
    }
}

/// Checks user and password that come without a header: the answer to the right ones is an empty
/// frame, to others there is none.
fn bare_token(state: &mut State, request: &MockRequest, token: &[u8], script: &Script) -> Reply {
    if script.error().is_some() || !is_known(state, token) {
        return Reply::Close;
    }
    set_login(state, request, Login::Done);
    Reply::Answer(vec![0; FRAME_LENGTH_LEN])
}

/// RFC 4616: authorization id, user and password, with a zero byte before the second and the third.
fn is_known(state: &State, token: &[u8]) -> bool {
    let mut parts = token.split(|byte| *byte == 0);
    let (_, user, password) = (parts.next(), parts.next(), parts.next());
    let text = |part: Option<&[u8]>| String::from_utf8(part.unwrap_or_default().to_vec()).ok();
    let (Some(user), Some(password), None) = (text(user), text(password), parts.next()) else {
        return false;
    };
    state.settings.sasl_plain.get(&user) == Some(&password)
}

/// Every call without a transactional id gets a fresh producer id, whatever it brings; a
/// transactional id keeps its own, with the next epoch.
fn init_producer_id(
    state: &mut State,
    request: &MockRequest,
    init: &InitProducerIdRequest,
    script: &Script,
) -> Reply {
    let granted = match script.error() {
        None => grant_producer_id(state, init),
        Some(code) => {
            if script.plan.is_handled_first {
                let _ = grant_producer_id(state, init);
            }
            Err(Code(code))
        }
    };
    let (producer_id, producer_epoch) = granted.unwrap_or((-1, -1));
    let response = InitProducerIdResponse {
        throttle_time_ms: script.plan.throttle_ms,
        error: granted.err().unwrap_or(Code::NONE),
        producer_id,
        producer_epoch,
    };
    answer::<InitProducerIdRequest>(request, &response)
}

fn grant_producer_id(state: &mut State, init: &InitProducerIdRequest) -> Result<(i64, i16), Code> {
    let known = match init.transactional_id.as_deref() {
        Some("") => return Err(Code::INVALID_REQUEST),
        Some(id) => state.transactional.get(id).copied(),
        None => None,
    };
    let brought = (init.producer_id, init.producer_epoch);
    let granted = match known {
        Some(current) if init.producer_id >= 0 && brought != current => {
            return Err(Code::PRODUCER_FENCED);
        }
        // The epoch i16::MAX is never handed out: it fences.
        Some((id, epoch)) if epoch < i16::MAX - 1 => (id, epoch + 1),
        _ => {
            state.next_producer_id += 1;
            (state.next_producer_id - 1, 0)
        }
    };
    if let Some(id) = &init.transactional_id {
        state.transactional.insert(id.clone(), granted);
    }
    Ok(granted)
}

/// The running broker with the lowest id coordinates everything.
fn find_coordinator(
    state: &State,
    request: &MockRequest,
    find: &FindCoordinatorRequest,
    script: &Script,
) -> Reply {
    let node = state.nodes.iter().find(|node| node.is_running);
    let error = match (script.error(), node) {
        (Some(code), _) => Code(code),
        (None, None) => Code::COORDINATOR_NOT_AVAILABLE,
        (None, Some(_)) => Code::NONE,
    };
    let node = node.filter(|_| error.is_ok());
    let coordinators = find.keys.iter().map(|key| Coordinator {
        key: key.clone(),
        node_id: node.map_or(-1, |node| node.id),
        host: node.map_or_else(String::new, |_| HOST.to_owned()),
        port: node.map_or(-1, |node| node.port.into()),
        error,
        error_message: None,
    });
    let response = FindCoordinatorResponse {
        throttle_time_ms: script.plan.throttle_ms,
        coordinators: coordinators.collect(),
    };
    answer::<FindCoordinatorRequest>(request, &response)
}
