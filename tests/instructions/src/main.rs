//! Counts the instructions that a record costs on the main paths, by valgrind's callgrind, and
//! compares them with those of `counts.txt`: unlike times they are nearly the same in every run,
//! also on a busy machine, so that a change of a few percent shows.
//!
//! ```text
//! tests/run instructions              # compares
//! tests/run instructions --write      # takes what is counted as what is right
//! cargo run --release -- PATH...      # compares some paths, in this folder
//! ```
//!
//! A client process sends to a broker of its own, which is not counted, and its threads are counted
//! each by itself. What is paid once falls out, and neither calls into the kernel nor readings of
//! the clock count.

mod callgrind;
mod counts;
mod paths;
mod verdict;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};

use milena::mock::MockCluster;

use counts::Counts;
use paths::{PARTITIONS, PATHS, Path, TOPIC};
use verdict::Verdict;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["broker"] => be_broker(),
        ["client", path, servers, records] => be_client(path, servers, records),
        _ => count(&words),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until its input ends, so that it never outlives who started it.
fn be_broker() -> Result<ExitCode, Failure> {
    let cluster = MockCluster::start(1);
    cluster.create_topic(TOPIC, PARTITIONS);
    cluster.discard_records();
    println!("{}", cluster.bootstrap());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(ExitCode::SUCCESS)
}

fn be_client(path: &str, servers: &str, records: &str) -> Result<ExitCode, Failure> {
    let path = Path::named(path).ok_or("no such path")?;
    println!("{}", path.run(servers, records.parse()?)?.join(" "));
    Ok(ExitCode::SUCCESS)
}

fn count(words: &[&str]) -> Result<ExitCode, Failure> {
    let (paths, is_to_write) = choice(words)?;
    let broker = Broker::start()?;
    let mut counted = Vec::new();
    println!("a record's instructions: all, application, sender, receiver, other threads");
    for path in paths {
        let count = callgrind::count(&path, &broker.servers)?;
        println!("{:<14}{count}  | {}", path.name, path.what);
        counted.push((path, count));
    }
    if is_to_write {
        counts::write(&counted)?;
        return Ok(ExitCode::SUCCESS);
    }
    let committed = Counts::read()?;
    if committed.are_foreign {
        println!("another compiler than the committed counts are of: a wider margin");
    }
    let mut code = ExitCode::SUCCESS;
    for (path, count) in &counted {
        let before = committed.of(path);
        let verdict = Verdict::of(before, count, path.margin, committed.are_foreign);
        if let Some(advice) = verdict.advice() {
            println!("{} {verdict}: {advice}", path.name);
            if let Some(before) = before {
                println!("committed     {before}");
            }
            println!("counted       {count}");
            code = ExitCode::FAILURE;
        }
    }
    if code == ExitCode::FAILURE {
        println!("callgrind's files: {}", callgrind::folder()?.display());
    }
    Ok(code)
}

/// The paths that are named, or all, and whether their counts are to be written.
fn choice(words: &[&str]) -> Result<(Vec<Path>, bool), Failure> {
    if words == ["--write"] {
        return Ok((PATHS.to_vec(), true));
    }
    let named = words.iter().map(|name| {
        let known = PATHS.map(|path| path.name).join(" ");
        Path::named(name).ok_or(format!(
            "no path {name}; there are {known}, or --write alone"
        ))
    });
    let named: Vec<Path> = named.collect::<Result<_, _>>()?;
    match named.is_empty() {
        true => Ok((PATHS.to_vec(), false)),
        false => Ok((named, false)),
    }
}

/// A broker in a process of its own.
struct Broker {
    process: Child,
    servers: String,
}

impl Broker {
    fn start() -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("broker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("the broker has no output")?;
        let mut servers = String::new();
        BufReader::new(output).read_line(&mut servers)?;
        let servers = servers.trim().to_owned();
        Ok(Self { process, servers })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
