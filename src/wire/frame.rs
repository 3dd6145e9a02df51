//! Frames: the length and the header around requests and responses.

use byteorder::{BigEndian, ByteOrder};

use super::api_versions::ApiVersionsRequest;
use super::describe_configs::DescribeConfigsRequest;
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
    const FACTS: [(i16, i16); 8] = [
        fact::<ProduceRequest>(),
        fact::<MetadataRequest>(),
        fact::<FindCoordinatorRequest>(),
        fact::<SaslHandshakeRequest>(),
        fact::<ApiVersionsRequest>(),
        fact::<InitProducerIdRequest>(),
        fact::<DescribeConfigsRequest>(),
        fact::<SaslAuthenticateRequest>(),
    ];
    let (_, first) = FACTS.iter().find(|(key, _)| *key == api_key)?;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api_versions::ApiVersionsResponse;
    use crate::wire::codes::Code;
    use crate::wire::init_producer_id::InitProducerIdResponse;
    use crate::wire::sasl_handshake::SaslHandshakeResponse;
    use crate::wire::testing::{Random, hex};

    const HEADER: HeaderFacts<'_> = HeaderFacts {
        correlation_id: 258,
        client_id: "me",
    };

    /// What a frame holds behind its length, once that was checked.
    fn content(frame: &[u8]) -> &[u8] {
        let (length, content) = frame.split_at(FRAME_LENGTH_LEN);
        assert_eq!(BigEndian::read_i32(length) as usize, content.len());
        content
    }

    #[test]
    fn a_plain_request_has_header_version_1() {
        let request = SaslHandshakeRequest {
            mechanism: "X".into(),
        };
        #[rustfmt::skip]
        let bytes: &[&[u8]] = &[
            &[0, 0, 0, 15],  // length
            &[0, 17],        // api_key
            &[0, 1],         // api_version
            &[0, 0, 1, 2],   // correlation_id
            &[0, 2], b"me",  // client_id
            &[0, 1], b"X",   // mechanism
        ];
        assert_eq!(hex(&frame(&request, 1, HEADER)), hex(&bytes.concat()));
    }

    #[test]
    fn a_flexible_request_has_header_version_2_with_a_plain_client_id() {
        let request = SaslAuthenticateRequest {
            auth_bytes: vec![5],
        };
        #[rustfmt::skip]
        let bytes: &[&[u8]] = &[
            &[0, 0, 0, 16],  // length
            &[0, 36],        // api_key
            &[0, 2],         // api_version
            &[0, 0, 1, 2],   // correlation_id
            &[0, 2], b"me",  // client_id
            &[0],            // tagged fields
            &[2, 5],         // auth_bytes
            &[0],            // tagged fields
        ];
        assert_eq!(hex(&frame(&request, 2, HEADER)), hex(&bytes.concat()));
    }

    fn assert_header_reads_back<R: Request + Default>() {
        for version in R::VERSIONS {
            let bytes = frame(&R::default(), version, HEADER);
            let mut input = Reader::new(content(&bytes));
            let header = RequestHeader::decode(&mut input).unwrap();
            let expected = RequestHeader {
                api_key: R::KEY,
                api_version: version,
                correlation_id: 258,
                client_id: Some("me".into()),
            };
            assert_eq!(header, expected);
            R::decode(&mut input, version).unwrap();
            input.finish().unwrap();
            let mut encoded = Vec::new();
            header.encode(&mut encoded, version >= R::FLEXIBLE);
            assert!(content(&bytes).starts_with(&encoded));
        }
    }

    #[test]
    fn the_header_of_every_request_reads_back() {
        assert_header_reads_back::<ApiVersionsRequest>();
        assert_header_reads_back::<DescribeConfigsRequest>();
        assert_header_reads_back::<FindCoordinatorRequest>();
        assert_header_reads_back::<InitProducerIdRequest>();
        assert_header_reads_back::<MetadataRequest>();
        assert_header_reads_back::<ProduceRequest>();
        assert_header_reads_back::<SaslAuthenticateRequest>();
        assert_header_reads_back::<SaslHandshakeRequest>();
    }

    #[test]
    fn the_header_of_an_unknown_api_reads_back_without_tagged_fields() {
        let header = RequestHeader {
            api_key: 999,
            api_version: 9,
            correlation_id: 1,
            client_id: None,
        };
        let mut bytes = Vec::new();
        header.encode(&mut bytes, false);
        assert_eq!(RequestHeader::decode(&mut Reader::new(&bytes)), Ok(header));
    }

    fn assert_response_reads_back<R: Request>(version: i16, header_len: usize)
    where
        R::Response: Default + PartialEq + std::fmt::Debug,
    {
        let mut bytes = b"before".to_vec();
        put_response_frame::<R>(&mut bytes, &R::Response::default(), version, -2);
        let bytes = content(&bytes[6..]);
        let mut body = Vec::new();
        R::Response::default().encode(&mut body, version);
        assert_eq!(bytes.len(), header_len + body.len());
        let expected = (-2, R::Response::default());
        assert_eq!(decode_response::<R>(bytes, version), Ok(expected));
        for len in 0..bytes.len() {
            assert!(decode_response::<R>(&bytes[..len], version).is_err());
        }
        let longer = [bytes, &[0]].concat();
        assert!(decode_response::<R>(&longer, version).is_err());
    }

    #[test]
    fn the_header_of_a_response_has_tagged_fields_if_flexible_but_never_for_api_versions() {
        for version in ApiVersionsRequest::VERSIONS {
            assert_response_reads_back::<ApiVersionsRequest>(version, 4);
        }
        assert_response_reads_back::<SaslHandshakeRequest>(1, 4);
        assert_response_reads_back::<InitProducerIdRequest>(1, 4);
        assert_response_reads_back::<InitProducerIdRequest>(2, 5);
        assert_response_reads_back::<MetadataRequest>(8, 4);
        assert_response_reads_back::<MetadataRequest>(9, 5);
        assert_response_reads_back::<ProduceRequest>(8, 4);
        assert_response_reads_back::<ProduceRequest>(9, 5);
    }

    #[test]
    fn response_bytes_are_those_of_the_protocol() {
        let response = SaslHandshakeResponse {
            error: Code::NONE,
            mechanisms: Vec::new(),
        };
        let mut bytes = Vec::new();
        put_response_frame::<SaslHandshakeRequest>(&mut bytes, &response, 1, 258);
        assert_eq!(hex(&bytes), "00 00 00 0a 00 00 01 02 00 00 00 00 00 00 ");

        let response = InitProducerIdResponse {
            producer_id: 1,
            ..InitProducerIdResponse::default()
        };
        #[rustfmt::skip]
        let flexible: &[&[u8]] = &[
            &[0, 0, 0, 22],              // length
            &[0, 0, 1, 2],               // correlation_id
            &[0],                        // tagged fields
            &[0, 0, 0, 0],               // throttle_time_ms
            &[0, 0],                     // error
            &[0, 0, 0, 0, 0, 0, 0, 1],   // producer_id
            &[0, 0],                     // producer_epoch
            &[0],                        // tagged fields
        ];
        bytes.clear();
        put_response_frame::<InitProducerIdRequest>(&mut bytes, &response, 4, 258);
        assert_eq!(hex(&bytes), hex(&flexible.concat()));
    }

    #[test]
    fn tagged_fields_of_a_response_header_are_skipped() {
        let mut bytes = vec![0, 0, 0, 7, 1, 40, 2, 0xaa, 0xbb];
        InitProducerIdResponse::default().encode(&mut bytes, 4);
        let read = decode_response::<InitProducerIdRequest>(&bytes, 4);
        assert_eq!(read, Ok((7, InitProducerIdResponse::default())));
    }

    #[test]
    fn what_is_not_kafka_is_malformed() {
        let http = b"/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n";
        for version in ApiVersionsRequest::VERSIONS {
            let read: Result<(i32, ApiVersionsResponse), _> =
                decode_response::<ApiVersionsRequest>(http, version);
            assert!(read.is_err());
        }
    }

    #[test]
    fn headers_of_random_bytes_do_not_panic() {
        let mut random = Random::new(1);
        for _ in 0..100_000 {
            _ = RequestHeader::decode(&mut Reader::new(&random.bytes(32)));
        }
    }
}
