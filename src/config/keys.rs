//! Every key of Java's ProducerConfig, and what this producer does with it.

use std::time::Duration;

use crate::config::security_keys::SECURITY_KEYS;
use crate::config::serializers::read_serializer;
use crate::config::value::{INT_MAX, Setting};
use crate::config::{Acks, Config, foreign, partitions, suggest, topic};
use crate::error::{Error, ErrorKind};

/// Java's least `metadata.max.idle.ms`.
pub(super) const METADATA_IDLE_MIN: Duration = Duration::from_secs(5);

/// What happens to the value of a key.
#[derive(Clone, Copy)]
pub(super) enum Treatment {
    /// It is read into a field of [`Config`].
    Read(fn(&mut Config, &Setting<'_>) -> Result<(), Error>),
    /// It is not used, with a warning unless the value is one of `fine`: what happens anyway.
    Ignored {
        fine: &'static [&'static str],
        why: &'static str,
    },
    /// It is an error unless the value is one of `fine`: going without what it asks for would harm.
    Refused {
        fine: &'static [&'static str],
        why: &'static str,
    },
}

use Treatment::{Ignored, Read, Refused};

pub(super) type Key = (&'static str, Treatment);

/// Reads one setting into `config`.
pub(super) fn apply(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    let among = |fine: &[&str]| fine.iter().any(|value| setting.is(value));
    match find(setting.key) {
        Some(Read(read)) => read(config, setting)?,
        Some(Ignored { fine, why }) if !among(fine) => {
            config.warn(format!("{} has no effect: {why}", setting.key));
        }
        Some(Refused { fine, why }) if !among(fine) => return Err(setting.refused(why)),
        Some(_) => {}
        None => return Err(unknown(setting)),
    }
    Ok(())
}

pub(super) fn find(key: &str) -> Option<Treatment> {
    let mut exact = KEYS.iter().chain(SECURITY_KEYS);
    let mut families = FAMILIES.iter();
    exact
        .find(|(name, _)| *name == key)
        .or_else(|| families.find(|(prefix, _)| key.starts_with(prefix)))
        .map(|(_, treatment)| *treatment)
}

pub(super) fn unknown(setting: &Setting<'_>) -> Error {
    let key = setting.key;
    let wrong = |message: String| Error::new(ErrorKind::Config, message);
    if let Some(advice) = foreign::advice(key) {
        return wrong(format!("{key}: {advice}"));
    }
    // A value that lost the backslash of the line before it stands where a key does; it may be a
    // secret.
    let like_a_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let broken_off = setting.value.is_empty() && !key.contains(['.', '_', '-']);
    if key.is_empty() || key.len() > 60 || !key.chars().all(like_a_key) || broken_off {
        return wrong(
            "this is not the name of a setting; if it belongs to the value before it, the line \
             before must end in a backslash"
                .to_owned(),
        );
    }
    match nearest(key) {
        Some(near) => wrong(format!("unknown setting {key:?}: did you mean {near}?")),
        None => wrong(format!(
            "unknown setting {key:?}: Kafka's producer has none of this name"
        )),
    }
}

/// The key that was probably meant.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    let known = KEYS.iter().chain(SECURITY_KEYS).map(|(name, _)| *name);
    suggest::nearest(key, known)
}

/// Reads a value into a field.
macro_rules! read {
    ($field:ident, $setting:ident => $value:expr) => {
        Read(|config, $setting| {
            config.$field = $value;
            Ok(())
        })
    };
}

pub(super) const fn ignored(why: &'static str) -> Treatment {
    Ignored { fine: &[], why }
}

const NO_SAMPLES: Treatment = ignored("metrics here are counters and are not sampled");

const UTF_8: Treatment = Refused {
    fine: &["UTF-8", "UTF8"],
    why: "text is written in UTF-8: leave it out, or write a serializer for Producer::typed",
};

