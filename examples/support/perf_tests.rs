//! The load generator as its users call it, against a broker in this process.

use milena::mock::MockCluster;
use serde_json::Value;

use super::*;

fn task(arguments: &[&str]) -> Result<Task, lexopt::Error> {
    Task::parse(arguments.iter().map(Into::into).collect())
}

/// The JSON of a run against a topic with three partitions.
fn json_of(arguments: &[&str]) -> Value {
    let cluster = MockCluster::start(1);
    cluster.create_topic("perf", 3);
    cluster.discard_records();
    let address = cluster.bootstrap();
    let arguments = [&["--bootstrap", &address], arguments].concat();
    let Ok(Task::Measure(options)) = task(&arguments) else {
        panic!("{arguments:?} are not understood");
    };
    let report = measure(&options, Instant::now()).expect("a report");
    let written: i64 = (0..3)
        .map(|partition| cluster.end_offset("perf", partition))
        .sum();
    // The first is not counted.
    assert_eq!(written as u64, report.records + 1, "{arguments:?}");
    assert!(!report.text().is_empty());
    serde_json::from_str(&report.json()).expect("JSON")
}

#[test]
fn each_mode_delivers_what_it_was_asked_for_and_tells_latencies() {
    for (arguments, records, has_latency) in [
        (&["--records", "3000"][..], 3000, false),
        (
            &["--records=3000", "--threads=4", "--keys=7", "--size=1000"],
            3000,
            false,
        ),
        (
            &[
                "--records=300",
                "--latency",
                "--acks=all",
                "--property=linger.ms=1",
            ],
            300,
            true,
        ),
        (
            &["--mode=sync", "--records=50", "--threads=3", "--size=0"],
            50,
            true,
        ),
        (&["--rate", "1000", "--records", "50"], 50, true),
        (&["--rate=100", "--seconds=0.1"], 10, true),
        (&["--mode", "first"], 0, false),
    ] {
        let json = json_of(arguments);
        assert_eq!(json["records"], records, "{arguments:?}");
        assert_eq!(json["not_delivered"], 0, "{arguments:?}");
        for percentile in ["p50_us", "p95_us", "p99_us", "p99_9_us", "max_us"] {
            assert_eq!(
                json[percentile].is_number(),
                has_latency,
                "{arguments:?}: {json}"
            );
        }
    }
}

#[test]
fn a_run_ends_when_its_time_is_over() {
    for mode in ["throughput", "sync"] {
        let json = json_of(&["--mode", mode, "--seconds", "0.2"]);
        assert!(json["seconds"].as_f64() >= Some(0.2), "{json}");
        assert!(json["records"].as_u64() > Some(0), "{json}");
    }
}

#[test]
fn an_error_names_the_option_and_the_value_that_are_wrong() {
    for (arguments, expected) in [
        (&["--threads", "0"][..], "--threads 0: from 1 to 10000"),
        (
            &["--size", "big"],
            "--size \"big\" is not a number: invalid digit found in string",
        ),
        (&["--rate=-1"], "--rate -1: from 0.001 to 1000000000"),
        (
            &["--mode", "fast"],
            "--mode fast: it is throughput, sync, rate or first",
        ),
        (
            &["--mode=sync", "--rate=5"],
            "--rate 5 is for the mode rate, not sync",
        ),
        (&["--mode", "rate"], "--mode rate needs --rate"),
        (&["--property", "acks"], "\"acks\" is not name=value"),
        (&["--transactions"], "invalid option '--transactions'"),
        (&["--keys"], "missing argument for option '--keys'"),
        (
            &[
                "--property=bootstrap.servers=localhost:9092",
                "--partitions=3",
            ],
            "--partitions 3 with bootstrap servers: a topic of a cluster has the partitions that \
             it was made with",
        ),
    ] {
        let told = task(arguments).err().map(|error| error.to_string());
        assert_eq!(told.as_deref(), Some(expected), "{arguments:?}");
    }
}

#[test]
fn a_broker_is_started_only_if_nobody_names_servers() {
    let file = std::env::temp_dir().join(format!("milena-perf-{}", std::process::id()));
    std::fs::write(&file, "acks=1\n bootstrap.servers=localhost:9092\n").expect("a file");
    let path = file.to_str().expect("a path in UTF-8");
    for (arguments, expected) in [
        (&[][..], Some(12)),
        (&["--partitions=100", "--acks=all"], Some(100)),
        (&["--bootstrap=localhost:9092"], None),
        (&["--property=bootstrap.servers=localhost:9092"], None),
        (&["--config", path], None),
    ] {
        let Ok(Task::Measure(options)) = task(arguments) else {
            panic!("{arguments:?} are not understood");
        };
        assert_eq!(options.null_partitions, expected, "{arguments:?}");
    }
    std::fs::remove_file(&file).expect("it is ours");
}
