//! ApiVersions: which APIs and versions a broker speaks, and the cluster's feature levels.

use std::ops::RangeInclusive;

use super::codes::Code;
use super::{Malformed, Message, Put, Reader, Request};

/// Asks a broker what it speaks.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct ApiVersionsRequest {
    pub(crate) client_software_name: String,
    pub(crate) client_software_version: String,
}

/// What the broker speaks.
///
/// A broker that does not know the version of the request answers `UNSUPPORTED_VERSION` in the
/// form of version 0, with the range of ApiVersions itself among `apis` (KIP-511): a caller decodes
/// again with version 0 when the version it asked for does not fit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiVersionsResponse {
    pub(crate) error: Code,
    pub(crate) apis: Vec<ApiRange>,
    pub(crate) throttle_time_ms: i32,
    pub(crate) supported_features: Vec<SupportedFeature>,
    /// -1 where it is not known.
    pub(crate) finalized_features_epoch: i64,
    pub(crate) finalized_features: Vec<FinalizedFeature>,
    pub(crate) zk_migration_ready: bool,
}

/// The versions of one API that a broker speaks.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct ApiRange {
    pub(crate) key: i16,
    pub(crate) min: i16,
    pub(crate) max: i16,
}

/// The levels of a feature that a broker could run.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct SupportedFeature {
    pub(crate) name: String,
    pub(crate) min_version: i16,
    pub(crate) max_version: i16,
}

/// The levels of a feature that the cluster runs.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct FinalizedFeature {
    pub(crate) name: String,
    pub(crate) max_version_level: i16,
    pub(crate) min_version_level: i16,
}

impl Request for ApiVersionsRequest {
    const KEY: i16 = 18;
    const NAME: &'static str = "ApiVersions";
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const FLEXIBLE: i16 = 3;
    type Response = ApiVersionsResponse;
}

impl Message for ApiVersionsRequest {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        if version >= 3 {
            out.put_string(&self.client_software_name, true);
            out.put_string(&self.client_software_version, true);
            out.put_no_tagged_fields(true);
        }
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let mut request = Self::default();
        if version >= 3 {
            request.client_software_name = input.string(true)?.to_owned();
            request.client_software_version = input.string(true)?.to_owned();
            input.skip_tagged_fields(true)?;
        }
        Ok(request)
    }
}

impl Default for ApiVersionsResponse {
    fn default() -> Self {
        Self {
            error: Code::NONE,
            apis: Vec::new(),
            throttle_time_ms: 0,
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
        }
    }
}

impl Message for ApiVersionsResponse {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= ApiVersionsRequest::FLEXIBLE;
        out.put_i16(self.error.0);
        out.put_array(&self.apis, flexible, |out, api| {
            out.put_i16(api.key);
            out.put_i16(api.min);
            out.put_i16(api.max);
            out.put_no_tagged_fields(flexible);
        });
        if version >= 1 {
            out.put_i32(self.throttle_time_ms);
        }
        if flexible {
            out.put_tagged_fields(&self.tagged_fields());
        }
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= ApiVersionsRequest::FLEXIBLE;
        let mut response = Self {
            error: Code(input.i16()?),
            apis: input.array(flexible, |input| decode_api(input, flexible))?,
            ..Self::default()
        };
        if version >= 1 {
            response.throttle_time_ms = input.i32()?;
        }
        input.tagged_fields(flexible, |tag, field| {
            match tag {
                0 => response.supported_features = field.array(true, decode_supported)?,
                1 => response.finalized_features_epoch = field.i64()?,
                2 => response.finalized_features = field.array(true, decode_finalized)?,
                3 => response.zk_migration_ready = field.bool()?,
                _ => _ = field.rest(),
            }
            Ok(())
        })?;
        Ok(response)
    }
}

impl ApiVersionsResponse {
    fn tagged_fields(&self) -> Vec<(u32, Vec<u8>)> {
        let mut fields = Vec::new();
        if !self.supported_features.is_empty() {
            let mut value = Vec::new();
            value.put_array(&self.supported_features, true, |out, feature| {
                out.put_string(&feature.name, true);
                out.put_i16(feature.min_version);
                out.put_i16(feature.max_version);
                out.put_no_tagged_fields(true);
            });
            fields.push((0, value));
        }
        if self.finalized_features_epoch != -1 {
            fields.push((1, self.finalized_features_epoch.to_be_bytes().to_vec()));
        }
        if !self.finalized_features.is_empty() {
            let mut value = Vec::new();
            value.put_array(&self.finalized_features, true, |out, feature| {
                out.put_string(&feature.name, true);
                out.put_i16(feature.max_version_level);
                out.put_i16(feature.min_version_level);
                out.put_no_tagged_fields(true);
            });
            fields.push((2, value));
        }
        if self.zk_migration_ready {
            fields.push((3, vec![1]));
        }
        fields
    }
}

fn decode_api(input: &mut Reader<'_>, flexible: bool) -> Result<ApiRange, Malformed> {
    let api = ApiRange {
        key: input.i16()?,
        min: input.i16()?,
        max: input.i16()?,
    };
    input.skip_tagged_fields(flexible)?;
    Ok(api)
}

fn decode_supported(input: &mut Reader<'_>) -> Result<SupportedFeature, Malformed> {
    let feature = SupportedFeature {
        name: input.string(true)?.to_owned(),
        min_version: input.i16()?,
        max_version: input.i16()?,
    };
    input.skip_tagged_fields(true)?;
    Ok(feature)
}

