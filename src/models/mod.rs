//! Model checking of the hand-overs between threads, with shuttle: every lock, condition variable,
//! atomic and thread of the crate is shuttle's then (see [`sync`](crate::sync)), and a model runs
//! under thousands of schedules, with a switch possible at each of their calls. What the schedules
//! cannot reach: no wait ends by itself when its time has passed, the clock stands still unless a
//! model sets it, and atomics are sequentially consistent.
//!
//! The types are the real ones. Imitated is what blocks outside of our locks: sockets, and the
//! loops of the threads that read and write them.
//!
//! ```text
//! tests/run models
//! MILENA_MODEL_RUNS=100000 tests/run models
//! MILENA_MODEL_REPLAY=<schedule> RUSTFLAGS="--cfg model" CARGO_TARGET_DIR=target/model \
//!     cargo test --lib --no-default-features models::window::<test>
//! ```
//!
//! Runs are the same each time: more of them are the same and then others. A failure prints its
//! schedule; with that in `MILENA_MODEL_REPLAY` and the name of the one test, only that schedule
//! runs, as often as one likes. It belongs to the code that it failed with: after a change that
//! takes a lock more, shuttle says that a "scheduled task is not runnable", and only the model as
//! a whole tells whether the mistake is gone. Other tests of the crate do not run under
//! `cfg(model)`: shuttle's locks work only inside a model.

mod budget;
mod close;
mod completion;
mod handover;
mod identity;
mod line;
mod ready;
mod replica;
mod results;
mod window;
mod world;

use std::env;

use shuttle::rand::Rng;
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, Runner};

use crate::time::virtual_clock;

const SEED: u64 = 0x6d69_6c65_6e61;
const RUNS: usize = 4000;

/// How often PCT takes the lead from the thread that has it: few mistakes need more.
const CHANGES: usize = 4;

/// A task's stack: unoptimised code that formats an error needs more than shuttle gives.
const STACK_BYTES: usize = 256 * 1024;

/// Runs `model` under schedules that switch at random, and under as many that give each thread a
/// priority.
fn check(model: impl Fn() + Send + Sync + Clone + 'static) {
    if let Ok(schedule) = env::var("MILENA_MODEL_REPLAY") {
        return run(ReplayScheduler::new_from_encoded(&schedule), model);
    }
    let runs = env::var("MILENA_MODEL_RUNS").map_or(RUNS, |runs| {
        runs.parse()
            .expect("MILENA_MODEL_RUNS is a number of schedules")
    });
    run(RandomScheduler::new_from_seed(SEED, runs), model.clone());
    run(
        PctScheduler::new_from_seed(SEED, CHANGES, runs),
        model.clone(),
    );
}

fn run(scheduler: impl Scheduler + 'static, model: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.silence_warnings = true;
    let in_virtual_time = move || {
        virtual_clock::start(1);
        model();
    };
    Runner::new(scheduler, config).run(in_virtual_time);
}

/// A number below `end`, which the scheduler chooses and a replay repeats.
fn choose(end: usize) -> usize {
    shuttle::rand::thread_rng().gen_range(0..end)
}