/// Everything but `ssl.*` and `sasl.*`.
#[rustfmt::skip] // one key, one line, as far as it goes
pub(super) static KEYS: &[Key] = &[
    ("bootstrap.servers", Read(read_bootstrap_servers)),
    ("client.dns.lookup", Ignored {
        fine: &["use_all_dns_ips"],
        why: "every address of a name is tried, and names are not replaced by canonical ones",
    }),
    ("buffer.memory", read!(buffer_memory, s => s.size(0..=i64::MAX)?)),
    ("buffer.memory.allocation.strategy", Ignored {
        fine: &["incremental"],
        why: "batches always grow as records come",
    }),
    ("retries", Read(read_retries)),
    ("acks", Read(read_acks)),
    ("compression.type", read!(compression, s => topic::read_compression(s)?)),
    ("compression.gzip.level", Read(read_gzip_level)),
    ("compression.lz4.level", Read(read_lz4_level)),
    ("compression.zstd.level", Read(read_zstd_level)),
    ("batch.size", read!(batch_size, s => s.size(0..=INT_MAX)?)),
    ("partitioner.adaptive.partitioning.enable", Read(partitions::read_adaptive)),
    ("partitioner.availability.timeout.ms", Read(partitions::read_availability)),
    ("partitioner.ignore.keys", Read(partitions::read_ignore_keys)),
    ("partitioner.rack.aware", Read(partitions::read_rack_aware)),
    ("linger.ms", read!(linger, s => s.millis(i64::MAX)?)),
    ("delivery.timeout.ms", read!(delivery_timeout, s => s.millis(INT_MAX)?)),
    ("client.id", read!(client_id, s => s.value.to_owned())),
    ("client.rack", Read(partitions::read_rack)),
    ("send.buffer.bytes", read!(send_buffer_bytes, s => s.socket_buffer()?)),
    ("receive.buffer.bytes", read!(receive_buffer_bytes, s => s.socket_buffer()?)),
    ("max.request.size", read!(max_request_size, s => s.size(0..=INT_MAX)?)),
    ("reconnect.backoff.ms", read!(reconnect_backoff, s => s.millis(i64::MAX)?)),
    ("reconnect.backoff.max.ms", read!(reconnect_backoff_max, s => s.millis(i64::MAX)?)),
    ("retry.backoff.ms", read!(retry_backoff, s => s.millis(i64::MAX)?)),
    ("retry.backoff.max.ms", read!(retry_backoff_max, s => s.millis(i64::MAX)?)),
    ("bootstrap.resolve.timeout.ms", ignored(
        "names are resolved when a connection is opened, not before the producer is made",
    )),
    ("enable.metrics.push", Ignored { fine: &["false"], why: "no metrics are sent to brokers" }),
    ("max.block.ms", read!(max_block, s => s.millis(i64::MAX)?)),
    ("request.timeout.ms", read!(request_timeout, s => s.millis(INT_MAX)?)),
    ("metadata.max.age.ms", read!(metadata_max_age, s => s.millis(i64::MAX)?)),
    ("metadata.max.idle.ms", read!(metadata_max_idle, s => {
        Duration::from_millis(s.integer(5000..=i64::MAX)?.unsigned_abs())
    })),
    ("metrics.sample.window.ms", NO_SAMPLES),
    ("metrics.num.samples", NO_SAMPLES),
    ("metrics.recording.level", NO_SAMPLES),
    ("metric.reporters", Ignored { fine: &[""], why: "reporters are classes of Java" }),
    ("max.in.flight.requests.per.connection", Read(read_max_in_flight)),
    ("key.serializer", Read(read_serializer)),
    ("value.serializer", Read(read_serializer)),
    // Java's StringSerializer and UUIDSerializer read these three.
    ("key.serializer.encoding", UTF_8),
    ("value.serializer.encoding", UTF_8),
    ("serializer.encoding", UTF_8),
    ("socket.connection.setup.timeout.ms", read!(connection_setup_timeout, s => {
        s.millis(i64::MAX)?
    })),
    ("socket.connection.setup.timeout.max.ms", read!(connection_setup_timeout_max, s => {
        s.millis(i64::MAX)?
    })),
    ("connections.max.idle.ms", read!(connections_max_idle, s => {
        u64::try_from(s.integer(i64::MIN..=i64::MAX)?).ok().map(Duration::from_millis)
    })),
    ("partitioner.class", Read(partitions::read_partitioner)),
    ("interceptor.classes", Refused {
        fine: &[""],
        why: "interceptors are classes of Java, which this producer cannot run; \
              Config::interceptor takes them in Rust",
    }),
    ("security.protocol", Read(Config::read_security_protocol)),
    ("security.providers", Refused {
        fine: &[""],
        why: "providers are classes of Java, which this producer cannot run",
    }),
    ("enable.idempotence", Read(read_idempotence)),
    ("transaction.timeout.ms", ignored("this version has no transactions")),
    ("transactional.id", Refused { fine: &[], why: "this version has no transactions" }),
    ("transaction.two.phase.commit.enable", Refused {
        fine: &["false"],
        why: "this version has no transactions",
    }),
    ("metadata.recovery.strategy", Ignored {
        fine: &["rebootstrap"],
        why: "the bootstrap servers are always asked again when no other broker answers",
    }),
    ("metadata.recovery.rebootstrap.trigger.ms", ignored(
        "the bootstrap servers are asked again as soon as no other broker answers",
    )),
    ("metadata.cluster.check.enable", Ignored {
        fine: &["false"],
        why: "brokers are not asked whether they belong to the cluster known so far",
    }),
    ("config.providers", Read(Config::read_providers)),
    // Java's producer has no such thing; this is librdkafka's name.
    ("enable.gapless.guarantee", read!(gapless, s => s.boolean()?)),
    // Java's producer only blocks.
    ("full.buffer.policy", read!(full_buffer, s => topic::read_full_buffer(s)?)),
    // Java's producer always allows it; this is librdkafka's name.
    ("allow.auto.create.topics", read!(allow_auto_create_topics, s => s.boolean()?)),
];

