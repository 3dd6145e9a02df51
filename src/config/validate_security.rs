//! Checks of the settings of TLS and SASL against each other.

use crate::config::validate::wrong;
use crate::config::{Config, Mechanism, SaslConfig, ScramConfig, ScramHash, Secret, TlsVersions};
use crate::error::Error;

impl Config {
    pub(super) fn check_tls(&mut self) -> Result<(), Error> {
        if self.tls.versions.is_empty() {
            return Err(wrong(
                "ssl.enabled.protocols and ssl.protocol leave no version of TLS",
            ));
        }
        let keystore = &self.tls.keystore;
        if keystore.key.is_some() != keystore.chain.is_some() {
            let (there, missing) = match keystore.key {
                Some(_) => ("ssl.keystore.key", "ssl.keystore.certificate.chain"),
                None => ("ssl.keystore.certificate.chain", "ssl.keystore.key"),
            };
            return Err(wrong(format!(
                "{there} is set, and {missing} is not: a client certificate needs both"
            )));
        }
        self.check_stores()?;
        #[cfg(feature = "tls")]
        self.check_handed()?;
        if self.security_protocol.has_tls() {
            return Ok(());
        }
        for (key, is_set) in self.tls_settings() {
            if is_set {
                let protocol = self.security_protocol;
                self.note(format!(
                    "{key} has no effect: security.protocol is {protocol}, which has no TLS"
                ));
            }
        }
        Ok(())
    }

    /// The settings of TLS, and which are not as they are by default.
    pub(super) fn tls_settings(&self) -> [(&'static str, bool); 7] {
        [
            (
                "ssl.truststore.location (or .certificates)",
                self.tls.truststore.is_some(),
            ),
            (
                "ssl.keystore.location (or .key and .certificate.chain)",
                self.tls.keystore.is_set(),
            ),
            (
                "ssl.enabled.protocols (or ssl.protocol)",
                self.tls.versions != TlsVersions::default(),
            ),
            (
                "ssl.endpoint.identification.algorithm",
                !self.tls.verify_host_name,
            ),
            ("ssl.key.password", self.tls.keystore.key_password.is_some()),
            ("ssl.crl.location", self.tls.crl.is_some()),
            ("ssl.cipher.suites", !self.tls.suites.is_empty()),
        ]
    }

    pub(super) fn check_sasl(&mut self) -> Result<(), Error> {
        let protocol = self.security_protocol;
        if !protocol.has_sasl() {
            let has_credentials = self.sasl.is_some() || self.credentials.is_some();
            if has_credentials || self.is_given("sasl.mechanism") {
                self.note(format!(
                    "sasl.mechanism and sasl.jaas.config have no effect: security.protocol is \
                     {protocol}; SASL_SSL has SASL"
                ));
            }
            return Ok(());
        }
        let chosen = self.chosen.mechanism.unwrap_or(Mechanism::Plain);
        if self.sasl.is_none() && self.credentials.is_some() {
            self.sasl = Some(self.for_a_source(chosen)?);
            return Ok(());
        }
        if self.sasl.is_none() {
            self.sasl = self.settle_oauth(chosen)?;
        }
        let Some(sasl) = &self.sasl else {
            let (mechanism, module) = (chosen.name(), chosen.login_module());
            let setter = match chosen {
                Mechanism::Plain => "sasl_plain",
                Mechanism::Scram(ScramHash::Sha256) => "sasl_scram_sha_256",
                Mechanism::Scram(ScramHash::Sha512) => "sasl_scram_sha_512",
                Mechanism::OauthBearer => {
                    return Err(wrong(format!(
                        "security.protocol is {protocol} and sasl.mechanism {mechanism}, but \
                         nothing says where tokens come from: set \
                         sasl.oauthbearer.token.endpoint.url, or use Config::sasl_oauthbearer"
                    )));
                }
            };
            return Err(wrong(format!(
                "security.protocol is {protocol}, but there are no credentials: set \
                 sasl.mechanism={mechanism} and sasl.jaas.config={module} \
                 required username=\"...\" password=\"...\"; or use Config::{setter}"
            )));
        };
        if !self.is_given("sasl.mechanism") {
            let fitting = match sasl {
                SaslConfig::Plain { .. } => "PLAIN",
                SaslConfig::Scram(_) => "SCRAM-SHA-256 or SCRAM-SHA-512",
                SaslConfig::OauthBearer(_) | SaslConfig::Oidc(_) => "OAUTHBEARER",
            };
            return Err(wrong(format!(
                "sasl.mechanism is missing (its default is GSSAPI, Kerberos): set it to {fitting}"
            )));
        }
        check_credentials(sasl, chosen)
    }

    /// The mechanism for a source that gives user names and passwords.
    fn for_a_source(&self, chosen: Mechanism) -> Result<SaslConfig, Error> {
        if !self.is_given("sasl.mechanism") {
            return Err(wrong(
                "sasl.mechanism is missing (its default is GSSAPI, Kerberos): Config::set it to \
                 PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
            ));
        }
        check_built_in(chosen)?;
        let (username, password) = (String::new(), Secret::new(""));
        match chosen {
            Mechanism::Plain => Ok(SaslConfig::Plain { username, password }),
            Mechanism::Scram(hash) => Ok(SaslConfig::Scram(ScramConfig {
                hash,
                username,
                password,
                is_token: false,
            })),
            other => Err(wrong(format!(
                "sasl.mechanism is {}, but Config::sasl_credentials is for PLAIN and SCRAM",
                other.name()
            ))),
        }
    }
}

fn check_built_in(chosen: Mechanism) -> Result<(), Error> {
    match chosen.is_built_in() {
        true => Ok(()),
        false => Err(wrong(format!(
            "sasl.mechanism: {} is not built in: build milena with its feature \"scram\"",
            chosen.name()
        ))),
    }
}

fn check_credentials(sasl: &SaslConfig, chosen: Mechanism) -> Result<(), Error> {
    if sasl.mechanism() != chosen {
        return Err(wrong(format!(
            "sasl.mechanism is {}, but the credentials are for {}: sasl.jaas.config has to name {}",
            chosen.name(),
            match sasl {
                SaslConfig::Plain { .. } => "PLAIN (PlainLoginModule)",
                SaslConfig::Scram(_) => "SCRAM (ScramLoginModule)",
                SaslConfig::OauthBearer(_) => "OAUTHBEARER (a source of tokens)",
                SaslConfig::Oidc(_) => "OAUTHBEARER (OAuthBearerLoginModule)",
            },
            chosen.login_module()
        )));
    }
    check_built_in(chosen)?;
    let Some((username, password)) = sasl.user() else {
        return Ok(());
    };
    if username.is_empty() {
        return Err(wrong("sasl.jaas.config: the user name is empty"));
    }
    let has = |unsendable: fn(char) -> bool| {
        let mut all = [username, password.expose()].into_iter();
        all.any(|text| text.contains(unsendable))
    };
    match chosen {
        Mechanism::Plain if has(|c| c == '\0') => Err(wrong(
            "sasl.jaas.config: PLAIN cannot send a user name or password with a zero character",
        )),
        Mechanism::Scram(_) if password.expose().is_empty() => {
            Err(wrong("sasl.jaas.config: the password is empty"))
        }
        Mechanism::Scram(_) if has(char::is_control) => Err(wrong(
            "sasl.jaas.config: SCRAM has no user names and passwords with control characters",
        )),
        _ => Ok(()),
    }
}
