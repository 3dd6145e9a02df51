//! What a test can look at: requests, batches, records, connections.

use std::ops::RangeInclusive;

use crate::wire::Request;
use crate::wire::api_versions::ApiVersionsRequest;
use crate::wire::describe_configs::DescribeConfigsRequest;
use crate::wire::find_coordinator::FindCoordinatorRequest;
use crate::wire::init_producer_id::InitProducerIdRequest;
use crate::wire::metadata::MetadataRequest;
use crate::wire::produce::ProduceRequest;
use crate::wire::record_batch::{BatchHeader, CODEC_MASK, TRANSACTIONAL};
use crate::wire::sasl_authenticate::SaslAuthenticateRequest;
use crate::wire::sasl_handshake::SaslHandshakeRequest;

/// The kinds of requests that a [`MockCluster`](super::MockCluster) answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Api {
    /// Appends record batches.
    Produce,
    /// Lists brokers, topics, partitions and leaders.
    Metadata,
    /// Names the broker that coordinates a group or a transactional id.
    FindCoordinator,
    /// Chooses a SASL mechanism.
    SaslHandshake,
    /// Lists the requests and versions that the broker takes.
    ApiVersions,
    /// Hands out a producer id.
    InitProducerId,
    /// Shows settings of topics and brokers.
    DescribeConfigs,
    /// Carries the bytes of a SASL mechanism.
    SaslAuthenticate,
}

/// A request that a broker has read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MockRequest {
    /// The broker that it came to.
    pub node: i32,
    /// The connection that it came on, see [`MockConnection::id`].
    pub connection: usize,
    /// The number of its API, see [`Api::key`].
    pub api_key: i16,
    /// Its version; -1 if it is a SASL token without a header, as one follows a SaslHandshake of
    /// version 0. Then there is no correlation id either.
    pub version: i16,
    /// Its correlation id.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<String>,
    /// How many requests of its connection were without an answer when it was read, itself
    /// included. Requests with `acks=0` count until they are handled.
    pub in_flight: usize,
    /// Its size without the length in front.
    pub bytes: usize,
    /// The topics that a metadata request names; `None` asks for all of them.
    pub topics: Option<Vec<String>>,
    /// What a produce request carries.
    pub produce: Option<MockProduce>,
}

/// What a produce request carries.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MockProduce {
    /// 0 (no answer), 1 (the leader has it) or -1 (all in-sync replicas have it).
    pub acks: i16,
    /// How long the broker may wait for the replicas.
    pub timeout_ms: i32,
    /// Set by a transactional producer.
    pub transactional_id: Option<String>,
    /// One for each partition, in the order of the request.
    pub batches: Vec<MockBatch>,
}

/// A record batch, as its header describes it. All fields but the first two are zero if it was
/// unreadable.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MockBatch {
    /// The topic; empty if the request has an id that no topic has.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// -1 if the producer is not idempotent.
    pub producer_id: i64,
    /// -1 if the producer is not idempotent.
    pub producer_epoch: i16,
    /// The sequence number of the first record; -1 if the producer is not idempotent.
    pub base_sequence: i32,
    /// The number of records.
    pub records: i32,
    /// The size in bytes, header included.
    pub bytes: usize,
    /// The CRC-32C that the header has. Batches with equal CRCs have equal records, sequence and
    /// timestamps.
    pub crc: u32,
    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub codec: i16,
    /// Whether it belongs to a transaction.
    pub is_transactional: bool,
}

/// A record in the log of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MockRecord {
    /// Its place in the partition.
    pub offset: i64,
    /// The producer's timestamp, or the broker's for a topic with log append time.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// -1 if the producer is not idempotent.
    pub producer_id: i64,
    /// -1 if the producer is not idempotent.
    pub producer_epoch: i16,
    /// The sequence number; -1 if the producer is not idempotent.
    pub sequence: i32,
}

