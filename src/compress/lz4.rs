//! LZ4 in its frame format, as far as Kafka reads it: independent blocks only.

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use super::Compression;
use super::compressor::CodecError;

/// LZ4's table.
#[derive(Default)]
pub(super) struct Encoder(Option<CompressTable>);

const MAGIC: u32 = 0x184D_2204;
/// The whole header of every frame that is written: version 1, independent blocks without
/// checksums, no content size, blocks of 64 KiB, and the checksum of just that.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82];
const BLOCK_LEN: usize = 64 * 1024;
const LENGTH_LEN: usize = 4;
/// Set in the length of a block that is stored as it is.
const STORED: u32 = 1 << 31;
const END: [u8; LENGTH_LEN] = [0; LENGTH_LEN];
/// LZ4 cannot shrink by more.
const RATIO_MAX: usize = 255;

impl Encoder {
    pub(super) fn compress(&mut self, records: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let table = self.0.get_or_insert_with(CompressTable::large);
        out.extend_from_slice(&HEADER);
        for block in records.chunks(BLOCK_LEN) {
            let at = out.len();
            let start = at + LENGTH_LEN;
            out.resize(start + get_maximum_output_size(block.len()), 0);
            let len = compress_into_with_table(block, &mut out[start..], table);
            let len = len.map_err(|_| CodecError::Failed(Compression::Lz4))?;
            out.truncate(start + len);
            // A block has 64 KiB at most, so that its length fits.
            let mut length = len as u32;
            if len >= block.len() {
                out.truncate(start);
                out.extend_from_slice(block);
                length = block.len() as u32 | STORED;
            }
            out[at..start].copy_from_slice(&length.to_le_bytes());
        }
        out.extend_from_slice(&END);
        Ok(())
    }
}

pub(super) fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let (frame, mut rest) = Frame::read(bytes)?;
    let mut out = Vec::new();
    loop {
        let length = take_u32(&mut rest)?;
        if length == 0 {
            break;
        }
        let len = (length & !STORED) as usize;
        if len > frame.block_len_max {
            return Err(corrupt("block larger than its frame allows"));
        }
        let block = take(&mut rest, len)?;
        let room = frame.block_len_max.min(limit - out.len());
        if length & STORED == 0 {
            read_block(block, room, limit, &mut out)?;
        } else if len > room {
            return Err(CodecError::TooLarge { limit });
        } else {
            out.extend_from_slice(block);
        }
        if frame.has_block_checksums && take_u32(&mut rest)? != xxh32(block) {
            return Err(corrupt("wrong checksum of a block"));
        }
    }
    if frame.has_content_checksum && take_u32(&mut rest)? != xxh32(&out) {
        return Err(corrupt("wrong checksum of the content"));
    }
    if rest.is_empty() {
        Ok(out)
    } else {
        Err(corrupt("bytes behind the end"))
    }
}

/// What the header of a frame says.
struct Frame {
    block_len_max: usize,
    has_block_checksums: bool,
    has_content_checksum: bool,
}

impl Frame {
    fn read(mut bytes: &[u8]) -> Result<(Self, &[u8]), CodecError> {
        if take_u32(&mut bytes)? != MAGIC {
            return Err(corrupt("no lz4 frame"));
        }
        let described = bytes;
        let &[flags, sizes] = take(&mut bytes, 2)? else {
            return Err(ENDS);
        };
        if flags & 0b1110_0011 != 0b0110_0000 {
            return Err(corrupt("not version 1 with independent blocks"));
        }
        let Some(block_len_max) = block_len_max(sizes) else {
            return Err(corrupt("unknown size of blocks"));
        };
        if flags & 0b1000 != 0 {
            take(&mut bytes, 8)?;
        }
        let described = &described[..described.len() - bytes.len()];
        if take(&mut bytes, 1)? != [(xxh32(described) >> 8) as u8] {
            return Err(corrupt("wrong checksum of the header"));
        }
        let frame = Self {
            block_len_max,
            has_block_checksums: flags & 0b1_0000 != 0,
            has_content_checksum: flags & 0b100 != 0,
        };
        Ok((frame, bytes))
    }
}

fn block_len_max(sizes: u8) -> Option<usize> {
    match sizes {
        0x40 | 0x50 | 0x60 | 0x70 => Some(1 << (2 * (sizes >> 4) + 8)),
        _ => None,
    }
}

