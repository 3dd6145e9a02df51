//! The Kafka protocol as a pure library: bytes to values and back, in both directions. No I/O, no
//! clock, no state.

mod buf;
mod frame;
mod put;

pub(crate) mod api_versions;
pub(crate) mod codes;
pub(crate) mod describe_configs;
pub(crate) mod find_coordinator;
pub(crate) mod init_producer_id;
pub(crate) mod metadata;
pub(crate) mod produce;
pub(crate) mod record_batch;
pub(crate) mod sasl_authenticate;
pub(crate) mod sasl_handshake;

#[cfg(test)]
mod testing;

use std::ops::RangeInclusive;

pub(crate) use buf::{Malformed, Reader};
pub(crate) use frame::{FRAME_LENGTH_LEN, HeaderFacts, decode_response, frame};
#[allow(
    unused_imports,
    reason = "only brokers, which are mocks and tests, need them"
)]
pub(crate) use frame::{RequestHeader, put_response_frame};
pub(crate) use put::Put;

/// A request or a response in every version that we speak.
pub(crate) trait Message: Sized {
    /// Appends the body (no header) in the form of `version`.
    fn encode(&self, out: &mut Vec<u8>, version: i16);
    /// Reads the body; what a version lacks gets the protocol's default. Leftover bytes are the
    /// caller's to refuse.
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

/// A 16-byte id of a topic; all zero where there is none.
pub(crate) type TopicId = [u8; 16];
