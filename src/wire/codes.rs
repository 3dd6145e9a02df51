//! Error codes (skeleton).

/// An error code of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(i16);

impl From<i16> for Code {
    fn from(code: i16) -> Self {
        Self(code)
    }
}

impl Code {
    pub(crate) fn is_retriable(self) -> bool {
        self.0 != 0
    }
}
