//! Where and when something was measured, and with what.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::SystemTime;

use crate::librdkafka;

/// One line.
pub(crate) fn told(rounds: usize, broker: &str) -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{}, {cores} cores, {}; milena {} ({}), librdkafka {}, {}; {broker}; rounds: {rounds}; \
         median (smallest–largest)",
        cpu().unwrap_or_else(|| "unknown CPU".to_owned()),
        date(),
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

/// Today's, in UTC.
fn date() -> String {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut days = seconds.map_or(0, |time| time.as_secs()) / 86_400;
    let mut year = 1970;
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 0;
    let lengths = [
        31,
        28 + u64::from(is_leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, days + 1)
}
