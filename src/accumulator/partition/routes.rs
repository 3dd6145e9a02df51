//! Where a partition's batches go, as metadata and brokers say.

use super::Partition;
use crate::accumulator::batch::OpenBatch;
use crate::accumulator::budget::Share;
use crate::accumulator::ready::ReadyQueue;
use crate::accumulator::state::{Route, State};
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::wire::codes::Code;

impl Partition {
    /// The accounts of memory that is granted to it now. A batch that began under another leader
    /// grows where it began.
    pub(super) fn share_in(&self, state: &State) -> Share {
        if let Some(share) = state.open.as_ref().and_then(OpenBatch::share) {
            return share.clone();
        }
        let leader = state.route.as_ref().map(|route| route.queue.account());
        let broker = leader.unwrap_or(self.shared.budget.leaderless()).clone();
        Share {
            topic: self.account.clone(),
            broker,
        }
    }

    #[cfg(test)]
    pub(crate) fn share(&self) -> Share {
        self.share_in(&self.state.lock())
    }

    /// Follows the leader as the cluster's metadata says; `None` is no leader. An older epoch than
    /// the known one is ignored, unless the topic was made anew.
    pub(crate) fn reroute(self: &Arc<Self>, route: Option<Route>) {
        let mut state = self.state.lock();
        let known = state.route.clone();
        let is_older = match (&route, &known) {
            (Some(new), Some(old)) if new.topic_id == old.topic_id => {
                new.leader_epoch >= 0 && new.leader_epoch < old.leader_epoch
            }
            _ => false,
        };
        let is_anew = route
            .as_ref()
            .is_some_and(|route| state.is_anew(route.topic_id));
        let doubtful = match is_anew {
            true => state.lose_log(&self.shared.rules),
            false => Vec::new(),
        };
        if !doubtful.is_empty() {
            state.results.lose(|| self.made_anew());
        }
        state.reroute(if is_older { known } else { route });
        self.unlock_and_tell(state);
        doubtful
            .into_iter()
            .for_each(|batch| batch.fail(self.made_anew()));
    }

    /// Why a record that the topic's old log may have is not sent again. Metadata of the new topic
    /// may come before the last word on what the old one got.
    pub(crate) fn made_anew(&self) -> Error {
        let message = format!(
            "record for {self}: the topic was deleted and made anew, and the old one may have had \
             the record; not sent again"
        );
        Error::new(ErrorKind::UnknownTopic, message).with_code(Code::UNKNOWN_TOPIC_ID.0)
    }

    /// The broker with this queue has left the cluster: it leads nothing.
    pub(crate) fn lose_route(self: &Arc<Self>, gone: &Arc<ReadyQueue>) {
        let mut state = self.state.lock();
        let route = state.route.as_ref();
        if route.is_some_and(|route| Arc::ptr_eq(&route.queue, gone)) {
            state.reroute(None);
        }
    }

    /// Takes no records any more, if nothing is left here that has to be kept: batches, results,
    /// the sequences by which brokers know the producer, and that it has stopped.
    pub(crate) fn leave(&self) -> bool {
        let mut state = self.state.lock();
        let is_empty = !state.has_batches() && state.results.untold().next().is_none();
        state.is_gone = is_empty && state.is_unused() && self.stopped(&state).is_none();
        state.is_gone
    }

    /// Takes records again.
    pub(crate) fn stay(&self) {
        self.state.lock().is_gone = false;
    }

    /// New metadata says nothing better: what waited for it tries again.
    pub(crate) fn confirm_route(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let route = state.route.clone();
        state.reroute(route);
        self.unlock_and_tell(state);
    }

    /// Follows a leader that a broker named in its refusal, if that is news.
    pub(crate) fn follow_hint(self: &Arc<Self>, queue: Arc<ReadyQueue>, leader_epoch: i32) -> bool {
        let mut state = self.state.lock();
        let Some(topic_id) = state.route.as_ref().map(|route| route.topic_id) else {
            return false;
        };
        if state
            .route
            .as_ref()
            .is_some_and(|route| route.leader_epoch >= leader_epoch)
        {
            return false;
        }
        state.follow_at_once(Route {
            queue,
            leader_epoch,
            topic_id,
        });
        self.unlock_and_tell(state);
        true
    }
}
