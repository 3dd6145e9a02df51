//! Secrets of the tests that get out are found: by `tests/watch.rs`, as long as it looks.

use std::process::Command;

use milena::Record;

use crate::support::{cluster, config, config_for, failed, producer};
use crate::watch;

/// What lets a secret out, and what is said then.
const LEAKS: [(&str, fn()); 3] = [
    ("a line of the log", in_the_log),
    ("an error", in_an_error),
    ("settings", in_settings),
];

fn in_the_log() {
    watch::start();
    log::trace!("password={}", "x-h1dden-x");
}

fn in_an_error() {
    let cluster = cluster(1, 1);
    let named = Record::to("h1dden and no name for a topic");
    failed(&producer(config(&cluster)).send(named));
}

fn in_settings() {
    producer(config_for("localhost:1".into()).client_id("h1dden"));
}

#[test]
fn a_secret_that_gets_out_is_found() {
    const LEAK: &str = "MILENA_TEST_LEAK";
    if let Ok(leak) = std::env::var(LEAK) {
        let (_, leak) = LEAKS[leak.parse::<usize>().expect("a number")];
        leak();
        return;
    }
    for (index, (what, _)) in LEAKS.iter().enumerate() {
        let output = Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["--exact", "secrets::a_secret_that_gets_out_is_found"])
            .env(LEAK, index.to_string())
            .output()
            .expect("the test binary runs again");
        let said = String::from_utf8_lossy(&output.stderr);
        let found = format!("a secret of the tests is in {what}: ");
        assert!(
            !output.status.success() && said.contains(&found),
            "{what}: {said}"
        );
        assert!(!said.contains("h1dden"), "{said}");
    }
}
