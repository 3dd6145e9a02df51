//! A request from its bytes to what handlers and tests see of it.

use super::facts::{Api, MockBatch, MockProduce, MockRequest};
use super::state::{Login, Mood, State};
use crate::wire::api_versions::ApiVersionsRequest;
use crate::wire::describe_configs::DescribeConfigsRequest;
use crate::wire::find_coordinator::FindCoordinatorRequest;
use crate::wire::init_producer_id::InitProducerIdRequest;
use crate::wire::metadata::MetadataRequest;
use crate::wire::produce::ProduceRequest;
use crate::wire::sasl_authenticate::SaslAuthenticateRequest;
use crate::wire::sasl_handshake::SaslHandshakeRequest;
use crate::wire::{Malformed, Message, Reader, RequestHeader};

/// A request that was read and not yet handled.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) request: MockRequest,
    pub(super) body: Body,
    /// Whether the broker was mute when it came.
    pub(super) is_swallowed: bool,
}

#[derive(Debug)]
pub(super) enum Body {
    Produce(ProduceRequest),
    Metadata(MetadataRequest),
    FindCoordinator(FindCoordinatorRequest),
    SaslHandshake(SaslHandshakeRequest),
    ApiVersions,
    InitProducerId(InitProducerIdRequest),
    DescribeConfigs(DescribeConfigsRequest),
    SaslAuthenticate(SaslAuthenticateRequest),
    /// The bytes of a SASL mechanism without a header, after a handshake of version 0.
    BareToken(Vec<u8>),
    /// ApiVersions in a version that the broker does not take: it has an answer even so.
    NewerApiVersions,
    /// A request that the broker does not take, or cannot read.
    Refused,
}

/// What tests see as the version of a token without a header.
const BARE_TOKEN_VERSION: i16 = -1;

impl Arrived {
    /// Reads a request and enters it into the state; `None` if not even its first fields are there.
    pub(super) fn enter(state: &mut State, connection: usize, frame: Vec<u8>) -> Option<Self> {
        let from = state.connections.get_mut(connection)?;
        let is_bare_token = from.login == Login::BareTokenNext;
        let (api_key, version, correlation_id) = if is_bare_token {
            (Api::SaslAuthenticate.key(), BARE_TOKEN_VERSION, 0)
        } else {
            let mut input = Reader::new(&frame);
            (input.i16().ok()?, input.i16().ok()?, input.i32().ok()?)
        };
        from.requests += 1;
        from.unanswered += 1;
        let mut request = MockRequest {
            node: from.node,
            connection,
            api_key,
            version,
            correlation_id,
            client_id: None,
            in_flight: from.unanswered,
            bytes: frame.len(),
            topics: None,
            produce: None,
        };
        let body = if is_bare_token {
            Body::BareToken(frame)
        } else {
            Body::read(state, &mut request, &frame)
        };
        if !state.settings.discards {
            state.requests.push(request.clone());
        }
        Some(Self {
            request,
            body,
            is_swallowed: state.mood_of(connection) == Some(Mood::Mute),
        })
    }
}

impl Body {
    /// Reads the body; what tests see of it is written into `request`.
    fn read(state: &State, request: &mut MockRequest, frame: &[u8]) -> Self {
        let Some(api) = Api::from_key(request.api_key) else {
            return Self::Refused;
        };
        let node = state.node(request.node);
        if !node.is_some_and(|node| node.takes(api, request.version)) {
            return match api {
                Api::ApiVersions => Self::NewerApiVersions,
                _ => Self::Refused,
            };
        }
        let read = || {
            let mut input = Reader::new(frame);
            let header = RequestHeader::decode(&mut input)?;
            let body = Self::decode(api, &mut input, request.version)?;
            Ok::<_, Malformed>((header.client_id, body))
        };
        match read() {
            Ok((client_id, body)) => {
                request.client_id = client_id;
                body.describe(state, request);
                body
            }
            Err(malformed) => {
                log::warn!(
                    "mock broker {}: malformed {api:?} request: {malformed}",
                    request.node
                );
                Self::Refused
            }
        }
    }

    fn decode(api: Api, input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let body = match api {
            Api::Produce => Self::Produce(Message::decode(input, version)?),
            Api::Metadata => Self::Metadata(Message::decode(input, version)?),
            Api::FindCoordinator => Self::FindCoordinator(Message::decode(input, version)?),
            Api::SaslHandshake => Self::SaslHandshake(Message::decode(input, version)?),
            Api::InitProducerId => Self::InitProducerId(Message::decode(input, version)?),
            Api::DescribeConfigs => Self::DescribeConfigs(Message::decode(input, version)?),
            Api::SaslAuthenticate => Self::SaslAuthenticate(Message::decode(input, version)?),
            Api::ApiVersions => {
                ApiVersionsRequest::decode(input, version)?;
                Self::ApiVersions
            }
        };
        if !input.is_empty() {
            // Kafka does not look at what is behind a request; a client had better not send it.
            log::warn!("{} bytes behind a {api:?} request", input.left());
        }
        Ok(body)
    }

    fn describe(&self, state: &State, request: &mut MockRequest) {
        match self {
            Self::Metadata(metadata) => request.topics.clone_from(&metadata.topics),
            Self::Produce(produce) => request.produce = Some(describe_produce(state, produce)),
            _ => {}
        }
    }
}

fn describe_produce(state: &State, produce: &ProduceRequest) -> MockProduce {
    let topics = produce.topics.iter();
    let batches = topics.flat_map(|topic| {
        let name = if topic.name.is_empty() {
            state.topic_name(&topic.id).unwrap_or_default()
        } else {
            &topic.name
        };
        topic.partitions.iter().map(move |partition| {
            let records = partition.records.as_deref().unwrap_or_default();
            MockBatch::new(name, partition.index, records)
        })
    });
    MockProduce {
        acks: produce.acks,
        timeout_ms: produce.timeout_ms,
        transactional_id: produce.transactional_id.clone(),
        batches: batches.collect(),
    }
}
