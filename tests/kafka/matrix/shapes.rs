//! The shapes of batches that codecs are tried with: what is small, empty, large, or without order.

use crate::chaos::dice::Dice;
use crate::kafka::Consumed;

/// Records of one kind, which a test sends to one partition.
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// Whether every codec makes its batches smaller; those that would grow are sent as they are.
    pub(super) shrinks: bool,
    /// Their timestamps count from 0; partitions and offsets are not yet given.
    pub(super) records: fn() -> Vec<Consumed>,
}

pub(super) const SHAPES: [Shape; 11] = [
    Shape {
        name: "one record",
        shrinks: false,
        records: || vec![record(Some(b"key"), Some(b"value"))],
    },
    Shape {
        name: "one long text",
        shrinks: true,
        records: || vec![record(None, Some(&text(10_000)))],
    },
    Shape {
        name: "empty key, value",
        shrinks: false,
        records: || vec![record(Some(b""), Some(b""))],
    },
    Shape {
        name: "null key, value",
        shrinks: false,
        records: || vec![record(None, None)],
    },
    Shape {
        name: "10,000 of 0 bytes",
        shrinks: true,
        records: || vec![record(None, Some(b"")); 10_000],
    },
    Shape {
        name: "1,000 JSON",
        shrinks: true,
        records: json,
    },
    Shape {
        name: "100 KiB random",
        shrinks: false,
        records: || vec![record(Some(b"key"), Some(&random(100 << 10)))],
    },
    Shape {
        name: "1 MiB text",
        shrinks: true,
        records: || vec![record(Some(b"key"), Some(&text(1 << 20)))],
    },
    Shape {
        name: "1 MiB random",
        shrinks: false,
        records: || vec![record(Some(b"key"), Some(&random(1 << 20)))],
    },
    Shape {
        name: "10,000 headers",
        shrinks: true,
        records: headers,
    },
    Shape {
        name: "times backwards",
        shrinks: true,
        records: backwards,
    },
];

fn record(key: Option<&[u8]>, value: Option<&[u8]>) -> Consumed {
    Consumed {
        partition: -1,
        offset: -1,
        timestamp: 0,
        headers: Vec::new(),
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
    }
}

fn json() -> Vec<Consumed> {
    let mut dice = Dice::new(1);
    let mut one = |number: i64| {
        let (user, price) = (dice.below(500), dice.below(100_000));
        let key = format!("user-{user}");
        let value = format!(
            r#"{{"id":{number},"user":"{key}","kind":"order","cents":{price},"paid":{}}}"#,
            dice.one_in(2)
        );
        Consumed {
            timestamp: number,
            ..record(Some(key.as_bytes()), Some(value.as_bytes()))
        }
    };
    (0..1000).map(&mut one).collect()
}

/// Names come again and some are empty; values are of every kind.
fn headers() -> Vec<Consumed> {
    let mut all = record(Some(b"key"), Some(b"value"));
    all.headers = (0..10_000_u32)
        .map(|number| match number % 5 {
            0 => ("trace".to_owned(), Some(number.to_be_bytes().to_vec())),
            1 => (format!("header-{number}"), Some(b"value".to_vec())),
            2 => (format!("\u{e4}\u{20ac}\u{1f600}-{number}"), None),
            3 => ("trace".to_owned(), Some(Vec::new())),
            _ => (String::new(), Some(b"no name".to_vec())),
        })
        .collect();
    vec![all]
}

/// Each before the one before it, and none near the first, whose time the batch counts from.
fn backwards() -> Vec<Consumed> {
    let one = |number: i64| Consumed {
        timestamp: if number % 2 == 0 {
            1_000 - number
        } else {
            80_000_000 - number * 1_000
        },
        ..record(Some(b"the same key"), Some(b"the same value"))
    };
    (0..200).map(one).collect()
}

/// Words, as codecs are made for.
fn text(bytes: usize) -> Vec<u8> {
    const WORDS: [&str; 8] = [
        "broker ", "leader ", "epoch ", "batch ", "of ", "the ", "a ", "in\n",
    ];
    let mut dice = Dice::new(2);
    let mut text = Vec::with_capacity(bytes + 8);
    while text.len() < bytes {
        text.extend_from_slice(WORDS[dice.below(WORDS.len())].as_bytes());
    }
    text.truncate(bytes);
    text
}

fn random(bytes: usize) -> Vec<u8> {
    let mut dice = Dice::new(3);
    let rolls = std::iter::repeat_with(|| dice.roll().to_le_bytes());
    rolls.flatten().take(bytes).collect()
}
