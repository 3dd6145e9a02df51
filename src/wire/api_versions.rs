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
