//! The words of a script: `cluster.on(Api::Produce).node(1).times(2).error(6)`.

use std::time::Duration;

use super::facts::{Api, MockRequest};
use super::faults::{Delivery, Effect, Plan, Rule, Target};
use super::handle::{Fault, Gate};
use super::state::Shared;
use crate::sync::Arc;

/// A sentence about requests that are still to come; [`MockCluster::on`](super::MockCluster::on)
/// begins it.
///
/// First say which requests: of which broker ([`node`](Self::node)), about which
/// [`topic`](Self::topic) or [`partition`](Self::partition), and how many ([`skip`](Self::skip),
/// [`times`](Self::times), [`always`](Self::always); one if nothing is said). Then what happens on
/// the way ([`delay`](Self::delay), [`hold`](Self::hold), [`throttle`](Self::throttle),
/// [`in_pieces`](Self::in_pieces)), and at the end what becomes of the answer: the verb that ends
/// the sentence starts the fault.
///
/// A fault that ends in an error, a hang-up or silence keeps the broker from handling the request
/// at all, unless the sentence says [`after_handling`](Self::after_handling): then records are in
/// the log although the client is not told.
///
/// A fault meets a request when the broker begins to handle it, after the answers to all earlier
/// requests of its connection: [`Fault::wait_for_hits`] waits for that.
///
/// Of several faults for the same part of a request, only the first that is not used up happens, so
/// sentences about one partition follow each other. Faults of different partitions happen together.
///
/// ```
/// use milena::mock::{Api, MockCluster};
///
/// let cluster = MockCluster::start(3);
/// cluster.create_topic("t", 2);
/// // Two refusals of one partition, then a hang-up that hides a success.
/// let refusals = cluster.on(Api::Produce).partition("t", 0).times(2).error(6);
/// cluster.on(Api::Produce).partition("t", 0).after_handling().disconnect();
/// assert_eq!(refusals.hits(), 0);
/// refusals.cancel();
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before a verb such as `error` or `answer` ends the sentence"]
pub struct On<'a> {
    shared: &'a Arc<Shared>,
    rule: Rule,
}

