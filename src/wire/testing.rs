//! What every message of the protocol has to stand, for the tests of each.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use super::{Malformed, Message, Reader};

/// Reads a whole body.
pub(super) fn decode<M: Message>(bytes: &[u8], version: i16) -> Result<M, Malformed> {
    let mut input = Reader::new(bytes);
    let message = M::decode(&mut input, version)?;
    input.finish()?;
    Ok(message)
}

pub(super) fn encode<M: Message>(message: &M, version: i16) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out, version);
    out
}

/// Checks `message` in all `versions`: it reads back as what `expected` says is left of it, and
/// damaged bytes of it never panic or pass for whole if they were cut off.
pub(super) fn check<M: Message + Debug + PartialEq>(
    message: &M,
    versions: RangeInclusive<i16>,
    expected: impl Fn(i16) -> M,
) {
    for version in versions {
        let bytes = encode(message, version);
        assert_eq!(
            decode::<M>(&bytes, version),
            Ok(expected(version)),
            "version {version}"
        );
        for len in 0..bytes.len() {
            let cut = decode::<M>(&bytes[..len], version);
            assert!(cut.is_err(), "version {version} cut at {len}: {cut:?}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(decode::<M>(&longer, version).is_err(), "version {version}");
        damage::<M>(&bytes, version);
        noise::<M>(version);
    }
}

/// Checks that `message` has the bytes that Kafka's own code gives it, in every version that
/// tests/golden/wire.txt has under `name`, which are to be `versions`.
pub(super) fn check_golden<M: Message>(name: &str, message: &M, versions: RangeInclusive<i16>) {
    let mut seen = Vec::new();
    for line in include_str!("../../tests/golden/wire.txt").lines() {
        let words: Vec<_> = line.split(' ').collect();
        let (version, bytes) = match words.as_slice() {
            [of, version] if *of == name => (version, ""),
            [of, version, bytes] if *of == name => (version, *bytes),
            _ => continue,
        };
        let version = version
            .parse()
            .expect("tests/golden/wire.txt has versions in its second column");
        let ours: String = hex(&encode(message, version)).split(' ').collect();
        assert_eq!(ours, bytes, "version {version}");
        seen.push(version);
    }
    seen.sort_unstable();
    assert_eq!(seen, versions.collect::<Vec<_>>());
}

/// Checks that `message` has exactly these bytes in `version`, and reads back.
pub(super) fn check_bytes<M: Message + Debug + PartialEq>(
    message: &M,
    version: i16,
    bytes: &[&[u8]],
) {
    let bytes = bytes.concat();
    assert_eq!(hex(&encode(message, version)), hex(&bytes));
    assert_eq!(decode::<M>(&bytes, version).as_ref(), Ok(message));
}

/// Bytes as text, which a failed assertion shows better.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x} ")).collect()
}

/// Lengths, counts and varints that lie, put over and between the bytes at every place.
fn damage<M: Message>(bytes: &[u8], version: i16) {
    const LIES: &[&[u8]] = &[
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xfe],
        &[0xff, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0, 0, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0x80, 0x80, 0x04],
        &[0xff; 11],
        &[0x00],
    ];
    for at in 0..bytes.len() {
        for lie in LIES {
            let mut over = bytes.to_vec();
            over.splice(at..bytes.len().min(at + lie.len()), lie.iter().copied());
            _ = decode::<M>(&over, version);
            let mut between = bytes.to_vec();
            between.splice(at..at, lie.iter().copied());
            _ = decode::<M>(&between, version);
        }
    }
}

/// Bytes without any meaning, of which about half are small as lengths and tags are.
fn noise<M: Message>(version: i16) {
    let mut random = Random::new(version as u64 + 1);
    for _ in 0..10_000 {
        let bytes = random.bytes(64);
        _ = decode::<M>(&bytes, version);
    }
}

/// Marsaglia's xorshift with 64 bits of state.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn bytes(&mut self, len_max: u64) -> Vec<u8> {
        let len = self.next() % (len_max + 1);
        let byte = |random: u64| {
            if random & 0x100 == 0 {
                random as u8
            } else {
                random as u8 % 4
            }
        };
        (0..len).map(|_| byte(self.next() >> 8)).collect()
    }
}
