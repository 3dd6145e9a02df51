//! PLAIN (RFC 4616): user and password as they are.

use crate::config::Secret;
use crate::error::{Error, ErrorKind};

/// Refuses what the one message of the mechanism cannot carry.
pub(super) fn check(username: &str, password: &Secret) -> Result<(), Error> {
    for (what, text) in [("username", username), ("password", password.expose())] {
        let wrong = match text {
            "" => "is empty",
            text if text.contains('\0') => "holds a NUL character",
            _ => continue,
        };
        let text = format!("the SASL PLAIN {what} {wrong}");
        return Err(Error::new(ErrorKind::Config, text));
    }
    Ok(())
}

/// The one message. The identity to act as stays empty: that of the user.
pub(super) fn token(username: &str, password: &Secret) -> Vec<u8> {
    let parts = ["", username, password.expose()];
    parts.join("\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_identity_user_and_password_apart_by_nul() {
        let token = token("anna", &Secret::new("pá=s,s"));
        assert_eq!(token, "\0anna\0pá=s,s".as_bytes());
    }

    #[test]
    fn credentials_that_cannot_be_sent_are_refused_without_being_shown() {
        for (user, password) in [
            ("", "secret"),
            ("anna", ""),
            ("an\0na", "secret"),
            ("anna", "se\0cret"),
        ] {
            let error = check(user, &Secret::new(password)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!error.to_string().contains("cret"));
        }
        assert!(check("anna", &Secret::new("secret")).is_ok());
    }
}
