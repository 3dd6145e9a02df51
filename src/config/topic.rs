//! The settings that a topic may have for itself.

use std::collections::BTreeMap;
use std::fmt;

use crate::compress::Compression;
use crate::config::origin::Origin;
use crate::config::value::Setting;
use crate::config::{Config, keys};
use crate::error::{Error, ErrorKind};
use crate::record::check_topic;

/// What a send does when the buffer has no room for its record.
///
/// The buffer is full when all of `buffer.memory` is in use, or what one topic or broker may take
/// of it while others need some too.
///
/// ```
/// use milena::{Config, FullBuffer, TopicConfig};
///
/// // Orders wait for room; log lines must not hold the program up.
/// let config = Config::new("localhost:9092")
///     .topic("log", TopicConfig::new().full_buffer(FullBuffer::DropOldest));
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FullBuffer {
    /// It waits for up to `max.block.ms`, as Java's does (`block`).
    #[default]
    Block,
    /// The record fails at once with [`ErrorKind::BufferFull`] (`fail`).
    Fail,
    /// The record is dropped: it fails at once with [`ErrorKind::Dropped`], and is counted in
    /// [`MetricsSnapshot::dropped`](crate::MetricsSnapshot::dropped) (`drop-newest`).
    DropNewest,
    /// The topic's oldest batches that were never sent are dropped to make room (`drop-oldest`):
    /// their records fail with [`ErrorKind::Dropped`], each behind the results of older ones of its
    /// partition, and are counted. If there are none, the record itself is dropped. Where the share
    /// of one broker is used up, only batches for that broker are.
    ///
    /// While results wait behind a batch that is on the wire, what is kept of dropped records,
    /// their callbacks above all, takes room too.
    DropOldest,
}

const POLICIES: [(&str, FullBuffer); 4] = [
    ("block", FullBuffer::Block),
    ("fail", FullBuffer::Fail),
    ("drop-newest", FullBuffer::DropNewest),
    ("drop-oldest", FullBuffer::DropOldest),
];

impl fmt::Display for FullBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = POLICIES.iter().find(|(_, policy)| policy == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// Settings of one topic, which hold there instead of the producer's.
///
/// As text, they are `topic.NAME.compression.type` and `topic.NAME.full.buffer.policy`.
///
/// ```
/// use milena::{Compression, Config, TopicConfig};
///
/// let config = Config::new("localhost:9092")
///     .compression(Compression::Lz4)
///     .topic("images", TopicConfig::new().compression(Compression::None));
/// # let _ = config;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicConfig {
    pub(super) compression: Option<Compression>,
    pub(super) full_buffer: Option<FullBuffer>,
}

impl TopicConfig {
    /// The producer's settings for everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// How the topic's batches are compressed. Defaults to [`Config::compression`].
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// What a send to the topic does when the buffer is full. Defaults to [`Config::full_buffer`].
    pub fn full_buffer(mut self, policy: FullBuffer) -> Self {
        self.full_buffer = Some(policy);
        self
    }
}

/// What holds for a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopicRule {
    pub(crate) compression: Compression,
    pub(crate) full_buffer: FullBuffer,
}

/// What holds for each topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct TopicRules {
    all: TopicRule,
    own: BTreeMap<String, TopicRule>,
}

impl TopicRules {
    pub(crate) fn of(&self, topic: &str) -> TopicRule {
        self.own.get(topic).copied().unwrap_or(self.all)
    }
}

impl Config {
    /// Settings that hold for `topic` alone, instead of the producer's.
    ///
    /// A second call for the same topic replaces the first.
    pub fn topic(mut self, topic: impl Into<String>, settings: TopicConfig) -> Self {
        let topic = topic.into();
        for key in keys_of(&topic) {
            self.origins.put(&key, Origin::Code);
        }
        self.topics.insert(topic, settings);
        self
    }

