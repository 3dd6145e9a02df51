//! A fork has neither the threads nor the connections of a producer that was made before it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::sync::mpsc;
use std::time::Duration;

use fork::Fork;
use milena::mock::{Api, MockCluster};
use milena::{Delivery, Error, ErrorKind, Outcome, Producer, Record, RecordMetadata};

use super::support::{SOON, cluster, config, delivered, is_own_process, producer, result, send};

/// The child gets errors that say what to do, and ends; the parent does not notice.
#[test]
fn a_fork_gets_clear_errors_and_leaves_the_parent_alone() {
    if !is_own_process("forking::a_fork_gets_clear_errors_and_leaves_the_parent_alone") {
        return;
    }
    let cluster = cluster(1, 1);
    let gate = cluster.gate();
    let ours = producer(config(&cluster));
    let before = send(&ours, 0, "before");
    delivered(&before);
    cluster.on(Api::Produce).hold(&gate).answer();
    let held = send(&ours, 0, "held");
    assert!(gate.wait_for_held(1, SOON));

    match fork::fork().expect("a fork") {
        Fork::Child => {
            // Its only thread must not hang for ever if the test fails that way.
            std::thread::spawn(|| {
                std::thread::sleep(SOON);
                exit(3);
            });
            let seen = AssertUnwindSafe(|| in_the_child(&cluster, ours, &before, held));
            exit(i32::from(catch_unwind(seen).is_err()));
        }
        Fork::Parent(child) => {
            let status = fork::waitpid(child).expect("a child");
            assert_eq!(status, 0, "what the child saw is above");
        }
    }

    gate.open();
    delivered(&held);
    delivered(&send(&ours, 0, "after"));
    assert_eq!(ours.metrics().connects, 1, "the connection has lived on");
    let log = cluster.records("t", 0);
    let values: Vec<_> = log.iter().map(|record| record.value.as_deref()).collect();
    let expected = ["before", "held", "from the fork", "after"];
    assert_eq!(values.len(), expected.len());
    assert!(
        expected
            .iter()
            .all(|value| values.contains(&Some(value.as_bytes())))
    );
}

fn in_the_child(cluster: &MockCluster, theirs: Producer, before: &Delivery, held: Delivery) {
    assert!(before.try_get().expect("there before the fork").is_ok());
    refused(result(&held), Outcome::Unknown);
    let (tell, told) = mpsc::channel();
    let tell_too = tell.clone();
    held.on_done(move |result| tell.send(result).expect("the test listens"));
    refused(told.recv_timeout(SOON).expect("a call"), Outcome::Unknown);

    // It may take a millisecond until a send sees it.
    std::thread::sleep(Duration::from_millis(2));
    refused(result(&send(&theirs, 0, "v")), Outcome::NotWritten);
    let record = || Record::to("t").value("v");
    theirs.send_with(record(), move |result| {
        tell_too.send(result).expect("the test listens")
    });
    refused(
        told.recv_timeout(SOON).expect("a call"),
        Outcome::NotWritten,
    );
    let back = theirs.try_send(record()).expect_err("a fork");
    assert_eq!(back.error().kind(), ErrorKind::Forked);
    let calls = [
        theirs.flush(),
        theirs.close().map(drop),
        theirs.partitions_for("t").map(drop),
    ];
    for call in calls {
        assert_eq!(call.expect_err("a fork").kind(), ErrorKind::Forked);
    }
    drop(theirs);

    let own = producer(config(cluster));
    delivered(&send(&own, 0, "from the fork"));
    own.close().expect("not in a callback");
}

#[track_caller]
fn refused(result: Result<RecordMetadata, Error>, outcome: Outcome) {
    let error = result.expect_err("a fork");
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Forked, outcome)
    );
    let text = error.to_string();
    let (here, parent) = (std::process::id(), std::os::unix::process::parent_id());
    let both = format!("this is process {here}, a fork of process {parent} that made the producer");
    assert!(
        text.contains(&both) && text.contains("make a producer after the fork"),
        "{text}"
    );
}
