//! Producers under load on three nodes, behind proxies, while nodes die and the network fails; then
//! what they were told is held against what the log holds.
//!
//! `tests/run chaos [SEED]`, `MILENA_CHAOS_SECONDS` for how long faults go on. A seed repeats the
//! plan of the faults and the records, not the timing of threads and processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::kafka::{Cluster, Isolation, Listener, Version};

use checker::{Evidence, Limits, Log, check};
use history::History;
use nemesis::Nemesis;
use proxy::Proxy;
use stamp::TOPICS;
use workload::{DELIVERY_TIMEOUT, MAX_BLOCK, Workload};

mod checker;
pub(crate) mod dice;
mod history;
mod link;
mod mutations;
mod nemesis;
mod plan;
mod proxy;
mod stamp;
mod summary;
mod workload;

/// With no faults, before them.
const WARM_UP: Duration = Duration::from_secs(8);
/// After them: for clients to find back, and then for what is sent to be delivered.
const RECOVERY: Duration = Duration::from_secs(10);
const LIVENESS: Duration = Duration::from_secs(8);
/// What promise 3 allows beyond delivery.timeout.ms.
const GRACE: Duration = Duration::from_secs(1);
/// For a machine that was seen to stand still.
const ALLOWANCE: Duration = Duration::from_secs(1);

#[test]
#[ignore = "takes minutes and needs Java: run tests/run chaos"]
fn what_clients_are_told_is_true_while_nodes_die_and_the_network_fails() {
    let seed = number_of("MILENA_CHAOS_SEED").unwrap_or_else(|| {
        let time = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
        u64::from(time.subsec_nanos()) % 1_000_000
    });
    let seconds = number_of("MILENA_CHAOS_SECONDS").unwrap_or(240);
    println!("seed {seed}, {seconds} s of faults; again with: tests/run chaos {seed}");

    let proxies: Vec<_> = (1..=3)
        .map(|node| Proxy::start(seed ^ node << 32))
        .collect();
    let cluster = start(&proxies);
    let start = Instant::now();
    let history = Arc::new(History::new(start));
    let workload = Workload::new(&cluster.bootstrap(Listener::Plaintext), history.clone());
    let mut nemesis = Nemesis::new(&cluster, &proxies, &workload, start, seed);
    let watch = Watch::start();
    let (mut calm, mut reports) = ([Duration::ZERO; 2], Vec::new());
    thread::scope(|scope| {
        workload.start(scope, seed);
        let _stop = StopOnDrop(&workload);
        thread::sleep(WARM_UP);
        calm[0] = history.now();
        nemesis.run(seed, Duration::from_secs(seconds));
        thread::sleep(RECOVERY);
        calm[1] = history.now();
        thread::sleep(LIVENESS);
    });
    reports.extend(workload.close());
    let lag = watch.longest_lag();

    let allowance = if lag > ALLOWANCE / 4 {
        ALLOWANCE
    } else {
        Duration::ZERO
    };
    let evidence = Evidence {
        operations: history.take(),
        logs: TOPICS.iter().map(|topic| read(&cluster, topic)).collect(),
        limits: Limits {
            result: DELIVERY_TIMEOUT + GRACE + allowance,
            call: MAX_BLOCK + GRACE + allowance,
            calm,
        },
    };
    let verdict = check(&evidence);
    summary::print(&evidence, &verdict, &nemesis, &proxies, lag);
    summary::assert_reports(&reports, &verdict.counts);
    println!("again with: MILENA_CHAOS_SECONDS={seconds} tests/run chaos {seed}");
    assert!(
        verdict.faults.is_empty(),
        "see the faults above; seed {seed}"
    );
}

fn start(proxies: &[Proxy]) -> Cluster {
    let addresses: Vec<_> = proxies.iter().map(Proxy::address).collect();
    let cluster = Cluster::of(Version::V4_3_1)
        .nodes(3)
        .advertise(Listener::Plaintext, &addresses)
        .property("num.io.threads", "2")
        .property("num.replica.fetchers", "1")
        .property("background.threads", "2")
        // Brokers forget the sequences of a producer that is silent.
        .property("producer.id.expiration.ms", "20000")
        .property("producer.id.expiration.check.interval.ms", "2000")
        .property("connections.max.idle.ms", "8000")
        .start();
    for (node, proxy) in (1..).zip(proxies) {
        proxy.forward_to(&cluster.address(node, Listener::Plaintext));
    }
    for topic in &TOPICS {
        cluster.create_topic(topic.name, topic.partitions, 3, &[]);
    }
    cluster
}

fn read(cluster: &Cluster, topic: &stamp::Topic) -> Log {
    Log {
        records: cluster.read(topic.name, Isolation::Uncommitted),
        batches: cluster.dump_batches(topic.name, topic.partitions),
    }
}

fn number_of(variable: &str) -> Option<u64> {
    let text = std::env::var(variable)
        .ok()
        .filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}, not a number")),
    )
}

/// Ends the load also when the nemesis panics.
struct StopOnDrop<'a>(&'a Workload);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A thread that only sleeps: how late it wakes up is how late any thread may be.
struct Watch {
    is_over: Arc<AtomicBool>,
    longest_lag_us: Arc<AtomicU64>,
}

impl Watch {
    fn start() -> Self {
        let (is_over, longest_lag_us) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (stop, longest) = (is_over.clone(), longest_lag_us.clone());
        thread::spawn(move || {
            let pause = Duration::from_millis(50);
            while !stop.load(Ordering::SeqCst) {
                let start = Instant::now();
                thread::sleep(pause);
                let lag = start.elapsed().saturating_sub(pause).as_micros();
                longest.fetch_max(u64::try_from(lag).unwrap_or(u64::MAX), Ordering::SeqCst);
            }
        });
        Self {
            is_over,
            longest_lag_us,
        }
    }

    fn longest_lag(self) -> Duration {
        self.is_over.store(true, Ordering::SeqCst);
        Duration::from_micros(self.longest_lag_us.load(Ordering::SeqCst))
    }
}
