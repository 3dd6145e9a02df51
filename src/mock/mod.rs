//! An embedded Kafka cluster for tests: real sockets on the loopback interface, plain threads, no
//! Java.
//!
//! [`MockCluster`] keeps everything in memory and answers what a producer asks: ApiVersions, SASL
//! (PLAIN, SCRAM, OAUTHBEARER), Metadata, InitProducerId, FindCoordinator, DescribeConfigs and
//! Produce, in every version that this crate speaks. It checks what a real broker checks, in the
//! same order: leaders, in-sync replicas, sizes, CRCs, sequence numbers of idempotent producers.
//! Tests look at the [records](MockCluster::records) that arrived and the
//! [requests](MockCluster::requests) that were made, and script [faults](MockCluster::on).
//!
//! ```
//! use milena::mock::MockCluster;
//!
//! let cluster = MockCluster::start(3);
//! cluster.create_topic("orders", 6);
//! // A producer would be given this:
//! assert_eq!(cluster.bootstrap().split(',').count(), 3);
//! assert!(cluster.records("orders", 0).is_empty());
//! ```
//!
//! # A test with a fault
//!
//! ```
//! use std::time::Duration;
//!
//! use milena::mock::{Api, MockCluster};
//! use milena::{Config, Producer, Record};
//!
//! let cluster = MockCluster::start(2);
//! cluster.create_topic("orders", 1);
//! // The record is written, but the client does not hear of it.
//! let lost = cluster.on(Api::Produce).after_handling().disconnect();
//!
//! let producer = Producer::new(Config::new(cluster.bootstrap()).idempotence(true))?;
//! let delivery = producer.send(Record::to("orders").key("customer-7").value("3 apples"));
//! assert_eq!(delivery.wait()?.offset(), Some(0));
//!
//! assert!(lost.wait_for_hits(1, Duration::from_secs(5)));
//! // It was sent twice and is there once.
//! let sent = cluster.requests().iter().filter(|request| request.is(Api::Produce)).count();
//! assert_eq!((sent, cluster.records("orders", 0).len()), (2, 1));
//! # Ok::<(), milena::Error>(())
//! ```
//!
//! # How far it is like Kafka
//!
//! Its answers are compared with Kafka's (4.3, 3.9, 2.1) by this crate's own tests: error codes,
//! offsets, the contents of logs, and when a connection is closed. What it does otherwise:
//!
//! - Compressed batches are read by the codecs that are built in. A batch of another codec is
//!   refused with UNKNOWN_SERVER_ERROR, like one that is damaged.
//! - There are no transactions: a transactional id gets its producer id, and batches of a
//!   transaction are refused with INVALID_TXN_STATE. There are no consumers and no TLS. Permissions
//!   are the same for everybody: [`deny_write`](MockCluster::deny_write).
//! - It has no life of its own. If a broker stops, no other leads its partitions and none leaves
//!   the in-sync replicas, until the test says so: [`move_leader`](MockCluster::move_leader),
//!   [`set_isr`](MockCluster::set_isr). Nothing expires.
//! - All brokers share the logs of the partitions: nothing is lost when a leader moves, and
//!   `acks=all` waits for nobody.
//!
//! Methods panic if a topic, a partition or a broker is named that is not there: that is a mistake
//! of the test.

mod admin;
mod arrival;
mod brokers;
mod check;
mod configs;
mod discard;
mod exchange;
mod facts;
mod faults;
mod handle;
mod handlers;
mod log;
mod metadata;
mod oauth;
mod permissions;
mod produce;
mod sasl;
#[cfg(feature = "scram")]
mod scram;
#[cfg(not(feature = "scram"))]
#[path = "scram_absent.rs"]
mod scram;
mod script;
mod server;
mod session;
mod state;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

pub use facts::{Api, MockBatch, MockConnection, MockProduce, MockRecord, MockRequest};
pub use handle::{Fault, Gate};
pub use log::FirstSequence;
pub use script::On;

use crate::sync::Arc;
use crate::time::{Deadline, human};
use server::{Port, Server};
use state::{Connection, HOST, Node, Shared};

/// An embedded Kafka cluster. Dropping it closes all sockets and ends all threads.
///
/// See the [module](self) for what it does. All methods take `&self`, so that threads can share it.
pub struct MockCluster {
    shared: Arc<Shared>,
    /// By id, which counts from 1.
    servers: Vec<Server>,
}

