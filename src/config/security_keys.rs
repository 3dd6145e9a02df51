//! Java's keys of TLS and SASL, and what this producer does with them.

use std::time::Duration;

use crate::config::keys::Treatment::{Ignored, Read, Refused};
use crate::config::keys::{Key, Treatment, ignored};
use crate::config::value::{INT_MAX, Setting};
use crate::config::{Config, Secret};
use crate::error::Error;

const NO_JAVA_CRYPTO: Treatment = ignored("TLS is not Java's here, and has no such part to choose");
const NO_JAVA_LOGIN: Treatment = Refused {
    fine: &[""],
    why: "it names a class of Java, which this producer cannot run; use sasl.jaas.config",
};
const KERBEROS_ONLY: Treatment =
    ignored("it is for Kerberos (GSSAPI), which this version does not speak");
const ASSERTIONS: &str = "clients with assertions instead of a secret are not offered: use \
    sasl.oauthbearer.client.credentials.client.secret, or Config::sasl_oauthbearer with a source \
    of your own";
const ASSERTION_DETAIL: Treatment = ignored(ASSERTIONS);
const ASSERTION: Treatment = Refused {
    fine: &[""],
    why: ASSERTIONS,
};
const BROKER_ONLY: Treatment = ignored("it is for brokers, which verify the tokens of others");

/// Reads a value that says where the tokens of OAUTHBEARER come from.
macro_rules! oidc {
    ($field:ident, $setting:ident => $value:expr) => {
        Read(|config, $setting| {
            config.oidc.$field = $value;
            Ok(())
        })
    };
}

