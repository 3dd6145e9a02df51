//! What each setting comes to, as text in Java's unit.

use std::fmt::Display;
use std::time::Duration;

use crate::config::{Config, PemSource, SaslConfig, Secret, TlsVersions, TokenOrigin};
use crate::partitioner::PartitionerChoice;

/// A setting that this producer works with, its value, and what differs from Java's.
pub(super) type Effective = (&'static str, fn(&Config) -> String, &'static str);

/// A setting without a name as text, in ms too.
pub(super) const CLOSE_TIMEOUT: &str = "Config::close_timeout";
/// One without a name as text, told where it is set.
pub(super) const DIALER: &str = "Config::dialer";
/// Others.
#[cfg(feature = "tls")]
pub(super) const RUSTLS: &str = "Config::rustls";
#[cfg(feature = "tls")]
pub(super) const CRYPTO_PROVIDER: &str = "Config::crypto_provider";
/// Nothing is set.
pub(super) const NOTHING: &str = "(none)";
/// What is never shown.
pub(super) const HIDDEN: &str = "[hidden]";

/// The settings that are read into [`Config`].
#[rustfmt::skip] // one key, one line, as far as it goes
pub(super) static EFFECTIVE: &[Effective] = &[
    ("bootstrap.servers", |c| list(&c.bootstrap_servers), ""),
    ("buffer.memory", |c| c.buffer_memory.to_string(), "0 is refused"),
    ("retries", |c| c.retries.to_string(), "`enable.idempotence=true` makes it 2147483647"),
    ("acks", |c| c.acks.to_string(), "`enable.idempotence=true` makes it `all`"),
    ("compression.type", |c| c.compression.to_string(), "also for one topic, see below"),
    ("compression.gzip.level", |c| c.levels.gzip.to_string(), ""),
    ("compression.lz4.level", |c| c.levels.lz4.to_string(), "others count as 9, with a warning"),
    ("compression.zstd.level", |c| c.levels.zstd.to_string(),
     "-7 to 4; others count as the nearest of these, with a warning"),
    ("batch.size", |c| c.batch_size.to_string(), "at most `max.request.size`, with a warning"),
    ("linger.ms", |c| ms(c.linger), "a thread that waits for a delivery never pays it"),
    ("delivery.timeout.ms", |c| ms(c.delivery_timeout), ""),
    ("client.id", |c| client_id(c), ""),
    ("send.buffer.bytes", |c| or_minus_one(c.send_buffer_bytes),
     "needs the feature `socket-buffers`; 0 is refused"),
    ("receive.buffer.bytes", |c| or_minus_one(c.receive_buffer_bytes),
     "needs the feature `socket-buffers`; 0 is refused"),
    ("max.request.size", |c| c.max_request_size.to_string(), "0 is refused"),
    ("reconnect.backoff.ms", |c| ms(c.reconnect_backoff), ""),
    ("reconnect.backoff.max.ms", |c| ms(c.reconnect_backoff_max), ""),
    ("retry.backoff.ms", |c| ms(c.retry_backoff), ""),
    ("retry.backoff.max.ms", |c| ms(c.retry_backoff_max), ""),
    ("max.block.ms", |c| ms(c.max_block), ""),
    ("request.timeout.ms", |c| ms(c.request_timeout), "0 is refused"),
    ("metadata.max.age.ms", |c| ms(c.metadata_max_age), "0 is refused"),
    ("metadata.max.idle.ms", |c| ms(c.metadata_max_idle), ""),
    ("max.in.flight.requests.per.connection", |c| c.max_in_flight.to_string(),
     "more than 1000 count as 1000, with a warning"),
    ("key.serializer", serializer, "`Producer::typed` takes serializers in Rust"),
    ("value.serializer", serializer, "`Producer::typed` takes serializers in Rust"),
    ("socket.connection.setup.timeout.ms", |c| ms(c.connection_setup_timeout), "0 is refused"),
    ("socket.connection.setup.timeout.max.ms", |c| ms(c.connection_setup_timeout_max),
     "0 is refused"),
    ("connections.max.idle.ms", |c| c.connections_max_idle.map_or("-1".into(), ms),
     "0 is refused, less is never"),
    ("partitioner.class", partitioner,
     "Java's own is `uniform-sticky`; librdkafka's are known by their names; \
      `Config::partitioner` takes one in Rust"),
    ("partitioner.adaptive.partitioning.enable", |c| c.partitioning.sticky.is_adaptive.to_string(),
     "for `uniform-sticky`"),
    ("partitioner.availability.timeout.ms", |c| ms(c.partitioning.sticky.availability_timeout),
     "for `uniform-sticky`"),
    ("partitioner.ignore.keys", |c| c.partitioning.ignores_keys.to_string(),
     "for the default one and `uniform-sticky`"),
    ("partitioner.rack.aware", |c| c.partitioning.is_rack_aware.to_string(),
     "for `uniform-sticky`; needs `client.rack`"),
    ("client.rack", |c| or_nothing(&c.partitioning.rack), "for `partitioner.rack.aware`"),
    ("security.protocol", |c| c.security_protocol.to_string(), ""),
    ("enable.idempotence", |c| c.idempotence.to_string(), ""),
    ("config.providers", |c| list(&c.providers.names),
     "Kafka's own three: `file`, `dir` and `env`; see `Config::set`"),
    ("enable.gapless.guarantee", |c| c.gapless.to_string(), "librdkafka's; Java has none"),
    ("allow.auto.create.topics", |c| c.allow_auto_create_topics.to_string(),
     "librdkafka's; Java's producer always does"),
    ("full.buffer.policy", |c| c.full_buffer.to_string(), "this producer's own; Java blocks"),
    ("ssl.protocol", ssl_protocol, "`TLSv1.2` keeps TLS 1.3 out, the others do nothing"),
    ("ssl.enabled.protocols", |c| tls_versions(c.chosen.tls_enabled), "TLS 1.2 and 1.3 only"),
    ("ssl.keystore.type", |_| "PEM".into(), "Java's own formats are refused"),
    ("ssl.keystore.location", |c| match &c.tls.keystore.location {
        Some(path) => path.display().to_string(),
        None => NOTHING.into(),
    }, "one PEM file with the key and its certificates; read again when it changes"),
    ("ssl.keystore.key", |c| hidden(&c.tls.keystore.key), "PKCS#8, PKCS#1 or SEC1"),
    ("ssl.key.password", |c| hidden(&c.tls.keystore.key_password),
     "for encrypted PKCS#8; needs the feature `encrypted-keys`"),
    ("ssl.keystore.certificate.chain", |c| hidden(&c.tls.keystore.chain), ""),
    ("ssl.truststore.certificates", |c| match c.tls.truststore {
        Some(PemSource::Inline(_)) => HIDDEN.into(),
        _ => NOTHING.into(),
    }, ""),
    ("ssl.truststore.type", |c| match c.tls.truststore {
        Some(PemSource::System) => "OS".into(),
        _ => "PEM".into(),
    }, "`PEM`, or `OS` with the feature `os-roots`; Java's own formats are refused"),
    ("ssl.crl.location", |c| match &c.tls.crl {
        Some(path) => path.display().to_string(),
        None => NOTHING.into(),
    }, "librdkafka's; Java has none; read again when it changes"),
    ("ssl.truststore.location", |c| match &c.tls.truststore {
        Some(PemSource::File(path)) => path.display().to_string(),
        _ => NOTHING.into(),
    }, "without one, Mozilla's list of authorities counts; read again when it changes"),
    ("ssl.cipher.suites", |c| list(&c.tls.suites), "empty are all that the cryptography has"),
    ("ssl.endpoint.identification.algorithm", |c| match c.tls.verify_host_name {
        true => "https".into(),
        false => NOTHING.into(),
    }, ""),
    ("sasl.mechanism", |c| match c.chosen.mechanism {
        Some(mechanism) => mechanism.name().into(),
        None => NOTHING.into(),
    }, "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER`"),
    ("sasl.jaas.config", |c| match &c.sasl {
        // For a source there are no names in the settings.
        sasl if c.credentials.is_some() && sasl.as_ref().is_none_or(is_nameless) => {
            "a source in Rust".into()
        }
        Some(SaslConfig::Plain { username, .. }) => {
            format!("PlainLoginModule, user name {username:?}, password {HIDDEN}")
        }
        Some(SaslConfig::Scram(scram)) => {
            let (user, token) = (&scram.username, scram.is_token);
            let token = if token { ", tokenauth" } else { "" };
            format!("ScramLoginModule, user name {user:?}, password {HIDDEN}{token}")
        }
        Some(SaslConfig::OauthBearer(_)) => "OAuthBearerLoginModule, a source in Rust".into(),
        Some(SaslConfig::Oidc(oidc)) => match &oidc.origin {
            TokenOrigin::File(path) => {
                format!("OAuthBearerLoginModule, the token in {}", path.display())
            }
            TokenOrigin::Unsecured(tokens) => {
                let principal = tokens.principal();
                format!("OAuthBearerLoginModule, unsecured tokens for {principal:?}")
            }
            TokenOrigin::Endpoint(endpoint) => format!(
                "OAuthBearerLoginModule, tokens of {} for client {:?}, secret {HIDDEN}",
                endpoint.url, endpoint.client_id
            ),
        },
        None => NOTHING.into(),
    }, "`PlainLoginModule`, `ScramLoginModule`, `OAuthBearerLoginModule`"),
    ("sasl.login.callback.handler.class", |c| match c.oidc.has_handler {
        true => "OAuthBearerLoginCallbackHandler".into(),
        false => NOTHING.into(),
    }, "Java's own for OAUTHBEARER, which need not be set; others are refused"),
    ("sasl.login.connect.timeout.ms", |c| ms(c.oidc.connect_timeout),
     "for a token endpoint; Java waits for ever"),
    ("sasl.login.read.timeout.ms", |c| ms(c.oidc.read_timeout),
     "for the whole answer of a token endpoint; Java waits for ever"),
    ("sasl.login.retry.backoff.ms", |c| ms(c.oidc.retry_backoff), "for a token endpoint"),
    ("sasl.login.retry.backoff.max.ms", |c| ms(c.oidc.retry_backoff_max),
     "how long a token endpoint is asked again"),
    ("sasl.oauthbearer.token.endpoint.url", |c| match &c.oidc.place {
        Some(place) => place.to_string(),
        None => NOTHING.into(),
    }, "`https://...` needs the feature `oidc`; `file:/...` is read for each token"),
    ("sasl.oauthbearer.client.credentials.client.id", |c| {
        or_nothing(c.oidc.client_id.as_deref().unwrap_or_default())
    }, "or `clientId` in `sasl.jaas.config`"),
    ("sasl.oauthbearer.client.credentials.client.secret", |c| hidden(&c.oidc.client_secret),
     "or `clientSecret` in `sasl.jaas.config`"),
    ("sasl.oauthbearer.scope", |c| or_nothing(c.oidc.scope.as_deref().unwrap_or_default()),
     "or `scope` in `sasl.jaas.config`"),
    ("sasl.oauthbearer.header.urlencode", |c| c.oidc.is_urlencoded.to_string(), ""),
    ("sasl.oauthbearer.scope.claim.name", |c| c.oidc.scope_claim.clone(), ""),
    ("sasl.oauthbearer.sub.claim.name", |c| c.oidc.subject_claim.clone(), ""),
    ("sasl.oauthbearer.jwt.retriever.class", |c| c.oidc.retriever.name().into(),
     "the default, `ClientCredentialsJwtRetriever`, `FileJwtRetriever`"),
    ("sasl.oauthbearer.jwt.validator.class", |_| "ClientJwtValidator".into(),
     "the checks of this one, always"),
    ("sasl.login.refresh.window.factor", |c| c.token_refresh.window_factor.to_string(),
     "for OAUTHBEARER"),
    ("sasl.login.refresh.window.jitter", |c| c.token_refresh.window_jitter.to_string(),
     "for OAUTHBEARER"),
    ("sasl.login.refresh.min.period.seconds", |c| seconds(c.token_refresh.min_period),
     "for OAUTHBEARER"),
    ("sasl.login.refresh.buffer.seconds", |c| seconds(c.token_refresh.buffer),
     "for OAUTHBEARER"),
];

