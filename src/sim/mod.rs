//! A deterministic simulator: the real decisions of the producer under a virtual clock, against a
//! simulated cluster and a seeded schedule of faults, in one thread.
//!
//! Real are the accumulator with its partitions, batches, sequences and identities, the ready
//! queues, the senders' choice of batches, the windows, `Settle`, and what the cluster thread makes
//! of metadata. Imitated are threads, sockets and brokers. Every run checks the promises
//! (`records`) and every batch on the wire the rules of sequences (`oracle`).
//!
//! `MILENA_SIM_SEEDS=10000 cargo test --lib sim -- --nocapture` runs more seeds and shows how often
//! each cell of the transition tables was reached; `MILENA_SIM_FIRST=n` runs others, and
//! `MILENA_SIM_SEED=n` one, and prints what happens in it.

mod chaos;
mod client;
mod cluster;
mod control;
mod link;
mod log;
mod oracle;
mod payload;
mod plan;
mod records;
mod rng;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::accumulator::coverage::{self, Reached};
use crate::time::virtual_clock;
use world::{Report, Trace, run};

/// The seeds of a normal run.
const SEEDS: u64 = 2000;
/// The end of a trace that a failure prints.
const TAIL: usize = 400;

/// The cells of the transition tables that can be reached. Nothing is acknowledged above a batch
/// that is on the wire: a connection answers in order, and a partition has batches on one only.
const REACHABLE: &[(&str, &str)] = &[
    ("on wire", "acked"),
    ("on wire", "failed"),
    ("on wire", "again"),
    ("on wire", "out of order"),
    ("on wire", "forgotten"),
    ("abandoned", "acked"),
    ("abandoned", "failed"),
    ("abandoned", "again"),
    ("abandoned", "out of order"),
    ("out of sequence above others", "again"),
    ("out of sequence above others", "disproved"),
    ("out of sequence at the head", "disproved"),
    ("out of sequence at the head", "failed"),
    ("acked above", "waiting"),
    ("acked above", "tombstone"),
    ("out of time", "on wire"),
    ("out of time", "waiting"),
    ("out of time", "abandoned"),
    ("out of time", "tombstone"),
    ("drained", "all is in the log"),
    ("drained", "a newer identity"),
    ("drained", "numbered anew"),
    ("taken", "again"),
    ("taken", "alone"),
    ("taken", "behind others"),
    ("told", "in turn"),
    ("told", "behind an older one"),
];

#[test]
fn every_promise_holds_under_every_schedule_of_faults() {
    if let Some(seed) = number("MILENA_SIM_SEED") {
        if let Some(failure) = replay(seed, usize::MAX) {
            panic!("{failure}");
        }
        return;
    }
    let count = number("MILENA_SIM_SEEDS").unwrap_or(SEEDS);
    let first = number("MILENA_SIM_FIRST").unwrap_or(0);
    let next = AtomicU64::new(first);
    let outcome = Mutex::new(Outcome::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&next, first + count, &outcome));
        }
    });
    let outcome = outcome.into_inner().expect("no panic while it was held");
    println!("{count} seeds: {:?}", outcome.total);
    outcome.show_cells();
    if !outcome.failed.is_empty() {
        let failure = replay(outcome.failed[0], TAIL).unwrap_or_else(|| "not again".into());
        panic!("{failure}\nfailing seeds: {:?}", outcome.failed);
    }
    let missed: Vec<_> = REACHABLE
        .iter()
        .filter(|cell| !outcome.reached.contains_key(*cell))
        .collect();
    assert!(
        count < SEEDS || missed.is_empty(),
        "never reached: {missed:?}"
    );
}

#[test]
fn a_seed_is_one_run_to_the_letter() {
    let runs = [(); 2].map(|()| traced(11).1);
    assert!(runs[0].len() > 100, "a run in which nothing happens");
    assert_eq!(runs[0], runs[1]);
}

/// What came of all seeds.
#[derive(Default)]
struct Outcome {
    total: Report,
    reached: Reached,
    failed: Vec<u64>,
}

impl Outcome {
    /// How often each cell of the transition tables was reached, those included that never were.
    fn show_cells(&self) {
        let mut cells: BTreeMap<_, u64> = REACHABLE.iter().map(|cell| (*cell, 0)).collect();
        cells.extend(&self.reached);
        for ((table, cell), times) in cells {
            println!("{times:>9}  {table}: {cell}");
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn work(next: &AtomicU64, end: u64, outcome: &Mutex<Outcome>) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            break;
        }
        let report = guarded(seed, None);
        let mut outcome = outcome.lock().expect("no panic while it is held");
        match report {
            Ok(report) => outcome.total.add(report),
            Err(_) => outcome.failed.push(seed),
        }
        if outcome.failed.len() >= 10 {
            break;
        }
    }
    let mut outcome = outcome.lock().expect("no panic while it is held");
    for (cell, times) in coverage::take() {
        *outcome.reached.entry(cell).or_default() += times;
    }
}

/// Runs a seed; the error is the message of a panic.
fn guarded(seed: u64, trace: Trace) -> Result<Report, String> {
    let report = catch_unwind(AssertUnwindSafe(|| run(seed, trace)));
    virtual_clock::stop();
    report.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        text.unwrap_or_else(|| "a panic without a text".into())
    })
}

fn traced(seed: u64) -> (Result<Report, String>, Vec<String>) {
    let trace = Rc::new(RefCell::new(Vec::new()));
    let report = guarded(seed, Some(trace.clone()));
    let lines = trace.take();
    (report, lines)
}

/// Runs a seed again and prints the last `tail` lines of what happens; the failure, if it is one.
fn replay(seed: u64, tail: usize) -> Option<String> {
    let (report, lines) = traced(seed);
    let skipped = lines.len().saturating_sub(tail);
    if skipped > 0 {
        println!("{}\n... {skipped} lines ...", lines[0]);
    }
    lines[skipped..].iter().for_each(|line| println!("{line}"));
    let failure = report.err()?;
    Some(format!(
        "seed {seed}: {failure}\nreplay it: MILENA_SIM_SEED={seed} cargo test --lib \
         sim::every_promise_holds_under_every_schedule_of_faults -- --nocapture"
    ))
}

impl Report {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.acked += other.acked;
        self.not_written += other.not_written;
        self.unknown += other.unknown;
    }
}
