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
