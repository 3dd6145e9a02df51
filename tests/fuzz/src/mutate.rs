//! New inputs from old ones: the lies that a protocol of lengths and counts invites.

/// Marsaglia's xorshift with 64 bits of state: the same inputs for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 11) as usize).checked_rem(end).unwrap_or(0)
    }

    /// A part of `len` things.
    fn part(&mut self, len: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.below(len + 1), self.below(len + 1));
        // Short parts hit single fields.
        let longest = if self.next().is_multiple_of(2) {
            8
        } else {
            len
        };
        a.min(b)..a.max(b).min(a.min(b) + longest)
    }
}

/// Values of 1, 2, 4 and 8 bytes, and varints, that lengths and counts should not have.
const LIES: &[&[u8]] = &[
    &[0],
    &[1],
    &[2],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0, 0],
    &[0x7f, 0xff],
    &[0x80, 0],
    &[0xff, 0xff],
    &[0xff, 0xfe],
    &[0, 0, 0, 0],
    &[0, 0, 0, 3],
    &[0, 0, 0xff, 0xff],
    &[0, 0x10, 0, 0],
    &[4, 0, 0, 1],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xfe],
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xfe, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0x80, 0x80, 4],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0],
    &[0xff; 11],
    &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0, 0, 0, 0, 0],
    &[0xff; 8],
];

/// One of the corpus, or rarely noise, changed at one to eight places.
pub(crate) fn mutated(corpus: &[Vec<u8>], random: &mut Random, bytes_max: usize) -> Vec<u8> {
    let mut input = match random.next() % 64 {
        0 => noise(random),
        _ => corpus
            .get(random.below(corpus.len()))
            .cloned()
            .unwrap_or_default(),
    };
    for _ in 0..=random.below(8) {
        change(&mut input, corpus, random);
    }
    input.truncate(bytes_max);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len());
    match random.next() % 10 {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
        2..=4 => {
            let lie = LIES[random.below(LIES.len())];
            let over = if random.next().is_multiple_of(4) {
                0
            } else {
                lie.len()
            };
            let end = input.len().min(at + over);
            input.splice(at..end, lie.iter().copied());
        }
        5 => input.truncate(at),
        6 => drop(input.drain(random.part(input.len()))),
        7 => {
            let part = input[random.part(input.len())].to_vec();
            let times = 1 + random.below(64);
            input.splice(at..at, part.repeat(times));
        }
        8 => {
            let other = &corpus[random.below(corpus.len())];
            let part = other[random.part(other.len())].to_vec();
            let end = input.len().min(at + random.below(part.len() + 1));
            input.splice(at..end, part);
        }
        _ => drop(input.splice(at..at, noise(random))),
    }
}

/// Bytes of which about half are small, as lengths and tags are.
fn noise(random: &mut Random) -> Vec<u8> {
    let byte = |number: u64| match number & 0x100 {
        0 => number as u8,
        _ => number as u8 % 4,
    };
    let len = random.below(64);
    (0..len).map(|_| byte(random.next() >> 8)).collect()
}
