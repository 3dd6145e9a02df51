//! What becomes of whole brokers: down and up again, frozen, mute.

use std::time::Duration;

use super::server::Server;
use super::state::Mood;
use super::{MockCluster, no_broker};

impl MockCluster {
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
    ///
    /// ```
    /// let cluster = milena::mock::MockCluster::start(2);
    /// let address = cluster.address(2);
    /// cluster.stop_broker(2);
    /// cluster.start_broker(2);
    /// assert_eq!(cluster.address(2), address);
    /// ```
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
    ///
    /// ```
    /// let cluster = milena::mock::MockCluster::start(2);
    /// cluster.mute_broker(1); // Requests to it time out.
    /// cluster.thaw_broker(1);
    /// ```
    #[track_caller]
    pub fn mute_broker(&self, node: i32) {
        self.set_mood(node, Mood::Mute);
    }

    /// A broker reads slowly: so many bytes at a time from each connection, with a pause after
    /// them.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let cluster = milena::mock::MockCluster::start(1);
    /// cluster.slow_broker(1, 1000, Duration::from_millis(10)); // 100 kB a second
    /// cluster.thaw_broker(1);
    /// ```
    ///
    /// # Panics
    ///
    /// If `bytes` is 0.
    #[track_caller]
    pub fn slow_broker(&self, node: i32, bytes: usize, pause: Duration) {
        assert!(bytes > 0, "a broker that reads nothing is frozen");
        self.set_mood(node, Mood::Slow { bytes, pause });
    }

    /// Ends [`freeze_broker`](Self::freeze_broker), [`mute_broker`](Self::mute_broker) and
    /// [`slow_broker`](Self::slow_broker).
    ///
    /// ```
    /// let cluster = milena::mock::MockCluster::start(1);
    /// cluster.freeze_broker(1);
    /// cluster.thaw_broker(1);
    /// ```
    #[track_caller]
    pub fn thaw_broker(&self, node: i32) {
        self.set_mood(node, Mood::Well);
    }

    /// Closes all connections of a broker, which goes on accepting new ones.
    ///
    /// ```
    /// # use milena::mock::{Api, MockCluster};
    /// # use milena::{Config, Producer, Record};
    /// let cluster = MockCluster::start(1);
    /// cluster.create_topic("t", 1);
    /// let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// producer.send(Record::to("t").key("k").value("v")).wait()?;
    /// cluster.disconnect(1);
    /// assert!(cluster.connections().iter().all(|connection| !connection.is_open));
    /// # Ok::<(), milena::Error>(())
    /// ```
    #[track_caller]
    pub fn disconnect(&self, node: i32) {
        self.server(node);
        self.shared.update(|state| state.close_all(node));
    }

    /// The rack that metadata names for a broker, as its `broker.rack`. Defaults to none.
    ///
    /// ```
    /// let cluster = milena::mock::MockCluster::start(2);
    /// cluster.set_rack(1, "zone-a");
    /// cluster.set_rack(2, "zone-b");
    /// ```
    #[track_caller]
    pub fn set_rack(&self, node: i32, rack: &str) {
        let known = self.shared.update(|state| {
            state.node_mut(node)?.rack = Some(rack.to_owned());
            Some(())
        });
        known.unwrap_or_else(|| no_broker(node));
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
