//! Which scripted faults a request meets: pure matching, no I/O.

use std::fmt;
use std::time::Duration;

use super::facts::{Api, MockRequest};
use crate::sync::Arc;

/// The rules of a cluster, in the order in which they were scripted.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
}

/// One sentence of a script: which requests it is about, how many of them, and what happens to
/// them.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) api: Api,
    pub(super) node: Option<i32>,
    pub(super) target: Target,
    /// How many requests pass before it begins.
    pub(super) skip: usize,
    /// How many it still meets; `None` has no end.
    pub(super) left: Option<usize>,
    /// How many it has met.
    pub(super) hits: usize,
    pub(super) plan: Plan,
}

/// The part of a request that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Whole,
    Topic(String),
    Partition(String, i32),
}

/// What happens to a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Whether it is handled before anything else happens.
    pub(super) is_handled_first: bool,
    pub(super) delay: Duration,
    /// The numbers of the gates that it waits at.
    pub(super) gates: Vec<usize>,
    pub(super) throttle_ms: i32,
    /// The answer goes out in pieces of so many bytes, with so long a pause between them.
    pub(super) pieces: Option<(usize, Duration)>,
    pub(super) effect: Option<Effect>,
    pub(super) delivery: Delivery,
}

/// What the answer says instead of the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Error(i16),
    NoPartitions,
}

/// What becomes of the answer.
#[derive(Clone, Default)]
pub(super) enum Delivery {
    #[default]
    Whole,
    /// So many bytes of it, then the connection is closed.
    Cut(usize),
    /// Nothing, and nothing for later requests of the connection.
    Silence,
    /// The connection is closed.
    Disconnect,
    /// These bytes instead, without a length in front.
    Raw(Vec<u8>),
    /// So much is added to its correlation id.
    WrongCorrelationId(i32),
    /// Its body is made by the test.
    Body(BodyMaker),
}

pub(super) type BodyMaker = Arc<dyn Fn(&MockRequest) -> Vec<u8> + Send + Sync>;

/// All that happens to one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    pub(super) plan: Plan,
    pub(super) injected: Vec<Injected>,
}

/// An effect on a part of a request.
#[derive(Clone, Debug)]
pub(super) struct Injected {
    pub(super) target: Target,
    pub(super) effect: Effect,
    pub(super) is_handled_first: bool,
}

impl Faults {
    /// Adds a rule; returns its number.
    pub(super) fn add(&mut self, rule: Rule) -> usize {
        self.rules.push(rule);
        self.rules.len() - 1
    }

    pub(super) fn cancel(&mut self, number: usize) {
        if let Some(rule) = self.rules.get_mut(number) {
            rule.left = Some(0);
        }
    }

    pub(super) fn cancel_all(&mut self) {
        for rule in &mut self.rules {
            rule.left = Some(0);
        }
    }

    pub(super) fn hits(&self, number: usize) -> usize {
        self.rules.get(number).map_or(0, |rule| rule.hits)
    }

    /// What happens to this request. The first rule wins of those that are about the same part of
    /// it, so that rules of one topic come one after the other, while those of different partitions
    /// add up.
    pub(super) fn script(&mut self, request: &MockRequest) -> Script {
        let mut script = Script::default();
        let mut taken: Vec<Target> = Vec::new();
        for rule in &mut self.rules {
            let is_over = rule.left == Some(0);
            if is_over || !rule.is_about(request) || rule.target.overlaps_any(&taken) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.left = rule.left.map(|left| left - 1);
            rule.hits += 1;
            taken.push(rule.target.clone());
            script.add(rule);
        }
        script
    }
}

impl Rule {
    fn is_about(&self, request: &MockRequest) -> bool {
        request.is(self.api)
            && self.node.is_none_or(|node| node == request.node)
            && self.target.is_in(request)
    }
}

impl Target {
    /// Whether the partition belongs to this part.
    pub(super) fn covers(&self, topic: &str, partition: i32) -> bool {
        match self {
            Self::Whole => true,
            Self::Topic(mine) => mine == topic,
            Self::Partition(mine, index) => mine == topic && *index == partition,
        }
    }

