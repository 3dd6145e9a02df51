//! Stands in for SCRAM in builds without it.

use crate::config::ScramConfig;
use crate::error::{Error, ErrorKind};

pub(super) fn check(scram: &ScramConfig) -> Result<(), Error> {
    Err(absent(scram))
}

pub(super) fn absent(scram: &ScramConfig) -> Error {
    let text = format!(
        "sasl.mechanism is {}, which needs the cargo feature \"scram\"",
        scram.hash.name()
    );
    Error::new(ErrorKind::Config, text)
}
