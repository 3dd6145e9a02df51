//! Base64 (RFC 4648): with padding, as SCRAM's messages and HTTP's Basic have it, and without, in
//! digits for URLs, as JSON web tokens have it.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg_attr(
    not(any(feature = "scram", feature = "oidc", test)),
    allow(dead_code, reason = "neither SCRAM nor HTTP is there")
)]
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            text.push(match digit <= chunk.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]),
                false => '=',
            });
        }
    }
    text
}

/// `None` if a character, the length or the padding is wrong.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let whole = text.as_bytes();
    if !whole.len().is_multiple_of(4) {
        return None;
    }
    let digits = whole.strip_suffix(b"=").unwrap_or(whole);
    let digits = digits.strip_suffix(b"=").unwrap_or(digits);
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.chunks(4) {
        let mut bits = 0;
        for at in 0..4 {
            bits = bits << 6 | chunk.get(at).map_or(Some(0), |digit| value(*digit))?;
        }
        let [_, decoded @ ..] = bits.to_be_bytes();
        let count = chunk.len() - 1;
        let (kept, rest) = decoded.split_at_checked(count)?;
        // Bits that are in no byte are zero, lest one value has several texts.
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

#[cfg(test)]
pub(super) fn encode_url(bytes: &[u8]) -> String {
    let usual = encode(bytes);
    usual
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_")
}

/// The bytes of base64url; padding does no harm.
pub(super) fn decode_url(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut usual: String = digits
        .chars()
        .map(|digit| match digit {
            '-' => '+',
            '_' => '/',
            // Not a digit here.
            '+' | '/' => ' ',
            digit => digit,
        })
        .collect();
    while !usual.len().is_multiple_of(4) {
        usual.push('=');
    }
    decode(&usual)
}

/// Whether it may be part of base64url.
pub(super) fn is_url_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=')
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 10 of RFC 4648.
    #[test]
    fn the_vectors_of_the_rfc_hold_both_ways() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        let every: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&every)), Some(every));
    }

    #[test]
    fn digits_for_urls_need_no_padding() {
        assert_eq!(encode_url(&[0xff, 0xef, 0xbf]), "_--_");
        assert_eq!(encode_url(b"f"), "Zg");
        assert_eq!(decode_url("_--_").as_deref(), Some(&[0xff, 0xef, 0xbf][..]));
        assert_eq!(decode_url("Zg").as_deref(), Some(&b"f"[..]));
        assert_eq!(decode_url("Zg==").as_deref(), Some(&b"f"[..]));
        assert_eq!(decode_url("Zm9+"), None);
        assert_eq!(decode_url("Z"), None);
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in [
            "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zh==", "Zm9=", "Zm9v=", "Zm=v",
            "Zg==Zg==", "Zm9-", "Zm 9", "Zm9v\n", "Zmé",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
