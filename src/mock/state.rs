//! Everything that a cluster knows. One lock guards all of it; no I/O happens under that lock.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Shutdown, TcpStream};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::facts::{Api, MockRequest};
use super::faults::Faults;
use super::log::{FirstSequence, PartitionLog};
use super::oauth::{Bearer, Bearers};
use super::permissions::Denied;
use super::scram::{Exchange, Users};
use super::session::Session;
use crate::sync::{Arc, Condvar, Mutex};
use crate::wire::TopicId;
use crate::wire::metadata::MetadataBroker;

/// The state and the news that it changed.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

pub(super) struct State {
    /// By id, which counts from 1.
    pub(super) nodes: Vec<Node>,
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) settings: Settings,
    /// What metadata answers show instead of the present, while they are frozen.
    pub(super) frozen_view: Option<View>,
    pub(super) faults: Faults,
    pub(super) gates: Vec<GateState>,
    pub(super) requests: Vec<MockRequest>,
    /// By id.
    pub(super) connections: Vec<Connection>,
    next_producer_id: i64,
    pub(super) transactional: BTreeMap<String, Identity>,
    topics_created: u32,
    changes: u64,
}

/// What a transactional id has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    /// The epoch that a client gave for this one; it may ask again, if it has lost the answer.
    pub(super) previous_epoch: Option<i16>,
}

pub(super) struct Settings {
    /// The partitions of topics that are created because somebody asked for them; `None` if they
    /// are not.
    pub(super) auto_create: Option<i32>,
    pub(super) first_sequence: FirstSequence,
    pub(super) forgets_records: bool,
    /// New connections are served without a look at their records, and no request is listed.
    pub(super) discards: bool,
    pub(super) denies_idempotent_write: bool,
    pub(super) cluster_id: String,
    /// Passwords by user, for PLAIN.
    pub(super) sasl_plain: BTreeMap<String, String>,
    pub(super) sasl_scram: Users,
    pub(super) sasl_oauthbearer: Bearers,
    /// What clients are told that their logins last.
    pub(super) session_lifetime_ms: i64,
}

impl Settings {
    /// Whether there is anybody who could authenticate; else nobody has to.
    pub(super) fn wants_logins(&self) -> bool {
        let has_users = !self.sasl_plain.is_empty() || !self.sasl_scram.known.is_empty();
        has_users || self.sasl_oauthbearer.is_offered
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: i32,
    pub(super) port: u16,
    /// What clients are told instead of the true address.
    pub(super) advertised: Option<(String, i32)>,
    pub(super) rack: Option<String>,
    pub(super) is_running: bool,
    pub(super) mood: Mood,
    /// What ApiVersions answers; an API that is not here is refused.
    pub(super) versions: BTreeMap<Api, RangeInclusive<i16>>,
}

/// How a running broker behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Reads and does nothing, as if the process was stopped.
    Frozen,
    /// Reads, but neither handles nor answers.
    Mute,
    /// Reads so many bytes at a time, with a pause after them.
    Slow {
        bytes: usize,
        pause: Duration,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Topic<Log = PartitionLog> {
    pub(super) id: TopicId,
    pub(super) partitions: Vec<Partition<Log>>,
    pub(super) max_message_bytes: usize,
    pub(super) has_log_append_time: bool,
    pub(super) is_compacted: bool,
    pub(super) timestamps: TimestampLimits,
    pub(super) min_isr: usize,
    pub(super) denied: Denied,
}

/// How far a timestamp of a producer may be from the broker's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimestampLimits {
    pub(super) before: Duration,
    pub(super) after: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Partition<Log = PartitionLog> {
    pub(super) leader: i32,
    pub(super) leader_epoch: i32,
    pub(super) replicas: Vec<i32>,
    pub(super) isr: Vec<i32>,
    pub(super) log: Log,
}

/// What metadata answers show: brokers, topics without their records.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) brokers: Vec<MetadataBroker>,
    pub(super) topics: BTreeMap<String, Topic<()>>,
}

#[derive(Debug, Default)]
pub(super) struct GateState {
    pub(super) is_open: bool,
    /// How many requests wait at it.
    pub(super) held: usize,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) node: i32,
    /// `None` once the broker closed it.
    pub(super) socket: Option<Arc<TcpStream>>,
    pub(super) requests: usize,
    pub(super) unanswered: usize,
    pub(super) login: Login,
    /// Whose tokens come next; PLAIN's if there is none.
    pub(super) scram: Option<Exchange>,
    pub(super) bearer: Option<Bearer>,
    pub(super) session: Session,
}

