//! What a producer checks of a JSON web token (RFC 7519) that it was given, as Java's
//! `ClientJwtValidator` does: its form and its claims. The signature is for the broker to verify;
//! to Java's client it may not be empty, here it may, as providers in tests have it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::human;

use super::base64;
use super::json::{Object, Value};

/// The names of claims that providers call differently.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    /// `sasl.oauthbearer.scope.claim.name`
    pub(super) scope: &'a str,
    /// `sasl.oauthbearer.sub.claim.name`
    pub(super) subject: &'a str,
}

/// What a good token says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) expires_at: SystemTime,
    pub(super) subject: String,
}

/// The claims of a token, or what is wrong with it, in words that hold nothing of it.
pub(super) fn check(token: &str, names: Names<'_>, now: SystemTime) -> Result<Claims, String> {
    let object = claims(token)?;
    let expires_at = time(&object, "exp")?.ok_or("the claim exp is missing")?;
    if let Ok(ago) = now.duration_since(expires_at) {
        return Err(format!(
            "it expired {} ago: is a clock wrong?",
            human(Duration::from_secs(ago.as_secs()))
        ));
    }
    time(&object, "iat")?;
    check_scope(&object, names.scope)?;
    let subject = match object.get(names.subject) {
        Some(Value::Text(subject)) if !subject.trim().is_empty() => subject.trim().to_owned(),
        Some(Value::Text(_)) => return Err(format!("the claim {} is empty", names.subject)),
        Some(Value::Null) | None => {
            return Err(format!(
                "the claim {} is missing (sasl.oauthbearer.sub.claim.name names another)",
                names.subject
            ));
        }
        Some(_) => return Err(format!("the claim {} is no text", names.subject)),
    };
    Ok(Claims {
        expires_at,
        subject,
    })
}

fn claims(token: &str) -> Result<Object, String> {
    let mut parts = token.split('.');
    let three = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(header), Some(payload), Some(signature), None) = three else {
        return Err("it is no JSON web token, which has three parts".into());
    };
    for (what, part) in [
        ("header", header),
        ("payload", payload),
        ("signature", signature),
    ] {
        if part.is_empty() && what != "signature" {
            return Err(format!("its {what} is missing"));
        }
        if !part.bytes().all(base64::is_url_digit) {
            return Err(format!("its {what} is not in base64url"));
        }
    }
    let bytes = base64::decode_url(payload).ok_or("its payload is not in base64url")?;
    let text = String::from_utf8(bytes).map_err(|_| "its payload is not in UTF-8")?;
    Object::parse(&text).map_err(|_| "its payload is no JSON object".into())
}

/// A moment in seconds since 1970, and parts of one.
fn time(object: &Object, claim: &str) -> Result<Option<SystemTime>, String> {
    let seconds = match object.get(claim) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(seconds)) => *seconds,
        Some(_) => return Err(format!("the claim {claim} is no number")),
    };
    let since = Duration::try_from_secs_f64(seconds.trunc()).ok();
    match since.and_then(|since| UNIX_EPOCH.checked_add(since)) {
        Some(time) => Ok(Some(time)),
        None => Err(format!(
            "the claim {claim} is no moment in seconds since 1970"
        )),
    }
}

