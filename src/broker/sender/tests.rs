use super::*;
use crate::broker::tests::{core, known_broker, reset};
use crate::config::{Address, Config};
use crate::mock::MockCluster;

const LONG: Duration = Duration::from_secs(60);

/// A sender of a broker of the cluster, with so many failures behind it.
fn sender(cluster: &MockCluster, config: Config, failures: u32) -> Sender {
    let core = core(config);
    let broker = known_broker(&core, 1);
    let address = cluster.address(1);
    let (host, port) = address.split_once(':').expect("host and port");
    *broker.address.lock() = Address {
        host: host.into(),
        port: port.parse().expect("a number"),
    };
    let mut sender = Sender::new(core, broker);
    sender.failures = failures;
    assert!(sender.connect());
    sender
}

fn config(acks: Acks, longest_rest: Duration) -> Config {
    Config::new("localhost:9092")
        .acks(acks)
        .reconnect_backoff(Duration::from_millis(1))
        .reconnect_backoff_max(longest_rest)
}

#[test]
fn a_connection_that_was_of_use_ends_the_row_of_failures() {
    let cluster = MockCluster::start(1);
    let short = Duration::from_millis(1);
    for (acks, longest_rest, is_answered, failures) in [
        (Acks::Leader, short, true, 0),
        // It was opened and no more.
        (Acks::Leader, short, false, 8),
        // Nobody answers: it has to last longer than any rest.
        (Acks::None, short, false, 0),
    ] {
        let mut sender = sender(&cluster, config(acks, longest_rest), 7);
        let link = sender.link.as_ref().expect("connected");
        link.line.state.lock().is_proven = is_answered;
        std::thread::sleep(2 * short);
        sender.broken(reset());
        assert_eq!(sender.failures, failures, "{acks:?}, {is_answered}");
    }
}

#[test]
fn a_connection_that_dies_early_without_answers_is_one_more_failure() {
    let cluster = MockCluster::start(1);
    let mut sender = sender(&cluster, config(Acks::None, LONG), 1);
    // The pause would be long.
    sender.broker.queue.close();
    sender.broken(reset());
    assert_eq!(sender.failures, 2);
}

#[test]
fn a_connection_that_is_closed_in_peace_ends_the_row_if_it_was_of_use() {
    let cluster = MockCluster::start(1);
    for (is_answered, failures) in [(true, 0), (false, 7)] {
        let mut sender = sender(&cluster, config(Acks::Leader, LONG), 7);
        let link = sender.link.as_ref().expect("connected");
        link.line.state.lock().is_proven = is_answered;
        sender.retire();
        assert_eq!(sender.failures, failures);
    }
}
