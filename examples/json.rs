//! Types of the program as JSON, by serde: plain, and in the form that goes with Confluent's Schema
//! Registry.
//!
//! ```text
//! cargo run --example json
//! cargo run --example json -- --bootstrap localhost:9092 [--topic json]
//! ```
//!
//! The first needs neither Kafka nor Java: it starts the cluster that the crate has for tests, and
//! reads back from it what has arrived.

mod support;

use std::process::ExitCode;

use milena::mock::MockCluster;
use milena::{
    Config, ConfluentSerializer, Error, Headers, LongSerializer, Producer, Record, SerializeError,
    Serialized,
};

const USAGE: &str = "usage: json [--bootstrap HOST:PORT[,HOST:PORT]] [--topic TOPIC]

Without --bootstrap, a cluster for tests is started inside this program and used. The topic is
\"json\" unless named; brokers create it if they may.";

/// What the Schema Registry gave when the schema of `Order` was registered.
const ORDER_SCHEMA_ID: i32 = 42;

#[derive(serde::Serialize)]
struct Order {
    customer: String,
    apples: u32,
    note: Option<String>,
}

/// Whatever serde can serialize, as JSON.
#[derive(Clone, Copy)]
struct JsonSerializer;

impl<T: serde::Serialize + ?Sized> milena::Serialize<T> for JsonSerializer {
    fn serialize<'v>(
        &self,
        _topic: &str,
        _headers: &mut Headers<'_>,
        value: &'v T,
    ) -> Result<Option<Serialized<'v>>, SerializeError> {
        Ok(Some(serde_json::to_vec(value)?.into()))
    }
}

fn main() -> ExitCode {
    support::run(USAGE, "json", |place| match &place.bootstrap {
        Some(bootstrap) => send_orders(bootstrap, &place.topic),
        None => send_to_embedded(&place.topic),
    })
}

/// The same with a cluster of its own, which ends with this function.
fn send_to_embedded(topic: &str) -> Result<(), Error> {
    println!("No --bootstrap: a broker for tests is started inside this program.\n");
    let cluster = MockCluster::start(1);
    cluster.create_topic(topic, 1);
    send_orders(&cluster.bootstrap(), topic)?;

    println!("\nWhat the broker has now:");
    for record in cluster.records(topic, 0) {
        let (key, value) = (record.key.unwrap_or_default(), record.value);
        let value = match &value {
            Some(value) => value.escape_ascii().to_string().replace("\\\"", "\""),
            None => "null".to_owned(),
        };
        println!(
            "   at offset {}, {}: {value}",
            record.offset,
            key.escape_ascii()
        );
    }
    Ok(())
}

fn send_orders(bootstrap: &str, topic: &str) -> Result<(), Error> {
    let producer = Producer::new(Config::new(bootstrap).idempotence(true))?;
    let order = Order {
        customer: "Anna".into(),
        apples: 3,
        note: None,
    };

    // Any number of typed producers, with serializers of their own, stand before one producer.
    let plain = producer.typed(LongSerializer, JsonSerializer);
    let metadata = plain.send(Record::to(topic), &7, &order).wait()?;
    println!("JSON: partition {}", metadata.partition());
    // The serializer is for every type that serde knows.
    plain.send(Record::to(topic), &7, &["any", "type"]).wait()?;

    let framed = ConfluentSerializer::new(ORDER_SCHEMA_ID, JsonSerializer);
    let framed = producer.typed(LongSerializer, framed);
    let metadata = framed.send(Record::to(topic), &7, &order).wait()?;
    println!(
        "JSON behind a schema's id: partition {}",
        metadata.partition()
    );
    // A value of `None` is null, which deletes the key from a compacted topic.
    framed.send(Record::to(topic), &7, None::<&Order>).wait()?;

    // What cannot be serialized fails alone: keys of JSON are text.
    let by_place = std::collections::BTreeMap::from([((1, 2), order)]);
    match plain.send(Record::to(topic), &7, &by_place).wait() {
        Ok(metadata) => println!("unexpected: {metadata:?}"),
        Err(error) => println!("Not sent: {error}"),
    }
    producer.close()?;
    Ok(())
}
