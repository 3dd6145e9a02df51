//! The settings that say which partition a record goes to, and the checks among them.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::config::value::Setting;
use crate::error::{Error, ErrorKind};
use crate::partitioner::{Partitioner, PartitionerChoice, PartitionerKind, StickyRules};

/// The longest stay by time, as in librdkafka.
const STAY_MAX: Duration = Duration::from_secs(900);

/// Partitions.
impl Config {
    /// Chooses the partition of every record that does not name one as Java's producer or
    /// librdkafka does it.
    ///
    /// Programs that write to a topic together should agree, or one key is in two partitions.
    ///
    /// Defaults to [`PartitionerKind::Default`]: murmur2 of the key over all partitions, as in
    /// Java; records without a key go in turn to the partitions that have a leader, other than in
    /// Java, whose way is [`PartitionerKind::UniformSticky`] and makes larger batches.
    ///
    /// Java's name: `partitioner.class`, which takes the names that [`PartitionerKind`] lists.
    pub fn partitioner_kind(mut self, kind: PartitionerKind) -> Self {
        self.partitioning.choice = PartitionerChoice::Kind(kind);
        self.by_code("partitioner.class")
    }

    /// Lets the application choose the partition of every record that does not name one.
    ///
    /// Defaults to none: [`partitioner_kind`](Self::partitioner_kind) chooses. What is said last
    /// holds.
    ///
    /// Java's name: `partitioner.class`, whose classes of Java this producer cannot run.
    pub fn partitioner(mut self, partitioner: impl Partitioner + 'static) -> Self {
        self.partitioning.choice = PartitionerChoice::Custom(Arc::new(partitioner));
        self.by_code("partitioner.class")
    }

    /// Puts all records into the partitions in turn, whatever their keys.
    ///
    /// It spreads load evenly when few keys have most records, and gives up the order of the
    /// records of one key. The same as [`PartitionerKind::RoundRobin`].
    ///
    /// Java's name: `partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner`.
    pub fn round_robin(self) -> Self {
        self.partitioner_kind(PartitionerKind::RoundRobin)
    }

    /// Whether [`PartitionerKind::Default`] and [`PartitionerKind::UniformSticky`] treat records
    /// with a key as those without.
    ///
    /// It spreads load evenly when few keys have most records, and gives up the order of the
    /// records of one key.
    ///
    /// Defaults to `false`, as in Java.
    ///
    /// Java's name: `partitioner.ignore.keys`.
    pub fn ignore_keys(mut self, ignore: bool) -> Self {
        self.partitioning.ignores_keys = ignore;
        self.by_code("partitioner.ignore.keys")
    }

    /// Whether [`PartitionerKind::UniformSticky`] prefers partitions with fewer batches waiting, so
    /// that slow brokers get less (KIP-794).
    ///
    /// Without, all get the same, and the slowest one decides how fast the whole topic is.
    ///
    /// Defaults to `true`, as in Java.
    ///
    /// Java's name: `partitioner.adaptive.partitioning.enable`.
    pub fn adaptive_partitioning(mut self, adaptive: bool) -> Self {
        self.partitioning.sticky.is_adaptive = adaptive;
        self.by_code("partitioner.adaptive.partitioning.enable")
    }

    /// After how long [`PartitionerKind::UniformSticky`] passes over a partition for which batches
    /// wait and whose broker takes none. It needs
    /// [`adaptive_partitioning`](Self::adaptive_partitioning).
    ///
    /// Shorter keeps records away from a broker in trouble, and puts more on the others, which may
    /// be all that keeps them from trouble.
    ///
    /// Defaults to zero, which is never, as in Java.
    ///
    /// Java's name: `partitioner.availability.timeout.ms`.
    pub fn partitioner_availability_timeout(mut self, timeout: Duration) -> Self {
        self.partitioning.sticky.availability_timeout = timeout;
        self.by_code("partitioner.availability.timeout.ms")
    }

