//! The hash that decides where Java's producer puts a key, and so where a join of topics finds it.

use super::choice::remainder;

/// Java's `toPositive(murmur2(key)) % count`.
pub(super) fn partition(key: &[u8], count: u32) -> i32 {
    remainder(murmur2(key) & 0x7fff_ffff, count)
}

/// The 32-bit murmur2 of Kafka's Java client: same seed, little-endian words, wrapping arithmetic.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;

    let (words, tail) = key.as_chunks::<4>();
    // Java's length is an `int`: keys are far shorter than where the cast would matter.
    let mut hash = SEED ^ key.len() as u32;
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_agrees_with_the_values_of_kafkas_own_test() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
            // librdkafka's own test has these.
            ("kafka", 0xd067_cf64_u32 as i32),
            ("giberish123456789", 0x8f55_2b0c_u32 as i32),
            ("1234", 0x9fc9_7b14_u32 as i32),
            ("234", 0xe7c0_09ca_u32 as i32),
            ("34", 0x8739_30da_u32 as i32),
            ("4", 0x5a4b_5ca1),
            ("PreAmbleWillBeRemoved,ThePrePartThatIs", 0x7842_4f1c),
            (
                "eAmbleWillBeRemoved,ThePrePartThatIs",
                0xe0e4_e09e_u32 as i32,
            ),
            ("", 0x106e_08d9),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    /// Every length from 0 to 64: ASCII, bytes from 0xff down, and two of random bytes.
    #[test]
    fn hash_and_partition_agree_with_kafka_clients() {
        let vectors = include_str!("../../tests/golden/murmur2.txt").lines();
        let vectors: Vec<&str> = vectors.filter(|line| !line.starts_with('#')).collect();
        assert_eq!(vectors.len(), 65 * 4);
        for line in vectors {
            let fields: Vec<&str> = line.split(' ').collect();
            let [key, hash, partition_of_12] = fields[..] else {
                panic!("{line}")
            };
            let key = from_hex(key);
            assert_eq!((murmur2(&key) as i32).to_string(), hash, "{line}");
            let partition = partition(&key, 12);
            assert_eq!(partition.to_string(), partition_of_12, "{line}");
        }
    }

    fn from_hex(text: &str) -> Vec<u8> {
        let digits = text.trim_matches('-').as_bytes();
        let pairs = digits.chunks(2).map(|pair| str::from_utf8(pair).unwrap());
        pairs
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    }
}
