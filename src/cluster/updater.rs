//! The cluster thread: fetches metadata when it is wished for or too old, and routes partitions to
//! their leaders.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Due, News, PartitionInfo};
use super::{identity, view};
use crate::accumulator::partition::Partition;
use crate::accumulator::state::Route;
use crate::accumulator::topic::{Denial, Topic};
use crate::broker::{Core, port};
use crate::conn::{Address, Connection, Interrupt};
use crate::error::{Error, ErrorKind};
use crate::survive::survive;
use crate::sync::Arc;
use crate::time::{self, Backoff, Deadline};
use crate::wire::codes::Code;
use crate::wire::metadata::{MetadataPartition, MetadataRequest, MetadataResponse, MetadataTopic};

pub(crate) struct Updater {
    core: Arc<Core>,
    interrupt: Arc<Interrupt>,
    connection: Option<(Connection, Instant)>,
    /// The brokers of the last answer.
    known: Vec<Address>,
    /// Attempts in a row that left somebody waiting.
    in_vain: u32,
    last_attempt: Option<Instant>,
    last_success: Option<Instant>,
    /// When somebody was last seen to send to a topic.
    used: HashMap<Arc<str>, Instant>,
    /// Where in the list of addresses the next attempt starts.
    turn: usize,
}

impl Updater {
    pub(crate) fn new(core: Arc<Core>, interrupt: Arc<Interrupt>) -> Self {
        let turn = (time::jitter() * 1024.0) as usize;
        Self {
            core,
            interrupt,
            connection: None,
            known: Vec::new(),
            in_vain: 0,
            last_attempt: None,
            last_success: None,
            used: HashMap::new(),
            turn,
        }
    }

    /// Runs until the wishes are closed.
    pub(crate) fn run(mut self) {
        while survive("the cluster thread", || self.work()).is_none() {
            // Who waits is answered by another attempt, not at once.
            self.connection = None;
            self.in_vain = self.in_vain.saturating_add(1);
            self.core.wishes.refresh();
        }
    }

    fn work(&mut self) {
        loop {
            let idle = self.idle_until();
            let due = self
                .core
                .wishes
                .next([self.age_until(), idle].into_iter().flatten().min());
            match due {
                Due::Closed => return,
                Due::TimedOut if idle.is_some_and(|idle| idle <= time::now()) => {
                    self.connection = None;
                }
                Due::TimedOut => {}
                Due::Refresh if !self.rest() => return,
                Due::Refresh => {}
            }
            let is_aged = self.age_until().is_some_and(|age| age <= time::now());
            if due == Due::Refresh || is_aged {
                self.refresh();
            }
        }
    }

    fn idle_until(&self) -> Option<Instant> {
        let (_, used) = self.connection.as_ref()?;
        time::after(*used, self.core.config.connections_max_idle?)
    }

    /// When the metadata of topics in use is too old.
    fn age_until(&self) -> Option<Instant> {
        let has_topics = self
            .core
            .accumulator
            .topics()
            .iter()
            .any(|topic| !topic.is_dormant());
        let last = self.last_success.filter(|_| has_topics)?;
        let age = time::after(last, self.core.config.metadata_max_age)?;
        match self.last_attempt {
            // An attempt that failed when it was due is followed by the back-off, not by the next
            // loop.
            Some(attempt) if attempt > last => Some(age.max(time::after(attempt, self.pause())?)),
            _ => Some(age),
        }
    }

    fn pause(&self) -> Duration {
        let config = &self.core.config;
        let backoff = Backoff {
            base: config.retry_backoff,
            max: config.retry_backoff_max,
        };
        backoff.delay(self.in_vain.max(1), time::jitter())
    }

    /// Keeps the distance between requests; false if the producer was closed meanwhile.
    fn rest(&self) -> bool {
        let Some(last) = self.last_attempt else {
            return true;
        };
        let shortest = self.core.config.retry_backoff;
        let urgent_from = match self.in_vain {
            0 => Some(last),
            _ => time::after(last, shortest),
        };
        let until = time::after(last, self.pause());
        self.core.wishes.rest(until, urgent_from)
    }

    fn refresh(&mut self) {
        let mut topics = self.core.wishes.begin();
        let wanted = topics.len();
        for topic in self.core.accumulator.topics() {
            let name = topic.name();
            if self.is_in_use(&topic) && !topics[..wanted].iter().any(|known| **known == **name) {
                topics.push(name.to_string());
            }
        }
        if topics.is_empty() {
            return;
        }
        self.last_attempt = Some(time::now());
        #[cfg(test)]
        crate::survive::trap::here(&self.core.config.client_id, "refreshed");
        match self.fetch(topics.clone()) {
            Ok(response) => {
                self.core.metrics.metadata_requests.add(1);
                self.last_success = Some(time::now());
                self.apply(&response, &topics);
                self.see_to_identity();
            }
            Err(error) => self.failed(&error),
        }
    }

