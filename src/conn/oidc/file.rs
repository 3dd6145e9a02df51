//! A token that somebody else keeps fresh in a file, as Java's `FileJwtRetriever` reads it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, ErrorKind};

/// No broker takes a longer token.
const BYTES_MAX: u64 = 512 << 10;

/// The token that the file holds now.
pub(super) fn token(path: &Path) -> Result<String, Error> {
    let wrong = |kind, what: &str| {
        let path = path.display();
        Error::new(
            kind,
            format!("token file {path} (sasl.oauthbearer.token.endpoint.url) {what}"),
        )
    };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(wrong(ErrorKind::Authentication, "is not text"));
        }
        Err(error) => {
            return Err(wrong(
                ErrorKind::Config,
                &format!("cannot be read: {error}"),
            ));
        }
        Ok(_) => {}
    }
    match text.trim() {
        "" => Err(wrong(ErrorKind::Authentication, "is empty")),
        _ if text.len() as u64 > BYTES_MAX => {
            Err(wrong(ErrorKind::Authentication, "is longer than 512 KiB"))
        }
        token => Ok(token.to_owned()),
    }
}
