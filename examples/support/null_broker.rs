//! A broker that takes records and keeps none, in a process of its own, so that what is measured is
//! the producer alone.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use milena::mock::MockCluster;

/// The option that makes this program the broker.
pub(crate) const OPTION: &str = "serve-null";

/// Runs until it is dropped.
pub(crate) struct NullBroker {
    child: Child,
    address: String,
}

impl NullBroker {
    /// Starts this program again, as a broker with one topic.
    pub(crate) fn start(topic: &str, partitions: i32) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(format!("--{OPTION}"))
            .arg(format!("--topic={topic}"))
            .arg(format!("--partitions={partitions}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut address)?;
        }
        let address = address.trim().to_owned();
        let broker = Self { child, address };
        match broker.address.is_empty() {
            true => Err(io::Error::other("it ended at once")),
            false => Ok(broker),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for NullBroker {
    fn drop(&mut self) {
        // It ends with its input, even if this process is killed.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Is the broker: tells its address, and serves until its input ends.
pub(crate) fn serve(topic: &str, partitions: i32) -> io::Result<()> {
    let cluster = MockCluster::start(1);
    cluster.create_topic(topic, partitions);
    cluster.discard_records();
    println!("{}", cluster.bootstrap());
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
