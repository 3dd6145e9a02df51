//! InitProducerId: gives the identity of an idempotent or transactional producer.

use std::ops::RangeInclusive;

use super::codes::Code;
use super::{Malformed, Message, Put, Reader, Request};

/// Asks for a producer id and epoch, or for the next epoch of those it has (KIP-360).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InitProducerIdRequest {
    pub(crate) transactional_id: Option<String>,
    pub(crate) transaction_timeout_ms: i32,
    /// -1 where there is none yet.
    pub(crate) producer_id: i64,
    /// -1 where there is none yet.
    pub(crate) producer_epoch: i16,
}

/// The identity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InitProducerIdResponse {
    pub(crate) throttle_time_ms: i32,
    pub(crate) error: Code,
    /// -1 if there was an error.
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
}

impl Request for InitProducerIdRequest {
    const KEY: i16 = 22;
    const NAME: &'static str = "InitProducerId";
    /// Version 6 (two-phase commit, KIP-939) is not stable.
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const FLEXIBLE: i16 = 2;
    type Response = InitProducerIdResponse;
}

impl Message for InitProducerIdRequest {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= Self::FLEXIBLE;
        out.put_nullable_string(self.transactional_id.as_deref(), flexible);
        out.put_i32(self.transaction_timeout_ms);
        if version >= 3 {
            out.put_i64(self.producer_id);
            out.put_i16(self.producer_epoch);
        }
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= Self::FLEXIBLE;
        let mut request = Self {
            transactional_id: input.nullable_string(flexible)?.map(str::to_owned),
            transaction_timeout_ms: input.i32()?,
            ..Self::default()
        };
        if version >= 3 {
            request.producer_id = input.i64()?;
            request.producer_epoch = input.i16()?;
        }
        input.skip_tagged_fields(flexible)?;
        Ok(request)
    }
}

impl Message for InitProducerIdResponse {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        out.put_i32(self.throttle_time_ms);
        out.put_i16(self.error.0);
        out.put_i64(self.producer_id);
        out.put_i16(self.producer_epoch);
        out.put_no_tagged_fields(version >= InitProducerIdRequest::FLEXIBLE);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let response = Self {
            throttle_time_ms: input.i32()?,
            error: Code(input.i16()?),
            producer_id: input.i64()?,
            producer_epoch: input.i16()?,
        };
        input.skip_tagged_fields(version >= InitProducerIdRequest::FLEXIBLE)?;
        Ok(response)
    }
}

impl Default for InitProducerIdRequest {
    fn default() -> Self {
        Self {
            transactional_id: None,
            transaction_timeout_ms: 0,
            producer_id: -1,
            producer_epoch: -1,
        }
    }
}

impl Default for InitProducerIdResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error: Code::NONE,
            producer_id: -1,
            producer_epoch: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{check, check_bytes, check_golden};

    fn request() -> InitProducerIdRequest {
        InitProducerIdRequest {
            transactional_id: Some("tx".into()),
            transaction_timeout_ms: 60_000,
            producer_id: 4000,
            producer_epoch: 7,
        }
    }

    fn response() -> InitProducerIdResponse {
        InitProducerIdResponse {
            throttle_time_ms: 5,
            error: Code::PRODUCER_FENCED,
            producer_id: 4001,
            producer_epoch: 8,
        }
    }

    #[test]
    fn every_version_has_the_bytes_that_kafka_itself_writes() {
        let versions = InitProducerIdRequest::VERSIONS;
        check_golden("InitProducerIdRequest", &request(), versions.clone());
        check_golden("InitProducerIdResponse", &response(), versions);
    }

    #[test]
    fn every_version_reads_back_and_damage_is_refused() {
        check(&request(), InitProducerIdRequest::VERSIONS, |version| {
            let mut expected = request();
            if version < 3 {
                expected.producer_id = -1;
                expected.producer_epoch = -1;
            }
            expected
        });
        check(&response(), InitProducerIdRequest::VERSIONS, |_| response());
    }

    #[test]
    fn bytes_are_those_of_the_protocol() {
        let idempotent = InitProducerIdRequest {
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        #[rustfmt::skip]
        let plain: &[&[u8]] = &[
            &[0xff, 0xff],              // transactional_id
            &[0x7f, 0xff, 0xff, 0xff],  // transaction_timeout_ms
        ];
        check_bytes(&idempotent, 1, plain);
        #[rustfmt::skip]
        let flexible: &[&[u8]] = &[
            &[3], b"tx",                      // transactional_id
            &[0, 0, 0xea, 0x60],              // transaction_timeout_ms
            &[0, 0, 0, 0, 0, 0, 0x0f, 0xa0],  // producer_id
            &[0, 7],                          // producer_epoch
            &[0],                             // tagged fields
        ];
        check_bytes(&request(), 4, flexible);
        #[rustfmt::skip]
        let response_fields: &[&[u8]] = &[
            &[0, 0, 0, 5],                    // throttle_time_ms
            &[0, 90],                         // error
            &[0, 0, 0, 0, 0, 0, 0x0f, 0xa1],  // producer_id
            &[0, 8],                          // producer_epoch
        ];
        check_bytes(&response(), 1, response_fields);
        check_bytes(&response(), 2, &[response_fields, &[&[0]]].concat());
    }
}
