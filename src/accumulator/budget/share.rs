//! What a topic and a broker may have of the buffer, so that others find room: pure, apart from the
//! counters.
//!
//! The limits are those of Choudhury and Hahne for the queues of a switch ("Dynamic queue length
//! thresholds for shared-memory packet switches"): so many times what is free now. Whoever is alone
//! may take most of the buffer, and still leaves something; the more are greedy, the less each has,
//! and nobody configures anything.
//!
//! Three limits, since one would not do. Were a topic's limit no wider than that of a topic at one
//! broker, then what waits for a dead broker would use up the topic's share, and its partitions
//! elsewhere would stand still. Were a broker's no wider, then a topic that fills the buffer by way
//! of its only broker would use up the broker's share, and the broker's other topics would stand
//! still.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sync::Arc;

/// A topic at a broker ends where both hold so many times what is free: alone at 8/9 of the buffer.
const BOTH_TIMES: usize = 8;
/// All topics at one broker: 16/17.
const BROKER_TIMES: usize = 16;
/// A topic at all brokers: 32/33.
const TOPIC_TIMES: usize = 32;

/// What is granted to one topic, or to partitions that one broker leads.
///
/// Counted under the budget's lock; atomic only because it is shared.
#[derive(Debug, Default)]
pub(crate) struct Account(AtomicUsize);

/// The accounts that a grant stands on. It stays there when the leader moves.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) topic: Arc<Account>,
    /// Of the broker that leads the partition, or of all partitions without a leader.
    pub(crate) broker: Arc<Account>,
}

/// Whose share is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// The topic's, as far as this broker goes.
    Both,
    Broker,
    Topic,
}

impl Account {
    pub(crate) fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, held: usize) {
        self.0.store(held, Ordering::Relaxed);
    }
}

impl Share {
    /// The limit that is exceeded while `free` bytes are. It does not depend on what is asked for,
    /// so that small records do not slip past a large one of the same topic and broker; who holds
    /// nothing exceeds none.
    pub(super) fn excess(&self, free: usize) -> Option<Excess> {
        let is_over = |account: &Account, times| account.held() > free.saturating_mul(times);
        let (topic, broker) = (&*self.topic, &*self.broker);
        if is_over(topic, BOTH_TIMES) && is_over(broker, BOTH_TIMES) {
            return Some(Excess::Both);
        }
        if is_over(broker, BROKER_TIMES) {
            return Some(Excess::Broker);
        }
        is_over(topic, TOPIC_TIMES).then_some(Excess::Topic)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.topic, &other.topic) && Arc::ptr_eq(&self.broker, &other.broker)
    }

    pub(super) fn give(&self, bytes: usize) {
        for account in [&self.topic, &self.broker] {
            account.set(account.held() + bytes);
        }
    }

    pub(super) fn take_back(&self, bytes: usize) {
        for account in [&self.topic, &self.broker] {
            let left = account.held().checked_sub(bytes);
            account.set(left.expect("an account gets back what it was given"));
        }
    }
}

impl Excess {
    pub(crate) fn times(self) -> usize {
        match self {
            Self::Both => BOTH_TIMES,
            Self::Broker => BROKER_TIMES,
            Self::Topic => TOPIC_TIMES,
        }
    }
}