    pub(super) fn covers_topic(&self, topic: &str) -> bool {
        match self {
            Self::Whole => true,
            Self::Topic(mine) => mine == topic,
            Self::Partition(..) => false,
        }
    }

    fn is_in(&self, request: &MockRequest) -> bool {
        let batches = request.batches();
        let names = |topic: &String| {
            request
                .topics
                .as_ref()
                .is_none_or(|all| all.contains(topic))
        };
        let is_metadata = request.is(Api::Metadata);
        match self {
            Self::Whole => true,
            Self::Topic(topic) | Self::Partition(topic, _) if is_metadata => names(topic),
            Self::Topic(_) | Self::Partition(..) => batches
                .iter()
                .any(|batch| self.covers(&batch.topic, batch.partition)),
        }
    }

    fn overlaps_any(&self, others: &[Self]) -> bool {
        others.iter().any(|other| self.overlaps(other))
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole, _) | (_, Self::Whole) => true,
            (Self::Partition(topic, index), other) | (other, Self::Partition(topic, index)) => {
                other.covers(topic, *index)
            }
            (Self::Topic(one), Self::Topic(two)) => one == two,
        }
    }
}

impl Script {
    fn add(&mut self, rule: &Rule) {
        let Rule { target, plan, .. } = rule;
        if let Some(effect) = plan.effect {
            self.injected.push(Injected {
                target: target.clone(),
                effect,
                is_handled_first: plan.is_handled_first,
            });
        }
        let all = &mut self.plan;
        all.is_handled_first |= plan.is_handled_first;
        all.delay += plan.delay;
        all.gates.extend(&plan.gates);
        if plan.throttle_ms != 0 {
            // The longest; less than nothing, if that is all that is asked for.
            all.throttle_ms = match all.throttle_ms {
                0 => plan.throttle_ms,
                other => other.max(plan.throttle_ms),
            };
        }
        all.pieces = all.pieces.or(plan.pieces);
        if matches!(all.delivery, Delivery::Whole) {
            all.delivery = plan.delivery.clone();
        }
    }

    /// The effect on a partition; `is_handled_first` tells whether it comes after the handling.
    pub(super) fn effect(
        &self,
        topic: &str,
        partition: i32,
        is_handled_first: bool,
    ) -> Option<Effect> {
        let mut injected = self.injected.iter();
        let found = injected.find(|injected| {
            injected.is_handled_first == is_handled_first
                && injected.target.covers(topic, partition)
        });
        found.map(|injected| injected.effect)
    }

    /// The effect on a topic as a whole.
    pub(super) fn effect_on_topic(&self, topic: &str) -> Option<Effect> {
        let mut injected = self.injected.iter();
        let found = injected.find(|injected| injected.target.covers_topic(topic));
        found.map(|injected| injected.effect)
    }

    /// The effect on the request as a whole.
    pub(super) fn effect_on_whole(&self) -> Option<Effect> {
        let mut injected = self.injected.iter();
        let found = injected.find(|injected| injected.target == Target::Whole);
        found.map(|injected| injected.effect)
    }

    /// The error for an answer that has only one.
    pub(super) fn error(&self) -> Option<i16> {
        self.injected
            .iter()
            .find_map(|injected| injected.effect.error())
    }
}

impl Effect {
    pub(super) fn error(self) -> Option<i16> {
        match self {
            Self::Error(code) => Some(code),
            Self::NoPartitions => None,
        }
    }
}

impl Delivery {
    /// Whether the answer is needed; if not, the request is not handled unless it was before.
    pub(super) fn needs_answer(&self) -> bool {
        match self {
            Self::Whole | Self::Cut(_) | Self::WrongCorrelationId(_) => true,
            Self::Silence | Self::Disconnect | Self::Raw(_) | Self::Body(_) => false,
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("Whole"),
            Self::Cut(bytes) => write!(f, "Cut({bytes})"),
            Self::Silence => f.write_str("Silence"),
            Self::Disconnect => f.write_str("Disconnect"),
            Self::Raw(bytes) => write!(f, "Raw({} bytes)", bytes.len()),
            Self::WrongCorrelationId(added) => write!(f, "WrongCorrelationId({added})"),
            Self::Body(_) => f.write_str("Body"),
        }
    }
}
