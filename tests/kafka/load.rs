//! Numbers as records: sent under load by the library or by an example, and looked for in the log.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use milena::{Config, Producer, Record, SecurityProtocol};

use crate::kafka::{
    Cluster, Consumed, DumpedBatch, Isolation, Listener, USERS, ca_pem, client_pem, until,
};

/// Longer than a broker needs to come back.
const PATIENCE: Duration = Duration::from_secs(300);

/// Settings for a listener of the cluster, with PLAIN or a certificate where it wants a name.
pub(crate) fn config(cluster: &Cluster, listener: Listener) -> Config {
    let config = Config::new(cluster.bootstrap(listener));
    let (user, password) = USERS[0];
    match listener {
        Listener::Plaintext => config,
        Listener::Ssl => config
            .security_protocol(SecurityProtocol::Ssl)
            .ssl_truststore_file(ca_pem()),
        Listener::Mtls => {
            self::config(cluster, Listener::Ssl).ssl_keystore_file(client_pem("alice"))
        }
        Listener::SaslPlaintext => config
            .security_protocol(SecurityProtocol::SaslPlaintext)
            .sasl_plain(user, password),
        Listener::SaslSsl => config
            .security_protocol(SecurityProtocol::SaslSsl)
            .sasl_plain(user, password)
            .ssl_truststore_file(ca_pem()),
    }
}

/// Settings with which no failure of a broker loses a record: small batches, so that many are on
/// their way when it happens, and little buffer, so that `send` waits while it lasts.
pub(crate) fn patient(cluster: &Cluster) -> Config {
    config(cluster, Listener::Plaintext)
        .retries(i32::MAX as u32)
        .delivery_timeout(PATIENCE)
        .max_block(PATIENCE)
        .batch_size(4096)
        .buffer_memory(1 << 20)
}

/// A number that was delivered: partition, offset, number.
type Place = (i32, i64, u64);

/// Sends the numbers from 1 on, one a record, at least `least` of them and until `disturb` has
/// returned; panics unless each is delivered. Gives what the acknowledgements said, in order of
/// partition and offset.
pub(crate) fn load(
    config: Config,
    topic: &str,
    least: u64,
    disturb: impl FnOnce(&Producer),
) -> Vec<Place> {
    paced_load(config, topic, least, Duration::ZERO, disturb)
}

/// The same with a pause between two records, until `disturb` has returned.
pub(crate) fn steady(
    config: Config,
    topic: &str,
    pace: Duration,
    disturb: impl FnOnce(&Producer),
) -> Vec<Place> {
    paced_load(config, topic, 0, pace, disturb)
}

fn paced_load(
    config: Config,
    topic: &str,
    least: u64,
    pace: Duration,
    disturb: impl FnOnce(&Producer),
) -> Vec<Place> {
    let producer = Producer::new(config).expect("a producer");
    let (is_over, places) = (AtomicBool::new(false), Arc::new(Mutex::new(Vec::new())));
    let failure = Arc::new(Mutex::new(None));
    let mut sent = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let has_failed = || failure.lock().expect("no panic").is_some();
            while (sent < least || !is_over.load(Ordering::Relaxed)) && !has_failed() {
                sent += 1;
                let (number, places, failure) = (sent, places.clone(), failure.clone());
                let text = number.to_string();
                producer.send_with(Record::to(topic).value(&text), move |result| match result {
                    Ok(metadata) => {
                        let offset = metadata.offset().unwrap_or(-1);
                        let place = (metadata.partition(), offset, number);
                        places.lock().expect("no panic").push(place);
                    }
                    Err(error) => {
                        failure.lock().expect("no panic").get_or_insert(error);
                    }
                });
                if !pace.is_zero() {
                    std::thread::sleep(pace);
                }
            }
        });
        let _over = SetOnDrop(&is_over);
        disturb(&producer);
    });
    let report = producer.flush().and_then(|()| producer.close());
    let first = failure.lock().expect("no panic").take();
    assert!(first.is_none(), "a record failed: {first:?}");
    let report = report.expect("a report");
    // What disturbs it may have sent records of its own.
    assert!(
        report.delivered >= sent && report.unknown == 0,
        "{report:?}"
    );
    let mut places = std::mem::take(&mut *places.lock().expect("no panic"));
    assert_eq!(places.len() as u64, sent);
    places.sort_unstable();
    places
}

