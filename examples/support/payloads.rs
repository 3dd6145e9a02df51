//! Values and keys for load: the same ones in each run.

/// Values that look like lines of a log in JSON: the first half compresses, the second hardly does.
pub(crate) struct Payloads {
    bytes: Vec<u8>,
    size: usize,
    /// The number of values less one, which is all ones in binary.
    mask: u64,
}

/// The memory for values: more than a window of lz4, so that batches do not repeat themselves, and
/// no more than a processor's cache.
const POOL_LEN: usize = 1 << 20;
const VALUES_MIN: usize = 4;
const VALUES_MAX: usize = 1 << 16;
const HEAD: &[u8] = b"{\"level\":\"info\",\"message\":\"";
const MIDDLE: &[u8] = b"\",\"trace\":\"";
const TAIL: &[u8] = b"\"}";
/// Smaller values are not JSON, but only what does not compress.
const JSON_LEN_MIN: usize = 2 * (HEAD.len() + MIDDLE.len());
const WORDS: [&str; 16] = [
    "order", "user", "accepted", "cart", "payment", "timeout", "retried", "for", "from", "request",
    "served", "by", "checkout", "in", "region", "west",
];

impl Payloads {
    pub(crate) fn new(size: usize) -> Self {
        let fitting = (POOL_LEN / size.max(1)).clamp(VALUES_MIN, VALUES_MAX);
        let count = 1 << fitting.ilog2();
        let mut random = Random(1);
        let mut bytes = Vec::with_capacity(count * size);
        for number in 1..=count {
            put_value(&mut bytes, size, number * size, &mut random);
        }
        Self {
            bytes,
            size,
            mask: count as u64 - 1,
        }
    }

    pub(crate) fn of(&self, number: u64) -> &[u8] {
        let start = (number & self.mask) as usize * self.size;
        &self.bytes[start..start + self.size]
    }
}

fn put_value(bytes: &mut Vec<u8>, size: usize, end: usize, random: &mut Random) {
    let is_json = size >= JSON_LEN_MIN;
    if is_json {
        bytes.extend(HEAD);
        let text_end = end - size.div_ceil(2) - MIDDLE.len();
        while bytes.len() < text_end {
            let word = WORDS[random.next() as usize % WORDS.len()];
            bytes.extend(word.bytes().chain([b' ']));
        }
        bytes.truncate(text_end);
        bytes.extend(MIDDLE);
    }
    let tail = if is_json { TAIL } else { &[] };
    while bytes.len() < end - tail.len() {
        bytes.push(LETTERS[random.next() as usize % LETTERS.len()]);
    }
    bytes.extend(tail);
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes the key of a record, one of `distinct` ones; they come in no order.
pub(crate) fn put_key(key: &mut [u8; 12], number: u64, distinct: u64) {
    let mut rest = Random(number).next() % distinct;
    key[..4].copy_from_slice(b"key-");
    for digit in key[4..].iter_mut().rev() {
        *digit = b"0123456789abcdef"[rest as usize % 16];
        rest /= 16;
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn values_have_the_size_that_was_asked_for_and_are_json_if_they_are_not_small() {
        for size in [0, 1, 75, 76, 77, 100, 1000, 1 << 20, 3 << 20] {
            let payloads = Payloads::new(size);
            let value = payloads.of(3);
            assert_eq!(value.len(), size);
            let is_json = serde_json::from_slice::<serde_json::Value>(value)
                .is_ok_and(|value| value["trace"].is_string());
            assert_eq!(is_json, size >= 76, "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn values_differ_and_are_the_same_in_each_run() {
        let (one, other) = (Payloads::new(100), Payloads::new(100));
        let values: BTreeSet<_> = (0..8192).map(|number| one.of(number)).collect();
        assert_eq!(values.len(), 8192);
        assert!((0..10_000).all(|number| one.of(number) == other.of(number)));
    }

    #[test]
    fn there_are_as_many_keys_as_were_asked_for() {
        for distinct in [1, 7, 1000] {
            let key = |number| {
                let mut key = [0; 12];
                put_key(&mut key, number, distinct);
                key
            };
            let keys: BTreeSet<_> = (0..20 * distinct).map(key).collect();
            assert_eq!(keys.len() as u64, distinct);
        }
    }
}
