//! A topic as senders see it: its partitions, and which of them have a leader.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use super::budget::Account;
use super::last::Edition;
use super::partition::{Partition, Shared};
use crate::cluster::PartitionInfo;
use crate::error::Error;
use crate::partitioner::Turns;
use crate::sync::{Arc, Mutex};

/// A topic that the cluster has told us about. It is kept while it is used, and with idempotence
/// for as long as the producer lives.
pub(crate) struct Topic {
    name: Arc<str>,
    account: Arc<Account>,
    edition: Arc<Edition>,
    view: Mutex<Arc<View>>,
    traffic: Arc<Traffic>,
}

/// What sends leave at a topic.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// What the partitioners remember of it.
    pub(crate) turns: Turns,
    usage: AtomicU8,
}

/// Somebody sent to it since the last refresh.
const USED: u8 = 0;
/// Nobody did.
const RESTING: u8 = 1;
/// Its metadata is no longer kept up to date; the next send asks for it.
const DORMANT: u8 = 2;

/// What the newest metadata says of a topic.
#[derive(Clone)]
pub(crate) struct View {
    /// By index.
    pub(crate) partitions: Vec<Arc<Partition>>,
    /// Partitions of an earlier, larger count, whose batches may still be on their way.
    retired: Vec<Arc<Partition>>,
    /// The indexes of the partitions that have a leader.
    pub(crate) available: Vec<i32>,
    /// The indexes of those whose leader is in the producer's rack, if racks count.
    pub(crate) near: Vec<i32>,
    /// What the metadata says of each partition.
    pub(crate) infos: Vec<PartitionInfo>,
    /// Why nothing can be sent to the topic now, if the cluster says so.
    pub(crate) denied: Option<Denial>,
    pub(crate) traffic: Arc<Traffic>,
}

/// What the cluster said of a topic that it does not let us use.
#[derive(Clone)]
pub(crate) struct Denial {
    pub(crate) error: Error,
    pub(crate) at: Instant,
}

impl Topic {
    /// `edition` is renewed with every change of the view.
    pub(crate) fn new(name: Arc<str>, first: u32, edition: Arc<Edition>) -> Self {
        let traffic = Arc::new(Traffic {
            turns: Turns::new(first),
            usage: AtomicU8::new(USED),
        });
        let view = View {
            partitions: Vec::new(),
            retired: Vec::new(),
            available: Vec::new(),
            near: Vec::new(),
            infos: Vec::new(),
            denied: None,
            traffic: traffic.clone(),
        };
        Self {
            name,
            account: Arc::default(),
            edition,
            view: Mutex::new(Arc::new(view)),
            traffic,
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.view.lock().clone()
    }

    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// True if somebody sends to it and a partition has no leader.
    pub(crate) fn lacks_leaders(&self) -> bool {
        let view = self.view();
        !self.traffic.is_dormant() && view.available.len() < view.partitions.len()
    }

    /// Makes the view have `count` partitions; those that exist keep their state.
    pub(crate) fn resize(&self, count: usize, shared: &Arc<Shared>) -> Arc<View> {
        let old = self.view();
        let mut all = old.partitions.clone();
        all.extend(old.retired.iter().cloned());
        let missing = all.len()..count.max(all.len());
        let of_topic = || (self.name.clone(), self.account.clone());
        all.extend(missing.map(|i| Partition::new(of_topic(), i as i32, shared.clone())));
        let retired = all.split_off(count);
        let infos = old.infos.clone();
        let kept = |indexes: &[i32]| -> Vec<i32> {
            let all = indexes.iter().copied();
            all.filter(|index| (*index as usize) < count).collect()
        };
        let (available, near) = (kept(&old.available), kept(&old.near));
        self.set(View {
            partitions: all,
            retired,
            available,
            near,
            infos,
            denied: None,
            traffic: self.traffic.clone(),
        })
    }

    /// Publishes which partitions have a leader now, and which of these a near one.
    pub(crate) fn publish(&self, available: Vec<i32>, near: Vec<i32>, infos: Vec<PartitionInfo>) {
        let view = View {
            available,
            near,
            infos,
            ..(*self.view()).clone()
        };
        self.set(view);
    }

    pub(crate) fn deny(&self, denied: Option<Denial>) {
        let view = View {
            denied,
            ..(*self.view()).clone()
        };
        self.set(view);
    }

    fn set(&self, view: View) -> Arc<View> {
        let view = Arc::new(view);
        let _old = std::mem::replace(&mut *self.view.lock(), view.clone());
        self.edition.renew();
        view
    }
}

impl Traffic {
    /// Notes that somebody sends to the topic; true if its metadata is out of date.
    #[inline]
    pub(crate) fn mark_used(&self) -> bool {
        let is_used = self.usage.load(Ordering::Relaxed) == USED;
        !is_used && self.usage.swap(USED, Ordering::Relaxed) == DORMANT
    }

    /// True if somebody sent to it since the last call.
    pub(crate) fn take_used(&self) -> bool {
        let (order, orderly) = (Ordering::Relaxed, Ordering::Relaxed);
        self.usage
            .compare_exchange(USED, RESTING, order, orderly)
            .is_ok()
    }

    pub(crate) fn is_dormant(&self) -> bool {
        self.usage.load(Ordering::Relaxed) == DORMANT
    }

    pub(crate) fn set_dormant(&self) {
        self.usage.store(DORMANT, Ordering::Relaxed);
    }
}

impl View {
    /// True if records can be put into its partitions, as far as is known.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.denied.is_none() && !self.partitions.is_empty()
    }

    /// The partition of that number, if the topic has it.
    #[inline]
    pub(crate) fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    /// Partitions that the newest metadata does not have any more.
    pub(crate) fn retired(&self) -> &[Arc<Partition>] {
        &self.retired
    }

    /// Every partition that may hold batches.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.partitions.iter().chain(&self.retired)
    }
}
