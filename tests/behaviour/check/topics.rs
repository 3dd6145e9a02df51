//! Topics, permissions, sizes and durability.

use milena::mock::{Api, MockCluster};
use milena::{Acks, CheckReport, CheckStage, Verdict};

use super::{check, fails, good, safe, warns};
use crate::support::config;

/// Each row spoils a good cluster in one way, which the check has to find, and nothing else.
#[test]
fn what_is_wrong_with_a_topic_is_said_with_the_stage_and_what_to_do() {
    type Spoil = fn(&MockCluster);
    let failures: &[(Spoil, CheckStage, &[&str])] = &[
        (
            |on| on.delete_topic("t"),
            CheckStage::Topic,
            &["does not exist", "create it"],
        ),
        (
            |on| drop(on.on(Api::Metadata).topic("t").always().error(29)),
            CheckStage::Topic,
            &[
                "TOPIC_AUTHORIZATION_FAILED (29): not even Describe is granted; the principal is",
                "grant the principal Write on topic t",
            ],
        ),
        (
            |on| drop(on.on(Api::Metadata).topic("t").always().no_partitions()),
            CheckStage::Topic,
            &["no partitions"],
        ),
        (
            |on| drop(on.on(Api::Metadata).partition("t", 1).always().error(5)),
            CheckStage::Topic,
            &[
                "no leader of partition 1",
                "start the brokers that have replicas of it: 1, 2, 3",
            ],
        ),
        (
            |on| on.deny_write("t", true),
            CheckStage::Permission,
            &[
                "Write is not granted; the principal is User:ANONYMOUS",
                "grant the principal Write on topic t",
            ],
        ),
        (
            |on| {
                on.versions(Api::Metadata, 4..=8);
                on.deny_idempotent_write(true);
            },
            CheckStage::Permission,
            &[
                "IdempotentWrite on the cluster is not granted",
                "enable.idempotence",
            ],
        ),
        (
            |on| on.set_isr("t", 2, &[3]),
            CheckStage::Durability,
            &[
                "min.insync.replicas=2 in partition 2",
                "NOT_ENOUGH_REPLICAS",
            ],
        ),
    ];
    for (spoil, stage, says) in failures {
        let cluster = good();
        spoil(&cluster);
        fails(&check(safe(&cluster)), *stage, says);
    }
    let warnings: &[(Spoil, CheckStage, &[&str])] = &[
        (
            |on| on.set_max_message_bytes("t", 1000),
            CheckStage::Size,
            &[
                "batch.size is 65536",
                "batches of 1000 bytes",
                "set batch.size to 1000 or less",
            ],
        ),
        (
            |on| on.set_max_message_bytes("t", 100_000),
            CheckStage::Size,
            &["max.request.size is 1048576", "batches of 100000 bytes"],
        ),
        (
            |on| on.set_min_isr("t", 1),
            CheckStage::Durability,
            &[
                "acks=all with min.insync.replicas=1",
                "set min.insync.replicas=2",
            ],
        ),
        (
            |on| on.set_isr("t", 0, &[1, 2]),
            CheckStage::Durability,
            &["not all replicas are in sync in partition 0"],
        ),
    ];
    for (spoil, stage, says) in warnings {
        let cluster = good();
        spoil(&cluster);
        warns(&check(safe(&cluster)), *stage, says);
    }
}

#[test]
fn acks_that_promise_little_are_warned_of() {
    let cluster = good();
    let report = check(config(&cluster).acks(Acks::None));
    warns(&report, CheckStage::Durability, &["acks=0: nobody tells"]);
    let report = check(config(&cluster).acks(Acks::Leader));
    warns(
        &report,
        CheckStage::Durability,
        &["acks=1: ", "set acks=all"],
    );
    let alone = crate::support::cluster(1, 1);
    let report = check(safe(&alone));
    warns(
        &report,
        CheckStage::Durability,
        &["one replica", "replication factor of 3"],
    );
}

#[test]
fn what_may_not_be_seen_is_skipped_and_not_failed() {
    let cluster = good();
    let skipped = |report: &CheckReport| {
        assert!(report.is_ok() && report.warnings().count() == 0, "{report}");
        let all = report.findings().iter();
        let skipped = all.filter(|one| one.verdict() == Verdict::Skipped);
        let told: Vec<_> = skipped
            .map(|one| (one.stage(), one.text().to_owned()))
            .collect();
        told
    };
    cluster.deny_describe_configs("t", true);
    let told = skipped(&check(safe(&cluster)));
    let stages: Vec<_> = told.iter().map(|(stage, _)| *stage).collect();
    assert_eq!(
        stages,
        [CheckStage::Size, CheckStage::Durability],
        "{told:?}"
    );
    assert!(
        told.iter().all(|(_, text)| text.contains("not permitted")),
        "{told:?}"
    );
    cluster.deny_describe_configs("t", false);

    // An old broker: no settings, no permissions.
    cluster.remove_api(Api::DescribeConfigs);
    cluster.versions(Api::Metadata, 4..=5);
    let told = skipped(&check(safe(&cluster)));
    let stages: Vec<_> = told.iter().map(|(stage, _)| *stage).collect();
    let (permission, size) = (CheckStage::Permission, CheckStage::Size);
    assert_eq!(
        stages,
        [permission, permission, size, CheckStage::Durability],
        "{told:?}"
    );
    assert!(told[2].1.contains("too old"), "{told:?}");
}
