//! What is compressed, with which codec, and what becomes of it at a broker that cannot read it.

use milena::mock::Api;
use milena::{Compression, Config, ErrorKind, Outcome, Record, TopicConfig};

use crate::support::{
    HOUR, SOON, all_delivered, cluster, config, delivered, failed, numbers, produced, producer,
    send, send_numbers, values,
};

const CODECS: [(Compression, i16); 4] = [
    (Compression::Gzip, 1),
    (Compression::Snappy, 2),
    (Compression::Lz4, 3),
    (Compression::Zstd, 4),
];

fn lingering(config: Config) -> Config {
    config.linger(HOUR)
}

#[test]
fn a_batch_travels_compressed_and_the_log_has_its_records() {
    for (compression, id) in CODECS {
        let cluster = cluster(1, 1);
        let config = lingering(config(&cluster)).compression(compression);
        let producer = producer(config.idempotence(true));
        let deliveries = send_numbers(&producer, 0, 0..2000);
        producer.flush_timeout(SOON).expect("flushed");
        for (offset, delivery) in (0..).zip(&deliveries) {
            assert_eq!(delivered(delivery).offset(), Some(offset), "{compression}");
        }
        assert_eq!(values(&cluster, 0), numbers(0..2000));
        let sent = produced(&cluster)[0].batches().to_vec();
        assert_eq!(
            (sent[0].codec, sent[0].records),
            (id, 2000),
            "{compression}"
        );
        assert!(
            sent[0].bytes < 2000 * 8,
            "{compression}: {} bytes",
            sent[0].bytes
        );
        assert_eq!(producer.buffered_bytes(), 0);
    }
}

#[test]
fn a_batch_that_would_grow_is_sent_as_it_is() {
    for (compression, _) in CODECS {
        let cluster = cluster(1, 1);
        let producer = producer(config(&cluster).compression(compression));
        delivered(&send(&producer, 0, "x"));
        assert_eq!(produced(&cluster)[0].batches()[0].codec, 0, "{compression}");
        assert_eq!(values(&cluster, 0), ["x"]);
    }
}

#[test]
fn a_topic_may_have_a_codec_of_its_own() {
    let cluster = cluster(1, 1);
    cluster.create_topic("plain", 1);
    let config = config(&cluster)
        .compression(Compression::Gzip)
        .topic("plain", TopicConfig::new().compression(Compression::None));
    let producer = producer(config);
    let value = "0".repeat(1000);
    for topic in ["t", "plain"] {
        delivered(&producer.send(Record::to(topic).value(&value)));
    }
    let codecs = produced(&cluster)
        .into_iter()
        .flat_map(|one| one.batches().to_vec());
    let codecs: Vec<_> = codecs.map(|batch| (batch.topic, batch.codec)).collect();
    assert_eq!(codecs, [("t".to_owned(), 1), ("plain".to_owned(), 0)]);
}

/// A retry is the same batch to the bit, so that a broker recognises it.
#[test]
fn a_compressed_batch_is_sent_again_as_it_was() {
    let cluster = cluster(1, 1);
    let producer = producer(
        config(&cluster)
            .compression(Compression::Zstd)
            .idempotence(true),
    );
    cluster.on(Api::Produce).after_handling().disconnect();
    let value = "0".repeat(1000);
    delivered(&send(&producer, 0, &value));
    let requests = produced(&cluster);
    let crcs: Vec<_> = requests.iter().map(|one| one.batches()[0].crc).collect();
    assert!(crcs.len() == 2 && crcs[0] == crcs[1], "{crcs:?}");
    assert_eq!(values(&cluster, 0), [value]);
}

/// Of several partitions in one request, more than a thread's share.
#[test]
fn a_request_of_many_large_batches_is_compressed_whole() {
    let cluster = cluster(1, 12);
    let config = lingering(config(&cluster)).compression(Compression::Gzip);
    let producer = producer(config.batch_size(200_000).max_request_size(4_000_000));
    let value = "a line of a log, again and again".repeat(30);
    let deliveries: Vec<_> = (0..1200)
        .map(|number| send(&producer, number % 12, &value))
        .collect();
    producer.flush_timeout(SOON).expect("flushed");
    all_delivered(&deliveries);
    let batches = produced(&cluster)
        .into_iter()
        .flat_map(|one| one.batches().to_vec());
    for batch in batches {
        assert!(batch.codec == 1 && batch.bytes < 10_000, "{batch:?}");
    }
    for partition in 0..12 {
        assert_eq!(values(&cluster, partition), vec![value.clone(); 100]);
    }
}

#[test]
fn a_broker_before_2_1_gets_no_zstd_and_the_error_says_why() {
    let cluster = cluster(1, 1);
    cluster.versions(Api::Produce, 3..=6);
    let producer = producer(
        config(&cluster)
            .compression(Compression::Zstd)
            .idempotence(true),
    );
    for _ in 0..2 {
        let error = failed(&send(&producer, 0, "v"));
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::UnsupportedVersion, Outcome::NotWritten)
        );
        let text = error.to_string();
        assert!(text.contains("zstd needs Kafka 2.1 or later"), "{text}");
    }
    assert!(produced(&cluster).is_empty(), "it was sent all the same");
}

#[test]
fn a_broker_that_cannot_read_a_batch_fails_its_records() {
    for (code, kind) in [
        (2, ErrorKind::Broker),
        (76, ErrorKind::Broker),
        (87, ErrorKind::Broker),
    ] {
        let cluster = cluster(1, 1);
        let producer = producer(config(&cluster).compression(Compression::Lz4));
        cluster.on(Api::Produce).always().error(code);
        let error = failed(&send(&producer, 0, &"0".repeat(1000)));
        assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{error}");
        assert_eq!(error.outcome(), Outcome::NotWritten);
    }
}
