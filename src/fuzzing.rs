//! Doors for the fuzzer in tests/fuzz: what reads bytes of peers and files, as functions of bytes
//! that must return, whatever the bytes are.

mod peer;

use std::fmt::Debug;

use crate::compress::{CodecError, Compression, Compressor, Levels, decompress};
use crate::config::Config;
use crate::wire::api_versions::ApiVersionsRequest;
use crate::wire::describe_configs::DescribeConfigsRequest;
use crate::wire::find_coordinator::FindCoordinatorRequest;
use crate::wire::init_producer_id::InitProducerIdRequest;
use crate::wire::metadata::MetadataRequest;
use crate::wire::produce::ProduceRequest;
use crate::wire::record_batch::{CODEC_MASK, read_batches, records};
use crate::wire::sasl_authenticate::SaslAuthenticateRequest;
use crate::wire::sasl_handshake::SaslHandshakeRequest;
use crate::wire::{Reader, Request, RequestHeader, decode_response, put_response_frame};

/// What is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name; of messages, the one that they have in tests/golden/wire.txt.
    pub name: &'static str,
    /// Panics if anything is wrong.
    pub run: fn(&[u8]),
    /// The memory that every input may cost, however small it is.
    pub bytes_anyway: usize,
}

/// Every target.
///
/// Those of messages take the version from the first byte. A request is the body behind it, a
/// response the frame without its length.
pub const TARGETS: &[Target] = &[
    pure("ApiVersionsRequest", request::<ApiVersionsRequest>),
    pure("MetadataRequest", request::<MetadataRequest>),
    pure("ProduceRequest", request::<ProduceRequest>),
    pure("InitProducerIdRequest", request::<InitProducerIdRequest>),
    pure("FindCoordinatorRequest", request::<FindCoordinatorRequest>),
    pure("DescribeConfigsRequest", request::<DescribeConfigsRequest>),
    pure("SaslHandshakeRequest", request::<SaslHandshakeRequest>),
    pure(
        "SaslAuthenticateRequest",
        request::<SaslAuthenticateRequest>,
    ),
    pure("ApiVersionsResponse", response::<ApiVersionsRequest>),
    pure("MetadataResponse", response::<MetadataRequest>),
    pure("ProduceResponse", response::<ProduceRequest>),
    pure("InitProducerIdResponse", response::<InitProducerIdRequest>),
    pure(
        "FindCoordinatorResponse",
        response::<FindCoordinatorRequest>,
    ),
    pure(
        "DescribeConfigsResponse",
        response::<DescribeConfigsRequest>,
    ),
    pure("SaslHandshakeResponse", response::<SaslHandshakeRequest>),
    pure(
        "SaslAuthenticateResponse",
        response::<SaslAuthenticateRequest>,
    ),
    pure("request_header", request_header),
    pure("record_batch", record_batch),
    coding("compressed_batch", compressed_batch),
    coding("gzip", |input| codec(Compression::Gzip, input)),
    coding("snappy", |input| codec(Compression::Snappy, input)),
    coding("lz4", |input| codec(Compression::Lz4, input)),
    coding("zstd", |input| codec(Compression::Zstd, input)),
    pure("properties", properties),
    #[cfg(feature = "scram")]
    pure("scram", scram),
    connected("frame", peer::frames),
    connected("peer", peer::opening),
];

/// More than any input decompresses to, in the targets of codecs.
const DECOMPRESSED_MAX: usize = 256 << 10;

/// The text of errors.
const fn pure(name: &'static str, run: fn(&[u8])) -> Target {
    Target {
        name,
        run,
        bytes_anyway: 16 << 10,
    }
}

/// The tables of a codec, and what came out of it, in a vector that doubles.
const fn coding(name: &'static str, run: fn(&[u8])) -> Target {
    Target {
        name,
        run,
        bytes_anyway: (1 << 20) + 4 * DECOMPRESSED_MAX,
    }
}

/// A connection has buffers for 4 KiB in each direction, and settings.
const fn connected(name: &'static str, run: fn(&[u8])) -> Target {
    Target {
        name,
        run,
        bytes_anyway: 256 << 10,
    }
}

/// A frame of this codec around `bytes`, for seeds.
pub fn frame(codec: &str, bytes: &[u8]) -> Vec<u8> {
    let named = |one: &Compression| one.name() == codec;
    let compression = Compression::ALL
        .into_iter()
        .find(named)
        .expect("targets and seeds name codecs that there are");
    let mut out = Vec::new();
    let mut compressor = Compressor::default();
    let written = compressor.compress(compression, &Levels::default(), bytes, &mut out);
    assert_eq!(written, Ok(()), "{codec}");
    out
}

