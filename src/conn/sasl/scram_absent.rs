//! Stands in for SCRAM in builds without it.

use std::fmt;

use crate::config::ScramConfig;
use crate::error::{Error, ErrorKind};

pub(super) fn check(scram: &ScramConfig) -> Result<(), Error> {
    Err(absent(scram))
}

pub(super) fn start(scram: &ScramConfig) -> Result<(Vec<u8>, Greeted), Error> {
    Err(absent(scram))
}

fn absent(scram: &ScramConfig) -> Error {
    let text = format!(
        "sasl.mechanism is {}, which needs the cargo feature \"scram\"",
        scram.hash.name()
    );
    Error::new(ErrorKind::Config, text)
}

/// Nobody is.
pub(super) enum Greeted {}

/// Nobody has.
pub(super) enum Proved {}

/// Nobody gets one.
pub(super) enum Refusal {}

impl Greeted {
    pub(super) fn answer(self, _: &[u8]) -> Result<(Vec<u8>, Proved), Refusal> {
        match self {}
    }
}

impl Proved {
    pub(super) fn verify(self, _: &[u8]) -> Result<(), Refusal> {
        match self {}
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