impl<'a> On<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, api: Api) -> Self {
        let rule = Rule {
            api,
            node: None,
            target: Target::Whole,
            skip: 0,
            left: Some(1),
            hits: 0,
            plan: Plan::default(),
        };
        Self { shared, rule }
    }

    /// Only requests to this broker.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(2);
    /// cluster.on(Api::InitProducerId).node(2).error(15); // COORDINATOR_NOT_AVAILABLE
    /// ```
    pub fn node(mut self, node: i32) -> Self {
        self.rule.node = Some(node);
        self
    }

    /// Only produce and metadata requests about this topic; an error is answered for this topic
    /// only.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Metadata).topic("t").times(3).error(3); // UNKNOWN_TOPIC_OR_PARTITION
    /// cluster.on(Api::Metadata).topic("secret").always().error(29); // TOPIC_AUTHORIZATION_FAILED
    /// ```
    pub fn topic(mut self, topic: &str) -> Self {
        self.rule.target = Target::Topic(topic.to_owned());
        self
    }

    /// Only produce and metadata requests about this partition; an error is answered for this
    /// partition only, and metadata with an error shows no leader.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Metadata).partition("t", 0).times(2).error(5); // LEADER_NOT_AVAILABLE
    /// cluster.on(Api::Produce).partition("t", 1).error(10); // MESSAGE_TOO_LARGE
    /// ```
    pub fn partition(mut self, topic: &str, partition: i32) -> Self {
        self.rule.target = Target::Partition(topic.to_owned(), partition);
        self
    }

    /// Lets so many requests pass first.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).skip(2).error(19); // the third: NOT_ENOUGH_REPLICAS
    /// ```
    pub fn skip(mut self, requests: usize) -> Self {
        self.rule.skip = requests;
        self
    }

    /// So many requests. Defaults to one.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).times(2).error(7); // REQUEST_TIMED_OUT
    /// ```
    pub fn times(mut self, requests: usize) -> Self {
        self.rule.left = Some(requests);
        self
    }

    /// Every request until the fault is [cancelled](Fault::cancel).
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// let fault = cluster.on(Api::Produce).always().error(6); // NOT_LEADER_OR_FOLLOWER
    /// fault.cancel();
    /// ```
    pub fn always(mut self) -> Self {
        self.rule.left = None;
        self
    }

    /// The broker handles the request before anything else happens: records are appended although
    /// the client gets an error, or nothing.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).after_handling().error(7); // REQUEST_TIMED_OUT
    /// cluster.on(Api::Produce).after_handling().disconnect();
    /// ```
    pub fn after_handling(mut self) -> Self {
        self.rule.plan.is_handled_first = true;
        self
    }

    /// Time passes before the request is handled, or with [`after_handling`](Self::after_handling)
    /// before it is answered. Later requests of the connection wait, as they do at a real broker.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # use std::time::Duration;
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Metadata).delay(Duration::from_millis(200)).answer();
    /// ```
    pub fn delay(mut self, delay: Duration) -> Self {
        self.rule.plan.delay = delay;
        self
    }

    /// The request waits at the gate, where a delay would pass.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// let gate = cluster.gate();
    /// cluster.on(Api::Produce).times(5).hold(&gate).answer();
    /// gate.open();
    /// ```
    pub fn hold(mut self, gate: &Gate) -> Self {
        self.rule.plan.gates.push(gate.number);
        self
    }

    /// The answer asks the client to be silent for so long. SASL answers cannot say it.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).throttle(800).answer();
    /// ```
    pub fn throttle(mut self, throttle_time_ms: i32) -> Self {
        self.rule.plan.throttle_ms = throttle_time_ms;
        self
    }

    /// The answer goes out in pieces of so many bytes, with a pause between them.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # use std::time::Duration;
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).in_pieces(1, Duration::from_millis(1)).answer();
    /// ```
    pub fn in_pieces(mut self, bytes: usize, pause: Duration) -> Self {
        self.rule.plan.pieces = Some((bytes.max(1), pause));
        self
    }

    /// Ends the sentence: the true answer.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).throttle(300).answer();
    /// ```
    pub fn answer(self) -> Fault {
        self.delivered(Delivery::Whole)
    }

    /// Ends the sentence: an error code, whatever it means. Without
    /// [`after_handling`](Self::after_handling) nothing is appended, not even with code 0.
    ///
    /// Metadata without a topic shows the error for every topic that it names. Produce with
    /// `acks=0` has no answer to show it in: the broker hangs up.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).error(29); // TOPIC_AUTHORIZATION_FAILED
    /// ```
    pub fn error(self, code: i16) -> Fault {
        self.effect(Effect::Error(code))
    }

    /// Ends the sentence: metadata that shows the topic without an error and without partitions.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Metadata).topic("t").no_partitions();
    /// ```
    pub fn no_partitions(self) -> Fault {
        self.effect(Effect::NoPartitions)
    }

    /// Ends the sentence: the broker closes the connection.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Metadata).disconnect();
    /// cluster.on(Api::Produce).after_handling().disconnect(); // A success that nobody hears of.
    /// ```
    pub fn disconnect(self) -> Fault {
        self.delivered(Delivery::Disconnect)
    }

    /// Ends the sentence: the broker handles the request and closes the connection after so many
    /// bytes of the answer, its length included.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).cut(7);
    /// ```
    pub fn cut(self, bytes: usize) -> Fault {
        self.delivered(Delivery::Cut(bytes))
    }

    /// Ends the sentence: no answer to this and to all later requests of the connection, which
    /// stays open.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).never_answer();
    /// cluster.on(Api::Produce).after_handling().never_answer();
    /// ```
    pub fn never_answer(self) -> Fault {
        self.delivered(Delivery::Silence)
    }

    /// Ends the sentence: these bytes instead of an answer, without a length in front.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::ApiVersions).garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    /// ```
    pub fn garbage(self, bytes: &[u8]) -> Fault {
        self.delivered(Delivery::Raw(bytes.to_vec()))
    }

    /// Ends the sentence: the true answer, with `added` added to its correlation id.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).wrong_correlation_id(1);
    /// ```
    pub fn wrong_correlation_id(self, added: i32) -> Fault {
        self.delivered(Delivery::WrongCorrelationId(added))
    }

    /// Ends the sentence: an answer whose header is right and whose body the test makes.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// // An array of 2^31 - 1 topics in an answer of a few bytes.
    /// cluster.on(Api::Produce).body(|_request| vec![0x7f, 0xff, 0xff, 0xff]);
    /// ```
    pub fn body(self, make: impl Fn(&MockRequest) -> Vec<u8> + Send + Sync + 'static) -> Fault {
        self.delivered(Delivery::Body(Arc::new(make)))
    }

    fn effect(mut self, effect: Effect) -> Fault {
        self.rule.plan.effect = Some(effect);
        self.start()
    }

    fn delivered(mut self, delivery: Delivery) -> Fault {
        self.rule.plan.delivery = delivery;
        self.start()
    }

    fn start(self) -> Fault {
        let Self { shared, rule } = self;
        let number = shared.update(|state| state.faults.add(rule));
        Fault {
            shared: Arc::clone(shared),
            number,
        }
    }
}
