//! Which versions a broker speaks, and how that is found out.

use std::ops::RangeInclusive;

use crate::error::{Error, ErrorKind};
use crate::wire::Request;
use crate::wire::api_versions::{ApiRange, ApiVersionsRequest, ApiVersionsResponse};
use crate::wire::codes::Code;

use super::Address;

/// What a broker said of itself.
#[derive(Debug, Default)]
pub(super) struct Versions {
    apis: Vec<ApiRange>,
}

impl From<ApiVersionsResponse> for Versions {
    fn from(response: ApiVersionsResponse) -> Self {
        Self {
            apis: response.apis,
        }
    }
}

impl Versions {
    /// The highest version that both sides speak.
    pub(super) fn common<R: Request>(&self, address: &Address) -> Result<i16, Error> {
        let theirs = self.range(R::KEY);
        if let Some(version) = theirs
            .clone()
            .and_then(|theirs| common(&theirs, &R::VERSIONS))
        {
            return Ok(version);
        }
        let (name, ours) = (R::NAME, shown(&R::VERSIONS));
        let text = match theirs {
            None => format!(
                "does not offer {name}, of which this client speaks {ours}: it needs Apache Kafka \
                 0.11 or later"
            ),
            Some(theirs) => {
                let advice = match theirs.end() < R::VERSIONS.start() {
                    true => "it needs Apache Kafka 0.11 or later",
                    false => "the broker is too new for it",
                };
                let theirs = shown(&theirs);
                format!("speaks {name} {theirs}, this client {ours}: {advice}")
            }
        };
        Err(Error::new(
            ErrorKind::UnsupportedVersion,
            format!("broker {address} {text}"),
        ))
    }

    /// The broker's versions of an API. Ranges that are none are passed over.
    fn range(&self, key: i16) -> Option<RangeInclusive<i16>> {
        let mut found = self
            .apis
            .iter()
            .filter(|api| api.key == key && api.min <= api.max);
        found.next().map(|api| api.min..=api.max)
    }
}

fn common(theirs: &RangeInclusive<i16>, ours: &RangeInclusive<i16>) -> Option<i16> {
    let highest = *theirs.end().min(ours.end());
    let lowest = *theirs.start().max(ours.start());
    (lowest <= highest).then_some(highest)
}

fn shown(range: &RangeInclusive<i16>) -> String {
    match range.start() == range.end() {
        true => format!("version {}", range.start()),
        false => format!("versions {}-{}", range.start(), range.end()),
    }
}

/// What an answer to ApiVersions means.
#[derive(Debug)]
pub(super) enum Negotiation {
    Done(Versions),
    /// Ask again with this version, which is lower than the one asked with.
    AskWith(i16),
    Refused(Error),
}

/// A broker that does not know the version it is asked with answers UNSUPPORTED_VERSION in the form
/// of version 0, and since KIP-511 with its own range of this API. `response` has been read
/// accordingly. The next version is always lower, so this ends.
pub(super) fn negotiate(asked: i16, response: ApiVersionsResponse) -> Negotiation {
    let refused = |kind, text| Negotiation::Refused(Error::new(kind, text));
    if response.error == Code::NONE {
        return Negotiation::Done(Versions::from(response));
    }
    if response.error != Code::UNSUPPORTED_VERSION {
        return Negotiation::Refused(broker_error(response.error));
    }
    let versions = Versions::from(response);
    let hint = versions.range(ApiVersionsRequest::KEY);
    let next = match hint {
        // Brokers before KIP-511 do not say what they know; all know version 0.
        None => 0,
        Some(theirs) => match common(&theirs, &ApiVersionsRequest::VERSIONS) {
            Some(version) => version,
            None => {
                let text = format!(
                    "the broker wants {}, this client speaks {}",
                    shown(&theirs),
                    shown(&ApiVersionsRequest::VERSIONS)
                );
                return refused(ErrorKind::UnsupportedVersion, text);
            }
        },
    };
    if next >= asked {
        let text = format!("the broker refuses version {asked} and asks for {next} instead");
        return refused(ErrorKind::Protocol, text);
    }
    Negotiation::AskWith(next)
}

/// What a broker's error code says, as an error.
pub(super) fn broker_error(code: Code) -> Error {
    let kind = match code {
        Code::CLUSTER_AUTHORIZATION_FAILED => ErrorKind::Authorization,
        _ => ErrorKind::Broker,
    };
    Error::new(kind, format!("{code}: {}", code.meaning())).with_code(code.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::produce::ProduceRequest;

    const APIS: i16 = ApiVersionsRequest::KEY;

    fn response(error: Code, ranges: &[(i16, i16, i16)]) -> ApiVersionsResponse {
        let range = |&(key, min, max): &(i16, i16, i16)| ApiRange { key, min, max };
        ApiVersionsResponse {
            error,
            apis: ranges.iter().map(range).collect(),
            ..ApiVersionsResponse::default()
        }
    }

    #[test]
    fn falling_back_goes_strictly_down_and_ends() {
        for (asked, hint, next) in [
            (4, vec![(APIS, 0, 3)], Some(3)),
            (4, vec![(APIS, 0, 2)], Some(2)),
            (4, vec![(APIS, 0, 0)], Some(0)),
            (4, vec![], Some(0)),
            (4, vec![(0, 3, 9)], Some(0)),
            (4, vec![(APIS, 3, 1)], Some(0)),
            (4, vec![(APIS, 0, 4)], None),
            (4, vec![(APIS, 0, 99)], None),
            (4, vec![(APIS, 5, 9)], None),
            (4, vec![(APIS, -7, -1)], None),
            (3, vec![(APIS, 0, 3)], None),
            (0, vec![], None),
            (0, vec![(APIS, 0, 0)], None),
        ] {
            let answer = negotiate(asked, response(Code::UNSUPPORTED_VERSION, &hint));
            match (next, &answer) {
                (Some(next), Negotiation::AskWith(version)) => assert_eq!(next, *version),
                (None, Negotiation::Refused(_)) => {}
                _ => panic!("asked with {asked}, hint {hint:?}: {answer:?}"),
            }
        }
    }

    #[test]
    fn the_highest_common_version_is_used_and_nonsense_is_passed_over() {
        let address = Address::new("kafka-1", 9092);
        let produce = |ranges: &[(i16, i16, i16)]| {
            let versions = Versions::from(response(Code::NONE, ranges));
            versions.common::<ProduceRequest>(&address)
        };
        assert_eq!(produce(&[(0, 0, 9)]).unwrap(), 9);
        assert_eq!(
            produce(&[(0, 0, 99)]).unwrap(),
            *ProduceRequest::VERSIONS.end()
        );
        assert_eq!(produce(&[(0, 9, 3), (0, 3, 5), (0, 3, 7)]).unwrap(), 5);
        let text = produce(&[(0, 0, 2)]).unwrap_err().to_string();
        assert_eq!(
            text,
            "broker kafka-1:9092 speaks Produce versions 0-2, this client versions 3-13: it needs \
             Apache Kafka 0.11 or later"
        );
        let missing = produce(&[]).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::UnsupportedVersion);
        assert!(missing.to_string().contains("does not offer Produce"));
    }
}