/// How far a connection has come with SASL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    NotNeeded,
    Needed,
    /// Needed, and the broker's versions were told.
    VersionsTold,
    MechanismChosen,
    /// The next frame is a token without a header, since the handshake had version 0.
    BareTokenNext,
    Done,
}

/// Kafka's default for `max.message.bytes` of a topic.
const MAX_MESSAGE_BYTES: usize = 1_048_588;
/// Kafka's default for `message.timestamp.after.max.ms` of a topic, since 4.0.
const TIMESTAMP_AFTER_MAX: Duration = Duration::from_secs(3600);
/// Kafka's usual replication factor.
const REPLICAS_MAX: usize = 3;
const CLUSTER_ID: &str = "mock-cluster";
pub(super) const HOST: &str = "127.0.0.1";

impl Shared {
    pub(super) fn new(nodes: Vec<Node>) -> Self {
        Self {
            state: Mutex::new(State::new(nodes)),
            changed: Condvar::new(),
        }
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.lock())
    }

    /// Changes the state and tells everybody who waits.
    pub(super) fn update<T>(&self, update: impl FnOnce(&mut State) -> T) -> T {
        let result = {
            let mut state = self.state.lock();
            state.changes += 1;
            update(&mut state)
        };
        self.changed.notify_all();
        result
    }

    /// Waits for `found` to find something in the state, until `until` at most.
    pub(super) fn wait<T>(
        &self,
        until: Option<Instant>,
        mut found: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.state.lock();
        loop {
            if let Some(found) = found(&mut state) {
                return Some(found);
            }
            if until.is_some_and(|until| until <= crate::time::now()) {
                return None;
            }
            state = self.changed.wait(state, until);
        }
    }

    /// Asks `met` again after each change, without the lock, until it holds or `until` has passed.
    pub(super) fn poll(&self, until: Option<Instant>, mut met: impl FnMut() -> bool) -> bool {
        let mut seen = self.read(|state| state.changes);
        loop {
            if met() {
                return true;
            }
            let newer = |state: &mut State| (state.changes != seen).then_some(state.changes);
            match self.wait(until, newer) {
                Some(changes) => seen = changes,
                None => return false,
            }
        }
    }
}

impl fmt::Debug for Shared {
    /// Shows nothing of the state: there is much of it, with passwords in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl State {
    fn new(nodes: Vec<Node>) -> Self {
        Self {
            nodes,
            topics: BTreeMap::new(),
            settings: Settings {
                auto_create: Some(1),
                first_sequence: FirstSequence::default(),
                forgets_records: false,
                discards: false,
                denies_idempotent_write: false,
                cluster_id: CLUSTER_ID.to_owned(),
                sasl_plain: BTreeMap::new(),
                sasl_scram: Users::default(),
                sasl_oauthbearer: Bearers::default(),
                session_lifetime_ms: 0,
            },
            frozen_view: None,
            faults: Faults::default(),
            gates: Vec::new(),
            requests: Vec::new(),
            connections: Vec::new(),
            next_producer_id: 1000,
            transactional: BTreeMap::new(),
            topics_created: 0,
            changes: 0,
        }
    }

    pub(super) fn node(&self, id: i32) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    pub(super) fn node_mut(&mut self, id: i32) -> Option<&mut Node> {
        self.nodes.iter_mut().find(|node| node.id == id)
    }

    pub(super) fn is_running(&self, id: i32) -> bool {
        self.node(id).is_some_and(|node| node.is_running)
    }

    /// The mood of the broker that a connection leads to, `None` once it is closed.
    pub(super) fn mood_of(&self, connection: usize) -> Option<Mood> {
        let connection = self.connections.get(connection)?;
        connection.socket.as_ref()?;
        self.node(connection.node).map(|node| node.mood)
    }

    /// Creates a topic whose leaders are spread over the brokers, unless it exists.
    pub(super) fn create_topic(&mut self, name: &str, partitions: i32) {
        if self.topics.contains_key(name) {
            return;
        }
        self.topics_created += 1;
        let mut id = TopicId::default();
        id[..4].copy_from_slice(b"mock");
        id[12..].copy_from_slice(&self.topics_created.to_be_bytes());
        let partitions = (0..partitions).map(|index| self.partition(index)).collect();
        let topic = Topic {
            id,
            partitions,
            max_message_bytes: MAX_MESSAGE_BYTES,
            has_log_append_time: false,
            is_compacted: false,
            timestamps: TimestampLimits {
                before: Duration::MAX,
                after: TIMESTAMP_AFTER_MAX,
            },
            min_isr: 1,
            denied: Denied::default(),
        };
        self.topics.insert(name.to_owned(), topic);
    }

