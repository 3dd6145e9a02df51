//! Settings that work against each other.

use std::time::Duration;

use super::super::advice::RULES;
use super::explain::explain;
use super::{Acks, SecurityProtocol, TlsVersion, TopicConfig, config};
use crate::compress::Compression;

#[test]
fn values_that_work_against_each_other_are_told() {
    let ms = Duration::from_millis;
    let tls = || config().security_protocol(SecurityProtocol::Ssl);
    let rows = [
        (config().acks(Acks::All), "retries=0 with acks=all: "),
        (
            config().acks(Acks::None).retries(2),
            "retries=2 has no effect: with acks=0",
        ),
        (
            config().retries(2),
            "retries=2 without enable.idempotence=true: ",
        ),
        (
            config().batch_size(0).linger(ms(5)),
            "linger.ms=5 has no effect: batch.size=0",
        ),
        (
            config().buffer_memory(3 << 20).batch_size(1 << 20),
            "buffer.memory=3145728 has room",
        ),
        (
            config().idempotence(true).delivery_timeout(ms(59_999)),
            "delivery.timeout.ms=59999 leaves room for one request of request.timeout.ms=30000",
        ),
        (
            config().gzip_level(1),
            "compression.gzip.level has no effect: nothing has",
        ),
        (
            config().lz4_level(9),
            "compression.lz4.level has no effect: nothing has",
        ),
        (
            config().zstd_level(1),
            "compression.zstd.level has no effect: nothing has",
        ),
        (
            config().max_request_size(2 << 20),
            "max.request.size=2097152 is more than brokers",
        ),
        (
            config().max_block(ms(0)),
            "max.block.ms=0: the first sends to a topic fail",
        ),
        (
            config().connections_max_idle(None),
            "connections.max.idle.ms: brokers close",
        ),
        (
            config().metadata_max_age(ms(999)),
            "metadata.max.age.ms=999 asks a broker",
        ),
        (
            config().send_buffer_bytes(9),
            "send.buffer.bytes=9: a fixed size",
        ),
        (
            config().receive_buffer_bytes(9),
            "receive.buffer.bytes=9: a fixed size",
        ),
        (
            config()
                .security_protocol(SecurityProtocol::SaslPlaintext)
                .sasl_plain("alice", "hush"),
            "security.protocol=SASL_PLAINTEXT: everybody on the way reads",
        ),
        (
            tls().ssl_verify_host_name(false),
            "ssl.endpoint.identification.algorithm is empty: whoever",
        ),
    ];
    assert_eq!(rows.len(), RULES.len());
    for ((config, start), rule) in rows.iter().zip(RULES) {
        let explained = explain(config);
        let [advice] = explained.advice() else {
            panic!("{start}: {:?}", explained.advice());
        };
        assert!(advice.starts_with(start), "{advice}");
        let settled = config.clone().validate().unwrap();
        assert_eq!(
            rule(&settled).as_ref(),
            Some(advice),
            "the rows are in the rules' order"
        );
    }
    for config in [
        config().idempotence(true),
        config().idempotence(true).delivery_timeout(ms(60_000)),
        config().retries(0).acks(Acks::None),
        config().buffer_memory(4 << 20).batch_size(1 << 20),
        config()
            .gzip_level(1)
            .topic("t", TopicConfig::new().compression(Compression::Gzip)),
        config().max_request_size(1_048_588),
        config().connections_max_idle(ms(599_999)),
        tls().ssl_versions(&[TlsVersion::V1_3]),
        // It is a warning already.
        tls()
            .set("ssl.endpoint.identification.algorithm", "")
            .unwrap(),
    ] {
        // A codec that is not built in is an error, which comes before all advice.
        let told = config.validate().ok();
        let told = told.and_then(|settled| RULES.iter().find_map(|rule| rule(&settled)));
        assert_eq!(told, None);
    }
}
