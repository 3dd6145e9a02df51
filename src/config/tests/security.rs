//! TLS, and that no secret is ever shown.

use super::*;

pub(super) const JAAS: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required \
     username=\"alice\" password=\"wonder\";";

fn versions(settings: &[(&str, &str)]) -> (bool, bool) {
    let versions = all(settings).tls.versions;
    (versions.v1_2, versions.v1_3)
}

pub(super) fn all(settings: &[(&str, &str)]) -> Config {
    settings.iter().fold(config(), |config, (key, value)| {
        config
            .set(key, value)
            .unwrap_or_else(|error| panic!("{error}"))
    })
}

pub(super) fn complaint(settings: &[(&str, &str)]) -> String {
    all(settings).validate().unwrap_err().to_string()
}

#[test]
fn security_protocols_are_read_in_any_case() {
    for (text, expected) in [
        ("PLAINTEXT", SecurityProtocol::Plaintext),
        ("ssl", SecurityProtocol::Ssl),
        ("Sasl_Plaintext", SecurityProtocol::SaslPlaintext),
        ("SASL_SSL", SecurityProtocol::SaslSsl),
    ] {
        assert_eq!(with("security.protocol", text).security_protocol, expected);
        assert_eq!(expected.to_string(), text.to_uppercase());
    }
    assert_eq!(
        refusal("security.protocol", "TLS"),
        r#"security.protocol: "TLS" is not one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"#
    );
}

#[test]
fn tls_versions_are_the_list_less_what_the_protocol_excludes() {
    let protocol = |value| ("ssl.protocol", value);
    let enabled = |value| ("ssl.enabled.protocols", value);
    assert_eq!(versions(&[protocol("TLSv1.2")]), (true, false));
    assert_eq!(versions(&[protocol("TLSv1.3")]), (true, true));
    assert_eq!(versions(&[protocol("tls")]), (true, true));
    assert_eq!(versions(&[enabled("TLSv1.3")]), (false, true));
    assert_eq!(versions(&[enabled(" TLSv1.2 , tlsv1.3,")]), (true, true));
    assert_eq!(
        versions(&[enabled("TLSv1.2,TLSv1.3"), protocol("TLSv1.2")]),
        (true, false)
    );
    assert_eq!(
        versions(&[protocol("TLSv1.2"), enabled("TLSv1.2,TLSv1.3")]),
        (true, false)
    );
    assert_eq!(
        versions(&[protocol("TLSv1.2"), protocol("TLSv1.3")]),
        (true, true)
    );
    assert_eq!(
        complaint(&[protocol("TLSv1.2"), enabled("TLSv1.3")]),
        "ssl.enabled.protocols and ssl.protocol leave no version of TLS"
    );
    let typed = with("ssl.protocol", "TLSv1.2").ssl_versions(&[TlsVersion::V1_3]);
    assert!(typed.tls.versions.v1_3 && !typed.tls.versions.v1_2);
    assert!(config().ssl_versions(&[]).validate().is_err());
}

#[test]
fn broken_and_unknown_tls_versions_are_refused() {
    for (key, value, expected) in [
        (
            "ssl.protocol",
            "TLSv1.1",
            "asks for a version that is broken and not built in",
        ),
        (
            "ssl.protocol",
            "SSLv3",
            "asks for a version that is broken and not built in",
        ),
        (
            "ssl.enabled.protocols",
            "TLSv1.2,TLSv1",
            "asks for a version that is broken",
        ),
        (
            "ssl.enabled.protocols",
            "TLSv1.4",
            "asks for an unknown version",
        ),
        ("ssl.enabled.protocols", " , ", "names no version"),
    ] {
        let error = refusal(key, value);
        let shown = value.trim();
        assert!(
            error.starts_with(&format!("{key}: {shown:?} {expected}")),
            "{error}"
        );
    }
}

#[test]
fn host_names_are_verified_unless_the_algorithm_is_empty() {
    let key = "ssl.endpoint.identification.algorithm";
    assert!(with(key, "HTTPS").tls.verify_host_name);
    let off = with(key, "");
    assert!(!off.tls.verify_host_name);
    assert!(off.warnings()[0].starts_with(&format!("{key} is empty: any broker")));
    assert!(refusal(key, "none").starts_with(&format!("{key}: \"none\" is neither https")));
}

