//! Zstandard, by zrip: one frame that tells its size, without a checksum, as batches have one.

use zrip::{CompressContext, DecompressContext, DecompressError, compress_bound};

use super::compressor::CodecError;
use super::{Compression, ZSTD_LEVELS};

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

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(level: i32, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let result = Encoder::default().compress(level, bytes, &mut out);
        assert_eq!(result, Ok(()));
        out
    }

    #[test]
    fn a_frame_tells_its_size_and_has_no_checksum() {
        // One segment of 5 bytes, and a raw block that is the last one.
        let expected = b"\x28\xb5\x2f\xfd\x20\x05\x29\0\0apple";
        assert_eq!(frame(3, b"apple"), expected);
    }

    #[test]
    fn levels_beyond_this_build_are_its_nearest() {
        let rows = [
            (-131_072, -7),
            (-8, -7),
            (-1, -1),
            (0, 3),
            (4, 4),
            (5, 4),
            (22, 4),
        ];
        for (level, effective) in rows {
            assert_eq!(effective_level(level), effective, "{level}");
        }
        let bytes: Vec<u8> = (0..20_000_u32)
            .flat_map(|n| (n * n).to_be_bytes())
            .collect();
        assert_eq!(frame(22, &bytes), frame(4, &bytes));
        assert_ne!(frame(-7, &bytes), frame(4, &bytes));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let rows: [(&[u8], &str); 5] = [
            (b"\x28\xb5\x2f\xfd\x20\x05\x29\0\0appl", "ends too early"),
            (b"no frame", "no zstd frame"),
            (
                b"\x28\xb5\x2f\xfd\x24\x05\x29\0\0apple....",
                "wrong checksum of the content",
            ),
            (
                b"\x28\xb5\x2f\xfd\x21\x07\x05\x29\0\0apple",
                "needs a dictionary",
            ),
            (b"\x28\xb5\x2f\xfd\x00\xff\x29\0\0apple", "window too large"),
        ];
        for (bytes, what) in rows {
            let expected = CodecError::Corrupt {
                compression: Compression::Zstd,
                what,
            };
            assert_eq!(decompress(bytes, 100), Err(expected));
        }
    }
}
