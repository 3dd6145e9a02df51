//! The text of one setting, read as Java's ConfigDef reads it.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// The largest number of Java's `int`.
pub(super) const INT_MAX: i64 = i32::MAX as i64;

/// A key with its value as text, both without blanks around them.
pub(super) struct Setting<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
    /// Whether no message may show the value, whatever the key.
    is_hidden: bool,
}

impl<'a> Setting<'a> {
    pub(super) fn new(key: &'a str, value: &'a str) -> Self {
        Self {
            key: key.trim(),
            value: value.trim(),
            is_hidden: false,
        }
    }

    /// One whose value came by reference.
    pub(super) fn hidden(key: &'a str, value: &'a str) -> Self {
        Self {
            is_hidden: true,
            ..Self::new(key, value)
        }
    }

    pub(super) fn integer(&self, range: RangeInclusive<i64>) -> Result<i64, Error> {
        match self.value.parse::<i128>() {
            Ok(number) => match i64::try_from(number) {
                Ok(number) if range.contains(&number) => Ok(number),
                _ => Err(self.wrong(&format!(
                    "is out of range: {} to {}",
                    range.start(),
                    range.end()
                ))),
            },
            Err(_) => match self.in_units().filter(|_| self.is_shown()) {
                Some(number) => Err(self.wrong(&format!(
                    "is not a whole number: write {number}, without a unit"
                ))),
                None => Err(self.wrong("is not a whole number")),
            },
        }
    }

    /// A count of bytes or things that this machine can hold.
    pub(super) fn size(&self, range: RangeInclusive<i64>) -> Result<usize, Error> {
        usize::try_from(self.integer(range)?).map_err(|_| self.wrong("is too large"))
    }

    /// Milliseconds from 0 to `max`.
    pub(super) fn millis(&self, max: i64) -> Result<Duration, Error> {
        let ms = self.integer(0..=max)?;
        Ok(Duration::from_millis(ms.unsigned_abs()))
    }

    /// Bytes of a socket buffer; -1 is the system's choice.
    pub(super) fn socket_buffer(&self) -> Result<Option<usize>, Error> {
        match self.integer(-1..=INT_MAX)? {
            -1 => Ok(None),
            0 => Err(self.wrong("is no size for a buffer: -1 is the system's choice")),
            _ => self.size(1..=INT_MAX).map(Some),
        }
    }

    pub(super) fn boolean(&self) -> Result<bool, Error> {
        if self.is("true") {
            Ok(true)
        } else if self.is("false") {
            Ok(false)
        } else {
            Err(self.wrong("is neither true nor false"))
        }
    }

    /// The entries of a comma-separated list.
    pub(super) fn list(&self) -> impl Iterator<Item = &'a str> {
        let entries = self.value.split(',').map(str::trim);
        entries.filter(|entry| !entry.is_empty())
    }

    /// Whether the value is `text`, in any case.
    pub(super) fn is(&self, text: &str) -> bool {
        self.value.eq_ignore_ascii_case(text)
    }

    /// `key: "value" what`, with the value hidden if it is or may be a secret.
    pub(super) fn wrong(&self, what: &str) -> Error {
        let message = match self.is_shown() {
            true => format!("{}: {:?} {what}", self.key, shortened(self.value)),
            false => format!("{}: the value (not shown here) {what}", self.key),
        };
        Error::new(ErrorKind::Config, message)
    }

    fn is_shown(&self) -> bool {
        !self.is_hidden && !is_secret(self.key) && !seems_secret(self.value)
    }

    /// An error that may show the value, or `what` instead.
    pub(super) fn guarded(&self, error: Error, what: &str) -> Error {
        match self.is_shown() {
            true => error,
            false => self.wrong(what),
        }
    }

    /// `key: why`, without the value.
    pub(super) fn refused(&self, why: &str) -> Error {
        Error::new(ErrorKind::Config, format!("{}: {why}", self.key))
    }

    /// `5s` in milliseconds or `64k` in bytes, by what the key counts.
    fn in_units(&self) -> Option<i64> {
        const TIMES: [(&str, i64); 7] = [
            ("ms", 1),
            ("s", 1000),
            ("sec", 1000),
            ("m", 60_000),
            ("min", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
        ];
        const SIZES: [(&str, i64); 10] = [
            ("b", 1),
            ("k", 1 << 10),
            ("kb", 1 << 10),
            ("kib", 1 << 10),
            ("m", 1 << 20),
            ("mb", 1 << 20),
            ("mib", 1 << 20),
            ("g", 1 << 30),
            ("gb", 1 << 30),
            ("gib", 1 << 30),
        ];
        let units: &[(&str, i64)] = if self.key.ends_with(".ms") {
            &TIMES
        } else if [".bytes", ".size", ".memory"].map(|end| self.key.ends_with(end)) == [false; 3] {
            return None;
        } else {
            &SIZES
        };
        let end = self.value.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = self.value.split_at(end);
        let unit = unit.trim().to_ascii_lowercase();
        let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
        number.parse::<i64>().ok()?.checked_mul(*factor)
    }
}

/// Whether the values of `key` are never shown: passwords, keys, credentials, and what such a key
/// may be a misspelling of.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["jaas", "password", "passphrase", "secret", "token"]
        .iter()
        .any(|word| key.contains(word))
        || [".key", ".pem", ".certificates", ".certificate.chain"]
            .iter()
            .any(|end| key.ends_with(end))
}

/// Whether a value looks like one of a secret key that went to another key by mistake.
pub(super) fn seems_secret(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    ["password", "secret", "loginmodule", "-----begin"]
        .iter()
        .any(|word| value.contains(word))
}

fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
