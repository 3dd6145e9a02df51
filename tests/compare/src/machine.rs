//! Where and when something was measured, and with what.

use std::fs;
use std::process::Command;
use std::thread;

use crate::librdkafka;

/// One line.
pub(crate) fn told(rounds: usize, broker: &str) -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{}, {cores} cores, {}; milena {} ({}), librdkafka {}, {}; {broker}; rounds: {rounds}; \
         median (smallest–largest)",
        cpu().unwrap_or_else(|| "unknown CPU".to_owned()),
        output("date", &["-u", "+%F"]).unwrap_or_else(|| "undated".to_owned()),
        version_of("milena").unwrap_or("of unknown version"),
        output("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "no commit".to_owned()),
        librdkafka::version(),
        output("rustc", &["--version"]).unwrap_or_else(|| "unknown rustc".to_owned()),
    )
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field("model name")?;
    // Virtual machines tend to hide which one it is.
    match (field("cpu family"), field("model\t")) {
        (Some(family), Some(number)) => Some(format!("{model} (family {family}, model {number})")),
        _ => Some(model),
    }
}

/// Of a package in the lock of this one.
fn version_of(package: &str) -> Option<&'static str> {
    let lock = include_str!("../Cargo.lock");
    let at = lock.find(&format!("name = \"{package}\"\n"))?;
    lock[at..].split('"').nth(3)
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let command = command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
