//! This program again, in processes of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::measured::cpu_time_of;

/// A process whose lines are read. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<(Instant, String)>,
    pub(crate) began: Instant,
}

/// No measurement takes longer, nor does a broker's end.
const LIMIT: Duration = Duration::from_secs(600);

impl Process {
    /// Starts it; its input stays open.
    pub(crate) fn start(arguments: &[String]) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("this program could not be started: {error}");
        let program = std::env::current_exe().map_err(told)?;
        let began = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(told)?;
        let (sender, lines) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send((Instant::now(), line));
                }
            });
        }
        Ok(Self {
            child,
            lines,
            began,
        })
    }

    /// The next line, and when it came; none at the end of the output.
    pub(crate) fn line(&self) -> Option<(Instant, String)> {
        self.lines.recv_timeout(LIMIT).ok()
    }

    /// Ends its input, which asks it to come to an end.
    pub(crate) fn end_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// User and system.
    pub(crate) fn cpu_time(&self) -> Duration {
        cpu_time_of(self.child.id()).unwrap_or_default()
    }

    /// Waits for its end, behind its last line.
    pub(crate) fn has_succeeded(mut self) -> bool {
        self.end_input();
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
