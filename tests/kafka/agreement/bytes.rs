//! The wire format by hand, so that the tests share no code with what they test.

/// What is written; strings, arrays and tags have the form that `flexible` asks for.
#[derive(Default)]
pub(super) struct Out {
    pub(super) bytes: Vec<u8>,
    pub(super) flexible: bool,
}

impl Out {
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn varint(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)) as u64);
    }

    pub(super) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(super) fn string(&mut self, text: Option<&str>) {
        match (text, self.flexible) {
            (Some(text), true) => self.unsigned(text.len() as u64 + 1),
            (Some(text), false) => self.i16(text.len() as i16),
            (None, true) => self.unsigned(0),
            (None, false) => self.i16(-1),
        }
        self.raw(text.unwrap_or_default().as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.array(Some(bytes.len()));
        self.raw(bytes);
    }

    /// The length of an array, or of bytes.
    pub(super) fn array(&mut self, len: Option<usize>) {
        match (len, self.flexible) {
            (Some(len), true) => self.unsigned(len as u64 + 1),
            (Some(len), false) => self.i32(len as i32),
            (None, true) => self.unsigned(0),
            (None, false) => self.i32(-1),
        }
    }

    /// No tagged fields.
    pub(super) fn tags(&mut self) {
        if self.flexible {
            self.unsigned(0);
        }
    }
}

/// What is read. It panics where bytes are missing: a test reads answers to its own requests.
#[derive(Clone)]
pub(super) struct In<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) flexible: bool,
}

impl<'a> In<'a> {
    pub(super) fn raw(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        taken
    }

    fn fixed<const LEN: usize>(&mut self) -> [u8; LEN] {
        self.raw(LEN).try_into().expect("as many bytes as asked")
    }

    pub(super) fn i8(&mut self) -> i8 {
        i8::from_be_bytes(self.fixed())
    }

    pub(super) fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.fixed())
    }

    pub(super) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.fixed())
    }

    pub(super) fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.fixed())
    }

    pub(super) fn unsigned(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.raw(1)[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    pub(super) fn varint(&mut self) -> i64 {
        let value = self.unsigned();
        (value >> 1) as i64 ^ -((value & 1) as i64)
    }

    pub(super) fn string(&mut self) -> Option<String> {
        let len = if self.flexible {
            self.unsigned() as i64 - 1
        } else {
            self.i16().into()
        };
        let bytes = self.raw(usize::try_from(len).ok()?);
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The length of an array, or of bytes; that of none is 0.
    pub(super) fn array(&mut self) -> usize {
        let len = if self.flexible {
            self.unsigned() as i64 - 1
        } else {
            self.i32().into()
        };
        usize::try_from(len).unwrap_or(0)
    }

    /// The number and the bytes of each tagged field.
    pub(super) fn tags(&mut self) -> Vec<(u64, &'a [u8])> {
        let count = if self.flexible { self.unsigned() } else { 0 };
        let mut tag = || {
            let number = self.unsigned();
            let len = self.unsigned() as usize;
            (number, self.raw(len))
        };
        (0..count).map(|_| tag()).collect()
    }
}
