//! All codecs alike: what goes in comes out, and no bytes of a peer do harm.

mod place;

use super::*;

fn codecs() -> impl Iterator<Item = Compression> {
    let all = Compression::ALL.into_iter();
    all.filter(|one| *one != Compression::None && one.is_built_in())
}

/// More than every test decompresses.
const PLENTY: usize = 8 << 20;

fn compressed(compressor: &mut Compressor, compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut out = b"in front".to_vec();
    let result = compressor.compress(compression, &Levels::default(), bytes, &mut out);
    assert_eq!(result, Ok(()), "{compression}");
    assert!(out.starts_with(b"in front"), "{compression} appends");
    out.split_off(8)
}

/// Bytes that no codec can shrink.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Like the log of a service.
fn text(len: usize) -> Vec<u8> {
    let line = |at: usize| {
        let hash = (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        format!("{{\"id\":{at},\"trace\":\"{hash:x}\",\"level\":\"info\",\"text\":\"done\"}}")
    };
    let bytes = (0..).flat_map(|at| line(at).into_bytes());
    bytes.take(len).collect()
}

#[test]
fn every_shape_and_length_comes_back_as_it_was() {
    let mut compressor = Compressor::default();
    let mut lens = vec![0, 1, 2, 3, 16, 255, 1000, 1 << 20];
    for edge in [16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10] {
        lens.extend([edge - 1, edge, edge + 1]);
    }
    for len in lens {
        let shapes = [
            ("zeros", vec![0; len]),
            ("text", text(len)),
            ("noise", noise(len)),
        ];
        for (shape, bytes) in shapes {
            for compression in codecs() {
                let small = compressed(&mut compressor, compression, &bytes);
                let back = decompress(compression, &small, len);
                assert!(back == Ok(bytes.clone()), "{compression}, {len} {shape}");
                if shape == "noise" {
                    let bound = len + len / 100 + 64;
                    assert!(
                        small.len() <= bound,
                        "{compression}, {len}: {}",
                        small.len()
                    );
                } else if len >= 1000 {
                    assert!(small.len() < len / 2, "{compression}, {len} {shape}");
                }
            }
        }
    }
}

#[test]
fn every_level_is_read_back_and_the_last_one_leaves_no_trace() {
    let mut compressor = Compressor::default();
    let bytes = text(100_000);
    for level in [-1, 9, -200_000, 3, 0, 22, 1, 6, 6, 4, -7, -131_072] {
        let levels = Levels {
            gzip: level,
            lz4: level,
            zstd: level,
        };
        for compression in codecs() {
            let (mut reused, mut fresh) = (Vec::new(), Vec::new());
            let result = compressor.compress(compression, &levels, &bytes, &mut reused);
            assert_eq!(result, Ok(()), "{compression} {level}");
            let result = Compressor::default().compress(compression, &levels, &bytes, &mut fresh);
            assert_eq!(result, Ok(()), "{compression} {level}");
            assert!(reused == fresh, "{compression} {level}");
            let back = decompress(compression, &reused, bytes.len());
            assert!(back.as_ref() == Ok(&bytes), "{compression} {level}");
        }
    }
}

#[test]
fn frames_start_as_those_of_java() {
    let mut compressor = Compressor::default();
    let starts: [(Compression, &[u8]); 4] = [
        (Compression::Gzip, b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
        (
            Compression::Snappy,
            b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00",
        ),
        (Compression::Lz4, b"\x04\x22\x4d\x18\x60\x40\x82"),
        (Compression::Zstd, b"\x28\xb5\x2f\xfd"),
    ];
    let built_in = starts.into_iter().filter(|(of, _)| of.is_built_in());
    for (compression, start) in built_in {
        let frame = compressed(&mut compressor, compression, &text(500));
        assert_eq!(&frame[..start.len()], start, "{compression}");
    }
}

#[test]
fn a_frame_cut_short_anywhere_is_an_error() {
    let mut compressor = Compressor::default();
    for bytes in [text(2000), noise(700), text(70_000)] {
        for compression in codecs() {
            let frame = compressed(&mut compressor, compression, &bytes);
            let step = 1 + frame.len() / 2000;
            for len in (0..frame.len()).step_by(step) {
                // Snappy's frame has no end: it may be cut between two blocks.
                let back = decompress(compression, &frame[..len], PLENTY);
                let is_short = back.is_err() || back.is_ok_and(|back| back.len() < bytes.len());
                assert!(is_short, "{compression}: {len} of {}", frame.len());
            }
        }
    }
}

#[test]
fn flipped_bits_never_panic_or_pass_the_limit() {
    let mut compressor = Compressor::default();
    let bytes = text(1500);
    for compression in codecs() {
        let mut frame = compressed(&mut compressor, compression, &bytes);
        for bit in 0..frame.len() * 8 {
            frame[bit / 8] ^= 1 << (bit % 8);
            let back = decompress(compression, &frame, 4000);
            assert_ne!(back, Err(CodecError::Failed(compression)), "bit {bit}");
            let len = back.map_or(0, |back| back.len());
            assert!(len <= 4000, "{compression}, bit {bit}: {len}");
            frame[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let mut compressor = Compressor::default();
    let bytes = vec![7; 4 << 20];
    for compression in codecs() {
        let bomb = compressed(&mut compressor, compression, &bytes);
        for limit in [0, 1, 1000, 64 << 10, (4 << 20) - 1] {
            let expected = Err(CodecError::TooLarge { limit });
            assert_eq!(
                decompress(compression, &bomb, limit),
                expected,
                "{compression}"
            );
        }
        assert!(decompress(compression, &bomb, 4 << 20) == Ok(bytes.clone()));
    }
}

#[test]
fn without_a_codec_bytes_stay_as_they_are() {
    let mut compressor = Compressor::default();
    let bytes = text(100);
    let same = compressed(&mut compressor, Compression::None, &bytes);
    assert_eq!(same, bytes);
    assert_eq!(decompress(Compression::None, &same, 100), Ok(bytes));
    let expected = Err(CodecError::TooLarge { limit: 99 });
    assert_eq!(decompress(Compression::None, &same, 99), expected);
}
