//! What a scenario says to a broker, and the notes of what the broker answered.

use std::time::{Duration, Instant};

use super::answers::{
    Found, Produce, put_metadata, put_produce, read_api_versions, read_coordinators, read_metadata,
    read_produced,
};
use super::batch::{Batch, Stored, next, now_ms};
use super::bytes::{In, Out};
use super::connection::{
    API_VERSIONS, Answer, Api, Connection, FIND_COORDINATOR, INIT_PRODUCER_ID, METADATA, PRODUCE,
    SASL_AUTHENTICATE, SASL_HANDSHAKE,
};
use super::names::code;

/// How long a broker may say that it is not ready yet.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// A broker, and how tests reach into it.
pub(super) trait Side {
    /// The version of produce requests where a scenario does not care.
    fn produce_version(&self) -> i16;
    /// Where clients connect to, with SASL or without it.
    fn address(&self, place: Place) -> String;
    /// Creates a topic with one partition and configs such as `("max.message.bytes", "200")`.
    fn create_topic(&self, name: &str, configs: &[(&str, &str)]);
    /// The broker that leads a topic's partition.
    fn leader(&self, topic: &str) -> i32;
    /// Makes another broker the leader; returns when it is.
    fn move_leader(&self, topic: &str, node: i32);
    /// Stops a broker that does not lead a topic's partition; returns when it is out of sync.
    fn stop(&self, topic: &str, node: i32);
    /// Starts it again; returns when it is in sync.
    fn start(&self, topic: &str, node: i32);
    /// The records of a partition and its end offset.
    fn log(&self, topic: &str) -> (Vec<Stored>, i64);
    /// What tells it from the others.
    fn name(&self) -> &'static str;
    /// Whether it takes produce requests with the formats of before 0.11.
    fn takes_old_batches(&self) -> bool;
}

/// Which listener a scenario is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// That of a broker, without SASL.
    Plain(i32),
    Sasl,
}

