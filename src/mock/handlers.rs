//! What a broker answers when nothing is wrong: everything but Produce and Metadata.

use super::arrival::{Arrived, Body};
use super::configs;
use super::facts::{Api, MockRequest};
use super::faults::Script;
use super::metadata;
use super::produce;
use super::sasl;
use super::state::{HOST, Identity, State};
use crate::wire::api_versions::{ApiRange, ApiVersionsRequest, ApiVersionsResponse};
use crate::wire::codes::Code;
use crate::wire::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use crate::wire::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::wire::{Request, put_response_frame};

/// The first version of InitProducerId that may answer PRODUCER_FENCED.
const KNOWS_FENCED: i16 = 4;

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

pub(super) fn handle(state: &mut State, arrived: &Arrived, script: &Script) -> Reply {
    let request = &arrived.request;
    if let Some(refusal) = sasl::refuse(state, arrived) {
        log::debug!("mock broker {} wants a login first", request.node);
        return refusal;
    }
    match &arrived.body {
        Body::Produce(produce) => produce::handle(state, request, produce, script),
        Body::Metadata(metadata) => metadata::handle(state, request, metadata, script),
        Body::FindCoordinator(find) => find_coordinator(state, request, find, script),
        Body::SaslHandshake(handshake) => sasl::handshake(state, request, handshake, script),
        Body::ApiVersions => {
            sasl::versions_told(state, request);
            api_versions(state, request, script)
        }
        Body::DescribeConfigs(describe) => configs::handle(state, request, describe, script),
        Body::InitProducerId(init) => init_producer_id(state, request, init, script),
        Body::SaslAuthenticate(bytes) => sasl::authenticate(state, request, bytes, script),
        Body::BareToken(token) => sasl::bare_token(state, request, token, script),
        Body::NewerApiVersions => newer_api_versions(state, request),
        Body::Refused => Reply::Close,
    }
}

/// The frame of an answer.
pub(super) fn answer<R: Request>(request: &MockRequest, response: &R::Response) -> Reply {
    Reply::Answer(answer_in::<R>(request, response, request.version))
}

pub(super) fn answer_in<R: Request>(
    request: &MockRequest,
    response: &R::Response,
    version: i16,
) -> Vec<u8> {
    let mut frame = Vec::new();
    put_response_frame::<R>(&mut frame, response, version, request.correlation_id);
    frame
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

/// Every call without a transactional id gets a fresh producer id, whatever it brings; a
/// transactional id keeps its own, with the next epoch (KIP-360).
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
    let error = match granted {
        Ok(_) => Code::NONE,
        // The code is newer than the version.
        Err(Code::PRODUCER_FENCED) if request.version < KNOWS_FENCED => {
            Code::INVALID_PRODUCER_EPOCH
        }
        Err(code) => code,
    };
    let response = InitProducerIdResponse {
        throttle_time_ms: script.plan.throttle_ms,
        error,
        producer_id,
        producer_epoch,
    };
    answer::<InitProducerIdRequest>(request, &response)
}

fn grant_producer_id(state: &mut State, init: &InitProducerIdRequest) -> Result<(i64, i16), Code> {
    if (init.producer_id < 0) != (init.producer_epoch < 0) {
        return Err(Code::INVALID_REQUEST);
    }
    let Some(name) = init.transactional_id.as_deref() else {
        if state.settings.denies_idempotent_write {
            return Err(Code::CLUSTER_AUTHORIZATION_FAILED);
        }
        return Ok((state.fresh_producer_id(), 0));
    };
    if name.is_empty() {
        return Err(Code::INVALID_REQUEST);
    }
    let brought = (init.producer_id >= 0).then_some(init.producer_epoch);
    let granted = match (state.transactional.get(name).copied(), brought) {
        (Some(known), Some(_)) if known.producer_id != init.producer_id => {
            return Err(Code::PRODUCER_FENCED);
        }
        (Some(known), Some(epoch)) if known.previous_epoch == Some(epoch) => known,
        (Some(known), Some(epoch)) if known.epoch != epoch => return Err(Code::PRODUCER_FENCED),
        // The epoch i16::MAX is never handed out: it fences.
        (Some(known), _) if known.epoch < i16::MAX - 1 => Identity {
            epoch: known.epoch + 1,
            previous_epoch: brought,
            ..known
        },
        _ => Identity {
            producer_id: state.fresh_producer_id(),
            epoch: 0,
            previous_epoch: None,
        },
    };
    state.transactional.insert(name.to_owned(), granted);
    Ok((granted.producer_id, granted.epoch))
}

/// The running broker with the lowest id coordinates everything.
fn find_coordinator(
    state: &State,
    request: &MockRequest,
    find: &FindCoordinatorRequest,
    script: &Script,
) -> Reply {
    let node = state.nodes.iter().find(|node| node.is_running);
    let known = [
        FindCoordinatorRequest::KEY_TYPE_GROUP,
        FindCoordinatorRequest::KEY_TYPE_TRANSACTION,
    ];
    let error = match (script.error(), node) {
        (Some(code), _) => Code(code),
        _ if !known.contains(&find.key_type) => Code::INVALID_REQUEST,
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
