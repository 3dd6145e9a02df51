//! Counts, in the simulator's runs, which cells of the transition tables were reached.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::ended::Sequel;
use super::state::{Flight, Stage, Verdict};

/// How often each cell was reached.
pub(crate) type Reached = BTreeMap<(&'static str, &'static str), u64>;

thread_local! {
    static REACHED: RefCell<Reached> = const { RefCell::new(Reached::new()) };
}

/// What was reached on this thread since the last call.
pub(crate) fn take() -> Reached {
    REACHED.take()
}

fn reach(table: &'static str, cell: &'static str) {
    REACHED.with_borrow_mut(|reached| *reached.entry((table, cell)).or_default() += 1);
}

/// An attempt ended while its batch was on the wire, or after its records had failed.
pub(super) fn ended(is_abandoned: bool, verdict: &Verdict) {
    let table = if is_abandoned { "abandoned" } else { "on wire" };
    let cell = match verdict {
        Verdict::Acked => "acked",
        Verdict::Failed => "failed",
        Verdict::Again { .. } => "again",
        Verdict::OutOfSequence { has_forgotten, .. } => match has_forgotten {
            false => "out of order",
            true => "forgotten",
        },
    };
    reach(table, cell);
}

pub(super) fn sequel(sequel: &Sequel, has_below: bool) {
    let table = match has_below {
        true => "out of sequence above others",
        false => "out of sequence at the head",
    };
    let cell = match sequel {
        Sequel::Again => "again",
        Sequel::Disproved => "disproved",
        Sequel::Failed => "failed",
    };
    reach(table, cell);
}

/// What was below an acknowledged batch.
pub(super) fn acked<'a>(below: impl Iterator<Item = &'a Flight>) {
    below.for_each(|flight| reach("acked above", stage(&flight.stage)));
}

pub(super) fn given_up(given_up: &Stage) {
    reach("out of time", stage(given_up));
}

pub(super) fn drained(waiting: usize, is_settled: bool) {
    let cell = match (waiting, is_settled) {
        (0, true) => "all is in the log",
        (0, false) => "a newer identity",
        _ => "numbered anew",
    };
    reach("drained", cell);
}

pub(super) fn taken(is_waiting: bool, is_first: bool) {
    let cell = match (is_waiting, is_first) {
        (true, _) => "again",
        (false, true) => "alone",
        (false, false) => "behind others",
    };
    reach("taken", cell);
}

/// A batch got its result.
pub(super) fn told(is_first: bool) {
    let cell = match is_first {
        true => "in turn",
        false => "behind an older one",
    };
    reach("told", cell);
}

fn stage(stage: &Stage) -> &'static str {
    match stage {
        Stage::OnWire => "on wire",
        Stage::Waiting(_) => "waiting",
        Stage::Abandoned => "abandoned",
        Stage::Tombstone => "tombstone",
    }
}