fn decode_finalized(input: &mut Reader<'_>) -> Result<FinalizedFeature, Malformed> {
    let feature = FinalizedFeature {
        name: input.string(true)?.to_owned(),
        max_version_level: input.i16()?,
        min_version_level: input.i16()?,
    };
    input.skip_tagged_fields(true)?;
    Ok(feature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{check, check_bytes, check_golden, decode};

    fn request() -> ApiVersionsRequest {
        ApiVersionsRequest {
            client_software_name: "milena".into(),
            client_software_version: "1".into(),
        }
    }

    fn range(key: i16, min: i16, max: i16) -> ApiRange {
        ApiRange { key, min, max }
    }

    fn response() -> ApiVersionsResponse {
        ApiVersionsResponse {
            error: Code::NONE,
            apis: vec![range(0, 3, 13), range(18, 0, 4)],
            throttle_time_ms: 9,
            supported_features: vec![SupportedFeature {
                name: "tv".into(),
                min_version: 0,
                max_version: 2,
            }],
            finalized_features_epoch: 41,
            finalized_features: vec![FinalizedFeature {
                name: "tv".into(),
                max_version_level: 2,
                min_version_level: 1,
            }],
            zk_migration_ready: true,
        }
    }

    #[test]
    fn every_version_has_the_bytes_that_kafka_itself_writes() {
        let versions = ApiVersionsRequest::VERSIONS;
        check_golden("ApiVersionsRequest", &request(), versions.clone());
        check_golden("ApiVersionsResponse", &response(), versions);
    }

    #[test]
    fn every_version_reads_back_and_damage_is_refused() {
        check(&request(), ApiVersionsRequest::VERSIONS, |version| {
            if version < 3 {
                ApiVersionsRequest::default()
            } else {
                request()
            }
        });
        check(
            &response(),
            ApiVersionsRequest::VERSIONS,
            |version| match version {
                0 => ApiVersionsResponse {
                    apis: response().apis,
                    ..ApiVersionsResponse::default()
                },
                1 | 2 => ApiVersionsResponse {
                    apis: response().apis,
                    throttle_time_ms: 9,
                    ..ApiVersionsResponse::default()
                },
                _ => response(),
            },
        );
    }

    #[test]
    fn request_bytes_are_those_of_the_protocol() {
        check_bytes(&ApiVersionsRequest::default(), 2, &[]);
        check_bytes(&request(), 3, &[&[7], b"milena", &[2], b"1", &[0]]);
    }

    #[test]
    fn response_bytes_are_those_of_the_protocol() {
        let small = ApiVersionsResponse {
            apis: vec![range(0, 3, 13)],
            throttle_time_ms: 9,
            ..ApiVersionsResponse::default()
        };
        #[rustfmt::skip]
        let plain: &[&[u8]] = &[
            &[0, 0],               // error
            &[0, 0, 0, 1],         // api_keys
            &[0, 0, 0, 3, 0, 13],  // key, min, max
            &[0, 0, 0, 9],         // throttle_time_ms
        ];
        check_bytes(&small, 1, plain);
        #[rustfmt::skip]
        let flexible: &[&[u8]] = &[
            &[0, 0],                           // error
            &[3],                              // api_keys
            &[0, 0, 0, 3, 0, 13, 0],           // key, min, max, tagged fields
            &[0, 18, 0, 0, 0, 4, 0],           // key, min, max, tagged fields
            &[0, 0, 0, 9],                     // throttle_time_ms
            &[4],                              // tagged fields
            &[0, 9],                           // supported_features: tag, size
            &[2, 3], b"tv", &[0, 0, 0, 2, 0],  // count, name, min, max, tagged fields
            &[1, 8],                           // finalized_features_epoch: tag, size
            &[0, 0, 0, 0, 0, 0, 0, 41],
            &[2, 9],                           // finalized_features: tag, size
            &[2, 3], b"tv", &[0, 2, 0, 1, 0],  // count, name, max, min, tagged fields
            &[3, 1, 1],                        // zk_migration_ready: tag, size, true
        ];
        check_bytes(&response(), 3, flexible);
    }

    #[test]
    fn a_refusal_in_the_form_of_version_0_is_told_from_the_version_asked_for() {
        let refusal = ApiVersionsResponse {
            error: Code::UNSUPPORTED_VERSION,
            apis: vec![range(18, 0, 2)],
            ..ApiVersionsResponse::default()
        };
        let bytes: &[&[u8]] = &[&[0, 35], &[0, 0, 0, 1], &[0, 18, 0, 0, 0, 2]];
        check_bytes(&refusal, 0, bytes);
        // Brokers before 2.4 name no range.
        let bare: &[&[u8]] = &[&[0, 35], &[0, 0, 0, 0]];
        for version in 1..=4 {
            assert!(decode::<ApiVersionsResponse>(&bytes.concat(), version).is_err());
            assert!(decode::<ApiVersionsResponse>(&bare.concat(), version).is_err());
        }
    }

    #[test]
    fn tagged_fields_of_the_future_are_skipped() {
        #[rustfmt::skip]
        let bytes: &[&[u8]] = &[
            &[0, 0],               // error
            &[1],                  // api_keys: none
            &[0, 0, 0, 0],         // throttle_time_ms
            &[1, 99, 3, 1, 2, 3],  // tag 99 of 3 bytes
        ];
        let response = decode::<ApiVersionsResponse>(&bytes.concat(), 4);
        assert_eq!(response, Ok(ApiVersionsResponse::default()));
    }
}
