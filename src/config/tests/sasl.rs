//! SASL: mechanisms, credentials, and which of them go together.

use super::security::{JAAS, all, complaint};
use super::*;
use crate::credentials::Credentials;

#[test]
fn mechanism_and_jaas_are_set_in_any_order() {
    let protocol = ("security.protocol", "SASL_SSL");
    let mechanism = ("sasl.mechanism", "PLAIN");
    let jaas = ("sasl.jaas.config", JAAS);
    for settings in [[protocol, mechanism, jaas], [jaas, mechanism, protocol]] {
        let config = all(&settings).validate().unwrap();
        assert!(config.sasl.is_some() && config.warnings().is_empty());
    }
}

#[test]
fn other_mechanisms_are_refused() {
    let error = refusal("sasl.mechanism", "gssapi");
    assert!(error.starts_with("sasl.mechanism: GSSAPI (Kerberos) is not offered"));
    for instead in ["SCRAM-SHA-512", "OAUTHBEARER", "security.protocol=SSL"] {
        assert!(error.contains(instead), "{error}");
    }
    assert!(refusal("sasl.mechanism", "AWS_MSK_IAM").contains("the example msk_iam"));
    assert!(refusal("sasl.mechanism", "MAGIC").contains("no mechanism that this version knows"));
}

const SCRAM_JAAS: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required \
    username=\"alice\" password=\"wonder\"";

fn scram_of(config: &Config) -> (ScramHash, &str, &str, bool) {
    let Some(SaslConfig::Scram(scram)) = &config.sasl else {
        panic!("{:?}", config.sasl);
    };
    let password = scram.password.expose();
    (scram.hash, &scram.username, password, scram.is_token)
}

#[test]
fn scram_is_set_in_any_order_and_by_code_alike() {
    let protocol = ("security.protocol", "SASL_SSL");
    let user = |config: Config| config.security_protocol(SecurityProtocol::SaslSsl);
    for (name, hash, typed) in [
        (
            "SCRAM-SHA-256",
            ScramHash::Sha256,
            user(config().sasl_scram_sha_256("alice", "wonder")),
        ),
        (
            "scram-sha-512",
            ScramHash::Sha512,
            user(config().sasl_scram_sha_512("alice", "wonder")),
        ),
    ] {
        let mechanism = ("sasl.mechanism", name);
        for (ending, is_token) in [(";", false), (" tokenauth=\"True\";", true)] {
            let text = format!("{SCRAM_JAAS}{ending}");
            let jaas = ("sasl.jaas.config", text.as_str());
            for settings in [[protocol, mechanism, jaas], [jaas, mechanism, protocol]] {
                let config = all(&settings);
                assert_eq!(scram_of(&config), (hash, "alice", "wonder", is_token));
                assert!(!format!("{config:?}").contains("wonder"));
            }
        }
        assert_eq!(scram_of(&typed), (hash, "alice", "wonder", false));
        let effective = typed.explain().to_string();
        assert!(effective.contains(hash.name()) && !effective.contains("wonder"));
    }
    let token = config().sasl_delegation_token("id", "wonder");
    let token = token.set("sasl.mechanism", "SCRAM-SHA-512").unwrap();
    assert_eq!(scram_of(&token), (ScramHash::Sha512, "id", "wonder", true));
}