/// Returns when so many records were acknowledged.
pub(crate) fn await_delivered(producer: &Producer, count: u64) {
    until("records flow", PATIENCE, || {
        (producer.metrics().delivered >= count).then_some(())
    });
}

/// Returns when `count` more records were acknowledged.
pub(crate) fn await_more(producer: &Producer, count: u64) {
    await_delivered(producer, producer.metrics().delivered + count);
}

/// Ends the load also when what disturbs it panics.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads a topic by Kafka's consumer; its values are numbers.
pub(crate) fn read_numbers(cluster: &Cluster, topic: &str) -> Vec<Place> {
    let read = cluster.read(topic, Isolation::Committed);
    let number = |record: &Consumed| record.text().parse().expect("a number");
    let place = |record: &Consumed| (record.partition, record.offset, number(record));
    read.iter().map(place).collect()
}

/// Each of the numbers from 1 to `count` once, in each partition in the order of their sending.
pub(crate) fn assert_once_in_order(places: &[Place], count: u64) {
    let mut seen = vec![0_u32; usize::try_from(count).expect("a length") + 1];
    for (.., number) in places {
        seen[usize::try_from(*number).expect("an index")] += 1;
    }
    let wrong = (1..).zip(&seen[1..]).find(|(_, times)| **times != 1);
    assert_eq!(
        wrong, None::<(u64, &u32)>,
        "the first number that is not there once, and how often it is"
    );
    let disorder = places
        .windows(2)
        .find(|pair| pair[0].0 == pair[1].0 && pair[0].2 >= pair[1].2);
    assert_eq!(disorder, None, "two neighbours that changed places");
}

/// Each of the numbers from 1 to `count` at least once; gives how many came again.
pub(crate) fn assert_none_missing(places: &[Place], count: u64) -> usize {
    let mut numbers: Vec<_> = places.iter().map(|(.., number)| *number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let missing = (1..=count)
        .zip(&numbers)
        .find(|(wanted, number)| wanted != *number);
    assert_eq!(missing, None, "the first number missing, and what is there");
    assert_eq!(numbers.len() as u64, count);
    places.len() - numbers.len()
}

/// In the log of each partition, the batches of a producer id and epoch follow each other without a
/// gap, from sequence 0 on. Gives how many batches there are.
pub(crate) fn assert_sequences(cluster: &Cluster, topic: &str, partitions: i32) -> usize {
    let logs = cluster.dump_batches(topic, partitions);
    for (partition, log) in (0..).zip(&logs) {
        let mut next: HashMap<(i64, i16), i32> = HashMap::new();
        for batch in log {
            assert!(batch.crc_ok && batch.producer_id >= 0, "{batch:?}");
            let expected = next
                .entry((batch.producer_id, batch.producer_epoch))
                .or_default();
            assert_eq!(
                batch.base_sequence, *expected,
                "partition {partition}: {batch:?}"
            );
            *expected += record_count(batch);
        }
    }
    logs.iter().map(Vec::len).sum()
}

fn record_count(batch: &DumpedBatch) -> i32 {
    i32::try_from(batch.last_offset - batch.base_offset + 1).expect("a count of records")
}

/// The program of an example, built if it is not up to date: `cargo test --test` builds none.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test program");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let is_release = profile.ends_with("release");
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--locked", "--all-features"])
        .args(["--example", name])
        .args(is_release.then_some("--release"))
        .arg("--target-dir")
        .arg(profile.parent().expect("the target directory"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    // What cargo told this test of its package makes build scripts of others run again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    assert!(build.status().is_ok_and(|status| status.success()));
    profile.join("examples").join(name)
}

/// Runs a program to its end and gives its standard output; panics with all that it printed unless
/// it succeeded.
pub(crate) fn output(program: &mut Command) -> String {
    let output = program.output().expect("start the program");
    let [out, err] = [output.stdout, output.stderr].map(|bytes| {
        let text = String::from_utf8_lossy(&bytes);
        text.into_owned()
    });
    assert!(output.status.success(), "{out}{err}");
    out
}
