//! What a record of the chaos run says of itself, so that the log alone tells where it belongs.

use super::dice::Dice;

/// A topic of the run.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) partitions: i32,
    pub(super) is_idempotent: bool,
}

/// By [`Stamp::topic`].
pub(super) const TOPICS: [Topic; 3] = [
    Topic {
        name: "idem",
        partitions: 4,
        is_idempotent: true,
    },
    Topic {
        name: "order",
        partitions: 1,
        is_idempotent: true,
    },
    Topic {
        name: "noidem",
        partitions: 2,
        is_idempotent: false,
    },
];

/// One record: no two of a run have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub(super) topic: usize,
    pub(super) partition: i32,
    pub(super) producer: usize,
    /// Its place among the records of the producer and partition, in the order of `send`.
    pub(super) number: u64,
    pub(super) thread: usize,
}

impl Stamp {
    /// The value of the record: the stamp, `length` letters, and the CRC of all that as text.
    pub(super) fn value(&self, length: usize) -> String {
        let Self {
            topic,
            partition,
            producer,
            number,
            thread,
        } = self;
        let mut value = format!("{topic} {partition} {producer} {number} {thread} ");
        let mut dice = Dice::new(number ^ (*producer as u64) << 40 ^ (*partition as u64) << 50);
        for _ in 0..length.div_ceil(8) {
            let letter = |byte: u8| char::from(b'a' + byte % 26);
            value.extend(dice.roll().to_le_bytes().map(letter));
        }
        let crc = crc32c::crc32c(value.as_bytes());
        value + &format!(" {crc:08x}")
    }

    /// `None` for what no producer of the run can have sent.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let (text, crc) = std::str::from_utf8(value).ok()?.rsplit_once(' ')?;
        if u32::from_str_radix(crc, 16).ok()? != crc32c::crc32c(text.as_bytes()) {
            return None;
        }
        let mut words = text.split(' ');
        Some(Self {
            topic: words.next()?.parse().ok()?,
            partition: words.next()?.parse().ok()?,
            producer: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
            thread: words.next()?.parse().ok()?,
        })
    }
}

#[test]
fn a_value_tells_its_stamp_until_a_bit_of_it_changes() {
    let stamp = Stamp {
        topic: 1,
        partition: 3,
        producer: 2,
        number: 123_456,
        thread: 1,
    };
    let value = stamp.value(100).into_bytes();
    assert!(value.len() > 100);
    assert_eq!(Stamp::parse(&value), Some(stamp));
    for at in 0..value.len() {
        let mut changed = value.clone();
        changed[at] ^= 1;
        assert_eq!(Stamp::parse(&changed), None, "byte {at}");
    }
}