    pub(super) fn partition(&self, index: i32) -> Partition {
        let nodes = self.nodes.len();
        let first = usize::try_from(index).unwrap_or(0);
        let replicas =
            (0..nodes.min(REPLICAS_MAX)).map(|next| self.nodes[(first + next) % nodes].id);
        let replicas: Vec<_> = replicas.collect();
        Partition {
            leader: replicas.first().copied().unwrap_or(-1),
            leader_epoch: 0,
            isr: replicas.clone(),
            replicas,
            log: PartitionLog::default(),
        }
    }

    pub(super) fn partition_mut(&mut self, topic: &str, index: i32) -> Option<&mut Partition> {
        let topic = self.topics.get_mut(topic)?;
        topic.partitions.get_mut(usize::try_from(index).ok()?)
    }

    pub(super) fn fresh_producer_id(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id - 1
    }

    pub(super) fn topic_name(&self, id: &TopicId) -> Option<&str> {
        let mut topics = self.topics.iter();
        let found = topics.find(|(_, topic)| topic.id == *id);
        found.map(|(name, _)| name.as_str())
    }

    /// What metadata shows now.
    pub(super) fn view(&self) -> View {
        let running = self.nodes.iter().filter(|node| node.is_running);
        let topics = self.topics.iter();
        View {
            brokers: running.map(Node::as_broker).collect(),
            topics: topics
                .map(|(name, topic)| (name.clone(), topic.without_log()))
                .collect(),
        }
    }

    /// Forgets the connection's socket and ends what waits for it; the caller drops the socket.
    pub(super) fn close(&mut self, connection: usize) {
        let socket = self
            .connections
            .get_mut(connection)
            .and_then(|connection| connection.socket.take());
        if let Some(socket) = socket {
            // It fails if the client was faster, which is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// A new term for the partitions that this broker leads.
    pub(super) fn elect_again(&mut self, node: i32) {
        let partitions = self
            .topics
            .values_mut()
            .flat_map(|topic| &mut topic.partitions);
        for partition in partitions.filter(|partition| partition.leader == node) {
            partition.leader_epoch += 1;
        }
    }

    pub(super) fn close_all(&mut self, node: i32) {
        for id in 0..self.connections.len() {
            if self.connections[id].node == node {
                self.close(id);
            }
        }
    }
}

impl Node {
    pub(super) fn new(id: i32, port: u16) -> Self {
        let apis = Api::ALL.into_iter();
        Self {
            id,
            port,
            advertised: None,
            rack: None,
            is_running: true,
            mood: Mood::Well,
            versions: apis.map(|api| (api, api.advertised_versions())).collect(),
        }
    }

    /// Whether it handles this version; else it hangs up.
    pub(super) fn takes(&self, api: Api, version: i16) -> bool {
        let advertised = self.versions.get(&api);
        advertised.is_some_and(|range| range.contains(&version))
            && api.known_versions().contains(&version)
    }

    pub(super) fn as_broker(&self) -> MetadataBroker {
        let (host, port) = self.told_address();
        MetadataBroker {
            node_id: self.id,
            host,
            port,
            rack: self.rack.clone(),
        }
    }

    /// The address that clients are told.
    pub(super) fn told_address(&self) -> (String, i32) {
        let own = || (HOST.to_owned(), self.port.into());
        self.advertised.clone().unwrap_or_else(own)
    }
}

impl Topic {
    fn without_log(&self) -> Topic<()> {
        let partitions = self.partitions.iter().map(|partition| Partition {
            leader: partition.leader,
            leader_epoch: partition.leader_epoch,
            replicas: partition.replicas.clone(),
            isr: partition.isr.clone(),
            log: (),
        });
        Topic {
            id: self.id,
            partitions: partitions.collect(),
            max_message_bytes: self.max_message_bytes,
            has_log_append_time: self.has_log_append_time,
            is_compacted: self.is_compacted,
            timestamps: self.timestamps,
            min_isr: self.min_isr,
            denied: self.denied,
        }
    }
}
