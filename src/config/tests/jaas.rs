//! `sasl.jaas.config`.

use super::super::jaas::Jaas;
use super::*;

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";

/// Module and `name=value` of each option.
fn read(text: &str) -> (String, Vec<String>) {
    let jaas = Jaas::parse(text).unwrap_or_else(|malformed| panic!("{text}: {malformed:?}"));
    let options = jaas.options.iter();
    let shown = options.map(|(name, value)| format!("{name}={}", value.expose()));
    (jaas.module.clone(), shown.collect())
}

fn malformed(text: &str) -> (usize, &'static str) {
    let malformed = Jaas::parse(text)
        .err()
        .unwrap_or_else(|| panic!("{text} passed"));
    (malformed.at, malformed.what)
}

#[test]
fn tokens_are_cut_as_javas_stream_tokenizer_cuts_them() {
    for (options, expected) in [
        (
            r#"username="alice" password="wonder land";"#,
            vec!["username=alice", "password=wonder land"],
        ),
        (
            "username=alice password=a1-_$.b;",
            vec!["username=alice", "password=a1-_$.b"],
        ),
        (
            "username = 'a\"b'\n\tpassword=\"c'd\" ;",
            vec!["username=a\"b", "password=c'd"],
        ),
        (r#"a="\"\\\'\q";"#, vec![r#"a="\'q"#]),
        (
            r#"a="\t\n\r\f\b\v\a";"#,
            vec!["a=\t\n\r\u{c}\u{8}\u{b}\u{7}"],
        ),
        (r#"a="\101\1018\7\400\0";"#, vec!["a=AA8\u{7}\u{20}0\0"]),
        ("a=é€;", vec!["a=é€"]),
        ("a=\"x;y=z\";", vec!["a=x;y=z"]),
        ("\"a b\"=c;", vec!["a b=c"]),
        ("a=b /* c=d */ // e=f;\n;", vec!["a=b"]),
        ("a=b / also a comment\n;", vec!["a=b"]),
        (";", vec![]),
    ] {
        let text = format!("{PLAIN} required {options}");
        let expected: Vec<String> = expected.into_iter().map(String::from).collect();
        assert_eq!(
            read(&text),
            ("PlainLoginModule".to_owned(), expected),
            "{options}"
        );
    }
}

#[test]
fn control_flags_are_read_in_any_case() {
    for flag in [
        "required",
        "REQUIRED",
        "Requisite",
        "sufficient",
        "optional",
    ] {
        assert_eq!(read(&format!("{PLAIN} {flag} a=b;")).1, ["a=b"]);
    }
}

#[test]
fn what_is_malformed_is_told_by_position_alone() {
    let class = "expected the class name of a login module";
    let flag = "expected the control flag, `required`, after the class name";
    let name = "expected the name of an option, or `;` at the end";
    let value = "expected the option's value, in double quotes unless it is a word";
    for (text, expected) in [
        ("", (1, class)),
        ("  ", (3, class)),
        ("// all comment", (15, class)),
        ("9.Module required;", (1, class)),
        ("M", (2, flag)),
        ("M;", (2, flag)),
        ("M needed a=b;", (3, flag)),
        ("M required", (11, "expected `;` at the end")),
        ("M required a=b", (15, "expected `;` at the end")),
        (
            "M required a",
            (13, "expected `=` after the name of an option"),
        ),
        (
            "M required a b;",
            (14, "expected `=` after the name of an option"),
        ),
        ("M required =b;", (12, name)),
        ("M required a=;", (14, value)),
        ("M required a=", (14, value)),
        ("M required a=1b;", (14, value)),
        ("M required a=-b;", (14, value)),
        ("M required a=b@c;", (15, name)),
        (
            "M required a=\"b;",
            (14, "expected the quote that begins here to end on its line"),
        ),
        (
            "M required a=\"b\n\";",
            (14, "expected the quote that begins here to end on its line"),
        ),
        (
            "M required a=\"b\\",
            (14, "expected the quote that begins here to end on its line"),
        ),
        (
            "M required a=\"é\" b;",
            (19, "expected `=` after the name of an option"),
        ),
        (
            "M required; N required;",
            (
                13,
                "expected nothing after `;`: only one login module is allowed",
            ),
        ),
        (
            "M required;;",
            (
                12,
                "expected nothing after `;`: only one login module is allowed",
            ),
        ),
    ] {
        assert_eq!(malformed(text), expected, "{text}");
    }
}

#[test]
fn any_text_is_read_without_a_panic() {
    let pieces = ["\"", "'", "\\", "/", "*", "7", "é", "a", "=", ";"];
    for code in 0..100_000 {
        let digits = [
            code % 10,
            code / 10 % 10,
            code / 100 % 10,
            code / 1000 % 10,
            code / 10_000,
        ];
        let text: String = digits.iter().map(|digit| pieces[*digit]).collect();
        let _ = Jaas::parse(&format!("M required {text}"));
    }
}

#[test]
fn a_plain_module_gives_the_credentials() {
    for module in [
        PLAIN,
        "PlainLoginModule",
        "kafkashaded.org.apache.kafka.PlainLoginModule",
    ] {
        let jaas = format!("{module} required username=\"alice\" password=\"won\\\"der\";");
        let Some(SaslConfig::Plain { username, password }) = with("sasl.jaas.config", &jaas).sasl
        else {
            panic!("no credentials");
        };
        assert_eq!(
            (username.as_str(), password.expose()),
            ("alice", "won\"der")
        );
    }
}

#[test]
fn modules_and_options_that_do_not_fit_are_refused() {
    let class = |name: &str| format!("a.b.{name} required username=\"alice\" password=\"hush\";");
    for (jaas, expected) in [
        (
            class("Krb5LoginModule"),
            "it names Krb5LoginModule: GSSAPI (Kerberos) is not offered: it needs the system's C",
        ),
        (
            class("IAMLoginModule"),
            "it names AWS's login for MSK, a class of Java: use sasl.mechanism=OAUTHBEARER and",
        ),
        (
            class("hush"),
            "it names a login module that is not known here; this version speaks PLAIN",
        ),
        (
            format!("{PLAIN} required password=\"hush\";"),
            "PlainLoginModule needs the option username=\"...\"",
        ),
        (
            format!("{PLAIN} required username=\"hush\";"),
            "PlainLoginModule needs the option password=\"...\"",
        ),
        (
            class("ScramLoginModule").replace("password", "passwort"),
            "ScramLoginModule needs the option password=\"...\"",
        ),
        (
            class("ScramLoginModule").replace(";", " tokenauth=hush;"),
            "the option tokenauth is neither true nor false",
        ),
        (
            format!("{PLAIN} required username=alice password=hush@;"),
            "at character 94 of the value: expected the name of an option, or `;` at the end",
        ),
    ] {
        let error = refusal("sasl.jaas.config", &jaas);
        let expected = format!("sasl.jaas.config: {expected}");
        assert!(error.starts_with(&expected), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn options_that_a_module_does_not_have_are_warned_about_without_their_names() {
    for (module, options) in [
        ("PlainLoginModule", "username, password"),
        ("ScramLoginModule", "username, password, tokenauth"),
    ] {
        let jaas = format!("{module} required username=a password=b hush=c;");
        let config = with("sasl.jaas.config", &jaas);
        let expected =
            format!("sasl.jaas.config: {module} has no options but {options}, others are ignored");
        assert_eq!(config.warnings(), [expected]);
    }
}
