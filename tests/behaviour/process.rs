//! What happens to a whole process: signals, and no descriptors left.

use std::fs::File;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use milena::mock::Api;

use crate::support::{
    all_delivered, assert_contiguous, cluster, config, delivered, eventually, exactly_once,
    is_own_process, numbers, producer, send, values,
};

/// Sends the signal to every thread, again and again, until it is dropped. The interrupt has a
/// handler; reads and writes with a time limit end with EINTR whatever the handler asked for.
struct SignalStorm(Child);

impl SignalStorm {
    fn begin() -> Self {
        let script = format!(
            "while :; do for task in /proc/{}/task/*; do kill -INT ${{task##*/}}; done; done \
             2>/dev/null",
            std::process::id()
        );
        let child = Command::new("sh").args(["-c", &script]).spawn();
        Self(child.expect("a shell"))
    }
}

impl Drop for SignalStorm {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_storm_of_signals_costs_no_record() {
    if !is_own_process("process::a_storm_of_signals_costs_no_record") {
        return;
    }
    let signals = Arc::new(AtomicUsize::new(0));
    let counted = signals.clone();
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
    };
    ctrlc::set_handler(count).expect("a handler for the interrupt");
    let cluster = cluster(2, 4);
    let storm = SignalStorm::begin();
    eventually("the storm blows", || signals.load(Ordering::Relaxed) > 20);
    // So that the client waits for each answer.
    let slow = cluster.on(Api::Produce).always();
    slow.delay(Duration::from_millis(5)).answer();
    const ROUNDS: usize = 20;
    for round in 0..ROUNDS {
        let producer = exactly_once(&cluster);
        let mut deliveries = Vec::new();
        for number in 10 * round..10 * round + 10 {
            for partition in 0..4 {
                deliveries.push(send(&producer, partition, &number.to_string()));
            }
        }
        all_delivered(&deliveries);
        // Not a call failed.
        let seen = producer.metrics();
        let failures = (seen.connects, seen.connect_failures, seen.retries);
        assert_eq!(failures, (2, 0, 0));
        // One more for metadata.
        assert_eq!(cluster.connections().len(), 3 * (round + 1));
        producer.close().expect("closed");
    }
    drop(storm);
    for partition in 0..4 {
        assert_eq!(values(&cluster, partition), numbers(0..10 * ROUNDS));
    }
    assert_contiguous(&cluster);
    assert!(signals.load(Ordering::Relaxed) > 100);
}

/// Every descriptor that the process may still have.
fn all_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn without_descriptors_records_wait_until_there_are_some() {
    const TEST: &str = "process::without_descriptors_records_wait_until_there_are_some";
    const MARK: &str = "MILENA_TEST_PROCESS";
    if std::env::var_os(MARK).is_none() {
        let binary = std::env::current_exe().expect("the test binary has a path");
        let script = format!("ulimit -n 200; exec \"$0\" --exact {TEST} --nocapture");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(binary).env(MARK, "1");
        let output = command.output().expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let has_run = output.status.success() && text.contains("1 passed");
        assert!(has_run && !errors.contains("panicked"), "{text}\n{errors}");
        return;
    }
    let cluster = cluster(2, 2);
    let producer = producer(config(&cluster).idempotence(true).batch_size(0));
    delivered(&send(&producer, 0, "0"));
    let hoard = Mutex::new(all_descriptors());
    let hoarded = || hoard.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(hoarded().len() > 50);
    let waiting = send(&producer, 1, "0");
    let failures = || producer.metrics().connect_failures;
    eventually("no connection comes about", || failures() >= 5);
    assert!(waiting.wait_timeout(Duration::from_millis(100)).is_none());
    // The pauses grow to 20 ms.
    assert!(failures() < 1000);
    all_delivered(&[send(&producer, 0, "1")]);
    hoarded().clear();
    delivered(&waiting);
    assert_eq!(
        (values(&cluster, 0), values(&cluster, 1)),
        (numbers(0..2), numbers(0..1))
    );
}
