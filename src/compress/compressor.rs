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
    packed: Vec<u8>,
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
    /// The compressed `records`, in memory that the next ones are written to.
    pub(crate) fn pack(
        &mut self,
        compression: Compression,
        levels: &Levels,
        records: &[u8],
    ) -> Result<&[u8], CodecError> {
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        let result = self.compress(compression, levels, records, &mut packed);
        self.packed = packed;
        result.map(|()| &self.packed[..])
    }

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
    survive(&who(compression), || read(compression, bytes, limit))
        .unwrap_or(Err(CodecError::Failed(compression)))
}

fn read(compression: Compression, bytes: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    match compression {
        Compression::None if bytes.len() > limit => Err(CodecError::TooLarge { limit }),
        Compression::None => Ok(bytes.to_vec()),
        #[cfg(feature = "gzip")]
        Compression::Gzip => super::gzip::decompress(bytes, limit),
        #[cfg(feature = "snappy")]
        Compression::Snappy => super::snappy::decompress(bytes, limit),
        #[cfg(feature = "lz4")]
        Compression::Lz4 => super::lz4::decompress(bytes, limit),
        #[cfg(feature = "zstd")]
        Compression::Zstd => super::zstd::decompress(bytes, limit),
        #[allow(unreachable_patterns, reason = "unless every codec is built in")]
        _ => Err(CodecError::NotBuiltIn(compression)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A codec whose state shows that it was used.
    #[derive(Default, PartialEq, Debug)]
    struct Codec {
        batches: usize,
    }

    #[test]
    fn a_codec_that_fails_or_panics_starts_anew_and_leaves_the_output_as_it_was() {
        let kind = Compression::Zstd;
        let failures: [fn() -> Result<(), CodecError>; 2] = [
            || Err(CodecError::Failed(Compression::Zstd)),
            || std::panic::resume_unwind(Box::new("a bug of the codec")),
        ];
        for failure in failures {
            let (mut codec, mut out) = (Codec::default(), b"in front".to_vec());
            let well = guard(kind, &mut codec, &mut out, |codec, out| {
                codec.batches += 1;
                out.push(b'!');
                Ok(())
            });
            assert_eq!((well, codec.batches), (Ok(()), 1));
            let failed = guard(kind, &mut codec, &mut out, |codec, out| {
                codec.batches += 1;
                out.extend_from_slice(b"half a frame");
                failure()
            });
            assert_eq!(failed, Err(CodecError::Failed(kind)));
            assert_eq!(codec, Codec::default());
            assert_eq!(out, b"in front!");
        }
    }

    #[test]
    fn a_codec_that_is_not_built_in_is_named() {
        let absent = Compression::ALL.iter().filter(|one| !one.is_built_in());
        for &compression in absent {
            let error = Err(CodecError::NotBuiltIn(compression));
            let levels = Levels::default();
            let mut out = Vec::new();
            let result = Compressor::default().compress(compression, &levels, b"1", &mut out);
            assert_eq!(result, error);
            assert_eq!(decompress(compression, b"1", 1), error.map(|()| Vec::new()));
        }
        let text = CodecError::NotBuiltIn(Compression::Lz4).to_string();
        assert_eq!(text, "lz4 needs the feature lz4 of milena");
    }
}
