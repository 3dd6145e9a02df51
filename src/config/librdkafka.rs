//! librdkafka's settings that concern a producer, and what corresponds to each here.

/// What corresponds to a setting of librdkafka.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// Java has one of this name; what differs, for the guide.
    #[cfg_attr(not(test), allow(dead_code, reason = "the guide is made by a test"))]
    Shared(&'static str),
    /// Java's name for it, and how meaning, unit or default differ.
    Renamed(&'static str, &'static str),
    /// There is none: why, or what to use instead.
    Without(&'static str),
}

use Answer::{Renamed, Shared, Without};

const SAME: &str = "it means the same";
const IN_CODE: Answer = Without("callbacks are no settings: give closures in code");
const SOCKETS: Answer = Without("sockets, files and names are the standard library's business");
const OF_C: Answer = Without("it is a part of the C library");
const NO_LONGER: Answer = Without("librdkafka itself no longer uses it");
const VERSIONS: Answer = Without("every broker is asked for the versions that it speaks");
const OWN_CERTIFICATE: &str = "a client certificate, as one PEM with the key";
const IN_OPENSSL: Answer = Without("it is a part of OpenSSL, and TLS is not OpenSSL's here");
const KERBEROS: &str = "Kerberos (GSSAPI), in the options of Java's login module";
const OIDC: &str = "for OAUTHBEARER";
const IN_JAAS: &str = "which has user name and password: \
     org.apache.kafka.common.security.plain.PlainLoginModule required username=\"...\" \
     password=\"...\";";

/// In the order of librdkafka's CONFIGURATION.md.
#[rustfmt::skip] // one name, one line, as far as it goes
pub(super) static LIBRDKAFKA: &[(&str, Answer)] = &[
    ("builtin.features", Without("features are chosen when the crate is built")),
    ("client.id", Shared("default rdkafka there, producer-1, producer-2 ... here")),
    ("metadata.broker.list", Renamed("bootstrap.servers", "every entry needs its port")),
    ("bootstrap.servers", Shared("every entry needs its port")),
    ("message.max.bytes", Renamed("max.request.size", "default 1000000 there, 1048576 here")),
    ("message.copy.max.bytes", Without("records are copied once, into their batch")),
    ("receive.message.max.bytes", Without("an answer may have 64 MiB, which cannot be changed")),
    ("max.in.flight.requests.per.connection", Shared(
        "default 1000000 there, 5 here; retries never change the order here",
    )),
    ("max.in.flight", Renamed(
        "max.in.flight.requests.per.connection", "default 1000000 there, 5 here",
    )),
    ("metadata.recovery.strategy", Shared(SAME)),
    ("metadata.recovery.rebootstrap.trigger.ms", Shared(SAME)),
    ("topic.metadata.refresh.interval.ms", Renamed(
        "metadata.max.age.ms", "the default is the same, and there is no -1 for never",
    )),
    ("metadata.max.age.ms", Shared(
        "there, how long what is known counts (900000); here, how often it is asked for (300000), \
         which is topic.metadata.refresh.interval.ms there",
    )),
    ("topic.metadata.refresh.fast.interval.ms", Renamed(
        "retry.backoff.ms", "a missing leader is asked for with the pauses of retries",
    )),
    ("topic.metadata.refresh.fast.cnt", NO_LONGER),
    ("topic.metadata.refresh.sparse", Without("only topics that are in use are asked for")),
    ("topic.metadata.propagation.max.ms", Renamed(
        "max.block.ms", "a topic that is not known is waited for as long, 60000; there 30000",
    )),
    ("topic.blacklist", Without("only topics that are sent to are asked for")),
    ("debug", Without("set the level of the logger to debug")),
    ("socket.timeout.ms", Renamed("request.timeout.ms", "default 60000 there, 30000 here")),
    ("socket.blocking.max.ms", NO_LONGER),
    ("socket.send.buffer.bytes", Renamed(
        "send.buffer.bytes", "the system's choice is 0 there and -1 here; both are the default",
    )),
    ("socket.receive.buffer.bytes", Renamed(
        "receive.buffer.bytes", "the system's choice is 0 there and -1 here; both are the default",
    )),
    ("socket.keepalive.enable", Without("it is always on, with the feature socket-buffers")),
    ("socket.nagle.disable", Without("it is always disabled, as by default there")),
    ("socket.max.fails", Without("a connection is left at the first failure, as by default there")),
    ("broker.address.ttl", Without("a name is resolved whenever a connection is opened")),
    ("broker.address.family", Without("every address of a name is tried")),
    ("socket.connection.setup.timeout.ms", Shared(
        "default 30000 there; 10000 here, which doubles up to \
         socket.connection.setup.timeout.max.ms",
    )),
    ("connections.max.idle.ms", Shared(
        "never is 0 there and -1 here; default 0 there, 540000 here",
    )),
    ("reconnect.backoff.jitter.ms", Without("the jitter of reconnect.backoff.ms is always 20 %")),
    ("reconnect.backoff.ms", Shared("default 100 there, 50 here; alone, it never grows here")),
    ("reconnect.backoff.max.ms", Shared("default 10000 there, 1000 here")),
    ("statistics.interval.ms", Without("ask Producer::metrics when the numbers are wanted")),
    ("enabled_events", IN_CODE),
    ("error_cb", Without("errors come with the record they are about, the others are logged")),
    ("throttle_cb", Without("ask Producer::metrics")),
    ("stats_cb", Without("ask Producer::metrics when the numbers are wanted")),
    ("log_cb", Without("log lines go through the crate log to the logger of the program")),
    ("log_level", Without("the logger of the program has the level")),
    ("log.queue", Without("log lines go through the crate log to the logger of the program")),
    ("log.thread.name", Without("the logger of the program writes what it likes")),
    ("enable.random.seed", OF_C),
    ("log.connection.close", Without("connections are logged at level debug")),
    ("background_event_cb", IN_CODE),
    ("socket_cb", SOCKETS),
    ("connect_cb", SOCKETS),
    ("closesocket_cb", SOCKETS),
    ("open_cb", SOCKETS),
    ("resolve_cb", SOCKETS),
    ("opaque", Without("closures have what they need")),
    ("default_topic_conf", Without("topic.NAME. before a setting holds for that topic alone")),
    ("internal.termination.signal", Without("close ends all threads by itself")),
    ("api.version.request", VERSIONS),
    ("api.version.request.timeout.ms", Renamed(
        "socket.connection.setup.timeout.ms", "it holds for all that opens a connection",
    )),
    ("api.version.fallback.ms", VERSIONS),
    ("broker.version.fallback", VERSIONS),
    ("allow.auto.create.topics", Shared("it means the same; Java's producer has none")),
    ("security.protocol", Shared(SAME)),
    ("ssl.cipher.suites", Shared("OpenSSL's names there, Java's here")),
    ("ssl.curves.list", IN_OPENSSL),
    ("ssl.sigalgs.list", IN_OPENSSL),
    ("ssl.key.location", Renamed("ssl.keystore.location", OWN_CERTIFICATE)),
    ("ssl.key.password", Shared(SAME)),
    ("ssl.key.pem", Renamed("ssl.keystore.key", "it means the same")),
    ("ssl_key", Renamed("ssl.keystore.key", OWN_CERTIFICATE)),
    ("ssl.certificate.location", Renamed("ssl.keystore.location", OWN_CERTIFICATE)),
    ("ssl.certificate.pem", Renamed("ssl.keystore.certificate.chain", "it means the same")),
    ("ssl_certificate", Renamed("ssl.keystore.certificate.chain", OWN_CERTIFICATE)),
    ("ssl.ca.location", Renamed(
        "ssl.truststore.location",
        "with ssl.truststore.type=PEM; a file, no directory; probe is ssl.truststore.type=OS",
    )),
    ("https.ca.location", Without(OIDC)),
    ("https.ca.pem", Without(OIDC)),
    ("ssl.ca.pem", Renamed("ssl.truststore.certificates", "it means the same")),
    ("ssl_ca", Renamed("ssl.truststore.certificates", "as PEM")),
    ("ssl.ca.certificate.stores", Renamed(
        "ssl.truststore.type", "OS is what Windows trusts, and no single store of it",
    )),
    ("ssl.crl.location", Shared("authorities in between are looked up too, where there is a list")),
    ("ssl.keystore.location", Shared("PKCS#12 there; Java's is of ssl.keystore.type")),
    ("ssl.keystore.password", Shared(SAME)),
    ("ssl.providers", Renamed("ssl.provider", "a feature of this crate chooses who does TLS")),
    ("ssl.engine.location", IN_OPENSSL),
    ("ssl.engine.id", IN_OPENSSL),
    ("ssl_engine_callback_data", IN_OPENSSL),
    ("enable.ssl.certificate.verification", Without(
        "certificates are always verified here: name the authority in ssl.truststore.location; \
         ssl.endpoint.identification.algorithm turns off the check of the host name alone",
    )),
    ("ssl.endpoint.identification.algorithm", Shared("off is none there, and empty here")),
    ("ssl.certificate.verify_cb", Without("certificates are verified by rustls")),
    ("sasl.mechanisms", Renamed("sasl.mechanism", "it means the same")),
    ("sasl.mechanism", Shared(SAME)),
    ("sasl.kerberos.service.name", Shared("default kafka there, none here")),
    ("sasl.kerberos.principal", Renamed("sasl.jaas.config", KERBEROS)),
    ("sasl.kerberos.kinit.cmd", Shared("a whole command there, the path of one here")),
    ("sasl.kerberos.keytab", Renamed("sasl.jaas.config", KERBEROS)),
    ("sasl.kerberos.min.time.before.relogin", Shared(SAME)),
    ("sasl.username", Renamed("sasl.jaas.config", IN_JAAS)),
    ("sasl.password", Renamed("sasl.jaas.config", IN_JAAS)),
    ("sasl.oauthbearer.config", Renamed("sasl.jaas.config", "OAUTHBEARER, in its options")),
    ("enable.sasl.oauthbearer.unsecure.jwt", Renamed("sasl.jaas.config", "OAUTHBEARER")),
    ("oauthbearer_token_refresh_cb", Renamed(
        "sasl.login.callback.handler.class", "a class of Java",
    )),
    ("sasl.oauthbearer.method", Renamed("sasl.oauthbearer.jwt.retriever.class", "a class of Java")),
    ("sasl.oauthbearer.client.id", Renamed("sasl.oauthbearer.client.credentials.client.id", OIDC)),
    ("sasl.oauthbearer.client.credentials.client.id", Shared(SAME)),
    ("sasl.oauthbearer.client.credentials.client.secret", Shared(SAME)),
    ("sasl.oauthbearer.client.secret", Renamed(
        "sasl.oauthbearer.client.credentials.client.secret", OIDC,
    )),
    ("sasl.oauthbearer.scope", Shared(SAME)),
    ("sasl.oauthbearer.extensions", Renamed("sasl.jaas.config", "OAUTHBEARER, in its options")),
    ("sasl.oauthbearer.token.endpoint.url", Shared(SAME)),
    ("sasl.oauthbearer.sub.claim.name", Shared(SAME)),
    ("sasl.oauthbearer.grant.type", Renamed(
        "sasl.oauthbearer.jwt.retriever.class", "each grant is a class of Java",
    )),
    ("sasl.oauthbearer.assertion.algorithm", Shared(SAME)),
    ("sasl.oauthbearer.assertion.private.key.file", Shared(SAME)),
    ("sasl.oauthbearer.assertion.private.key.passphrase", Shared(SAME)),
    ("sasl.oauthbearer.assertion.private.key.pem", Renamed(
        "sasl.oauthbearer.assertion.private.key.file", "a file with that text",
    )),
    ("sasl.oauthbearer.assertion.file", Shared(SAME)),
    ("sasl.oauthbearer.assertion.claim.aud", Shared(SAME)),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", Shared("at most 86400 here")),
    ("sasl.oauthbearer.assertion.claim.iss", Shared(SAME)),
    ("sasl.oauthbearer.assertion.claim.jti.include", Shared(SAME)),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", Shared("at most 3600 here")),
    ("sasl.oauthbearer.assertion.claim.sub", Shared(SAME)),
    ("sasl.oauthbearer.assertion.jwt.template.file", Renamed(
        "sasl.oauthbearer.assertion.template.file", OIDC,
    )),
    ("sasl.oauthbearer.metadata.authentication.type", Without(OIDC)),
    ("plugin.library.paths", OF_C),
    ("interceptors", Without("Config::interceptor takes interceptors in Rust")),
    ("client.rack", Shared(SAME)),
    ("transactional.id", Shared(SAME)),
    ("transaction.timeout.ms", Shared(SAME)),
    ("enable.idempotence", Shared(
        "it means the same, and false is the default of both; Java's is true",
    )),
    ("enable.gapless.guarantee", Shared(
        "a gap stops its partition, there the whole producer; Java has none",
    )),
    ("queue.buffering.max.messages", Renamed(
        "buffer.memory", "bytes instead of messages: 33554432 by default, there 100000 messages",
    )),
    ("queue.buffering.max.kbytes", Renamed(
        "buffer.memory", "in bytes, not KiB; default 1 GiB there, 32 MiB here",
    )),
    ("queue.buffering.max.ms", Renamed(
        "linger.ms", "whole milliseconds, there also parts of one; default 5 there, 0 here",
    )),
    ("linger.ms", Shared("there also parts of a millisecond; default 5 there, 0 here")),
    ("message.send.max.retries", Renamed("retries", "default 2147483647 there, 0 here")),
    ("retries", Shared("default 2147483647 there, 0 here; they never change the order here")),
    ("retry.backoff.ms", Shared(SAME)),
    ("retry.backoff.max.ms", Shared(SAME)),
    ("queue.buffering.backpressure.threshold", Renamed(
        "max.in.flight.requests.per.connection", "batches fill while so many are unanswered",
    )),
    ("compression.codec", Renamed(
        "compression.type", "for one topic topic.NAME.compression.type; to inherit, leave it out",
    )),
    ("compression.type", Shared("for one topic it is topic.NAME.compression.type here")),
    ("batch.num.messages", Renamed(
        "batch.size", "bytes instead of messages: 65536 by default, there 10000 messages",
    )),
    ("batch.size", Shared("default 1000000 there, 65536 here")),
    ("delivery.report.only.error", Without("a callback is free to do nothing about an Ok")),
    ("dr_cb", Without("Producer::send_with takes a closure for each record")),
    ("dr_msg_cb", Without("Producer::send_with takes a closure for each record")),
    ("sticky.partitioning.linger.ms", Without(
        "librdkafka's partitioners stay with a partition for twice linger.ms, as by default there",
    )),
    ("client.dns.lookup", Shared(SAME)),
    ("enable.metrics.push", Shared("metrics are sent there, and never here")),
    ("request.required.acks", Renamed("acks", "default -1 (all) there, 1 here")),
    ("acks", Shared("default -1 (all) there, 1 here; other numbers than -1, 0 and 1 are refused")),
    ("request.timeout.ms", Shared(
        "there, how long the broker may wait for its replicas; here, how long an answer may take, \
         which is socket.timeout.ms there (60000), and as long for the replicas",
    )),
    ("message.timeout.ms", Renamed(
        "delivery.timeout.ms",
        "default 300000 there, 120000 here; 0 (for ever there) is refused, it must be at least \
         linger.ms + request.timeout.ms",
    )),
    ("delivery.timeout.ms", Shared(
        "default 300000 there, 120000 here; 0 (for ever there) is refused",
    )),
    ("queuing.strategy", Without("records of a partition are sent in their order")),
    ("produce.offset.report", NO_LONGER),
    ("partitioner", Renamed(
        "partitioner.class",
        "it takes the same values; the default hashes keys by murmur2, as Java's does, there it is \
         consistent_random (CRC-32): the same key goes to another partition",
    )),
    ("partitioner_cb", Without("Config::partitioner takes a partitioner in Rust")),
    ("msg_order_cmp", Without("records of a partition are sent in their order")),
    ("compression.level", Renamed(
        "compression.gzip.level, compression.lz4.level or compression.zstd.level",
        "each codec has its own, with other numbers than there; leave it out for -1",
    )),
];
