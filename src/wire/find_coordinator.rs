//! FindCoordinator: which broker looks after a group or a transactional id.

use std::ops::RangeInclusive;

use super::codes::Code;
use super::{Malformed, Message, Put, Reader, Request};

/// Asks for the coordinators of `keys`; versions below 4 carry the first key only.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct FindCoordinatorRequest {
    /// [`KEY_TYPE_GROUP`](Self::KEY_TYPE_GROUP) or
    /// [`KEY_TYPE_TRANSACTION`](Self::KEY_TYPE_TRANSACTION).
    pub(crate) key_type: i8,
    pub(crate) keys: Vec<String>,
}

/// The coordinators. Versions below 4 have exactly one, without its key.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct FindCoordinatorResponse {
    pub(crate) throttle_time_ms: i32,
    pub(crate) coordinators: Vec<Coordinator>,
}

/// The coordinator of one key.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Coordinator {
    pub(crate) key: String,
    pub(crate) node_id: i32,
    pub(crate) host: String,
    pub(crate) port: i32,
    pub(crate) error: Code,
    pub(crate) error_message: Option<String>,
}

impl FindCoordinatorRequest {
    pub(crate) const KEY_TYPE_GROUP: i8 = 0;
    pub(crate) const KEY_TYPE_TRANSACTION: i8 = 1;
    /// The first version that asks for many keys at once (KIP-699).
    const BATCHED: i16 = 4;
}

impl Request for FindCoordinatorRequest {
    const KEY: i16 = 10;
    const NAME: &'static str = "FindCoordinator";
    const VERSIONS: RangeInclusive<i16> = 0..=6;
    const FLEXIBLE: i16 = 3;
    type Response = FindCoordinatorResponse;
}

impl Message for FindCoordinatorRequest {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= Self::FLEXIBLE;
        if version < Self::BATCHED {
            let first = self.keys.first().map_or("", String::as_str);
            out.put_string(first, flexible);
        }
        if version >= 1 {
            out.put_i8(self.key_type);
        }
        if version >= Self::BATCHED {
            out.put_array(&self.keys, flexible, |out, key| {
                out.put_string(key, flexible)
            });
        }
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= Self::FLEXIBLE;
        let mut request = Self::default();
        if version < Self::BATCHED {
            request.keys.push(input.string(flexible)?.to_owned());
        }
        if version >= 1 {
            request.key_type = input.i8()?;
        }
        if version >= Self::BATCHED {
            request.keys =
                input.array(flexible, |input| input.string(flexible).map(str::to_owned))?;
        }
        input.skip_tagged_fields(flexible)?;
        Ok(request)
    }
}

impl Message for FindCoordinatorResponse {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= FindCoordinatorRequest::FLEXIBLE;
        if version >= 1 {
            out.put_i32(self.throttle_time_ms);
        }
        if version >= FindCoordinatorRequest::BATCHED {
            out.put_array(&self.coordinators, flexible, put_coordinator);
        } else {
            match self.coordinators.first() {
                Some(first) => put_only_coordinator(out, first, version),
                None => put_only_coordinator(out, &Coordinator::default(), version),
            }
        }
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= FindCoordinatorRequest::FLEXIBLE;
        let response = Self {
            throttle_time_ms: if version >= 1 { input.i32()? } else { 0 },
            coordinators: if version >= FindCoordinatorRequest::BATCHED {
                input.array(flexible, decode_coordinator)?
            } else {
                vec![decode_only_coordinator(input, version)?]
            },
        };
        input.skip_tagged_fields(flexible)?;
        Ok(response)
    }
}

fn put_only_coordinator(out: &mut Vec<u8>, coordinator: &Coordinator, version: i16) {
    let flexible = version >= FindCoordinatorRequest::FLEXIBLE;
    out.put_i16(coordinator.error.0);
    if version >= 1 {
        out.put_nullable_string(coordinator.error_message.as_deref(), flexible);
    }
    out.put_i32(coordinator.node_id);
    out.put_string(&coordinator.host, flexible);
    out.put_i32(coordinator.port);
}

fn decode_only_coordinator(input: &mut Reader<'_>, version: i16) -> Result<Coordinator, Malformed> {
    let flexible = version >= FindCoordinatorRequest::FLEXIBLE;
    let mut coordinator = Coordinator {
        error: Code(input.i16()?),
        ..Coordinator::default()
    };
    if version >= 1 {
        coordinator.error_message = input.nullable_string(flexible)?.map(str::to_owned);
    }
    coordinator.node_id = input.i32()?;
    coordinator.host = input.string(flexible)?.to_owned();
    coordinator.port = input.i32()?;
    Ok(coordinator)
}

fn put_coordinator(out: &mut Vec<u8>, coordinator: &Coordinator) {
    out.put_string(&coordinator.key, true);
    out.put_i32(coordinator.node_id);
    out.put_string(&coordinator.host, true);
    out.put_i32(coordinator.port);
    out.put_i16(coordinator.error.0);
    out.put_nullable_string(coordinator.error_message.as_deref(), true);
    out.put_no_tagged_fields(true);
}

