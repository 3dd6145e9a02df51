//! Who a broker takes this client for, where it denies it something.

use super::Connector;
use crate::error::{Error, ErrorKind};

impl Connector {
    /// The error of a broker; one that is for lack of a right says who lacks it, since only the
    /// broker's log would.
    pub(crate) fn name_denied(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Authorization => error.note(self.principal()),
            _ => error,
        }
    }

    /// The broker may have rules that make another name of this one, so it is no name yet.
    pub(crate) fn principal(&self) -> String {
        let certificate = self.tls.as_ref().and_then(|tls| tls.certificate());
        match (&self.sasl, certificate) {
            (Some(sasl), _) => format!("the principal is that of {}", sasl.who()),
            (None, Some(shown)) => format!(
                "the principal is that of the client certificate of {shown}, if this listener asks \
                 for one"
            ),
            (None, None) => "the principal is User:ANONYMOUS: this client shows no user and no \
                certificate"
                .into(),
        }
    }
}
