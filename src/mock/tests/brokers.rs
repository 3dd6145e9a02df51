//! Brokers that stop, freeze, fall silent; leaders that move; how a cluster ends.

use super::*;
use crate::wire::api_versions::ApiVersionsRequest;
use crate::wire::produce::LeaderAndEpoch;

#[test]
fn a_broker_that_was_stopped_comes_back_on_its_port() {
    let cluster = cluster_of(2);
    let address = cluster.address(1);
    let mut client = Client::connect(&cluster, 1);
    client.produce("t", 0, &plain_batch(&["before"]));
    cluster.stop_broker(1);
    assert!(client.is_hung_up());
    let refused = TcpStream::connect(&address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let mut other = Client::connect(&cluster, 2);
    let metadata = ask(&mut other, "t");
    assert_eq!(metadata.brokers.len(), 1);
    let partition = &metadata.topics[0].partitions[0];
    assert_eq!(
        (partition.error, partition.leader_id),
        (Code::LEADER_NOT_AVAILABLE, -1)
    );
    assert_eq!(
        (&partition.offline[..], &partition.isr[..]),
        (&[1][..], &[2][..])
    );

    cluster.start_broker(1);
    assert_eq!(cluster.address(1), address);
    let mut client = Client::connect(&cluster, 1);
    assert_eq!(
        client.produce("t", 0, &plain_batch(&["after"])).base_offset,
        1
    );
    assert_eq!(cluster.leader_epoch("t", 0), 1);
}

#[test]
fn a_broker_stops_and_starts_many_times() {
    let cluster = cluster_of(1);
    for _ in 0..10 {
        cluster.stop_broker(1);
        cluster.stop_broker(1);
        cluster.start_broker(1);
        cluster.start_broker(1);
        Client::connect(&cluster, 1).produce("t", 0, &plain_batch(&["v"]));
    }
    assert_eq!(cluster.end_offset("t", 0), 10);
}

#[test]
fn the_old_leader_tells_who_leads() {
    let cluster = cluster_of(3);
    let mut client = Client::connect(&cluster, 1);
    cluster.move_leader("t", 0, 3);
    let request = produce_request(-1, "t", 0, &plain_batch(&["v"]));
    let silent = client.call(&request, 9);
    assert!(silent.node_endpoints.is_empty());
    let refused = client.call(&request, 10);
    let [endpoint] = &refused.node_endpoints[..] else {
        panic!("{refused:?}")
    };
    assert_eq!(
        format!("{}:{}", endpoint.host, endpoint.port),
        cluster.address(3)
    );
    let partition = only_partition(refused);
    assert_eq!(partition.error, Code::NOT_LEADER_OR_FOLLOWER);
    let expected = LeaderAndEpoch {
        leader_id: 3,
        leader_epoch: 1,
    };
    assert_eq!(partition.current_leader, Some(expected));
    let leader = ask_topic(&mut client, "t").partitions.swap_remove(0);
    assert_eq!((leader.leader_id, leader.leader_epoch), (3, 1));
    assert!(
        Client::connect(&cluster, 3)
            .produce("t", 0, &plain_batch(&["v"]))
            .error
            .is_ok()
    );
}

#[test]
fn frozen_metadata_shows_the_past() {
    let cluster = cluster_of(2);
    let mut client = Client::connect(&cluster, 2);
    cluster.freeze_metadata();
    cluster.move_leader("t", 0, 2);
    cluster.create_topic("later", 1);
    assert_eq!(ask_topic(&mut client, "t").partitions[0].leader_id, 1);
    assert_eq!(
        ask_topic(&mut client, "later").error,
        Code::UNKNOWN_TOPIC_OR_PARTITION
    );
    cluster.release_metadata();
    assert_eq!(ask_topic(&mut client, "t").partitions[0].leader_id, 2);
    assert_eq!(ask_topic(&mut client, "later").error, Code::NONE);
}

#[test]
fn a_frozen_broker_accepts_connections_and_reads_nothing() {
    let cluster = cluster_of(1);
    let mut before = Client::connect(&cluster, 1);
    before.produce("t", 0, &plain_batch(&["a"]));
    cluster.freeze_broker(1);
    let mut during = Client::connect(&cluster, 1);
    before.send(&produce_request(-1, "t", 0, &plain_batch(&["b"])), 9);
    during.send(&ApiVersionsRequest::default(), 0);
    // More than the buffers of the system take: the writer is held up.
    during
        .socket
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut request = vec![0; 64 << 20];
    let len = i32::try_from(request.len() - 4).unwrap();
    request[..4].copy_from_slice(&len.to_be_bytes());
    assert!(during.socket.write_all(&request).is_err());
    assert_eq!(cluster.requests().len(), 1);
    cluster.thaw_broker(1);
    assert!(before.frame().is_some());
    assert!(during.frame().is_some());
    assert_eq!(values(&cluster, "t", 0), ["a", "b"]);
}

#[test]
fn a_mute_broker_reads_everything_and_answers_nothing() {
    let cluster = cluster_of(1);
    cluster.mute_broker(1);
    let mut client = Client::connect(&cluster, 1);
    client.send(&ApiVersionsRequest::default(), 0);
    client.send(&produce_request(-1, "t", 0, &plain_batch(&["a"])), 9);
    cluster.wait_for_requests(LIMIT, |requests| requests.len() == 2);
    cluster.thaw_broker(1);
    let mut other = Client::connect(&cluster, 1);
    other.produce("t", 0, &plain_batch(&["b"]));
    assert!(client.is_silent());
    assert_eq!(values(&cluster, "t", 0), ["b"]);
}

#[test]
fn connections_are_listed_and_closed() {
    let cluster = cluster_of(2);
    let mut one = Client::connect(&cluster, 1);
    one.call(&ApiVersionsRequest::default(), 0);
    let mut two = Client::connect(&cluster, 2);
    two.call(&ApiVersionsRequest::default(), 0);
    cluster.disconnect(1);
    assert!(one.is_hung_up());
    let expected = |id, node, is_open| MockConnection {
        id,
        node,
        requests: 1,
        is_open,
    };
    assert_eq!(
        cluster.connections(),
        [expected(0, 1, false), expected(1, 2, true)]
    );
    two.call(&ApiVersionsRequest::default(), 0);
    drop(two);
    let all_closed = |cluster: &MockCluster| cluster.connections().iter().all(|one| !one.is_open);
    assert!(cluster.wait_for(LIMIT, all_closed));
}

#[test]
fn dropping_the_cluster_ends_whatever_waits() {
    let cluster = cluster_of(3);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    cluster
        .on(Api::Metadata)
        .delay(Duration::from_secs(3600))
        .answer();
    let bytes = plain_batch(&["v"]);
    let mut held = Client::connect(&cluster, 1);
    held.send(&produce_request(-1, "t", 0, &bytes), 9);
    let mut delayed = Client::connect(&cluster, 2);
    delayed.send(&MetadataRequest::default(), 9);
    cluster.freeze_broker(3);
    let mut frozen = Client::connect(&cluster, 3);
    frozen.send(&ApiVersionsRequest::default(), 0);
    cluster.wait_for_requests(LIMIT, |requests| requests.len() == 2);
    let addresses = [1, 2, 3].map(|node| cluster.address(node));
    drop(cluster);
    for mut client in [held, delayed, frozen] {
        assert!(client.is_hung_up());
    }
    for address in addresses {
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
#[should_panic(expected = "the cluster has no partition t-9")]
fn a_partition_that_is_not_there_is_a_mistake_of_the_test() {
    cluster_of(1).move_leader("t", 9, 1);
}

#[test]
fn a_slow_broker_reads_a_request_bit_by_bit_until_it_is_thawed() {
    let cluster = cluster_of(1);
    let mut client = Client::connect(&cluster, 1);
    let bytes = 10;
    let pause = Duration::from_millis(2);
    cluster.slow_broker(1, bytes, pause);
    let value = "v".repeat(1000);
    let start = crate::time::now();
    assert!(
        client
            .produce("t", 0, &plain_batch(&[&value]))
            .error
            .is_ok()
    );
    let pauses = u32::try_from(value.len() / bytes).unwrap();
    assert!(start.elapsed() >= pause * pauses);
    // This one would take minutes.
    cluster.slow_broker(1, 1, Duration::from_secs(1));
    let request = produce_request(1, "t", 0, &plain_batch(&[&value]));
    client.send(&request, 9);
    cluster.thaw_broker(1);
    assert!(client.frame().is_some());
}
