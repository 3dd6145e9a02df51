//! What a metadata answer changes: partitions, their leaders, and who waited for it.

use std::collections::{HashMap, HashSet};

use super::Updater;
use crate::accumulator::partition::Partition;
use crate::accumulator::state::Route;
use crate::accumulator::topic::Denial;
use crate::broker::port;
use crate::cluster::{News, PartitionInfo, view};
use crate::conn::Address;
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::time;
use crate::wire::metadata::{MetadataBroker, MetadataPartition, MetadataResponse, MetadataTopic};

/// The brokers of an answer that have an address, by id.
#[derive(Default)]
struct Usable {
    addresses: HashMap<i32, Address>,
    /// Those in the producer's rack, if racks count.
    near: HashSet<i32>,
}

impl Updater {
    /// Routes every partition, and tells those who wait for the topics that were `asked` for.
    pub(crate) fn apply(&mut self, response: &MetadataResponse, asked: &[String]) {
        let brokers = self.usable(&response.brokers);
        if !brokers.addresses.is_empty() {
            self.known = brokers.addresses.values().cloned().collect();
        }
        let mut news: HashMap<&str, News> = HashMap::new();
        for topic in &response.topics {
            let Some(name) = topic.name.as_deref() else {
                continue;
            };
            let told = self.apply_topic(name, topic, &brokers);
            news.insert(name, told);
        }
        if !brokers.addresses.is_empty() {
            let is_present = |id: i32| brokers.addresses.contains_key(&id);
            self.core.brokers.part_with_absent(&self.core, is_present);
        }
        let is_known = |topic: &String| matches!(news.get(&topic[..]), Some(News::Known));
        let is_complete = asked.iter().all(is_known);
        let known = self.core.accumulator.topics();
        let has_stuck = known.iter().any(|topic| {
            topic
                .view()
                .all()
                .any(|partition| partition.needs_view() && partition.has_batches())
        });
        self.core.wishes.publish(|topic| {
            // Who came after the question is answered by the next.
            let is_asked = asked.iter().any(|asked| asked == topic);
            let missing = || is_asked.then(|| News::NotYet(view::missing(topic)));
            news.remove(topic).or_else(missing)
        });
        if has_stuck || self.core.wishes.has_waiting() && !is_complete {
            self.in_vain = self.in_vain.saturating_add(1);
            self.core.wishes.refresh();
        } else if known.iter().any(|topic| topic.lacks_leaders()) {
            // The next batch asks again, less and less often.
            self.in_vain = self.in_vain.saturating_add(1);
        } else {
            self.in_vain = 0;
        }
    }

    fn usable(&self, brokers: &[MetadataBroker]) -> Usable {
        let partitioning = &self.core.config.partitioning;
        let is_near = |broker: &MetadataBroker| {
            partitioning.is_rack_aware && broker.rack.as_ref() == Some(&partitioning.rack)
        };
        let mut usable = Usable::default();
        for broker in brokers {
            let (host, port) = (&broker.host, port(broker.port));
            let Some(port) = port.filter(|_| !host.is_empty() && host.len() <= 255) else {
                continue;
            };
            let host = host.clone();
            let address = Address { host, port };
            usable.addresses.insert(broker.node_id, address);
            if is_near(broker) {
                usable.near.insert(broker.node_id);
            }
        }
        usable
    }

    fn apply_topic(&self, name: &str, metadata: &MetadataTopic, brokers: &Usable) -> News {
        let accumulator = &self.core.accumulator;
        let known = accumulator.topic(name);
        if let Some(error) = view::topic_error(name, metadata) {
            let error = self.core.connector.name_denied(error);
            let is_denied = matches!(
                error.kind(),
                ErrorKind::Authorization | ErrorKind::InvalidTopic
            );
            if let Some(topic) = known {
                let denial = || Denial {
                    error: error.clone(),
                    at: time::now(),
                };
                topic.deny(is_denied.then(denial));
                for partition in topic.view().all() {
                    partition.set_trouble(error.clone());
                    partition.confirm_route();
                }
            }
            return if is_denied {
                News::Denied(error)
            } else {
                News::NotYet(error)
            };
        }
        let topic = known.unwrap_or_else(|| {
            let first = (time::jitter() * f64::from(u32::MAX)) as u32;
            accumulator.insert_topic(name, first)
        });
        let count = metadata.partitions.len();
        let before = topic.view().partitions.len();
        let view = topic.resize(count, accumulator.shared());
        if before != 0 && before != count && topic.traffic().turns.has_keys() {
            log::warn!("{}", view::keys_move(name, before, count));
        }
        let mut near = Vec::new();
        let mut available = Vec::with_capacity(count);
        let mut infos: Vec<PartitionInfo> = Vec::with_capacity(count);
        for partition in &metadata.partitions {
            let Some(ours) = usize::try_from(partition.index)
                .ok()
                .and_then(|i| view.partitions.get(i))
            else {
                continue;
            };
            match self.route(ours, partition, metadata, brokers) {
                Ok(()) => {
                    available.push(partition.index);
                    if brokers.near.contains(&partition.leader_id) {
                        near.push(partition.index);
                    }
                }
                Err(error) => ours.set_trouble(error),
            }
            infos.push(PartitionInfo::new(partition));
        }
        for partition in view.retired() {
            partition.set_trouble(view::retired(partition, count));
            partition.confirm_route();
        }
        available.sort_unstable();
        near.sort_unstable();
        infos.sort_unstable_by_key(PartitionInfo::partition);
        topic.publish(available, near, infos);
        News::Known
    }

    /// Sends a partition's batches to its leader; the error says why it has none.
    fn route(
        &self,
        partition: &Arc<Partition>,
        metadata: &MetadataPartition,
        topic: &MetadataTopic,
        brokers: &Usable,
    ) -> Result<(), Error> {
        let leader = brokers.addresses.get(&metadata.leader_id);
        let found = match leader {
            Some(address) => {
                self.core
                    .brokers
                    .broker(&self.core, metadata.leader_id, address.clone())
            }
            None => Err(view::leaderless(partition, metadata)),
        };
        let route = found.as_ref().ok().map(|broker| Route {
            queue: broker.queue.clone(),
            leader_epoch: metadata.leader_epoch,
            topic_id: topic.id,
        });
        partition.reroute(route);
        found.map(|_| ())
    }
}
