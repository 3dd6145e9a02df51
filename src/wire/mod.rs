//! The Kafka protocol as a pure library: bytes to values and back, in both directions. No I/O, no clock, no state.

mod buf;
pub(crate) mod codes;
pub(crate) mod api_versions;
pub(crate) mod metadata;
pub(crate) mod produce;
pub(crate) mod record_batch;
pub(crate) mod sasl_authenticate;
pub(crate) mod sasl_handshake;

use std::ops::RangeInclusive;

pub(crate) use buf::{Malformed, Reader};

/// A request or a response in every version that we speak.
pub(crate) trait Message: Sized {
    /// Appends the body (no header) in the form of `version`.
    fn encode(&self, out: &mut Vec<u8>, version: i16);
    /// Reads the body; what a version lacks gets the protocol's default. Leftover bytes are the caller's to refuse.
    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed>;
}

/// A request, with the facts that its frame needs.
pub(crate) trait Request: Message {
    /// The API key.
    const KEY: i16;
    /// The name, for messages.
    const NAME: &'static str;
    /// The versions that we speak.
    const VERSIONS: RangeInclusive<i16>;
    /// The first flexible version (KIP-482), which has compact lengths and tagged fields.
    const FLEXIBLE: i16;
    type Response: Message;
}

/// The header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestHeader {
    pub(crate) api_key: i16,
    pub(crate) api_version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<String>,
}

/// A 16-byte id of a topic.
pub(crate) type TopicId = [u8; 16];
