//! OAUTHBEARER by settings: where tokens come from, and which settings go together.

use std::path::Path;

use super::security::{all, complaint};
use super::*;
use crate::config::{OidcConfig, TokenOrigin};

const MODULE: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";
const URL: &str = "sasl.oauthbearer.token.endpoint.url";
const HANDLER: &str = "sasl.login.callback.handler.class";
const RETRIEVER: &str = "sasl.oauthbearer.jwt.retriever.class";
const JAVAS: &str = "org.apache.kafka.common.security.oauthbearer";

/// The settings beside these that make a login with OAUTHBEARER.
fn given<'a>(settings: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual = [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "OAUTHBEARER"),
    ];
    usual.into_iter().chain(settings.iter().copied()).collect()
}

#[track_caller]
fn checked(settings: &[(&str, &str)]) -> (OidcConfig, Vec<String>) {
    let config = all(&given(settings)).validate().unwrap();
    let warnings = config.warnings().to_vec();
    let shown = format!("{config:?} {} {warnings:?}", config.explain());
    assert!(!shown.contains("hush"), "{shown}");
    match config.sasl {
        Some(SaslConfig::Oidc(oidc)) => (*oidc, warnings),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn says(settings: &[(&str, &str)], fragments: &[&str]) {
    let error = complaint(&given(settings));
    for fragment in fragments {
        assert!(error.contains(fragment), "{error}, not {fragment}");
    }
    assert!(!error.contains("hush"), "{error}");
}

#[test]
fn a_token_is_read_from_a_file_with_or_without_a_module() {
    let jaas = format!("{MODULE} extension_logicalCluster=\"lkc\";");
    let by_name = (RETRIEVER, "a.b.FileJwtRetriever");
    let url = (URL, "file:///run/token");
    for settings in [
        &[url][..],
        &[url, by_name],
        &[("sasl.jaas.config", &jaas), url],
    ] {
        let (oidc, warnings) = checked(settings);
        let TokenOrigin::File(path) = &oidc.origin else {
            panic!("{oidc:?}");
        };
        assert_eq!(
            (path.as_path(), warnings),
            (Path::new("/run/token"), vec![])
        );
        assert_eq!(
            (oidc.scope_claim.as_str(), oidc.subject_claim.as_str()),
            ("scope", "sub")
        );
    }
    let (oidc, _) = checked(&[("sasl.jaas.config", &jaas), url]);
    assert_eq!(
        oidc.extensions,
        [("logicalCluster".to_owned(), Secret::new("lkc"))]
    );
}

#[test]
fn unsecured_tokens_are_made_as_javas_options_say() {
    let jaas = format!(
        "{MODULE} unsecuredLoginStringClaim_sub=\"alice\" unsecuredLoginListClaim_scope=\"|a|b\" \
         unsecuredLoginExtension_traceId=\"7\";"
    );
    let (oidc, warnings) = checked(&[("sasl.jaas.config", &jaas)]);
    let TokenOrigin::Unsecured(tokens) = &oidc.origin else {
        panic!("{oidc:?}");
    };
    assert_eq!(tokens.principal(), "alice");
    assert!(warnings[0].contains("they are for tests"), "{warnings:?}");
    says(
        &[(
            "sasl.jaas.config",
            &format!("{MODULE} unsecuredLoginListClaim_a=\"|b\";"),
        )],
        &["unsecuredLoginStringClaim_sub"],
    );
}

#[test]
fn settings_that_name_no_tokens_say_what_is_missing() {
    let bare = format!("{MODULE};");
    for settings in [&[][..], &[("sasl.jaas.config", bare.as_str())]] {
        says(
            settings,
            &[
                "nothing says where tokens come from",
                URL,
                "Config::sasl_oauthbearer",
            ],
        );
    }
    let handler = format!("{JAVAS}.OAuthBearerLoginCallbackHandler");
    says(&[(HANDLER, &handler)], &[URL, "is missing"]);
    says(
        &[
            (URL, "file:/a"),
            (RETRIEVER, "ClientCredentialsJwtRetriever"),
        ],
        &["names a file"],
    );
    says(
        &[(URL, "https://idp/"), (RETRIEVER, "FileJwtRetriever")],
        &["names no file"],
    );
    for bad in [
        "extension_auth=a",
        "extension_a1=a",
        "extension_=a",
        "extension_a=\"\"",
        "extension_a=\"\u{e4}\"",
    ] {
        let jaas = format!("{MODULE} {bad};");
        says(
            &[(URL, "file:/a"), ("sasl.jaas.config", &jaas)],
            &["extension_"],
        );
    }
    let jaas = ("sasl.jaas.config", bare.as_str());
    let settings = [("security.protocol", "SASL_SSL"), (URL, "file:/a"), jaas];
    assert!(complaint(&settings).contains("set it to OAUTHBEARER"));
    let plain = ("sasl.mechanism", "PLAIN");
    let error = complaint(&[
        ("security.protocol", "SASL_SSL"),
        plain,
        (URL, "file:/a"),
        jaas,
    ]);
    assert!(error.contains("OAuthBearerLoginModule"), "{error}");
}

#[test]
fn classes_of_java_that_are_not_known_are_refused_with_the_way_out() {
    for (key, value, says) in [
        (RETRIEVER, "a.JwtBearerJwtRetriever", "assertions"),
        (RETRIEVER, "com.example.Own", "Config::sasl_oauthbearer"),
        (
            "sasl.oauthbearer.jwt.validator.class",
            "BrokerJwtValidator",
            "ClientJwtValidator",
        ),
        (HANDLER, "com.example.Own", "Config::sasl_oauthbearer"),
        (
            HANDLER,
            "software.amazon.msk.auth.iam.IAMClientCallbackHandler",
            "the example msk_iam",
        ),
        (
            HANDLER,
            "io.strimzi.kafka.oauth.client.JaasClientOauthLoginCallbackHandler",
            "oauth.token.endpoint.uri",
        ),
        (
            "sasl.oauthbearer.assertion.private.key.file",
            "/hush",
            "assertions",
        ),
        (URL, "ftp://hush/", "is no https://"),
        ("sasl.login.read.timeout.ms", "0", "out of range"),
        (
            "sasl.oauthbearer.sub.claim.name",
            "",
            "is no name of a claim",
        ),
    ] {
        let error = refusal(key, value);
        assert!(
            error.contains(says) && !error.contains("hush"),
            "{error}, not {says}"
        );
    }
    for handler in [
        "OAuthBearerLoginCallbackHandler",
        "secured.OAuthBearerLoginCallbackHandler",
    ] {
        let handler = format!("{JAVAS}.{handler}");
        checked(&[(HANDLER, &handler), (URL, "file:/a")]);
    }
}

#[test]
fn credentials_that_are_said_last_hold() {
    let jaas = format!("{MODULE} clientId=a;");
    let jaas = ("sasl.jaas.config", jaas.as_str());
    let plain = config().sasl_plain("alice", "hush");
    let config = plain.set(jaas.0, jaas.1).unwrap();
    assert!(config.sasl.is_none());
    assert!(config.sasl_plain("alice", "hush").sasl.is_some());
}

#[cfg(not(feature = "oidc"))]
#[test]
fn an_endpoint_needs_a_feature() {
    says(
        &[(URL, "https://idp/token")],
        &["https://idp/token", "feature \"oidc\""],
    );
}

#[cfg(feature = "oidc")]
#[test]
fn an_endpoint_is_described_by_settings_or_by_the_older_options() {
    const ID: &str = "sasl.oauthbearer.client.credentials.client.id";
    const SECRET: &str = "sasl.oauthbearer.client.credentials.client.secret";

    let jaas = format!(
        "{MODULE} clientId=\"old\" clientSecret=\"hush-old\" scope=\" s t \" \
         ssl.endpoint.identification.algorithm=\"\";"
    );
    let old = ("sasl.jaas.config", jaas.as_str());
    let url = (URL, "https://idp:8443/token?x=hush");
    let endpoint = |settings: &[(&str, &str)]| {
        let (oidc, warnings) = checked(settings);
        match oidc.origin {
            TokenOrigin::Endpoint(endpoint) => (*endpoint, warnings),
            other => panic!("{other:?}"),
        }
    };
    let (one, warnings) = endpoint(&[old, url]);
    assert_eq!(
        (one.client_id.as_str(), one.client_secret.expose()),
        ("old", "hush-old")
    );
    assert_eq!(one.scope, "s t");
    assert!(!one.tls.verify_host_name);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].starts_with("sasl.jaas.config: ssl.endpoint.identification.algorithm is empty")
    );

    let (one, warnings) = endpoint(&[old, url, (ID, "new"), (SECRET, "hush-new")]);
    assert_eq!(
        (one.client_id.as_str(), one.client_secret.expose()),
        ("new", "hush-new")
    );
    assert!(
        warnings
            .iter()
            .any(|text| text.contains("clientId of sasl.jaas.config has no effect"))
    );

    let (one, warnings) = endpoint(&[
        ("sasl.oauthbearer.token.endpoint.url", "http://idp/"),
        (ID, "a"),
        (SECRET, "hush"),
    ]);
    assert!(one.tls.verify_host_name && !one.is_urlencoded);
    assert!(warnings[0].contains("unencrypted"), "{warnings:?}");

    says(&[url], &[ID, "clientId", "is missing"]);
    says(&[url, (ID, "a")], &[SECRET, "clientSecret", "is missing"]);
    let [backoff, max] = [
        "sasl.login.retry.backoff.ms",
        "sasl.login.retry.backoff.max.ms",
    ];
    says(&[url, (backoff, "2"), (max, "1")], &[backoff, max, "less"]);
    let jaas = format!("{MODULE} ssl.truststore.location=\"\";");
    let error = refusal("sasl.jaas.config", &jaas);
    assert!(
        error.starts_with("sasl.jaas.config: its option: ssl.truststore.location"),
        "{error}"
    );
}
