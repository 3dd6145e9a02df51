//! One answer of an HTTP/1.1 server (RFC 9112), read from bytes as they come. Everything that the
//! server decides has a limit.

use std::mem;

/// Of the body. No broker takes a longer token: `sasl.server.max.receive.size` is as much.
pub(super) const BODY_BYTES_MAX: usize = 512 << 10;
/// Of one line: a header, or the length of a chunk.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Of all lines but the lengths of chunks.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why the bytes are no answer; says nothing of what was in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Puts an answer together.
#[derive(Debug, Default)]
pub(super) struct Reader {
    state: State,
    line: Vec<u8>,
    head_bytes: usize,
    status: u16,
    framing: Framing,
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Status,
    Header,
    /// So many bytes of the body are to come.
    Body(usize),
    ChunkLength,
    /// So many bytes of the chunk are to come.
    Chunk(usize),
    ChunkEnd,
    Trailer,
    UntilEnd,
    Whole,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Framing {
    #[default]
    UntilEnd,
    Length(usize),
    Chunked,
}

impl Reader {
    /// Takes bytes that arrived; true once the answer is whole.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<bool, Malformed> {
        while !bytes.is_empty() && self.state != State::Whole {
            bytes = match self.state {
                State::Body(left) => self.body(bytes, left, |left| match left {
                    0 => State::Whole,
                    left => State::Body(left),
                })?,
                State::Chunk(left) => self.body(bytes, left, |left| match left {
                    0 => State::ChunkEnd,
                    left => State::Chunk(left),
                })?,
                State::UntilEnd => self.body(bytes, usize::MAX, |_| State::UntilEnd)?,
                _ => self.line(bytes)?,
            };
        }
        Ok(self.state == State::Whole)
    }

    /// The answer, once it is whole or the server has closed the connection behind it.
    pub(super) fn end(self) -> Result<Answer, Malformed> {
        match self.state {
            State::Whole | State::UntilEnd => Ok(Answer {
                status: self.status,
                body: self.body,
            }),
            State::Status if self.line.is_empty() => {
                Err(Malformed("it closed the connection instead of answering"))
            }
            _ => Err(Malformed("its answer broke off")),
        }
    }

    /// Takes a part of the body, and gives back what is behind it.
    fn body<'a>(
        &mut self,
        bytes: &'a [u8],
        left: usize,
        next: impl FnOnce(usize) -> State,
    ) -> Result<&'a [u8], Malformed> {
        let (part, rest) = bytes.split_at(left.min(bytes.len()));
        if self.body.len() + part.len() > BODY_BYTES_MAX {
            return Err(TOO_LONG);
        }
        self.body.extend_from_slice(part);
        self.state = next(left - part.len());
        Ok(rest)
    }

    /// Takes a part of a line, and gives back what is behind it.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        if self.state != State::ChunkLength && self.state != State::ChunkEnd {
            self.head_bytes += part.len();
        }
        if self.line.len() + part.len() > LINE_BYTES_MAX || self.head_bytes > HEAD_BYTES_MAX {
            return Err(Malformed("its headers are too long"));
        }
        self.line.extend_from_slice(part);
        if end.is_some() {
            let line = mem::take(&mut self.line);
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.state = self.behind(line)?;
        }
        Ok(rest)
    }

    /// What follows a whole line.
    fn behind(&mut self, line: &[u8]) -> Result<State, Malformed> {
        match self.state {
            State::Status => {
                self.status = status(line)?;
                self.framing = Framing::default();
                Ok(State::Header)
            }
            State::Header if line.is_empty() => self.behind_the_head(),
            State::Header => {
                self.header(line)?;
                Ok(State::Header)
            }
            State::ChunkLength => match chunk_length(line)? {
                0 => Ok(State::Trailer),
                length => Ok(State::Chunk(length)),
            },
            State::ChunkEnd if line.is_empty() => Ok(State::ChunkLength),
            State::ChunkEnd => Err(BAD_CHUNK),
            State::Trailer if line.is_empty() => Ok(State::Whole),
            other => Ok(other),
        }
    }

    fn behind_the_head(&self) -> Result<State, Malformed> {
        match (self.status, self.framing) {
            (101, _) => Err(Malformed("it switches to another protocol")),
            // An interim answer: the real one follows.
            (100..200, _) => Ok(State::Status),
            (204 | 304, _) | (_, Framing::Length(0)) => Ok(State::Whole),
            (_, Framing::Length(length)) if length > BODY_BYTES_MAX => Err(TOO_LONG),
            (_, Framing::Length(length)) => Ok(State::Body(length)),
            (_, Framing::Chunked) => Ok(State::ChunkLength),
            (_, Framing::UntilEnd) => Ok(State::UntilEnd),
        }
    }

    fn header(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.ok_or(Malformed("a header has no colon"))?);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed(
                    "its answer has an encoding that nobody asked for",
                ));
            }
            self.framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value, 10).ok_or(BAD_LENGTH)?;
            match self.framing {
                Framing::Length(other) if other != length => return Err(BAD_LENGTH),
                // RFC 9112, 6.3: chunks win.
                Framing::Chunked => {}
                _ => self.framing = Framing::Length(length),
            }
        }
        Ok(())
    }
}