#[cfg(feature = "scram")]
#[test]
fn mechanism_and_login_module_have_to_fit() {
    let scram = format!("{SCRAM_JAAS};");
    let protocol = ("security.protocol", "SASL_SSL");
    for (mechanism, jaas, expected) in [
        (
            "PLAIN",
            scram.as_str(),
            "sasl.mechanism is PLAIN, but the credentials are for SCRAM (ScramLoginModule): \
             sasl.jaas.config has to name org.apache.kafka.common.security.plain.PlainLoginModule",
        ),
        (
            "SCRAM-SHA-512",
            JAAS,
            "sasl.mechanism is SCRAM-SHA-512, but the credentials are for PLAIN \
             (PlainLoginModule): sasl.jaas.config has to name \
             org.apache.kafka.common.security.scram.ScramLoginModule",
        ),
    ] {
        let mechanism = ("sasl.mechanism", mechanism);
        let jaas = ("sasl.jaas.config", jaas);
        assert_eq!(complaint(&[protocol, mechanism, jaas]), expected);
        assert_eq!(complaint(&[jaas, mechanism, protocol]), expected);
    }
    assert_eq!(
        complaint(&[protocol, ("sasl.jaas.config", &scram)]),
        "sasl.mechanism is missing (its default is GSSAPI, Kerberos): set it to SCRAM-SHA-256 or \
         SCRAM-SHA-512"
    );
    let missing = complaint(&[protocol, ("sasl.mechanism", "SCRAM-SHA-256")]);
    assert!(
        missing.ends_with(
            "set sasl.mechanism=SCRAM-SHA-256 and sasl.jaas.config=org.apache.kafka.common.\
             security.scram.ScramLoginModule required username=\"...\" password=\"...\"; or use \
             Config::sasl_scram_sha_256"
        ),
        "{missing}"
    );
    for (username, password, says) in [
        ("", "hush", "the user name is empty"),
        ("alice", "", "the password is empty"),
        ("a\tb", "hush", "with control characters"),
        ("alice", "hush\0", "with control characters"),
    ] {
        let config = config().sasl_scram_sha_512(username, password);
        let config = config.security_protocol(SecurityProtocol::SaslPlaintext);
        let error = config.validate().unwrap_err().to_string();
        assert!(error.ends_with(says) && !error.contains("hush"), "{error}");
    }
}

#[cfg(not(feature = "scram"))]
#[test]
fn scram_that_is_not_built_in_names_its_feature() {
    let config = config().sasl_scram_sha_512("alice", "hush");
    let config = config.security_protocol(SecurityProtocol::SaslPlaintext);
    assert_eq!(
        config.validate().unwrap_err().to_string(),
        "sasl.mechanism: SCRAM-SHA-512 is not built in: build milena with its feature \"scram\""
    );
}

#[test]
fn sasl_needs_mechanism_and_credentials() {
    let protocol = ("security.protocol", "sasl_ssl");
    let missing = "security.protocol is SASL_SSL, but there are no credentials: set \
        sasl.mechanism=PLAIN and sasl.jaas.config=org.apache.kafka.common.security.plain.\
        PlainLoginModule required username=\"...\" password=\"...\"; or use Config::sasl_plain";
    assert_eq!(complaint(&[protocol]), missing);
    assert_eq!(complaint(&[protocol, ("sasl.mechanism", "PLAIN")]), missing);
    assert_eq!(
        complaint(&[protocol, ("sasl.jaas.config", JAAS)]),
        "sasl.mechanism is missing (its default is GSSAPI, Kerberos): set it to PLAIN"
    );
    let plain = |username: &str, password: &str| {
        let config = config().sasl_plain(username, password);
        let config = config.security_protocol(SecurityProtocol::SaslPlaintext);
        config.validate().map_err(|error| error.to_string())
    };
    assert!(plain("alice", "").is_ok());
    assert_eq!(
        plain("", "x").unwrap_err(),
        "sasl.jaas.config: the user name is empty"
    );
    for (username, password) in [("a\0", "hush"), ("a", "hush\0")] {
        let error = plain(username, password).unwrap_err();
        assert!(
            error.contains("zero character") && !error.contains("hush"),
            "{error}"
        );
    }
}