#[test]
fn truststores_are_pem_and_javas_formats_are_told_how_to_become_it() {
    let file = with("ssl.truststore.location", "/etc/ca.pem")
        .tls
        .truststore;
    assert!(matches!(file, Some(PemSource::File(path)) if path.to_str() == Some("/etc/ca.pem")));
    let pem = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----";
    let inline = with("ssl.truststore.certificates", pem).tls.truststore;
    assert!(matches!(inline, Some(PemSource::Inline(text)) if text.expose() == pem));
    assert!(with("ssl.truststore.type", "pem").warnings().is_empty());
    for java in ["JKS", "pkcs12"] {
        let error = refusal("ssl.truststore.type", java);
        assert!(
            error.contains("keytool -list -rfc") && error.contains("openssl pkcs12"),
            "{error}"
        );
    }
    assert_eq!(
        refusal("ssl.truststore.type", "DER"),
        r#"ssl.truststore.type: "DER" is neither PEM nor OS"#
    );
    assert!(refusal("ssl.truststore.location", "").contains("is no file"));
    let error = refusal("ssl.truststore.certificates", "/etc/ca.pem");
    assert!(!error.contains("/etc/ca.pem"), "{error}");
    assert!(
        error.contains("for a file use ssl.truststore.location"),
        "{error}"
    );
}

#[test]
fn the_systems_truststore_goes_with_no_other() {
    const OS: (&str, &str) = ("ssl.truststore.type", "os");
    let system = |config: Config| matches!(config.tls.truststore, Some(PemSource::System));
    assert!(system(all(&[OS])) && !system(all(&[OS, ("ssl.truststore.type", "PEM")])));
    let location = ("ssl.truststore.location", "ca.pem");
    let text = ("ssl.truststore.certificates", "-----BEGIN CERTIFICATE-----");
    for (first, second, says) in [
        (
            OS,
            location,
            "ssl.truststore.location: ssl.truststore.type is OS",
        ),
        (
            OS,
            text,
            "ssl.truststore.certificates: ssl.truststore.type is OS",
        ),
        (
            location,
            OS,
            "ssl.truststore.type: ssl.truststore.location or",
        ),
        (text, OS, "ssl.truststore.type: ssl.truststore.location or"),
    ] {
        let error = all(&[first]).set(second.0, second.1).unwrap_err();
        assert!(error.to_string().starts_with(says), "{error}");
    }
    assert!(system(all(&[location]).ssl_truststore_os()));
    assert!(!system(all(&[OS]).ssl_truststore_file("ca.pem")));
    let asked = all(&[OS, ("security.protocol", "SSL")]);
    let shown = asked.explain().to_string();
    let line = shown
        .lines()
        .find(|line| line.starts_with("ssl.truststore.type"));
    assert!(line.unwrap().contains(" OS "), "{shown}");
    let refused = asked.validate().err().map(|error| error.to_string());
    let missing = "ssl.truststore.type is OS: build milena with its feature \"os-roots\"";
    let expected = cfg!(not(feature = "os-roots")).then(|| missing.to_owned());
    assert_eq!(refused, expected);
}

#[test]
fn two_truststores_are_one_too_many_as_keys_and_the_last_one_holds_as_setters() {
    let pem = "-----BEGIN CERTIFICATE-----";
    let file = with("ssl.truststore.location", "ca.pem");
    let error = file
        .set("ssl.truststore.certificates", pem)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("ssl.truststore.location is set too"),
        "{error}"
    );
    let inline = with("ssl.truststore.certificates", pem);
    let error = inline
        .set("ssl.truststore.location", "ca.pem")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("ssl.truststore.certificates is set too"),
        "{error}"
    );
    let typed = config()
        .ssl_truststore_file("ca.pem")
        .ssl_truststore_pem(pem);
    assert!(matches!(typed.tls.truststore, Some(PemSource::Inline(_))));
}

