//! The bodies of requests, and what the notes say of answers.

use super::bytes::{In, Out};
use super::connection::PRODUCE;
use super::names::{api_name, code};

const UNSUPPORTED_VERSION: i16 = 35;

/// A produce request. The default is to the only partition of the scenario's topic, with acks=all.
pub(super) struct Produce<'a> {
    pub(super) version: i16,
    pub(super) acks: i16,
    pub(super) topic: &'a str,
    pub(super) topic_id: [u8; 16],
    pub(super) partition: i32,
    pub(super) transactional_id: Option<&'a str>,
}

pub(super) fn put_produce(out: &mut Out, produce: &Produce<'_>, topic: &str, records: &[u8]) {
    if produce.version >= 3 {
        out.string(produce.transactional_id);
    }
    out.i16(produce.acks);
    out.i32(10_000);
    out.array(Some(1));
    match produce.version {
        13.. => out.raw(&produce.topic_id),
        _ => out.string(Some(topic)),
    }
    out.array(Some(1));
    out.i32(produce.partition);
    out.bytes(records);
    out.tags();
    out.tags();
    out.tags();
}

pub(super) fn read_produced(mut body: In<'_>, version: i16) -> String {
    assert_eq!(body.array(), 1, "one topic");
    match version {
        13.. => drop(body.raw(16)),
        _ => drop(body.string()),
    }
    assert_eq!(body.array(), 1, "one partition");
    body.i32();
    let (error, offset) = (body.i16(), body.i64());
    let mut told = match error {
        0 => format!("at {offset}"),
        _ if offset == -1 => code(error),
        _ => format!("{} at {offset}", code(error)),
    };
    if version >= 2 && body.i64() >= 0 {
        told += ", timed by the broker";
    }
    let start = if version >= 5 { body.i64() } else { -1 };
    if version >= 5 && start != if error == 0 { 0 } else { -1 } {
        told += &format!(", start {start}");
    }
    if version >= 8 {
        for _ in 0..body.array() {
            told += &format!(", record {}", body.i32());
            told += body.string().map_or("", |_| " with a message");
            body.tags();
        }
        told += body.string().map_or("", |_| ", with a message");
    }
    let tags = body.tags();
    if tags.iter().any(|(number, _)| *number == 0) {
        told += ", names a leader";
    }
    body.tags();
    assert_eq!(body.i32(), 0, "nobody is throttled");
    if body.tags().iter().any(|(number, _)| *number == 0) {
        told += " and its address";
    }
    assert!(body.bytes.is_empty(), "left: {:?}", body.bytes);
    told
}

/// A topic in a metadata answer.
pub(super) struct Found {
    error: i16,
    pub(super) name: String,
    pub(super) id: [u8; 16],
    partitions: Vec<String>,
}

impl Found {
    pub(super) fn shown(&self) -> String {
        let Self {
            error,
            name,
            id,
            partitions,
        } = self;
        let has_id = if *id == [0; 16] { "" } else { " with an id" };
        format!("{name:?}{has_id} {} {partitions:?}", code(*error))
    }
}

pub(super) fn put_metadata(
    out: &mut Out,
    version: i16,
    topics: Option<&[&str]>,
    allows_creation: bool,
) {
    out.array(topics.map(<[_]>::len));
    for topic in topics.unwrap_or_default() {
        if version >= 10 {
            out.raw(&[0; 16]);
        }
        out.string(Some(topic));
        out.tags();
    }
    if version >= 4 {
        out.i8(allows_creation.into());
    }
    if (8..=10).contains(&version) {
        out.i8(0);
    }
    if version >= 8 {
        out.i8(0);
    }
    out.tags();
}

pub(super) fn read_metadata(mut body: In<'_>, version: i16) -> (usize, Vec<Found>) {
    body.i32();
    let brokers = body.array();
    for _ in 0..brokers {
        body.i32();
        body.string();
        body.i32();
        body.string();
        body.tags();
    }
    body.string();
    body.i32();
    let count = body.array();
    let topics = (0..count).map(|_| read_topic(&mut body, version));
    (brokers, topics.collect())
}

fn read_topic(body: &mut In<'_>, version: i16) -> Found {
    let error = body.i16();
    let name = body.string().unwrap_or_else(|| "none".into());
    let mut id = [0; 16];
    if version >= 10 {
        id.copy_from_slice(body.raw(16));
    }
    body.i8();
    let count = body.array();
    let mut partition = || {
        let (error, index, leader) = (body.i16(), body.i32(), body.i32());
        let epoch = if version >= 7 { body.i32() } else { 0 };
        let mut sizes = Vec::new();
        for _ in 0..if version >= 5 { 3 } else { 2 } {
            let count = body.array();
            sizes.push(count);
            body.raw(4 * count);
        }
        body.tags();
        format!(
            "{index} {} leader {leader} epoch {epoch} copies {sizes:?}",
            code(error)
        )
    };
    let partitions = (0..count).map(|_| partition()).collect();
    if version >= 8 {
        body.i32();
    }
    body.tags();
    Found {
        error,
        name,
        id,
        partitions,
    }
}

pub(super) fn read_coordinators(mut body: In<'_>, version: i16) -> String {
    if version >= 1 {
        body.i32();
    }
    let place = |body: &mut In<'_>| {
        let node = body.i32();
        let host = body.string();
        let port = body.i32();
        let has_address = host.is_some_and(|host| !host.is_empty()) && port > 0;
        format!(
            "node {node}{}",
            if has_address { " with an address" } else { "" }
        )
    };
    if version < 4 {
        let error = body.i16();
        if version >= 1 {
            body.string();
        }
        return format!("{} {}", code(error), place(&mut body));
    }
    let count = body.array();
    let mut one = || {
        let key = body.string();
        let place = place(&mut body);
        let error = body.i16();
        body.string();
        body.tags();
        format!("{} {} {place}", key.unwrap_or_default(), code(error))
    };
    let all: Vec<_> = (0..count).map(|_| one()).collect();
    all.join(", ")
}

/// The error, and of the APIs that a producer uses the greatest version: how far down they reach
/// depends on how much of the past a broker keeps.
pub(super) fn read_api_versions(mut body: In<'_>) -> String {
    let error = body.i16();
    let mut told = code(error);
    // Then the answer has the form of version 0, whatever was asked (KIP-511).
    body.flexible &= error != UNSUPPORTED_VERSION;
    for _ in 0..body.array() {
        let (key, min, max) = (body.i16(), body.i16(), body.i16());
        body.tags();
        match api_name(key) {
            Some(name) if key == PRODUCE.0 => told += &format!(", {name} {min} to {max}"),
            Some(name) => told += &format!(", {name} to {max}"),
            None => {}
        }
    }
    told
}
