//! Java's keys of TLS and SASL, and what this producer does with them.

use crate::config::Config;
use crate::config::keys::Treatment::{Ignored, Read, Refused};
use crate::config::keys::{Key, Treatment, ignored};

const NO_JAVA_CRYPTO: Treatment = ignored("TLS is not Java's here, and has no such part to choose");
const NO_JAVA_LOGIN: Treatment = Refused {
    fine: &[""],
    why: "it names a class of Java, which this producer cannot run; use sasl.jaas.config",
};
const KERBEROS_ONLY: Treatment =
    ignored("it is for Kerberos (GSSAPI), which this version does not speak");
const OAUTH_ONLY: Treatment = ignored(
    "this version fetches no tokens itself: Config::sasl_oauthbearer takes a source of them",
);

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
    ("sasl.login.callback.handler.class", NO_JAVA_LOGIN),
    ("sasl.login.class", NO_JAVA_LOGIN),
    ("sasl.login.connect.timeout.ms", OAUTH_ONLY),
    ("sasl.login.read.timeout.ms", OAUTH_ONLY),
    ("sasl.login.retry.backoff.max.ms", OAUTH_ONLY),
    ("sasl.login.retry.backoff.ms", OAUTH_ONLY),
    ("sasl.oauthbearer.jwt.retriever.class", OAUTH_ONLY),
    ("sasl.oauthbearer.jwt.validator.class", OAUTH_ONLY),
    ("sasl.oauthbearer.scope", OAUTH_ONLY),
    ("sasl.oauthbearer.client.credentials.client.id", OAUTH_ONLY),
    ("sasl.oauthbearer.client.credentials.client.secret", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.algorithm", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.claim.aud", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.claim.iss", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.claim.jti.include", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.claim.sub", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.file", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.private.key.file", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.private.key.passphrase", OAUTH_ONLY),
    ("sasl.oauthbearer.assertion.template.file", OAUTH_ONLY),
    ("sasl.oauthbearer.scope.claim.name", OAUTH_ONLY),
    ("sasl.oauthbearer.sub.claim.name", OAUTH_ONLY),
    ("sasl.oauthbearer.token.endpoint.url", OAUTH_ONLY),
    ("sasl.oauthbearer.jwks.endpoint.url", OAUTH_ONLY),
    ("sasl.oauthbearer.jwks.endpoint.refresh.ms", OAUTH_ONLY),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", OAUTH_ONLY),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", OAUTH_ONLY),
    ("sasl.oauthbearer.clock.skew.seconds", OAUTH_ONLY),
    ("sasl.oauthbearer.allow.unverified.audience", OAUTH_ONLY),
    ("sasl.oauthbearer.expected.audience", OAUTH_ONLY),
    ("sasl.oauthbearer.allow.unverified.issuer", OAUTH_ONLY),
    ("sasl.oauthbearer.expected.issuer", OAUTH_ONLY),
    ("sasl.oauthbearer.header.urlencode", OAUTH_ONLY),
];
