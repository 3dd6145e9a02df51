//! An embedded cluster in a process of its own, whose work and memory are not the test's.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use milena::mock::MockCluster;

const MARK: &str = "MILENA_TEST_BROKER";
const SERVERS: &str = "servers: ";

pub(crate) const TOPIC: &str = "t";
pub(crate) const PARTITIONS: i32 = 12;

/// One node that throws records away, with the topic [`TOPIC`].
pub(crate) struct Broker {
    process: Child,
    /// What else it says goes nowhere, but is no error to it.
    _output: BufReader<ChildStdout>,
    pub(crate) servers: String,
}

impl Broker {
    /// Starts the test binary again with nothing but this test, which has to begin with a call of
    /// this. `None` in that process, when it has served: the test has to end.
    #[track_caller]
    pub(crate) fn start(test: &str) -> Option<Self> {
        if std::env::var_os(MARK).is_some() {
            serve();
            return None;
        }
        let binary = std::env::current_exe().expect("the test binary has a path");
        let mut process = Command::new(binary)
            .args(["--exact", test, "--nocapture"])
            .env(MARK, "yes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary runs again");
        let output = process.stdout.take().expect("a pipe");
        let mut output = BufReader::new(output);
        // The test's name may stand before it.
        let mut lines = output.by_ref().lines().map_while(Result::ok);
        let servers = lines.find_map(|line| Some(line.split_once(SERVERS)?.1.to_owned()));
        let servers = servers.expect("the broker tells its address");
        Some(Self {
            process,
            _output: output,
            servers,
        })
    }
}

#[allow(dead_code, reason = "each test binary uses its own part of this")]
impl Broker {
    /// It reads nothing any more.
    pub(crate) fn freeze(&self) {
        self.tell("freeze");
    }

    pub(crate) fn thaw(&self) {
        self.tell("thaw");
    }

    fn tell(&self, what: &str) {
        let mut input = self.process.stdin.as_ref().expect("a pipe");
        writeln!(input, "{what}").expect("the broker listens");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Until its input ends, so that it does not outlive the test.
fn serve() {
    let cluster = MockCluster::start(1);
    cluster.create_topic(TOPIC, PARTITIONS);
    cluster.discard_records();
    println!("{SERVERS}{}", cluster.bootstrap());
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.as_str() {
            "freeze" => cluster.freeze_broker(1),
            "thaw" => cluster.thaw_broker(1),
            other => panic!("a broker cannot {other}"),
        }
    }
}
