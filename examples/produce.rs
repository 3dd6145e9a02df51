//! The three ways to send a record: forget it, wait for it, or be called back.
//!
//! ```text
//! cargo run --example produce -- producer.properties [TOPIC]
//! ```
//!
//! The file is a properties file as Kafka's Java producer takes it, for example
//!
//! ```text
//! bootstrap.servers=kafka-1:9093,kafka-2:9093
//! acks=all
//! security.protocol=SASL_SSL
//! sasl.mechanism=PLAIN
//! sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
//!     username="alice" password="secret";
//! ssl.truststore.type=PEM
//! ssl.truststore.location=/etc/kafka/ca.pem
//! key.serializer=org.apache.kafka.common.serialization.StringSerializer
//! value.serializer=org.apache.kafka.common.serialization.StringSerializer
//! ```

mod support;

use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;

use lexopt::prelude::*;
use milena::{Config, Error, Producer, Record, RecordMetadata};

const USAGE: &str = "usage: produce PROPERTIES_FILE [TOPIC]    (TOPIC is T1 unless named)";

fn main() -> ExitCode {
    support::log_to_stderr();
    let (file, topic) = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return support::usage_error(error),
    };
    match run(file.as_ref(), &topic) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line says what was being done, what was in the way, and what to do about it.
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &Path, topic: &str) -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_file(file)?;
    let lost = send_and_forget(config.clone(), topic)?;

    let producer = Producer::new(config)?;
    // Who forgets records learns that some are lost, not why: these two would say it.
    send_and_wait(&producer, topic)?;
    send_with_callback(&producer, topic)?;
    producer.close()?;
    match lost {
        0 => Ok(()),
        _ => Err("the record that was sent and forgotten is lost".into()),
    }
}

/// Fire and forget: nobody looks at the record's own result, the report of `close` tells the sum.
fn send_and_forget(config: Config, topic: &str) -> Result<u64, Error> {
    let producer = Producer::new(config)?;
    drop(producer.send(Record::to(topic).key("key").value("forgotten")));
    // Closing sends what is still buffered. Without this line, dropping the producer would.
    let report = producer.close()?;
    println!("forgotten: {} delivered by the close", report.delivered);
    Ok(report.failed + report.unknown)
}

/// `send` returns at once with a future of the record; `wait` blocks until its result is there.
fn send_and_wait(producer: &Producer, topic: &str) -> Result<(), Error> {
    let delivery = producer.send(Record::to(topic).key("key").value("waited for"));
    let metadata = delivery.wait()?;
    println!("waited for: {}", place(&metadata));
    Ok(())
}

/// The callback gets the record's metadata or its error, on a thread of the producer.
fn send_with_callback(producer: &Producer, topic: &str) -> Result<(), Error> {
    let (results, result) = mpsc::channel();
    let record = Record::to(topic).key("key").value("called back");
    producer.send_with(record, move |result| {
        match &result {
            Ok(metadata) => println!("called back: {}", place(metadata)),
            Err(error) => println!("called back with an error: {error}"),
        }
        // Only this example wants to know here, on the main thread, how it went.
        let _ = results.send(result);
    });
    // Waits until all is delivered or has failed, callbacks included.
    producer.flush()?;
    for result in result {
        result?;
    }
    Ok(())
}

fn place(metadata: &RecordMetadata) -> String {
    let (topic, partition) = (metadata.topic(), metadata.partition());
    match metadata.offset() {
        Some(offset) => format!("topic {topic}, partition {partition}, offset {offset}"),
        None => format!("topic {topic}, partition {partition}, offset not told (acks=0)"),
    }
}

/// The file and the topic; `None` if help was asked for.
fn arguments() -> Result<Option<(String, String)>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut given = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Value(value) if given.len() < 2 => given.push(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let mut given = given.into_iter();
    let file = given.next().ok_or("the properties file is missing")?;
    Ok(Some((
        file,
        given.next().unwrap_or_else(|| "T1".to_owned()),
    )))
}