fn check_scope(object: &Object, claim: &str) -> Result<(), String> {
    let scopes = match object.get(claim) {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Text(scope)) => std::slice::from_ref(scope),
        Some(Value::Texts(scopes)) => scopes,
        // Java goes without scopes here.
        Some(_) => return Ok(()),
    };
    if scopes.iter().any(|scope| scope.trim().is_empty()) {
        return Err(format!("the claim {claim} is empty"));
    }
    let mut seen: Vec<&str> = scopes.iter().map(|scope| scope.trim()).collect();
    seen.sort_unstable();
    match seen.windows(2).any(|pair| pair.first() == pair.get(1)) {
        true => Err(format!("the claim {claim} says one thing twice")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'_> = Names {
        scope: "scope",
        subject: "sub",
    };

    fn token(payload: &str) -> String {
        let part = base64::encode_url(payload.as_bytes());
        format!("eyJhbGciOiJub25lIn0.{part}.c2VjcmV0")
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_good_token_says_whose_it_is_and_until_when() {
        for (payload, subject, until) in [
            (r#"{"sub":"a","exp":2000}"#, "a", 2000),
            (
                r#"{"sub":" a ","exp":2000.9,"iat":1,"scope":"x y"}"#,
                "a",
                2000,
            ),
            (
                r#"{"sub":"é","exp":2e3,"iat":null,"scope":["x","y"]}"#,
                "é",
                2000,
            ),
            (
                r#"{"sub":"a","exp":9999999999,"scope":[]}"#,
                "a",
                9_999_999_999,
            ),
        ] {
            let claims = check(&token(payload), NAMES, at(1000)).unwrap();
            let expected = Claims {
                expires_at: at(until),
                subject: subject.into(),
            };
            assert_eq!(claims, expected, "{payload}");
        }
        let names = Names {
            scope: "scp",
            subject: "cid",
        };
        let payload = r#"{"cid":"c","exp":2000,"scp":["x"],"scope":["x","x"]}"#;
        assert_eq!(
            check(&token(payload), names, at(1000)).unwrap().subject,
            "c"
        );
        let unsigned = token(payload).replace("c2VjcmV0", "");
        assert!(check(&unsigned, names, at(1000)).is_ok());
    }

    #[test]
    fn what_is_wrong_with_a_token_is_said_without_it() {
        for (payload, says) in [
            ("[]", "no JSON object"),
            (r#"{"sub":"h1dden"}"#, "exp is missing"),
            (r#"{"sub":"h1dden","exp":"2000"}"#, "exp is no number"),
            (r#"{"sub":"h1dden","exp":-1}"#, "exp is no moment"),
            (r#"{"sub":"h1dden","exp":1e300}"#, "exp is no moment"),
            (r#"{"sub":"h1dden","exp":940}"#, "expired 60 s ago"),
            (r#"{"sub":"h1dden","exp":1000}"#, "expired 0"),
            (
                r#"{"sub":"h1dden","exp":2000,"iat":-5}"#,
                "iat is no moment",
            ),
            (
                r#"{"sub":"h1dden","exp":2000,"iat":true}"#,
                "iat is no number",
            ),
            (
                r#"{"sub":"h1dden","exp":2000,"scope":""}"#,
                "scope is empty",
            ),
            (
                r#"{"sub":"h1dden","exp":2000,"scope":["h1dden"," "]}"#,
                "scope is empty",
            ),
            (
                r#"{"sub":"h1dden","exp":2000,"scope":["a","b","a "]}"#,
                "twice",
            ),
            (r#"{"exp":2000}"#, "sub is missing"),
            (r#"{"sub":null,"exp":2000}"#, "sub is missing"),
            (r#"{"sub":" ","exp":2000}"#, "sub is empty"),
            (r#"{"sub":7,"exp":2000}"#, "sub is no text"),
        ] {
            let why = check(&token(payload), NAMES, at(1000)).unwrap_err();
            assert!(
                why.contains(says) && !why.contains("h1dden"),
                "{why}, not {says}"
            );
        }
        for (token, says) in [
            ("", "three parts"),
            ("a.b", "three parts"),
            ("a.b.c.d", "three parts"),
            ("a..c", "payload is missing"),
            (".b.c", "header is missing"),
            ("a.b.c\u{1}auth", "not in base64url"),
            ("a.b c.d", "not in base64url"),
            ("a.b.c", "not in base64url"),
            ("a._w.c", "UTF-8"),
        ] {
            let why = check(token, NAMES, at(1000)).unwrap_err();
            assert!(why.contains(says), "{token}: {why}, not {says}");
        }
    }
}