#[rustfmt::skip] // one key, one line, as far as it goes
pub(super) static SECURITY_KEYS: &[Key] = &[
    ("ssl.protocol", Read(Config::read_ssl_protocol)),
    ("ssl.provider", Refused {
        fine: &["", "SunJSSE"],
        why: "providers are classes of Java; here a feature of the crate chooses who does TLS",
    }),
    ("ssl.cipher.suites", Read(Config::read_cipher_suites)),
    ("ssl.enabled.protocols", Read(Config::read_ssl_enabled_protocols)),
    ("ssl.keystore.type", Read(Config::read_keystore_type)),
    ("ssl.keystore.location", Read(Config::read_keystore_location)),
    ("ssl.keystore.password", Refused {
        fine: &[""],
        why: "a key store in PEM, the only one that is read, has no password; make one of a \
              PKCS12 store with `openssl pkcs12 -in keystore -nodes -out keystore.pem`",
    }),
    ("ssl.key.password", Read(Config::read_key_password)),
    ("ssl.keystore.key", Read(Config::read_keystore_key)),
    ("ssl.keystore.certificate.chain", Read(Config::read_keystore_chain)),
    ("ssl.truststore.certificates", Read(Config::read_truststore_pem)),
    ("ssl.truststore.type", Read(Config::read_truststore_type)),
    ("ssl.truststore.location", Read(Config::read_truststore_location)),
    ("ssl.truststore.password", Ignored {
        fine: &[""],
        why: "certificates in PEM have no password",
    }),
    // Java's producer has no such thing; this is librdkafka's name.
    ("ssl.crl.location", Read(Config::read_crl_location)),
    ("ssl.keymanager.algorithm", NO_JAVA_CRYPTO),
    ("ssl.trustmanager.algorithm", NO_JAVA_CRYPTO),
    ("ssl.endpoint.identification.algorithm", Read(Config::read_endpoint_identification)),
    ("ssl.secure.random.implementation", NO_JAVA_CRYPTO),
    ("ssl.engine.factory.class", Refused {
        fine: &[""],
        why: "it names a class of Java, which this producer cannot run",
    }),
    ("sasl.kerberos.service.name", KERBEROS_ONLY),
    ("sasl.kerberos.kinit.cmd", KERBEROS_ONLY),
    ("sasl.kerberos.ticket.renew.window.factor", KERBEROS_ONLY),
    ("sasl.kerberos.ticket.renew.jitter", KERBEROS_ONLY),
    ("sasl.kerberos.min.time.before.relogin", KERBEROS_ONLY),
    ("sasl.login.refresh.window.factor", Read(Config::read_window_factor)),
    ("sasl.login.refresh.window.jitter", Read(Config::read_window_jitter)),
    ("sasl.login.refresh.min.period.seconds", Read(Config::read_min_period)),
    ("sasl.login.refresh.buffer.seconds", Read(Config::read_refresh_buffer)),
    ("sasl.mechanism", Read(Config::read_mechanism)),
    ("sasl.jaas.config", Read(Config::read_jaas)),
    ("sasl.client.callback.handler.class", NO_JAVA_LOGIN),
    ("sasl.login.callback.handler.class", Read(Config::read_login_handler)),
    ("sasl.login.class", NO_JAVA_LOGIN),
    ("sasl.login.connect.timeout.ms", oidc!(connect_timeout, s => millis_over_zero(s)?)),
    ("sasl.login.read.timeout.ms", oidc!(read_timeout, s => millis_over_zero(s)?)),
    ("sasl.login.retry.backoff.max.ms", oidc!(retry_backoff_max, s => s.millis(i64::MAX)?)),
    ("sasl.login.retry.backoff.ms", oidc!(retry_backoff, s => s.millis(i64::MAX)?)),
    ("sasl.oauthbearer.jwt.retriever.class", Read(Config::read_retriever)),
    ("sasl.oauthbearer.jwt.validator.class", Read(Config::read_validator)),
    ("sasl.oauthbearer.scope", oidc!(scope, s => Some(s.value.to_owned()))),
    ("sasl.oauthbearer.client.credentials.client.id", oidc!(client_id, s => {
        Some(s.value.to_owned())
    })),
    ("sasl.oauthbearer.client.credentials.client.secret", oidc!(client_secret, s => {
        Some(Secret::new(s.value))
    })),
    ("sasl.oauthbearer.assertion.algorithm", ASSERTION_DETAIL),
    ("sasl.oauthbearer.assertion.claim.aud", ASSERTION_DETAIL),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", ASSERTION_DETAIL),
    ("sasl.oauthbearer.assertion.claim.iss", ASSERTION_DETAIL),
    ("sasl.oauthbearer.assertion.claim.jti.include", ASSERTION_DETAIL),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", ASSERTION_DETAIL),
    ("sasl.oauthbearer.assertion.claim.sub", ASSERTION_DETAIL),
    ("sasl.oauthbearer.assertion.file", ASSERTION),
    ("sasl.oauthbearer.assertion.private.key.file", ASSERTION),
    ("sasl.oauthbearer.assertion.private.key.passphrase", ASSERTION),
    ("sasl.oauthbearer.assertion.template.file", ASSERTION),
    ("sasl.oauthbearer.scope.claim.name", oidc!(scope_claim, s => claim_name(s)?)),
    ("sasl.oauthbearer.sub.claim.name", oidc!(subject_claim, s => claim_name(s)?)),
    ("sasl.oauthbearer.token.endpoint.url", Read(Config::read_token_url)),
    ("sasl.oauthbearer.jwks.endpoint.url", BROKER_ONLY),
    ("sasl.oauthbearer.jwks.endpoint.refresh.ms", BROKER_ONLY),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", BROKER_ONLY),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", BROKER_ONLY),
    ("sasl.oauthbearer.clock.skew.seconds", BROKER_ONLY),
    ("sasl.oauthbearer.allow.unverified.audience", BROKER_ONLY),
    ("sasl.oauthbearer.expected.audience", BROKER_ONLY),
    ("sasl.oauthbearer.allow.unverified.issuer", BROKER_ONLY),
    ("sasl.oauthbearer.expected.issuer", BROKER_ONLY),
    ("sasl.oauthbearer.header.urlencode", oidc!(is_urlencoded, s => s.boolean()?)),
];

/// Zero is for ever to Java.
fn millis_over_zero(setting: &Setting<'_>) -> Result<Duration, Error> {
    let ms = setting.integer(1..=INT_MAX)?;
    Ok(Duration::from_millis(ms.unsigned_abs()))
}

fn claim_name(setting: &Setting<'_>) -> Result<String, Error> {
    match setting.value {
        "" => Err(setting.wrong("is no name of a claim")),
        name => Ok(name.to_owned()),
    }
}