impl MockCluster {
    /// Starts so many brokers, with ids from 1, each on a port of its own.
    ///
    /// # Panics
    ///
    /// If `brokers` is not positive, or the system has no ports or threads left.
    ///
    /// ```
    /// let cluster = milena::mock::MockCluster::start(1);
    /// assert!(cluster.bootstrap().starts_with("127.0.0.1:"));
    /// ```
    #[track_caller]
    pub fn start(brokers: i32) -> Self {
        assert!(brokers > 0, "a cluster needs a broker");
        let take = |id| match Port::take() {
            Ok(port) => (id, port),
            Err(error) => panic!("no port for mock broker {id}: {error}"),
        };
        let ports: Vec<_> = (1..=brokers).map(take).collect();
        let nodes = ports.iter().map(|(id, port)| Node::new(*id, port.number));
        let shared = Arc::new(Shared::new(nodes.collect()));
        let ports = ports.into_iter();
        let servers = ports.map(|(id, port)| Server::start(&shared, id, port));
        Self {
            servers: servers.collect(),
            shared,
        }
    }

    /// The addresses of all brokers, running or not, as `bootstrap.servers` takes them.
    ///
    /// ```
    /// # use milena::{Config, Producer};
    /// let cluster = milena::mock::MockCluster::start(3);
    /// let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn bootstrap(&self) -> String {
        let addresses = |nodes: &[Node]| -> Vec<String> { nodes.iter().map(address).collect() };
        self.shared.read(|state| addresses(&state.nodes)).join(",")
    }

    /// The address of a broker.
    ///
    /// ```
    /// let cluster = milena::mock::MockCluster::start(2);
    /// assert_eq!(cluster.bootstrap(), [cluster.address(1), cluster.address(2)].join(","));
    /// ```
    #[track_caller]
    pub fn address(&self, node: i32) -> String {
        let address = self.shared.read(|state| state.node(node).map(address));
        address.unwrap_or_else(|| no_broker(node))
    }

    /// Begins to script a fault, see [`On`].
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # let cluster = MockCluster::start(1);
    /// cluster.on(Api::Produce).partition("t", 0).times(2).error(6); // NOT_LEADER_OR_FOLLOWER
    /// ```
    pub fn on(&self, api: Api) -> On<'_> {
        On::new(&self.shared, api)
    }

    /// Ends all faults that were scripted.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// let cluster = MockCluster::start(1);
    /// let refusals = cluster.on(Api::Produce).always().error(6); // NOT_LEADER_OR_FOLLOWER
    /// cluster.cancel_faults();
    /// assert_eq!(refusals.hits(), 0);
    /// ```
    pub fn cancel_faults(&self) {
        self.shared.update(|state| state.faults.cancel_all());
    }

    /// A closed gate for [`On::hold`].
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// let cluster = MockCluster::start(1);
    /// let gate = cluster.gate();
    /// cluster.on(Api::Produce).hold(&gate).answer();
    /// gate.open();
    /// ```
    pub fn gate(&self) -> Gate {
        Gate::new(&self.shared)
    }

    /// The records of a partition, by offset, compressed on their way or not.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # use milena::{Config, Producer, Record};
    /// let cluster = MockCluster::start(1);
    /// cluster.create_topic("t", 1);
    /// let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// producer.send(Record::to("t").key("k").value("v")).wait()?;
    /// let records = cluster.records("t", 0);
    /// assert_eq!(records[0].key.as_deref(), Some(&b"k"[..]));
    /// assert_eq!(records[0].offset, 0);
    /// # Ok::<(), milena::Error>(())
    /// ```
    #[track_caller]
    pub fn records(&self, topic: &str, partition: i32) -> Vec<MockRecord> {
        self.partition(topic, partition, |partition| partition.log.records())
    }

    /// The offset that the next record of a partition gets: the number of its records.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # use milena::{Config, Producer, Record};
    /// let cluster = MockCluster::start(1);
    /// cluster.create_topic("t", 1);
    /// let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// producer.send(Record::to("t").key("k").value("v")).wait()?;
    /// assert_eq!(cluster.end_offset("t", 0), 1);
    /// # Ok::<(), milena::Error>(())
    /// ```
    #[track_caller]
    pub fn end_offset(&self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition, |partition| partition.log.end_offset())
    }

    /// All requests that were read, in the order in which they came.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # use milena::{Config, Producer, Record};
    /// let cluster = MockCluster::start(1);
    /// cluster.create_topic("t", 1);
    /// let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// producer.send(Record::to("t").key("k").value("v")).wait()?;
    /// let requests = cluster.requests();
    /// let produce = requests.iter().find(|request| request.is(Api::Produce));
    /// assert_eq!(produce.unwrap().batches()[0].records, 1);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn requests(&self) -> Vec<MockRequest> {
        self.shared.read(|state| state.requests.clone())
    }

    /// Forgets the [requests](Self::requests) that were made so far.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # use milena::{Config, Producer, Record};
    /// let cluster = MockCluster::start(1);
    /// cluster.create_topic("t", 1);
    /// let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// producer.send(Record::to("t").key("k").value("v")).wait()?;
    /// cluster.forget_requests();
    /// assert!(!cluster.requests().iter().any(|request| request.is(Api::Produce)));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn forget_requests(&self) {
        self.shared.update(|state| state.requests.clear());
    }

    /// All connections that were accepted, by id.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # use milena::{Config, Producer, Record};
    /// let cluster = MockCluster::start(1);
    /// cluster.create_topic("t", 1);
    /// let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// producer.send(Record::to("t").key("k").value("v")).wait()?;
    /// assert!(cluster.connections().iter().any(|connection| connection.is_open));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn connections(&self) -> Vec<MockConnection> {
        let show = |(id, connection): (usize, &Connection)| MockConnection {
            id,
            node: connection.node,
            requests: connection.requests,
            is_open: connection.socket.is_some(),
        };
        let connections = |all: &[Connection]| all.iter().enumerate().map(show).collect();
        self.shared.read(|state| connections(&state.connections))
    }

    /// Waits until `met` is true of the cluster; `false` if `limit` passes first. It is asked again
    /// after each change.
    ///
    /// ```
    /// # use milena::mock::MockCluster;
    /// # use std::time::Duration;
    /// let cluster = MockCluster::start(1);
    /// let nobody = |cluster: &MockCluster| cluster.connections().is_empty();
    /// assert!(cluster.wait_for(Duration::from_secs(5), nobody));
    /// ```
    #[must_use]
    pub fn wait_for(&self, limit: Duration, mut met: impl FnMut(&Self) -> bool) -> bool {
        let until = Deadline::within(limit).at();
        self.shared.poll(until, || met(self))
    }

    /// Waits until `met` is true of the requests, and returns them.
    ///
    /// # Panics
    ///
    /// If `limit` passes first.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster, MockRequest};
    /// # use std::time::Duration;
    /// let cluster = MockCluster::start(1);
    /// # drop(std::net::TcpStream::connect(cluster.address(1)));
    /// let no_produce = |all: &[MockRequest]| !all.iter().any(|request| request.is(Api::Produce));
    /// cluster.wait_for_requests(Duration::from_secs(5), no_produce);
    /// ```
    #[track_caller]
    pub fn wait_for_requests(
        &self,
        limit: Duration,
        mut met: impl FnMut(&[MockRequest]) -> bool,
    ) -> Vec<MockRequest> {
        let mut seen = Vec::new();
        let is_met = self.wait_for(limit, |cluster| {
            seen = cluster.requests();
            met(&seen)
        });
        let last = &seen[seen.len().saturating_sub(5)..];
        let (limit, count) = (human(limit), seen.len());
        assert!(
            is_met,
            "not met after {limit} and {count} requests, the last being {last:#?}"
        );
        seen
    }

    /// Waits until a partition has so many records, and returns them.
    ///
    /// # Panics
    ///
    /// If `limit` passes first.
    ///
    /// ```
    /// # use milena::{Config, Producer, Record};
    /// # use std::time::Duration;
    /// let cluster = milena::mock::MockCluster::start(1);
    /// cluster.create_topic("t", 1);
    /// let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// producer.send_with(Record::to("t").value("v"), |_result| {});
    /// let records = cluster.wait_for_records("t", 0, 1, Duration::from_secs(5));
    /// assert_eq!(records[0].value.as_deref(), Some(&b"v"[..]));
    /// # Ok::<(), milena::Error>(())
    /// ```
    #[track_caller]
    pub fn wait_for_records(
        &self,
        topic: &str,
        partition: i32,
        count: usize,
        limit: Duration,
    ) -> Vec<MockRecord> {
        let has_all = |cluster: &Self| cluster.records(topic, partition).len() >= count;
        let is_met = self.wait_for(limit, has_all);
        let records = self.records(topic, partition);
        let (limit, found) = (human(limit), records.len());
        assert!(
            is_met,
            "{found} of {count} records in {topic}-{partition} after {limit}"
        );
        records
    }
}

impl fmt::Debug for MockCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("MockCluster");
        shown
            .field("bootstrap", &self.bootstrap())
            .finish_non_exhaustive()
    }
}

fn address(node: &Node) -> String {
    format!("{HOST}:{}", node.port)
}

#[track_caller]
fn no_broker(node: i32) -> ! {
    panic!("the cluster has no broker {node}")
}