    /// `topic.NAME.SETTING`; a name may have dots.
    pub(super) fn read_topic(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        let named = setting.key.strip_prefix("topic.").unwrap_or_default();
        if let Some(topic) = named.strip_suffix(".compression.type") {
            let compression = read_compression(setting)?;
            self.own_settings(topic)?.compression = Some(compression);
        } else if let Some(topic) = named.strip_suffix(".full.buffer.policy") {
            let policy = read_full_buffer(setting)?;
            self.own_settings(topic)?.full_buffer = Some(policy);
        } else {
            return Err(keys::unknown(setting));
        }
        Ok(())
    }

    fn own_settings(&mut self, topic: &str) -> Result<&mut TopicConfig, Error> {
        check_name(topic)?;
        Ok(self.topics.entry(topic.to_owned()).or_default())
    }

    pub(super) fn check_topics(&self) -> Result<(), Error> {
        self.topics.keys().try_for_each(|topic| check_name(topic))?;
        let rules = self.topic_rules();
        let all = ("compression.type".to_owned(), rules.all.compression);
        let own = rules.own.iter().map(|(topic, rule)| {
            let key = format!("topic.{topic}.compression.type");
            (key, rule.compression)
        });
        for (key, compression) in std::iter::once(all).chain(own) {
            if !compression.is_built_in() {
                let message = format!(
                    "{key}: {compression} is not built in: build milena with its feature \
                     {compression}, or choose another codec"
                );
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
        Ok(())
    }

    /// A record that is dropped leaves a gap, whichever it is.
    pub(super) fn check_policies(&self) -> Result<(), Error> {
        let drops = |policy| matches!(policy, FullBuffer::DropNewest | FullBuffer::DropOldest);
        let own = self.topics.iter().filter_map(|(topic, settings)| {
            let key = format!("topic.{topic}.full.buffer.policy");
            settings.full_buffer.map(|policy| (key, policy))
        });
        let all = ("full.buffer.policy".to_owned(), self.full_buffer);
        let dropping = std::iter::once(all)
            .chain(own)
            .find(|(_, policy)| drops(*policy));
        match dropping.filter(|_| self.gapless) {
            None => Ok(()),
            Some((key, policy)) => {
                let names = POLICIES.iter().find(|(_, known)| *known == policy);
                let name = names.map_or("", |(name, _)| name);
                let message = format!(
                    "{key}={name} drops records, and enable.gapless.guarantee=true lets no \
                     record behind a lost one into the log: choose block or fail, or leave gapless \
                     out"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    pub(crate) fn topic_rules(&self) -> TopicRules {
        let all = TopicRule {
            compression: self.compression,
            full_buffer: self.full_buffer,
        };
        let own = self.topics.iter().map(|(topic, settings)| {
            let rule = TopicRule {
                compression: settings.compression.unwrap_or(all.compression),
                full_buffer: settings.full_buffer.unwrap_or(all.full_buffer),
            };
            (topic.clone(), rule)
        });
        TopicRules {
            all,
            own: own.collect(),
        }
    }
}

/// Whether `topic.NAME.` is followed by a setting that a topic may have for itself.
pub(super) fn is_setting(key: &str) -> bool {
    let of_no_topic = keys_of("");
    let mut endings = of_no_topic.iter().map(|key| &key["topic.".len()..]);
    endings.any(|ending| key.ends_with(ending))
}

/// The names of its settings as text.
pub(super) fn keys_of(topic: &str) -> [String; 2] {
    ["compression.type", "full.buffer.policy"].map(|setting| format!("topic.{topic}.{setting}"))
}

fn check_name(topic: &str) -> Result<(), Error> {
    check_topic(topic).map_err(|error| {
        let message = format!("settings of a topic: {error}");
        Error::new(ErrorKind::Config, message)
    })
}

pub(super) fn read_compression(setting: &Setting<'_>) -> Result<Compression, Error> {
    let mut all = Compression::ALL.into_iter();
    all.find(|one| setting.is(one.name()))
        .ok_or_else(|| setting.wrong("is not one of none, gzip, snappy, lz4, zstd"))
}

pub(super) fn read_full_buffer(setting: &Setting<'_>) -> Result<FullBuffer, Error> {
    let found = POLICIES.iter().find(|(name, _)| setting.is(name));
    found
        .map(|(_, policy)| *policy)
        .ok_or_else(|| setting.wrong("is not one of block, fail, drop-newest, drop-oldest"))
}
