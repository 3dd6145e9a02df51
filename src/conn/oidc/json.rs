//! The fields of a JSON object (RFC 8259), as far as tokens and their endpoints need them.

/// How deep arrays and objects may be inside each other.
const DEPTH_MAX: usize = 32;

/// The value of a field.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(f64),
    /// An array of strings alone.
    Texts(Vec<String>),
    Null,
    /// Whatever else; it is well-formed.
    Other,
}

/// A JSON object.
#[derive(Debug)]
pub(super) struct Object(Vec<(String, Value)>);

/// The text is not one JSON object; says nothing of what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Object {
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut scanner = Scanner { rest: text };
        scanner.need('{')?;
        let mut fields = Vec::new();
        scanner.fields(1, |name, value| fields.push((name, value)))?;
        scanner.blanks();
        match scanner.rest.is_empty() {
            true => Ok(Self(fields)),
            false => Err(Malformed),
        }
    }

    /// The value of a field; the last one if there are two.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let mut fields = self.0.iter().rev();
        let found = fields.find(|(field, _)| field == name);
        found.map(|(_, value)| value)
    }

    /// The text of a field, if that is what it has.
    #[cfg_attr(
        not(feature = "oidc"),
        allow(dead_code, reason = "only an endpoint needs it")
    )]
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed);
        }
        match self.peek().ok_or(Malformed)? {
            '"' => self.string().map(Value::Text),
            '{' => {
                self.need('{')?;
                self.fields(depth, |_, _| {})?;
                Ok(Value::Other)
            }
            '[' => self.array(depth),
            '-' | '0'..='9' => self.number().map(Value::Number),
            _ => self.word(),
        }
    }

    /// The fields behind the brace, and the brace that ends them.
    fn fields(
        &mut self,
        depth: usize,
        mut take: impl FnMut(String, Value),
    ) -> Result<(), Malformed> {
        if self.skips('}') {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.need(':')?;
            take(name, self.value(depth + 1)?);
            match self.skips(',') {
                true => {}
                false => return self.need('}'),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.need('[')?;
        let (mut texts, mut all_texts) = (Vec::new(), true);
        if self.skips(']') {
            return Ok(Value::Texts(texts));
        }
        loop {
            match self.value(depth + 1)? {
                Value::Text(text) => texts.push(text),
                _ => all_texts = false,
            }
            if !self.skips(',') {
                break;
            }
        }
        self.need(']')?;
        Ok(match all_texts {
            true => Value::Texts(texts),
            false => Value::Other,
        })
    }

    fn string(&mut self) -> Result<String, Malformed> {
        self.need('"')?;
        let mut text = String::new();
        loop {
            match self.take()? {
                '"' => return Ok(text),
                '\\' => text.push(self.escaped()?),
                ..' ' => return Err(Malformed),
                c => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Malformed> {
        Ok(match self.take()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.hex()?;
                let code = match first {
                    // Half of a pair (UTF-16).
                    0xD800..0xDC00 => {
                        if (self.take()?, self.take()?) != ('\\', 'u') {
                            return Err(Malformed);
                        }
                        let second = self.hex()?.checked_sub(0xDC00).ok_or(Malformed)?;
                        0x10000 + ((first - 0xD800) << 10) + second
                    }
                    code => code,
                };
                char::from_u32(code).ok_or(Malformed)?
            }
            _ => return Err(Malformed),
        })
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let mut code = 0;
        for _ in 0..4 {
            code = code << 4 | self.take()?.to_digit(16).ok_or(Malformed)?;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<f64, Malformed> {
        let part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        number.parse().map_err(|_| Malformed)
    }

    fn word(&mut self) -> Result<Value, Malformed> {
        for (word, value) in [
            ("null", Value::Null),
            ("true", Value::Other),
            ("false", Value::Other),
        ] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn need(&mut self, c: char) -> Result<(), Malformed> {
        match self.skips(c) {
            true => Ok(()),
            false => Err(Malformed),
        }
    }

    /// Goes past blanks, and past `c` if it is next.
    fn skips(&mut self, c: char) -> bool {
        self.blanks();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.blanks();
        self.rest.chars().next()
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self) -> Result<char, Malformed> {
        let mut chars = self.rest.chars();
        let c = chars.next().ok_or(Malformed)?;
        self.rest = chars.as_str();
        Ok(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_an_object_are_found() {
        let text = r#" {"a" : "x\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00é", "n":-1.5e3,"z":0,
            "l":["p", "q"],"e":[],"m":["p",1],"o":{"a":{"b":[{}]}},"t":true,"f":false,"u":null,
            "a2":"first","a2":"last"} "#;
        let object = Object::parse(text).unwrap();
        assert_eq!(object.text("a"), Some("x\"\\/\u{8}\u{c}\n\r\tä\u{1F600}é"));
        assert_eq!(object.get("n"), Some(&Value::Number(-1500.0)));
        assert_eq!(object.get("z"), Some(&Value::Number(0.0)));
        let list = Value::Texts(vec!["p".into(), "q".into()]);
        assert_eq!(object.get("l"), Some(&list));
        assert_eq!(object.get("e"), Some(&Value::Texts(Vec::new())));
        for other in ["m", "o", "t", "f"] {
            assert_eq!(object.get(other), Some(&Value::Other), "{other}");
        }
        assert_eq!(object.get("u"), Some(&Value::Null));
        assert_eq!(object.text("a2"), Some("last"));
        assert_eq!((object.get("b"), object.text("n")), (None, None));
        assert!(Object::parse("{}").is_ok());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            " ",
            "null",
            "[]",
            "\"a\"",
            "{",
            "{}x",
            "{}{}",
            "{a:1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":[1,]}",
            "{\"a\":[1}",
            "{\"a\":tru}",
            "{\"a\":\"x}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\ud800\\u0041\"}",
            "{\"a\":\"\\udc00\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":1.2.3}",
            "{\"a\":-}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "<html>",
            "{\"a\":'b'}",
        ] {
            assert_eq!(Object::parse(text).unwrap_err(), Malformed, "{text}");
        }
    }

    #[test]
    fn no_text_is_too_deep_or_broken_off_for_the_stack() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(Object::parse(&nested(DEPTH_MAX - 1)).is_ok());
        assert!(Object::parse(&nested(DEPTH_MAX)).is_err());
        assert!(Object::parse(&"{\"a\":[".repeat(100_000)).is_err());
        let whole = r#"{"a":"\u00e4\ud83d\ude00é","b":[1,"x",{"c":null}]}"#;
        for (end, _) in whole.char_indices() {
            assert!(Object::parse(&whole[..end]).is_err(), "{end}");
        }
    }
}
