//! OAUTHBEARER (RFC 7628, KIP-255): a bearer token, with extensions (KIP-342).

use crate::conn::diagnosis::peer_text;
use crate::oauth::Token;

/// What the client has to say to a challenge before it gets its refusal (RFC 7628, 3.2.3).
pub(super) const GIVEN_UP: u8 = 1;

/// The name of the pair that has the token.
const AUTH: &str = "auth";

/// What keeps a token from being sent, by the rules of Java's `OAuthBearerClientInitialResponse`,
/// which brokers apply.
pub(super) fn unsendable(token: &Token) -> Option<String> {
    if !is_bearer(token.value.expose()) {
        return Some("the token is empty or has characters that no bearer token has".into());
    }
    let mut names: Vec<&str> = Vec::new();
    for (name, value) in &token.extensions {
        let shown = peer_text(name);
        if name == AUTH {
            return Some("the name of an extension is \"auth\", which has the token".into());
        }
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Some(format!(
                "the name of the extension {shown:?} has other characters than ASCII letters"
            ));
        }
        let value = value.expose();
        let is_sendable = |byte| matches!(byte, b'\x21'..=b'\x7e' | b' ' | b'\t' | b'\r' | b'\n');
        if value.is_empty() || !value.bytes().all(is_sendable) {
            return Some(format!(
                "the value of the extension {shown:?} is empty or not printable ASCII"
            ));
        }
        if names.contains(&name.as_str()) {
            return Some(format!("the extension {shown:?} is there twice"));
        }
        names.push(name);
    }
    None
}

/// `b64token` of RFC 6750.
fn is_bearer(value: &str) -> bool {
    let rest = value.trim_end_matches('=');
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~+/.".contains(&byte);
    !rest.is_empty() && rest.bytes().all(is_part)
}

/// The one message of a login that goes well.
pub(super) fn message(token: &Token) -> Vec<u8> {
    let mut parts = vec!["n,,\x01", AUTH, "=Bearer ", token.value.expose(), "\x01"];
    for (name, value) in &token.extensions {
        parts.extend([name, "=", value.expose(), "\x01"]);
    }
    parts.push("\x01");
    // All at once, so that no shorter copy is left in memory.
    parts.concat().into_bytes()
}

/// A broker's reason against a token, a JSON object with status, scope and openid-configuration,
/// for a message. What is no such object is shown as it is, the token never.
pub(super) fn reason(challenge: &[u8], token: &Token) -> String {
    let text = String::from_utf8_lossy(challenge);
    let said = match Json::members(&text) {
        Some(members) => told(&members),
        None => peer_text(text.trim()),
    };
    let secrets = token.extensions.iter().map(|(_, value)| value);
    let mut secrets = secrets.chain([&token.value]);
    match secrets.any(|secret| said.contains(secret.expose())) {
        true => "[hidden, as it holds the token]".into(),
        false => said,
    }
}

fn told(members: &[(String, String)]) -> String {
    let find = |name: &str| {
        let mut named = members.iter().filter(|(key, _)| key == name);
        named.next().map(|(_, value)| peer_text(value))
    };
    let mut said = find("status").unwrap_or_else(|| "no status given".into());
    for (name, what) in [
        ("scope", "it asks for the scope"),
        ("openid-configuration", "see"),
    ] {
        if let Some(value) = find(name) {
            said.push_str(&format!(", {what} {value}"));
        }
    }
    said
}

/// A JSON object whose values are strings.
struct Json<'a>(std::str::Chars<'a>);