/// A version of `R` by the first byte, and what follows it.
fn versioned<R: Request>(input: &[u8]) -> Option<(i16, &[u8])> {
    let (first, rest) = input.split_first()?;
    let (lowest, highest) = (*R::VERSIONS.start(), *R::VERSIONS.end());
    let version = lowest + i16::from(*first) % (highest - lowest + 1);
    Some((version, rest))
}

fn request<R: Request + Debug + PartialEq>(input: &[u8]) {
    let Some((version, body)) = versioned::<R>(input) else {
        return;
    };
    let mut reader = Reader::new(body);
    let Ok(first) = R::decode(&mut reader, version) else {
        return;
    };
    let mut bytes = Vec::new();
    first.encode(&mut bytes, version);
    let mut reader = Reader::new(&bytes);
    let second = R::decode(&mut reader, version);
    assert_eq!(second.as_ref(), Ok(&first), "version {version}");
    assert!(reader.is_empty(), "version {version}");
}

fn response<R: Request>(input: &[u8])
where
    R::Response: Debug + PartialEq,
{
    let Some((version, frame)) = versioned::<R>(input) else {
        return;
    };
    let Ok((id, first)) = decode_response::<R>(frame, version) else {
        return;
    };
    let mut bytes = Vec::new();
    put_response_frame::<R>(&mut bytes, &first, version, id);
    let second = decode_response::<R>(bytes.get(4..).unwrap_or_default(), version);
    assert_eq!(second, Ok((id, first)), "version {version}");
}

fn request_header(input: &[u8]) {
    let Ok(first) = RequestHeader::decode(&mut Reader::new(input)) else {
        return;
    };
    // Whether there are tagged fields, the key and the version say: one of the two reads back.
    let reads_back = [false, true].into_iter().any(|flexible| {
        let mut bytes = Vec::new();
        first.encode(&mut bytes, flexible);
        let mut reader = Reader::new(&bytes);
        RequestHeader::decode(&mut reader).as_ref() == Ok(&first) && reader.is_empty()
    });
    assert!(reads_back, "{first:?}");
}

fn record_batch(input: &[u8]) {
    let mut seen = 0;
    for batch in read_batches(input) {
        let Ok(batch) = batch else { break };
        seen += batch.bytes.len();
        let mut again = batch.bytes.to_vec();
        batch.header.write(&mut again);
        assert_eq!(again == batch.bytes, batch.check_crc(), "{batch:?}");
        if batch.header.attributes & CODEC_MASK == 0 {
            let all = records(batch.body(), batch.header.record_count);
            let read = all.take_while(Result::is_ok).count();
            assert!(read <= batch.body().len(), "{read} records of nothing");
        }
    }
    assert!(seen <= input.len(), "{seen} bytes of {}", input.len());
}

/// Bytes that may be a frame, and anything that is to be put into one.
fn codec(compression: Compression, input: &[u8]) {
    let frame = frame(compression.name(), input);
    let back = decompress(compression, &frame, input.len());
    assert_eq!(back.as_deref(), Ok(input));
    match decompress(compression, input, DECOMPRESSED_MAX) {
        Ok(bytes) => assert!(bytes.len() <= DECOMPRESSED_MAX, "{}", bytes.len()),
        Err(error) => assert_ne!(error, CodecError::Failed(compression)),
    }
}

fn compressed_batch(input: &[u8]) {
    for batch in read_batches(input) {
        let Ok(batch) = batch else { break };
        let codec = batch.header.attributes & CODEC_MASK;
        let Some(compression) = Compression::from_id(codec) else {
            continue;
        };
        match decompress(compression, batch.body(), DECOMPRESSED_MAX) {
            Ok(body) => {
                let all = records(&body, batch.header.record_count);
                let read = all.take_while(Result::is_ok).count();
                assert!(read <= body.len(), "{read} records of {}", body.len());
            }
            Err(error) => assert_ne!(error, CodecError::Failed(compression)),
        }
    }
}

fn properties(input: &[u8]) {
    let _ = Config::from_properties(&String::from_utf8_lossy(input));
}

/// The first answer in a login, a line feed, and the second.
#[cfg(feature = "scram")]
fn scram(input: &[u8]) {
    let mut answers = input.splitn(2, |byte| *byte == b'\n');
    let mut answer = || answers.next().unwrap_or_default();
    let (first, last) = (answer(), answer());
    match crate::conn::converse(first, last) {
        Ok(()) => assert!(last.starts_with(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")),
        Err(text) => assert!(
            text.len() < 1500 && !text.contains(char::is_control) && !text.contains("pencil"),
            "{text}"
        ),
    }
}
