//! A million records: through the console producer, and across the death of the broker.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use milena::{Acks, Config};

use crate::kafka::{Cluster, Listener, Version};
use crate::load::{
    assert_none_missing, assert_once_in_order, assert_sequences, await_delivered, await_more,
    example, load, output, patient, read_numbers,
};

const MILLION: u64 = 1_000_000;
const PARTITIONS: i32 = 12;

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_million_records_survive_the_death_of_the_broker() {
    let cluster = Cluster::of(Version::V4_3_1).start();
    from_the_console(&cluster);
    from_the_console_under_death(&cluster);
    with_retries(&cluster);
    with_idempotence(&cluster);
}

/// A million lines through the console producer: each once, in the order of its partition.
pub(crate) fn from_the_console(cluster: &Cluster) {
    let topic = "console";
    cluster.create_topic(topic, PARTITIONS, 1, &[]);
    let mut program = console_producer(cluster, topic);
    program.stdin(File::open(million_lines()).expect("open the numbers"));
    output(&mut program);
    assert_once_in_order(&read_numbers(cluster, topic), MILLION);
}

/// The broker is killed when half of the lines have gone into the pipe, and comes back while the
/// rest goes in.
fn from_the_console_under_death(cluster: &Cluster) {
    let topic = "console-death";
    cluster.create_topic(topic, PARTITIONS, 1, &[]);
    let mut program = console_producer(cluster, topic);
    for property in ["acks=all", "retries=2147483647", "enable.idempotence=false"] {
        program.args(["--producer-property", property]);
    }
    let mut child = program
        .stdin(Stdio::piped())
        .spawn()
        .expect("start the console producer");
    let mut lines = child.stdin.take().expect("its input is a pipe");
    let text = fs::read(million_lines()).expect("read the numbers");
    let (half, rest) = text.split_at(text.len() / 2);
    lines
        .write_all(half)
        .expect("write to the console producer");
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || lines.write_all(rest));
        cluster.kill(1);
        cluster.restart(1);
        writing
            .join()
            .expect("no panic")
            .expect("write to the console producer");
    });
    assert!(child.wait().expect("its end").success());
    let again = assert_none_missing(&read_numbers(cluster, topic), MILLION);
    println!("{again} of {MILLION} lines came again");
}

fn console_producer(cluster: &Cluster, topic: &str) -> Command {
    let mut program = Command::new(example("console_producer"));
    program
        .arg("--bootstrap-server")
        .arg(cluster.bootstrap(Listener::Plaintext))
        .args(["--topic", topic]);
    program
}

/// A file with the numbers from 1 to a million, made once.
fn million_lines() -> &'static Path {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
        let lines: String = (1..=MILLION).map(|number| format!("{number}\n")).collect();
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("million");
        fs::write(&file, lines).expect("write the numbers");
        file
    });
    &FILE
}

fn with_retries(cluster: &Cluster) {
    let topic = "retries";
    cluster.create_topic(topic, PARTITIONS, 1, &[]);
    let config = patient(cluster).acks(Acks::All);
    let told = under_death(cluster, config, topic);
    let found = read_numbers(cluster, topic);
    let again = assert_none_missing(&found, told.len() as u64);
    println!("{again} of {} records came again", told.len());
    let is_there = |place| found.binary_search(place).is_ok();
    assert!(told.iter().all(is_there), "an offset is not as told");
}

fn with_idempotence(cluster: &Cluster) {
    let topic = "idempotence";
    cluster.create_topic(topic, PARTITIONS, 1, &[]);
    let config = patient(cluster).idempotence(true);
    let told = under_death(cluster, config, topic);
    let found = read_numbers(cluster, topic);
    assert_once_in_order(&found, told.len() as u64);
    assert!(told == found, "an offset is not as told");
    let batches = assert_sequences(cluster, topic, PARTITIONS);
    println!("{} records in {batches} batches", told.len());
}

/// Sends while the broker is killed and comes back; gives what the acknowledgements said.
fn under_death(cluster: &Cluster, config: Config, topic: &str) -> Vec<(i32, i64, u64)> {
    load(config, topic, MILLION, |producer| {
        await_delivered(producer, MILLION / 5);
        cluster.kill(1);
        assert!(producer.metrics().delivered < MILLION);
        cluster.restart(1);
        await_more(producer, 1);
        assert!(producer.metrics().retries > 0);
    })
}
