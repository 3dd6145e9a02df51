//! Just enough of Rust's syntax to tell code from text, tests from live code, and paths from words.

/// `text` with comments, strings and characters blanked; offsets and line breaks stay.
pub(crate) fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let is_start = at == 0 || !is_word(char::from(bytes[at - 1]));
        let skip = match bytes[at] {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => block_comment_len(rest),
            b'"' => string_len(rest),
            b'r' if is_start => raw_string_len(rest, 1),
            b'b' if is_start && rest.starts_with("br") => raw_string_len(rest, 2),
            b'\'' => character_len(rest),
            _ => 0,
        };
        if skip > 0 {
            blank(&mut code, &rest[..skip]);
            at += skip;
        } else {
            let next = rest.chars().next().unwrap();
            code.push(next);
            at += next.len_utf8();
        }
    }
    code
}

fn blank(code: &mut String, text: &str) {
    code.extend(
        text.bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
    );
}

fn block_comment_len(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => 1,
            [b'*', b'/', ..] => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// 0 if it is no raw string, as in `r#type` or a word.
fn raw_string_len(text: &str, prefix: usize) -> usize {
    let hashes = text[prefix..]
        .bytes()
        .take_while(|byte| *byte == b'#')
        .count();
    let open = prefix + hashes;
    if text.as_bytes().get(open) != Some(&b'"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let end = text[open + 1..].find(&close);
    end.map_or(text.len(), |end| open + 1 + end + close.len())
}

/// 0 if it is a lifetime.
fn character_len(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(0, |end| 3 + end + 1),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// `code` without the items under `#[cfg(test)]` or `#[cfg(all(test, ..))]`; offsets and line
/// breaks stay.
pub(crate) fn without_tests(code: &str) -> String {
    let (mut live, mut rest) = (String::with_capacity(code.len()), code);
    while let Some(start) = test_attribute(rest) {
        live.push_str(&rest[..start]);
        let item = &rest[start..];
        let len = item_len(item);
        blank(&mut live, &item[..len]);
        rest = &item[len..];
    }
    live + rest
}

fn test_attribute(code: &str) -> Option<usize> {
    let forms = ["#[cfg(test)]", "#[cfg(all(test"].into_iter();
    forms.filter_map(|form| code.find(form)).min()
}

/// How long the item is with which `code` starts: to its `;`, or to the end of its body.
pub(crate) fn item_len(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && byte == b'}' {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Where `word` stands on its own: no letter, digit or underscore touches it.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let found = code.match_indices(word).map(|(at, _)| at);
    found.filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        // A word that ends in a sign, such as `dbg!`, ends there whatever follows.
        let ends = !word.ends_with(is_word) || !after.is_some_and(is_word);
        ends && !before.is_some_and(is_word)
    })
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every path in `code` that starts with `root::`, with `/` for `::`, braces expanded, and where
/// it starts: `crate::{a, b::{self, C}}` is `crate/a`, `crate/b/self` and `crate/b/C`.
pub(crate) fn paths(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut end = 0;
    for start in words(code, root) {
        // `super::super` starts once; `a::crate` is no root.
        if start >= end && !code[..start].trim_end().ends_with("::") {
            let mut tree = Tree {
                code,
                at: start,
                found: Vec::new(),
            };
            tree.walk("");
            end = tree.at;
            found.extend(tree.found.into_iter().map(|path| (start, path)));
        }
    }
    found.retain(|(_, path)| path.contains('/'));
    found
}

struct Tree<'a> {
    code: &'a str,
    at: usize,
    found: Vec<String>,
}

impl Tree<'_> {
    /// Reads one path, or one tree of a `use`, that continues `prefix`.
    fn walk(&mut self, prefix: &str) {
        let mut path = prefix.to_owned();
        loop {
            self.skip(char::is_whitespace);
            if self.take("{") {
                while !self.take("}") && self.at < self.code.len() {
                    self.walk(&path);
                    self.skip(|c| c != ',' && c != '}');
                    self.take(",");
                    self.skip(char::is_whitespace);
                }
                return;
            }
            let start = self.at;
            if !self.take("*") {
                self.skip(is_word);
            }
            let name = &self.code[start..self.at];
            if name.is_empty() {
                break;
            }
            path = if path.is_empty() {
                name.into()
            } else {
                format!("{path}/{name}")
            };
            if !self.take("::") {
                break;
            }
        }
        self.found.push(path);
    }

    fn skip(&mut self, fits: impl Fn(char) -> bool) {
        let rest = &self.code[self.at..];
        self.at += rest.find(|c| !fits(c)).unwrap_or(rest.len());
    }

    fn take(&mut self, token: &str) -> bool {
        let fits = self.code[self.at..].starts_with(token);
        self.at += if fits { token.len() } else { 0 };
        fits
    }
}

#[test]
fn text_is_not_code() {
    for (text, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ \n */ d", "a              \n    d"),
        (r#"f("a\"b", 'c')"#, "f(      ,    )"),
        (r##"f(r#"a"b"#, br"c")"##, "f(        ,      )"),
        (r"f('\'', '\u{1f}', 'é')", "f(    ,         ,     )"),
        ("f<'a>(&'a str, r#type)", "f<'a>(&'a str, r#type)"),
        ("\"// not a comment\" + é", "                   + é"),
    ] {
        assert_eq!(code_of(text), code, "{text}");
        assert_eq!(code_of(text).len(), text.len());
    }
}

#[test]
fn test_items_are_not_live() {
    let code = "a;\n#[cfg(all(test, x))]\nmod tests { fn f() {} }\nb;\n#[cfg(test)]\nuse c;\nd;";
    let live: String = without_tests(code).split_whitespace().collect();
    assert_eq!(live, "a;b;d;");
    assert_eq!(without_tests(code).lines().count(), code.lines().count());
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let code = "use crate::{
            a::B, c::{self, D as E},
            F, g::*,
        };
        fn f() { crate::h::i() } $crate::j;
        pub(crate) fn x() { y::crate::z }";
    let found: Vec<String> = paths(code, "crate")
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    let expected =
        ["a/B", "c/self", "c/D", "F", "g/*", "h/i", "j"].map(|path| format!("crate/{path}"));
    assert_eq!(found, expected);
    assert_eq!(paths("super::super::a; super::b", "super").len(), 2);
}
