//! Frames: the length and the header around requests and responses.

use byteorder::{BigEndian, ByteOrder};

use super::api_versions::ApiVersionsRequest;
use super::find_coordinator::FindCoordinatorRequest;
use super::init_producer_id::InitProducerIdRequest;
use super::metadata::MetadataRequest;
use super::produce::ProduceRequest;
use super::sasl_authenticate::SaslAuthenticateRequest;
use super::sasl_handshake::SaslHandshakeRequest;
use super::{Malformed, Message, Put, Reader, Request, put};

/// The header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestHeader {
    pub(crate) api_key: i16,
    pub(crate) api_version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<String>,
}

/// What the header of a request has from the connection, not from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderFacts<'a> {
    pub(crate) correlation_id: i32,
    pub(crate) client_id: &'a str,
}

/// The bytes of the length in front of each frame.
pub(crate) const FRAME_LENGTH_LEN: usize = 4;

impl RequestHeader {
    /// Appends header version 2 if `flexible`, else version 1. The client id never has the compact
    /// form, so that a broker can read it whatever the version of the request is.
    pub(crate) fn encode(&self, out: &mut Vec<u8>, flexible: bool) {
        put_header(
            out,
            (self.api_key, self.api_version),
            self.correlation_id,
            self.client_id.as_deref(),
            flexible,
        );
    }

    /// Reads a header of the version that its API key and version ask for.
    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let header = Self {
            api_key: input.i16()?,
            api_version: input.i16()?,
            correlation_id: input.i32()?,
            client_id: input.nullable_string(false)?.map(str::to_owned),
        };
        let flexible =
            first_flexible_version(header.api_key).is_some_and(|first| header.api_version >= first);
        input.skip_tagged_fields(flexible)?;
        Ok(header)
    }
}

/// A whole request: length, header and body.
pub(crate) fn frame<R: Request>(request: &R, version: i16, header: HeaderFacts<'_>) -> Vec<u8> {
    let mut out = vec![0; FRAME_LENGTH_LEN];
    put_request_header::<R>(&mut out, version, header);
    request.encode(&mut out, version);
    patch_frame_length(&mut out, 0);
    out
}

/// Appends the header of a request, without the length of its frame.
pub(super) fn put_request_header<R: Request>(
    out: &mut Vec<u8>,
    version: i16,
    header: HeaderFacts<'_>,
) {
    put_header(
        out,
        (R::KEY, version),
        header.correlation_id,
        Some(header.client_id),
        version >= R::FLEXIBLE,
    );
}

/// Appends a whole response: length, header and body.
pub(crate) fn put_response_frame<R: Request>(
    out: &mut Vec<u8>,
    response: &R::Response,
    version: i16,
    correlation_id: i32,
) {
    let start = out.len();
    out.put_i32(0);
    out.put_i32(correlation_id);
    out.put_no_tagged_fields(has_flexible_response_header::<R>(version));
    response.encode(out, version);
    patch_frame_length(&mut out[start..], 0);
}

/// Reads a whole response, given without its length: the correlation id and the body.
pub(crate) fn decode_response<R: Request>(
    frame: &[u8],
    version: i16,
) -> Result<(i32, R::Response), Malformed> {
    let mut input = Reader::new(frame);
    let correlation_id = input.i32()?;
    input.skip_tagged_fields(has_flexible_response_header::<R>(version))?;
    let response = R::Response::decode(&mut input, version)?;
    input.finish()?;
    Ok((correlation_id, response))
}

fn put_header(
    out: &mut Vec<u8>,
    (api_key, api_version): (i16, i16),
    correlation_id: i32,
    client_id: Option<&str>,
    flexible: bool,
) {
    out.put_i16(api_key);
    out.put_i16(api_version);
    out.put_i32(correlation_id);
    out.put_nullable_string(client_id, false);
    out.put_no_tagged_fields(flexible);
}

/// Writes the length of a frame into its first bytes; `to_come` more bytes will follow it.
pub(super) fn patch_frame_length(frame: &mut [u8], to_come: usize) {
    let len = put::length(frame.len() - FRAME_LENGTH_LEN + to_come);
    BigEndian::write_i32(&mut frame[..FRAME_LENGTH_LEN], len);
}

/// The header of an ApiVersions response never has tagged fields: the client reads it before it
/// knows which version the broker chose to answer in (KIP-511).
fn has_flexible_response_header<R: Request>(version: i16) -> bool {
    version >= R::FLEXIBLE && R::KEY != ApiVersionsRequest::KEY
}

/// The first version of an API whose requests have header version 2; none for an API that is not
/// here, or that has no such version.
fn first_flexible_version(api_key: i16) -> Option<i16> {
    const fn fact<R: Request>() -> (i16, i16) {
        (R::KEY, R::FLEXIBLE)
    }
    const FACTS: [(i16, i16); 7] = [
        fact::<ProduceRequest>(),
        fact::<MetadataRequest>(),
        fact::<FindCoordinatorRequest>(),
        fact::<SaslHandshakeRequest>(),
        fact::<ApiVersionsRequest>(),
        fact::<InitProducerIdRequest>(),
        fact::<SaslAuthenticateRequest>(),
    ];
    let (_, first) = FACTS.iter().find(|(key, _)| *key == api_key)?;
    Some(*first)
}
