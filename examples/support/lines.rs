//! Lines of bytes, and the records that they stand for.

use std::io::{self, BufRead, Read};

use milena::Record;

/// What [`next_line`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It is in the buffer.
    Whole,
    /// It has more bytes than allowed, and was skipped.
    TooLong,
}

/// Reads a line into `buffer`, without its line feed and the carriage return before that; `None`
/// is the end of the input.
///
/// No line, however long, takes more memory than `bytes_max`.
pub(crate) fn next_line(
    input: &mut impl BufRead,
    buffer: &mut Vec<u8>,
    bytes_max: usize,
) -> io::Result<Option<Line>> {
    buffer.clear();
    let limit = (bytes_max as u64).saturating_add(2);
    let read = input.by_ref().take(limit).read_until(b'\n', buffer)?;
    if read == 0 {
        return Ok(None);
    }
    if buffer.last() == Some(&b'\n') {
        buffer.pop();
        if buffer.last() == Some(&b'\r') {
            buffer.pop();
        }
    } else if read as u64 == limit {
        input.skip_until(b'\n')?;
    }
    let fits = buffer.len() <= bytes_max;
    Ok(Some(if fits { Line::Whole } else { Line::TooLong }))
}

/// How a line is divided: `headers` TAB `key` TAB `value`, of which only the value must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) has_key: bool,
    pub(crate) key_separator: String,
    pub(crate) has_headers: bool,
    /// Between the headers and what follows.
    pub(crate) headers_delimiter: String,
    /// Between two headers.
    pub(crate) headers_separator: String,
    /// Between a header's name and its value.
    pub(crate) header_key_separator: String,
    /// What stands for null.
    pub(crate) null_marker: Option<String>,
    /// A part whose separator is missing is not there, instead of an error.
    pub(crate) ignore_error: bool,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            has_key: false,
            key_separator: "\t".to_owned(),
            has_headers: false,
            headers_delimiter: "\t".to_owned(),
            headers_separator: ",".to_owned(),
            header_key_separator: ":".to_owned(),
            null_marker: None,
            ignore_error: false,
        }
    }
}

impl Format {
    /// Sets what Kafka's console producer calls a reader property.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let text = value.to_owned();
        let is_true = value.trim().eq_ignore_ascii_case("true");
        match name {
            "parse.key" => self.has_key = is_true,
            "key.separator" => self.key_separator = text,
            "parse.headers" => self.has_headers = is_true,
            "headers.delimiter" => self.headers_delimiter = text,
            "headers.separator" => self.headers_separator = text,
            "headers.key.separator" => self.header_key_separator = text,
            "null.marker" => self.null_marker = Some(text),
            "ignore.error" => self.ignore_error = is_true,
            _ => return Err(format!("{name:?} is no property of the line reader")),
        }
        Ok(())
    }

    /// Refuses separators that cannot be told apart.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut parts = vec![("key separator", Some(&self.key_separator))];
        if self.has_headers {
            // Only this pair may be equal: headers, key and value can all end in a tab.
            parts[0].1 = Some(&self.key_separator).filter(|key| **key != self.headers_delimiter);
            parts.extend([
                ("headers delimiter", Some(&self.headers_delimiter)),
                ("headers separator", Some(&self.headers_separator)),
                ("header key separator", Some(&self.header_key_separator)),
            ]);
        }
        parts.push(("null marker", self.null_marker.as_ref()));
        let given: Vec<_> = parts
            .iter()
            .filter_map(|(name, text)| Some((name, (*text)?)))
            .collect();
        for (index, (name, text)) in given.iter().enumerate() {
            if text.is_empty() && **name != "null marker" {
                return Err(format!("the {name} is empty"));
            }
            if let Some((other, _)) = given[..index].iter().find(|(_, other)| other == text) {
                return Err(format!("the {name} is the same as the {other}"));
            }
        }
        Ok(())
    }

    /// The record that a line stands for. It borrows from the line: nothing is copied.
    pub(crate) fn record<'a>(&self, topic: &'a str, line: &'a [u8]) -> Result<Record<'a>, String> {
        let mut record = Record::to(topic);
        let mut rest = line;
        if self.has_headers
            && let Some((headers, after)) =
                self.split(rest, &self.headers_delimiter, "headers delimiter")?
        {
            rest = after;
            if !self.is_null(headers) {
                record = self.add_headers(record, headers)?;
            }
        }
        if self.has_key
            && let Some((key, after)) = self.split(rest, &self.key_separator, "key separator")?
        {
            rest = after;
            record = record.key_opt(self.unless_null(key));
        }
        Ok(record.value_opt(self.unless_null(rest)))
    }

    fn add_headers<'a>(
        &self,
        mut record: Record<'a>,
        mut headers: &'a [u8],
    ) -> Result<Record<'a>, String> {
        loop {
            let next = split(headers, &self.headers_separator);
            let (header, rest) = next.map_or((headers, None), |(one, rest)| (one, Some(rest)));
            let parts = self.split(header, &self.header_key_separator, "header key separator")?;
            let (name, value) = parts.map_or((header, None), |(name, value)| {
                (name, self.unless_null(value))
            });
            if self.is_null(name) {
                return Err("a header's name cannot be null".to_owned());
            }
            let name = str::from_utf8(name).map_err(|_| "a header's name is not UTF-8")?;
            record = match value {
                Some(value) => record.header(name, value),
                None => record.null_header(name),
            };
            match rest {
                Some(rest) => headers = rest,
                None => return Ok(record),
            }
        }
    }

    fn split<'a>(
        &self,
        text: &'a [u8],
        separator: &str,
        what: &str,
    ) -> Result<Option<Parts<'a>>, String> {
        match split(text, separator) {
            None if !self.ignore_error => Err(format!("no {what} {separator:?}")),
            parts => Ok(parts),
        }
    }

    fn unless_null<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        (!self.is_null(text)).then_some(text)
    }

    fn is_null(&self, text: &[u8]) -> bool {
        self.null_marker
            .as_ref()
            .is_some_and(|marker| marker.as_bytes() == text)
    }
}

/// What is before a separator, and what is after it.
type Parts<'a> = (&'a [u8], &'a [u8]);

/// What is before the first `separator`, and what is after it.
fn split<'a>(text: &'a [u8], separator: &str) -> Option<Parts<'a>> {
    let separator = separator.as_bytes();
    let at = match separator {
        [byte] => text.iter().position(|other| other == byte)?,
        _ => text
            .windows(separator.len())
            .position(|part| part == separator)?,
    };
    Some((&text[..at], &text[at + separator.len()..]))
}
