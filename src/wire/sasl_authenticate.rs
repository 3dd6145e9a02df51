//! SaslAuthenticate: carries the tokens of the SASL mechanism.

use std::fmt;
use std::ops::RangeInclusive;

use zeroize::Zeroize;

use super::codes::Code;
use super::{Malformed, Message, Put, Reader, Request};

/// A token of the client, which may be a password: `Debug` does not show it, and its memory is
/// overwritten in the end.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct SaslAuthenticateRequest {
    pub(crate) auth_bytes: Vec<u8>,
}

/// The broker's answer. `Debug` does not show its token.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct SaslAuthenticateResponse {
    pub(crate) error: Code,
    pub(crate) error_message: Option<String>,
    pub(crate) auth_bytes: Vec<u8>,
    /// How long the session lasts before the client has to authenticate again (KIP-368); 0 for
    /// ever.
    pub(crate) session_lifetime_ms: i64,
}

impl Request for SaslAuthenticateRequest {
    const KEY: i16 = 36;
    const NAME: &'static str = "SaslAuthenticate";
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FLEXIBLE: i16 = 2;
    type Response = SaslAuthenticateResponse;
}

impl Message for SaslAuthenticateRequest {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= Self::FLEXIBLE;
        // Lest it moves with the token in it and leaves a copy behind.
        out.reserve(self.auth_bytes.len() + 16);
        out.put_bytes(&self.auth_bytes, flexible);
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= Self::FLEXIBLE;
        let request = Self {
            auth_bytes: input.bytes(flexible)?.to_vec(),
        };
        input.skip_tagged_fields(flexible)?;
        Ok(request)
    }
}

impl Message for SaslAuthenticateResponse {
    fn encode(&self, out: &mut Vec<u8>, version: i16) {
        let flexible = version >= SaslAuthenticateRequest::FLEXIBLE;
        out.put_i16(self.error.0);
        out.put_nullable_string(self.error_message.as_deref(), flexible);
        out.put_bytes(&self.auth_bytes, flexible);
        if version >= 1 {
            out.put_i64(self.session_lifetime_ms);
        }
        out.put_no_tagged_fields(flexible);
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= SaslAuthenticateRequest::FLEXIBLE;
        let response = Self {
            error: Code(input.i16()?),
            error_message: input.nullable_string(flexible)?.map(str::to_owned),
            auth_bytes: input.bytes(flexible)?.to_vec(),
            session_lifetime_ms: if version >= 1 { input.i64()? } else { 0 },
        };
        input.skip_tagged_fields(flexible)?;
        Ok(response)
    }
}

impl Drop for SaslAuthenticateRequest {
    fn drop(&mut self) {
        self.auth_bytes.zeroize();
    }
}

impl fmt::Debug for SaslAuthenticateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslAuthenticateRequest")
            .field("auth_bytes", &format_args!("[hidden]"))
            .finish()
    }
}

impl fmt::Debug for SaslAuthenticateResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslAuthenticateResponse")
            .field("error", &self.error)
            .field("error_message", &self.error_message)
            .field("auth_bytes", &format_args!("[hidden]"))
            .field("session_lifetime_ms", &self.session_lifetime_ms)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{check, check_bytes, check_golden};

    fn request() -> SaslAuthenticateRequest {
        SaslAuthenticateRequest {
            auth_bytes: b"\0user\0pencil".to_vec(),
        }
    }

    fn response() -> SaslAuthenticateResponse {
        SaslAuthenticateResponse {
            error: Code::SASL_AUTHENTICATION_FAILED,
            error_message: Some("no".into()),
            auth_bytes: b"v=secret".to_vec(),
            session_lifetime_ms: 3_600_000,
        }
    }

    #[test]
    fn every_version_has_the_bytes_that_kafka_itself_writes() {
        let versions = SaslAuthenticateRequest::VERSIONS;
        check_golden("SaslAuthenticateRequest", &request(), versions.clone());
        check_golden("SaslAuthenticateResponse", &response(), versions);
    }

    #[test]
    fn every_version_reads_back_and_damage_is_refused() {
        check(&request(), SaslAuthenticateRequest::VERSIONS, |_| request());
        check(&response(), SaslAuthenticateRequest::VERSIONS, |version| {
            let mut expected = response();
            if version < 1 {
                expected.session_lifetime_ms = 0;
            }
            expected
        });
    }

    #[test]
    fn bytes_are_those_of_the_protocol() {
        check_bytes(&request(), 1, &[&[0, 0, 0, 12], b"\0user\0pencil"]);
        check_bytes(&request(), 2, &[&[13], b"\0user\0pencil", &[0]]);
        #[rustfmt::skip]
        let plain: &[&[u8]] = &[
            &[0, 58],                            // error
            &[0, 2], b"no",                      // error_message
            &[0, 0, 0, 8], b"v=secret",          // auth_bytes
            &[0, 0, 0, 0, 0, 0x36, 0xee, 0x80],  // session_lifetime_ms
        ];
        check_bytes(&response(), 1, plain);
        #[rustfmt::skip]
        let flexible: &[&[u8]] = &[
            &[0, 58],                            // error
            &[3], b"no",                         // error_message
            &[9], b"v=secret",                   // auth_bytes
            &[0, 0, 0, 0, 0, 0x36, 0xee, 0x80],  // session_lifetime_ms
            &[0],                                // tagged fields
        ];
        check_bytes(&response(), 2, flexible);
    }

    #[test]
    fn debug_hides_tokens() {
        let shown = format!("{:?} {:?}", request(), response());
        assert!(shown.contains("SASL_AUTHENTICATION_FAILED (58)"), "{shown}");
        assert!(
            !shown.contains("pencil") && !shown.contains("secret"),
            "{shown}"
        );
        assert!(!shown.contains("112, 101"), "{shown}");
    }
}
