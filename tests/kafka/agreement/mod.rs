//! The mock cluster and Kafka agree: the same scenarios, by requests written by hand, are played to
//! both, and what the brokers answer is noted.
//!
//! The notes of real brokers are kept beside this file, one file for each version. An ordinary test
//! run plays the scenarios to the mock and compares; the stage `kafka` plays them to Kafka and sees
//! whether the notes are still true. A run that differs leaves its notes in `target/kafka`.

mod answers;
mod batch;
mod bytes;
mod codecs;
mod connection;
mod names;
mod produce;
mod producers;
mod rest;
mod sides;
mod talk;
mod three;

use std::fs;
use std::path::Path;

use crate::kafka::{Cluster, Listener, Version};
use sides::{Mock, Real};
use talk::{Place, Side, Talk};

/// A thing to try, on a topic of its own.
struct Scenario {
    name: &'static str,
    place: Place,
    /// Of the topic.
    configs: &'static [(&'static str, &'static str)],
    play: fn(&mut Talk<'_>),
}

impl Scenario {
    const fn new(name: &'static str, play: fn(&mut Talk<'_>)) -> Self {
        Self {
            name,
            place: Place::Plain(1),
            configs: &[],
            play,
        }
    }

    const fn with(self, configs: &'static [(&'static str, &'static str)]) -> Self {
        Self { configs, ..self }
    }

    const fn by_sasl(self) -> Self {
        Self {
            place: Place::Sasl,
            ..self
        }
    }
}

#[test]
fn the_mock_answers_as_kafka_4_3_1_did() {
    compare(Version::V4_3_1, &Mock::of(Version::V4_3_1));
}

#[test]
fn the_mock_answers_as_kafka_3_9_2_did() {
    compare(Version::V3_9_2, &Mock::of(Version::V3_9_2));
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn kafka_4_3_1_answers_as_it_is_noted() {
    compare(Version::V4_3_1, &real(Version::V4_3_1));
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn kafka_3_9_2_answers_as_it_is_noted() {
    compare(Version::V3_9_2, &real(Version::V3_9_2));
}

#[test]
fn the_mock_minds_sequence_numbers_as_kafka_2_1_1_did() {
    let version = Version::V2_1_1;
    compare_with(version.name(), &[producers::ALL], &Mock::of(version));
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn kafka_2_1_1_minds_sequence_numbers_as_it_is_noted() {
    let version = Version::V2_1_1;
    let side = Real::new(Cluster::of(version).start(), 1);
    compare_with(version.name(), &[producers::ALL], &side);
}

#[test]
fn three_mock_brokers_answer_as_three_of_kafka_4_3_1_did() {
    compare_with(THREE, &[three::ALL], &Mock::with_brokers(3));
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn three_brokers_of_kafka_4_3_1_answer_as_it_is_noted() {
    let cluster = Cluster::of(Version::V4_3_1).nodes(3).start();
    compare_with(THREE, &[three::ALL], &Real::new(cluster, 3));
}

/// The notes of what needs three brokers.
const THREE: &str = "4.3.1-three-brokers";

fn real(version: Version) -> Real {
    let cluster = Cluster::of(version)
        .listeners(&[Listener::Plaintext, Listener::SaslPlaintext])
        .property("auto.create.topics.enable", "true")
        .start();
    Real::new(cluster, 1)
}

/// Plays everything that one broker can answer.
fn compare(version: Version, side: &dyn Side) {
    let all = [produce::ALL, producers::ALL, producers::IDS, rest::ALL];
    compare_with(version.name(), &all, side);
}

fn compare_with(name: &str, scenarios: &[&[Scenario]], side: &dyn Side) {
    let file = format!("tests/kafka/agreement/{name}.txt");
    let noted = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    let noted = fs::read_to_string(noted).unwrap_or_default();
    let found = play_all(scenarios, side);
    if found == noted {
        return;
    }
    let left = format!("agreement-{name}-{}.txt", side.name());
    let left = crate::kafka::home().join(left);
    fs::create_dir_all(crate::kafka::home()).expect("create target/kafka");
    fs::write(&left, &found).expect("write into target/kafka");
    panic!(
        "{} differs from {file}:\n{}\nall of it is in {}",
        side.name(),
        differences(&noted, &found),
        left.display()
    );
}

fn play_all(scenarios: &[&[Scenario]], side: &dyn Side) -> String {
    let mut notes = String::new();
    for scenario in scenarios.iter().copied().flatten() {
        let topic = scenario
            .name
            .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        side.create_topic(&topic, scenario.configs);
        let mut talk = Talk::new(side, scenario.place, &topic);
        (scenario.play)(&mut talk);
        notes += &format!("# {}\n{}\n\n", scenario.name, talk.notes.join("\n"));
    }
    notes
}

/// The lines of each scenario that are not the same.
fn differences(noted: &str, found: &str) -> String {
    let scenarios = |text: &str| -> Vec<Vec<String>> {
        let all = text.split_terminator("\n\n");
        all.map(|one| one.lines().map(str::to_owned).collect())
            .collect()
    };
    let (noted, found) = (scenarios(noted), scenarios(found));
    let mut told = String::new();
    for one in &found {
        let name = one.first();
        let before = noted.iter().find(|other| other.first() == name);
        let before = before.map(Vec::as_slice).unwrap_or_default();
        if before == one {
            continue;
        }
        told += &format!("{}\n", name.map_or("", String::as_str));
        for line in 1..one.len().max(before.len()) {
            let (was, is) = (before.get(line), one.get(line));
            if was != is {
                let text = |line: Option<&String>| line.cloned().unwrap_or_default();
                told += &format!("  noted: {}\n  found: {}\n", text(was), text(is));
            }
        }
    }
    told
}
