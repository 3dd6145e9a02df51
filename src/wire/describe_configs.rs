//! DescribeConfigs: settings of topics and brokers, as far as the client may see them.

use std::ops::RangeInclusive;

use super::codes::Code;
use super::{Malformed, Message, Put, Reader, Request};

/// Asks for settings. Synonyms and documentation are not asked for.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct DescribeConfigsRequest {
    pub(crate) resources: Vec<ConfigResource>,
}

/// What has settings.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct ConfigResource {
    /// [`TOPIC`](Self::TOPIC) or [`BROKER`](Self::BROKER).
    pub(crate) kind: i8,
    /// The topic's name, or the broker's id.
    pub(crate) name: String,
    /// None for all settings.
    pub(crate) keys: Option<Vec<String>>,
}

/// The settings of each resource.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct DescribeConfigsResponse {
    pub(crate) throttle_time_ms: i32,
    pub(crate) results: Vec<DescribedConfigs>,
}

/// The settings of one resource, or why they are not shown.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct DescribedConfigs {
    pub(crate) error: Code,
    pub(crate) error_message: Option<String>,
    pub(crate) kind: i8,
    pub(crate) name: String,
    pub(crate) entries: Vec<ConfigEntry>,
}

/// A setting. The value of a sensitive one is not shown.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct ConfigEntry {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

/// The source of a setting that an answer of ours does not tell.
const UNKNOWN_SOURCE: i8 = -1;
/// The type of a setting that an answer of ours does not tell.
const UNKNOWN_TYPE: i8 = 0;

impl ConfigResource {
    pub(crate) const TOPIC: i8 = 2;
    pub(crate) const BROKER: i8 = 4;
}

impl Request for DescribeConfigsRequest {
    const KEY: i16 = 32;
    const NAME: &'static str = "DescribeConfigs";
    const VERSIONS: RangeInclusive<i16> = 1..=4;
    const FLEXIBLE: i16 = 4;
    type Response = DescribeConfigsResponse;
}

impl Message for DescribeConfigsRequest {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= Self::FLEXIBLE;
        out.put_array(&self.resources, flexible, |out, resource| {
            out.put_i8(resource.kind);
            out.put_string(&resource.name, flexible);
            match &resource.keys {
                None => out.put_null_len(flexible),
                Some(keys) => {
                    out.put_array(keys, flexible, |out, key| out.put_string(key, flexible));
                }
            }
            out.put_no_tagged_fields(flexible);
        });
        out.put_bool(false);
        if version >= 3 {
            out.put_bool(false);
        }
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= Self::FLEXIBLE;
        let resources = input.array(flexible, |input| {
            let resource = ConfigResource {
                kind: input.i8()?,
                name: input.string(flexible)?.to_owned(),
                keys: input
                    .nullable_array(flexible, |input| input.string(flexible).map(str::to_owned))?,
            };
            input.skip_tagged_fields(flexible)?;
            Ok(resource)
        })?;
        input.bool()?;
        if version >= 3 {
            input.bool()?;
        }
        input.skip_tagged_fields(flexible)?;
        Ok(Self { resources })
    }
}

impl Message for DescribeConfigsResponse {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= DescribeConfigsRequest::FLEXIBLE;
        out.put_i32(self.throttle_time_ms);
        out.put_array(&self.results, flexible, |out, result| {
            out.put_i16(result.error.0);
            out.put_nullable_string(result.error_message.as_deref(), flexible);
            out.put_i8(result.kind);
            out.put_string(&result.name, flexible);
            out.put_array(&result.entries, flexible, |out, entry| {
                entry.encode(out, version);
            });
            out.put_no_tagged_fields(flexible);
        });
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= DescribeConfigsRequest::FLEXIBLE;
        let response = Self {
            throttle_time_ms: input.i32()?,
            results: input.array(flexible, |input| {
                let result = DescribedConfigs {
                    error: Code(input.i16()?),
                    error_message: input.nullable_string(flexible)?.map(str::to_owned),
                    kind: input.i8()?,
                    name: input.string(flexible)?.to_owned(),
                    entries: input.array(flexible, |input| ConfigEntry::decode(input, version))?,
                };
                input.skip_tagged_fields(flexible)?;
                Ok(result)
            })?,
        };
        input.skip_tagged_fields(flexible)?;
        Ok(response)
    }
}

impl DescribedConfigs {
    /// The value of a setting, where it is shown.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.entries.iter().find(|entry| entry.name == name)?;
        found.value.as_deref()
    }
}

