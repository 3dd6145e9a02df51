//! What a broker says in a SCRAM login, read by the grammar of RFC 5802.

use super::Refusal;
use crate::conn::base64;
use crate::conn::diagnosis::peer_text;

/// Far more than a broker needs for its nonce and salt.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// `r=nonce,s=salt,i=iterations`; extensions behind them mean nothing.
pub(super) struct ServerFirst<'a> {
    pub(super) nonce: &'a str,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u64,
}

impl<'a> ServerFirst<'a> {
    /// The message as text too.
    pub(super) fn read(message: &'a [u8]) -> Result<(&'a str, Self), Refusal> {
        let text = text(message)?;
        let mut parts = text.split(',');
        let mut part = |name: &str, missing| {
            let value = parts.next().and_then(|part| part.strip_prefix(name));
            value.ok_or(Refusal::Unreadable(missing))
        };
        let nonce = part("r=", "it does not begin with a nonce, r=")?;
        let is_printable = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_printable {
            return Err(Refusal::Unreadable("its nonce is not printable"));
        }
        let salt = part("s=", "no salt, s=, follows the nonce")?;
        let salt = base64::decode(salt).filter(|salt| !salt.is_empty());
        let salt = salt.ok_or(Refusal::Unreadable("its salt is empty or no Base64"))?;
        let count = part("i=", "no number of iterations, i=, follows the salt")?;
        let iterations = number(count).ok_or(Refusal::Unreadable(
            "its number of iterations, i=, is no number",
        ))?;
        let first = Self {
            nonce,
            salt,
            iterations,
        };
        Ok((text, first))
    }
}

/// `v=signature`; extensions behind it mean nothing.
pub(super) struct ServerFinal {
    pub(super) signature: Vec<u8>,
}

impl ServerFinal {
    pub(super) fn read(message: &[u8]) -> Result<Self, Refusal> {
        let text = text(message)?;
        let first = text.split(',').next().unwrap_or_default();
        let signature = first.strip_prefix("v=").and_then(base64::decode);
        let signature = signature.ok_or(Refusal::Unreadable(
            "it has no signature, v=, by which the broker shows that it knows the password",
        ))?;
        Ok(Self { signature })
    }
}

/// Any message as text, unless it is the broker's refusal or asks for what nobody here knows.
fn text(message: &[u8]) -> Result<&str, Refusal> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Refusal::Unreadable("it is longer than 8 KiB"));
    }
    let text = str::from_utf8(message).map_err(|_| Refusal::Unreadable("it is not UTF-8"))?;
    if let Some(error) = text.strip_prefix("e=") {
        let error = error.split(',').next().unwrap_or_default();
        return Err(Refusal::Said(peer_text(error)));
    }
    match text.starts_with("m=") {
        true => Err(Refusal::Unreadable(
            "it asks for an extension, m=, that is not known here",
        )),
        false => Ok(text),
    }
}

/// Digits alone; one that has too many counts as the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}
