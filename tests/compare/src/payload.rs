//! What the records hold: log lines in JSON, half of which cannot be compressed.

/// 4 MiB of lines, cut into values of one size.
pub(crate) struct Payload {
    text: Vec<u8>,
    value_bytes: usize,
}

const TEXT_BYTES: usize = 4 << 20;

impl Payload {
    /// The same on every machine.
    pub(crate) fn new(value_bytes: usize) -> Self {
        Self::repeated(value_bytes, 1)
    }

    /// With the text so many times in memory, for what should not be in the processor's cache.
    pub(crate) fn repeated(value_bytes: usize, times: usize) -> Self {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut text = Vec::with_capacity(TEXT_BYTES + 512);
        while text.len() < TEXT_BYTES {
            text.extend_from_slice(line(&mut random).as_bytes());
        }
        let text = text.repeat(times);
        Self { text, value_bytes }
    }

    /// The values in turn, and again from the first one.
    pub(crate) fn value(&self, number: u64) -> &[u8] {
        let values = (self.text.len() / self.value_bytes) as u64;
        let start = (number % values) as usize * self.value_bytes;
        &self.text[start..start + self.value_bytes]
    }
}

fn line(random: &mut Random) -> String {
    const LEVELS: [&str; 4] = ["INFO", "INFO", "WARN", "DEBUG"];
    const SERVICES: [&str; 5] = ["checkout", "catalogue", "payments", "search", "accounts"];
    const MESSAGES: [&str; 5] = [
        "request handled",
        "cache miss, asked the database",
        "slow query, the plan has changed",
        "retrying after a time-out of the upstream",
        "session renewed",
    ];
    format!(
        "{{\"time\":\"2025-06-{:02}T{:02}:{:02}:{:02}.{:03}Z\",\"level\":\"{}\",\"service\":\"{}\",\
         \"message\":\"{}\",\"millis\":{},\"trace\":\"{}\",\"session\":\"{}\"}}\n",
        random.below(30) + 1,
        random.below(24),
        random.below(60),
        random.below(60),
        random.below(1000),
        LEVELS[random.below(LEVELS.len())],
        SERVICES[random.below(SERVICES.len())],
        MESSAGES[random.below(MESSAGES.len())],
        random.below(5000),
        random.letters(44),
        random.letters(64),
    )
}

/// Xorshift: what looks random is the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit
    }

    fn letters(&mut self, count: usize) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut letter = || LETTERS[self.below(LETTERS.len())] as char;
        (0..count).map(|_| letter()).collect()
    }
}
