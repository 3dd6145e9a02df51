//! Makes the faults of the plan happen, says so with times, and takes them back.

use std::thread;
use std::time::{Duration, Instant};

use crate::kafka::{Cluster, until};

use super::dice::Dice;
use super::plan::{Fault, Step, plan};
use super::proxy::{Proxy, Trouble};
use super::stamp::TOPICS;
use super::workload::Workload;

/// More than the brokers' `producer.id.expiration.ms`.
const REST: Duration = Duration::from_secs(26);
const TICK: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(120);
const LEADERS_MOVE_EACH: Duration = Duration::from_millis(300);

pub(super) struct Nemesis<'a> {
    cluster: &'a Cluster,
    /// In order of the nodes.
    proxies: &'a [Proxy],
    workload: &'a Workload,
    dice: Dice,
    start: Instant,
    /// What was done, with times.
    pub(super) timeline: Vec<String>,
    pub(super) faults: usize,
    /// How often a leader moved.
    pub(super) moves: usize,
}

impl<'a> Nemesis<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        proxies: &'a [Proxy],
        workload: &'a Workload,
        start: Instant,
        seed: u64,
    ) -> Self {
        Self {
            cluster,
            proxies,
            workload,
            dice: Dice::new(!seed),
            start,
            timeline: Vec::new(),
            faults: 0,
            moves: 0,
        }
    }

    /// Faults until `time` has passed; all are over and all nodes in sync when this returns.
    pub(super) fn run(&mut self, seed: u64, time: Duration) {
        let over = Instant::now() + time;
        let mut steps = plan(seed);
        while let Some(step) = steps.next().filter(|_| Instant::now() < over) {
            self.step(&step);
        }
        self.await_sync();
        self.say("all faults are over, all nodes in sync");
    }

    fn step(&mut self, step: &Step) {
        self.await_sync();
        self.spread_leaders();
        self.faults += step.faults.len();
        let begun: Vec<_> = step.faults.iter().map(|fault| self.begin(*fault)).collect();
        self.tick_for(&step.faults, step.lasts);
        // What was begun on top of a fault of a node ends before the node comes back.
        for fault in begun.into_iter().rev() {
            self.end(fault);
            self.say(&format!("over: {fault:?}"));
        }
        thread::sleep(step.then_quiet);
    }

    /// Gives the fault with the node that it met.
    fn begin(&mut self, fault: Fault) -> Fault {
        let leader = || self.cluster.leader_of("order", 0);
        let fault = match fault {
            Fault::Kill(None) => Fault::Kill(leader()),
            Fault::Pause(None) => Fault::Pause(leader()),
            fault => fault,
        };
        self.say(&format!("{fault:?}"));
        match fault {
            Fault::Kill(node) => self.cluster.kill(node.expect("order has a leader")),
            Fault::Pause(node) => self.cluster.pause(node.expect("order has a leader")),
            Fault::Stop(node) => self.cluster.terminate(node),
            Fault::Starve(node) => {
                self.need_in_sync("3");
                self.cluster.terminate(node);
            }
            Fault::SmallBatches => self
                .cluster
                .alter_topic("idem", &[("max.message.bytes", "2048")]),
            Fault::Rest => self.workload.rest(REST),
            Fault::Net(trouble, node) => self.proxies_of(node).for_each(|it| it.begin(trouble)),
            Fault::Moves => {}
        }
        fault
    }

    fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(node) => self.cluster.restart(node.expect("order has a leader")),
            Fault::Pause(node) => self.cluster.resume(node.expect("order has a leader")),
            Fault::Stop(node) => self.cluster.restart(node),
            Fault::Starve(node) => {
                self.cluster.restart(node);
                self.need_in_sync("2");
            }
            Fault::SmallBatches => self
                .cluster
                .alter_topic("idem", &[("max.message.bytes", "1048588")]),
            Fault::Net(trouble, node) => self.proxies_of(node).for_each(|it| it.end(trouble)),
            Fault::Moves | Fault::Rest => {}
        }
    }

    /// Does what faults do again and again.
    fn tick_for(&mut self, faults: &[Fault], time: Duration) {
        let over = Instant::now() + time;
        let (mut next_reset, mut next_move) = (Instant::now(), Instant::now());
        while Instant::now() < over {
            for fault in faults {
                match fault {
                    Fault::Net(Trouble::Resets, node) if next_reset <= Instant::now() => {
                        self.proxies_of(*node).for_each(Proxy::reset);
                        next_reset = Instant::now() + self.dice.between(500, 1500);
                    }
                    Fault::Moves if next_move <= Instant::now() => {
                        self.move_a_leader();
                        next_move = Instant::now() + LEADERS_MOVE_EACH;
                    }
                    _ => {}
                }
            }
            thread::sleep(TICK.min(over.saturating_duration_since(Instant::now())));
        }
    }

    fn move_a_leader(&mut self) {
        let topic = &TOPICS[self.dice.below(2)];
        let partition = self
            .dice
            .below(usize::try_from(topic.partitions).expect("few"));
        let partition = i32::try_from(partition).expect("few partitions");
        let leader = self.cluster.leader_of(topic.name, partition);
        self.cluster
            .move_leader(topic.name, partition, leader.unwrap_or(0) % 3 + 1);
        self.moves += 1;
    }

    /// A node that came back leads nothing: what happens to it would harm nobody.
    fn spread_leaders(&self) {
        for (index, topic) in (0..).zip(&TOPICS) {
            for partition in 0..topic.partitions {
                let wanted = (index + partition) % 3 + 1;
                if self.cluster.leader_of(topic.name, partition) != Some(wanted) {
                    self.cluster.move_leader(topic.name, partition, wanted);
                }
            }
        }
    }

    fn need_in_sync(&self, nodes: &str) {
        for topic in &TOPICS {
            self.cluster
                .alter_topic(topic.name, &[("min.insync.replicas", nodes)]);
        }
    }

    fn await_sync(&self) {
        for topic in &TOPICS {
            for partition in 0..topic.partitions {
                until("all nodes are in sync", LIMIT, || {
                    (self.cluster.in_sync(topic.name, partition) == [1, 2, 3]).then_some(())
                });
            }
        }
    }

    fn proxies_of(&self, node: Option<i32>) -> impl Iterator<Item = &'a Proxy> + use<'a> {
        let all = (1..).zip(self.proxies);
        all.filter(move |(id, _)| node.is_none_or(|node| node == *id))
            .map(|(_, proxy)| proxy)
    }

    fn say(&mut self, what: &str) {
        let line = format!("{:7.1} s  {what}", self.start.elapsed().as_secs_f64());
        println!("{line}");
        self.timeline.push(line);
    }
}
