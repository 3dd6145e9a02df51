//! One door to all codecs, which outlives their panics and names the feature that is missing.

use std::fmt;

use super::{Compression, Levels};
use crate::survive::survive;

/// The states of the codecs that one thread compresses with, made when they are first needed.
#[derive(Default)]
pub(crate) struct Compressor {
    #[cfg(feature = "gzip")]
    gzip: super::gzip::Encoder,
    #[cfg(feature = "snappy")]
    snappy: super::snappy::Encoder,
    #[cfg(feature = "lz4")]
    lz4: super::lz4::Encoder,
    #[cfg(feature = "zstd")]
    zstd: super::zstd::Encoder,
}

/// Why bytes could not be compressed or decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodecError {
    /// The feature of this codec is not part of the build.
    NotBuiltIn(Compression),
    /// These are not bytes that the codec writes.
    Corrupt {
        compression: Compression,
        what: &'static str,
    },
    /// They hold more than the caller takes.
    TooLarge { limit: usize },
    /// The codec gave up or panicked, which is a bug of it.
    Failed(Compression),
}

impl Compressor {
    /// Appends the compressed `records` to `out`; after an error, `out` is as it was.
    pub(crate) fn compress(
        &mut self,
        compression: Compression,
        levels: &Levels,
        records: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let _ = levels;
        match compression {
            Compression::None => {
                out.extend_from_slice(records);
                Ok(())
            }
            #[cfg(feature = "gzip")]
            Compression::Gzip => guard(compression, &mut self.gzip, out, |gzip, out| {
                gzip.compress(levels.gzip, records, out)
            }),
            #[cfg(feature = "snappy")]
            Compression::Snappy => guard(compression, &mut self.snappy, out, |snappy, out| {
                snappy.compress(records, out)
            }),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => guard(compression, &mut self.lz4, out, |lz4, out| {
                lz4.compress(records, out)
            }),
            #[cfg(feature = "zstd")]
            Compression::Zstd => guard(compression, &mut self.zstd, out, |zstd, out| {
                zstd.compress(levels.zstd, records, out)
            }),
            #[allow(unreachable_patterns, reason = "unless every codec is built in")]
            _ => Err(CodecError::NotBuiltIn(compression)),
        }
    }
}

/// What `bytes` hold, at most `limit` bytes: no allocation is larger, whatever they say.
pub(crate) fn decompress(
    compression: Compression,
    bytes: &[u8],
    limit: usize,
) -> Result<Vec<u8>, CodecError> {
    let read: fn(&[u8], usize) -> Result<Vec<u8>, CodecError> = match compression {
        Compression::None if bytes.len() > limit => return Err(CodecError::TooLarge { limit }),
        Compression::None => return Ok(bytes.to_vec()),
        #[cfg(feature = "gzip")]
        Compression::Gzip => super::gzip::decompress,
        #[cfg(feature = "snappy")]
        Compression::Snappy => super::snappy::decompress,
        #[cfg(feature = "lz4")]
        Compression::Lz4 => super::lz4::decompress,
        #[cfg(feature = "zstd")]
        Compression::Zstd => super::zstd::decompress,
        #[allow(unreachable_patterns, reason = "unless every codec is built in")]
        _ => return Err(CodecError::NotBuiltIn(compression)),
    };
    survive(&who(compression), || read(bytes, limit))
        .unwrap_or(Err(CodecError::Failed(compression)))
}

/// Lets one codec write; if it fails or panics, its state is made anew: it may be anything.
fn guard<S: Default>(
    compression: Compression,
    state: &mut S,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut S, &mut Vec<u8>) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    let start = out.len();
    let result = survive(&who(compression), || write(state, out))
        .unwrap_or(Err(CodecError::Failed(compression)));
    if result.is_err() {
        *state = S::default();
        out.truncate(start);
    }
    result
}

fn who(compression: Compression) -> String {
    format!("the codec {compression}")
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBuiltIn(compression) => {
                write!(f, "{compression} needs the feature {compression} of milena")
            }
            Self::Corrupt { compression, what } => write!(f, "corrupt {compression} data: {what}"),
            Self::TooLarge { limit } => write!(f, "more than {limit} bytes when decompressed"),
            Self::Failed(compression) => write!(f, "the codec {compression} failed"),
        }
    }
}