fn read_block(
    block: &[u8],
    room: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let at = out.len();
    let most = block.len().saturating_mul(RATIO_MAX);
    out.resize(at + room.min(most), 0);
    match lz4_flex::block::decompress_into(block, &mut out[at..]) {
        Ok(len) => {
            out.truncate(at + len);
            Ok(())
        }
        Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if room < most => {
            Err(CodecError::TooLarge { limit })
        }
        Err(_) => Err(corrupt("not an lz4 block")),
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], CodecError> {
    let (taken, rest) = bytes.split_at_checked(len).ok_or(ENDS)?;
    *bytes = rest;
    Ok(taken)
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32, CodecError> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(ENDS)?;
    *bytes = rest;
    Ok(u32::from_le_bytes(*taken))
}

/// The checksum of the frame format, with seed 0.
fn xxh32(bytes: &[u8]) -> u32 {
    const P: [u32; 5] = [
        0x9E37_79B1,
        0x85EB_CA77,
        0xC2B2_AE3D,
        0x27D4_EB2F,
        0x1656_67B1,
    ];
    let word = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
    let (stripes, mut tail) = bytes.as_chunks::<16>();
    let mut hash = P[4];
    if !stripes.is_empty() {
        let mut lanes = [P[0].wrapping_add(P[1]), P[1], 0, P[0].wrapping_neg()];
        for stripe in stripes {
            for (lane, bytes) in lanes.iter_mut().zip(stripe.as_chunks::<4>().0) {
                let mixed = lane.wrapping_add(word(bytes).wrapping_mul(P[1]));
                *lane = mixed.rotate_left(13).wrapping_mul(P[0]);
            }
        }
        let turned = lanes.iter().zip([1, 7, 12, 18]);
        hash = turned.fold(0, |sum: u32, (lane, by)| {
            sum.wrapping_add(lane.rotate_left(by))
        });
    }
    // The length counts modulo 2^32.
    hash = hash.wrapping_add(bytes.len() as u32);
    while let Some((bytes, rest)) = tail.split_first_chunk() {
        hash = hash.wrapping_add(word(bytes).wrapping_mul(P[2]));
        hash = hash.rotate_left(17).wrapping_mul(P[3]);
        tail = rest;
    }
    for byte in tail {
        hash = hash.wrapping_add(u32::from(*byte).wrapping_mul(P[4]));
        hash = hash.rotate_left(11).wrapping_mul(P[0]);
    }
    hash = (hash ^ (hash >> 15)).wrapping_mul(P[1]);
    hash = (hash ^ (hash >> 13)).wrapping_mul(P[2]);
    hash ^ (hash >> 16)
}

const ENDS: CodecError = corrupt("ends too early");

const fn corrupt(what: &'static str) -> CodecError {
    CodecError::Corrupt {
        compression: Compression::Lz4,
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The magic, a descriptor with the checksum behind it, and the rest.
    fn frame(descriptor: &[u8], rest: &[&[u8]]) -> Vec<u8> {
        let checksum = (xxh32(descriptor) >> 8) as u8;
        let head = [&MAGIC.to_le_bytes()[..], descriptor, &[checksum]];
        [&head.concat()[..], &rest.concat()].concat()
    }

    #[test]
    fn checksums_are_those_of_the_specification() {
        let rows: [(&[u8], u32); 4] = [
            (b"", 0x02CC_5D05),
            (b"a", 0x550D_7456),
            (b"abc", 0x32D1_53FF),
            (b"Nobody inspects the spammish repetition", 0xE229_3B2F),
        ];
        for (bytes, expected) in rows {
            assert_eq!(xxh32(bytes), expected);
        }
        assert_eq!((xxh32(&HEADER[4..6]) >> 8) as u8, HEADER[6]);
    }

    #[test]
    fn what_cannot_shrink_is_stored_as_it_is() {
        let mut out = Vec::new();
        let result = Encoder::default().compress(b"apple", &mut out);
        assert_eq!(result, Ok(()));
        let stored: [&[u8]; 3] = [b"\x05\0\0\x80", b"apple", &END];
        assert_eq!(out, frame(&[0x60, 0x40], &stored));
    }

    #[test]
    fn frames_of_other_producers_are_read() {
        let stored: &[u8] = b"\x05\0\0\x80apple";
        // The same five bytes, compressed: literals only.
        let packed: &[u8] = b"\x06\0\0\0\x50apple";
        let sum = xxh32(b"apple").to_le_bytes();
        let packed_sum = xxh32(b"\x50apple").to_le_bytes();
        let twice = xxh32(b"appleapple").to_le_bytes();
        let frames = [
            frame(&[0x60, 0x40], &[stored, packed, &END]),
            frame(&[0x60, 0x70], &[packed, stored, &END]),
            frame(
                &[0x68, 0x50, 10, 0, 0, 0, 0, 0, 0, 0],
                &[packed, packed, &END],
            ),
            frame(&[0x70, 0x60], &[stored, &sum, packed, &packed_sum, &END]),
            frame(&[0x64, 0x40], &[stored, packed, &END, &twice]),
        ];
        for frame in frames {
            assert_eq!(decompress(&frame, 10), Ok(b"appleapple".to_vec()));
            assert_eq!(
                decompress(&frame, 9),
                Err(CodecError::TooLarge { limit: 9 })
            );
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let stored: &[u8] = b"\x05\0\0\x80apple";
        let mut header = HEADER.to_vec();
        header[6] += 1;
        let large = (64 * 1024 + 1_u32).to_le_bytes();
        let wrong: &[u8] = b"sum.";
        let rows = [
            (b"\x04\x22\x4d\x19".to_vec(), "no lz4 frame"),
            (header, "wrong checksum of the header"),
            (
                frame(&[0x40, 0x40], &[&END]),
                "not version 1 with independent blocks",
            ),
            (
                frame(&[0xa0, 0x40], &[&END]),
                "not version 1 with independent blocks",
            ),
            (frame(&[0x60, 0x30], &[&END]), "unknown size of blocks"),
            (
                frame(&[0x60, 0x40], &[&large]),
                "block larger than its frame allows",
            ),
            (
                frame(&[0x60, 0x40], &[b"\x03\0\0\0\xff\xff\xff"]),
                "not an lz4 block",
            ),
            (
                frame(&[0x70, 0x40], &[stored, wrong]),
                "wrong checksum of a block",
            ),
            (
                frame(&[0x64, 0x40], &[stored, &END, wrong]),
                "wrong checksum of the content",
            ),
            (frame(&[0x60, 0x40], &[stored]), "ends too early"),
            (
                frame(&[0x60, 0x40], &[stored, &END, b"!"]),
                "bytes behind the end",
            ),
        ];
        for (bytes, what) in rows {
            assert_eq!(decompress(&bytes, 100), Err(corrupt(what)));
        }
    }
}
