//! The simulated cluster: who leads what, what the logs hold, and what metadata says of it.

use std::collections::VecDeque;
use std::time::Duration;

use super::log::{Entry, Log};
use super::payload::TOPIC;
use super::plan::Plan;
use super::rng::Rng;
use crate::wire::codes::Code;
use crate::wire::metadata::{MetadataBroker, MetadataPartition, MetadataResponse, MetadataTopic};

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) partitions: Vec<Partition>,
    /// Leaders and epochs as they were, newest last, for brokers that are behind.
    past: VecDeque<(Duration, Vec<(i32, i32)>)>,
    has_topic_id: bool,
    has_epochs: bool,
}

#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) is_down: bool,
    /// It does nothing until then, but its sockets are open.
    pub(super) paused_until: Duration,
}

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) leader: Option<i32>,
    pub(super) epoch: i32,
    pub(super) log: Log,
}

impl Cluster {
    pub(super) fn new(plan: &Plan, rng: &mut Rng) -> Self {
        let partition = |_| Partition {
            leader: Some(rng.below(plan.brokers as usize) as i32),
            epoch: 3,
            log: Log::default(),
        };
        let mut cluster = Self {
            partitions: (0..plan.partitions).map(partition).collect(),
            nodes: (0..plan.brokers).map(|_| Node::default()).collect(),
            past: VecDeque::new(),
            has_topic_id: plan.has_topic_id,
            has_epochs: plan.has_epochs,
        };
        cluster.note(Duration::ZERO);
        cluster
    }

    pub(super) fn leads(&self, node: i32, partition: i32) -> bool {
        self.partitions[partition as usize].leader == Some(node)
    }

    /// Makes `leader` lead, with up to `missing` batches of those that not all replicas have
    /// missing from its log.
    pub(super) fn elect(
        &mut self,
        partition: i32,
        leader: Option<i32>,
        missing: usize,
        now: Duration,
    ) -> Vec<Entry> {
        let partition = &mut self.partitions[partition as usize];
        partition.leader = leader;
        partition.epoch += 1;
        let missing = missing.min(partition.log.uncommitted());
        let gone = match leader {
            Some(_) => partition.log.truncate(missing),
            None => Vec::new(),
        };
        self.note(now);
        gone
    }

    fn note(&mut self, now: Duration) {
        let leaders = self.partitions.iter();
        let leaders = leaders.map(|p| (p.leader.unwrap_or(-1), p.epoch)).collect();
        self.past.push_back((now, leaders));
        if self.past.len() > 50 {
            self.past.pop_front();
        }
    }

    /// What a broker says that is `behind` by so much.
    pub(super) fn metadata(&self, now: Duration, behind: Duration) -> MetadataResponse {
        let then = now.saturating_sub(behind);
        let known = self
            .past
            .iter()
            .rev()
            .find(|(at, _)| *at <= then)
            .or(self.past.front());
        let leaders = known.map(|(_, leaders)| &leaders[..]).unwrap_or_default();
        let partitions =
            leaders
                .iter()
                .enumerate()
                .map(|(index, (leader, epoch))| MetadataPartition {
                    error: if *leader < 0 {
                        Code::LEADER_NOT_AVAILABLE
                    } else {
                        Code::NONE
                    },
                    index: index as i32,
                    leader_id: *leader,
                    leader_epoch: if self.has_epochs { *epoch } else { -1 },
                    ..MetadataPartition::default()
                });
        let topic = MetadataTopic {
            name: Some(TOPIC.into()),
            id: if self.has_topic_id { [7; 16] } else { [0; 16] },
            partitions: partitions.collect(),
            ..MetadataTopic::default()
        };
        let broker = |node: usize| MetadataBroker {
            node_id: node as i32,
            host: format!("broker-{node}"),
            port: 9092,
            ..MetadataBroker::default()
        };
        MetadataResponse {
            brokers: (0..self.nodes.len()).map(broker).collect(),
            topics: vec![topic],
            ..MetadataResponse::default()
        }
    }

    /// A node that runs, other than `not` where there is a choice.
    pub(super) fn running(&self, not: Option<i32>, rng: &mut Rng) -> Option<i32> {
        let running = (0..self.nodes.len()).filter(|node| !self.nodes[*node].is_down);
        let running: Vec<i32> = running.map(|node| node as i32).collect();
        let others: Vec<i32> = running
            .iter()
            .copied()
            .filter(|node| Some(*node) != not)
            .collect();
        match (others.is_empty(), running.is_empty()) {
            (false, _) => Some(rng.pick(&others)),
            (true, false) => Some(running[0]),
            (true, true) => None,
        }
    }
}
