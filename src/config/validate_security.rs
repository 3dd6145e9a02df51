//! Checks of the settings of TLS and SASL against each other.

use crate::config::validate::wrong;
use crate::config::{Config, SaslConfig, TlsVersions};
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
        if self.security_protocol.has_tls() {
            return Ok(());
        }
        for (key, is_set) in [
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
        ] {
            if is_set {
                let protocol = self.security_protocol;
                self.note(format!(
                    "{key} has no effect: security.protocol is {protocol}, which has no TLS"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn check_sasl(&mut self) -> Result<(), Error> {
        let protocol = self.security_protocol;
        if !protocol.has_sasl() {
            if self.sasl.is_some() || self.is_given("sasl.mechanism") {
                self.note(format!(
                    "sasl.mechanism and sasl.jaas.config have no effect: security.protocol is \
                     {protocol}; SASL_SSL has SASL"
                ));
            }
            return Ok(());
        }
        if self.sasl.is_some() && !self.is_given("sasl.mechanism") {
            return Err(wrong(
                "sasl.mechanism is missing (its default is GSSAPI, Kerberos): set it to PLAIN",
            ));
        }
        let Some(SaslConfig::Plain { username, password }) = &self.sasl else {
            return Err(wrong(format!(
                "security.protocol is {protocol}, but there are no credentials: set \
                 sasl.mechanism=PLAIN and \
                 sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
                 required username=\"...\" password=\"...\"; or use Config::sasl_plain"
            )));
        };
        if username.is_empty() {
            return Err(wrong("sasl.jaas.config: the user name is empty"));
        }
        if username.contains('\0') || password.expose().contains('\0') {
            return Err(wrong(
                "sasl.jaas.config: PLAIN cannot send a user name or password with a zero character",
            ));
        }
        Ok(())
    }
}
