//! The application, the passing of time, and what happens to the cluster as a whole.

use std::time::Duration;

use super::oracle::FORGOTTEN_AFTER;
use super::payload::{Parts, TOPIC};
use super::plan::Stateless;
use super::world::{Chaos, Event, RECOVERY, World};
use crate::accumulator::Wait;
use crate::config::Acks;
use crate::time;

/// A healthy partition with batches sends at least that often: what was begun before may take as
/// long.
const PATIENCE: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn send_some(&mut self) {
        if self.is_closed {
            return;
        }
        let count = self.rng.within(1, self.plan.burst_max);
        let partitions = self.plan.partitions as usize;
        let favourite = self.rng.below(partitions);
        for _ in 0..count {
            let partition = match self.rng.chance(0.5) {
                true => favourite,
                false => self.rng.below(partitions),
            };
            self.send(partition, false);
        }
    }

    /// Sends one record; false if there was no room, or no topic yet.
    fn send(&mut self, partition: usize, is_probe: bool) -> bool {
        let Some(topic) = self.core.accumulator.topic(TOPIC) else {
            self.core.wishes.want(TOPIC);
            return false;
        };
        if topic.traffic().mark_used() {
            self.core.wishes.refresh();
        }
        let view = topic.view();
        let Some(partition) = view.partitions.get(partition) else {
            // The metadata of a broker that knows of fewer partitions.
            self.core.wishes.want(TOPIC);
            return false;
        };
        let id = self.records.next_id();
        let parts = Parts::new(id);
        // A wait that is over at once: it does what waiting does, and cannot stop the run.
        let wait = match self.rng.chance(0.5) {
            true => Wait::AtMost(Duration::ZERO),
            false => Wait::No("the run cannot wait"),
        };
        let record = parts.record();
        self.core
            .accumulator
            .check_size(&record)
            .expect("every record fits");
        let appended = self
            .core
            .accumulator
            .append(partition, &record, parts.timestamp_ms(), wait);
        let Ok(Some((delivery, is_first))) = appended else {
            let may_resume = self.is_healthy || self.rng.chance(0.2);
            if may_resume && partition.unsettled().is_empty() && partition.resume() {
                self.records.resume(partition.index());
                self.trace(|_| format!("{partition} is resumed"));
            }
            return false;
        };
        self.trace(|_| format!("record {id} for {partition}, first: {is_first}"));
        let when = (self.now, is_probe);
        self.records
            .add(id, partition.index(), (delivery, is_first), when);
        if is_first && (view.available.len() < view.partitions.len() || partition.needs_view()) {
            self.core.wishes.refresh();
        }
        if is_first && self.expires_at.is_none() {
            self.expires_at = Some(self.now);
            self.after(Duration::ZERO, Event::Expire);
        }
        true
    }

    /// What the expiry thread does when its time has come.
    pub(super) fn expire(&mut self) {
        let (_losses, next) = self.core.accumulator.expire(time::now());
        self.expires_at = next.map(|next| self.since_start(next));
        if let Some(at) = self.expires_at {
            let pause = self.rng.ms(0, 20);
            self.at(at.max(self.now) + pause, Event::Expire);
        }
    }

    pub(super) fn press(&mut self, on: bool) {
        self.core.accumulator.budget().press(on);
        if on && !self.plan.linger.is_zero() {
            self.clients
                .iter()
                .for_each(|client| client.broker.queue.press());
        }
    }

    pub(super) fn chaos(&mut self, chaos: Chaos) {
        if self.is_healthy || self.is_closed {
            return;
        }
        let partition = self.rng.below(self.plan.partitions as usize) as i32;
        let node = self.rng.below(self.plan.brokers as usize);
        match chaos {
            Chaos::Cut => {
                if let Some(link) = self.clients[node].link {
                    self.dead(link, "cut");
                }
            }
            Chaos::Move => {
                let leader = self.cluster.partitions[partition as usize].leader;
                let to = self.cluster.running(leader, &mut self.rng);
                self.lead(partition, to);
            }
            Chaos::PingPong => {
                let leader = self.cluster.partitions[partition as usize].leader;
                for turn in 0..self.rng.within(2, 5) {
                    let to = match turn % 2 {
                        0 => self.cluster.running(leader, &mut self.rng),
                        _ => leader,
                    };
                    let pause = self.rng.ms(0, 60);
                    self.after(pause * turn as u32, Event::Lead(partition, to));
                }
            }
            Chaos::Leaderless => {
                self.lead(partition, None);
                let pause = self.rng.ms(10, 3000);
                self.after(pause, Event::Lead(partition, Some(node as i32)));
            }
            Chaos::Down => self.bring_down(node),
            Chaos::Pause => {
                let pause = self.rng.ms(10, 4000);
                let node = &mut self.cluster.nodes[node];
                node.paused_until = node.paused_until.max(self.now + pause);
            }
            Chaos::LoseState => self.lose_state(partition),
            Chaos::Press => {
                self.press(true);
                let pause = self.rng.ms(1, 300);
                self.after(pause, Event::Press(false));
            }
            Chaos::Flush => self.after(Duration::ZERO, Event::Flush),
        }
    }

    pub(super) fn lead(&mut self, partition: i32, leader: Option<i32>) {
        if self.is_healthy || self.is_closed {
            return;
        }
        let leader = leader.filter(|leader| !self.cluster.nodes[*leader as usize].is_down);
        let missing = match self.plan.acks == Acks::All && self.strikes(self.plan.faults.truncate) {
            true => self.rng.below(8),
            false => 0,
        };
        let gone = self.cluster.elect(partition, leader, missing, self.now);
        self.trace(|_| format!("partition {partition} is led by {leader:?}, less {gone:?}"));
        gone.iter()
            .for_each(|entry| self.records.vanished(&entry.batch));
    }

    fn bring_down(&mut self, node: usize) {
        self.trace(|_| format!("broker {node} goes down"));
        self.cluster.nodes[node].is_down = true;
        for link in 0..self.links.len() {
            if self.links[link].node == node {
                self.crash(link);
                let pause = self.rng.ms(0, 50);
                self.after(pause, Event::Dead(link, "the broker is down"));
            }
        }
        for partition in 0..self.plan.partitions {
            if self.cluster.leads(node as i32, partition) {
                self.lead(partition, None);
                let to = self.cluster.running(None, &mut self.rng);
                let pause = self.rng.ms(0, 500);
                self.after(pause, Event::Lead(partition, to));
            }
        }
        let pause = self.rng.ms(50, 4000);
        self.after(pause, Event::Restore(node));
    }

    pub(super) fn restore(&mut self, node: usize) {
        self.trace(|_| format!("broker {node} is back"));
        self.cluster.nodes[node].is_down = false;
        for partition in 0..self.plan.partitions {
            if self.cluster.partitions[partition as usize].leader.is_none() {
                self.lead(partition, Some(node as i32));
            }
        }
    }

    /// The broker forgets the producer: only where nothing is open, since no client can tell a
    /// batch that may be in the log from a new one then; and after a rest where the broker would
    /// take any batch for the first.
    fn lose_state(&mut self, partition: i32) {
        let is_carried = self.links.iter().any(|link| link.carries(partition));
        let has_batches = self.core.accumulator.topic(TOPIC).is_some_and(|topic| {
            let view = topic.view();
            let mut all = view.all();
            all.any(|ours| ours.index() == partition && ours.has_batches())
        });
        let is_strict = matches!(
            self.plan.stateless,
            Stateless::ZeroOnly | Stateless::Forgets
        );
        let takes_zero = self.plan.first_sequence.is_some();
        let has_rested = self.oracle.rests_for(partition, self.now) > FORGOTTEN_AFTER;
        if is_carried || has_batches || !has_rested && (takes_zero || !is_strict) {
            return;
        }
        self.trace(|_| format!("partition {partition} forgets its producers"));
        self.cluster.partitions[partition as usize].log.forget();
    }

    /// From here on all is well.
    pub(super) fn heal(&mut self) {
        self.trace(|_| "all is well from here on".into());
        for node in 0..self.cluster.nodes.len() {
            self.cluster.nodes[node].is_down = false;
            self.cluster.nodes[node].paused_until = Duration::ZERO;
            // What waited for the end of a pause goes on.
            for link in 0..self.links.len() {
                self.at(self.now, Event::Serve(link));
            }
        }
        for partition in 0..self.plan.partitions {
            if self.cluster.partitions[partition as usize].leader.is_none() {
                let to = self.cluster.running(None, &mut self.rng);
                self.lead(partition, to);
            }
        }
        self.is_healthy = true;
        self.press(false);
        self.after(PATIENCE + Duration::from_secs(1), Event::LookForStuck);
    }

    /// G14: what is sent now must be delivered. A small buffer takes it bit by bit. Where a batch
    /// may not be sent again, or an old broker that has forgotten us could not tell whether it has
    /// it, the first is spent on what the client believes of the cluster.
    pub(super) fn probe(&mut self, left: usize) {
        let partitions = self.plan.partitions as usize;
        let count = 2 * partitions;
        let mut left = left;
        if left == 2 * count && self.records.unresolved() > 0 {
            return self.after(Duration::from_millis(500), Event::Probe(left));
        }
        let needs_warmth = !self.plan.idempotent || self.plan.stateless == Stateless::Forgets;
        while left > 0 && self.send(left % partitions, !needs_warmth || left <= count) {
            left -= 1;
            if left == count {
                return self.after(2 * self.plan.delivery_timeout, Event::Probe(left));
            }
        }
        let pause = self.core.config.reconnect_backoff_max;
        let limit = 2 * self.plan.request_timeout + self.plan.linger + pause;
        if left == 0 {
            return self.after(limit, Event::ProbesDue);
        }
        let late = self.plan.fault_time + RECOVERY + 2 * self.plan.delivery_timeout + 40 * limit;
        assert!(
            self.now < late,
            "no room for a record: {}",
            self.leftovers()
        );
        self.after(Duration::from_millis(20), Event::Probe(left));
    }

    /// All has been well for a while: what is buffered is on its way.
    pub(super) fn nothing_is_stuck(&self) {
        if self.is_closed {
            return;
        }
        let Some(topic) = self.core.accumulator.topic(TOPIC) else {
            return;
        };
        for partition in topic
            .view()
            .all()
            .filter(|partition| partition.has_batches())
        {
            let rests = self.oracle.rests_for(partition.index(), self.now);
            assert!(
                rests < PATIENCE,
                "{partition} has batches and has sent none for {rests:?}"
            );
        }
    }

    fn leftovers(&self) -> String {
        let used = self.core.accumulator.budget().used();
        format!(
            "{} records are unresolved, {used} bytes in use",
            self.records.unresolved()
        )
    }

    pub(super) fn close(&mut self) {
        self.trace(|_| "close".into());
        self.is_closed = true;
        self.core.wishes.refuse();
        self.core.accumulator.close();
        drop(self.core.accumulator.flush());
        self.abandon();
        self.close_clients();
        self.abandon();
    }

    fn abandon(&mut self) {
        let _losses = self.core.accumulator.abandon(Duration::ZERO);
        self.look();
    }
}