impl ConfigEntry {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= DescribeConfigsRequest::FLEXIBLE;
        out.put_string(&self.name, flexible);
        out.put_nullable_string(self.value.as_deref(), flexible);
        let (is_read_only, is_sensitive) = (false, false);
        out.put_bool(is_read_only);
        out.put_i8(UNKNOWN_SOURCE);
        out.put_bool(is_sensitive);
        let no_synonyms: [(); 0] = [];
        out.put_array(&no_synonyms, flexible, |_, ()| {});
        if version >= 3 {
            out.put_i8(UNKNOWN_TYPE);
            out.put_nullable_string(None, flexible);
        }
        out.put_no_tagged_fields(flexible);
    }

    /// Passes over what nobody here asks for.
    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= DescribeConfigsRequest::FLEXIBLE;
        let name = input.string(flexible)?.to_owned();
        let value = input.nullable_string(flexible)?.map(str::to_owned);
        input.bool()?;
        input.i8()?;
        let is_sensitive = input.bool()?;
        input.array(flexible, |input| {
            input.string(flexible)?;
            input.nullable_string(flexible)?;
            input.i8()?;
            input.skip_tagged_fields(flexible)
        })?;
        if version >= 3 {
            input.i8()?;
            input.nullable_string(flexible)?;
        }
        input.skip_tagged_fields(flexible)?;
        let value = value.filter(|_| !is_sensitive);
        Ok(Self { name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{check, check_bytes, check_golden, decode};

    fn request() -> DescribeConfigsRequest {
        let topic = ConfigResource {
            kind: ConfigResource::TOPIC,
            name: "T1".into(),
            keys: Some(vec!["a".into(), "b.c".into()]),
        };
        let broker = ConfigResource {
            kind: ConfigResource::BROKER,
            name: "3".into(),
            keys: None,
        };
        DescribeConfigsRequest {
            resources: vec![topic, broker],
        }
    }

    fn response() -> DescribeConfigsResponse {
        let entry = |name: &str, value: Option<&str>| ConfigEntry {
            name: name.into(),
            value: value.map(str::to_owned),
        };
        let shown = DescribedConfigs {
            kind: ConfigResource::TOPIC,
            name: "T1".into(),
            entries: vec![entry("a", Some("1")), entry("b.c", None)],
            ..DescribedConfigs::default()
        };
        let refused = DescribedConfigs {
            error: Code::CLUSTER_AUTHORIZATION_FAILED,
            error_message: Some("no".into()),
            kind: ConfigResource::BROKER,
            name: "3".into(),
            entries: Vec::new(),
        };
        DescribeConfigsResponse {
            throttle_time_ms: 3,
            results: vec![shown, refused],
        }
    }

    #[test]
    fn every_version_has_the_bytes_that_kafka_itself_writes() {
        let versions = DescribeConfigsRequest::VERSIONS;
        check_golden("DescribeConfigsRequest", &request(), versions.clone());
        check_golden("DescribeConfigsResponse", &response(), versions);
    }

    #[test]
    fn every_version_reads_back_and_damage_is_refused() {
        let versions = DescribeConfigsRequest::VERSIONS;
        check(&request(), versions.clone(), |_| request());
        check(&response(), versions, |_| response());
    }

    #[test]
    fn request_bytes_are_those_of_the_protocol() {
        #[rustfmt::skip]
        let plain: &[&[u8]] = &[
            &[0, 0, 0, 2],                            // resources
            &[2], &[0, 2], b"T1",                     // type, name
            &[0, 0, 0, 2], &[0, 1], b"a",             // keys
            &[0, 3], b"b.c",                          //
            &[4], &[0, 1], b"3",                      // type, name
            &[0xff, 0xff, 0xff, 0xff],                // keys
            &[0],                                     // include_synonyms
            &[0],                                     // include_documentation
        ];
        check_bytes(&request(), 3, plain);
    }

    /// A broker that sends what was not asked for is understood all the same, and a sensitive value
    /// goes no further.
    #[test]
    fn synonyms_and_documentation_are_passed_over_and_sensitive_values_dropped() {
        #[rustfmt::skip]
        let bytes: &[&[u8]] = &[
            &[0, 0, 0, 0], &[2],                      // throttle_time_ms, results
            &[0, 0], &[0], &[2], &[3], b"T1",         // error, message, type, name
            &[3],                                     // configs
            &[2], b"a", &[2], b"1", &[0], &[5], &[0], // name, value, read-only, source, sensitive
            &[2], &[2], b"x", &[2], b"1", &[5], &[0], // synonyms: name, value, source, tags
            &[3], &[4], b"doc", &[0],                 // type, documentation, tags
            &[2], b"s", &[2], b"1", &[0], &[5], &[1], // the same, sensitive
            &[1], &[9], &[0], &[0],                   //
            &[0], &[0],                               // tags
        ];
        let read = decode::<DescribeConfigsResponse>(&bytes.concat(), 4).unwrap();
        let result = &read.results[0];
        assert_eq!((result.value("a"), result.value("s")), (Some("1"), None));
        assert_eq!(result.value("absent"), None);
    }
}
