//! Cipher suites by their names.

use rustls::SupportedCipherSuite;
use rustls::crypto::CryptoProvider;

use crate::error::Error;
use crate::sync::Arc;

use super::config_error;

/// The cryptography with these suites only, in its own order; with all of them if none is named.
pub(super) fn restricted(
    provider: Arc<CryptoProvider>,
    names: &[String],
) -> Result<Arc<CryptoProvider>, Error> {
    if names.is_empty() {
        return Ok(provider);
    }
    let known = || provider.cipher_suites.iter().map(name);
    let is_known = |asked: &String| known().any(|known| known.eq_ignore_ascii_case(asked));
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        return Err(config_error(format!(
            "ssl.cipher.suites: {unknown:?} is not among the suites of this cryptography, which \
             are {}",
            known().collect::<Vec<_>>().join(", ")
        )));
    }
    let is_asked = |suite: &&SupportedCipherSuite| {
        let known = name(suite);
        names.iter().any(|asked| known.eq_ignore_ascii_case(asked))
    };
    let cipher_suites = provider.cipher_suites.iter().filter(is_asked).copied();
    Ok(Arc::new(CryptoProvider {
        cipher_suites: cipher_suites.collect(),
        ..(*provider).clone()
    }))
}

/// IANA's name: rustls sets those of TLS 1.3 apart.
fn name(suite: &SupportedCipherSuite) -> String {
    let name = suite.suite().as_str().unwrap_or_default();
    name.replacen("TLS13_", "TLS_", 1)
}
