//! What works against each other among settings that are all right by themselves.

use std::time::Duration;

use crate::compress::Compression;
use crate::config::effective::ms;
use crate::config::origin::Origin;
use crate::config::{Acks, Config, SaslConfig, SecurityProtocol};

/// What brokers take by default, `message.max.bytes`.
const BROKERS_BYTES_MAX: usize = 1_048_588;
/// After what time brokers close a connection that rests, by default.
const BROKERS_IDLE: Duration = Duration::from_secs(600);

/// A sentence for each, in the order of the rules.
pub(super) fn advice(config: &Config) -> Vec<String> {
    RULES.iter().filter_map(|rule| rule(config)).collect()
}

pub(super) static RULES: &[fn(&Config) -> Option<String>] = &[
    |c| {
        let is_said = c.acks == Acks::All && c.retries == 0;
        is_said.then(|| {
            "retries=0 with acks=all: a leader that moves fails records that all replicas live to \
             take; enable.idempotence=true sends them again, without duplicates"
                .into()
        })
    },
    |c| {
        (c.acks == Acks::None && c.retries > 0).then(|| {
            format!(
                "retries={} has no effect: with acks=0 no failure at the broker is ever told",
                c.retries
            )
        })
    },
    |c| {
        let is_said = c.retries > 0 && !c.idempotence && c.acks != Acks::None;
        is_said.then(|| {
            format!(
                "retries={} without enable.idempotence=true: an answer that is lost makes a \
                 duplicate, and so that order holds a partition has one unanswered batch at a \
                 time, whatever max.in.flight.requests.per.connection says",
                c.retries
            )
        })
    },
    |c| {
        (!c.linger.is_zero() && c.batch_size == 0).then(|| {
            format!(
                "linger.ms={} has no effect: batch.size=0 makes a batch of every record, which is \
                 full at once",
                ms(c.linger)
            )
        })
    },
    |c| {
        let is_said = c.buffer_memory >= c.max_request_size && c.buffer_memory / 4 < c.batch_size;
        is_said.then(|| {
            format!(
                "buffer.memory={} has room for fewer than four batches of batch.size={}: sends \
                 wait for each other; raise it, or lower batch.size",
                c.buffer_memory, c.batch_size
            )
        })
    },
    |c| {
        let two = c.linger.saturating_add(c.request_timeout.saturating_mul(2));
        (c.retries > 0 && c.delivery_timeout < two).then(|| {
            format!(
                "delivery.timeout.ms={} leaves room for one request of request.timeout.ms={}: what \
                 a silent broker has is not sent again",
                ms(c.delivery_timeout),
                ms(c.request_timeout)
            )
        })
    },
    |c| level_of_another(c, "compression.gzip.level", Compression::Gzip),
    |c| level_of_another(c, "compression.lz4.level", Compression::Lz4),
    |c| level_of_another(c, "compression.zstd.level", Compression::Zstd),
    |c| {
        (c.max_request_size > BROKERS_BYTES_MAX).then(|| {
            format!(
                "max.request.size={} is more than brokers take by default: see that their \
                 message.max.bytes, or the topic's max.message.bytes, is as large",
                c.max_request_size
            )
        })
    },
    |c| {
        c.max_block.is_zero().then(|| {
            "max.block.ms=0: the first sends to a topic fail, since nothing waits until the topic \
             is known"
                .into()
        })
    },
    |c| {
        let never = c
            .connections_max_idle
            .is_none_or(|idle| idle >= BROKERS_IDLE);
        never.then(|| {
            "connections.max.idle.ms: brokers close a connection that rests for 600000 by default; \
             below that, no request finds its connection closed"
                .into()
        })
    },
    |c| {
        (c.metadata_max_age < Duration::from_secs(1)).then(|| {
            format!(
                "metadata.max.age.ms={} asks a broker for metadata more than once a second",
                ms(c.metadata_max_age)
            )
        })
    },
    |c| fixed_buffer("send.buffer.bytes", c.send_buffer_bytes),
    |c| fixed_buffer("receive.buffer.bytes", c.receive_buffer_bytes),
    |c| {
        (c.security_protocol == SecurityProtocol::SaslPlaintext).then(|| {
            let reads = match c.sasl {
                Some(SaslConfig::Scram(_)) => {
                    "the records, and can try passwords against the login"
                }
                Some(SaslConfig::OauthBearer(_) | SaslConfig::Oidc(_)) => {
                    "the token and the records"
                }
                _ => "the password and the records",
            };
            format!(
                "security.protocol=SASL_PLAINTEXT: everybody on the way reads {reads}; SASL_SSL \
                 encrypts them"
            )
        })
    },
    |c| {
        // As text it is a warning already.
        let by_code = c.origins.of("ssl.endpoint.identification.algorithm") == Some(&Origin::Code);
        (by_code && c.security_protocol.has_tls() && !c.tls.verify_host_name).then(|| {
            "ssl.endpoint.identification.algorithm is empty: whoever has any certificate of the \
             trusted authorities can pose as a broker"
                .into()
        })
    },
];

/// A level that was given for a codec that no topic has.
fn level_of_another(config: &Config, key: &str, codec: Compression) -> Option<String> {
    let mut topics = config.topics.values();
    let is_used =
        config.compression == codec || topics.any(|settings| settings.compression == Some(codec));
    let is_given = config.origins.of(key).is_some();
    (is_given && !is_used)
        .then(|| format!("{key} has no effect: nothing has compression.type={codec}"))
}

fn fixed_buffer(key: &str, bytes: Option<usize>) -> Option<String> {
    let bytes = bytes?;
    Some(format!(
        "{key}={bytes}: a fixed size caps what a distant broker can take; -1 lets the system find \
         one"
    ))
}
