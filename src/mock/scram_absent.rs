//! Stands in for SCRAM in builds without it.

use super::state::State;

pub(super) const MECHANISMS: [(&str, Hash); 0] = [];

/// There is none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hash {}

/// Nobody has one.
#[derive(Clone, Debug)]
pub(super) enum Exchange {
    Begun(Hash),
}

#[expect(dead_code, reason = "nobody has an exchange")]
pub(super) enum Step {
    Next(Exchange, String),
    Done(String),
    Refused,
}

#[derive(Default)]
pub(super) struct Users {
    pub(super) known: [(); 0],
}

impl Exchange {
    pub(super) fn user(&self) -> &str {
        ""
    }

    pub(super) fn step(&self, _: &State, _: usize, _: &[u8]) -> Step {
        Step::Refused
    }
}