    /// False once nobody has sent to the topic for `metadata.max.idle.ms` (KIP-526).
    fn is_in_use(&mut self, topic: &Arc<Topic>) -> bool {
        let now = time::now();
        let used = self.used.entry(topic.name().clone()).or_insert(now);
        if topic.take_used() || topic.view().all().any(|partition| partition.has_batches()) {
            // A send may have found the topic in use just before it was declared dormant: what it
            // left counts.
            *used = now;
            return true;
        }
        if now.saturating_duration_since(*used) >= self.core.config.metadata_max_idle {
            topic.set_dormant();
            if self.core.accumulator.forget(topic) {
                self.used.remove(topic.name());
            }
        }
        !topic.is_dormant()
    }

    /// Nobody could be asked.
    pub(crate) fn failed(&mut self, error: &Error) {
        match error.is_lasting() && self.in_vain == 0 {
            true => log::warn!("no metadata until this is mended: {error}"),
            false => log::debug!("no metadata: {error}"),
        }
        self.in_vain = self.in_vain.saturating_add(1);
        let is_lasting = error.is_lasting();
        self.core.wishes.publish(|_| {
            Some(match is_lasting {
                true => News::Denied(error.clone()),
                false => News::NotYet(error.clone()),
            })
        });
        let mut has_demand = self.core.wishes.has_waiting();
        for topic in self.core.accumulator.topics() {
            for partition in topic
                .view()
                .all()
                .filter(|partition| partition.has_batches())
            {
                has_demand = true;
                if !partition.has_leader() {
                    partition.set_trouble(error.clone());
                }
            }
        }
        // With nobody waiting there is no hurry: the next send, or the age, asks again.
        if has_demand {
            self.core.wishes.refresh();
        } else {
            self.core
                .accumulator
                .topics()
                .iter()
                .for_each(|topic| topic.set_dormant());
        }
    }

    /// Asks the brokers that are known, then the bootstrap servers, until one answers.
    fn fetch(&mut self, topics: Vec<String>) -> Result<MetadataResponse, Error> {
        let request = MetadataRequest {
            topics: Some(topics),
            allow_auto_topic_creation: self.core.config.allow_auto_create_topics,
        };
        let mut errors: Vec<Error> = Vec::new();
        if let Some((mut connection, _)) = self.connection.take()
            && !connection.has_hung_up()
        {
            match self.ask(&mut connection, &request) {
                Ok(response) => return Ok(self.keep(connection, response)),
                Err(error) => errors.push(error),
            }
        }
        for address in self.candidates() {
            let config = &self.core.config;
            // Who was known is of no use once a broker says so (KIP-1102).
            let is_outdated = errors.iter().any(wants_rebootstrap);
            if is_outdated && !config.bootstrap_servers.contains(&address) {
                continue;
            }
            let setup = Deadline::within(config.connection_setup_timeout);
            let opened = self.core.connector.open(&address, &self.interrupt, setup);
            let answered = opened.and_then(|mut connection| {
                let response = self.ask(&mut connection, &request)?;
                Ok((connection, response))
            });
            match answered {
                Ok((connection, response)) => return Ok(self.keep(connection, response)),
                Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
                Err(error) => errors.push(error),
            }
        }
        if errors.iter().any(wants_rebootstrap) {
            self.known.clear();
        }
        Err(unreachable_brokers(errors))
    }

    /// Asks for a producer id where one is wanted (KIP-98); any broker gives one.
    fn see_to_identity(&mut self) {
        let identities = self.core.accumulator.identities();
        if !self.core.config.idempotence || !identities.is_wanted() {
            return;
        }
        let Some((connection, used)) = &mut self.connection else {
            return;
        };
        match identity::fetch(connection, self.core.config.request_timeout) {
            Ok(identity) => {
                *used = time::now();
                log::debug!(
                    "producer id {}, epoch {}",
                    identity.producer_id,
                    identity.epoch
                );
                identities.set(identity);
            }
            Err(error) if identity::may_pass(&error) => {
                log::debug!("no producer id yet: {error}");
                identities.set_trouble(error);
                self.connection = None;
                self.turn = self.turn.wrapping_add(1);
                self.in_vain = self.in_vain.saturating_add(1);
                self.core.wishes.refresh();
            }
            Err(error) => identities.deny(error),
        }
    }