#[test]
fn key_stores_are_one_pem_file_or_key_and_chain_as_text() {
    const LOCATION: (&str, &str) = ("ssl.keystore.location", "me.pem");
    const KEY: (&str, &str) = ("ssl.keystore.key", "-----BEGIN PRIVATE KEY-----hush");
    const CHAIN: (&str, &str) = (
        "ssl.keystore.certificate.chain",
        "-----BEGIN CERTIFICATE-----",
    );
    let ssl = ("security.protocol", "SSL");
    let file = all(&[LOCATION, ssl, ("ssl.keystore.type", "pem")]);
    let file = file.validate().unwrap().tls.keystore;
    assert_eq!(file.location, Some("me.pem".into()));
    let text = all(&[CHAIN, ssl, KEY]).validate().unwrap();
    assert!(text.warnings().is_empty());
    let text = text.tls.keystore;
    assert_eq!(
        (text.key.unwrap().expose(), text.chain.unwrap().expose()),
        (KEY.1, CHAIN.1)
    );
    for (settings, expected) in [
        (
            [KEY, ssl],
            "ssl.keystore.key is set, and ssl.keystore.certificate.chain is not",
        ),
        (
            [ssl, CHAIN],
            "ssl.keystore.certificate.chain is set, and ssl.keystore.key is not",
        ),
    ] {
        let error = complaint(&settings);
        assert!(
            error.starts_with(expected) && !error.contains("hush"),
            "{error}"
        );
    }
    for (first, second, expected) in [
        (LOCATION, KEY, "ssl.keystore.location is set too"),
        (LOCATION, CHAIN, "ssl.keystore.location is set too"),
        (KEY, LOCATION, "ssl.keystore.key or"),
        (CHAIN, LOCATION, "ssl.keystore.key or"),
    ] {
        let set = all(&[first]).set(second.0, second.1);
        let error = set.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{}: {expected}", second.0)) && !error.contains("hush"),
            "{error}"
        );
    }
    // An empty value takes it back.
    let taken_back = all(&[LOCATION, (LOCATION.0, ""), KEY, (KEY.0, "")]);
    assert!(!taken_back.tls.keystore.is_set());
    let typed = all(&[LOCATION]).ssl_keystore_pem("hush", "chain");
    assert!(typed.tls.keystore.location.is_none());
    let typed = typed.ssl_keystore_file("me.pem").tls.keystore;
    assert!(typed.key.is_none() && typed.chain.is_none());
}

#[test]
fn what_a_key_store_cannot_be_shows_how_to_make_it_pem() {
    for (key, value, expected) in [
        ("ssl.keystore.type", "JKS", "keytool -importkeystore"),
        (
            "ssl.keystore.type",
            "pkcs12",
            "openssl pkcs12 -in keystore -nodes -out keystore.pem",
        ),
        ("ssl.keystore.type", "BKS", "\"BKS\" is not PEM"),
        ("ssl.keystore.password", "hush", "openssl pkcs12 -in"),
        (
            "ssl.keystore.key",
            "/etc/hush.pem",
            "for a file use ssl.keystore.location",
        ),
        (
            "ssl.keystore.certificate.chain",
            "/etc/hush.pem",
            "for a file use ssl.keystore.location",
        ),
    ] {
        let error = refusal(key, value);
        assert!(
            error.contains(expected) && !error.contains("hush"),
            "{error}"
        );
    }
}

#[test]
fn settings_of_a_protocol_that_is_not_spoken_are_warned_about() {
    for (settings, key) in [
        (
            vec![("ssl.truststore.location", "ca.pem")],
            "ssl.truststore.location (or .certificates)",
        ),
        (
            vec![("ssl.keystore.location", "me.pem")],
            "ssl.keystore.location (or .key and .certificate.chain)",
        ),
        (
            vec![("ssl.protocol", "TLSv1.2")],
            "ssl.enabled.protocols (or ssl.protocol)",
        ),
        (
            vec![("sasl.mechanism", "PLAIN")],
            "sasl.mechanism and sasl.jaas.config",
        ),
        (
            vec![("sasl.jaas.config", JAAS), ("sasl.mechanism", "PLAIN")],
            "sasl.mechanism and sasl.jaas.config",
        ),
    ] {
        let config = all(&settings).validate().unwrap();
        let [warning] = config.warnings() else {
            panic!("{:?}", config.warnings());
        };
        let expected = format!("{key} has no effect: security.protocol is PLAINTEXT");
        assert!(
            warning.starts_with(&expected.replace("config has", "config have")),
            "{warning}"
        );
    }
    let quiet = config().ssl_verify_host_name(false).validate().unwrap();
    assert!(quiet.warnings()[0].starts_with("ssl.endpoint.identification.algorithm has no effect"));
    let spoken = quiet.security_protocol(SecurityProtocol::Ssl);
    assert_eq!(spoken.validate().unwrap().warnings().len(), 1);
}

