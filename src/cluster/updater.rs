//! The cluster thread: fetches metadata when it is wished for or too old, and routes partitions to
//! their leaders.

mod apply;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Due, News, identity};
use crate::accumulator::topic::Topic;
use crate::broker::Core;
use crate::conn::{Address, Connection, Interrupt};
use crate::error::{Error, ErrorKind};
use crate::survive::survive;
use crate::sync::Arc;
use crate::time::{self, Backoff, Deadline};
use crate::wire::codes::Code;
use crate::wire::metadata::{MetadataRequest, MetadataResponse};

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
            .any(|topic| !topic.traffic().is_dormant());
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
        // Who refused our credentials is not asked at once, whoever waits.
        let refused = self.refused_until();
        self.core
            .wishes
            .rest(until.max(refused), urgent_from.max(refused))
    }

    /// The first moment at which somebody may be asked, if all have refused our credentials.
    fn refused_until(&self) -> Option<Instant> {
        if self.connection.is_some() {
            return None;
        }
        let all = self.known.iter().chain(&self.core.config.bootstrap_servers);
        let refusals = all.map(|address| self.core.connector.refusal(address));
        let until = refusals.map(|refusal| refusal.map(|(until, _)| until));
        until.min().flatten()
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
        if topic.traffic().take_used()
            || topic.view().all().any(|partition| partition.has_batches())
        {
            // A send may have found the topic in use just before it was declared dormant: what it
            // left counts.
            *used = now;
            return true;
        }
        if now.saturating_duration_since(*used) >= self.core.config.metadata_max_idle {
            topic.traffic().set_dormant();
            if self.core.accumulator.forget(topic) {
                self.used.remove(topic.name());
            }
        }
        !topic.traffic().is_dormant()
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
                .for_each(|topic| topic.traffic().set_dormant());
        }
    }

    /// Asks the brokers that are known, then the bootstrap servers, until one answers.
    fn fetch(&mut self, topics: Vec<String>) -> Result<MetadataResponse, Error> {
        let request = MetadataRequest {
            topics: Some(topics),
            allow_auto_topic_creation: self.core.config.allow_auto_create_topics,
            include_operations: false,
        };
        let (mut errors, mut refusals) = (Vec::new(), Vec::new());
        if let Some((mut connection, _)) = self.connection.take()
            && !connection.has_hung_up()
        {
            let setup = Deadline::within(self.core.config.connection_setup_timeout);
            let connector = &self.core.connector;
            let answered = match connection.is_fresh(connector, setup) {
                Ok(true) => self.ask(&mut connection, &request).map(Some),
                Ok(false) => Ok(None),
                Err(error) => Err(error),
            };
            match answered {
                Ok(Some(response)) => return Ok(self.keep(connection, response)),
                Ok(None) => {}
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
            if let Some((_, refusal)) = self.core.connector.refusal(&address) {
                refusals.push(refusal);
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
        Err(unreachable_brokers(match errors.is_empty() {
            true => refusals,
            false => errors,
        }))
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
        let fetched = identity::fetch(connection, self.core.config.request_timeout);
        match fetched.map_err(|error| self.core.connector.name_denied(error)) {
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
