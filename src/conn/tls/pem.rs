//! Files of PEM text: how they are read, and what they are if they are something else.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, ErrorKind};

/// Far more than all public authorities of the world need.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The bytes of a file, and one more than the most that is taken if there are more.
pub(super) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bytes of the file that `origin` names for messages.
pub(super) fn read(path: &Path, origin: &str) -> Result<Vec<u8>, Error> {
    let bytes = bytes(path).map_err(|error| wrong(origin, &format!("cannot be read: {error}")))?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(wrong(origin, "is larger than 16 MiB")),
        false => Ok(bytes),
    }
}

/// PEM text with its lines broken where they have to be: values of properties files and environment
/// variables often come as one line, which Java takes.
pub(super) fn unfolded(text: &str) -> Vec<u8> {
    const DASHES: &str = "-----";
    let mut lines = Vec::new();
    for part in text.split(DASHES) {
        match part {
            mark if mark.starts_with("BEGIN ") || mark.starts_with("END ") => {
                lines.push(format!("{DASHES}{mark}{DASHES}"));
            }
            body => lines.extend(body.split_ascii_whitespace().map(str::to_owned)),
        }
    }
    lines.join("\n").into_bytes()
}

/// One of the other formats that keys and certificates come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    Empty,
    Jks,
    /// PKCS#12, or a bare key or certificate.
    Der,
}

/// What the bytes are, if they are no text at all.
pub(super) fn foreign(bytes: &[u8]) -> Option<Foreign> {
    match bytes {
        _ if bytes.trim_ascii().is_empty() => Some(Foreign::Empty),
        [0xfe, 0xed, 0xfe, 0xed, ..] => Some(Foreign::Jks),
        [0x30, 0x80..=0x84, ..] => Some(Foreign::Der),
        _ => None,
    }
}

pub(super) fn wrong(origin: &str, what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{origin} {what}"))
}
