//! Whether a broker has asked for a client certificate, which rustls does not tell.

use std::cell::Cell;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::sync::{Arc, thread_local};

use super::identity::Shown;

thread_local! {
    /// By the handshake that this thread is in. It cannot be with the resolver: sessions are only
    /// resumed by connections that have the same one.
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Shows the certificate, if there is one, and remembers that the broker has asked.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Option<SingleCertAndKey>);

impl ResolvesClientCert for Resolver {
    fn resolve(
        &self,
        authorities: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        ASKED.with(|asked| asked.set(true));
        self.0.as_ref()?.resolve(authorities, schemes)
    }

    fn only_raw_public_keys(&self) -> bool {
        false
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// A handshake begins.
pub(super) fn forget() {
    ASKED.with(|asked| asked.set(false));
}

/// What a broker that closes without a word may have against this client, if it has asked for a
/// certificate.
pub(super) fn doubt(shown: Option<&Shown>) -> Option<String> {
    ASKED.with(Cell::get).then(|| match shown {
        None => "the broker asked for a client certificate, and this client has none \
            (ssl.keystore.location is not set)"
            .into(),
        Some(shown) => format!(
            "the broker asked for a client certificate: does it not take that of {}?",
            shown.text
        ),
    })
}
