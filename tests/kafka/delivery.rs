//! What is sent arrives at a real broker as it was sent, where it should, and as it was told.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use milena::{Acks, PartitionQuery, Partitioner, Producer, Record};

use crate::crypto::Crypto;
use crate::kafka::{Cluster, Consumed, Isolation, Listener, USERS, Version, ca_pem, until};
use crate::load::{config, example, output};

const LIMIT: Duration = Duration::from_secs(30);

/// As people have it from Java, with the defaults that a producer is specified with written out.
const PROPERTIES: &str = "\
    acks=1\n\
    retries=0\n\
    max.block.ms=60000\n\
    max.in.flight.requests.per.connection=5\n\
    request.timeout.ms=30000\n\
    key.serializer=org.apache.kafka.common.serialization.StringSerializer\n\
    value.serializer=org.apache.kafka.common.serialization.StringSerializer\n\
    security.protocol=SASL_SSL\n\
    sasl.mechanism=PLAIN\n\
    sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
    required username=\"alice\" password=\"alice-secret\";\n\
    ssl.endpoint.identification.algorithm=HTTPS\n\
    ssl.truststore.type=PEM\n\
";

#[test]
#[ignore = "needs Java: run tests/run"]
fn the_example_takes_the_properties_of_java_with_tls_1_2() {
    the_example_takes_the_properties_of_java("TLSv1.2");
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn the_example_takes_the_properties_of_java_with_tls_1_3() {
    the_example_takes_the_properties_of_java("TLSv1.3");
}

/// The broker takes no other version of TLS.
fn the_example_takes_the_properties_of_java(tls: &str) {
    assert_eq!(USERS[0], ("alice", "alice-secret"));
    let cluster = Cluster::of(Version::V4_3_1)
        .listeners(&[Listener::SaslSsl])
        .property("ssl.enabled.protocols", tls)
        .start();
    let topic = format!("example-{tls}");
    cluster.create_topic(&topic, 1, 1, &[]);
    let bootstrap = cluster.bootstrap(Listener::SaslSsl);
    let truststore = ca_pem().display().to_string();
    let text = format!(
        "{PROPERTIES}bootstrap.servers={bootstrap}\nssl.truststore.location={truststore}\n\
         ssl.protocol={tls}\nssl.enabled.protocols={tls}\n"
    );
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{topic}.properties"));
    fs::write(&file, text).expect("write the properties");

    let mut program = Command::new(example("produce"));
    let printed = output(program.arg(&file).arg(&topic));
    let place = format!("topic {topic}, partition 0, offset");
    assert_eq!(
        printed,
        format!(
            "forgotten: 1 delivered by the close\nwaited for: {place} 1\ncalled back: {place} 2\n"
        )
    );
    let read = cluster.console_consume(&topic, 3, &[]);
    let texts: Vec<_> = read.iter().map(Consumed::text).collect();
    assert_eq!(texts, ["forgotten", "waited for", "called back"]);
    assert!(
        read.iter()
            .all(|record| record.key.as_deref() == Some(b"key"))
    );
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn every_protocol_delivers_with_every_acks() {
    let (cluster, topic) = (Cluster::shared(), "acks");
    cluster.create_topic(topic, 1, 1, &[]);
    let mut sent = Vec::new();
    for listener in Listener::ALL {
        let cryptos = Crypto::ALL.iter().cycle();
        for (acks, crypto) in [Acks::None, Acks::Leader, Acks::All, Acks::All]
            .into_iter()
            .zip(cryptos)
        {
            let config = crypto.of(config(cluster, listener)).acks(acks);
            let producer = Producer::new(config).expect("a producer");
            let texts: Vec<_> = (0..10)
                .map(|number| format!("{} {acks:?} {number}", listener.name()))
                .collect();
            let records = texts.iter().map(|text| Record::to(topic).value(text));
            for result in producer.send_all(records).wait_all() {
                let metadata = result.expect("a delivery");
                let told = (acks != Acks::None).then_some(sent.len() as i64);
                assert_eq!((metadata.partition(), metadata.offset()), (0, told));
                sent.push(texts[sent.len() % 10].clone());
            }
            producer.close().expect("a report");
            // With acks=0 the broker may still be taking what was written to the socket.
            let all = || cluster.read(topic, Isolation::Committed).len() == sent.len();
            until("all is there", LIMIT, || all().then_some(()));
        }
    }
    let read = cluster.read(topic, Isolation::Committed);
    let texts: Vec<_> = read.iter().map(Consumed::text).collect();
    assert_eq!(texts, sent);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn records_go_to_the_partition_that_was_named_or_their_turn() {
    let (cluster, topic) = (Cluster::shared(), "turns");
    cluster.create_topic(topic, 3, 1, &[]);
    let producer = Producer::new(config(cluster, Listener::Plaintext)).expect("a producer");
    let keyless = (0..6).map(|_| Record::to(topic).value("keyless"));
    let named = (0..3).flat_map(|partition| {
        let record = Record::to(topic).key("key").value("named");
        vec![record.partition(partition); 1 + partition as usize]
    });
    for result in producer.send_all(keyless.chain(named)).wait_all() {
        result.expect("a delivery");
    }
    let read = cluster.read(topic, Isolation::Committed);
    let counts = |text: &str| {
        [0, 1, 2].map(|partition| {
            let is_it = |record: &&Consumed| record.partition == partition && record.text() == text;
            read.iter().filter(is_it).count()
        })
    };
    assert_eq!((counts("keyless"), counts("named")), ([2, 2, 2], [1, 2, 3]));
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn keys_go_where_the_java_producer_puts_them() {
    let (cluster, ours, javas) = (Cluster::shared(), "keys-ours", "keys-javas");
    let words = ["", "ä€😀", "21", "foobar", "abcdefghijklm"].map(str::to_owned);
    let numbers = (0..100).map(|number| format!("{:x}", 7_u64.wrapping_pow(number)));
    let keys: Vec<_> = numbers.chain(words).collect();
    for topic in [ours, javas] {
        cluster.create_topic(topic, 7, 1, &[]);
    }
    let lines: String = keys.iter().map(|key| format!("{key}=value\n")).collect();
    let options = ["parse.key=true", "key.separator=="];
    let options = options.map(|option| ["--property", option]).concat();
    cluster.console_produce(Listener::Plaintext, "", javas, &lines, &options);

    let producer = Producer::new(config(cluster, Listener::Plaintext)).expect("a producer");
    let records = keys
        .iter()
        .map(|key| Record::to(ours).key(key).value("value"));
    for result in producer.send_all(records).wait_all() {
        result.expect("a delivery");
    }
    let places = |topic| {
        let read = cluster.read(topic, Isolation::Committed);
        let place = |record: Consumed| (record.partition, record.offset, record.key);
        read.into_iter().map(place).collect::<Vec<_>>()
    };
    let found = places(ours);
    assert_eq!(found.len(), keys.len());
    assert!((0..7).all(|partition| found.iter().any(|place| place.0 == partition)));
    assert_eq!(found, places(javas));
}

/// The partition that the value says.
#[derive(Debug)]
struct ByValue;

impl Partitioner for ByValue {
    fn partition(
        &self,
        query: &PartitionQuery<'_>,
    ) -> Result<i32, Box<dyn std::error::Error + Send + Sync>> {
        Ok(std::str::from_utf8(query.value().unwrap_or_default())?.parse()?)
    }
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn a_partitioner_of_the_application_decides() {
    let (cluster, topic) = (Cluster::shared(), "decided");
    cluster.create_topic(topic, 3, 1, &[]);
    let config = config(cluster, Listener::Plaintext).partitioner(ByValue);
    let producer = Producer::new(config).expect("a producer");
    let wanted = ["2", "0", "0", "2"].map(|value| Record::to(topic).key("key").value(value));
    for result in producer.send_all(wanted).wait_all() {
        result.expect("a delivery");
    }
    for wrong in ["3", "-1", "none"] {
        let record = Record::to(topic).value(wrong);
        assert!(producer.send(record).wait().is_err(), "{wrong}");
    }
    let read = cluster.read(topic, Isolation::Committed);
    let place = |record: &Consumed| (record.partition, record.text().to_owned());
    let places: Vec<_> = read.iter().map(place).collect();
    let expected = [(0, "0"), (0, "0"), (2, "2"), (2, "2")];
    assert_eq!(places, expected.map(|(to, text)| (to, text.to_owned())));
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn records_come_back_byte_for_byte() {
    let (cluster, topic) = (Cluster::shared(), "bytes");
    cluster.create_topic(topic, 1, 1, &[]);
    let every_byte: Vec<u8> = (0..=255).collect();
    let large = vec![b'x'; 300_000];
    let base = || Record::to(topic).timestamp_ms(1_000_000_000_000);
    let records = [
        base(),
        base().key("").value(""),
        base().key("key"),
        base().value("value"),
        base().key(&every_byte).value(&every_byte),
        base().value(&large),
        base()
            .value("headers")
            .header("b", "1")
            .header("a", &every_byte)
            .header("b", "")
            .null_header("a")
            .header("", "no name")
            .header("ä€😀", "2"),
        Record::to(topic).value("epoch").timestamp_ms(0),
        Record::to(topic)
            .value("later")
            .timestamp_ms(1_500_000_000_123),
    ];
    let producer = Producer::new(config(cluster, Listener::Plaintext)).expect("a producer");
    let results = producer.send_all(records.clone()).wait_all();
    for (record, result) in records.iter().zip(results) {
        let metadata = result.expect("a delivery");
        assert_eq!(
            Some(metadata.timestamp_ms()),
            record.explicit_timestamp_ms()
        );
    }
    let expected: Vec<_> = (0..)
        .zip(&records)
        .map(|(offset, record)| Consumed {
            partition: 0,
            offset,
            timestamp: record.explicit_timestamp_ms().expect("it was set"),
            headers: record
                .headers()
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
            key: record.key_bytes().map(<[u8]>::to_vec),
            value: record.value_bytes().map(<[u8]>::to_vec),
        })
        .collect();
    assert!(cluster.read(topic, Isolation::Committed) == expected);
    // The console consumer prints as text what is not.
    let text: Vec<_> = [0, 1, 2, 3, 5, 7, 8].map(|at| expected[at].clone()).into();
    let printed = cluster.console_consume(topic, expected.len(), &[]);
    let is_text = |record: &Consumed| ![4, 6].contains(&record.offset);
    let printed: Vec<_> = printed.into_iter().filter(is_text).collect();
    assert!(printed == text);
}
