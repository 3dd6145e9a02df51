//! Counts, and the file of those that are committed.

use std::fmt;
use std::process::Command;

use crate::Failure;
use crate::paths::Path;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.txt");

const HEAD: &str = "\
# Instructions per record: all, and those of the application's thread, the sender, the receiver and
# other threads. Written by: tests/run instructions --write
";

const COMPILER: &str = "# Compiler: ";

/// Instructions per record, by the thread that runs them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Count {
    pub(crate) application: f64,
    pub(crate) sender: f64,
    pub(crate) receiver: f64,
    pub(crate) other: f64,
}

impl Count {
    pub(crate) fn total(&self) -> f64 {
        self.by_thread().iter().map(|(_, count)| count).sum()
    }

    pub(crate) fn by_thread(&self) -> [(&'static str, f64); 4] {
        [
            ("application", self.application),
            ("sender", self.sender),
            ("receiver", self.receiver),
            ("other", self.other),
        ]
    }

    fn parse(words: &[&str]) -> Option<Self> {
        let numbers: Option<Vec<f64>> = words.iter().map(|word| word.parse().ok()).collect();
        let [_, application, sender, receiver, other] = numbers?[..] else {
            return None;
        };
        Some(Self {
            application,
            sender,
            receiver,
            other,
        })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = self.by_thread().map(|(_, count)| count);
        let mut counts = [self.total()].into_iter().chain(threads);
        // No thread costs "-0".
        counts.try_for_each(|count| write!(f, "{:>8.0}", count.round() + 0.0))
    }
}

/// The counts that are committed.
pub(crate) struct Counts {
    /// They were made with another compiler than this program.
    pub(crate) are_foreign: bool,
    rows: Vec<(String, Count)>,
}

impl Counts {
    pub(crate) fn read() -> Result<Self, Failure> {
        let text = std::fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        let compiler = text.lines().find_map(|line| line.strip_prefix(COMPILER));
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        let rows = rows.map(|line| row(line).ok_or_else(|| format!("{FILE}: {line}: no count")));
        Ok(Self {
            are_foreign: compiler != Some(&compiler_here()?),
            rows: rows.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn of(&self, path: &Path) -> Option<Count> {
        let mut rows = self.rows.iter();
        rows.find(|(name, _)| name == path.name)
            .map(|(_, count)| *count)
    }
}

/// Replaces the file.
pub(crate) fn write(counted: &[(Path, Count)]) -> Result<(), Failure> {
    let mut text = format!("{HEAD}{COMPILER}{}\n", compiler_here()?);
    for (path, count) in counted {
        text += &format!("{:<14}{count}  | {}\n", path.name, path.what);
    }
    Ok(std::fs::write(FILE, text)?)
}

fn row(line: &str) -> Option<(String, Count)> {
    let counted = line.split('|').next()?;
    let words: Vec<&str> = counted.split_whitespace().collect();
    let (name, numbers) = words.split_first()?;
    Some(((*name).to_owned(), Count::parse(numbers)?))
}

/// The compiler that cargo takes, which is the one of this program when it was just built.
fn compiler_here() -> Result<String, Failure> {
    let compiler = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let output = Command::new(compiler).arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
