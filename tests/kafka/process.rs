//! Processes that end with the test process, however that one ends.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{Version, source, until};

/// A process with a watchdog: a shell that reads from a pipe which only the test process holds
/// open, and kills when that ends without a word. Both have process groups of their own, so Ctrl-C
/// ends the test process only, and in an orderly way the rest.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    watchdog: Child,
}

impl Process {
    pub(super) fn spawn(command: &mut Command) -> Self {
        command.process_group(0);
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {:?}: {e}", command.get_program()));
        let watchdog = Command::new("sh")
            .args(["-c", "read -r over || kill -9 \"$1\"", "sh"])
            .arg(child.id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("start sh");
        Self { child, watchdog }
    }

    /// Sends a signal by its name: `STOP`, `CONT`, `TERM`.
    pub(super) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name])
            .arg(self.child.id().to_string())
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "cannot send {name}"
        );
    }

    /// SIGKILL; returns when the process is gone.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How the process ended, `None` while it runs.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("wait for a child")
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        use std::io::Write as _;
        self.kill();
        if let Some(mut pipe) = self.watchdog.stdin.take() {
            let _ = pipe.write_all(b"over\n");
        }
        let _ = self.watchdog.wait();
    }
}

/// `java` with the jars of `version` and flags that keep a JVM small and quick to start; logs go to
/// stderr.
pub(super) fn java(version: Version, level: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args([
            "-Xmx512m",
            "-Xss512k",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
        ])
        .args(["-XX:-UsePerfData", "-Dfile.encoding=UTF-8"])
        .arg(format!("-Drig.level={level}"))
        .arg(format!(
            "-Dlog4j.configuration=file:{}",
            source("log4j.properties").display()
        ))
        .arg(format!(
            "-Dlog4j2.configurationFile={}",
            source("log4j2.properties").display()
        ))
        .args(["-cp", &version.class_path()])
        .stdin(Stdio::null());
    command
}

/// What a program that ran to its end printed.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
    pub(super) status: ExitStatus,
}

impl Output {
    /// Panics with what the program said unless it succeeded.
    pub(super) fn expect(self, doing: &str) -> Vec<u8> {
        let Self {
            stdout,
            stderr,
            status,
        } = self;
        let shown = String::from_utf8_lossy(&stdout);
        assert!(
            status.success(),
            "cannot {doing}: {status}\n{}\n{stderr}",
            tail(&shown)
        );
        stdout
    }
}

/// Runs a program to its end; its output goes through files next to `place`, which may be large.
pub(super) fn run(command: &mut Command, place: &Path, limit: Duration) -> Output {
    let [out, err] = ["out", "err"].map(|extension| place.with_extension(extension));
    command.stdout(create(&out)).stderr(create(&err));
    let mut process = Process::spawn(command);
    let what = format!("{:?} ends, see {}", command.get_program(), err.display());
    let status = until(&what, limit, || process.ended());
    let stdout = fs::read(&out).expect("read a program's output");
    let stderr = String::from_utf8_lossy(&fs::read(&err).expect("read a program's errors")).into();
    for file in [out, err] {
        let _ = fs::remove_file(file);
    }
    Output {
        stdout,
        stderr,
        status,
    }
}

pub(super) fn create(path: &PathBuf) -> File {
    File::create(path).unwrap_or_else(|e| panic!("cannot create {}: {e}", path.display()))
}

/// The last lines of a log.
pub(super) fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
