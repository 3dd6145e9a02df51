//! What a serializer gives back.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// The length of the longest stock value of a fixed size, the text of a UUID.
const INLINE_MAX: usize = 36;

/// The bytes of a key or value: borrowed from it, or made for it.
///
/// It comes from whatever holds bytes. An array of up to 36 bytes needs no memory of its own.
///
/// ```
/// use milena::Serialized;
///
/// let borrowed = Serialized::from("3 apples");
/// let made = Serialized::from(format!("{} apples", 3));
/// let number = Serialized::from(3_i64.to_be_bytes());
/// assert_eq!(borrowed, made);
/// assert_eq!(number[..], [0, 0, 0, 0, 0, 0, 0, 3]);
/// ```
#[derive(Clone)]
pub struct Serialized<'v>(Form<'v>);

#[derive(Clone)]
enum Form<'v> {
    Borrowed(&'v [u8]),
    Owned(Vec<u8>),
    Inline { bytes: [u8; INLINE_MAX], len: u8 },
}

impl Deref for Serialized<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Form::Borrowed(bytes) => bytes,
            Form::Owned(bytes) => bytes,
            Form::Inline { bytes, len } => &bytes[..usize::from(*len)],
        }
    }
}

impl PartialEq for Serialized<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Serialized<'_> {}

impl fmt::Debug for Serialized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<'v> From<&'v [u8]> for Serialized<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self(Form::Borrowed(bytes))
    }
}

impl<'v> From<&'v str> for Serialized<'v> {
    fn from(text: &'v str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for Serialized<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Form::Owned(bytes))
    }
}

impl From<String> for Serialized<'_> {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl<'v> From<Cow<'v, [u8]>> for Serialized<'v> {
    fn from(bytes: Cow<'v, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

impl<const LEN: usize> From<[u8; LEN]> for Serialized<'_> {
    fn from(array: [u8; LEN]) -> Self {
        let mut bytes = [0; INLINE_MAX];
        match bytes.get_mut(..LEN) {
            Some(start) => {
                start.copy_from_slice(&array);
                let len = LEN as u8;
                Self(Form::Inline { bytes, len })
            }
            None => array.to_vec().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_where_they_are_and_short_arrays_need_no_memory() {
        let text = String::from("text");
        let borrowed = Serialized::from(&text[..]);
        assert_eq!(borrowed.as_ptr(), text.as_ptr());
        let borrowed = Serialized::from(Cow::Borrowed(text.as_bytes()));
        assert_eq!(borrowed.as_ptr(), text.as_ptr());
        let address = text.as_ptr();
        assert_eq!(Serialized::from(text).as_ptr(), address);
        assert!(matches!(
            Serialized::from([7; INLINE_MAX]).0,
            Form::Inline { .. }
        ));
    }

    #[test]
    fn arrays_of_every_length_keep_their_bytes() {
        assert_eq!(Serialized::from([])[..], []);
        assert_eq!(Serialized::from([7; 1])[..], [7]);
        assert_eq!(Serialized::from([7; INLINE_MAX])[..], [7; INLINE_MAX]);
        assert_eq!(
            Serialized::from([7; INLINE_MAX + 1])[..],
            [7; INLINE_MAX + 1]
        );
        assert_eq!(Serialized::from([7; 1000])[..], [7; 1000]);
        assert_eq!(format!("{:?}", Serialized::from([7; 2])), "[7, 7]");
    }
}