    /// Whether [`PartitionerKind::UniformSticky`] keeps to partitions whose leader is in the
    /// producer's own [rack](Self::client_rack), as long as there are any (KIP-1123).
    ///
    /// It saves traffic between racks, or zones of a cloud, and fills the partitions of the racks
    /// as unevenly as the producers are spread over them.
    ///
    /// Defaults to `false`, as in Java.
    ///
    /// Java's name: `partitioner.rack.aware`.
    pub fn rack_aware(mut self, rack_aware: bool) -> Self {
        self.partitioning.is_rack_aware = rack_aware;
        self.by_code("partitioner.rack.aware")
    }

    /// The rack that this producer is in, as brokers name theirs by `broker.rack`. Only
    /// [`rack_aware`](Self::rack_aware) asks for it.
    ///
    /// Defaults to the empty text: none, as in Java.
    ///
    /// Java's name: `client.rack`.
    pub fn client_rack(mut self, rack: impl Into<String>) -> Self {
        self.partitioning.rack = rack.into();
        self.by_code("client.rack")
    }

    /// What does not apply to the partitioner is told. An application's own may ask for any other
    /// one, so everything applies to it.
    pub(super) fn settle_partitioning(&mut self) -> Result<(), Error> {
        let has_rack = !self.partitioning.rack.trim().is_empty();
        if self.partitioning.is_rack_aware && !has_rack {
            let message = "partitioner.rack.aware=true needs client.rack, the name of the rack \
                           that this producer is in";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if !self.linger.is_zero() {
            self.partitioning.sticky.stay = self.linger.saturating_mul(2).min(STAY_MAX);
        }
        if !self.partitioning.is_rack_aware && has_rack {
            self.note("client.rack has no effect: partitioner.rack.aware is false".into());
        }
        let PartitionerChoice::Kind(kind) = self.partitioning.choice else {
            return Ok(());
        };
        let StickyRules {
            is_adaptive,
            availability_timeout,
            ..
        } = self.partitioning.sticky;
        let is_sticky = kind == PartitionerKind::UniformSticky;
        let is_timed = !availability_timeout.is_zero();
        if self.partitioning.ignores_keys && kind.is_keyed() && !kind.may_ignore_keys() {
            self.note(format!(
                "partitioner.ignore.keys has no effect: partitioner.class is {kind}, which hashes \
                 keys; uniform-sticky can ignore them"
            ));
        }
        for (key, is_set) in [
            (
                "partitioner.adaptive.partitioning.enable",
                self.is_given("partitioner.adaptive.partitioning.enable") && is_adaptive,
            ),
            ("partitioner.availability.timeout.ms", is_timed),
            ("partitioner.rack.aware", self.partitioning.is_rack_aware),
        ] {
            if is_set && !is_sticky {
                self.note(format!(
                    "{key} has no effect: partitioner.class is {kind}; it is for uniform-sticky, \
                     which is Java's built-in one"
                ));
            }
        }
        if is_sticky && is_timed && !is_adaptive {
            self.note(
                "partitioner.availability.timeout.ms has no effect: \
                 partitioner.adaptive.partitioning.enable is false"
                    .into(),
            );
        }
        Ok(())
    }
}

pub(super) fn read_partitioner(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    let kind = PartitionerKind::from_name(setting.value).ok_or_else(|| {
        setting.wrong(&format!(
            "is not one of {}; other classes of Java cannot run here, an own partitioner is \
             Config::partitioner",
            PartitionerKind::names()
        ))
    })?;
    config.partitioning.choice = PartitionerChoice::Kind(kind);
    Ok(())
}

pub(super) fn read_adaptive(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.partitioning.sticky.is_adaptive = setting.boolean()?;
    Ok(())
}

pub(super) fn read_availability(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.partitioning.sticky.availability_timeout = setting.millis(i64::MAX)?;
    Ok(())
}

pub(super) fn read_ignore_keys(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.partitioning.ignores_keys = setting.boolean()?;
    Ok(())
}

pub(super) fn read_rack_aware(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.partitioning.is_rack_aware = setting.boolean()?;
    Ok(())
}

pub(super) fn read_rack(config: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    config.partitioning.rack = setting.value.to_owned();
    Ok(())
}
