//! The cluster thread as events: metadata and producer ids, with their faults.

use std::time::Duration;

use super::oracle::FIRST_PRODUCER_ID;
use super::payload::TOPIC;
use super::plan::Plan;
use super::world::{Event, World};
use crate::accumulator::sequence::Identity;
use crate::broker::Core;
use crate::cluster::{Due, Updater};
use crate::conn::Interrupt;
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::time;
use crate::wire::codes::Code;
use crate::wire::metadata::MetadataResponse;

pub(super) struct Control {
    updater: Updater,
    is_busy: bool,
    /// Attempts in a row that failed.
    failures: u32,
    last_attempt: Option<Duration>,
    next_producer_id: i64,
    first_epoch: i16,
}

impl Control {
    pub(super) fn new(core: &Arc<Core>, plan: &Plan) -> Self {
        Self {
            updater: Updater::new(core.clone(), Arc::new(Interrupt::default())),
            is_busy: false,
            failures: 0,
            last_attempt: None,
            next_producer_id: FIRST_PRODUCER_ID,
            first_epoch: plan.first_epoch,
        }
    }
}

impl World {
    /// Plans a refresh if one is wished for.
    pub(super) fn wake_control(&mut self) {
        if self.control.is_busy || self.is_closed {
            return;
        }
        if self.core.wishes.next(Some(time::now())) != Due::Refresh {
            return;
        }
        self.control.is_busy = true;
        let pause = Duration::from_millis(100 << self.control.failures.min(3));
        let at = self
            .control
            .last_attempt
            .map_or(self.now, |last| last + pause);
        self.at(at, Event::Refresh);
    }

    pub(super) fn refresh(&mut self) {
        let _topics = self.core.wishes.begin();
        self.control.last_attempt = Some(self.now);
        if self.strikes(self.plan.faults.metadata_fails) {
            let pause = self.rng.ms(0, 1000);
            return self.after(pause, Event::Metadata(None));
        }
        let behind = match self.strikes(self.plan.faults.stale) {
            true => self.rng.ms(0, 3000),
            false => Duration::ZERO,
        };
        let mut response = self.cluster.metadata(self.now, behind);
        let is_first = self.core.accumulator.topics().is_empty();
        if is_first && self.plan.first_sequence.is_some() {
            // The first answer presets the sequences: it must name the topic.
        } else if self.strikes(self.plan.faults.metadata_lacks) {
            response.topics.clear();
        } else if self.strikes(self.plan.faults.topic_error) {
            let topic = &mut response.topics[0];
            topic.error = self
                .rng
                .pick(&[Code::UNKNOWN_TOPIC_OR_PARTITION, Code::LEADER_NOT_AVAILABLE]);
            topic.partitions.clear();
        }
        if !is_first && self.strikes(self.plan.faults.metadata_shrinks) {
            let left = self.rng.within(1, self.plan.partitions as u64) as usize;
            response
                .topics
                .iter_mut()
                .for_each(|topic| topic.partitions.truncate(left));
        }
        let pause = self.rng.ms(1, 10);
        self.after(pause, Event::Metadata(Some(Box::new(response))));
    }

    pub(super) fn metadata(&mut self, response: Option<MetadataResponse>) {
        let Some(response) = response else {
            self.trace(|_| "no metadata".into());
            self.control.is_busy = false;
            self.control.failures += 1;
            let error = Error::new(ErrorKind::Connection, "no broker answered");
            return self.control.updater.failed(&error);
        };
        self.trace(|_| {
            let topics = response.topics.iter();
            let leaders = topics.flat_map(|topic| &topic.partitions);
            let leaders: Vec<_> = leaders.map(|p| (p.leader_id, p.leader_epoch)).collect();
            format!("metadata: {leaders:?}")
        });
        self.control.failures = 0;
        let is_first = self.core.accumulator.topics().is_empty();
        self.control.updater.apply(&response, &[TOPIC.to_string()]);
        if is_first && self.control.next_producer_id == FIRST_PRODUCER_ID {
            self.preset();
        }
        if self.plan.idempotent && self.core.accumulator.identities().is_wanted() {
            let slow = self.strikes(self.plan.faults.identity_slow);
            let pause = self.rng.ms(1, if slow { 3000 } else { 5 });
            return self.after(pause, Event::Identity);
        }
        self.control.is_busy = false;
    }

    /// The broker's answer to InitProducerId.
    pub(super) fn identity(&mut self) {
        self.control.is_busy = false;
        if self.strikes(self.plan.faults.identity_fails) {
            self.control.failures += 1;
            return self.core.wishes.refresh();
        }
        let identities = self.core.accumulator.identities();
        if !self.is_healthy && self.rng.chance(self.plan.faults.identity_denied) {
            let error = Error::new(ErrorKind::Authorization, "no producer id for you");
            let error = error.with_code(Code::CLUSTER_AUTHORIZATION_FAILED.0);
            self.trace(|_| error.to_string());
            identities.deny(error.clone());
            return self.identity_told(Some(&error));
        }
        let producer_id = self.control.next_producer_id;
        self.control.next_producer_id += 1;
        let epoch = match producer_id {
            FIRST_PRODUCER_ID => self.control.first_epoch,
            _ => 0,
        };
        let identity = Identity { producer_id, epoch };
        self.trace(|_| format!("{identity:?}"));
        identities.set(identity);
        self.identity_told(None);
    }

    /// Starts near the end of the sequences, as if all before had been sent.
    fn preset(&mut self) {
        let (Some(next), Some(topic)) =
            (self.plan.first_sequence, self.core.accumulator.topic(TOPIC))
        else {
            return;
        };
        let epoch = self.plan.first_epoch;
        let identities = self.core.accumulator.identities();
        identities.set(Identity {
            producer_id: FIRST_PRODUCER_ID,
            epoch,
        });
        self.control.next_producer_id += 1;
        let current = identities.newest().expect("it was set just now");
        for partition in topic.view().all() {
            partition.preset(current, next);
            let led = &mut self.cluster.partitions[partition.index() as usize];
            led.log
                .preset(FIRST_PRODUCER_ID, epoch, (next - 1, next - 1, -1));
        }
    }
}