/// A connection that a broker accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MockConnection {
    /// Its number; connections of all brokers are counted together, from 0.
    pub id: usize,
    /// The broker that accepted it.
    pub node: i32,
    /// How many requests were read from it.
    pub requests: usize,
    /// Whether the broker still has it open.
    pub is_open: bool,
}

impl Api {
    /// Every API, by key.
    pub const ALL: [Self; 8] = [
        Self::Produce,
        Self::Metadata,
        Self::FindCoordinator,
        Self::SaslHandshake,
        Self::ApiVersions,
        Self::InitProducerId,
        Self::DescribeConfigs,
        Self::SaslAuthenticate,
    ];

    /// The number that requests of this kind have on the wire.
    ///
    /// ```
    /// assert_eq!(milena::mock::Api::Metadata.key(), 3);
    /// ```
    pub fn key(self) -> i16 {
        self.facts().key
    }

    pub(super) fn from_key(key: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.key() == key)
    }

    /// The versions that the mock understands.
    pub(super) fn known_versions(self) -> RangeInclusive<i16> {
        self.facts().versions
    }

    /// The versions that a broker advertises unless told otherwise: what it understands, and as
    /// Kafka 4 does it for the sake of old clients, Produce from 0, although it hangs up on 0 to 2.
    pub(super) fn advertised_versions(self) -> RangeInclusive<i16> {
        match self {
            Self::Produce => 0..=*self.known_versions().end(),
            _ => self.known_versions(),
        }
    }

    /// Whether the header of the answer to this version has tagged fields.
    pub(super) fn has_flexible_answer(self, version: i16) -> bool {
        self != Self::ApiVersions && version >= self.facts().flexible
    }

    fn facts(self) -> ApiFacts {
        match self {
            Self::Produce => ApiFacts::of::<ProduceRequest>(),
            Self::Metadata => ApiFacts::of::<MetadataRequest>(),
            Self::FindCoordinator => ApiFacts::of::<FindCoordinatorRequest>(),
            Self::SaslHandshake => ApiFacts::of::<SaslHandshakeRequest>(),
            Self::ApiVersions => ApiFacts::of::<ApiVersionsRequest>(),
            Self::InitProducerId => ApiFacts::of::<InitProducerIdRequest>(),
            Self::DescribeConfigs => ApiFacts::of::<DescribeConfigsRequest>(),
            Self::SaslAuthenticate => ApiFacts::of::<SaslAuthenticateRequest>(),
        }
    }
}

impl MockRequest {
    /// Whether it is of this kind.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// let requests = cluster.requests();
    /// assert!(!requests.iter().any(|request| request.is(Api::Produce)));
    /// ```
    pub fn is(&self, api: Api) -> bool {
        self.api_key == api.key()
    }

    /// The batches that it carries; none if it is not a produce request.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// let requests = cluster.requests();
    /// let batches = requests.iter().flat_map(|request| request.batches());
    /// assert_eq!(batches.map(|batch| batch.records).sum::<i32>(), 0);
    /// ```
    pub fn batches(&self) -> &[MockBatch] {
        self.produce
            .as_ref()
            .map_or(&[], |produce| &produce.batches)
    }
}

impl MockBatch {
    pub(super) fn new(topic: &str, partition: i32, batch: &[u8]) -> Self {
        let place = Self {
            topic: topic.to_owned(),
            partition,
            ..Self::default()
        };
        let Ok(header) = BatchHeader::read(batch) else {
            return place;
        };
        Self {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            records: header.record_count,
            bytes: batch.len(),
            crc: header.crc,
            codec: header.attributes & CODEC_MASK,
            is_transactional: header.attributes & TRANSACTIONAL != 0,
            ..place
        }
    }
}

struct ApiFacts {
    key: i16,
    versions: RangeInclusive<i16>,
    flexible: i16,
}

impl ApiFacts {
    fn of<R: Request>() -> Self {
        Self {
            key: R::KEY,
            versions: R::VERSIONS,
            flexible: R::FLEXIBLE,
        }
    }
}
