//! A token that nobody has signed (RFC 7515, A.5), for tests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::{Claim, UnsecuredConfig};
use crate::oauth::Token;

use super::base64;

/// A token that begins now.
pub(super) fn token(config: &UnsecuredConfig, now: SystemTime) -> Token {
    let end = now + config.lifetime;
    let mut claims = format!(r#"{{"exp":{},"iat":{}"#, seconds(end), seconds(now));
    for (name, claim) in &config.claims {
        claims.push_str(&format!(",{}:{}", quoted(name), json(claim)));
    }
    claims.push('}');
    let [header, claims] =
        [r#"{"alg":"none"}"#, &claims].map(|part| base64::encode_url(part.as_bytes()));
    Token::new(format!("{header}.{claims}."))
        .expires_at(end)
        .principal(config.principal.as_str())
}

fn json(claim: &Claim) -> String {
    match claim {
        Claim::Text(text) => quoted(text),
        Claim::Number(number) => number.to_string(),
        Claim::List(texts) => {
            let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            format!("[{}]", texts.join(","))
        }
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Since 1970, with the milliseconds, as Java writes them.
fn seconds(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("{}.{:03}", since.as_secs(), since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::oidc::json::{Object, Value};

    #[test]
    fn the_token_says_what_the_options_do() {
        let config = UnsecuredConfig {
            claims: vec![
                ("sub".into(), Claim::Text("a\"\\\u{1}é".into())),
                ("n".into(), Claim::Number(7.5)),
                ("scope".into(), Claim::List(vec!["x".into(), "y".into()])),
            ],
            principal: "alice".into(),
            lifetime: Duration::from_secs(60),
            extensions: Vec::new(),
        };
        let now = UNIX_EPOCH + Duration::from_millis(1_000_007);
        let token = token(&config, now);
        assert_eq!(token.expires_at, Some(now + Duration::from_secs(60)));
        assert_eq!(token.principal.as_deref(), Some("alice"));
        let parts: Vec<&str> = token.value.expose().split('.').collect();
        let [header, claims, ""] = parts.as_slice() else {
            panic!("{parts:?}");
        };
        // As in appendix A.5 of RFC 7515.
        assert_eq!(*header, "eyJhbGciOiJub25lIn0");
        let claims = base64::decode_url(claims).unwrap();
        let claims = Object::parse(str::from_utf8(&claims).unwrap()).unwrap();
        assert_eq!(claims.get("exp"), Some(&Value::Number(1060.007)));
        assert_eq!(claims.get("iat"), Some(&Value::Number(1000.007)));
        assert_eq!(claims.text("sub"), Some("a\"\\\u{1}é"));
        assert_eq!(claims.get("n"), Some(&Value::Number(7.5)));
        let scope = Value::Texts(vec!["x".into(), "y".into()]);
        assert_eq!(claims.get("scope"), Some(&scope));
    }
}
