//! SaslHandshake: agrees on the SASL mechanism.

use std::ops::RangeInclusive;

use super::codes::Code;
use super::{Malformed, Message, Put, Reader, Request};

/// Names the mechanism that the client wants.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct SaslHandshakeRequest {
    pub(crate) mechanism: String,
}

/// Says whether it may, and which mechanisms the broker has.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct SaslHandshakeResponse {
    pub(crate) error: Code,
    pub(crate) mechanisms: Vec<String>,
}

impl Request for SaslHandshakeRequest {
    const KEY: i16 = 17;
    const NAME: &'static str = "SaslHandshake";
    /// Version 0 is all that Kafka 0.11 has: tokens follow it without header of the protocol.
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    /// There is none, and there may never be one (KAFKA-9577).
    const FLEXIBLE: i16 = i16::MAX;
    type Response = SaslHandshakeResponse;
}

impl Message for SaslHandshakeRequest {
    fn encode(&self, out: &mut Vec<u8>, _version: i16) {
        out.put_string(&self.mechanism, false);
    }

    fn decode(input: &mut Reader<'_>, _version: i16) -> Result<Self, Malformed> {
        Ok(Self {
            mechanism: input.string(false)?.to_owned(),
        })
    }
}

impl Message for SaslHandshakeResponse {
    fn encode(&self, out: &mut Vec<u8>, _version: i16) {
        out.put_i16(self.error.0);
        out.put_array(&self.mechanisms, false, |out, mechanism| {
            out.put_string(mechanism, false);
        });
    }

    fn decode(input: &mut Reader<'_>, _version: i16) -> Result<Self, Malformed> {
        Ok(Self {
            error: Code(input.i16()?),
            mechanisms: input.array(false, |input| input.string(false).map(str::to_owned))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{check, check_bytes, check_golden};

    fn request() -> SaslHandshakeRequest {
        SaslHandshakeRequest {
            mechanism: "PLAIN".into(),
        }
    }

    fn response() -> SaslHandshakeResponse {
        SaslHandshakeResponse {
            error: Code::UNSUPPORTED_SASL_MECHANISM,
            mechanisms: vec!["PLAIN".into(), "SCRAM-SHA-256".into()],
        }
    }

    #[test]
    fn every_version_has_the_bytes_that_kafka_itself_writes() {
        let versions = SaslHandshakeRequest::VERSIONS;
        check_golden("SaslHandshakeRequest", &request(), versions.clone());
        check_golden("SaslHandshakeResponse", &response(), versions);
    }

    #[test]
    fn every_version_reads_back_and_damage_is_refused() {
        check(&request(), SaslHandshakeRequest::VERSIONS, |_| request());
        check(&response(), SaslHandshakeRequest::VERSIONS, |_| response());
    }

    #[test]
    fn bytes_are_those_of_the_protocol() {
        check_bytes(&request(), 1, &[&[0, 5], b"PLAIN"]);
        #[rustfmt::skip]
        let bytes: &[&[u8]] = &[
            &[0, 33],          // error
            &[0, 0, 0, 2],     // mechanisms
            &[0, 5],           // length of the first
            b"PLAIN",
            &[0, 13],          // length of the second
            b"SCRAM-SHA-256",
        ];
        check_bytes(&response(), 1, bytes);
    }
}
