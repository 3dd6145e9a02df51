//! Starts real Apache Kafka for tests: brokers of several versions, certificates, admin calls,
//! reading back.
//!
//! A test builds a [`Cluster`], which is up when `start` returns and gone when it is dropped:
//!
//! ```ignore
//! #[test]
//! #[ignore = "needs Java: run tests/run"]
//! fn a_record_arrives() {
//!     let cluster = Cluster::of(Version::V4_3_1).start();
//!     cluster.create_topic("t", 1, 1, &[]);
//!     let config = Config::new(cluster.bootstrap(Listener::Plaintext));
//!     // send
//!     assert_eq!(cluster.read("t", Isolation::Uncommitted).len(), 1);
//! }
//! ```
//!
//! Starting costs seconds, so tests that only need a broker share [`Cluster::shared`] and use
//! topics of their own. Everything lives in `target/kafka`: jars, certificates, and under
//! `run/PROCESS/TEST-NUMBER` the data and logs of a cluster, which stay there, until the next run,
//! when the test panicked. A failure of the rig itself is a panic.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

mod admin;
mod certificates;
mod cluster;
mod dump;
mod node;
mod ports;
mod process;
mod properties;
mod read;
pub(crate) mod readers;
mod version;

pub(crate) use admin::Acl;
pub(crate) use certificates::{Certificate, authority, ca_pem, client_pem};
pub(crate) use cluster::Cluster;
pub(crate) use dump::DumpedBatch;
pub(crate) use properties::{Listener, USERS};
pub(crate) use read::{Consumed, Isolation};
pub(crate) use readers::Reader;
pub(crate) use version::Version;

/// Polls until `condition` gives a value; panics with `what` when `limit` has passed.
pub(crate) fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            start.elapsed() < limit,
            "waited {limit:?} in vain until {what}"
        );
        thread::sleep(Duration::from_millis(25));
    }
}

/// Where the rig keeps what outlives a test run.
pub(crate) fn home() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("kafka")
}

/// A file of the rig's own sources.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/kafka")
        .join(name)
}

/// The directory `name`, filled by `make` unless an earlier run finished it by the same `recipe`.
///
/// The marker is written last, so what was interrupted is made anew; a lock keeps other threads and
/// processes out.
fn once(name: &str, recipe: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let directory = home().join(name);
    fs::create_dir_all(home()).expect("create target/kafka");
    let lock = File::create(home().join(format!("{name}.lock"))).expect("create a lock file");
    lock.lock().expect("lock a file");
    let marker = directory.join(".complete");
    if fs::read_to_string(&marker).is_ok_and(|made| made == recipe) {
        return directory;
    }
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("remove what is incomplete or outdated");
    }
    fs::create_dir_all(&directory).expect("create a directory in target/kafka");
    make(&directory);
    fs::write(&marker, recipe).expect("write the marker");
    directory
}
