//! Frames of every codec, by hand: they store what they hold as it is, which each format can.

/// Less than the largest piece of any format.
const LEN_MAX: usize = 60;

/// A frame that holds these bytes.
pub(super) fn stored(codec: i16, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() <= LEN_MAX, "one byte has to tell the length");
    let len = bytes.len() as u8;
    let (head, tail) = match codec {
        1 => {
            let head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
            let sizes = [len, 0, !len, 0xff];
            let tail = [crc32(bytes).to_le_bytes(), [len, 0, 0, 0]].concat();
            ([head, sizes.to_vec()].concat(), tail)
        }
        2 => {
            let head = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
            let block = match len {
                0 => vec![0, 0, 0, 1, 0],
                _ => vec![0, 0, 0, len + 2, len, (len - 1) << 2],
            };
            ([head, block].concat(), Vec::new())
        }
        3 => {
            let mut head = b"\x04\x22\x4d\x18\x60\x40\x82".to_vec();
            if len > 0 {
                head.extend([len, 0, 0, 0x80]);
            }
            (head, vec![0; 4])
        }
        4 => (
            [
                &b"\x28\xb5\x2f\xfd\x20"[..],
                &[len, 1 | (len << 3), len >> 5, 0],
            ]
            .concat(),
            Vec::new(),
        ),
        _ => (Vec::new(), Vec::new()),
    };
    [&head, bytes, &tail].concat()
}

/// What a frame holds that [`stored`] has made.
pub(super) fn unpacked(codec: i16, frame: &[u8]) -> &[u8] {
    let (head, tail) = match codec {
        1 => (15, 8),
        2 => (22, 0),
        3 => (11, 4),
        4 => (9, 0),
        _ => (0, 0),
    };
    let bytes = &frame[head..frame.len() - tail];
    assert_eq!(
        stored(codec, bytes),
        frame,
        "the broker has not rewritten it"
    );
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc))
    })
}