    fn ask(
        &self,
        connection: &mut Connection,
        request: &MetadataRequest,
    ) -> Result<MetadataResponse, Error> {
        let deadline = Deadline::within(self.core.config.request_timeout);
        let response = connection.call(request, deadline)?;
        match response.error {
            code if code.is_ok() => Ok(response),
            code => Err(
                Error::new(ErrorKind::Broker, format!("{code}: {}", code.meaning()))
                    .with_code(code.0)
                    .context(format!("metadata from {}", connection.address())),
            ),
        }
    }

    fn keep(&mut self, connection: Connection, response: MetadataResponse) -> MetadataResponse {
        self.connection = Some((connection, time::now()));
        response
    }

    /// Every address once, those of the last answer first, each round starting at the next.
    fn candidates(&mut self) -> Vec<Address> {
        self.turn = self.turn.wrapping_add(1);
        let mut all = self.known.clone();
        let mut bootstrap = self.core.config.bootstrap_servers.clone();
        for list in [&mut all, &mut bootstrap] {
            if !list.is_empty() {
                let start = self.turn % list.len();
                list.rotate_left(start);
            }
        }
        for address in bootstrap {
            if !all.contains(&address) {
                all.push(address);
            }
        }
        all
    }

    /// Routes every partition, and tells those who wait for the topics that were `asked` for.
    pub(crate) fn apply(&mut self, response: &MetadataResponse, asked: &[String]) {
        let brokers: HashMap<i32, Address> = response
            .brokers
            .iter()
            .filter(|broker| !broker.host.is_empty() && broker.host.len() <= 255)
            .filter_map(|b| {
                Some((
                    b.node_id,
                    Address {
                        host: b.host.clone(),
                        port: port(b.port)?,
                    },
                ))
            })
            .collect();
        if !brokers.is_empty() {
            self.known = brokers.values().cloned().collect();
        }
        let mut news: HashMap<&str, News> = HashMap::new();
        for topic in &response.topics {
            let Some(name) = topic.name.as_deref() else {
                continue;
            };
            let told = self.apply_topic(name, topic, &brokers);
            news.insert(name, told);
        }
        if !brokers.is_empty() {
            let is_present = |id: i32| brokers.contains_key(&id);
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

    fn apply_topic(
        &self,
        name: &str,
        metadata: &MetadataTopic,
        brokers: &HashMap<i32, Address>,
    ) -> News {
        let accumulator = &self.core.accumulator;
        let known = accumulator.topic(name);
        if let Some(error) = view::topic_error(name, metadata) {
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
            accumulator.insert_topic(Arc::new(Topic::new(name.into(), first)))
        });
        let count = metadata.partitions.len();
        let view = topic.resize(count, accumulator.shared());
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
                Ok(()) => available.push(partition.index),
                Err(error) => ours.set_trouble(error),
            }
            infos.push(PartitionInfo::new(partition));
        }
        for partition in view.retired() {
            partition.set_trouble(view::retired(partition, count));
            partition.confirm_route();
        }
        available.sort_unstable();
        infos.sort_unstable_by_key(PartitionInfo::partition);
        topic.publish(available, infos);
        News::Known
    }

    /// Sends a partition's batches to its leader; the error says why it has none.
    fn route(
        &self,
        partition: &Arc<Partition>,
        metadata: &MetadataPartition,
        topic: &MetadataTopic,
        brokers: &HashMap<i32, Address>,
    ) -> Result<(), Error> {
        let leader = brokers.get(&metadata.leader_id);
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

/// True if a broker says that what the client knows of the cluster is too old to go on with.
fn wants_rebootstrap(error: &Error) -> bool {
    error.code() == Some(Code::REBOOTSTRAP_REQUIRED.0)
}

/// The error of an attempt in which no address answered: each address with its cause.
fn unreachable_brokers(mut errors: Vec<Error>) -> Error {
    let lasting = errors
        .iter()
        .find(|error| error.is_lasting())
        .map(Error::kind);
    if errors.len() == 1 {
        return errors.remove(0);
    }
    let kind = lasting.unwrap_or(ErrorKind::Connection);
    let all: Vec<String> = errors.iter().map(Error::to_string).collect();
    let code = errors.iter().find_map(Error::code).unwrap_or(Code::NONE.0);
    let error = Error::new(kind, format!("no broker answered: {}", all.join("; ")));
    if code == 0 {
        error
    } else {
        error.with_code(code)
    }
}

#[cfg(test)]
mod tests;