impl<'a> Json<'a> {
    fn members(text: &'a str) -> Option<Vec<(String, String)>> {
        let mut json = Self(text.chars());
        let mut members = Vec::new();
        json.skip('{')?;
        if json.peek()? == '}' {
            json.skip('}')?;
            return json.peek().is_none().then_some(members);
        }
        loop {
            let name = json.string()?;
            json.skip(':')?;
            members.push((name, json.string()?));
            match json.next()? {
                ',' => {}
                '}' => return json.peek().is_none().then_some(members),
                _ => return None,
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.skip('"')?;
        let mut text = String::new();
        loop {
            match self.0.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                c => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.0.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let digits: String = self.0.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok()?;
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            c => c,
        })
    }

    fn skip(&mut self, expected: char) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    fn next(&mut self) -> Option<char> {
        self.0.find(|c| !c.is_ascii_whitespace())
    }

    fn peek(&self) -> Option<char> {
        Self(self.0.clone()).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token::new("abc.DEF-_~+/09==")
    }

    #[test]
    fn the_message_is_header_token_and_extensions_apart_by_one() {
        assert_eq!(
            message(&token()),
            b"n,,\x01auth=Bearer abc.DEF-_~+/09==\x01\x01"
        );
        let extended = token().extension("one", "1 =,").extension("Two", "2");
        assert_eq!(
            message(&extended),
            b"n,,\x01auth=Bearer abc.DEF-_~+/09==\x01one=1 =,\x01Two=2\x01\x01"
        );
        assert_eq!(unsendable(&extended), None);
    }

    #[test]
    fn what_brokers_would_not_take_is_not_sent_and_no_value_is_shown() {
        for value in ["", "==", "a b", "a\x01b", "a=b", "päss"] {
            let wrong = unsendable(&Token::new(value)).unwrap();
            assert!(wrong.starts_with("the token is empty or has"), "{wrong}");
        }
        for (name, value, says) in [
            ("auth", "value", "is \"auth\""),
            ("", "value", "name of the extension \"\""),
            ("a1", "value", "name of the extension \"a1\""),
            ("a=b", "value", "name of the extension \"a=b\""),
            ("ä\x1b", "value", "name of the extension \"ä \""),
            ("name", "", "value of the extension \"name\""),
            ("name", "val\x01ue", "value of the extension \"name\""),
            ("name", "valüe", "value of the extension \"name\""),
        ] {
            let wrong = unsendable(&token().extension(name, value)).unwrap();
            assert!(wrong.contains(says) && !wrong.contains("lüe"), "{wrong}");
        }
        let twice = token().extension("a", "1").extension("a", "2");
        assert!(unsendable(&twice).unwrap().ends_with("is there twice"));
    }

    #[test]
    fn a_challenge_is_told_whatever_it_holds() {
        let secret = token().extension("key", "extension-value");
        let long = format!("{{\"status\":\"{}\"}}", "x".repeat(1 << 20));
        let nested = format!("{}1", "{\"a\":".repeat(100_000));
        for (challenge, says) in [
            (&br#"{"status":"invalid_token"}"#[..], "invalid_token"),
            (
                br#" { "status" : "insufficient_scope" , "scope":"a \"b\"\u00e4" } "#,
                "insufficient_scope, it asks for the scope a \"b\"ä",
            ),
            (
                br#"{"status":"401","openid-configuration":"https:\/\/id"}"#,
                "401, see https://id",
            ),
            (
                br#"{"scope":"a"}"#,
                "no status given, it asks for the scope a",
            ),
            (b"{}", "no status given"),
            (br#"{"status":7}"#, r#"{"status":7}"#),
            (br#"{"status":"a"} and more"#, r#"{"status":"a"} and more"#),
            (br#"{"status":"a",}"#, r#"{"status":"a",}"#),
            (br#"{"status":"\ud800\u00"#, r#"{"status":"\ud800\u00"#),
            (b"{\"status\":\"\\n\\u001b[31m\"}", "  [31m"),
            (b"\x00\xff\x1b", " \u{fffd} "),
            (
                b"Bearer abc.DEF-_~+/09==",
                "[hidden, as it holds the token]",
            ),
            (
                br#"{"status":"extension-value"}"#,
                "[hidden, as it holds the token]",
            ),
        ] {
            assert_eq!(reason(challenge, &secret), says);
        }
        for hostile in [long, nested] {
            assert!(reason(hostile.as_bytes(), &secret).len() < 310);
        }
    }
}
