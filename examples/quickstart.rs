//! A first tour: keys and partitions, results to wait for, a callback, a clean end.
//!
//! ```text
//! cargo run --example quickstart
//! cargo run --example quickstart -- --bootstrap localhost:9092 [--topic quickstart]
//! ```
//!
//! The first needs neither Kafka nor Java: it starts the cluster that the crate has for tests, and
//! reads back from it what has arrived.

mod support;

use std::process::ExitCode;

use milena::mock::MockCluster;
use milena::{Config, Error, Producer, Record};

const USAGE: &str = "usage: quickstart [--bootstrap HOST:PORT[,HOST:PORT]] [--topic TOPIC]

Without --bootstrap, a cluster for tests is started inside this program and used. The topic is
\"quickstart\" unless named; brokers create it if they may.";

/// Of the topic in the embedded cluster.
const PARTITIONS: i32 = 3;

fn main() -> ExitCode {
    support::run(USAGE, "quickstart", |place| match &place.bootstrap {
        Some(bootstrap) => tour(bootstrap, &place.topic),
        None => embedded_tour(&place.topic),
    })
}

/// The tour with a cluster of its own, which ends with this function.
fn embedded_tour(topic: &str) -> Result<(), Error> {
    println!("No --bootstrap: three brokers for tests are started inside this program.\n");
    let cluster = MockCluster::start(3);
    cluster.create_topic(topic, PARTITIONS);
    tour(&cluster.bootstrap(), topic)?;

    println!("6. What the brokers have now, read back from their logs:");
    for partition in 0..PARTITIONS {
        let records = cluster.records(topic, partition);
        println!("   partition {partition} has {} records", records.len());
        for record in records.iter().filter(|record| record.key.is_some()) {
            println!(
                "      at offset {}, {}: {}",
                record.offset,
                text(record.key.as_deref()),
                text(record.value.as_deref())
            );
        }
    }
    println!("\nThe same with a cluster of yours:");
    println!("   cargo run --example quickstart -- --bootstrap localhost:9092");
    Ok(())
}

fn tour(bootstrap: &str, topic: &str) -> Result<(), Error> {
    // Written once and in order, whatever is sent again. Settings have names of their own here;
    // `Config::set("enable.idempotence", "true")` takes Java's.
    let producer = Producer::new(Config::new(bootstrap).idempotence(true))?;

    println!("1. What is the topic like? The first question waits until the cluster is found.");
    for partition in producer.partitions_for(topic)? {
        let leader = partition.leader().map(|leader| leader.to_string());
        println!(
            "   {topic}, partition {}: led by broker {}",
            partition.partition(),
            leader.as_deref().unwrap_or("none")
        );
    }
    println!();

    keys_choose_partitions(&producer, topic)?;
    many_at_once(&producer, topic)?;
    callbacks(&producer, topic)?;

    println!("5. Close: sends what is left, waits for it, and counts.");
    let report = producer.close()?;
    println!(
        "   {} delivered, {} failed, {} of unknown fate\n",
        report.delivered, report.failed, report.unknown
    );
    Ok(())
}

/// Equal keys go to the same partition, and so stay in order.
fn keys_choose_partitions(producer: &Producer, topic: &str) -> Result<(), Error> {
    println!("2. Send and wait, one record at a time. Equal keys go to the same partition:");
    for (key, value) in [
        ("anna", "1 apple"),
        ("rosa", "2 pears"),
        ("paul", "3 plums"),
        ("anna", "4 nuts"),
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
    println!("3. Send a hundred without a key, then wait for all. They take turns:");
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
    println!("4. Send with a callback, and wait for nothing:");
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

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

fn offset(offset: Option<i64>) -> String {
    offset.map_or_else(|| "unknown".to_owned(), |offset| offset.to_string())
}
