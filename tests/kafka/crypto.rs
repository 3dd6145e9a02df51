//! The cryptography of TLS: tests of security go through all that the build has.

use milena::Config;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Crypto {
    /// That of its feature, behind `tls-`.
    pub(crate) name: &'static str,
    set: fn(Config) -> Config,
}

impl Crypto {
    pub(crate) const ALL: &'static [Self] = &[
        #[cfg(feature = "tls-graviola")]
        Self {
            name: "graviola",
            set: |config| config.crypto_provider(rustls_graviola::default_provider()),
        },
        #[cfg(feature = "tls-ring")]
        Self {
            name: "ring",
            set: |config| config.crypto_provider(rustls::crypto::ring::default_provider()),
        },
    ];

    /// The settings with it.
    pub(crate) fn of(self, config: Config) -> Config {
        (self.set)(config)
    }
}
