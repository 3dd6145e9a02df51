//! The syntax of Java's properties files, as `java.util.Properties` reads it.

use std::str::Chars;

use zeroize::Zeroizing;

use crate::config::secret::append;

/// A key with its value, escapes resolved.
pub(super) struct Property {
    /// Where the key stands, from 1.
    pub(super) line: usize,
    pub(super) key: String,
    /// It may be a secret.
    pub(super) value: Zeroizing<String>,
}

/// What is wrong with a line; never shows its text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

/// Every property of `text`, in order; a key may come more than once.
pub(super) fn parse(text: &str) -> Result<Vec<Property>, Malformed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut properties = Vec::new();
    for logical in logical_lines(text) {
        let Logical { line, text } = logical;
        let (key, value) = split(&text).map_err(|what| Malformed { line, what })?;
        properties.push(Property { line, key, value });
    }
    Ok(properties)
}

/// A line with those that continue it, comments and blank lines left out, escapes still in it.
struct Logical {
    line: usize,
    text: Zeroizing<String>,
}

fn logical_lines(text: &str) -> Vec<Logical> {
    let mut lines: Vec<Logical> = Vec::new();
    let mut open: Option<Logical> = None;
    for (number, natural) in natural_lines(text).enumerate() {
        let stripped = natural.trim_start_matches(is_blank);
        let mut logical = match open.take() {
            // A line that is nothing but a backslash has not begun anything: what follows may still
            // be a comment.
            Some(begun) if !begun.text.is_empty() => begun,
            _ if stripped.is_empty() || stripped.starts_with(['#', '!']) => continue,
            _ => Logical {
                line: number + 1,
                text: Zeroizing::default(),
            },
        };
        let backslashes = stripped.len() - stripped.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            append(&mut logical.text, &stripped[..stripped.len() - 1]);
            open = Some(logical);
        } else {
            append(&mut logical.text, stripped);
            lines.push(logical);
        }
    }
    // The last line of the file may end in a backslash.
    lines.extend(open.filter(|logical| !logical.text.is_empty()));
    lines
}

/// Lines that end in `\n`, `\r` or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.split('\r')
    })
}

/// The key ends at the first `=`, `:` or blank that is not escaped; blanks around one `=` or `:`
/// belong to neither side.
fn split(text: &str) -> Result<(String, Zeroizing<String>), &'static str> {
    let end = key_end(text);
    let (key, rest) = text.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    Ok((
        std::mem::take(&mut *unescape(key)?),
        unescape(value.trim_start_matches(is_blank))?,
    ))
}

fn key_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && (is_blank(c) || c == '=' || c == ':') {
            return at;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn unescape(text: &str) -> Result<Zeroizing<String>, &'static str> {
    const LONE: &str = "a \\u escape is half of a surrogate pair";
    // Nothing becomes longer, so it stays where it is.
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let mut units = vec![code_unit(&mut chars)?];
                if (0xd800..0xdc00).contains(&units[0]) {
                    if chars.next() != Some('\\') || chars.next() != Some('u') {
                        return Err(LONE);
                    }
                    units.push(code_unit(&mut chars)?);
                }
                out.push_str(&String::from_utf16(&units).map_err(|_| LONE)?);
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Ok(out)
}

fn code_unit(chars: &mut Chars<'_>) -> Result<u16, &'static str> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = chars.next().and_then(|c| c.to_digit(16));
        let digit = digit.ok_or("\\u is not followed by four hexadecimal digits")?;
        unit = unit << 4 | digit as u16;
    }
    Ok(unit)
}
