//! Text that must not get out.

use std::fmt;

use zeroize::Zeroizing;

use crate::sync::Arc;

/// Text that `Debug` does not show. Clones are the same memory, which is overwritten when the last
/// of them goes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// A `String` is taken as it is, so that no copy of it is left.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        #[cfg(test)]
        {
            crate::watch::start();
            crate::watch::know(&text);
        }
        Self(Arc::new(text))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Appends to text that may be a secret: where it has to move in memory, its old place is
/// overwritten.
pub(super) fn append(text: &mut Zeroizing<String>, more: &str) {
    let length = text.len() + more.len();
    if text.capacity() < length {
        let mut moved = Zeroizing::new(String::with_capacity(2 * length));
        moved.push_str(text);
        *text = moved;
    }
    text.push_str(more);
}

pub(super) fn push(text: &mut Zeroizing<String>, c: char) {
    append(text, c.encode_utf8(&mut [0; 4]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    const SECRET: &str = "correct horse";

    /// The search of `tests/watch.rs`, in a process that it ends.
    #[test]
    fn a_secret_in_the_log_or_an_error_is_found() {
        const LEAK: &str = "MILENA_TEST_LEAK";
        let leak = || std::env::var(LEAK);
        if leak().is_ok() {
            let secret = Secret::new(SECRET);
            match leak().as_deref() {
                Ok("an error") => {
                    let error = Error::new(ErrorKind::Config, secret.expose());
                    drop(format!("{error:?}"));
                }
                _ => log::trace!("at {}", secret.expose()),
            }
            return;
        }
        for what in ["an error", "a line of the log"] {
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "config::secret::tests::a_secret_in_the_log_or_an_error_is_found",
                ])
                .env(LEAK, what)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            let found = format!("a secret of the tests is in {what}: ");
            assert!(!output.status.success() && said.contains(&found), "{said}");
            assert!(!said.contains(SECRET), "{said}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_and_has_one_place_in_memory() {
        let secret = Secret::new("hush");
        assert_eq!(format!("{secret:?} {secret:#?}"), "[hidden] [hidden]");
        assert_eq!(secret.clone().expose().as_ptr(), secret.expose().as_ptr());
    }
}