/// Prefixes behind which the user chooses the name.
static FAMILIES: &[Key] = &[
    ("config.providers.", Read(Config::read_provider)),
    (
        "metrics.context.",
        ignored("it is for metrics reporters, which are classes of Java"),
    ),
    // Settings of one topic; Java's producer has none.
    ("topic.", Read(Config::read_topic)),
];

fn read_bootstrap_servers(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    let read = config.set_bootstrap_servers(setting.value);
    read.map_err(|error| setting.guarded(error, "is not host:port,host:port"))
}

fn read_acks(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.acks = match setting.value {
        "0" => Acks::None,
        "1" => Acks::Leader,
        "-1" => Acks::All,
        _ if setting.is("all") => Acks::All,
        _ => return Err(setting.wrong("is not one of 0, 1, all, -1")),
    };
    Ok(())
}

fn read_idempotence(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.idempotence = setting.boolean()?;
    Ok(())
}

fn read_retries(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.retries = setting.integer(0..=INT_MAX)?.unsigned_abs() as u32;
    Ok(())
}

fn read_max_in_flight(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.max_in_flight = setting.size(1..=INT_MAX)?;
    Ok(())
}

fn read_gzip_level(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.levels.gzip = match setting.integer(-1..=9)? {
        0 => return Err(setting.wrong("is no level: 1 to 9, or -1 for the default, 6")),
        level => level as i32,
    };
    Ok(())
}

fn read_lz4_level(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.levels.lz4 = setting.integer(1..=17)? as i32;
    Ok(())
}

fn read_zstd_level(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.levels.zstd = setting.integer(-131_072..=22)? as i32;
    Ok(())
}
