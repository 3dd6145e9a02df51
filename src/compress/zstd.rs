//! Zstandard, by zrip: one frame that tells its size, without a checksum, as batches have one.

use zrip::{CompressContext, DecompressContext, DecompressError, compress_bound};

use super::{CodecError, Compression, ZSTD_LEVELS};

/// The tables of zstd.
#[derive(Default)]
pub(super) struct Encoder(Option<CompressContext>);

/// What libzstd takes for level 0.
const LEVEL_DEFAULT: i32 = 3;

/// The level that this build uses for one of libzstd's.
pub(crate) fn effective_level(level: i32) -> i32 {
    match level {
        0 => LEVEL_DEFAULT,
        _ => level.clamp(*ZSTD_LEVELS.start(), *ZSTD_LEVELS.end()),
    }
}

impl Encoder {
    pub(super) fn compress(
        &mut self,
        level: i32,
        records: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        const FAILED: CodecError = CodecError::Failed(Compression::Zstd);
        let level = effective_level(level);
        let context = match &mut self.0 {
            Some(context) => context,
            none => none.insert(CompressContext::new(level).map_err(|_| FAILED)?),
        };
        context.set_level(level).map_err(|_| FAILED)?;
        context.set_content_checksum(false);
        let at = out.len();
        out.resize(at + compress_bound(records.len()), 0);
        let len = context.compress_into(records, &mut out[at..]);
        out.truncate(at + len.map_err(|_| FAILED)?);
        Ok(())
    }
}

pub(super) fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    let read = DecompressContext::new().decompress_into_with_limit(bytes, &mut out, limit);
    match read {
        Ok(_) => Ok(out),
        Err(DecompressError::OutputTooSmall) => Err(CodecError::TooLarge { limit }),
        Err(error) => Err(CodecError::Corrupt {
            compression: Compression::Zstd,
            what: what(&error),
        }),
    }
}

fn what(error: &DecompressError) -> &'static str {
    match error {
        DecompressError::InputExhausted => "ends too early",
        DecompressError::BadMagic => "no zstd frame",
        DecompressError::ChecksumMismatch { .. } => "wrong checksum of the content",
        DecompressError::DictRequired => "needs a dictionary",
        DecompressError::WindowTooLarge { .. } => "window too large",
        _ => "not a zstd frame",
    }
}