#[test]
fn tokens_come_from_code_whatever_the_order() {
    let tokens = |config: Config| {
        let config = config.sasl_oauthbearer(crate::oauth::UnsecuredTokens::new("alice"));
        config.security_protocol(SecurityProtocol::SaslSsl)
    };
    let named = config().set("sasl.mechanism", "oauthbearer").unwrap();
    for config in [tokens(config()), tokens(named)] {
        let config = config.validate().unwrap();
        assert!(config.warnings().is_empty());
        let effective = config.explain().to_string();
        assert!(effective.contains("OAuthBearerLoginModule, a source in Rust"));
    }
    let other = tokens(config()).set("sasl.mechanism", "PLAIN").unwrap();
    assert!(other.validate().unwrap_err().to_string().starts_with(
        "sasl.mechanism is PLAIN, but the credentials are for OAUTHBEARER (a source of tokens)"
    ));
    assert_eq!(
        complaint(&[
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "OAUTHBEARER")
        ]),
        "security.protocol is SASL_SSL and sasl.mechanism OAUTHBEARER, but nothing says where \
         tokens come from: set sasl.oauthbearer.token.endpoint.url, or use \
         Config::sasl_oauthbearer"
    );
}

#[test]
fn a_source_of_credentials_needs_a_mechanism_with_user_names() {
    let source = || Ok(Credentials::new("alice", "wonder"));
    let secured = || config().security_protocol(SecurityProtocol::SaslSsl);
    let scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
    let scram = scram.into_iter().filter(|_| cfg!(feature = "scram"));
    for mechanism in scram.chain(["PLAIN"]) {
        let last = secured().sasl_credentials(source);
        let last = last.set("sasl.mechanism", mechanism).unwrap();
        let first = secured().set("sasl.mechanism", mechanism).unwrap();
        for config in [last, first.sasl_credentials(source)] {
            let effective = config.explain().to_string();
            assert!(effective.contains("a source in Rust"), "{effective}");
            let config = config.validate().unwrap();
            let found = config.sasl.map(|sasl| sasl.mechanism().name());
            assert_eq!(found, Some(mechanism));
            assert!(config.credentials.is_some());
        }
    }
    let text = |config: Config| config.validate().unwrap_err().to_string();
    let missing = text(secured().sasl_credentials(source));
    assert!(
        missing.starts_with("sasl.mechanism is missing"),
        "{missing}"
    );
    let bearer = secured().set("sasl.mechanism", "OAUTHBEARER").unwrap();
    let bearer = text(bearer.sasl_credentials(source));
    assert!(
        bearer.contains("sasl_credentials is for PLAIN and SCRAM"),
        "{bearer}"
    );
    // The last credentials hold.
    let fixed = secured().sasl_credentials(source);
    let fixed = fixed.sasl_plain("bob", "b").validate().unwrap();
    assert!(fixed.credentials.is_none());
}

#[test]
fn only_credentials_in_files_are_read_again() {
    let place = std::env::temp_dir().join(format!("milena-reread-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let file = place.join("password");
    std::fs::write(&file, "first\n").unwrap();
    let with = |user: &str, password: &str| {
        let text =
            format!("a.PlainLoginModule required username=\"{user}\" password=\"{password}\";");
        let config = config().set("config.providers", "dir,env").unwrap();
        config.set("sasl.jaas.config", &text).unwrap()
    };
    let reference = format!("${{dir:{}:password}}", place.display());
    for (user, password) in [("alice", "wonder"), ("${env:CARGO_PKG_NAME}", "wonder")] {
        assert!(with(user, password).credentials.is_none());
    }
    let fixed = with("alice", &reference)
        .set("sasl.jaas.config", JAAS)
        .unwrap();
    assert!(fixed.credentials.is_none());
    let source = with("${env:CARGO_PKG_NAME}", &reference)
        .credentials
        .unwrap();
    std::fs::write(&file, "second\n").unwrap();
    let given = source.credentials().unwrap();
    assert_eq!(
        (&*given.username, given.password.expose()),
        ("milena", "second")
    );
    for (rotten, says) in [
        (Some("qu\"ote"), "sasl.jaas.config: at character "),
        (None, "password}: "),
    ] {
        match rotten {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let error = source.credentials().unwrap_err().to_string();
        assert!(
            error.contains(says) && !error.contains("qu\"ote"),
            "{error}"
        );
    }
    std::fs::remove_dir_all(&place).unwrap();
}
