//! The codecs of record batches, each behind its feature: pure, bytes in and bytes out.

#[cfg_attr(
    not(any(
        feature = "gzip",
        feature = "snappy",
        feature = "lz4",
        feature = "zstd"
    )),
    allow(dead_code, reason = "without codecs nothing fails")
)]
mod compressor;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(test)]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

#[cfg(any(test, fuzzing))]
pub(crate) use compressor::CodecError;
pub(crate) use compressor::{Compressor, decompress};

use std::fmt;
use std::ops::RangeInclusive;

/// How the batches of a topic are compressed.
///
/// Compression works on whole batches: the more records a batch has, the more it gains. A batch
/// that would grow is sent as it is. Consumers and brokers need no setting for it; zstd needs
/// brokers from 2.1 on.
///
/// ```
/// use milena::{Compression, Config};
///
/// let config = Config::new("localhost:9092").compression(Compression::Lz4);
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// Small, slow to make; every broker and consumer reads it.
    Gzip,
    /// Fast, and not very small.
    Snappy,
    /// Fast, and not very small; the cheapest for consumers.
    Lz4,
    /// As small as gzip at several times its speed; brokers from 2.1 on.
    Zstd,
}

impl Compression {
    pub(crate) const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The number in a batch's attributes.
    pub(crate) fn id(self) -> i16 {
        self as i16
    }

    /// The codec of this number, if it is one that Kafka has.
    #[cfg(any(test, fuzzing, feature = "mock"))]
    pub(crate) fn from_id(id: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.id() == id)
    }

    /// The word in `compression.type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// True if the feature of this name is part of the build.
    pub(crate) fn is_built_in(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Snappy => cfg!(feature = "snappy"),
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the zstd of this build can do.
pub(crate) const ZSTD_LEVELS: RangeInclusive<i32> = -7..=4;

/// How hard each codec tries, in its own numbers, as Java's producer takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Levels {
    /// 1 to 9; -1 is 6.
    pub(crate) gzip: i32,
    /// 9 is the only one.
    pub(crate) lz4: i32,
    /// From -7 to 4.
    pub(crate) zstd: i32,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            gzip: -1,
            lz4: 9,
            zstd: 3,
        }
    }
}
