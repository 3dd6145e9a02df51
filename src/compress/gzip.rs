//! Gzip: one member, by zlib-rs.

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::Compression;
use super::compressor::CodecError;

/// Deflate's tables, kept for the level of the last batch.
#[derive(Default)]
pub(super) struct Encoder(Option<(i32, Compress)>);

/// zlib's window and gzip's only one, 32 KiB.
const WINDOW_BITS: u8 = 15;
/// What zlib takes for -1.
const LEVEL_DEFAULT: i32 = 6;
/// The room that is made for more output at a time.
const STEP: usize = 16 * 1024;

const CORRUPT: CodecError = corrupt("not a gzip stream");

impl Encoder {
    pub(super) fn compress(
        &mut self,
        level: i32,
        records: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let deflate = self.at_level(level);
        let mut left = records;
        loop {
            out.reserve(STEP);
            let (read, len) = (deflate.total_in(), out.len());
            let status = deflate.compress_vec(left, out, FlushCompress::Finish);
            let status = status.map_err(|_| CodecError::Failed(Compression::Gzip))?;
            if status == Status::StreamEnd {
                return Ok(());
            }
            let read = (deflate.total_in() - read) as usize;
            if read == 0 && out.len() == len {
                return Err(CodecError::Failed(Compression::Gzip));
            }
            left = &left[read..];
        }
    }

    fn at_level(&mut self, level: i32) -> &mut Compress {
        let level = match level {
            1..=9 => level,
            _ => LEVEL_DEFAULT,
        };
        let kept = self.0.take().filter(|(of, _)| *of == level);
        let deflate = match kept {
            Some((_, mut deflate)) => {
                deflate.reset();
                deflate
            }
            None => Compress::new_gzip(flate2::Compression::new(level as u32), WINDOW_BITS),
        };
        &mut self.0.insert((level, deflate)).1
    }
}

pub(super) fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut inflate = Decompress::new_gzip(WINDOW_BITS);
    let mut out = Vec::new();
    let mut left = bytes;
    loop {
        // One byte more than may be there tells a stream that is too long.
        let room = (limit - out.len()).saturating_add(1);
        out.reserve_exact(room.min(STEP.max(out.len())));
        let (read, len) = (inflate.total_in(), out.len());
        let status = inflate.decompress_vec(left, &mut out, FlushDecompress::None);
        let status = status.map_err(|_| CORRUPT)?;
        if out.len() > limit {
            return Err(CodecError::TooLarge { limit });
        }
        let read = (inflate.total_in() - read) as usize;
        left = &left[read..];
        match status {
            Status::StreamEnd if left.is_empty() => return Ok(out),
            Status::StreamEnd => return Err(corrupt("bytes behind the end")),
            _ if read == 0 && out.len() == len => return Err(corrupt("ends too early")),
            _ => {}
        }
    }
}

const fn corrupt(what: &'static str) -> CodecError {
    CodecError::Corrupt {
        compression: Compression::Gzip,
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "apple" as `gzip --name` writes it, with a name and a time in the header.
    const NAMED: &[u8] = b"\x1f\x8b\x08\x08\x01\x02\x03\x04\0\x03fruit\0\
        \x4b\x2c\x28\xc8\x49\x05\0\x50\xd0\x2e\xa9\x05\0\0\0";

    #[test]
    fn members_of_other_producers_are_read() {
        assert_eq!(decompress(NAMED, 5), Ok(b"apple".to_vec()));
        assert_eq!(decompress(NAMED, 4), Err(CodecError::TooLarge { limit: 4 }));
    }

    #[test]
    fn minus_one_is_level_six() {
        let bytes: Vec<u8> = (0..20_000_u32)
            .flat_map(|n| (n * n).to_be_bytes())
            .collect();
        let member = |level| {
            let mut out = Vec::new();
            let result = Encoder::default().compress(level, &bytes, &mut out);
            assert_eq!(result, Ok(()));
            out
        };
        assert_eq!(member(-1), member(6));
        assert_ne!(member(1), member(6));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let mut wrong_sum = NAMED.to_vec();
        let at = wrong_sum.len() - 8;
        wrong_sum[at] ^= 1;
        let rows = [
            (b"no gzip stream".to_vec(), "not a gzip stream"),
            (wrong_sum, "not a gzip stream"),
            (NAMED[..NAMED.len() - 1].to_vec(), "ends too early"),
            ([NAMED, b"!"].concat(), "bytes behind the end"),
        ];
        for (bytes, what) in rows {
            assert_eq!(decompress(&bytes, 100), Err(corrupt(what)), "{bytes:x?}");
        }
    }
}
