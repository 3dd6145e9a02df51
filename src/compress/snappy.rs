//! Snappy, in the framing of Java's producer ("xerial"): a header, then blocks of 32 KiB, each
//! behind its length. Every consumer reads it; some producers send a single block without frame.

use super::Compression;
use super::compressor::CodecError;

/// Snappy's table.
#[derive(Default)]
pub(super) struct Encoder(Option<Box<snap::raw::Encoder>>);

const MAGIC: &[u8] = b"\x82SNAPPY\0";
/// The version of the framing, and the oldest version whose readers can read it.
const VERSIONS: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 1];
/// The bytes of a block before they are compressed.
const BLOCK_LEN: usize = 32 * 1024;
const LENGTH_LEN: usize = 4;

impl Encoder {
    pub(super) fn compress(&mut self, records: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let snappy = self
            .0
            .get_or_insert_with(|| Box::new(snap::raw::Encoder::new()));
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(VERSIONS);
        for block in records.chunks(BLOCK_LEN) {
            let at = out.len();
            let start = at + LENGTH_LEN;
            out.resize(start + snap::raw::max_compress_len(block.len()), 0);
            let len = snappy.compress(block, &mut out[start..]);
            let len = len.map_err(|_| CodecError::Failed(Compression::Snappy))?;
            // A block grows by a sixth at most, so that its length fits.
            out[at..start].copy_from_slice(&(len as u32).to_be_bytes());
            out.truncate(start + len);
        }
        Ok(())
    }
}

/// Reads the framing, or else a single block.
pub(super) fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        read_block(bytes, limit, &mut out)?;
        return Ok(out);
    };
    let Some((version, rest)) = rest.split_first_chunk::<4>() else {
        return Err(corrupt("ends within the header"));
    };
    if i32::from_be_bytes(*version) < 1 {
        return Err(corrupt("unknown version"));
    }
    // The oldest version that reads it is for readers older than this one.
    let Some((_, mut rest)) = rest.split_first_chunk::<4>() else {
        return Err(corrupt("ends within the header"));
    };
    while !rest.is_empty() {
        let Some((length, behind)) = rest.split_first_chunk::<LENGTH_LEN>() else {
            return Err(corrupt("ends within a length"));
        };
        let Some((block, behind)) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)
        else {
            return Err(corrupt("ends within a block"));
        };
        read_block(block, limit, &mut out)?;
        rest = behind;
    }
    Ok(out)
}

fn read_block(block: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let at = out.len();
    let len = snap::raw::decompress_len(block).map_err(|_| corrupt("not a snappy block"))?;
    if len > limit - at {
        return Err(CodecError::TooLarge { limit });
    }
    out.resize(at + len, 0);
    let read = snap::raw::Decoder::new().decompress(block, &mut out[at..]);
    if read.ok() != Some(len) {
        return Err(corrupt("not a snappy block"));
    }
    Ok(())
}

const fn corrupt(what: &'static str) -> CodecError {
    CodecError::Corrupt {
        compression: Compression::Snappy,
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five literal bytes, as a block of snappy.
    const APPLE: &[u8] = b"\x05\x10apple";

    fn frame(version: u8, rest: &[&[u8]]) -> Vec<u8> {
        let versions = [0, 0, 0, version, 0, 0, 0, 1];
        [MAGIC, &versions, &rest.concat()].concat()
    }

    #[test]
    fn a_frame_has_a_block_for_every_32_kib() {
        let mut out = Vec::new();
        let result = Encoder::default().compress(b"apple", &mut out);
        assert_eq!(result, Ok(()));
        assert_eq!(out, frame(1, &[b"\0\0\0\x07", APPLE]));
        out.clear();
        let result = Encoder::default().compress(&[0; 32 * 1024 + 1], &mut out);
        assert_eq!(result, Ok(()));
        // The last block is the one byte more.
        assert!(out.ends_with(b"\0\0\0\x03\x01\0\0"));
    }

    #[test]
    fn frames_of_other_producers_are_read() {
        let frames = [
            APPLE.to_vec(),
            frame(1, &[b"\0\0\0\x07", APPLE]),
            frame(9, &[b"\0\0\0\x01\0", b"\0\0\0\x07", APPLE]),
        ];
        for frame in frames {
            assert_eq!(decompress(&frame, 5), Ok(b"apple".to_vec()));
            assert_eq!(
                decompress(&frame, 4),
                Err(CodecError::TooLarge { limit: 4 })
            );
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let rows = [
            (MAGIC.to_vec(), "ends within the header"),
            (frame(1, &[])[..15].to_vec(), "ends within the header"),
            (frame(0, &[]), "unknown version"),
            (frame(1, &[b"\0\0"]), "ends within a length"),
            (
                frame(1, &[b"\xff\xff\xff\xff", APPLE]),
                "ends within a block",
            ),
            (frame(1, &[b"\0\0\0\x06", APPLE]), "not a snappy block"),
            (b"\x05\x10appl".to_vec(), "not a snappy block"),
            (b"\xff\xff\xff\xff\xff".to_vec(), "not a snappy block"),
        ];
        for (bytes, what) in rows {
            assert_eq!(decompress(&bytes, 100), Err(corrupt(what)), "{bytes:x?}");
        }
        // A length that is a lie takes no memory.
        let lie = b"\xff\xff\xff\xff\x0f\x10apple";
        assert_eq!(
            decompress(lie, 100),
            Err(CodecError::TooLarge { limit: 100 })
        );
    }
}
