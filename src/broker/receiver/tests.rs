use super::*;
use crate::accumulator::state::Route;
use crate::accumulator::tests::bench::known_topic;
use crate::broker::tests::{core, known_broker};
use crate::config::Config;
use crate::wire::codes::Code;
use crate::wire::produce::{LeaderAndEpoch, NodeEndpoint};

/// A receiver of broker 1, which leads the partition with epoch 5; broker 2 is known.
fn bench() -> (Receiver, Arc<Partition>, Arc<Core>) {
    let core = core(Config::new("localhost:9092"));
    let (broker, _other) = (known_broker(&core, 1), known_broker(&core, 2));
    let view = known_topic(&core.accumulator, 1);
    let partition = view.partitions[0].clone();
    partition.reroute(Some(Route {
        queue: broker.queue.clone(),
        leader_epoch: 5,
        topic_id: [7; 16],
    }));
    let line = Arc::new(Line {
        window: Window::new(5),
        state: Mutex::default(),
    });
    let receiver = Receiver::new(core.clone(), broker, line);
    (receiver, partition, core)
}

fn endpoint(node_id: i32, host: &str, port: i32) -> NodeEndpoint {
    NodeEndpoint {
        node_id,
        host: host.into(),
        port,
        rack: None,
    }
}

/// A refusal that names a leader, in an answer with these endpoints.
fn follow(
    receiver: &Receiver,
    partition: &Arc<Partition>,
    (leader_id, leader_epoch): (i32, i32),
    endpoints: Vec<NodeEndpoint>,
) {
    let refusal = ProducePartitionResponse {
        error: Code::NOT_LEADER_OR_FOLLOWER,
        current_leader: Some(LeaderAndEpoch {
            leader_id,
            leader_epoch,
        }),
        ..ProducePartitionResponse::default()
    };
    let response = ProduceResponse {
        node_endpoints: endpoints,
        ..ProduceResponse::default()
    };
    receiver.follow(partition, &refusal, &response);
}

#[test]
fn a_hint_is_followed_if_it_is_news_and_says_where() {
    let there = || vec![endpoint(2, "kafka-2", 9092)];
    for (what, leader, endpoints, followed) in [
        ("a newer leader", (2, 6), there(), Some(2)),
        (
            "an unknown one",
            (9, 6),
            vec![endpoint(9, "new", 1)],
            Some(9),
        ),
        ("the same epoch", (2, 5), there(), None),
        ("an older epoch", (2, 4), there(), None),
        ("no epoch", (2, -1), there(), None),
        ("nobody", (-1, -1), there(), None),
        (
            "nobody, newer",
            (-1, 6),
            vec![endpoint(-1, "kafka-9", 9092)],
            None,
        ),
        ("itself", (1, 6), vec![endpoint(1, "elsewhere", 9092)], None),
        ("nowhere", (9, 6), there(), None),
        ("port 0", (2, 6), vec![endpoint(2, "kafka-2", 0)], None),
        (
            "port 70000",
            (2, 6),
            vec![endpoint(2, "kafka-2", 70_000)],
            None,
        ),
        ("port -1", (2, 6), vec![endpoint(2, "kafka-2", -1)], None),
    ] {
        let (receiver, partition, core) = bench();
        follow(&receiver, &partition, leader, endpoints);
        assert_eq!(partition.leader(), Some(followed.unwrap_or(1)), "{what}");
        let known = core.brokers.all();
        assert_eq!(known.len(), 2 + usize::from(followed == Some(9)), "{what}");
        let first = known.iter().find(|broker| broker.id() == 1);
        let address = first.expect("broker 1").address();
        assert_eq!(address.host, "kafka-1", "{what}");
        core.brokers.close();
    }
}

/// Whoever is named and leads nothing costs no thread.
#[test]
fn of_ten_thousand_endpoints_only_the_leader_is_kept() {
    let (receiver, partition, core) = bench();
    let all = (0..10_000).map(|id| endpoint(id, "somewhere", 9092));
    follow(&receiver, &partition, (9_999, 6), all.collect());
    assert_eq!(partition.leader(), Some(9_999));
    assert_eq!(core.brokers.all().len(), 3);
    core.brokers.close();
}

/// A hint that comes just when its broker is parted with.
#[test]
fn a_hint_to_a_broker_that_is_leaving_ends_in_a_look_at_the_cluster() {
    let (receiver, partition, core) = bench();
    let leaving = core.brokers.all().into_iter().find(|one| one.id() == 2);
    // Its inbox is closed, and it is still on the list.
    leaving.expect("broker 2").queue.close();
    follow(
        &receiver,
        &partition,
        (2, 6),
        vec![endpoint(2, "kafka-2", 9092)],
    );
    assert_eq!(partition.leader(), None);
    assert_eq!(
        core.wishes.next(Some(time::now())),
        crate::cluster::Due::Refresh
    );
}
