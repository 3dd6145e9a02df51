//! An embedded Kafka cluster for tests: real sockets on the loopback interface, plain threads, no
//! Java.
//!
//! [`MockCluster`] keeps everything in memory and answers what a producer asks: ApiVersions, SASL
//! PLAIN, Metadata, InitProducerId, FindCoordinator and Produce, in every version that this crate
//! speaks. It checks what a real broker checks, in the same order: leaders, in-sync replicas,
//! sizes, CRCs, sequence numbers of idempotent producers. Tests look at the
//! [records](MockCluster::records) that arrived and the [requests](MockCluster::requests) that were
//! made, and script [faults](MockCluster::on).
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
//! It does not fetch, does not keep transactions apart and does not speak TLS. What it misses of a
//! cluster's own life, tests do themselves: [`move_leader`](MockCluster::move_leader),
//! [`stop_broker`](MockCluster::stop_broker), [`set_isr`](MockCluster::set_isr). All brokers share
//! the logs of the partitions, so nothing is lost when a leader moves.
//!
//! Methods panic if a topic, a partition or a broker is named that is not there: that is a mistake
//! of the test.

mod admin;
mod arrival;
mod check;
mod exchange;
mod facts;
mod faults;
mod handlers;
mod log;
mod metadata;
mod produce;
mod sasl;
mod script;
mod server;
mod state;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

pub use facts::{Api, MockBatch, MockConnection, MockProduce, MockRecord, MockRequest};
pub use log::FirstSequence;
pub use script::{Fault, Gate, On};

use crate::sync::Arc;
use crate::time::{Deadline, human};
use server::{Port, Server};
use state::{Connection, HOST, Mood, Node, Shared};

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
    pub fn bootstrap(&self) -> String {
        let addresses = |nodes: &[Node]| -> Vec<String> { nodes.iter().map(address).collect() };
        self.shared.read(|state| addresses(&state.nodes)).join(",")
    }

    /// The address of a broker.
    #[track_caller]
    pub fn address(&self, node: i32) -> String {
        let address = self.shared.read(|state| state.node(node).map(address));
        address.unwrap_or_else(|| no_broker(node))
    }

    /// Stops a broker: its port refuses connections, those that it has are closed. Metadata shows
    /// its partitions without a leader, until it starts again or the test
    /// [moves](Self::move_leader) them.
    ///
    /// ```
    /// # use milena::mock::MockCluster;
    /// # use std::net::TcpStream;
    /// let cluster = MockCluster::start(1);
    /// cluster.stop_broker(1);
    /// assert!(TcpStream::connect(cluster.address(1)).is_err());
    /// cluster.start_broker(1);
    /// assert!(TcpStream::connect(cluster.address(1)).is_ok());
    /// ```
    #[track_caller]
    pub fn stop_broker(&self, node: i32) {
        self.server(node).stop();
    }

    /// Starts a broker that was stopped, on the same port and with all records.
    ///
    /// # Panics
    ///
    /// If its port is taken by somebody else.
    #[track_caller]
    pub fn start_broker(&self, node: i32) {
        if let Err(error) = self.server(node).restart() {
            panic!("mock broker {node} cannot have its port again: {error}");
        }
    }

    /// A broker does nothing any more, as if its process was stopped by a signal: connections come
    /// about and bytes fill the buffers of the system, but nothing is read. It goes on after
    /// [`thaw_broker`](Self::thaw_broker).
    ///
    /// ```
    /// let cluster = milena::mock::MockCluster::start(2);
    /// cluster.freeze_broker(2);
    /// cluster.thaw_broker(2);
    /// ```
    #[track_caller]
    pub fn freeze_broker(&self, node: i32) {
        self.set_mood(node, Mood::Frozen);
    }

    /// A broker reads all requests, but neither handles nor answers them. Connections that were
    /// disappointed stay silent for good; after [`thaw_broker`](Self::thaw_broker) new ones are
    /// well.
    #[track_caller]
    pub fn mute_broker(&self, node: i32) {
        self.set_mood(node, Mood::Mute);
    }

    /// Ends [`freeze_broker`](Self::freeze_broker) and [`mute_broker`](Self::mute_broker).
    #[track_caller]
    pub fn thaw_broker(&self, node: i32) {
        self.set_mood(node, Mood::Well);
    }

    /// Closes all connections of a broker, which goes on accepting new ones.
    #[track_caller]
    pub fn disconnect(&self, node: i32) {
        self.server(node);
        self.shared.update(|state| state.close_all(node));
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
    pub fn cancel_faults(&self) {
        self.shared.update(|state| state.faults.cancel_all());
    }

    /// A closed gate for [`On::hold`].
    pub fn gate(&self) -> Gate {
        Gate::new(&self.shared)
    }

    /// The records of a partition, by offset. Those of compressed batches are not listed; the
    /// [end offset](Self::end_offset) counts them.
    #[track_caller]
    pub fn records(&self, topic: &str, partition: i32) -> Vec<MockRecord> {
        self.partition(topic, partition, |partition| partition.log.records())
    }

    /// The offset that the next record of a partition gets: the number of its records, compressed
    /// or not.
    #[track_caller]
    pub fn end_offset(&self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition, |partition| partition.log.end_offset())
    }

    /// All requests that were read, in the order in which they came.
    pub fn requests(&self) -> Vec<MockRequest> {
        self.shared.read(|state| state.requests.clone())
    }

    /// Forgets the [requests](Self::requests) that were made so far.
    pub fn forget_requests(&self) {
        self.shared.update(|state| state.requests.clear());
    }

    /// All connections that were accepted, by id.
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

    #[track_caller]
    fn server(&self, node: i32) -> &Server {
        let mut servers = self.servers.iter();
        let server = servers.find(|server| server.node() == node);
        server.unwrap_or_else(|| no_broker(node))
    }

    #[track_caller]
    fn set_mood(&self, node: i32, mood: Mood) {
        self.server(node);
        self.shared.update(|state| {
            if let Some(node) = state.node_mut(node) {
                node.mood = mood;
            }
        });
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
