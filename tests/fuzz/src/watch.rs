//! Ends the process if an input takes too long, and keeps inputs that failed.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// An input of a few kilobytes takes microseconds. Slow machines stop for seconds, though.
const LIMIT: Duration = Duration::from_secs(20);

struct Running {
    target: &'static str,
    input: Vec<u8>,
    since: Instant,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

/// While it is alive, the input counts as running.
pub(crate) struct Watched;

pub(crate) fn begin(target: &'static str, input: &[u8]) -> Watched {
    static START: Once = Once::new();
    START.call_once(|| drop(std::thread::spawn(watch)));
    set(Some(Running {
        target,
        input: input.to_vec(),
        since: Instant::now(),
    }));
    Watched
}

impl Drop for Watched {
    fn drop(&mut self) {
        set(None);
    }
}

fn set(running: Option<Running>) {
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = running;
}

fn watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_ref().filter(|one| one.since.elapsed() > LIMIT) {
            let text = format!("no end within {LIMIT:?}");
            let target = running.target;
            println!(
                "{target}: FAILED: {}",
                report(target, &running.input, &text)
            );
            std::process::exit(1);
        }
    }
}

/// Writes an input to a file, and says how to run it again.
pub(crate) fn report(target: &str, input: &[u8], what: &str) -> String {
    let mut hex = String::new();
    for byte in input {
        let _ = write!(hex, "{byte:02x}");
    }
    let file = file_for(target, input);
    let kept = file.parent().map(std::fs::create_dir_all);
    let file = match kept.and_then(|_| std::fs::write(&file, input).ok()) {
        Some(()) => file.display().to_string(),
        None => "FILE (which could not be written)".into(),
    };
    format!(
        "{what}\ninput: {hex}\nagain: RUSTFLAGS=\"--cfg fuzzing\" cargo run --release -- {target} \
         --replay {file}"
    )
}

/// Beside the program, which is under the folder of everything that is built.
fn file_for(target: &str, input: &[u8]) -> PathBuf {
    let sum = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let sum = input.iter().fold(0xcbf2_9ce4_8422_2325, sum);
    let program = std::env::current_exe().unwrap_or_default();
    let folder = program.parent().map(|folder| folder.join("crashes"));
    let name = format!("{target}-{sum:016x}");
    folder.unwrap_or_default().join(name)
}
