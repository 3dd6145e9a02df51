//! Looks for the secrets that tests use in what a producer says: every line of its log at level
//! `trace`, and texts that tests hand in. All test binaries have this file.
//!
//! A secret of a test holds one of the marks in `tests/secrets.txt`, by which it is recognised; the
//! unit tests also look for what was made a `Secret`. A find ends the process, since a panic would
//! be caught where loggers may panic. What the tests print is searched by `tests/run`.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};

/// Shorter ones are words that occur.
const LENGTH_MIN: usize = 8;

static MARKS: &str = include_str!("secrets.txt");
/// Without a lock, as texts are made under locks too.
static KNOWN: [OnceLock<String>; 256] = [const { OnceLock::new() }; 256];
static KEEPS: AtomicBool = AtomicBool::new(false);
static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From here on all lines of the log are searched, unless the test has a logger of its own.
pub(crate) fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if log::set_logger(&Watch).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
    });
}

/// From here on lines are kept too, for tests of their text.
pub(crate) fn keep() {
    start();
    KEEPS.store(true, Ordering::Relaxed);
}

/// The lines that were kept.
pub(crate) fn kept() -> MutexGuard<'static, Vec<String>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is looked for from here on; of keys in PEM text, each line.
pub(crate) fn know(secret: &str) {
    let is_certificate = secret.contains("BEGIN CERTIFICATE");
    let lines = secret
        .lines()
        .filter(|line| !line.starts_with("---") && !is_certificate);
    for line in lines.filter(|line| line.len() >= LENGTH_MIN) {
        // A full table looks for what came first.
        let _ = KNOWN
            .iter()
            .find(|place| place.get_or_init(|| line.into()) == line);
    }
}

/// Ends the process if there is a secret in `text`, which is `what`.
pub(crate) fn look(what: &str, text: &str) {
    let known = KNOWN.iter().map_while(OnceLock::get).map(String::as_str);
    if let Some(secret) = MARKS
        .lines()
        .chain(known)
        .find(|secret| text.contains(secret))
    {
        let shown = text.replace(secret, "<here>");
        // Not by `eprintln!`, which goes nowhere when the process ends.
        let _ = writeln!(
            std::io::stderr(),
            "a secret of the tests is in {what}: {shown}"
        );
        std::process::abort();
    }
}

struct Watch;

impl log::Log for Watch {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.target(), record.args());
        look("a line of the log", &line);
        if KEEPS.load(Ordering::Relaxed) {
            kept().push(line);
        }
    }

    fn flush(&self) {}
}