#[cfg(feature = "tls-graviola")]
#[test]
fn a_whole_configuration_of_tls_goes_with_no_setting_of_it() {
    use rustls::{ClientConfig, RootCertStore};

    let provider = std::sync::Arc::new(rustls_graviola::default_provider());
    let whole = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let whole = config()
        .security_protocol(SecurityProtocol::Ssl)
        .rustls(whole);
    assert!(whole.clone().validate().unwrap().warnings().is_empty());
    for (both, other) in [
        (
            whole.clone().ssl_truststore_file("ca.pem"),
            "ssl.truststore.location",
        ),
        (
            whole.clone().ssl_keystore_pem("key", "chain"),
            "ssl.keystore.location",
        ),
        (
            whole.clone().ssl_versions(&[TlsVersion::V1_3]),
            "ssl.enabled.protocols",
        ),
        (
            whole.clone().ssl_cipher_suites(&["TLS_AES_128_GCM_SHA256"]),
            "ssl.cipher.suites",
        ),
        (
            whole.clone().ssl_verify_host_name(false),
            "ssl.endpoint.identification.algorithm",
        ),
        (
            whole.clone().crypto_provider(provider.clone()),
            "Config::crypto_provider",
        ),
    ] {
        let text = both.validate().unwrap_err().to_string();
        assert!(
            text.starts_with("Config::rustls is the whole of TLS") && text.contains(other),
            "{text}"
        );
    }
    let explained = whole.explain().to_string();
    assert!(explained.contains("Config::rustls"), "{explained}");
    let spoken = whole.security_protocol(SecurityProtocol::Plaintext);
    let warnings = spoken.validate().unwrap().warnings().join(" ");
    assert!(
        warnings.contains("Config::rustls has no effect"),
        "{warnings}"
    );
}

#[test]
fn debug_shows_no_secret() {
    let config = with("sasl.jaas.config", JAAS)
        .ssl_truststore_pem("-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----")
        .ssl_keystore_pem("hush", "hush");
    let shown = format!("{config:?} {config:#?}");
    assert!(
        shown.contains("alice") && shown.contains("[hidden]"),
        "{shown}"
    );
    assert!(
        !shown.contains("wonder") && !shown.contains("hush"),
        "{shown}"
    );
    let typed = format!("{:?}", super::config().sasl_plain("alice", "wonder"));
    assert!(
        typed.contains("alice") && !typed.contains("wonder"),
        "{typed}"
    );
}

#[test]
fn a_broken_file_never_shows_the_password_in_it() {
    let good = format!("bootstrap.servers=a:1\nsasl.jaas.config={JAAS}\n");
    for (from, to) in [
        ("sasl.jaas.config=", "sasl.jaas.confg="),
        ("sasl.jaas.config=", "sasl.jaas.config"),
        ("sasl.jaas.config=", "sasl.mechanism="),
        ("sasl.jaas.config=", ""),
        ("sasl.jaas.config=", "password="),
        ("required username", "required\nusername"),
        ("password=\"wonder\"", "\npassword=\"wonder\""),
        ("password=\"wonder\"", "password \"wonder\""),
        ("password=\"wonder\"", "password=\"\\u12wonder\""),
        ("wonder\";", "wonder;"),
        ("wonder\";", "wonder\""),
        ("wonder\";", "wonder\"; wonder"),
        ("\"wonder\"", "wonder!"),
        ("\"wonder\"", "\nwonder"),
        ("PlainLoginModule", "Plain"),
    ] {
        let broken = good.replace(from, to);
        assert_ne!(broken, good);
        let error = Config::from_properties(&broken).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("wonder"),
            "{from} -> {to}: {error}"
        );
    }
    assert!(Config::from_properties(&good).is_ok());
}
