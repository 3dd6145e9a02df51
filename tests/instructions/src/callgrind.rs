//! Runs a client under callgrind and reads what it counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path as File, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::counts::Count;
use crate::paths::Path;

/// The shorter run sends this part of the records.
const SHORT: u32 = 4;

/// Counting stops where the system is asked for the time: a fast sender seldom does, and a slow one
/// always, which is a matter of valgrind's speed on this machine. By the names of two kinds of
/// symbols; a pattern would find one of them only.
const NO_CLOCK: [&str; 5] = [
    "--toggle-collect=<std::time::SystemTime>::now",
    "--toggle-collect=std::time::SystemTime::now",
    "--toggle-collect=<std::time::SystemTime>::duration_since",
    "--toggle-collect=std::time::SystemTime::duration_since",
    "--collect-atstart=yes",
];

/// What a record costs: two runs of different length, so that what is paid once falls out.
pub(crate) fn count(path: &Path, servers: &str) -> Result<Count, Failure> {
    let few = path.records / SHORT;
    let short = run(path, servers, few)?;
    let long = run(path, servers, path.records)?;
    let per_record = |role: Role| {
        let of = |run: &BTreeMap<Role, u64>| run.get(&role).copied().unwrap_or(0) as f64;
        (of(&long) - of(&short)) / f64::from(path.records - few)
    };
    Ok(Count {
        application: per_record(Role::Application),
        sender: per_record(Role::Sender),
        receiver: per_record(Role::Receiver),
        other: per_record(Role::Other),
    })
}

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Application,
    Sender,
    Receiver,
    Other,
}

impl Role {
    fn of(index: usize, name: &str) -> Self {
        match index {
            0 => Self::Application,
            _ if name.starts_with("milena-send") => Self::Sender,
            _ if name.starts_with("milena-recv") => Self::Receiver,
            _ => Self::Other,
        }
    }
}

/// Where callgrind's files of the last run of each path are kept, for `callgrind_annotate`.
pub(crate) fn folder() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?;
    let folder = program.parent().ok_or("the program is in no folder")?;
    Ok(folder.join("callgrind"))
}

fn run(path: &Path, servers: &str, records: u32) -> Result<BTreeMap<Role, u64>, Failure> {
    let folder = folder()?.join(path.name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .args(NO_CLOCK)
        .arg(format!("--callgrind-out-file={}/thread", folder.display()))
        .arg(std::env::current_exe()?)
        .args(["client", path.name, servers, &records.to_string()])
        .output()
        .map_err(|error| format!("valgrind does not run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed under valgrind:\n{text}{log}", path.name).into());
    }
    let mut counts = BTreeMap::new();
    for (index, name) in text.split_whitespace().enumerate() {
        let file = folder.join(format!("thread-{:02}", index + 1));
        *counts.entry(Role::of(index, name)).or_default() += total(&file)?;
    }
    Ok(counts)
}

/// The instructions in one of callgrind's files.
fn total(file: &File) -> Result<u64, Failure> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let line = line.ok_or_else(|| format!("{} has no totals", file.display()))?;
    Ok(line.trim().parse()?)
}
