//! Feeds the readers of the library with bytes that resemble the protocol: recorded messages with
//! lies in them. No input may make them panic, hang, or allocate more than it is worth.
//!
//! ```text
//! cd tests/fuzz
//! export RUSTFLAGS="--cfg fuzzing"
//! cargo run --release -- [TARGET]... [--seconds N] [--seed S]   # N for all targets together
//! cargo run --release -- TARGET --replay FILE
//! ```

mod corpus;
mod memory;
mod mutate;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use milena::fuzzing::{TARGETS, Target};
use mutate::{Random, mutated};

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// The most bytes of an input.
const INPUT_BYTES_MAX: usize = 8 << 10;

struct Options {
    targets: Vec<Target>,
    seconds: f64,
    seed: u64,
    replay: Option<String>,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let mut has_failed = false;
    for target in &options.targets {
        let failure = match &options.replay {
            Some(file) => replay(target, file),
            None => fuzz(target, &options),
        };
        if let Err(text) = failure {
            println!("{}: FAILED: {text}", target.name);
            has_failed = true;
        }
    }
    ExitCode::from(u8::from(has_failed))
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        targets: Vec::new(),
        seconds: 20.0,
        seed: 1,
        replay: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if let Some(target) = TARGETS.iter().find(|target| target.name == word) {
            options.targets.push(*target);
            continue;
        }
        let value = words.next().unwrap_or_default();
        let wrong = || format!("{word} {value:?} is not a number");
        match word.as_str() {
            "--seconds" => options.seconds = value.parse().map_err(|_| wrong())?,
            "--seed" => options.seed = value.parse().map_err(|_| wrong())?,
            "--replay" => options.replay = Some(value),
            _ => {
                let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
                return Err(format!("no target {word}; there are: {}", names.join(" ")));
            }
        }
    }
    if options.targets.is_empty() {
        options.targets = TARGETS.to_vec();
    }
    Ok(options)
}

fn fuzz(target: &Target, options: &Options) -> Result<(), String> {
    let corpus = corpus::of(target.name);
    let mut random = Random::new(options.seed);
    let (start, mut inputs, mut peak) = (Instant::now(), 0_u64, 0);
    let limit = Duration::from_secs_f64(options.seconds / options.targets.len() as f64);
    // The corpus as it is comes first: it costs what is allocated once, too.
    for input in &corpus {
        run(target, input)?;
    }
    while inputs % 64 != 0 || start.elapsed() < limit {
        let input = mutated(&corpus, &mut random, INPUT_BYTES_MAX);
        peak = peak.max(run(target, &input)?);
        inputs += 1;
    }
    let rate = inputs as f64 / start.elapsed().as_secs_f64();
    let (name, seeds) = (target.name, corpus.len());
    println!("{name}: {inputs} inputs of {seeds} seeds, {rate:.0}/s, at most {peak} bytes");
    Ok(())
}

fn replay(target: &Target, file: &str) -> Result<(), String> {
    let input = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let bytes = run(target, &input)?;
    println!("{}: nothing wrong, {bytes} bytes", target.name);
    Ok(())
}

/// Runs one input; the bytes that it had allocated at one time, or what is wrong.
fn run(target: &Target, input: &[u8]) -> Result<usize, String> {
    let watched = watch::begin(target.name, input);
    let (result, bytes) = memory::peak_of(|| {
        let run = AssertUnwindSafe(|| (target.run)(input));
        catch_unwind(run)
    });
    drop(watched);
    let allowed = memory::allowed(input.len(), target.bytes_anyway);
    match result {
        Err(_) => Err(watch::report(target.name, input, "a panic, see above")),
        Ok(()) if bytes > allowed => {
            let text = format!("{bytes} bytes allocated for {}", input.len());
            Err(watch::report(target.name, input, &text))
        }
        Ok(()) => Ok(bytes),
    }
}
