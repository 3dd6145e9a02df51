//! A first tour: keys and partitions, futures, a callback, and a clean end.
//!
//! ```text
//! cargo run --example quickstart
//! cargo run --example quickstart -- --bootstrap localhost:9092 [--topic quickstart]
//! ```
//!
//! The first needs no Kafka: it starts the cluster that is embedded in the crate for tests.

mod support;

use std::process::ExitCode;

use lexopt::prelude::*;
use milena::mock::MockCluster;
use milena::{Config, Error, Producer, Record};

const USAGE: &str = "usage: quickstart [--bootstrap HOST:PORT[,HOST:PORT]] [--topic TOPIC]

Without --bootstrap, an embedded cluster is started and used. The topic is \"quickstart\" unless
named; brokers create it if they may.";

fn main() -> ExitCode {
    support::log_to_stderr();
    let arguments = match Arguments::parse() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return support::usage_error(error),
    };
    // The embedded cluster lives as long as this variable.
    let mut embedded = None;
    let bootstrap = arguments.bootstrap.unwrap_or_else(|| {
        println!("Without --bootstrap: an embedded cluster of three brokers.\n");
        let cluster = embedded.insert(MockCluster::start(3));
        cluster.create_topic(&arguments.topic, 3);
        cluster.bootstrap()
    });
    match tour(&bootstrap, &arguments.topic) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn tour(bootstrap: &str, topic: &str) -> Result<(), Error> {
    // Written once and in order, whatever is sent again. Settings have names of their own here;
    // `Config::set("enable.idempotence", "true")` takes Java's.
    let producer = Producer::new(Config::new(bootstrap).idempotence(true))?;

    println!("1. What is the topic like? This waits for the cluster.");
    let partitions = producer.partitions_for(topic)?;
    println!("   {topic} has {} partitions\n", partitions.len());

    keys_choose_partitions(&producer, topic)?;
    many_at_once(&producer, topic)?;
    callbacks(&producer, topic)?;

    println!("5. Close: sends what is left, and counts.");
    let report = producer.close()?;
    println!(
        "   {} delivered, {} failed, {} possibly written",
        report.delivered, report.failed, report.unknown
    );
    Ok(())
}

/// Equal keys go to the same partition, and so stay in order.
fn keys_choose_partitions(producer: &Producer, topic: &str) -> Result<(), Error> {
    println!("2. Send and wait, one record at a time. The key chooses the partition:");
    for (key, value) in [
        ("anna", "1 apple"),
        ("emil", "2 pears"),
        ("anna", "3 plums"),
    ] {
        let record = Record::to(topic).key(key).value(value);
        // `send` copies the record into a batch and returns; `wait` blocks for the result.
        let metadata = producer.send(record).wait()?;
        println!(
            "   {key}: {value} -> partition {}, offset {}",
            metadata.partition(),
            offset(metadata.offset())
        );
    }
    println!();
    Ok(())
}

/// A loop that waits for each record is as slow as the network; sending first and waiting
/// afterwards lets records share requests.
fn many_at_once(producer: &Producer, topic: &str) -> Result<(), Error> {
    println!("3. Send a hundred, then wait for all:");
    let values: Vec<String> = (0..100).map(|number| format!("number {number}")).collect();
    let records = values.iter().map(|value| Record::to(topic).value(value));
    // Results come in the order of the records, each with an error of its own if it failed.
    let mut last_offsets = std::collections::BTreeMap::new();
    for result in producer.send_all(records).wait_all() {
        let metadata = result?;
        last_offsets.insert(metadata.partition(), metadata.offset());
    }
    for (partition, last) in last_offsets {
        println!("   partition {partition}: up to offset {}", offset(last));
    }
    println!();
    Ok(())
}

/// Callbacks run on a thread of the producer: the sending thread waits for nothing.
fn callbacks(producer: &Producer, topic: &str) -> Result<(), Error> {
    println!("4. Send with a callback:");
    let record = Record::to(topic).value("ring").header("lesson", "4");
    producer.send_with(record, |result| match result {
        Ok(metadata) => println!(
            "   called back: partition {}, offset {}",
            metadata.partition(),
            offset(metadata.offset())
        ),
        // The outcome tells whether sending it again could make a duplicate.
        Err(error) => println!("   called back: {error} ({:?})", error.outcome()),
    });
    // Waits for the callback too.
    producer.flush()?;
    println!();
    Ok(())
}

fn offset(offset: Option<i64>) -> String {
    offset.map_or_else(|| "unknown".to_owned(), |offset| offset.to_string())
}

struct Arguments {
    bootstrap: Option<String>,
    topic: String,
}

impl Arguments {
    /// `None` if help was asked for.
    fn parse() -> Result<Option<Self>, lexopt::Error> {
        let (mut bootstrap, mut topic) = (None, "quickstart".to_owned());
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("bootstrap" | "bootstrap-server") => {
                    bootstrap = Some(parser.value()?.string()?)
                }
                Long("topic") => topic = parser.value()?.string()?,
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(Some(Self { bootstrap, topic }))
    }
}