fn decode_coordinator(input: &mut Reader<'_>) -> Result<Coordinator, Malformed> {
    let coordinator = Coordinator {
        key: input.string(true)?.to_owned(),
        node_id: input.i32()?,
        host: input.string(true)?.to_owned(),
        port: input.i32()?,
        error: Code(input.i16()?),
        error_message: input.nullable_string(true)?.map(str::to_owned),
    };
    input.skip_tagged_fields(true)?;
    Ok(coordinator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{check, check_bytes, check_golden};

    fn request() -> FindCoordinatorRequest {
        FindCoordinatorRequest {
            key_type: FindCoordinatorRequest::KEY_TYPE_TRANSACTION,
            keys: vec!["tx".into(), "ty".into()],
        }
    }

    fn response() -> FindCoordinatorResponse {
        let found = Coordinator {
            key: "tx".into(),
            node_id: 1,
            host: "b1".into(),
            port: 9092,
            error: Code::NONE,
            error_message: None,
        };
        let lost = Coordinator {
            key: "ty".into(),
            node_id: -1,
            host: String::new(),
            port: -1,
            error: Code::COORDINATOR_NOT_AVAILABLE,
            error_message: Some("wait".into()),
        };
        FindCoordinatorResponse {
            throttle_time_ms: 3,
            coordinators: vec![lost, found],
        }
    }

    #[test]
    fn every_version_has_the_bytes_that_kafka_itself_writes() {
        let versions = FindCoordinatorRequest::VERSIONS;
        check_golden("FindCoordinatorRequest", &request(), versions.clone());
        check_golden("FindCoordinatorResponse", &response(), versions);
    }

    #[test]
    fn every_version_reads_back_and_damage_is_refused() {
        check(&request(), FindCoordinatorRequest::VERSIONS, |version| {
            let mut expected = request();
            if version < 4 {
                expected.keys.truncate(1);
            }
            if version < 1 {
                expected.key_type = FindCoordinatorRequest::KEY_TYPE_GROUP;
            }
            expected
        });
        check(&response(), FindCoordinatorRequest::VERSIONS, |version| {
            let mut expected = response();
            if version < 4 {
                expected.coordinators.truncate(1);
                expected.coordinators[0].key.clear();
            }
            if version < 1 {
                expected.throttle_time_ms = 0;
                expected.coordinators[0].error_message = None;
            }
            expected
        });
    }

    #[test]
    fn request_bytes_are_those_of_the_protocol() {
        let one = FindCoordinatorRequest {
            key_type: 1,
            keys: vec!["tx".into()],
        };
        check_bytes(&one, 2, &[&[0, 2], b"tx", &[1]]);
        check_bytes(&one, 3, &[&[3], b"tx", &[1], &[0]]);
        #[rustfmt::skip]
        let batched: &[&[u8]] = &[
            &[1],         // key_type
            &[3],         // coordinator_keys
            &[3], b"tx",
            &[3], b"ty",
            &[0],         // tagged fields
        ];
        check_bytes(&request(), 4, batched);
    }

    #[test]
    fn response_bytes_are_those_of_the_protocol() {
        let one = FindCoordinatorResponse {
            throttle_time_ms: 3,
            coordinators: vec![Coordinator {
                node_id: 1,
                host: "b1".into(),
                port: 9092,
                ..Coordinator::default()
            }],
        };
        #[rustfmt::skip]
        let plain: &[&[u8]] = &[
            &[0, 0, 0, 3],        // throttle_time_ms
            &[0, 0],              // error
            &[0xff, 0xff],        // error_message
            &[0, 0, 0, 1],        // node_id
            &[0, 2], b"b1",       // host
            &[0, 0, 0x23, 0x84],  // port
        ];
        check_bytes(&one, 2, plain);
        #[rustfmt::skip]
        let batched: &[&[u8]] = &[
            &[0, 0, 0, 3],              // throttle_time_ms
            &[3],                       // coordinators
            &[3], b"ty",                // key
            &[0xff, 0xff, 0xff, 0xff],  // node_id
            &[1],                       // host
            &[0xff, 0xff, 0xff, 0xff],  // port
            &[0, 15],                   // error
            &[5], b"wait",              // error_message
            &[0],                       // tagged fields
            &[3], b"tx",                // key
            &[0, 0, 0, 1],              // node_id
            &[3], b"b1",                // host
            &[0, 0, 0x23, 0x84],        // port
            &[0, 0],                    // error
            &[0],                       // error_message
            &[0],                       // tagged fields
            &[0],                       // tagged fields of the body
        ];
        check_bytes(&response(), 6, batched);
    }

    #[test]
    fn a_request_without_a_key_and_a_response_without_a_coordinator_are_whole() {
        use crate::wire::testing::{decode, encode};

        let request = encode(&FindCoordinatorRequest::default(), 0);
        assert_eq!(
            decode::<FindCoordinatorRequest>(&request, 0).unwrap().keys,
            [""]
        );
        let response = encode(&FindCoordinatorResponse::default(), 0);
        let response = decode::<FindCoordinatorResponse>(&response, 0).unwrap();
        assert_eq!(response.coordinators, [Coordinator::default()]);
    }
}