fn is_nameless(sasl: &SaslConfig) -> bool {
    sasl.user().is_some_and(|(user, _)| user.is_empty())
}

fn list(entries: &[impl Display]) -> String {
    let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
    match entries.is_empty() {
        true => NOTHING.into(),
        false => entries.join(","),
    }
}

fn or_nothing(text: &str) -> String {
    match text {
        "" => NOTHING.into(),
        text => text.into(),
    }
}

/// Milliseconds; a setter in code takes parts of one too.
pub(super) fn ms(duration: Duration) -> String {
    let (ms, rest) = (duration.as_millis(), duration.subsec_nanos() % 1_000_000);
    match rest {
        0 => ms.to_string(),
        _ => format!("{ms}.{rest:06}").trim_end_matches('0').to_owned(),
    }
}

fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

fn or_minus_one(bytes: Option<usize>) -> String {
    bytes.map_or("-1".into(), |bytes| bytes.to_string())
}

fn hidden(secret: &Option<Secret>) -> String {
    match secret {
        Some(_) => HIDDEN.into(),
        None => NOTHING.into(),
    }
}

fn client_id(config: &Config) -> String {
    match config.is_given("client.id") {
        true => config.client_id.clone(),
        false => "producer-N".into(),
    }
}

fn serializer(_: &Config) -> String {
    "bytes and strings".into()
}

fn partitioner(config: &Config) -> String {
    match config.partitioning.choice {
        PartitionerChoice::Kind(kind) => kind.to_string(),
        PartitionerChoice::Custom(_) => "one in Rust".into(),
    }
}

fn ssl_protocol(config: &Config) -> String {
    match config.chosen.tls_1_2_only {
        true => "TLSv1.2".into(),
        false => "TLSv1.3".into(),
    }
}

fn tls_versions(versions: TlsVersions) -> String {
    let names = [(versions.v1_2, "TLSv1.2"), (versions.v1_3, "TLSv1.3")];
    let enabled = names.iter().filter(|(is_enabled, _)| *is_enabled);
    let enabled: Vec<&str> = enabled.map(|(_, name)| *name).collect();
    list(&enabled)
}