const TOO_LONG: Malformed = Malformed("its answer is longer than 512 KiB");
const BAD_LENGTH: Malformed = Malformed("the length of its answer is no number, or two");
const BAD_CHUNK: Malformed = Malformed("its answer is damaged: a chunk is not as long as it says");

fn status(line: &[u8]) -> Result<u16, Malformed> {
    let not_http = Malformed("it does not answer in HTTP/1.1");
    let rest = line.strip_prefix(b"HTTP/1.").ok_or(not_http)?;
    let code = rest.get(2..5).filter(|_| rest.get(1) == Some(&b' '));
    let code = code.and_then(|code| number(code, 10)).ok_or(not_http)?;
    let ends = matches!(rest.get(5), None | Some(b' '));
    match u16::try_from(code) {
        Ok(code @ 100..600) if ends => Ok(code),
        _ => Err(not_http),
    }
}

fn chunk_length(line: &[u8]) -> Result<usize, Malformed> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    number(digits.trim_ascii(), 16).ok_or(BAD_CHUNK)
}

/// Digits alone, which `parse` does not insist on.
fn number(digits: &[u8], radix: u32) -> Option<usize> {
    let text = str::from_utf8(digits).ok()?;
    let all = !text.is_empty() && text.chars().all(|digit| digit.is_digit(radix));
    all.then(|| usize::from_str_radix(text, radix).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads in pieces of every size; all have to say the same.
    fn read(bytes: &[u8]) -> Result<Answer, Malformed> {
        let in_pieces = |size: usize| {
            let mut reader = Reader::default();
            for piece in bytes.chunks(size) {
                if reader.feed(piece)? {
                    break;
                }
            }
            reader.end()
        };
        let whole = in_pieces(bytes.len().max(1));
        for size in 1..bytes.len().min(80) {
            assert_eq!(in_pieces(size), whole, "pieces of {size}");
        }
        whole
    }

    fn ok(status: u16, body: &str) -> Result<Answer, Malformed> {
        let body = body.as_bytes().to_vec();
        Ok(Answer { status, body })
    }

    #[test]
    fn answers_are_read_in_pieces_of_any_size() {
        for (bytes, expected) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                ok(200, "{}"),
            ),
            ("HTTP/1.0 200\n\n{}", ok(200, "{}")),
            ("HTTP/1.1 401 \r\ncontent-length:0\r\n\r\n", ok(401, "")),
            ("HTTP/1.1 204 x\r\n\r\nrest", ok(204, "")),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}rest",
                ok(200, "{}"),
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 x\r\n\r\nab",
                ok(201, "ab"),
            ),
            (
                "HTTP/1.1 200 OK\r\nTRANSFER-encoding: Chunked\r\nContent-Length: 9\r\n\r\n\
                 2\r\nab\r\n0a;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
                ok(200, "ab0123456789"),
            ),
        ] {
            assert_eq!(read(bytes.as_bytes()), expected, "{bytes}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let long_line = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(LINE_BYTES_MAX));
        let long_head = format!(
            "HTTP/1.1 200 OK\r\n{}",
            "A: b\r\n".repeat(HEAD_BYTES_MAX / 6)
        );
        let for_ever = "HTTP/1.1 100 x\r\n\r\n".repeat(HEAD_BYTES_MAX / 16);
        let huge = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(BODY_BYTES_MAX + 1));
        for (bytes, says) in [
            ("", "closed"),
            ("HTTP/1.1 200", "broke off"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
                "broke off",
            ),
            ("\r\n", "HTTP/1.1"),
            ("SSH-2.0-x\r\n", "HTTP/1.1"),
            ("HTTP/2 200 OK\r\n", "HTTP/1.1"),
            ("HTTP/1.1 2000 OK\r\n", "HTTP/1.1"),
            ("HTTP/1.1 +20 OK\r\n", "HTTP/1.1"),
            ("HTTP/1.1 999 OK\r\n", "HTTP/1.1"),
            ("HTTP/1.1 101 x\r\n\r\n", "protocol"),
            ("HTTP/1.1 200 OK\r\nhello\r\n", "colon"),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "length"),
            ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n", "length"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
                "length",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
                "length",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 524289\r\n\r\n",
                "512 KiB",
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n", "encoding"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
                "chunk",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
                "chunk",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
                "chunk",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\nab",
                "broke",
            ),
            (&long_line, "headers"),
            (&long_head, "headers"),
            (&for_ever, "headers"),
            (&huge, "512 KiB"),
        ] {
            let Malformed(text) = read(bytes.as_bytes()).unwrap_err();
            assert!(text.contains(says), "{text}, not {says}: {bytes:.80}");
        }
    }
}
