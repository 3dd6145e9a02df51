//! `sasl.jaas.config` (KIP-85): `class flag option="value" ...;`, tokens as
//! `java.io.StreamTokenizer` cuts them.

use zeroize::Zeroizing;

use crate::config::Secret;
use crate::config::secret::push;

/// One login module with its options.
#[derive(Debug)]
pub(super) struct Jaas {
    /// The class's name without its package.
    pub(super) module: String,
    pub(super) options: Vec<(String, Secret)>,
}

/// What is wrong and where; never shows the text, which holds a password.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The character of the value, from 1.
    pub(super) at: usize,
    pub(super) what: &'static str,
}

impl Jaas {
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut tokens = Tokens::new(text);
        let class = tokens.text("expected the class name of a login module")?;
        let flag = tokens.text("expected the control flag, `required`, after the class name")?;
        const FLAGS: [&str; 4] = ["required", "requisite", "sufficient", "optional"];
        if !FLAGS.iter().any(|known| flag.eq_ignore_ascii_case(known)) {
            return Err(tokens.wrong("expected the control flag, `required`, after the class name"));
        }
        let mut options = Vec::new();
        loop {
            match tokens.next()? {
                Token::Semicolon => break,
                Token::Text(name) => {
                    tokens.equals()?;
                    let value = tokens.text(
                        "expected the option's value, in double quotes unless it is a word",
                    )?;
                    options.push((name.to_string(), Secret::new(value.as_str())));
                }
                Token::End => return Err(tokens.wrong("expected `;` at the end")),
                _ => return Err(tokens.wrong("expected the name of an option, or `;` at the end")),
            }
        }
        if !matches!(tokens.next()?, Token::End) {
            return Err(
                tokens.wrong("expected nothing after `;`: only one login module is allowed")
            );
        }
        let module = class.rsplit('.').next().unwrap_or_default().to_owned();
        Ok(Self { module, options })
    }

    /// The value of an option; the last one if it is given twice.
    pub(super) fn option(&self, name: &str) -> Option<&Secret> {
        let mut named = self.options.iter().rev();
        named.find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

enum Token {
    /// A word or a quoted string, which Java's parser does not tell apart.
    Text(Zeroizing<String>),
    Equals,
    Semicolon,
    Other,
    End,
}

struct Tokens {
    /// There is a password among them.
    chars: Zeroizing<Vec<char>>,
    next: usize,
    /// Where the last token began.
    start: usize,
}

impl Tokens {
    fn new(text: &str) -> Self {
        // Room for all, lest it moves and leaves a copy behind.
        let mut chars = Vec::with_capacity(text.len());
        chars.extend(text.chars());
        Self {
            chars: Zeroizing::new(chars),
            next: 0,
            start: 0,
        }
    }

    fn text(&mut self, expected: &'static str) -> Result<Zeroizing<String>, Malformed> {
        match self.next()? {
            Token::Text(text) => Ok(text),
            _ => Err(self.wrong(expected)),
        }
    }

    fn equals(&mut self) -> Result<(), Malformed> {
        match self.next()? {
            Token::Equals => Ok(()),
            _ => Err(self.wrong("expected `=` after the name of an option")),
        }
    }

    fn next(&mut self) -> Result<Token, Malformed> {
        self.skip_blanks_and_comments();
        self.start = self.next;
        let Some(c) = self.take() else {
            return Ok(Token::End);
        };
        Ok(match c {
            '=' => Token::Equals,
            ';' => Token::Semicolon,
            '"' | '\'' => Token::Text(self.quoted(c)?),
            c if is_word_start(c) => Token::Text(self.word(c)),
            _ => Token::Other,
        })
    }

    fn word(&mut self, first: char) -> Zeroizing<String> {
        let mut word = Zeroizing::new(String::from(first));
        while let Some(c) = self.peek().filter(|c| is_word_part(*c)) {
            push(&mut word, c);
            self.next += 1;
        }
        word
    }

    fn quoted(&mut self, quote: char) -> Result<Zeroizing<String>, Malformed> {
        let mut text = Zeroizing::default();
        loop {
            match self.take() {
                None | Some('\n' | '\r') => {
                    return Err(
                        self.wrong("expected the quote that begins here to end on its line")
                    );
                }
                Some(c) if c == quote => return Ok(text),
                Some('\\') => {
                    if let Some(c) = self.escaped() {
                        push(&mut text, c);
                    }
                }
                Some(c) => push(&mut text, c),
            }
        }
    }

    /// What stands for the characters behind a backslash: C's letters, up to three octal digits, or
    /// the character itself.
    fn escaped(&mut self) -> Option<char> {
        Some(match self.take()? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            c @ '0'..='7' => {
                let digits = if c <= '3' { 3 } else { 2 };
                let mut code = c.to_digit(8)?;
                for _ in 1..digits {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    code = code * 8 + digit;
                    self.next += 1;
                }
                char::from_u32(code)?
            }
            c => c,
        })
    }

    fn skip_blanks_and_comments(&mut self) {
        while let Some(c) = self.peek() {
            if c <= ' ' {
                self.next += 1;
            } else if c == '/' && self.chars.get(self.next + 1) == Some(&'*') {
                self.next += 2;
                while let Some(c) = self.take() {
                    if c == '*' && self.peek() == Some('/') {
                        self.next += 1;
                        break;
                    }
                }
            } else if c == '/' {
                while self.peek().is_some_and(|c| c != '\n' && c != '\r') {
                    self.next += 1;
                }
            } else {
                return;
            }
        }
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.next += 1;
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.next).copied()
    }

    fn wrong(&self, what: &'static str) -> Malformed {
        Malformed {
            at: self.start + 1,
            what,
        }
    }
}

/// Java reads what begins with a digit, `.` or `-` as a number, which is no text to it.
fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '_' | '$') || c >= '\u{a0}'
}

fn is_word_part(c: char) -> bool {
    is_word_start(c) || c.is_ascii_digit() || matches!(c, '.' | '-')
}