/// A scenario while it runs: one connection at a time, and a topic of its own.
pub(super) struct Talk<'a> {
    pub(super) side: &'a dyn Side,
    pub(super) topic: String,
    pub(super) notes: Vec<String>,
    place: Place,
    connection: Option<Connection>,
    /// Producer ids, by the order in which they were handed out.
    producers: Vec<i64>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(side: &'a dyn Side, place: Place, topic: &str) -> Self {
        Self {
            side,
            topic: topic.to_owned(),
            notes: Vec::new(),
            place,
            connection: None,
            producers: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, what: &str, answer: impl AsRef<str>) {
        self.notes.push(format!("{what}: {}", answer.as_ref()));
    }

    /// The connection, opened if there is none; one that the broker closed is forgotten.
    pub(super) fn connection(&mut self) -> &mut Connection {
        let address = self.side.address(self.place);
        self.connection
            .get_or_insert_with(|| Connection::open(&address))
    }

    /// Talks to this broker from now on.
    pub(super) fn go_to(&mut self, node: i32) {
        self.place = Place::Plain(node);
        self.reconnect();
    }

    pub(super) fn reconnect(&mut self) {
        self.connection = None;
    }

    fn call(&mut self, api: &Api, version: i16, body: impl FnOnce(&mut Out)) -> Option<Answer> {
        let answer = self.connection().call(api, version, body);
        if answer.is_none() {
            self.connection = None;
        }
        answer
    }

    /// Sends a request and notes what `read` makes of the answer.
    pub(super) fn ask(
        &mut self,
        what: &str,
        (api, version): (&Api, i16),
        body: impl FnOnce(&mut Out),
        mut read: impl FnMut(&mut Self, In<'_>) -> String,
    ) {
        let mut frame = Out {
            flexible: version >= api.1,
            ..Out::default()
        };
        body(&mut frame);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = match self.call(api, version, |out| out.raw(&frame.bytes)) {
                Some(answer) => read(self, answer.body()),
                None => "closed".into(),
            };
            // A coordinator that has just been made is not ready yet.
            let is_ready = !["COORDINATOR", "CONCURRENT_TRANSACTIONS"]
                .iter()
                .any(|word| answer.contains(word));
            if is_ready || Instant::now() > deadline {
                return self.note(what, answer);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Notes whether the broker hangs up without being asked for more.
    pub(super) fn hung_up(&mut self, what: &str) {
        let frame = self.connection().frame();
        self.note(
            what,
            if frame.is_none() {
                "closed"
            } else {
                "answered"
            },
        );
        self.connection = None;
    }

    /// Notes whether the connection still serves.
    pub(super) fn still_serves(&mut self, what: &str) {
        self.ask(what, (&API_VERSIONS, 0), |_| {}, |_, _| "served".into());
    }

    /// A produce request to the scenario's topic.
    pub(super) fn plain(&self) -> Produce<'static> {
        Produce {
            version: self.side.produce_version(),
            acks: -1,
            topic: "",
            topic_id: [0; 16],
            partition: 0,
            transactional_id: None,
        }
    }

    /// Sends one batch and notes the answer.
    pub(super) fn produce(&mut self, what: &str, batch: &Batch) {
        let produce = self.plain();
        self.send(what, &produce, &batch.bytes());
    }

    pub(super) fn send(&mut self, what: &str, produce: &Produce<'_>, records: &[u8]) {
        let topic = match produce.topic {
            "" => self.topic.clone(),
            topic => topic.to_owned(),
        };
        let body = |out: &mut Out| put_produce(out, produce, &topic, records);
        if produce.acks == 0 {
            self.connection().send(&PRODUCE, produce.version, body);
            return self.still_serves(what);
        }
        let version = produce.version;
        self.ask(what, (&PRODUCE, version), body, |_, body| {
            read_produced(body, version)
        });
    }

    /// Asks for a producer id; `current` is what a transactional producer had before.
    pub(super) fn init(
        &mut self,
        what: &str,
        version: i16,
        transactional_id: Option<&str>,
        current: (i64, i16),
    ) -> (i64, i16) {
        let mut got = (-1, -1);
        let body = |out: &mut Out| {
            out.string(transactional_id);
            out.i32(60_000);
            if version >= 3 {
                out.i64(current.0);
                out.i16(current.1);
            }
            out.tags();
        };
        self.ask(
            what,
            (&INIT_PRODUCER_ID, version),
            body,
            |talk, mut body| {
                body.i32();
                let error = body.i16();
                got = (body.i64(), body.i16());
                match error {
                    0 => format!("producer {}, epoch {}", talk.number_of(got.0), got.1),
                    _ => format!("{}, producer {}, epoch {}", code(error), got.0, got.1),
                }
            },
        );
        got
    }

    /// A fresh producer id.
    pub(super) fn producer(&mut self) -> i64 {
        self.init("a producer id", 1, None, (-1, -1)).0
    }

    /// Producer ids differ from cluster to cluster; the notes count them.
    fn number_of(&mut self, id: i64) -> String {
        if id < 0 {
            return id.to_string();
        }
        let mut known = self.producers.iter();
        let place = known.position(|known| *known == id).unwrap_or_else(|| {
            self.producers.push(id);
            self.producers.len() - 1
        });
        format!("#{}", place + 1)
    }

    /// Asks for topics, `None` for all, and notes those that were asked for.
    pub(super) fn metadata(
        &mut self,
        what: &str,
        version: i16,
        topics: Option<&[&str]>,
        allows_creation: bool,
    ) {
        let body = |out: &mut Out| put_metadata(out, version, topics, allows_creation);
        let own = self.topic.clone();
        self.ask(what, (&METADATA, version), body, |_, body| {
            let (brokers, found) = read_metadata(body, version);
            let is_shown = |topic: &&Found| match topics {
                Some(_) => true,
                None => topic.name == own,
            };
            let shown = found.iter().filter(is_shown).map(Found::shown);
            let shown: Vec<_> = shown.collect();
            format!("{brokers} broker, {}", shown.join(", "))
        });
    }

    /// Asks again until the note has this word, and keeps only the last.
    pub(super) fn until(&mut self, word: &str, mut ask: impl FnMut(&mut Self)) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            ask(self);
            let is_met = self.notes.last().is_some_and(|note| note.contains(word));
            if is_met || Instant::now() > deadline {
                return;
            }
            self.notes.pop();
            std::thread::sleep(PAUSE);
        }
    }

    /// The id of the scenario's topic.
    pub(super) fn topic_id(&mut self) -> [u8; 16] {
        let own = self.topic.clone();
        let body = |out: &mut Out| put_metadata(out, 12, Some(&[&own]), false);
        let answer = self.call(&METADATA, 12, body).expect("an answer");
        read_metadata(answer.body(), 12).1[0].id
    }

    pub(super) fn find_coordinator(&mut self, version: i16, key_type: i8, keys: &[&str]) {
        let what = format!("v{version} type {key_type} {keys:?}");
        let body = |out: &mut Out| {
            if version < 4 {
                out.string(Some(keys[0]));
            }
            if version >= 1 {
                out.i8(key_type);
            }
            if version >= 4 {
                out.array(Some(keys.len()));
                keys.iter().for_each(|key| out.string(Some(key)));
            }
            out.tags();
        };
        self.ask(&what, (&FIND_COORDINATOR, version), body, |_, body| {
            read_coordinators(body, version)
        });
    }

    pub(super) fn api_versions(&mut self, what: &str, version: i16) {
        let body = |out: &mut Out| {
            if out.flexible {
                out.string(Some("agreement"));
                out.string(Some("1"));
                out.tags();
            }
        };
        self.ask(what, (&API_VERSIONS, version), body, |_, body| {
            read_api_versions(body)
        });
    }

    pub(super) fn handshake(&mut self, what: &str, version: i16, mechanism: &str) {
        let body = |out: &mut Out| out.string(Some(mechanism));
        self.ask(what, (&SASL_HANDSHAKE, version), body, |_, mut body| {
            let error = body.i16();
            let count = body.array();
            let all: Vec<_> = (0..count).filter_map(|_| body.string()).collect();
            let has_plain = all.iter().any(|mechanism| mechanism == "PLAIN");
            let offered = if has_plain { ", offers PLAIN" } else { "" };
            format!("{}{offered}", code(error))
        });
    }

    pub(super) fn authenticate(&mut self, what: &str, version: i16, token: &[u8]) {
        let body = |out: &mut Out| {
            out.bytes(token);
            out.tags();
        };
        self.ask(what, (&SASL_AUTHENTICATE, version), body, |_, mut body| {
            let error = body.i16();
            let told = match body.string().as_deref() {
                None => "",
                Some("") => " with an empty message",
                Some(_) => " with a message",
            };
            format!("{}{told}", code(error))
        });
    }

    /// Says that the mock gives another answer than Kafka to what was asked last, and why; the
    /// notes have Kafka's.
    pub(super) fn differs(&mut self, mock: &str, kafka: &str, _why: &str) {
        let Some(note) = self.notes.last_mut().filter(|_| self.side.name() == "mock") else {
            return;
        };
        let what = note.strip_suffix(mock);
        let what = what.unwrap_or_else(|| panic!("the mock should answer {mock}: {note}"));
        *note = format!("{what}{kafka}");
    }

    /// Notes what is in the log of the scenario's topic.
    pub(super) fn log(&mut self) {
        let (records, end) = self.side.log(&self.topic);
        self.note("log", format!("ends at {end}"));
        for record in records {
            let (id, epoch, sequence) = record.producer;
            let by = match self.producers.contains(&id) {
                _ if id < 0 => String::new(),
                true => format!(" by {}/{epoch} {sequence}", self.number_of(id)),
                false => format!(" by {id}/{epoch} {sequence}"),
            };
            let age_ms = now_ms() - record.timestamp_ms;
            let when = if age_ms.abs() < 1_800_000 {
                ""
            } else {
                " long ago"
            };
            let Stored { offset, value, .. } = record;
            self.notes.push(format!("  {offset} {value}{by}{when}"));
        }
    }
}

/// The sequence number after a batch.
pub(super) fn after(sequence: i32, records: i64) -> i32 {
    next(sequence, records)
}
