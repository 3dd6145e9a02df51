//! Names that other Kafka clients, or older ones, have for settings.

/// What to set instead of `key`, if it is one of those names.
pub(super) fn advice(key: &str) -> Option<String> {
    if let Some((_, name)) = RENAMED.iter().find(|(foreign, _)| *foreign == key) {
        return Some(format!("this is another client's name, Java's is {name}"));
    }
    if let Some((_, advice)) = EXPLAINED.iter().find(|(foreign, _)| *foreign == key) {
        return Some((*advice).to_owned());
    }
    LIBRDKAFKA_ONLY.contains(&key).then(|| {
        "only librdkafka has this setting, and nothing here corresponds to it: leave it out"
            .to_owned()
    })
}

/// librdkafka's name and Java's for the same thing in the same unit.
static RENAMED: &[(&str, &str)] = &[
    ("metadata.broker.list", "bootstrap.servers"),
    ("broker.list", "bootstrap.servers"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("message.timeout.ms", "delivery.timeout.ms"),
    ("request.required.acks", "acks"),
    ("message.max.bytes", "max.request.size"),
    ("message.send.max.retries", "retries"),
    ("compression.codec", "compression.type"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("topic.metadata.refresh.interval.ms", "metadata.max.age.ms"),
    ("socket.timeout.ms", "request.timeout.ms"),
    ("timeout.ms", "request.timeout.ms"),
    ("metadata.fetch.timeout.ms", "max.block.ms"),
    ("socket.send.buffer.bytes", "send.buffer.bytes"),
    ("socket.receive.buffer.bytes", "receive.buffer.bytes"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("ssl.ca.pem", "ssl.truststore.certificates"),
    ("ssl.certificate.location", "ssl.keystore.location"),
    ("ssl.key.location", "ssl.keystore.location"),
    ("ssl.key.pem", "ssl.keystore.key"),
    ("ssl.certificate.pem", "ssl.keystore.certificate.chain"),
    ("ssl.providers", "security.providers"),
    ("sasl.kerberos.keytab", "sasl.jaas.config"),
    ("sasl.kerberos.principal", "sasl.jaas.config"),
    ("sasl.oauthbearer.config", "sasl.jaas.config"),
];

/// Names whose counterpart is not a mere name.
static EXPLAINED: &[(&str, &str)] = &[
    (
        "queue.buffering.max.kbytes",
        "this is librdkafka's name, Java's is buffer.memory, in bytes",
    ),
    (
        "queue.buffering.max.messages",
        "this is librdkafka's: the buffer is limited in bytes here, by buffer.memory",
    ),
    (
        "batch.num.messages",
        "this is librdkafka's: batches are limited in bytes here, by batch.size",
    ),
    (
        "compression.level",
        "this is librdkafka's name, Java's are compression.gzip.level, .lz4.level and .zstd.level",
    ),
    (
        "reconnect.backoff.jitter.ms",
        "this is librdkafka's: the jitter of reconnect.backoff.ms is always 20 %",
    ),
    (
        "partitioner",
        "this is librdkafka's name, Java's is partitioner.class, which takes the same values",
    ),
    ("sasl.username", IN_JAAS),
    ("sasl.password", IN_JAAS),
    (
        "ssl.ca.location",
        "this is librdkafka's name, Java's is ssl.truststore.location (PEM)",
    ),
    (
        "enable.ssl.certificate.verification",
        "certificates are always verified here: name the authority in ssl.truststore.location; \
         ssl.endpoint.identification.algorithm turns off the check of the host name alone",
    ),
    (
        "block.on.buffer.full",
        "Java has dropped it: max.block.ms says how long a full buffer blocks, 0 is not at all",
    ),
];

const IN_JAAS: &str = "this is librdkafka's name; in Java's, sasl.jaas.config has both: \
     org.apache.kafka.common.security.plain.PlainLoginModule required username=\"...\" \
     password=\"...\";";

static LIBRDKAFKA_ONLY: &[&str] = &[
    "api.version.fallback.ms",
    "api.version.request",
    "api.version.request.timeout.ms",
    "broker.address.family",
    "broker.address.ttl",
    "broker.version.fallback",
    "builtin.features",
    "debug",
    "delivery.report.only.error",
    "enable.random.seed",
    "enable.sparse.connections",
    "internal.termination.signal",
    "log.connection.close",
    "log.queue",
    "log.thread.name",
    "log_level",
    "max.in.flight.requests.per.broker",
    "message.copy.max.bytes",
    "open_cb",
    "opaque",
    "plugin.library.paths",
    "queue.buffering.backpressure.threshold",
    "queuing.strategy",
    "receive.message.max.bytes",
    "socket.blocking.max.ms",
    "socket.keepalive.enable",
    "socket.max.fails",
    "socket.nagle.disable",
    "statistics.interval.ms",
    "sticky.partitioning.linger.ms",
    "topic.blacklist",
    "topic.metadata.propagation.max.ms",
    "topic.metadata.refresh.fast.interval.ms",
    "topic.metadata.refresh.sparse",
];
