//! The addresses that brokers advertise.

use std::time::Duration;

use milena::{CheckStage, Finding};

use super::{check, fails, good};
use crate::proxy::BlackHole;
use crate::support::{cluster, config_for, producer};

#[test]
fn advertised_addresses_that_lead_nowhere_or_elsewhere_name_the_broker() {
    let stranger = cluster(1, 1);
    stranger.set_cluster_id("another");
    let (host, port) = ("127.0.0.1", |address: &str| -> i32 {
        address
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .expect("a port")
    });
    let hole = BlackHole::open();
    let hole_port = i32::from(hole.address.port());
    let elsewhere = port(&stranger.address(1));
    for (host, port, says) in [
        (
            host,
            1,
            &[
                "TCP: connection refused",
                "advertised.listeners of broker 2",
            ][..],
        ),
        (
            "no-such-host.invalid",
            9092,
            &["DNS: ", "advertised.listeners of broker 2"],
        ),
        (
            host,
            70_000,
            &["is no address", "advertised.listeners of broker 2"],
        ),
        (
            "",
            9092,
            &["is no address", "advertised.listeners of broker 2"],
        ),
        (
            host,
            hole_port,
            &["TCP: no answer within", "advertised.listeners of broker 2"],
        ),
        (
            host,
            elsewhere,
            &["leads to cluster another, not to mock-cluster", "broker 2"],
        ),
    ] {
        let cluster = good();
        cluster.advertise(2, host, port);
        let to = config_for(cluster.address(1)).idempotence(true);
        let report = producer(to).check(&["t"], Duration::from_secs(4));
        let finding = fails(&report, CheckStage::Listener, says);
        assert_eq!(finding.broker(), Some(&*format!("{host}:{port}")));
        assert_eq!(finding.broker_id(), Some(2));
    }
}

#[test]
fn an_advertised_address_that_leads_to_another_broker_of_the_cluster_is_found_out() {
    let cluster = good();
    // Of two brokers that were mixed up, each has an address of its own.
    let addresses = [1, 2, 3].map(|node| cluster.address(node));
    let port = |node: usize| -> i32 {
        let (_, port) = addresses[node - 1].split_once(':').expect("host:port");
        port.parse().expect("a number")
    };
    cluster.advertise(2, "127.0.0.1", port(3));
    cluster.advertise(3, "127.0.0.1", port(2));
    let report = check(config_for(cluster.address(1)).idempotence(true));
    assert_eq!(report.failures().count(), 2, "{report}");
    for (failure, id) in report.failures().zip([2, 3]) {
        assert_eq!(
            (failure.stage(), failure.broker_id()),
            (CheckStage::Listener, Some(id))
        );
        let said = failure.to_string();
        assert!(
            said.contains("leads to another broker: Unexpected broker id"),
            "{said}"
        );
        assert!(said.contains("a load balancer"), "{said}");
    }
    // And of two that have the same, one is wrong.
    cluster.advertise(3, "127.0.0.1", port(3));
    let report = check(config_for(cluster.address(1)).idempotence(true));
    let said: Vec<_> = report.failures().map(Finding::text).collect();
    assert_eq!(
        said,
        [
            "broker 3 advertises the same address",
            "broker 2 advertises the same address"
        ]
    );
}

#[test]
fn bootstrap_servers_of_two_clusters_are_a_mistake() {
    let (cluster, stranger) = (good(), cluster(1, 1));
    stranger.set_cluster_id("another");
    let servers = [cluster.address(1), stranger.address(1)].join(",");
    let report = check(config_for(servers).idempotence(true));
    let says = [
        "belongs to cluster another, others to mock-cluster",
        "of one cluster",
    ];
    let finding = fails(&report, CheckStage::Metadata, &says);
    assert_eq!(finding.broker(), Some(&*stranger.address(1)));
}
